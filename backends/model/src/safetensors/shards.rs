//! `model.safetensors.index.json`: which tensor is in which file.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::MAX_TENSORS;
use crate::gguf::{Flaw, escape, quote};

/// Longest index; the largest published one has 9 MB.
pub(super) const MAX_INDEX_BYTES: u64 = 64 << 20;
/// Most shards.
const MAX_SHARDS: usize = 4096;

/// The file as it stands.
#[derive(serde::Deserialize)]
struct Wire {
    #[serde(default)]
    metadata: Option<Metadata>,
    weight_map: Places,
}

#[derive(serde::Deserialize)]
struct Metadata {
    // A float in some files.
    #[serde(default)]
    total_size: Option<serde_json::Number>,
}

/// Tensor and file, in file order.
struct Places(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Places;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensor names and file names")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Places, A::Error> {
                let mut places = Vec::new();
                while let Some(place) = map.next_entry()? {
                    if places.len() == MAX_TENSORS {
                        return Err(A::Error::custom(format!("more than {MAX_TENSORS} tensors")));
                    }
                    places.push(place);
                }
                Ok(Places(places))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

/// Which tensors an index says are in each file.
#[derive(Debug)]
pub(super) struct Shards {
    /// By file, each with the tensors in it, sorted.
    pub(super) files: BTreeMap<String, Vec<String>>,
    /// Bytes of all tensors as the index states them.
    pub(super) total_size: Option<u64>,
}

impl Shards {
    /// Parses and checks an index.
    pub(super) fn parse(json: &[u8]) -> Result<Shards, Flaw> {
        let wire: Wire = serde_json::from_slice(json).map_err(|error| {
            let expected = "a JSON object with weight_map";
            Flaw::invalid("index", escape(&error.to_string()), expected)
        })?;
        let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (tensor, file) in wire.weight_map.0 {
            if !is_file_name(&file) {
                let field = format!("weight_map {}", quote(&tensor));
                let expected = "the name of a .safetensors file in the same folder";
                return Err(Flaw::invalid(field, quote(&file), expected));
            }
            files.entry(file).or_default().push(tensor);
        }
        if files.is_empty() || files.len() > MAX_SHARDS {
            let expected = format!("1 to {MAX_SHARDS} files");
            return Err(Flaw::invalid("weight_map", format!("{} files", files.len()), expected));
        }
        distinct(&mut files)?;
        let total_size = wire.metadata.and_then(|m| m.total_size);
        let total_size = total_size.and_then(|n| n.as_u64().or(n.as_f64().map(|n| n as u64)));
        Ok(Shards { files, total_size })
    }
}

/// A tensor is in one file, once.
fn distinct(files: &mut BTreeMap<String, Vec<String>>) -> Result<(), Flaw> {
    let mut all: Vec<(&str, &str)> = files
        .iter()
        .flat_map(|(file, tensors)| tensors.iter().map(move |t| (t.as_str(), file.as_str())))
        .collect();
    all.sort_unstable();
    if let Some(pair) = all.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let field = format!("weight_map {}", quote(pair[0].0));
        let found = format!("{} and {}", quote(pair[0].1), quote(pair[1].1));
        return Err(Flaw::invalid(field, found, "one file"));
    }
    files.values_mut().for_each(|tensors| tensors.sort_unstable());
    Ok(())
}

/// No path: an index must not lead out of its folder.
fn is_file_name(name: &str) -> bool {
    name.len() <= 255
        && name.strip_suffix(".safetensors").is_some_and(|stem| !stem.is_empty())
        && !name.starts_with('.')
        && !name.contains(['/', '\\', ':', '\0'])
}
