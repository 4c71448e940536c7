//! The JSON of a header, as it stands in the file and checked. Reads no tensor data.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::Dtype;
use crate::gguf::{Flaw, quote};

/// Longest header, the reference implementation's limit.
pub const MAX_HEADER_BYTES: u64 = 100_000_000;
/// Most tensors of a file; the largest published model has 91,991 in all its shards.
pub const MAX_TENSORS: usize = 1 << 18;
/// Longest name of a tensor.
const MAX_NAME_BYTES: usize = 512;
/// Most dimensions.
const MAX_DIMS: usize = 8;
/// Most pairs of `__metadata__`.
const MAX_METADATA: usize = 1 << 16;
const METADATA: &str = "__metadata__";

/// One tensor's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The checkpoint's own name, `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// Type of the elements.
    pub dtype: Dtype,
    /// Row-major: the last dimension is the fastest. Empty for a single element.
    pub shape: Vec<usize>,
    /// Byte offset of the data in the file.
    pub offset: usize,
    /// Byte length of the data.
    pub bytes: usize,
}

impl Entry {
    /// Elements.
    pub fn elements(&self) -> usize {
        self.bytes / self.dtype.bytes()
    }
}

/// The JSON object of a header, nothing checked but its form.
#[derive(Default)]
pub(super) struct Wire {
    tensors: Vec<(String, WireEntry)>,
    pub(super) metadata: Vec<(String, String)>,
    metadata_seen: bool,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WireEntry {
    dtype: String,
    shape: Short<MAX_DIMS>,
    data_offsets: [u64; 2],
}

/// A list that is refused before it grows long.
struct Short<const MOST: usize>(Vec<u64>);

impl<'de, const MOST: usize> Deserialize<'de> for Short<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seq<const MOST: usize>;
        impl<'de, const MOST: usize> Visitor<'de> for Seq<MOST> {
            type Value = Short<MOST>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MOST} whole numbers")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    if values.len() == MOST {
                        return Err(A::Error::invalid_length(MOST + 1, &self));
                    }
                    values.push(value);
                }
                Ok(Short(values))
            }
        }
        deserializer.deserialize_seq(Seq::<MOST>)
    }
}

/// Pairs in file order, so that two of one key are seen.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Pairs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    if pairs.len() == MAX_METADATA {
                        return Err(A::Error::custom(format!("more than {MAX_METADATA} pairs")));
                    }
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

impl<'de> Deserialize<'de> for Wire {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Wire;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Wire, A::Error> {
                let mut wire = Wire::default();
                while let Some(name) = map.next_key::<String>()? {
                    wire.next(name, &mut map)?;
                }
                Ok(wire)
            }
        }
        deserializer.deserialize_map(Map)
    }
}

impl Wire {
    fn next<'de, A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> Result<(), A::Error> {
        let of = |error: A::Error| A::Error::custom(format!("{}: {error}", quote(&name)));
        if name == METADATA {
            if std::mem::replace(&mut self.metadata_seen, true) {
                return Err(A::Error::custom(format!("a second {METADATA}")));
            }
            self.metadata = map.next_value::<Pairs>().map_err(of)?.0;
            return Ok(());
        }
        if self.tensors.len() == MAX_TENSORS {
            return Err(A::Error::custom(format!("more than {MAX_TENSORS} tensors")));
        }
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            let found = format!("a tensor name of {} bytes", name.len());
            return Err(A::Error::custom(format!("{found}, not of 1 to {MAX_NAME_BYTES}")));
        }
        let entry = map.next_value::<WireEntry>().map_err(of)?;
        self.tensors.push((name, entry));
        Ok(())
    }

    /// Parses the bytes of a header.
    pub(super) fn parse(json: &[u8]) -> Result<Wire, Flaw> {
        // Padding is allowed behind, nothing before.
        if json.first() != Some(&b'{') {
            let first = json.first().copied().unwrap_or_default();
            let found = format!("byte 0x{first:02x}");
            return Err(Flaw::invalid("header", found, "JSON that begins with {"));
        }
        serde_json::from_slice(json).map_err(|error| {
            let expected = "a JSON object of tensors with dtype, shape and data_offsets";
            Flaw::invalid("header", crate::gguf::escape(&error.to_string()), expected)
        })
    }

    /// The tensors in the order of their data, checked against each other and the `room` bytes that follow the header,
    /// which begin at byte `start`.
    pub(super) fn tensors(self, start: usize, room: usize) -> Result<Vec<Entry>, Flaw> {
        let mut tensors = Vec::with_capacity(self.tensors.len());
        for (name, wire) in self.tensors {
            tensors.push(entry(name, wire, room)?);
        }
        tensors.sort_by_key(|tensor| (tensor.offset, tensor.bytes));
        contiguous(&tensors, room)?;
        tensors.iter_mut().for_each(|tensor| tensor.offset += start);
        Ok(tensors)
    }
}

