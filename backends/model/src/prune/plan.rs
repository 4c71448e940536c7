//! Which layers, heads and channels stay. Reads weights, writes nothing.

use std::collections::BTreeSet;

use super::Error;
use super::score::{self, Scores};
use crate::Model;
use crate::arch::Layer;

/// What is to be removed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pruning {
    /// Which layers stay.
    pub layers: Layers,
    /// Share of each layer's key and value heads that stays, with the query heads that read them.
    pub heads: Option<f64>,
    /// Share of each layer's feed-forward channels that stays.
    pub ffn: Option<f64>,
}

/// Which layers stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Layers {
    /// All.
    #[default]
    All,
    /// So many: the block of layers just before the last goes. Deep layers change the stream least, the last one more than
    /// any (Gromov et al. 2024, arXiv 2403.17887, the rule that needs no data).
    Count(usize),
    /// These, numbered from 0.
    These(Vec<usize>),
}

/// What stays of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// One a layer of the result.
    pub layers: Vec<Kept>,
    /// Where a share had to be rounded, and why.
    pub notes: Vec<String>,
}

/// What stays of a layer; all lists ascend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number in the source.
    pub from: usize,
    /// Key and value heads.
    pub groups: Vec<usize>,
    /// Feed-forward channels: one list, or one an expert.
    pub channels: Vec<Vec<usize>>,
}

/// Heads or channels that can only stay or go together, and how many of them stay.
struct Steps {
    /// How many go together.
    step: usize,
    /// Of so many.
    of: usize,
    /// So many stay, a multiple of the step.
    kept: usize,
}

impl Plan {
    /// Plans what stays; threads read weights.
    ///
    /// * Heads go with their key and value head: a group counts by the L2 norm of its columns of `attn_output`.
    /// * A channel counts by the product of the L2 norms of its rows of `ffn_gate` and `ffn_up` and its column of `ffn_down`.
    /// * Columns of quantised matrices stay or go in whole blocks, which count by the sum of what is in them, so that
    ///   what stays keeps its bytes.
    ///
    /// Of equals the first stays.
    pub fn new(model: &Model, pruning: &Pruning, threads: usize) -> Result<Plan, Error> {
        let from = layers(&pruning.layers, model.architecture().layers.len())?;
        let wanted =
            Wanted { heads: share("heads", pruning.heads)?, ffn: share("ffn", pruning.ffn)? };
        let mut notes = Vec::new();
        let steps: Vec<[Option<Steps>; 2]> = steps(model, &from, &wanted, &mut notes);
        let scores =
            score::scores(model, &from, threads, wanted.heads.is_some(), wanted.ffn.is_some());
        let kept = from.iter().zip(&scores).zip(&steps).map(|((&from, scores), steps)| {
            keep(&model.architecture().layers[from], from, scores, steps)
        });
        Ok(Plan { layers: kept.collect(), notes })
    }
}

/// Shares that were checked.
struct Wanted {
    heads: Option<f64>,
    ffn: Option<f64>,
}

fn share(what: &'static str, share: Option<f64>) -> Result<Option<f64>, Error> {
    match share {
        Some(found) if !(found > 0.0 && found <= 1.0) => {
            let expected = "the share that stays, above 0 and at most 1".to_owned();
            Err(Error::Asked { what, found: found.to_string(), expected })
        }
        share => Ok(share),
    }
}

/// Numbers of the layers that stay.
fn layers(layers: &Layers, of: usize) -> Result<Vec<usize>, Error> {
    let wrong = |found: String, expected: String| Error::Asked { what: "layers", found, expected };
    match layers {
        Layers::All => Ok((0..of).collect()),
        Layers::Count(count) if (1..=of).contains(count) => {
            Ok((0..count - 1).chain([of - 1]).collect())
        }
        Layers::Count(count) => {
            Err(wrong(count.to_string(), format!("1 to {of}, the layers of the model")))
        }
        Layers::These(these) => {
            let kept: BTreeSet<usize> = these.iter().copied().collect();
            match kept.last() {
                Some(&last) if last < of => Ok(kept.into_iter().collect()),
                Some(last) => {
                    Err(wrong(format!("layer {last}"), format!("layers 0 to {}", of - 1)))
                }
                None => Err(wrong("no layer".to_owned(), "one or more".to_owned())),
            }
        }
    }
}

