//! An open GGUF file: typed access to metadata, and tensors as slices of the map.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::backing::Backing;
use super::cursor::Cursor;
use super::index::Index;
use super::metadata::{self, MAX_KV, MIN_KV_BYTES, Metadata, truncated};
use super::tensors::{self, MAX_ALIGNMENT, MAX_TENSORS, MIN_TENSOR_BYTES, TensorInfo};
use super::value::{Array, Type, Value};
use super::{Flaw, quote_bytes};
use crate::Error;

const MAGIC: [u8; 4] = *b"GGUF";
const ALIGNMENT_KEY: &str = "general.alignment";
const DEFAULT_ALIGNMENT: usize = 32;
/// A magic, a version, two counts.
const FIXED_BYTES: u64 = 4 + 4 + 8 + 8;

/// A GGUF file, mapped read-only and checked whole.
pub struct Gguf {
    path: PathBuf,
    backing: Backing,
    version: u32,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    index: Index,
    alignment: usize,
    warnings: Vec<String>,
}

impl Gguf {
    /// Maps and checks a file.
    pub fn open(path: &Path) -> Result<Gguf, Error> {
        let io = |source| Error::Io { path: path.display().to_string(), source };
        Gguf::parse(path, Backing::open(path).map_err(io)?)
    }

    /// Checks a file that is in memory; `name` stands in for its path in messages.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Gguf, Error> {
        Gguf::parse(Path::new(name), Backing::Memory(bytes))
    }

    fn parse(path: &Path, backing: Backing) -> Result<Gguf, Error> {
        let read = read(&backing).map_err(|flaw| flaw.of(&path.display().to_string()))?;
        let Parts { version, metadata, tensors, index, alignment, warnings } = read;
        let path = path.to_owned();
        Ok(Gguf { path, backing, version, metadata, tensors, index, alignment, warnings })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// 2 or 3.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Tensor data start at multiples of this.
    pub fn alignment(&self) -> usize {
        self.alignment
    }

    /// Bytes of the whole file.
    pub fn file_bytes(&self) -> usize {
        self.backing.bytes().len()
    }

    /// Oddities that do no harm, such as bytes after the last tensor.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Every tensor, in file order.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// One tensor by name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        let of = |i: usize| self.tensors[i].name.as_bytes();
        self.index.find(name.as_bytes(), of).map(|i| &self.tensors[i])
    }

    /// A tensor's bytes in the map. The tensor must be one of this file's.
    pub fn bytes(&self, tensor: &TensorInfo) -> &[u8] {
        &self.backing.bytes()[tensor.offset..tensor.offset + tensor.bytes]
    }

    /// Every key, in file order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        (0..self.metadata.len()).map(|i| self.metadata.key(&self.backing, i))
    }

    /// A metadata value.
    pub fn value(&self, key: &str) -> Option<Value<'_>> {
        let i = self.metadata.find(&self.backing, key)?;
        Some(self.metadata.value(&self.backing, i))
    }

    /// The i-th key and value, in file order.
    pub(crate) fn entry(&self, i: usize) -> Option<(&str, Value<'_>)> {
        (i < self.metadata.len())
            .then(|| (self.metadata.key(&self.backing, i), self.metadata.value(&self.backing, i)))
    }

    /// A value as a writer copies it: type and encoded bytes.
    pub(crate) fn raw(&self, key: &str) -> Option<(Type, &[u8])> {
        let i = self.metadata.find(&self.backing, key)?;
        Some(self.metadata.raw(&self.backing, i))
    }

    /// A metadata value as text, whatever its type, for display.
    pub fn display(&self, key: &str) -> Option<String> {
        self.value(key).map(|value| value.display())
    }

    /// A value of any unsigned type; an error when it has another type, `None` when it is absent.
    pub fn unsigned(&self, key: &str) -> Result<Option<u64>, Error> {
        self.typed(key, "an unsigned integer", |value| value.unsigned())
    }

    /// An f32 value.
    pub fn f32(&self, key: &str) -> Result<Option<f32>, Error> {
        self.typed(key, "f32", |value| match value {
            Value::F32(v) => Some(*v),
            _ => None,
        })
    }

    /// A bool value.
    pub fn bool(&self, key: &str) -> Result<Option<bool>, Error> {
        self.typed(key, "bool", |value| match value {
            Value::Bool(v) => Some(*v),
            _ => None,
        })
    }

    /// A string value; an error when it is not UTF-8.
    pub fn str(&self, key: &str) -> Result<Option<&str>, Error> {
        let bytes = self.typed(key, "a string", |value| match value {
            Value::String(v) => Some(*v),
            _ => None,
        })?;
        bytes
            .map(|bytes| {
                let found = || format!("bytes that are not UTF-8 ({})", quote_bytes(bytes));
                std::str::from_utf8(bytes).map_err(|_| self.invalid(key, found(), "UTF-8 text"))
            })
            .transpose()
    }

    /// An array whose elements have one of the given types.
    pub fn array(&self, key: &str, elements: &[Type]) -> Result<Option<Array<'_>>, Error> {
        let names: Vec<&str> = elements.iter().map(|t| t.name()).collect();
        let expected = format!("an array of {}", names.join(" or "));
        self.typed(key, &expected, |value| match value {
            Value::Array(array) if elements.contains(&array.element()) => Some(array.clone()),
            _ => None,
        })
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl Fn(&Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match read(&value) {
            Some(v) => Ok(Some(v)),
            None => Err(self.invalid(key, type_of(&value), expected)),
        }
    }

    /// An error of this file.
    pub(crate) fn invalid(
        &self,
        field: impl Into<String>,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Error {
        Flaw::invalid(field, found, expected).of(&self.path.display().to_string())
    }

    /// Something this file asks for and we do not have.
    pub(crate) fn unsupported(&self, what: String, supported: String) -> Error {
        Flaw::Unsupported { what, supported }.of(&self.path.display().to_string())
    }

    /// An error when the file on disk is no longer the one that was checked: its length or its time of last
    /// change differ. Call it before a long use; a file that shrinks *during* a use still ends the process
    /// (SIGBUS), which is one reason why models are measured in worker processes.
    pub fn check_unchanged(&self) -> Result<(), Error> {
        let io = |source| Error::Io { path: self.path.display().to_string(), source };
        match self.backing.change().map_err(io)? {
            None => Ok(()),
            Some((field, found, expected)) => {
                let expected = format!("{expected} as when it was opened; open the file again");
                Err(self.invalid(field, found, expected))
            }
        }
    }

    /// The open file, when the bytes are not in memory.
    pub(crate) fn file(&self) -> Option<&File> {
        self.backing.file()
    }

    /// The whole file.
    pub(crate) fn all_bytes(&self) -> &[u8] {
        self.backing.bytes()
    }

    /// Gives back the pages of a tensor that was read once.
    pub fn release(&self, tensor: &TensorInfo) {
        self.backing.release(tensor.offset..tensor.offset + tensor.bytes);
    }
}

