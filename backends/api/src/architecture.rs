//! What every backend says of a model in the same words: heads that do not fit a cache, experts that were run.

use yardstick_model::Architecture;
use yardstick_model::arch::Experts;

use crate::KvType;

/// Why heads of this model cannot be stored in a cache of this kind; `None`: they can.
pub fn unfit_heads(architecture: &Architecture, kv: KvType) -> Option<String> {
    let block = kv.block_len();
    let dims = architecture.layers.iter().flat_map(|layer| [layer.key_dim, layer.value_dim]);
    let dim = dims.into_iter().find(|dim| dim % block != 0)?;
    Some(format!("heads are {dim} wide, a {} cache stores {block} elements together", kv.name()))
}

/// How many experts ran in a run (since the cache was last empty), for `facts.notes`; `None` for a model without. One entry a layer
/// with experts: what it holds, and how many of them ran.
pub fn experts_note(layers: impl Iterator<Item = (Experts, usize)>) -> Option<String> {
    let (mut held, mut ran, mut used, mut count) = (0, 0, 0, 0);
    for (experts, touched) in layers {
        (held, ran, used, count) =
            (held + experts.count, ran + touched, used + experts.used, count + 1);
    }
    if held == 0 {
        return None;
    }
    let share = |part: usize| 100.0 * part as f64 / held as f64;
    let (ran_share, used_share) = (share(ran), share(used));
    Some(format!(
        "{ran} of {held} experts in {count} layers ran in the last run ({ran_share:.1} %); \
         one token runs {used} ({used_share:.1} %)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_experts_is_of_all_layers_together() {
        let experts = Experts { count: 4, used: 2, normalised: true, scale: 1.0, shared: None };
        let note = experts_note([(experts, 4), (experts, 2)].into_iter()).unwrap();
        assert!(
            note.starts_with("6 of 8 experts in 2 layers ran in the last run (75.0 %)"),
            "{note}"
        );
        assert!(note.ends_with("one token runs 4 (50.0 %)"), "{note}");
        assert_eq!(experts_note(std::iter::empty()), None);
    }
}
