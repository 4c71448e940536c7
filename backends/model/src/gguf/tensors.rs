//! The tensor part of a header: names, shapes, formats, and where the data lies.

use super::Flaw;
use super::cursor::Cursor;
use super::metadata::truncated;
use super::{quote, quote_bytes};
use crate::Format;

/// Most tensors; real files have fewer than 3,000.
pub const MAX_TENSORS: u64 = 65_536;
/// Largest `general.alignment`; real files use 32.
pub const MAX_ALIGNMENT: u32 = 65_536;
/// ggml's `GGML_MAX_NAME`, its terminating NUL included.
const NAME_LIMIT: u64 = 64;
/// ggml's `GGML_MAX_DIMS`.
const MAX_DIMS: u32 = 4;
/// A name of one byte with its length, one dimension with its count, type and offset.
pub(crate) const MIN_TENSOR_BYTES: u64 = 8 + 1 + 4 + 8 + 4 + 8;

/// One tensor's entry in a GGUF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// GGUF name, `blk.0.attn_q.weight`.
    pub name: String,
    /// Storage format.
    pub format: Format,
    /// GGUF order: `shape[0]` is the row length (fastest). 1 to 4 dimensions.
    pub shape: Vec<usize>,
    /// Byte offset of the data in the file.
    pub offset: usize,
    /// Byte length of the data.
    pub bytes: usize,
}

