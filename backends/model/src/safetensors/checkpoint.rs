//! A checkpoint: all tensors of a model, in one file or in the shards that an index names.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::Dtype;
use super::file::{Safetensors, View};
use super::shards::{MAX_INDEX_BYTES, Shards};
use crate::Error;
use crate::gguf::{Flaw, quote};
use crate::scheme::{Derived, Parts, Scheme, derive};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// All tensors of a model, by name.
pub struct Checkpoint {
    /// As it was named.
    path: PathBuf,
    files: Vec<Safetensors>,
    /// File and position in it.
    places: HashMap<String, (usize, usize), foldhash::fast::RandomState>,
    warnings: Vec<String>,
    /// Matrices of a weight scheme, by name.
    packed: BTreeMap<String, Derived>,
    /// Tensors that those are made of.
    parts: HashSet<String>,
}

impl Checkpoint {
    /// Opens a folder as Hugging Face lays it out, or one file.
    pub fn open(path: &Path) -> Result<Checkpoint, Error> {
        if !path.is_dir() {
            return Checkpoint::of(path, vec![Safetensors::open(path)?], Vec::new());
        }
        let (single, index) = (path.join(SINGLE), path.join(INDEX));
        match (single.is_file(), index.is_file()) {
            (true, sharded) => {
                let ignored = format!("{INDEX} is ignored: there is {SINGLE}");
                let warnings = sharded.then_some(ignored).into_iter().collect();
                Checkpoint::of(path, vec![Safetensors::open(&single)?], warnings)
            }
            (false, true) => Checkpoint::sharded(path, &index),
            (false, false) => {
                let expected = format!("{SINGLE} or {INDEX}");
                Err(flaw(path, "folder", "neither", &expected))
            }
        }
    }

    /// Opens the shards of an index, each of which holds the tensors it is said to hold and no other.
    fn sharded(folder: &Path, index: &Path) -> Result<Checkpoint, Error> {
        let json = read_limited(index, MAX_INDEX_BYTES)?;
        let shards = Shards::parse(&json).map_err(|flaw| flaw.of(&index.display().to_string()))?;
        let mut files = Vec::new();
        for (name, tensors) in &shards.files {
            let path = folder.join(name);
            if !path.is_file() {
                let first = tensors.first().map(|t| quote(t)).unwrap_or_default();
                let found = format!("no such file, and {} tensors are in it", tensors.len());
                let expected = format!("the shard that holds {first}; is the download complete?");
                return Err(flaw(index, &format!("weight_map {}", quote(name)), &found, &expected));
            }
            let file = Safetensors::open(&path)?;
            agree(index, name, tensors, &file)?;
            files.push(file);
        }
        unlisted(folder, index, &shards)?;
        let found: u64 =
            files.iter().flat_map(Safetensors::tensors).map(|tensor| tensor.bytes as u64).sum();
        let stated = shards.total_size.filter(|&stated| stated != found);
        let warnings = stated
            .map(|stated| format!("{INDEX} states a total_size of {stated}; tensors have {found}"));
        Checkpoint::of(folder, files, warnings.into_iter().collect())
    }

    fn of(
        path: &Path,
        files: Vec<Safetensors>,
        mut warnings: Vec<String>,
    ) -> Result<Checkpoint, Error> {
        let mut places = HashMap::default();
        for (f, file) in files.iter().enumerate() {
            for (i, tensor) in file.tensors().iter().enumerate() {
                if let Some((first, _)) = places.insert(tensor.name.clone(), (f, i)) {
                    let first: &Safetensors = &files[first];
                    let found = format!("also in {}", first.path().display());
                    let field = format!("tensor {}", quote(&tensor.name));
                    return Err(file.invalid(field, found, "one file"));
                }
            }
            warnings.extend(file.warnings().iter().cloned());
        }
        let (path, packed, parts) = (path.to_owned(), BTreeMap::new(), HashSet::new());
        Ok(Checkpoint { path, files, places, warnings, packed, parts })
    }

    /// Shows every matrix that a weight scheme packed as one tensor of floats, in the place of its parts.
    pub fn unpack(mut self, scheme: Scheme) -> Result<Checkpoint, Error> {
        let mut packed = BTreeMap::new();
        let mut parts = HashSet::new();
        for tensor in self.tensors() {
            let derived = derive(scheme, tensor.name, &|name| self.tensor(name));
            let derived = derived.map_err(|(name, found, expected)| {
                flaw(self.path_of(&name), &format!("tensor {}", quote(&name)), &found, &expected)
            })?;
            let Some(derived) = derived else { continue };
            parts.extend(derived.used.iter().cloned());
            packed.insert(derived.name.clone(), derived);
        }
        if packed.is_empty() {
            let expected = "packed matrices, as quantization_config says";
            return Err(flaw(&self.path, "tensors", "none that is packed", expected));
        }
        if let Some(both) =
            packed.keys().find(|&name| self.tensor(name).is_some() && !parts.contains(name))
        {
            let field = format!("tensor {}", quote(both));
            return Err(flaw(self.path_of(both), &field, "packed and plain", "one of both"));
        }
        (self.packed, self.parts) = (packed, parts);
        Ok(self)
    }

