//! Rust values as GGUF metadata values.

use super::value::Type;

/// A value the writer can store, alone or as an array's element.
pub trait Encode {
    /// GGUF's type.
    const TYPE: Type;
    /// Appends the encoded value, without its type.
    fn encode(&self, out: &mut Vec<u8>);
}

macro_rules! number {
    ($($rust:ty => $gguf:ident),*) => {$(
        impl Encode for $rust {
            const TYPE: Type = Type::$gguf;
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}
number!(u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32, f32 => F32,
        u64 => U64, i64 => I64, f64 => F64);

impl Encode for bool {
    const TYPE: Type = Type::Bool;
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Encode for &str {
    const TYPE: Type = Type::String;
    fn encode(&self, out: &mut Vec<u8>) {
        (self.len() as u64).encode(out);
        out.extend_from_slice(self.as_bytes());
    }
}

impl Encode for String {
    const TYPE: Type = Type::String;
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_str().encode(out);
    }
}