fn type_of(value: &Value<'_>) -> String {
    match value {
        Value::Array(array) => format!("an array of {}", array.element().name()),
        other => format!("{} {}", other.kind().name(), super::value::short(other)),
    }
}

/// What the header says, checked.
struct Parts {
    version: u32,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    index: Index,
    alignment: usize,
    warnings: Vec<String>,
}

fn read(backing: &Backing) -> Result<Parts, Flaw> {
    let file_bytes = backing.bytes().len();
    let mut cursor = Cursor::new(backing, 0..file_bytes);
    let (version, tensor_count, kv_count) = read_fixed(&mut cursor)?;
    let metadata = Metadata::read(&mut cursor, backing, kv_count)?;
    let alignment = alignment(&metadata, backing)?;
    // The first count was compared with the whole rest; now the metadata are known.
    check_count("tensor count", tensor_count, MAX_TENSORS, MIN_TENSOR_BYTES, cursor.remaining())?;
    let mut tensors = tensors::read(&mut cursor, tensor_count)?;
    let end = tensors::place(&mut tensors, cursor.at(), alignment, file_bytes)?;
    let mut index = Index::default();
    tensors.iter().for_each(|t| index.push(t.name.as_bytes()));
    let name = |i: usize| tensors[i].name.as_bytes();
    index.finish(name).map_err(|(first, second)| {
        let found = format!("{}, the name of tensor[{first}] too", quote_bytes(name(first)));
        Flaw::invalid(format!("tensor[{second}].name"), found, "a name of its own")
    })?;
    let warnings = trailing(end, alignment, file_bytes).into_iter().collect();
    Ok(Parts { version, metadata, tensors, index, alignment, warnings })
}