impl TensorInfo {
    /// Weights in the tensor.
    pub fn weights(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Types of ggml that exist and that we have no codec for.
const FOREIGN: &[(u32, &str)] = &[
    (9, "Q8_1"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
];

/// Reads `count` entries; offsets are still relative to the data section.
pub(crate) fn read(cursor: &mut Cursor<'_>, count: u64) -> Result<Vec<TensorInfo>, Flaw> {
    (0..count).map(|i| read_one(cursor, i)).collect()
}

fn read_one(cursor: &mut Cursor<'_>, i: u64) -> Result<TensorInfo, Flaw> {
    let name = read_name(cursor, i)?;
    let field = |part: &str| format!("tensor[{i}] {} {part}", quote(name));
    let short = |part: &str, wanted, c: &Cursor<'_>| truncated(field(part), wanted, c);
    let dims = cursor.u32().ok_or_else(|| short("dimensions", 4, cursor))?;
    if !(1..=MAX_DIMS).contains(&dims) {
        return Err(Flaw::invalid(field("dimensions"), dims, format!("1 to {MAX_DIMS}")));
    }
    let mut shape = Vec::with_capacity(dims as usize);
    for d in 0..dims {
        let n = cursor.u64().ok_or_else(|| short("shape", 8, cursor))?;
        shape.push(dimension(n).ok_or_else(|| {
            let expected = format!("1 to {}", i64::MAX);
            Flaw::invalid(field(&format!("shape[{d}]")), n, expected)
        })?);
    }
    let number = cursor.u32().ok_or_else(|| short("type", 4, cursor))?;
    let format = Format::from_ggml(number).ok_or_else(|| unknown_type(&field, number))?;
    let bytes = size(format, &shape).map_err(|expected| {
        Flaw::invalid(field("shape"), format!("{shape:?} of {}", format.name()), expected)
    })?;
    let offset = cursor.u64().ok_or_else(|| short("offset", 8, cursor))?;
    let offset = usize::try_from(offset)
        .map_err(|_| Flaw::invalid(field("offset"), offset, "an offset inside the file"))?;
    Ok(TensorInfo { name: name.to_owned(), format, shape, offset, bytes })
}

fn read_name<'a>(cursor: &mut Cursor<'a>, i: u64) -> Result<&'a str, Flaw> {
    let field = || format!("tensor[{i}].name length");
    let length = cursor.u64().ok_or_else(|| truncated(field(), 8, cursor))?;
    if !(1..NAME_LIMIT).contains(&length) {
        return Err(Flaw::invalid(field(), length, format!("1 to {} bytes", NAME_LIMIT - 1)));
    }
    let bytes = cursor.take(length).ok_or_else(|| truncated(field(), length, cursor))?;
    check_name(bytes)
        .map_err(|(found, expected)| Flaw::invalid(format!("tensor[{i}].name"), found, expected))
}

/// What a name may be, for reading and writing; `Err((found, expected))`.
pub(crate) fn check_name(bytes: &[u8]) -> Result<&str, (String, &'static str)> {
    if bytes.is_empty() || bytes.len() as u64 >= NAME_LIMIT {
        return Err((format!("{} bytes", bytes.len()), "1 to 63 bytes"));
    }
    let Ok(name) = std::str::from_utf8(bytes) else {
        return Err((format!("bytes that are not UTF-8 ({})", quote_bytes(bytes)), "UTF-8 text"));
    };
    if name.contains('\0') {
        return Err((quote(name), "a name without NUL"));
    }
    Ok(name)
}

/// 1 to i64::MAX, and what this machine can address.
fn dimension(n: u64) -> Option<usize> {
    if n == 0 || i64::try_from(n).is_err() {
        return None;
    }
    usize::try_from(n).ok()
}

/// Bytes of a tensor; `Err` says what was expected. No step can wrap.
pub(crate) fn size(format: Format, shape: &[usize]) -> Result<usize, String> {
    let first = *shape.first().ok_or("at least one dimension")?;
    if first == 0 || first % format.block_len() != 0 {
        return Err(format!("rows of a multiple of {} weights", format.block_len()));
    }
    let countable = shape
        .iter()
        .try_fold(1i64, |n, &d| n.checked_mul(i64::try_from(d).ok()?))
        .ok_or("a number of weights below 2^63")?;
    // Not more than the weights, so the division of blocks is exact and cannot wrap.
    let blocks = countable as u64 / format.block_len() as u64;
    blocks
        .checked_mul(format.block_bytes() as u64)
        .filter(|&n| i64::try_from(n).is_ok())
        .and_then(|n| usize::try_from(n).ok())
        .ok_or_else(|| "a size in bytes below 2^63".to_owned())
}

fn unknown_type(field: &dyn Fn(&str) -> String, number: u32) -> Flaw {
    let ours = || Format::ALL.iter().map(|f| f.name()).collect::<Vec<_>>().join(", ");
    match FOREIGN.iter().find(|f| f.0 == number) {
        Some((_, name)) => Flaw::Unsupported {
            what: format!("{}: format {name} ({number})", field("type")),
            supported: ours(),
        },
        None => {
            let found = format!("{number}, unknown or removed from GGUF");
            Flaw::invalid(field("type"), found, format!("the number of one of {}", ours()))
        }
    }
}

/// Checks that the data of the tensors follow each other without overlap or gap and end inside the file,
/// and makes their offsets absolute. Returns where the data section's last byte (without padding) ends.
pub(crate) fn place(
    tensors: &mut [TensorInfo],
    header_end: usize,
    alignment: usize,
    file_bytes: usize,
) -> Result<usize, Flaw> {
    if tensors.is_empty() {
        return Ok(header_end.next_multiple_of(alignment).min(file_bytes));
    }
    let start = header_end.next_multiple_of(alignment);
    if start > file_bytes {
        let found = format!("{start}, padded to {alignment}");
        return Err(Flaw::invalid(
            "start of data",
            found,
            format!("at most {file_bytes} (length of the file)"),
        ));
    }
    let room = file_bytes - start;
    let mut next = 0usize;
    let mut end = 0usize;
    for (i, tensor) in tensors.iter_mut().enumerate() {
        let field = || format!("tensor[{i}] {} offset", quote(&tensor.name));
        check_offset(tensor.offset, next, alignment, room)
            .map_err(|expected| Flaw::invalid(field(), tensor.offset, expected))?;
        end = tensor.offset.checked_add(tensor.bytes).filter(|&end| end <= room).ok_or_else(
            || {
                let found = format!("{} + {} bytes", tensor.offset, tensor.bytes);
                let expected = format!(
                    "an end within the {room} bytes of the data section; is the file truncated?"
                );
                Flaw::invalid(field(), found, expected)
            },
        )?;
        // The file's end bounds this sum: no wrap below 2^63 + 65,536.
        next = end.checked_next_multiple_of(alignment).unwrap_or(usize::MAX);
        tensor.offset += start;
    }
    Ok(start + end)
}

/// `Err` says what was expected instead.
fn check_offset(offset: usize, next: usize, alignment: usize, room: usize) -> Result<(), String> {
    if !offset.is_multiple_of(alignment) {
        return Err(format!("a multiple of the alignment {alignment}"));
    }
    if offset >= room {
        return Err(format!(
            "less than the {room} bytes of the data section; is the file truncated?"
        ));
    }
    if offset < next {
        return Err(format!("{next} (it overlaps the tensor before it)"));
    }
    if offset > next {
        return Err(format!("{next} (there is a gap after the tensor before it)"));
    }
    Ok(())
}