/// Checks one entry; the offset stays relative to the data.
fn entry(name: String, wire: WireEntry, room: usize) -> Result<Entry, Flaw> {
    let field = |part: &str| format!("tensor {} {part}", quote(&name));
    let dtype =
        Dtype::from_name(&wire.dtype).ok_or_else(|| match Dtype::is_foreign(&wire.dtype) {
            true => Flaw::Unsupported {
                what: format!("{}: {}", field("dtype"), wire.dtype),
                supported: Dtype::names(),
            },
            false => Flaw::invalid(
                field("dtype"),
                quote(&wire.dtype),
                format!("one of {}", Dtype::names()),
            ),
        })?;
    let shape = &wire.shape.0;
    let [begin, end] = wire.data_offsets;
    let offsets = || format!("[{begin}, {end}]");
    if begin > end || end > room as u64 {
        let expected = format!("a range within the {room} bytes of data; is the file truncated?");
        return Err(Flaw::invalid(field("data_offsets"), offsets(), expected));
    }
    // Tensors of no weights could share an offset with others; no model has one.
    let bytes = shape.iter().filter(|&&n| n > 0).try_fold(1u64, |n, &d| n.checked_mul(d));
    let bytes =
        bytes.filter(|_| !shape.contains(&0)).and_then(|n| n.checked_mul(dtype.bytes() as u64));
    let shown = || format!("{shape:?} of {}", dtype.name());
    let Some(bytes) = bytes else {
        let expected = "dimensions of at least 1 and fewer than 2^64 bytes";
        return Err(Flaw::invalid(field("shape"), shown(), expected));
    };
    if bytes != end - begin {
        let expected = format!("{} bytes, as data_offsets {} say", end - begin, offsets());
        return Err(Flaw::invalid(
            field("shape"),
            format!("{} ({bytes} bytes)", shown()),
            expected,
        ));
    }
    // All of it lies within the file, so that every number fits.
    let shape = shape.iter().map(|&n| n as usize).collect();
    Ok(Entry { name, dtype, shape, offset: begin as usize, bytes: bytes as usize })
}

/// The specification: the data are covered whole, without overlaps and holes.
fn contiguous(tensors: &[Entry], room: usize) -> Result<(), Flaw> {
    let mut next = 0;
    let mut before = "";
    for tensor in tensors {
        if tensor.offset != next {
            let what = if tensor.offset < next { "it overlaps" } else { "there is a gap after" };
            let other = if before.is_empty() { "the header".to_owned() } else { quote(before) };
            let field = format!("tensor {} data_offsets", quote(&tensor.name));
            let found = format!("[{}, {}]", tensor.offset, tensor.offset + tensor.bytes);
            return Err(Flaw::invalid(
                field,
                found,
                format!("a beginning at {next} ({what} {other})"),
            ));
        }
        next = tensor.offset + tensor.bytes;
        before = &tensor.name;
    }
    if next != room {
        let expected = format!("{next}, where the last tensor ends");
        return Err(Flaw::invalid("bytes of data", room, expected));
    }
    Ok(())
}
