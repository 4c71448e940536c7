//! Where a session's nodes ran, as the runtime itself tells it, and the verdict.

#[allow(unsafe_code, reason = "ort does not wrap this part of the C interface")]
mod assigned;
mod recording;

use std::collections::BTreeMap;
use std::fmt;

pub(crate) use assigned::{RECORD, assigned};
pub(crate) use recording::{Recorded, Recording, together};

/// A node and who runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// `CPUExecutionProvider`
    pub(crate) provider: String,
    /// `MatMulNBits`
    pub(crate) operator: String,
}

/// Where the nodes of a session were placed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    /// By provider: how many nodes of each operator.
    nodes: BTreeMap<String, BTreeMap<String, usize>>,
    /// Nanoseconds by provider of a run that was recorded, where one was.
    pub(crate) times: Option<BTreeMap<String, u64>>,
}

/// What a placement means for the device that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every node is there.
    Placed,
    /// All products with weights are there, some of the rest is not: the share of nodes that is.
    Partial { share: u32 },
    /// It did not run there.
    Invalid,
}

/// Operators that carry a model's weights: where these run is where a model runs.
const WEIGHTY: &[&str] =
    &["MatMul", "Gemm", "MatMulNBits", "FusedMatMul", "FusedGemm", "MatMulInteger", "Conv"];

impl Placement {
    /// Counts nodes.
    pub(crate) fn of(nodes: impl IntoIterator<Item = Node>) -> Placement {
        let mut placement = Placement::default();
        for Node { provider, operator } in nodes {
            *placement.nodes.entry(provider).or_default().entry(operator).or_default() += 1;
        }
        placement
    }

    fn count(operators: &BTreeMap<String, usize>) -> usize {
        operators.values().sum()
    }

    fn total(&self) -> usize {
        self.nodes.values().map(Placement::count).sum()
    }

    /// The verdict for a provider; `strict`: nothing may be elsewhere.
    pub(crate) fn verdict(&self, provider: &str, strict: bool) -> Verdict {
        let here = self.nodes.get(provider).map_or(0, Placement::count);
        let total = self.total();
        if here == total && total > 0 {
            return Verdict::Placed;
        }
        let others = self.nodes.iter().filter(|(name, _)| *name != provider);
        let weights_elsewhere = others
            .flat_map(|(_, operators)| operators.keys())
            .any(|operator| WEIGHTY.contains(&operator.as_str()));
        if strict || here == 0 || weights_elsewhere {
            return Verdict::Invalid;
        }
        Verdict::Partial { share: (here * 100 / total) as u32 }
    }

    /// Per cent of the recorded run's time that a provider took.
    pub(crate) fn share_of_time(&self, provider: &str) -> Option<f64> {
        let times = self.times.as_ref()?;
        let total: u64 = times.values().sum();
        let here = times.get(provider).copied().unwrap_or(0);
        (total > 0).then(|| here as f64 * 100.0 / total as f64)
    }

    /// The operators that a provider left to others, most first.
    pub(crate) fn elsewhere(&self, provider: &str) -> String {
        let others = self.nodes.iter().filter(|(name, _)| *name != provider);
        let named: Vec<String> = others
            .map(|(name, operators)| {
                let list: Vec<String> =
                    operators.iter().map(|(operator, n)| format!("{n} {operator}")).collect();
                format!("{} on {name}", list.join(", "))
            })
            .collect();
        named.join("; ")
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self
            .nodes
            .iter()
            .map(|(provider, operators)| {
                format!("{} nodes on {provider}", Placement::count(operators))
            })
            .collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(provider: &str, operator: &str) -> Node {
        Node { provider: provider.into(), operator: operator.into() }
    }

    #[test]
    fn a_placement_is_whole_partial_or_invalid() {
        let (npu, cpu) = ("QNNExecutionProvider", "CPUExecutionProvider");
        let whole = Placement::of([node(npu, "MatMul"), node(npu, "Add")]);
        let shape = Placement::of([node(npu, "MatMul"), node(cpu, "Shape")]);
        let split = Placement::of([node(npu, "Add"), node(cpu, "MatMul")]);
        let gone = Placement::of([node(cpu, "MatMul")]);
        for (placement, strict, expected) in [
            (&whole, true, Verdict::Placed),
            (&whole, false, Verdict::Placed),
            (&shape, true, Verdict::Invalid),
            (&shape, false, Verdict::Partial { share: 50 }),
            (&split, false, Verdict::Invalid),
            (&gone, false, Verdict::Invalid),
            (&Placement::default(), false, Verdict::Invalid),
        ] {
            assert_eq!(placement.verdict(npu, strict), expected, "{placement} {strict}");
        }
        assert_eq!(shape.share_of_time(npu), None, "nothing was recorded");
        let times = Some(BTreeMap::from([(npu.into(), 300), (cpu.into(), 100)]));
        assert_eq!(Placement { times, ..shape.clone() }.share_of_time(npu), Some(75.0));
        let times = Some(BTreeMap::new());
        assert_eq!(Placement { times, ..shape.clone() }.share_of_time(npu), None);
        assert_eq!(shape.elsewhere(npu), "1 Shape on CPUExecutionProvider");
        assert_eq!(
            shape.to_string(),
            "1 nodes on CPUExecutionProvider, 1 nodes on QNNExecutionProvider"
        );
    }
}
