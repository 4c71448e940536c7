//! A number of a recipe that may differ between layers.

use std::fmt;

use serde::Deserialize;

/// One value for all layers, or one a layer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum PerLayer {
    /// The same in every layer.
    All(u32),
    /// One a layer.
    Each(Vec<u32>),
}

/// Largest value of any size.
const MOST: u32 = 1 << 20;

impl PerLayer {
    /// The value of every layer, in order.
    pub fn values(&self, layers: u32) -> impl Iterator<Item = u32> + '_ {
        (0..layers as usize).map_while(|i| match self {
            PerLayer::All(value) => Some(*value),
            PerLayer::Each(values) => values.get(i).copied(),
        })
    }

    /// The first layer's.
    pub fn first(&self) -> u32 {
        self.values(1).next().unwrap_or(0)
    }

    /// One a layer, each within limits.
    pub(super) fn check(&self, key: &str, layers: u32) -> Result<(), String> {
        if let PerLayer::Each(values) = self
            && values.len() != layers as usize
        {
            return Err(format!(
                "{key}: found {} values, expected {layers}, one a layer",
                values.len()
            ));
        }
        // Not through `values`: the number of layers is one of those checked here.
        let values = match self {
            PerLayer::All(value) => std::slice::from_ref(value),
            PerLayer::Each(values) => values,
        };
        match values.iter().find(|&&value| value == 0 || value > MOST) {
            Some(value) => Err(format!("{key}: found {value}, expected 1 to {MOST}")),
            None => Ok(()),
        }
    }
}

impl fmt::Display for PerLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PerLayer::All(value) => write!(f, "{value}"),
            PerLayer::Each(values) => write!(f, "{values:?}"),
        }
    }
}
