//! Metadata values as views of the map. Numbers are little-endian; array elements stay where they are.

use serde::Serialize;

use super::cursor::Cursor;
use super::text::escape;

/// GGUF's value types, in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the types")]
pub enum Type {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

/// Name, and bytes of one value where that is fixed; index = GGUF's number.
const TYPES: [(Type, &str, Option<usize>); 13] = [
    (Type::U8, "u8", Some(1)),
    (Type::I8, "i8", Some(1)),
    (Type::U16, "u16", Some(2)),
    (Type::I16, "i16", Some(2)),
    (Type::U32, "u32", Some(4)),
    (Type::I32, "i32", Some(4)),
    (Type::F32, "f32", Some(4)),
    (Type::Bool, "bool", Some(1)),
    (Type::String, "string", None),
    (Type::Array, "array", None),
    (Type::U64, "u64", Some(8)),
    (Type::I64, "i64", Some(8)),
    (Type::F64, "f64", Some(8)),
];

impl Type {
    /// The type of a number in a file.
    pub fn from_number(number: u32) -> Option<Type> {
        TYPES.get(number as usize).map(|t| t.0)
    }

    /// The number in a file.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// Lower-case name, `u32`.
    pub fn name(self) -> &'static str {
        TYPES[self as usize].1
    }

    /// Bytes of one value, `None` for strings and arrays.
    pub fn bytes(self) -> Option<usize> {
        TYPES[self as usize].2
    }
}

/// One metadata value.
#[derive(Clone)]
#[allow(missing_docs, reason = "the names are the types")]
pub enum Value<'a> {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    /// Bytes that should be UTF-8, not checked.
    String(&'a [u8]),
    Array(Array<'a>),
    U64(u64),
    I64(i64),
    F64(f64),
}

impl<'a> Value<'a> {
    /// Reads one value of a type; `None` when the bytes end too early. Structure was checked on opening.
    pub(crate) fn read(kind: Type, cursor: &mut Cursor<'a>) -> Option<Value<'a>> {
        Some(match kind {
            Type::String => Value::String(cursor.string()?),
            Type::Array => {
                let element = Type::from_number(cursor.u32()?)?;
                let len = usize::try_from(cursor.u64()?).ok()?;
                Value::Array(Array { element, len, cursor: cursor.clone() })
            }
            Type::U8 => Value::U8(cursor.u8()?),
            Type::I8 => Value::I8(cursor.u8()? as i8),
            Type::U16 => Value::U16(u16::from_le_bytes(cursor.take(2)?.try_into().ok()?)),
            Type::I16 => Value::I16(i16::from_le_bytes(cursor.take(2)?.try_into().ok()?)),
            Type::U32 => Value::U32(cursor.u32()?),
            Type::I32 => Value::I32(cursor.u32()? as i32),
            Type::F32 => Value::F32(f32::from_bits(cursor.u32()?)),
            Type::Bool => Value::Bool(cursor.u8()? != 0),
            Type::U64 => Value::U64(cursor.u64()?),
            Type::I64 => Value::I64(cursor.u64()? as i64),
            Type::F64 => Value::F64(f64::from_bits(cursor.u64()?)),
        })
    }

    /// Its type.
    pub fn kind(&self) -> Type {
        match self {
            Value::U8(_) => Type::U8,
            Value::I8(_) => Type::I8,
            Value::U16(_) => Type::U16,
            Value::I16(_) => Type::I16,
            Value::U32(_) => Type::U32,
            Value::I32(_) => Type::I32,
            Value::F32(_) => Type::F32,
            Value::Bool(_) => Type::Bool,
            Value::String(_) => Type::String,
            Value::Array(_) => Type::Array,
            Value::U64(_) => Type::U64,
            Value::I64(_) => Type::I64,
            Value::F64(_) => Type::F64,
        }
    }

    /// The value of any unsigned type.
    pub fn unsigned(&self) -> Option<u64> {
        match *self {
            Value::U8(v) => Some(v.into()),
            Value::U16(v) => Some(v.into()),
            Value::U32(v) => Some(v.into()),
            Value::U64(v) => Some(v),
            _ => None,
        }
    }

    /// The value of any integer type that is not negative.
    pub fn unsigned_or_positive(&self) -> Option<u64> {
        match *self {
            Value::I8(v) => v.try_into().ok(),
            Value::I16(v) => v.try_into().ok(),
            Value::I32(v) => v.try_into().ok(),
            Value::I64(v) => v.try_into().ok(),
            _ => self.unsigned(),
        }
    }

    /// As text, control characters escaped; arrays show their first elements.
    pub fn display(&self) -> String {
        match self {
            Value::U8(v) => v.to_string(),
            Value::I8(v) => v.to_string(),
            Value::U16(v) => v.to_string(),
            Value::I16(v) => v.to_string(),
            Value::U32(v) => v.to_string(),
            Value::I32(v) => v.to_string(),
            Value::F32(v) => v.to_string(),
            Value::Bool(v) => v.to_string(),
            Value::String(v) => escape(&String::from_utf8_lossy(v)),
            Value::Array(v) => v.display(),
            Value::U64(v) => v.to_string(),
            Value::I64(v) => v.to_string(),
            Value::F64(v) => v.to_string(),
        }
    }
}

/// An array in the map: iterating reads one element after another and allocates nothing.
#[derive(Clone)]
pub struct Array<'a> {
    element: Type,
    len: usize,
    cursor: Cursor<'a>,
}

impl<'a> Array<'a> {
    /// Type of every element, never `Array`.
    pub fn element(&self) -> Type {
        self.element
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// No elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every element in order.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let (element, mut cursor) = (self.element, self.cursor.clone());
        (0..self.len).map_while(move |_| Value::read(element, &mut cursor))
    }

    /// The bytes of every element of an array of strings; nothing for other arrays.
    pub fn strings(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut cursor = self.cursor.clone();
        let len = if self.element == Type::String { self.len } else { 0 };
        (0..len).map_while(move |_| cursor.string())
    }

    fn display(&self) -> String {
        const SHOWN: usize = 8;
        let first: Vec<String> = self.iter().take(SHOWN).map(|v| short(&v)).collect();
        let more = if self.len > SHOWN { ", ..." } else { "" };
        format!("{} {}: [{}{more}]", self.len, self.element.name(), first.join(", "))
    }
}

/// An element as text; strings in quotes and at most 80 characters.
pub(crate) fn short(value: &Value<'_>) -> String {
    match value {
        Value::String(bytes) => super::quote_bytes(bytes),
        other => other.display(),
    }
}
