//! The types of a tensor's elements.

use crate::Format;

/// How a tensor's elements are stored; names are safetensors'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "the format writes the names this way")]
#[allow(missing_docs, reason = "the names are the types")]
pub enum Dtype {
    BOOL,
    U8,
    I8,
    F8_E5M2,
    F8_E4M3,
    U16,
    I16,
    F16,
    BF16,
    U32,
    I32,
    F32,
    U64,
    I64,
    F64,
}

/// Name and bytes of an element, in the order of the enum.
const TABLE: [(Dtype, &str, usize); 15] = [
    (Dtype::BOOL, "BOOL", 1),
    (Dtype::U8, "U8", 1),
    (Dtype::I8, "I8", 1),
    (Dtype::F8_E5M2, "F8_E5M2", 1),
    (Dtype::F8_E4M3, "F8_E4M3", 1),
    (Dtype::U16, "U16", 2),
    (Dtype::I16, "I16", 2),
    (Dtype::F16, "F16", 2),
    (Dtype::BF16, "BF16", 2),
    (Dtype::U32, "U32", 4),
    (Dtype::I32, "I32", 4),
    (Dtype::F32, "F32", 4),
    (Dtype::U64, "U64", 8),
    (Dtype::I64, "I64", 8),
    (Dtype::F64, "F64", 8),
];

/// Types that exist and that nothing here reads: elements of less than a byte, scales of powers of two.
const FOREIGN: [&str; 5] = ["F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "C64"];

impl Dtype {
    /// The type of a name in a file.
    pub fn from_name(name: &str) -> Option<Dtype> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// Its name in a file.
    pub fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        TABLE[self as usize].2
    }

    /// Every name, for messages.
    pub(super) fn names() -> String {
        TABLE.map(|row| row.1).join(", ")
    }

    /// Whether a name is one of the format's that we have no reader for.
    pub(super) fn is_foreign(name: &str) -> bool {
        FOREIGN.contains(&name)
    }

    /// The same storage in GGUF; `None` where weights are not plain floats of 32 or 16 bits.
    pub fn format(self) -> Option<Format> {
        match self {
            Dtype::F32 => Some(Format::F32),
            Dtype::F16 => Some(Format::F16),
            Dtype::BF16 => Some(Format::BF16),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (i, (dtype, name, _)) in TABLE.into_iter().enumerate() {
            assert_eq!((dtype as usize, dtype.name()), (i, name));
            assert_eq!(Dtype::from_name(name), Some(dtype));
            assert_eq!(format!("{dtype:?}"), name);
        }
        assert!(FOREIGN.iter().all(|name| Dtype::from_name(name).is_none()));
    }
}
