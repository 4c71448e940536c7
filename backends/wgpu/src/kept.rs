//! What is kept on disk for an adapter between processes: compiled pipelines and what tuning chose. All of it can be made
//! again, so whatever is unreadable, damaged or another driver's counts as absent, and nothing here fails.

use std::io::Read;
use std::path::{Path, PathBuf};

/// A larger file is not ours.
const LARGEST: u64 = 64 << 20;

/// The files of one adapter with one driver.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    folder: Option<PathBuf>,
    /// A hash of everything that tells one adapter and driver from another.
    adapter: u64,
}

impl Kept {
    pub(crate) fn new(folder: Option<&Path>, info: &wgpu::AdapterInfo) -> Kept {
        let of = format!(
            "{:?}|{}|{}|{}|{}|{}|{}",
            info.backend,
            info.vendor,
            info.device,
            info.name,
            info.driver,
            info.driver_info,
            env!("CARGO_PKG_VERSION"),
        );
        Kept { folder: folder.map(Path::to_owned), adapter: hash(of.as_bytes()) }
    }

    /// Whether anything is kept at all.
    pub(crate) fn somewhere(&self) -> bool {
        self.folder.is_some()
    }

    fn path(&self, what: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("{what}-{:016x}", self.adapter)))
    }

    /// What was written last, undamaged.
    pub(crate) fn read(&self, what: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(self.path(what)?).ok()?;
        file.take(LARGEST).read_to_end(&mut bytes).ok()?;
        let (sum, content) = bytes.split_first_chunk::<8>()?;
        (u64::from_le_bytes(*sum) == hash(content)).then(|| content.to_vec())
    }

    /// Writes it beside and moves it into place, so that no reader sees half; whether that went well.
    pub(crate) fn write(&self, what: &str, content: &[u8]) -> bool {
        let Some(path) = self.path(what) else { return false };
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        let bytes = [&hash(content).to_le_bytes()[..], content].concat();
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&beside, bytes))
            .and_then(|()| std::fs::rename(&beside, &path));
        if written.is_err() {
            // What is left of a full disk; if even that fails there is nothing more to do.
            let _ = std::fs::remove_file(&beside);
        }
        written.is_ok()
    }
}

/// FNV-1a, 64 bits: the same for every version of the compiler.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(folder: &Path, name: &str) -> Kept {
        let adapter = name.bytes().map(u64::from).sum();
        Kept { folder: Some(folder.to_owned()), adapter }
    }

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let kept = kept(folder.path(), "one");
        assert_eq!(kept.read("tuning"), None);
        assert!(kept.write("tuning", b"16 splits"));
        assert_eq!(kept.read("tuning").as_deref(), Some(&b"16 splits"[..]));
        let path = kept.path("tuning").unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert_eq!(kept.read("tuning"), None, "{length} bytes");
        }
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(kept.read("tuning"), None, "a changed byte");
    }

    #[test]
    fn adapters_do_not_share_and_no_folder_keeps_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(kept(folder.path(), "one").write("tuning", b"1"));
        assert_eq!(kept(folder.path(), "two").read("tuning"), None);
        let nowhere = Kept { folder: None, adapter: 1 };
        assert!(!nowhere.write("tuning", b"1") && nowhere.read("tuning").is_none());
    }
}
