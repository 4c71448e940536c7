//! Writing GGUF v3: first everything the header says, then tensor data in pieces, to any `Write`.
//!
//! ```
//! use yardstick_model::{Format, gguf::Header};
//! let mut header = Header::new("out.gguf");
//! header.set("general.architecture", "llama");
//! header.tensor("token_embd.weight", Format::F32, &[4, 2])?;
//! let mut data = header.start(Vec::new())?;
//! data.write(&[0; 20])?; // pieces of any size
//! data.write(&[0; 12])?;
//! let file = data.finish()?;
//! # assert_eq!(file.len() % 32, 0);
//! # Ok::<(), yardstick_model::Error>(())
//! ```

use std::io::Write;

use super::encode::Encode;
use super::file::{alignment_key, metadata_limit};
use super::tensors::{self, TensorInfo};
use super::value::Type;
use super::{Flaw, Gguf};
use crate::{Error, Format};

const VERSION: u32 = 3;

/// What a file will say of itself: metadata and the list of its tensors.
pub struct Header {
    /// Stands in messages.
    path: String,
    /// Key, type, encoded value.
    pairs: Vec<(String, Type, Vec<u8>)>,
    /// Offsets are relative to the data section.
    tensors: Vec<TensorInfo>,
    alignment: usize,
    data_bytes: usize,
}

impl Header {
    /// An empty header; `path` is only used in messages.
    pub fn new(path: impl Into<String>) -> Header {
        let (pairs, tensors) = (Vec::new(), Vec::new());
        Header { path: path.into(), pairs, tensors, alignment: 32, data_bytes: 0 }
    }

    /// Sets a key, in place of an earlier value.
    pub fn set<T: Encode>(&mut self, key: &str, value: T) {
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        self.set_raw(key, T::TYPE, bytes);
    }

    /// Sets a key to an array.
    pub fn set_array<T: Encode>(&mut self, key: &str, values: &[T]) {
        let mut bytes = Vec::new();
        T::TYPE.number().encode(&mut bytes);
        (values.len() as u64).encode(&mut bytes);
        values.iter().for_each(|value| value.encode(&mut bytes));
        self.set_raw(key, Type::Array, bytes);
    }

    /// Copies every key of another file, values byte for byte.
    pub fn copy_metadata(&mut self, from: &Gguf) {
        for key in from.keys() {
            if let Some((kind, bytes)) = from.raw(key) {
                self.set_raw(key, kind, bytes.to_vec());
            }
        }
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &str) {
        self.pairs.retain(|pair| pair.0 != key);
    }

    fn set_raw(&mut self, key: &str, kind: Type, bytes: Vec<u8>) {
        match self.pairs.iter_mut().find(|pair| pair.0 == key) {
            Some(pair) => (pair.1, pair.2) = (kind, bytes),
            None => self.pairs.push((key.to_owned(), kind, bytes)),
        }
    }

    /// Adds a tensor after those added before; `shape[0]` is the row length.
    pub fn tensor(&mut self, name: &str, format: Format, shape: &[usize]) -> Result<(), Error> {
        let flaw = |field: String, found, expected: String| {
            Flaw::invalid(field, found, expected).of(&self.path)
        };
        tensors::check_name(name.as_bytes())
            .map_err(|(found, expected)| flaw("tensor name".into(), found, expected.into()))?;
        if self.tensors.iter().any(|t| t.name == name) {
            let found = "a second one".to_owned();
            return Err(flaw(format!("tensor {name}"), found, "a name of its own".into()));
        }
        let field = || format!("tensor {name} shape");
        if shape.len() > 4 {
            return Err(flaw(field(), format!("{shape:?}"), "1 to 4 dimensions".into()));
        }
        let wrong = |expected| flaw(field(), format!("{shape:?} of {}", format.name()), expected);
        let bytes = tensors::size(format, shape).map_err(wrong)?;
        let info = TensorInfo {
            name: name.to_owned(),
            format,
            shape: shape.to_vec(),
            offset: self.data_bytes,
            bytes,
        };
        self.data_bytes = info
            .offset
            .checked_add(bytes)
            .and_then(|end| end.checked_next_multiple_of(self.alignment))
            .ok_or_else(|| wrong("a file below 2^63 bytes".into()))?;
        self.tensors.push(info);
        Ok(())
    }

