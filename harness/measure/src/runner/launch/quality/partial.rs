//! Sums of the windows done, kept on disk: a test that is interrupted or killed goes on where it was.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::quality::data::hash;
use crate::quality::sums::Sums;

/// The file, a line a window, in order.
pub(super) struct Partial {
    pub(super) path: PathBuf,
    file: File,
    pub(super) done: Vec<Sums>,
}

impl Partial {
    /// What is kept under a key; lines after one that is not whole are dropped.
    pub(super) fn open(folder: &Path, key: &str, most: usize) -> std::io::Result<Partial> {
        let path = folder.join(format!("{}.windows", hash(key.as_bytes())));
        let text = match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let mut done: Vec<Sums> = whole.map_while(|line| serde_json::from_str(line).ok()).collect();
        done.truncate(most);
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(&path)?;
        let mut partial = Partial { path, file, done: Vec::new() };
        for sums in done {
            partial.add(sums)?;
        }
        Ok(partial)
    }

    /// Keeps the next window.
    pub(super) fn add(&mut self, sums: Sums) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(&sums)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.flush()?;
        self.done.push(sums);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(n: u64) -> Sums {
        Sums { n, nll: 0.1 + n as f64, ..Sums::default() }
    }

    #[test]
    fn windows_are_kept_and_a_cut_line_is_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let open = |key| Partial::open(folder.path(), key, 10).unwrap();
        let mut first = open("a");
        first.add(sums(1)).unwrap();
        first.add(sums(2)).unwrap();
        let path = first.path.clone();
        drop(first);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"n\":3,\"nll\"");
        std::fs::write(&path, text).unwrap();
        assert_eq!(open("a").done, [sums(1), sums(2)]);
        assert_eq!(open("a").done, [sums(1), sums(2)], "opening changes nothing");
        assert!(open("b").done.is_empty());
        assert_eq!(Partial::open(folder.path(), "a", 1).unwrap().done, [sums(1)]);
    }
}
