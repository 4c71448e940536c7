//! What a packed file belongs to: the model's file as far as a load can look at it.
//!
//! Hashing all of a model takes longer than loading it. The key is a hash of the file's length and time of last
//! change, of every tensor's name, format, shape and place, and of pieces of every tensor's bytes, and of the order of its
//! panels; what differs from all of those is another model. A file changed in place without a change of time would go
//! unnoticed only if the pieces stayed the same.

use std::path::Path;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};
use yardstick_model::Model;

use super::Wanted;

/// Pieces looked at in a tensor, and their bytes.
const PIECES: usize = 8;
const PIECE: usize = 64;

/// Layout of the panels and of the file; raised whenever either changes.
pub(super) const VERSION: u32 = 3;

/// The key, 32 bytes.
pub(super) fn of(model: &Model, wanted: &[Wanted]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(VERSION.to_le_bytes());
    stamp(model.gguf().path(), &mut hash);
    for wanted in wanted {
        let (tensor, bytes) = (&wanted.tensor, model.gguf().bytes(&wanted.tensor));
        hash.update((tensor.name.len() as u64).to_le_bytes());
        hash.update(tensor.name.as_bytes());
        hash.update(tensor.format.name().as_bytes());
        let numbers = [wanted.rows, wanted.cols, tensor.offset, bytes.len()];
        for number in numbers.into_iter().chain(wanted.order.numbers()) {
            hash.update((number as u64).to_le_bytes());
        }
        let step = (bytes.len() / PIECES).max(1);
        for piece in bytes.chunks(step) {
            hash.update(&piece[..piece.len().min(PIECE)]);
        }
    }
    hash.finalize().into()
}

/// Length and time of last change, where there is a file.
fn stamp(path: &Path, hash: &mut Sha256) {
    let Ok(known) = std::fs::metadata(path) else { return };
    hash.update(known.len().to_le_bytes());
    let since = known.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    hash.update(since.unwrap_or_default().as_nanos().to_le_bytes());
}
