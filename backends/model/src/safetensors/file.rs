//! An open safetensors file: tensors as slices of its map.

use std::path::{Path, PathBuf};

use super::Dtype;
use super::header::{Entry, MAX_HEADER_BYTES, Wire};
use crate::Error;
use crate::gguf::{Backing, Flaw, Index, quote};
use crate::scheme::Packed;

/// The length of the header, u64 little-endian.
const LENGTH_BYTES: usize = 8;

/// A safetensors file, mapped read-only and checked whole.
pub struct Safetensors {
    path: PathBuf,
    backing: Backing,
    tensors: Vec<Entry>,
    metadata: Vec<(String, String)>,
    index: Index,
    warnings: Vec<String>,
}

/// A view of one tensor.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The checkpoint's own name.
    pub name: &'a str,
    /// Type of the elements.
    pub dtype: Dtype,
    /// Row-major: the last dimension is the fastest.
    pub shape: &'a [usize],
    /// `elements * dtype.bytes()` little-endian bytes in the map, of any alignment; none of what is packed.
    pub bytes: &'a [u8],
    /// A matrix of a weight scheme, shown as the floats it decodes to.
    pub packed: Option<Packed<'a>>,
}

impl View<'_> {
    /// Elements.
    pub fn elements(&self) -> usize {
        match self.packed {
            Some(_) => self.shape.iter().product(),
            None => self.bytes.len() / self.dtype.bytes(),
        }
    }

    /// Decodes elements from `first` on, as many as `out` holds and the tensor has. `None` unless they are F32, F16 or
    /// BF16.
    pub fn floats(&self, first: usize, out: &mut [f32]) -> Option<()> {
        if let Some(packed) = &self.packed {
            let n = out.len().min(self.elements().saturating_sub(first));
            packed.floats(first, &mut out[..n]);
            return Some(());
        }
        let format = self.dtype.format()?;
        let width = self.dtype.bytes();
        let start = first.saturating_mul(width).min(self.bytes.len());
        let bytes = &self.bytes[start..];
        let n = out.len().min(bytes.len() / width);
        format.decode(&bytes[..n * width], &mut out[..n]);
        Some(())
    }
}

impl Safetensors {
    /// Maps and checks a file.
    pub fn open(path: &Path) -> Result<Safetensors, Error> {
        let io = |source| Error::Io { path: path.display().to_string(), source };
        Safetensors::parse(path, Backing::open(path).map_err(io)?)
    }

    /// Checks a file that is in memory; `name` stands in for its path in messages.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Safetensors, Error> {
        Safetensors::parse(Path::new(name), Backing::Memory(bytes))
    }

    fn parse(path: &Path, backing: Backing) -> Result<Safetensors, Error> {
        let read = read(backing.bytes()).map_err(|flaw| flaw.of(&path.display().to_string()))?;
        let (tensors, metadata, index) = read;
        let odd = tensors.iter().find(|t| !t.offset.is_multiple_of(t.dtype.bytes()));
        let warnings = odd.map(|t| {
            let (name, width) = (quote(&t.name), t.dtype.bytes());
            format!("tensor {name} begins at byte {}, not a multiple of {width}", t.offset)
        });
        let warnings = warnings.into_iter().collect();
        Ok(Safetensors { path: path.to_owned(), backing, tensors, metadata, index, warnings })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every tensor, in the order of the data.
    pub fn tensors(&self) -> &[Entry] {
        &self.tensors
    }

    /// One tensor by name.
    pub fn tensor(&self, name: &str) -> Option<View<'_>> {
        let of = |i: usize| self.tensors[i].name.as_bytes();
        self.index.find(name.as_bytes(), of).map(|i| self.view(&self.tensors[i]))
    }

    /// The view of an entry, which must be one of this file's.
    pub fn view<'a>(&'a self, entry: &'a Entry) -> View<'a> {
        let bytes = &self.backing.bytes()[entry.offset..entry.offset + entry.bytes];
        View { name: &entry.name, dtype: entry.dtype, shape: &entry.shape, bytes, packed: None }
    }

    /// The texts of `__metadata__`, in file order.
    pub fn metadata(&self) -> &[(String, String)] {
        &self.metadata
    }

    /// Oddities that do no harm: data that begin where their type would not be aligned.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// An error when the file on disk is no longer the one that was checked.
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

    /// An error of this file.
    pub(crate) fn invalid(
        &self,
        field: impl Into<String>,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Error {
        Flaw::invalid(field, found, expected).of(&self.path.display().to_string())
    }
}

type Parts = (Vec<Entry>, Vec<(String, String)>, Index);

fn read(bytes: &[u8]) -> Result<Parts, Flaw> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        let found = format!("{} bytes", bytes.len());
        return Err(Flaw::invalid("header length", found, "8 bytes; is the file truncated?"));
    };
    let length = u64::from_le_bytes(*length);
    let most = MAX_HEADER_BYTES.min(rest.len() as u64);
    if length < 2 || length > most {
        let reason = if most == MAX_HEADER_BYTES { "our limit" } else { "what the file holds" };
        return Err(Flaw::invalid(
            "header length",
            length,
            format!("2 to {most} bytes ({reason})"),
        ));
    }
    let (header, data) = rest.split_at(length as usize);
    let mut wire = Wire::parse(header)?;
    let metadata = std::mem::take(&mut wire.metadata);
    unique(&metadata, |pair| pair.0.as_bytes(), "__metadata__")?;
    let tensors = wire.tensors(LENGTH_BYTES + header.len(), data.len())?;
    let index = unique(&tensors, |tensor| tensor.name.as_bytes(), "header")?;
    Ok((tensors, metadata, index))
}

/// No two of one name.
fn unique<T>(items: &[T], name: impl Fn(&T) -> &[u8], field: &str) -> Result<Index, Flaw> {
    let mut index = Index::default();
    items.iter().for_each(|item| index.push(name(item)));
    index.finish(|i| name(&items[i])).map_err(|(first, _)| {
        let twice = crate::gguf::quote_bytes(name(&items[first]));
        Flaw::invalid(field, format!("{twice} twice"), "names of their own")
    })?;
    Ok(index)
}
