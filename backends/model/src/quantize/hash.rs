//! SHA-256 as lower-case hex, of bytes and of files.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;

use sha2::{Digest, Sha256};

/// A finished hash as lower-case hex.
pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The hash of bytes in memory.
pub(crate) fn hex_of(bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hex(hash)
}

/// The hash of a whole file.
pub(crate) fn hex_of_file(path: &Path) -> io::Result<String> {
    let hash = hex_of_file_telling(path, &mut |_| ControlFlow::Continue(()))?;
    Ok(hash.unwrap_or_default())
}

/// As [`hex_of_file`]; `tell` hears of the bytes read and may stop it.
pub(crate) fn hex_of_file_telling(
    path: &Path,
    tell: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> io::Result<Option<String>> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let (mut buffer, mut done) = (vec![0; 1 << 20], 0);
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(Some(hex(hash)));
        }
        hash.update(&buffer[..n]);
        done += n as u64;
        if tell(done).is_break() {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_hash_of_abc_is_the_standards() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(super::hex_of(b"abc"), abc);
    }
}
