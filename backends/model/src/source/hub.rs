//! Hugging Face's cache: `models--OWNER--REPO/{refs,snapshots,blobs}`.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Located, Tell, invalid, is_sha256, verify};
use crate::Error;
use crate::safetensors::read_limited;

/// Longest file in refs: a commit.
const MAX_REF_BYTES: u64 = 256;

/// A file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubFile {
    /// Owner of the repository.
    pub owner: String,
    /// Its name.
    pub repo: String,
    /// A file in it, perhaps in folders.
    pub file: String,
    /// A branch, tag or commit.
    pub revision: String,
}

/// The cache's folder (`HF_HUB_CACHE`).
#[derive(Clone, Debug)]
pub struct HubCache {
    /// The folder.
    pub folder: PathBuf,
}

impl HubCache {
    /// The folder of a repository.
    pub fn repository(&self, file: &HubFile) -> PathBuf {
        self.folder.join(format!("models--{}--{}", file.owner, file.repo))
    }

    /// Where the file is or will be once its commit is known.
    pub fn snapshot(&self, file: &HubFile, commit: &str) -> PathBuf {
        let snapshot = self.repository(file).join("snapshots").join(commit);
        file.file.split('/').fold(snapshot, |path, part| path.join(part))
    }

    /// The commit a revision stands for here.
    pub fn commit(&self, file: &HubFile) -> Result<Option<String>, Error> {
        if is_commit(&file.revision) {
            return Ok(Some(file.revision.clone()));
        }
        let refs = self.repository(file).join("refs");
        let path = file.revision.split('/').fold(refs, |path, part| path.join(part));
        if !path.is_file() {
            return Ok(None);
        }
        let bytes = read_limited(&path, MAX_REF_BYTES)?;
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        if is_commit(&text) {
            return Ok(Some(text));
        }
        let found = crate::gguf::quote(&text);
        Err(invalid(&path, "commit", found, "40 hexadecimal digits"))
    }

    /// The file, if it is here, compared with the hash that names its blob. `Ok(Err(true))`: stopped,
    /// `Ok(Err(false))`: not here.
    pub fn locate(
        &self,
        file: &HubFile,
        tell: &mut Tell<'_>,
    ) -> Result<Result<Located, bool>, Error> {
        let Some(commit) = self.commit(file)? else { return Ok(Err(false)) };
        let path = self.snapshot(file, &commit);
        if !path.is_file() {
            return Ok(Err(false));
        }
        // Large files are named by their SHA-256, small ones by git's hash; copies on Windows by their own name.
        let io = |source| Error::Io { path: path.display().to_string(), source };
        let blob = fs::canonicalize(&path).map_err(io)?;
        let named = blob.file_name().map(|name| name.to_string_lossy().into_owned());
        let sha256 = named.filter(|name| is_sha256(name));
        if let Some(sha256) = &sha256
            && !verify(&blob, sha256, tell)?
        {
            return Ok(Err(true));
        }
        Ok(Ok(Located { path, sha256 }))
    }

    /// GGUF files of the repository that are here, for messages.
    pub fn there(&self, file: &HubFile) -> Vec<String> {
        let mut names = Vec::new();
        let Ok(Some(commit)) = self.commit(file) else { return names };
        let folder = self.repository(file).join("snapshots").join(commit);
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if Path::new(&name).extension().is_some_and(|end| end == "gguf") {
                names.push(crate::gguf::escape(&name));
            }
        }
        names.sort();
        names
    }
}

/// What git names commits by.
fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}