    /// The header's bytes with their padding, and every tensor with its offset in the file. What follows the
    /// header is each tensor's data padded with zeros to [`Header::alignment`]; who writes at offsets instead
    /// of in sequence needs no more than this.
    pub fn encode(&self) -> Result<(Vec<u8>, Vec<TensorInfo>), Error> {
        let mut out = Vec::new();
        out.extend_from_slice(b"GGUF");
        VERSION.encode(&mut out);
        (self.tensors.len() as u64).encode(&mut out);
        let pairs = || self.pairs.iter().filter(|pair| pair.0 != alignment_key());
        (pairs().count() as u64).encode(&mut out);
        for (key, kind, bytes) in pairs() {
            key.as_str().encode(&mut out);
            kind.number().encode(&mut out);
            out.extend_from_slice(bytes);
        }
        if out.len() > metadata_limit() {
            let expected = format!("at most {} bytes", metadata_limit());
            return Err(Flaw::invalid("metadata", out.len(), expected).of(&self.path));
        }
        for tensor in &self.tensors {
            encode_tensor(tensor, &mut out);
        }
        out.resize(out.len().next_multiple_of(self.alignment), 0);
        let mut tensors = self.tensors.clone();
        tensors.iter_mut().for_each(|t| t.offset += out.len());
        Ok((out, tensors))
    }

    /// Data of every tensor start at multiples of this; always the default, 32.
    pub fn alignment(&self) -> usize {
        self.alignment
    }

    /// Bytes the finished file will have.
    pub fn file_bytes(&self) -> Result<u64, Error> {
        Ok(self.encode()?.0.len() as u64 + self.data_bytes as u64)
    }

    /// Writes the header; the data of the tensors follow in the order they were added.
    pub fn start<W: Write>(self, mut out: W) -> Result<DataWriter<W>, Error> {
        let (header, tensors) = self.encode()?;
        let io = |source| Error::Io { path: self.path.clone(), source };
        out.write_all(&header).map_err(io)?;
        let mut writer = DataWriter {
            path: self.path,
            out,
            alignment: self.alignment,
            tensors,
            current: 0,
            written: 0,
        };
        writer.advance()?;
        Ok(writer)
    }
}

fn encode_tensor(tensor: &TensorInfo, out: &mut Vec<u8>) {
    tensor.name.as_str().encode(out);
    (tensor.shape.len() as u32).encode(out);
    tensor.shape.iter().for_each(|&n| (n as u64).encode(out));
    tensor.format.layout().ggml.encode(out);
    (tensor.offset as u64).encode(out);
}

/// Takes the data of the tensors, in order and in pieces of any size, and pads each.
pub struct DataWriter<W> {
    path: String,
    out: W,
    alignment: usize,
    tensors: Vec<TensorInfo>,
    /// The tensor being written.
    current: usize,
    /// Its bytes written so far.
    written: usize,
}

impl<W: Write> DataWriter<W> {
    /// The tensor that the next piece belongs to; `None` when all are complete.
    pub fn next(&self) -> Option<&TensorInfo> {
        self.tensors.get(self.current)
    }

    /// Appends a piece to the current tensor; a piece never spans two.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), Error> {
        let Some(tensor) = self.tensors.get(self.current) else {
            let found = format!("{} more bytes", piece.len());
            return Err(Flaw::invalid("data", found, "the end of the last tensor").of(&self.path));
        };
        let room = tensor.bytes - self.written;
        if piece.len() > room {
            let field = format!("data of {}", tensor.name);
            let expected = format!("at most {room} bytes");
            let found = format!("{} bytes", piece.len());
            return Err(Flaw::invalid(field, found, expected).of(&self.path));
        }
        self.out.write_all(piece).map_err(|source| self.io(source))?;
        self.written += piece.len();
        self.advance()
    }

    /// Pads the current tensor and moves on, if it is complete.
    fn advance(&mut self) -> Result<(), Error> {
        let Some(tensor) = self.tensors.get(self.current) else { return Ok(()) };
        if self.written < tensor.bytes {
            return Ok(());
        }
        let padding = tensor.bytes.next_multiple_of(self.alignment) - tensor.bytes;
        let mut left = padding;
        while left > 0 {
            let piece = left.min(64);
            self.out.write_all(&[0; 64][..piece]).map_err(|source| self.io(source))?;
            left -= piece;
        }
        self.current += 1;
        self.written = 0;
        Ok(())
    }

    fn io(&self, source: std::io::Error) -> Error {
        Error::Io { path: self.path.clone(), source }
    }

    /// Ends the file and gives the output back; an error when data are missing.
    pub fn finish(mut self) -> Result<W, Error> {
        if let Some(tensor) = self.tensors.get(self.current) {
            let found = format!("{} bytes", self.written);
            let expected = format!("{} bytes", tensor.bytes);
            let field = format!("data of {}", tensor.name);
            return Err(Flaw::invalid(field, found, expected).of(&self.path));
        }
        self.out.flush().map_err(|source| self.io(source))?;
        Ok(self.out)
    }
}
