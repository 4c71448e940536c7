//! The key/value part of a header: checked once, kept as offsets.

use std::ops::Range;

use super::backing::Backing;
use super::cursor::Cursor;
use super::index::Index;
use super::value::{Type, Value};
use super::{Flaw, quote, quote_bytes};

/// Most key/value pairs; real files have fewer than 100.
pub const MAX_KV: u64 = 65_536;
/// Longest key, the specification's limit.
const MAX_KEY_BYTES: u64 = 65_535;
/// Longest text value or array element; chat templates reach 20 KB.
pub const MAX_STRING_BYTES: u64 = 16 << 20;
/// Most bytes of all metadata; real files with the largest vocabularies have 20 MB.
pub const MAX_METADATA_BYTES: usize = 256 << 20;
/// A length, one byte of key, a type, one byte of value.
pub(crate) const MIN_KV_BYTES: u64 = 8 + 1 + 4 + 1;

/// One key/value pair, as places in the file.
struct Entry {
    key: Range<usize>,
    kind: Type,
    /// What follows the type: of strings with their length, of arrays with element type and count.
    value: Range<usize>,
}

/// Every pair of a file, in file order.
pub(crate) struct Metadata {
    entries: Vec<Entry>,
    index: Index,
}

impl Metadata {
    /// Reads and checks `count` pairs.
    pub(crate) fn read(
        cursor: &mut Cursor<'_>,
        backing: &Backing,
        count: u64,
    ) -> Result<Self, Flaw> {
        // Bounded by MAX_KV and by the bytes that remain: the caller checked.
        let mut entries: Vec<Entry> = Vec::with_capacity(count as usize);
        let mut index = Index::default();
        let bytes = backing.bytes();
        for i in 0..count {
            let entry = read_entry(cursor, i)?;
            index.push(&bytes[entry.key.clone()]);
            entries.push(entry);
            check_total(cursor.at())?;
        }
        let key = |i: usize| &bytes[entries[i].key.clone()];
        index.finish(key).map_err(|(first, second)| {
            let found = format!("{}, the key of kv[{first}] too", quote_bytes(key(first)));
            Flaw::invalid(format!("kv[{second}].key"), found, "a key of its own")
        })?;
        Ok(Metadata { entries, index })
    }

    /// Pairs.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The i-th key.
    pub(crate) fn key<'a>(&self, backing: &'a Backing, i: usize) -> &'a str {
        std::str::from_utf8(&backing.bytes()[self.entries[i].key.clone()])
            .expect("keys were checked to be ASCII on opening")
    }

    /// The i-th type and encoded value, as a writer copies it.
    pub(crate) fn raw<'a>(&self, backing: &'a Backing, i: usize) -> (Type, &'a [u8]) {
        let entry = &self.entries[i];
        (entry.kind, &backing.bytes()[entry.value.clone()])
    }

    /// The i-th value.
    pub(crate) fn value<'a>(&self, backing: &'a Backing, i: usize) -> Value<'a> {
        let entry = &self.entries[i];
        Value::read(entry.kind, &mut Cursor::new(backing, entry.value.clone()))
            .expect("values were checked to be complete on opening")
    }

    /// The position of a key.
    pub(crate) fn find(&self, backing: &Backing, key: &str) -> Option<usize> {
        let bytes = backing.bytes();
        self.index.find(key.as_bytes(), |i| &bytes[self.entries[i].key.clone()])
    }
}

fn read_entry(cursor: &mut Cursor<'_>, i: u64) -> Result<Entry, Flaw> {
    let key = read_key(cursor, i)?;
    let key_range = cursor.at() - key.len()..cursor.at();
    let field = |part: &str| format!("kv[{i}] {}{part}", quote(key));
    let number = cursor.u32().ok_or_else(|| truncated(field(" type"), 4, cursor))?;
    let kind = Type::from_number(number)
        .ok_or_else(|| Flaw::invalid(field(" type"), number, "a value type from 0 to 12"))?;
    let start = cursor.at();
    check_value(cursor, kind, &field)?;
    Ok(Entry { key: key_range, kind, value: start..cursor.at() })
}

fn read_key<'a>(cursor: &mut Cursor<'a>, i: u64) -> Result<&'a str, Flaw> {
    let field = || format!("kv[{i}].key length");
    let length = cursor.u64().ok_or_else(|| truncated(field(), 8, cursor))?;
    if !(1..=MAX_KEY_BYTES).contains(&length) {
        return Err(Flaw::invalid(field(), length, format!("1 to {MAX_KEY_BYTES} bytes")));
    }
    let bytes = cursor.take(length).ok_or_else(|| truncated(field(), length, cursor))?;
    let wrong =
        |found: String, expected: &str| Err(Flaw::invalid(format!("kv[{i}].key"), found, expected));
    let Ok(key) = std::str::from_utf8(bytes) else {
        return wrong(format!("bytes that are not UTF-8 ({})", quote_bytes(bytes)), "ASCII text");
    };
    // The hyphen is not in the specification, but in names of architectures ("command-r.block_count").
    let allowed = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(b);
    if !bytes.iter().all(allowed) {
        return wrong(quote(key), "lower-case ASCII letters, digits, '_', '-' and '.'");
    }
    Ok(key)
}

