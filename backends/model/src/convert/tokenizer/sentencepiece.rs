//! tokenizer.model: SentencePiece's protocol buffer, of which a few fields are read. Untrusted.

use std::path::Path;

use super::super::config::Config;
use super::Found;
use super::pieces::{Kind, Pieces};
use crate::Error;
use crate::gguf::Flaw;
use crate::safetensors::read_limited;

/// Longest file; Gemma's has 4 MB.
const MAX_BYTES: u64 = 64 << 20;

/// One field of a message.
enum Field<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
    Fixed64,
}

/// Reads a message field by field; `None` is an end too early or a wire type that does not exist.
struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, n: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(n).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next field and its number; `Some(None)` at the end.
    fn next(&mut self) -> Option<Option<(u64, Field<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => self.take(8).map(|_| Field::Fixed64)?,
            2 => {
                let length = self.varint()?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(self.take(4)?.try_into().ok()?),
            _ => return None,
        };
        Some(Some((tag >> 3, field)))
    }
}

/// What is read of a ModelProto.
struct Model<'a> {
    /// Text, score, and SentencePiece's type, whose numbers are GGUF's.
    pieces: Vec<(&'a str, f32, u64)>,
    /// 1 unigram, 2 BPE.
    kind: u64,
    unknown: u64,
    bos: i64,
    eos: i64,
    dummy_prefix: bool,
    remove_spaces: bool,
}

impl<'a> Model<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Model<'a>> {
        // SentencePiece's defaults.
        let mut model = Model {
            pieces: Vec::new(),
            kind: 1,
            unknown: 0,
            bos: 1,
            eos: 2,
            dummy_prefix: true,
            remove_spaces: true,
        };
        let mut message = Message(bytes);
        while let Some((number, field)) = message.next()? {
            match (number, field) {
                (1, Field::Bytes(piece)) => model.pieces.push(Model::piece(piece)?),
                (2, Field::Bytes(trainer)) => model.trainer(trainer)?,
                (3, Field::Bytes(normalizer)) => model.normalizer(normalizer)?,
                _ => {}
            }
        }
        Some(model)
    }

    fn piece(bytes: &'a [u8]) -> Option<(&'a str, f32, u64)> {
        let mut piece = ("", 0.0, 1);
        let mut message = Message(bytes);
        while let Some((number, field)) = message.next()? {
            match (number, field) {
                (1, Field::Bytes(text)) => piece.0 = std::str::from_utf8(text).ok()?,
                (2, Field::Fixed32(score)) => piece.1 = f32::from_le_bytes(score),
                (3, Field::Varint(kind)) => piece.2 = kind,
                _ => {}
            }
        }
        Some(piece)
    }

    fn trainer(&mut self, bytes: &'a [u8]) -> Option<()> {
        let mut message = Message(bytes);
        while let Some((number, field)) = message.next()? {
            match (number, field) {
                (3, Field::Varint(kind)) => self.kind = kind,
                (40, Field::Varint(id)) => self.unknown = id,
                (41, Field::Varint(id)) => self.bos = i64::from(id as i32),
                (42, Field::Varint(id)) => self.eos = i64::from(id as i32),
                _ => {}
            }
        }
        Some(())
    }

    fn normalizer(&mut self, bytes: &'a [u8]) -> Option<()> {
        let mut message = Message(bytes);
        while let Some((number, field)) = message.next()? {
            match (number, field) {
                (3, Field::Varint(flag)) => self.dummy_prefix = flag != 0,
                (4, Field::Varint(flag)) => self.remove_spaces = flag != 0,
                _ => {}
            }
        }
        Some(())
    }
}

/// Tokens with scores; those that tokenizer.json adds are added.
pub(super) fn read(path: &Path, json: Option<&Config>, vocab: u32) -> Result<Found, Error> {
    let bytes = read_limited(path, MAX_BYTES)?;
    let flaw = |field: String, found: String, expected: String| {
        Flaw::invalid(field, found, expected).of(&path.display().to_string())
    };
    let Some(model) = Model::parse(&bytes).filter(|model| !model.pieces.is_empty()) else {
        let found = format!("{} bytes that are not one", bytes.len());
        return Err(flaw("file".into(), found, "a SentencePiece model; is it truncated?".into()));
    };
    if model.kind != 2 {
        let kind =
            if model.kind == 1 { "unigram".to_owned() } else { format!("kind {}", model.kind) };
        return Ok(Err(format!("tokenizer.model is SentencePiece's {kind}, and only BPE is read")));
    }
    if model.pieces.len() > vocab as usize {
        let expected = format!("at most {vocab}, vocab_size of config.json");
        return Err(flaw("pieces".into(), model.pieces.len().to_string(), expected));
    }
    let mut pieces = Pieces::new("llama", vocab);
    // llama.cpp's score of what was added later.
    pieces.scores = vec![-1000.0; vocab as usize];
    for (i, &(text, score, kind)) in model.pieces.iter().enumerate() {
        let kind = match kind {
            1 => Kind::Normal,
            2 => Kind::Unknown,
            3 => Kind::Control,
            4 => Kind::UserDefined,
            5 => Kind::Unused,
            6 => Kind::Byte,
            other => {
                return Err(flaw(format!("piece {i} type"), other.to_string(), "1 to 6".into()));
            }
        };
        (pieces.tokens[i], pieces.scores[i]) = ((text.to_owned(), kind), score);
    }
    if let Some(json) = json {
        pieces.added(json)?;
    }
    let id = |id: i64| u32::try_from(id).ok().filter(|&id| id < vocab);
    let unknown = i64::try_from(model.unknown).unwrap_or(-1);
    pieces.ids = [id(model.bos), id(model.eos), id(unknown)];
    pieces.space_prefix = Some(model.dummy_prefix);
    if model.remove_spaces {
        let note =
            "repeated spaces are kept where this tokenizer.model removes them, as in llama.cpp";
        pieces.notes.push(note.to_owned());
    }
    Ok(Ok(pieces))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_any_kind_are_walked_and_ends_too_early_seen() {
        // piece "ab", score 1.5, type 3, and an unknown field of each wire type.
        let piece =
            [0x0a, 2, b'a', b'b', 0x15, 0, 0, 0xc0, 0x3f, 0x18, 3, 0x79, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(Model::piece(&piece), Some(("ab", 1.5, 3)));
        for n in [1, 2, 3, 5, 8, 10, 12, 19] {
            assert!(Model::piece(&piece[..n]).is_none(), "{n} bytes");
        }
        assert!(Model::piece(&[0x0b]).is_none());
        assert!(Model::piece(&[0xff; 11]).is_none());
        let trainer = [0x12, 4, 0x18, 2, 0xca - 0x02, 1];
        assert!(Model::parse(&trainer).is_none());
    }

    #[test]
    fn a_negative_id_is_none() {
        // TrainerSpec.bos_id = -1: ten bytes of varint.
        let mut trainer = vec![0xc8, 0x02];
        trainer.extend([0xff; 9]);
        trainer.push(1);
        let mut bytes = vec![0x12, trainer.len() as u8];
        bytes.extend(trainer);
        assert_eq!(Model::parse(&bytes).unwrap().bos, -1);
    }
}
