//! Names by contents.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

/// The first `bytes` of a SHA-256, as hexadecimal digits.
pub(crate) fn hex(data: &[u8], bytes: usize) -> String {
    digits(&Sha256::digest(data), bytes)
}

/// The SHA-256 of a file, whole, and its length; read piece by piece.
pub(crate) fn of_file(path: &Path) -> std::io::Result<(String, u64)> {
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    let (mut buffer, mut length) = (vec![0; 1 << 20], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((digits(&hasher.finalize(), 32), length)),
            n => {
                hasher.update(&buffer[..n]);
                length += n as u64;
            }
        }
    }
}

fn digits(hash: &[u8], bytes: usize) -> String {
    hash.iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}