/// Walks over one value and checks that all of it is there.
fn check_value(
    cursor: &mut Cursor<'_>,
    kind: Type,
    field: &dyn Fn(&str) -> String,
) -> Result<(), Flaw> {
    match kind {
        Type::String => skip_string(cursor, field),
        Type::Array => check_array(cursor, field),
        Type::Bool => check_bools(cursor, 1, field),
        _ => {
            let size = kind.bytes().unwrap_or(0) as u64;
            cursor.take(size).ok_or_else(|| truncated(field(" value"), size, cursor))?;
            Ok(())
        }
    }
}

fn skip_string(cursor: &mut Cursor<'_>, field: &dyn Fn(&str) -> String) -> Result<(), Flaw> {
    let length = cursor.u64().ok_or_else(|| truncated(field(" string length"), 8, cursor))?;
    if length > MAX_STRING_BYTES {
        let expected = format!("at most {MAX_STRING_BYTES} bytes");
        return Err(Flaw::invalid(field(" string length"), length, expected));
    }
    cursor.take(length).ok_or_else(|| truncated(field(" string length"), length, cursor))?;
    Ok(())
}

fn check_array(cursor: &mut Cursor<'_>, field: &dyn Fn(&str) -> String) -> Result<(), Flaw> {
    let number = cursor.u32().ok_or_else(|| truncated(field(" array type"), 4, cursor))?;
    let kind = match Type::from_number(number) {
        None => {
            return Err(Flaw::invalid(field(" array type"), number, "a value type from 0 to 12"));
        }
        Some(Type::Array) => {
            let expected = "elements that are no arrays themselves";
            return Err(Flaw::invalid(field(" array type"), "array of arrays", expected));
        }
        Some(kind) => kind,
    };
    let count = cursor.u64().ok_or_else(|| truncated(field(" array length"), 8, cursor))?;
    // A string takes at least its length.
    let least = kind.bytes().unwrap_or(8) as u64;
    let room = cursor.remaining() as u64 / least;
    if count > room {
        let found = format!("{count} {} elements", kind.name());
        let expected = format!("at most {room}, what remains of the file");
        return Err(Flaw::invalid(field(" array length"), found, expected));
    }
    // Before anything of it is walked: a sparse file has room for a billion strings.
    check_total(cursor.at().saturating_add((count * least) as usize))?;
    match kind {
        Type::String => (0..count).try_for_each(|k| {
            skip_string(cursor, &|part| field(&format!("[{k}]{part}")))?;
            check_total(cursor.at())
        }),
        Type::Bool => check_bools(cursor, count, field),
        _ => {
            cursor.take(count * least).ok_or_else(|| truncated(field(" array"), count, cursor))?;
            Ok(())
        }
    }
}

fn check_bools(
    cursor: &mut Cursor<'_>,
    count: u64,
    field: &dyn Fn(&str) -> String,
) -> Result<(), Flaw> {
    // In pieces, so that pages are given back on the way.
    const PIECE: u64 = 1 << 20;
    let mut left = count;
    while left > 0 {
        let piece =
            cursor.take(left.min(PIECE)).ok_or_else(|| truncated(field(" value"), left, cursor))?;
        if let Some(byte) = piece.iter().find(|&&b| b > 1) {
            return Err(Flaw::invalid(field(" value"), format!("bool {byte}"), "0 or 1"));
        }
        left -= piece.len() as u64;
    }
    Ok(())
}

/// Whether metadata that reach to this offset are within our limit.
fn check_total(end: usize) -> Result<(), Flaw> {
    if end <= MAX_METADATA_BYTES {
        return Ok(());
    }
    let found = format!("{end} bytes or more");
    Err(Flaw::invalid("metadata", found, format!("at most {MAX_METADATA_BYTES} bytes")))
}

/// A field that says more bytes follow than the file has.
pub(crate) fn truncated(field: String, wanted: u64, cursor: &Cursor<'_>) -> Flaw {
    let found = format!("{wanted} bytes needed at offset {}", cursor.at());
    let expected = format!("at most the {} bytes that remain of the file", cursor.remaining());
    Flaw::invalid(field, found, expected)
}
