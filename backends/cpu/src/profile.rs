//! Times of operations: what thread 0 sees between the barriers that end them, with the bytes and arithmetic each one had to do.
//! Off unless asked for: then a phase costs a question and nothing else.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use yardstick_api::{Known, OperationTime, Profile};
use yardstick_model::arch::Layer;

use crate::forward::Pass;
use crate::weights::{LayerWeights, Matrix};

/// What an operation had to do: bytes read from memory, multiplications and additions. `None`: not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work(Option<(u64, u64)>);

impl Work {
    /// Which experts ran differs from token to token.
    pub(crate) fn untold() -> Work {
        Work(None)
    }
}

/// Operations of one call.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    since: Option<Instant>,
    operations: Vec<Operation>,
    /// Where each operation stands: a search through hundreds for each would cost a percent of the pass.
    places: HashMap<(&'static str, Option<usize>), usize>,
}

struct Operation {
    name: &'static str,
    layer: Option<usize>,
    calls: u64,
    nanoseconds: u64,
    work: Work,
}

impl Recorder {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the last call.
    pub(crate) fn clear(&self) {
        *self.inner() = Inner::default();
    }

    fn begin(&self) {
        self.inner().since = Some(Instant::now());
    }

    /// What ran since the last mark was this.
    fn end(&self, name: &'static str, layer: Option<usize>, work: Work) {
        let (now, mut inner) = (Instant::now(), self.inner());
        let since = inner.since.replace(now).unwrap_or(now);
        let nanoseconds = now.duration_since(since).as_nanos() as u64;
        let next = inner.operations.len();
        let place = *inner.places.entry((name, layer)).or_insert(next);
        match inner.operations.get_mut(place) {
            Some(known) => {
                known.calls += 1;
                known.nanoseconds += nanoseconds;
                let both = known.work.0.zip(work.0);
                known.work = Work(both.map(|(a, b)| (a.0 + b.0, a.1 + b.1)));
            }
            None => {
                inner.operations.push(Operation { name, layer, calls: 1, nanoseconds, work });
            }
        }
    }

    /// Of the last call.
    pub(crate) fn profile(&self) -> Profile {
        let experts = || Known::unavailable("which experts run differs from token to token");
        let known = |number: Option<u64>| number.map_or_else(experts, Known::Value);
        let one = |operation: &Operation| OperationTime {
            name: operation.name.to_owned(),
            layer: operation.layer,
            calls: operation.calls,
            nanoseconds: operation.nanoseconds,
            bytes: known(operation.work.0.map(|work| work.0)),
            operations: known(operation.work.0.map(|work| work.1)),
        };
        Profile { operations: self.inner().operations.iter().map(one).collect() }
    }
}

impl Pass<'_> {
    /// The one thread that looks at the clock, if anybody does.
    #[inline(always)]
    fn recorder(&self) -> Option<&Recorder> {
        self.engine.profile.as_ref().filter(|_| self.member.index == 0)
    }

    /// The first operation begins.
    #[inline(always)]
    pub(crate) fn begin(&self) {
        if let Some(recorder) = self.recorder() {
            recorder.begin();
        }
    }

    /// An operation has ended and the next begins.
    #[inline(always)]
    pub(crate) fn end(&self, name: &'static str, layer: Option<usize>, work: impl Fn() -> Work) {
        if let Some(recorder) = self.recorder() {
            recorder.end(name, layer, work());
        }
    }

    /// Every weight once, whatever the number of rows; every row with every weight.
    pub(crate) fn product_work<'m>(&self, matrices: impl IntoIterator<Item = &'m Matrix>) -> Work {
        self.weights_work(matrices, self.rows())
    }

    fn weights_work<'m>(
        &self,
        matrices: impl IntoIterator<Item = &'m Matrix>,
        rows: usize,
    ) -> Work {
        let one = |(bytes, operations): (usize, usize), matrix: &Matrix| {
            let weights = matrix.rows * matrix.cols;
            (bytes + matrix.rows * matrix.row_bytes(), operations + 2 * weights * rows)
        };
        let (bytes, operations) = matrices.into_iter().fold((0, 0), one);
        Work(Some((bytes as u64, operations as u64)))
    }

    /// A row of the table a token.
    pub(crate) fn embedding_work(&self) -> Work {
        Work(Some(((self.rows() * self.engine.network.embedding.row_bytes()) as u64, 0)))
    }

    pub(crate) fn inner_work(&self, weights: &LayerWeights) -> Work {
        self.product_work(weights.ffn.gate.iter().chain([&weights.ffn.up]))
    }

    pub(crate) fn head_work(&self) -> Work {
        match self.step.wanted.len() {
            0 => Work(Some((0, 0))),
            rows => self.weights_work([&self.engine.network.head], rows),
        }
    }

    /// Keys and values that some row sees, once; every row with those it sees.
    pub(crate) fn attention_work(&self, shape: &Layer) -> Work {
        let width = shape.key_dim + crate::kv::value_width(shape.value_dim);
        let position = self.engine.kv.kind().bytes_of((shape.kv_heads * width) as u64);
        let per_key = 2 * shape.heads * (shape.key_dim + shape.value_dim);
        let (mut bytes, mut operations) = (0, 0);
        for piece in &self.step.pieces {
            let window = shape.window.unwrap_or(usize::MAX);
            let end = piece.position + piece.rows.len();
            let oldest = (piece.position + 1).saturating_sub(window);
            bytes += (end - oldest) as u64 * position;
            let seen = (piece.position + 1..=end).map(|own| own.min(window) as u64).sum::<u64>();
            operations += seen * per_key as u64;
        }
        Work(Some((bytes, operations)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_add_up_by_name_and_layer_and_are_forgotten_by_the_next_call() {
        let recorder = Recorder::default();
        recorder.begin();
        for (layer, work) in [(0, Work(Some((1, 2)))), (1, Work(Some((3, 4)))), (0, Work(None))] {
            recorder.end("a", Some(layer), work);
        }
        recorder.end("b", None, Work(Some((5, 6))));
        let Profile { operations } = recorder.profile();
        let short: Vec<_> = operations
            .iter()
            .map(|o| (o.name.as_str(), o.layer, o.calls, o.bytes.value().copied()))
            .collect();
        let expected =
            [("a", Some(0), 2, None), ("a", Some(1), 1, Some(3)), ("b", None, 1, Some(5))];
        assert_eq!(short, expected);
        recorder.clear();
        assert!(recorder.profile().operations.is_empty());
    }
}