    /// Matrices of a weight scheme.
    pub fn packed(&self) -> usize {
        self.packed.len()
    }

    fn place(&self, name: &str) -> Option<View<'_>> {
        let &(file, i) = self.places.get(name)?;
        let file = &self.files[file];
        Some(file.view(&file.tensors()[i]))
    }

    fn unpacked<'a>(&'a self, derived: &'a Derived) -> View<'a> {
        let mut bytes: Parts<'a> = [&[]; 3];
        for (bytes, name) in bytes.iter_mut().zip(&derived.parts) {
            *bytes = self.place(name).map_or(&[], |view| view.bytes);
        }
        View {
            name: &derived.name,
            dtype: Dtype::F32,
            shape: &derived.shape,
            bytes: &[],
            packed: Some(derived.packed(bytes)),
        }
    }

    /// The folder or file it was opened from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files it consists of.
    pub fn files(&self) -> &[Safetensors] {
        &self.files
    }

    /// Tensors.
    pub fn len(&self) -> usize {
        self.places.len() - self.parts.len() + self.packed.len()
    }

    /// No tensors.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every tensor: file after file, in the order of their data.
    pub fn tensors(&self) -> impl Iterator<Item = View<'_>> {
        let all = self.files.iter().flat_map(|file| file.tensors().iter().map(|e| file.view(e)));
        let plain = all.filter(|view| !self.parts.contains(view.name));
        plain.chain(self.packed.values().map(|derived| self.unpacked(derived)))
    }

    /// One tensor by name.
    pub fn tensor(&self, name: &str) -> Option<View<'_>> {
        match self.packed.get(name) {
            Some(derived) => Some(self.unpacked(derived)),
            None if self.parts.contains(name) => None,
            None => self.place(name),
        }
    }

    /// The path of the file that holds a tensor; the checkpoint's where none does.
    pub fn path_of(&self, tensor: &str) -> &Path {
        let first = self.packed.get(tensor).and_then(|derived| derived.parts.first());
        let place = self.places.get(first.map_or(tensor, String::as_str));
        place.map_or(&self.path, |&(file, _)| self.files[file].path())
    }

    /// Oddities that do no harm.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// An error when a file on disk is no longer the one that was checked.
    pub fn check_unchanged(&self) -> Result<(), Error> {
        self.files.iter().try_for_each(Safetensors::check_unchanged)
    }
}

/// A shard holds what the index says: nothing missing, nothing more.
fn agree(index: &Path, name: &str, tensors: &[String], file: &Safetensors) -> Result<(), Error> {
    if let Some(missing) = tensors.iter().find(|tensor| file.tensor(tensor).is_none()) {
        let expected = format!("in {}, as weight_map of {} says", quote(name), index.display());
        return Err(file.invalid(format!("tensor {}", quote(missing)), "no such tensor", expected));
    }
    let listed = |name: &String| tensors.binary_search(name).is_ok();
    match file.tensors().iter().find(|tensor| !listed(&tensor.name)) {
        None => Ok(()),
        Some(extra) => {
            let expected = format!("only tensors that weight_map of {} names", index.display());
            Err(file.invalid(
                format!("tensor {}", quote(&extra.name)),
                "not in the index",
                expected,
            ))
        }
    }
}

/// A file named like a shard that the index does not name belongs to another version of the model.
fn unlisted(folder: &Path, index: &Path, shards: &Shards) -> Result<(), Error> {
    let io = |source| Error::Io { path: folder.display().to_string(), source };
    for entry in fs::read_dir(folder).map_err(io)? {
        let name = entry.map_err(io)?.file_name().to_string_lossy().into_owned();
        let shard = name.starts_with("model-") && name.ends_with(".safetensors");
        if shard && !shards.files.contains_key(&name) {
            let expected = "every shard in the folder, or no shards of another version";
            let found = format!("no tensor in {}", quote(&name));
            return Err(flaw(index, "weight_map", &found, expected));
        }
    }
    Ok(())
}

fn flaw(path: &Path, field: &str, found: &str, expected: &str) -> Error {
    Flaw::invalid(field, found, expected).of(&path.display().to_string())
}

/// A small file whole, or an error when it is not small.
pub(crate) fn read_limited(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let io = |source| Error::Io { path: path.display().to_string(), source };
    let metadata = fs::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        return Err(flaw(path, "file", "something else", "a regular file"));
    }
    if metadata.len() > most {
        let found = format!("{} bytes", metadata.len());
        return Err(flaw(path, "file length", &found, &format!("at most {most} bytes")));
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(io)?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, most), &mut bytes).map_err(io)?;
    Ok(bytes)
}