/// Magic, version, number of tensors, number of key/value pairs.
fn read_fixed(cursor: &mut Cursor<'_>) -> Result<(u32, u64, u64), Flaw> {
    let magic = cursor.take(4).ok_or_else(|| truncated("magic".into(), FIXED_BYTES, cursor))?;
    if magic != MAGIC {
        return Err(Flaw::invalid("magic", quote_bytes(magic), "\"GGUF\""));
    }
    let version = cursor.u32().ok_or_else(|| truncated("version".into(), 4, cursor))?;
    if version & 0xffff == 0 && version != 0 {
        let found = format!("{}, byte-swapped (a big-endian file)", version.swap_bytes());
        return Err(Flaw::invalid("version", found, "2 or 3, little-endian"));
    }
    if !(2..=3).contains(&version) {
        return Err(Flaw::invalid("version", version, "2 or 3"));
    }
    let tensors = cursor.u64().ok_or_else(|| truncated("tensor count".into(), 8, cursor))?;
    let pairs = cursor.u64().ok_or_else(|| truncated("key/value count".into(), 8, cursor))?;
    let room = cursor.remaining();
    check_count("tensor count", tensors, MAX_TENSORS, MIN_TENSOR_BYTES, room)?;
    check_count("key/value count", pairs, MAX_KV, MIN_KV_BYTES, room)?;
    Ok((version, tensors, pairs))
}

/// A count may pass neither our cap nor what the rest of the file could hold.
fn check_count(field: &str, count: u64, cap: u64, least: u64, room: usize) -> Result<(), Flaw> {
    let most = cap.min(room as u64 / least);
    if count <= most {
        return Ok(());
    }
    let reason = if most == cap { "our limit" } else { "what the rest of the file can hold" };
    Err(Flaw::invalid(field, count, format!("at most {most} ({reason})")))
}

fn alignment(metadata: &Metadata, backing: &Backing) -> Result<usize, Flaw> {
    let Some(i) = metadata.find(backing, ALIGNMENT_KEY) else { return Ok(DEFAULT_ALIGNMENT) };
    let expected = || format!("u32, a power of two from 8 to {MAX_ALIGNMENT}");
    match metadata.value(backing, i) {
        Value::U32(n) if n.is_power_of_two() && (8..=MAX_ALIGNMENT).contains(&n) => Ok(n as usize),
        Value::U32(n) => Err(Flaw::invalid(ALIGNMENT_KEY, n, expected())),
        other => Err(Flaw::invalid(ALIGNMENT_KEY, type_of(&other), expected())),
    }
}

/// Bytes after the last tensor and its padding: harmless, but not what a writer leaves.
fn trailing(end: usize, alignment: usize, file_bytes: usize) -> Option<String> {
    let padded = end.checked_next_multiple_of(alignment).unwrap_or(usize::MAX);
    let extra = file_bytes.checked_sub(padded).filter(|&n| n > 0)?;
    Some(format!("{extra} bytes follow the last tensor; they are ignored"))
}

/// The metadata key that sets the alignment, for the writer.
pub(crate) fn alignment_key() -> &'static str {
    ALIGNMENT_KEY
}

/// The largest metadata a writer may produce, so that we can read it again.
pub(crate) fn metadata_limit() -> usize {
    metadata::MAX_METADATA_BYTES
}
