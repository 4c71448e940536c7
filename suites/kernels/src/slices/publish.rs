//! Files that all sides of a comparison map: named by what they hold, so that two builds with one layout read one memory, and a
//! build with another layout reads its own.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The file of these bytes in a folder; written if it is not there.
pub(super) fn publish(bytes: &[u8], folder: &Path) -> std::io::Result<PathBuf> {
    let hash = Sha256::digest(bytes);
    let name: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let file = folder.join(format!("{name}.slices"));
    if fs::metadata(&file).is_ok_and(|found| found.len() == bytes.len() as u64) {
        return Ok(file);
    }
    fs::create_dir_all(folder)?;
    let own = folder.join(format!("{name}.part-{}", std::process::id()));
    let written = fs::write(&own, bytes).and_then(|()| fs::rename(&own, &file));
    if written.is_err() {
        let _ = fs::remove_file(&own);
    }
    written.map(|()| file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_are_one_file_and_others_another() {
        let folder = std::env::temp_dir().join(format!("slices-{}", std::process::id()));
        let one = publish(b"one", &folder).unwrap();
        assert_eq!(publish(b"one", &folder).unwrap(), one);
        assert_ne!(publish(b"two", &folder).unwrap(), one);
        assert_eq!(fs::read(&one).unwrap(), b"one");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(&folder).unwrap();
    }
}
