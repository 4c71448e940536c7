//! Option lists and their cross product, as llama-bench sweeps its flags.

use yardstick_api::{KvType, Numerics, Options, WeightScheme};

/// A list for every option; never empty. `None` leaves the choice to the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Worker threads.
    pub threads: Vec<Option<usize>>,
    /// Positions each sequence can hold; `None` is what the launch's tests need.
    pub context: Vec<Option<usize>>,
    /// Sequences resident and run at once.
    pub sequences: Vec<usize>,
    /// Tokens computed together in prefill.
    pub chunk: Vec<usize>,
    /// Storage of keys and values.
    pub kv: Vec<KvType>,
    /// Numerics class asked for.
    pub numerics: Vec<Option<Numerics>>,
    /// Weights rounded anew; `None`: as in the file.
    pub weights: Vec<Option<WeightScheme>>,
    /// Weights may be re-laid in memory.
    pub repack: Vec<bool>,
}

impl Default for Sweep {
    fn default() -> Sweep {
        let one = Options::default();
        Sweep {
            threads: vec![one.threads],
            context: vec![one.context],
            sequences: vec![one.sequences],
            chunk: vec![one.chunk],
            kv: vec![one.kv],
            numerics: vec![one.numerics],
            weights: vec![one.weights],
            repack: vec![one.repack],
        }
    }
}

impl Sweep {
    /// How many combinations there are.
    pub fn len(&self) -> usize {
        [
            self.threads.len(),
            self.context.len(),
            self.sequences.len(),
            self.chunk.len(),
            self.kv.len(),
            self.numerics.len(),
            self.weights.len(),
            self.repack.len(),
        ]
        .into_iter()
        .fold(1, usize::saturating_mul)
    }

    /// Nothing to run.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every combination, the first lists varying slowest. The caller bounds [`Sweep::len`].
    pub fn combinations(&self) -> Vec<Options> {
        let mut all = vec![Options::default()];
        all = cross(all, &self.threads, |options, &threads| options.threads = threads);
        all = cross(all, &self.context, |options, &context| options.context = context);
        all = cross(all, &self.sequences, |options, &sequences| options.sequences = sequences);
        all = cross(all, &self.chunk, |options, &chunk| options.chunk = chunk);
        all = cross(all, &self.kv, |options, &kv| options.kv = kv);
        all = cross(all, &self.numerics, |options, &numerics| options.numerics = numerics);
        all = cross(all, &self.weights, |options, &weights| options.weights = weights);
        cross(all, &self.repack, |options, &repack| options.repack = repack)
    }
}

/// A value that is listed twice counts once: two launches of one number would pass for one another.
fn cross<T: PartialEq>(
    all: Vec<Options>,
    values: &[T],
    set: impl Fn(&mut Options, &T),
) -> Vec<Options> {
    let first = |&(i, value): &(usize, &T)| !values[..i].contains(value);
    let values: Vec<&T> = values.iter().enumerate().filter(first).map(|(_, value)| value).collect();
    let with = |options: &Options, value: &T| {
        let mut options = options.clone();
        set(&mut options, value);
        options
    };
    let with = &with;
    let values = &values;
    all.iter().flat_map(|options| values.iter().map(move |&value| with(options, value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_listed_twice_is_measured_once() {
        let threads = vec![Some(1), None, Some(1)];
        let sweep = Sweep { threads, chunk: vec![8, 8], ..Sweep::default() };
        let threads: Vec<_> = sweep.combinations().iter().map(|options| options.threads).collect();
        assert_eq!(threads, [Some(1), None]);
    }
}
