//! Machine code on disk, named by everything it depends on: source, definitions, architecture, compiler and driver.
//! A cache that cannot be read or written costs time, never an answer; a damaged file is compiled anew.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use yardstick_api::Error;

use super::nvrtc::{Compiled, Nvrtc};
use crate::kernels::{options, source};
use crate::machine::{Gpu, Unit};

/// Turns a unit into machine code.
type Compile = dyn FnMut(&Unit, &str) -> Result<Vec<u8>, Error>;

/// See the file's head.
pub(super) struct Cache {
    /// `None`: nothing is kept.
    folder: Option<PathBuf>,
    compile: Box<Compile>,
}

impl Cache {
    /// Code of this folder, and NVRTC for what it lacks, loaded when first needed.
    pub(super) fn new(folder: Option<PathBuf>, driver: i32) -> Cache {
        let mut nvrtc = None;
        let compile = move |unit: &Unit, arch: &str| {
            let nvrtc = match &mut nvrtc {
                Some(nvrtc) => nvrtc,
                none => none
                    .insert(Nvrtc::load(driver).map_err(|missing| Error::Device(missing.reason))?),
            };
            let Compiled { code, .. } =
                nvrtc.compile(unit.entry, &source(unit), &options(unit, arch))?;
            Ok(code)
        };
        Cache { folder, compile: Box::new(compile) }
    }

    /// Machine code, and whether it comes from the disk.
    pub(super) fn code(&mut self, unit: &Unit, gpu: &Gpu) -> Result<(Vec<u8>, bool), Error> {
        match self.path(unit, gpu).and_then(|path| read(&path)) {
            Some(code) => Ok((code, true)),
            None => Ok((self.anew(unit, gpu)?, false)),
        }
    }

    /// Compiles, and keeps it where that can be done.
    pub(super) fn anew(&mut self, unit: &Unit, gpu: &Gpu) -> Result<Vec<u8>, Error> {
        let code = (self.compile)(unit, &gpu.arch())?;
        if let Some(path) = self.path(unit, gpu) {
            write(&path, &code);
        }
        Ok(code)
    }

    fn path(&self, unit: &Unit, gpu: &Gpu) -> Option<PathBuf> {
        let known =
            |value: &yardstick_api::Known<String>| value.value().cloned().unwrap_or_default();
        let compiler = gpu.notes.get("compiler").map(known).unwrap_or_default();
        let parts =
            [source(unit), options(unit, &gpu.arch()).join(" "), compiler, known(&gpu.driver)];
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let name: String = hasher.finalize()[..12].iter().map(|b| format!("{b:02x}")).collect();
        let folder = self.folder.as_ref()?;
        Some(folder.join(format!("{}-{}-{name}.cubin", unit.entry, gpu.arch())))
    }
}

/// What a file holds, if it is whole: its code behind the code's hash.
fn read(path: &Path) -> Option<Vec<u8>> {
    let bytes = std::fs::read(path).ok()?;
    let (hash, code) = bytes.split_at_checked(32)?;
    (Sha256::digest(code)[..] == *hash).then(|| code.to_owned())
}

/// Whole or not at all: written beside, then renamed.
fn write(path: &Path, code: &[u8]) {
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let bytes = [&Sha256::digest(code)[..], code].concat();
    let Some(folder) = path.parent() else { return };
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&part, bytes))
        .and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;
    use std::rc::Rc;

    use yardstick_api::{DeviceClass, Known};

    use super::*;

    fn gpu(driver: &str) -> Gpu {
        Gpu {
            name: "fake".into(),
            capability: (9, 0),
            processors: 1,
            memory_bytes: 1.into(),
            driver: Known::Value(driver.into()),
            class: DeviceClass::Emulated,
            unfit: None,
            notes: BTreeMap::new(),
        }
    }

    /// A cache whose compiler counts, and gives back the architecture.
    fn counting(folder: Option<PathBuf>) -> (Cache, Rc<Cell<usize>>) {
        let count = Rc::new(Cell::new(0));
        let counted = Rc::clone(&count);
        let compile = move |_: &Unit, arch: &str| {
            counted.set(counted.get() + 1);
            Ok(arch.as_bytes().to_vec())
        };
        (Cache { folder, compile: Box::new(compile) }, count)
    }

    #[test]
    fn code_is_compiled_once_for_a_source_a_driver_and_an_architecture() {
        let folder = tempfile::tempdir().unwrap();
        let unit = Unit { entry: "argmax", defines: vec![] };
        let other = Unit { entry: "argmax", defines: vec![("ROWS", "4".into())] };
        let (mut cache, count) = counting(Some(folder.path().join("new")));
        assert_eq!(cache.code(&unit, &gpu("1")).unwrap(), (b"sm_90".to_vec(), false));
        assert_eq!(cache.code(&unit, &gpu("1")).unwrap(), (b"sm_90".to_vec(), true));
        assert_eq!(count.get(), 1);
        for (unit, gpu) in
            [(&other, gpu("1")), (&unit, gpu("2")), (&unit, Gpu { capability: (8, 6), ..gpu("1") })]
        {
            assert!(!cache.code(unit, &gpu).unwrap().1);
        }
    }

    #[test]
    fn a_damaged_file_is_compiled_anew_and_a_folder_that_cannot_be_written_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let unit = Unit { entry: "argmax", defines: vec![] };
        let (mut cache, count) = counting(Some(folder.path().to_owned()));
        cache.code(&unit, &gpu("1")).unwrap();
        let path = cache.path(&unit, &gpu("1")).unwrap();
        for damage in [&b""[..], &[7; 60]] {
            std::fs::write(&path, damage).unwrap();
            assert_eq!(cache.code(&unit, &gpu("1")).unwrap(), (b"sm_90".to_vec(), false));
            assert!(cache.code(&unit, &gpu("1")).unwrap().1);
        }
        assert_eq!(count.get(), 3);
        // A file where the folder should be.
        let (mut cache, count) = counting(Some(path));
        for _ in 0..2 {
            assert!(!cache.code(&unit, &gpu("1")).unwrap().1);
        }
        assert_eq!(count.get(), 2);
    }
}