/// Per layer that stays, of heads and of channels. The step is one for all layers, so that layers that were alike stay so.
fn steps(
    model: &Model,
    from: &[usize],
    wanted: &Wanted,
    notes: &mut Vec<String>,
) -> Vec<[Option<Steps>; 2]> {
    let all = &model.architecture().layers;
    let most = |step: &dyn Fn(usize) -> usize| from.iter().map(|&i| step(i)).max().unwrap_or(1);
    let group_step = most(&|i| {
        let block = block_of(model, i, "attn_output.weight");
        block / gcd(block, group_columns(&all[i]))
    });
    let channel_step = most(&|i| block_of(model, i, down(&all[i])));
    let mut steps = |what: &str, share: Option<f64>, step: usize, of: usize| {
        let share = share?;
        // A step of other layers need not divide this one's number: then nothing goes.
        let step = if of.is_multiple_of(step) { step } else { of };
        let kept = ((share * of as f64 / step as f64).round() as usize).max(1) * step;
        let exact = share * of as f64;
        if (kept as f64 - exact).abs() > 1e-9 {
            let why = match step {
                1 => "to whole ones".to_owned(),
                _ => format!("to steps of {step}, because quantised rows are whole blocks"),
            };
            let note = format!("{what}: {share} of {of} is {exact:.2}, rounded {why}: {kept}");
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        Some(Steps { step, of, kept })
    };
    let of_layer = |&i: &usize| {
        let layer = &all[i];
        [
            steps("key and value heads", wanted.heads, group_step, layer.kv_heads),
            steps("channels", wanted.ffn, channel_step, layer.ffn.width),
        ]
    };
    from.iter().map(of_layer).collect()
}

/// Weights of a block of a tensor of a layer.
fn block_of(model: &Model, layer: usize, part: &str) -> usize {
    model.tensor(&format!("blk.{layer}.{part}")).map_or(1, |tensor| tensor.format.block_len())
}

/// The matrix whose columns are the feed-forward channels.
pub(super) fn down(layer: &Layer) -> &'static str {
    if layer.ffn.experts.is_some() { "ffn_down_exps.weight" } else { "ffn_down.weight" }
}

/// Columns of `attn_output` that belong to one key and value head.
pub(super) fn group_columns(layer: &Layer) -> usize {
    layer.heads / layer.kv_heads * layer.value_dim
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn keep(layer: &Layer, from: usize, scores: &Scores, steps: &[Option<Steps>; 2]) -> Kept {
    let [heads, ffn] = steps;
    let groups = match heads {
        Some(steps) => best(&scores.groups, steps),
        None => (0..layer.kv_heads).collect(),
    };
    let experts = layer.ffn.experts.map_or(1, |experts| experts.count);
    let channels = match ffn {
        Some(steps) => scores.channels.iter().map(|scores| best(scores, steps)).collect(),
        None => vec![(0..layer.ffn.width).collect(); experts],
    };
    Kept { from, groups, channels }
}

/// The indices of the best steps, in ascending order.
fn best(scores: &[f64], steps: &Steps) -> Vec<usize> {
    let Steps { step, of, kept } = *steps;
    if kept == of {
        return (0..of).collect();
    }
    let sums: Vec<f64> = scores.chunks(step).map(|chunk| chunk.iter().sum()).collect();
    let mut order: Vec<usize> = (0..sums.len()).collect();
    // Stable: of equals the first stays. Not a number counts as nothing.
    let value = |i: usize| if sums[i].is_nan() { 0.0 } else { sums[i] };
    order.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
    order.truncate(kept / step);
    order.sort_unstable();
    order.into_iter().flat_map(|i| i * step..(i + 1) * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_layers_keeps_the_first_ones_and_the_last() {
        assert_eq!(layers(&Layers::Count(3), 6).unwrap(), [0, 1, 5]);
        assert_eq!(layers(&Layers::Count(1), 6).unwrap(), [5]);
        assert_eq!(layers(&Layers::Count(6), 6).unwrap(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(layers(&Layers::These(vec![4, 0, 4]), 6).unwrap(), [0, 4]);
        for (asked, words) in [
            (Layers::Count(0), "found 0, expected 1 to 6"),
            (Layers::Count(7), "found 7, expected 1 to 6"),
            (Layers::These(vec![6]), "found layer 6, expected layers 0 to 5"),
            (Layers::These(vec![]), "found no layer"),
        ] {
            let message = layers(&asked, 6).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn the_largest_stay_whole_steps_together_and_of_equals_the_first() {
        let steps = |step, kept| Steps { step, of: 6, kept };
        assert_eq!(best(&[1.0, 5.0, 2.0, 4.0, 3.0, 0.0], &steps(1, 3)), [1, 3, 4]);
        assert_eq!(best(&[1.0, 5.0, 2.0, 4.0, 3.0, 0.0], &steps(2, 4)), [0, 1, 2, 3]);
        assert_eq!(best(&[2.0; 6], &steps(1, 2)), [0, 1]);
        assert_eq!(best(&[f64::NAN, 0.5, 0.1, 0.1, 0.1, 0.1], &steps(1, 1)), [1]);
    }

    #[test]
    fn shares_are_above_nothing_and_at_most_all() {
        for bad in [0.0, -0.5, 1.01, f64::NAN, f64::INFINITY] {
            assert!(share("ffn", Some(bad)).is_err(), "{bad}");
        }
        assert_eq!(share("ffn", Some(1.0)).unwrap(), Some(1.0));
    }
}
