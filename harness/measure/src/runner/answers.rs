//! The oracle's answers: computed by a worker of their own, kept on disk under the hash of all they depend on.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use yardstick_api::verify::{self, Expected, Generated};
use yardstick_api::{Options, WeightScheme};
use yardstick_record::Phase;

use super::{Prepared, Run};
use crate::child::{CallError, Child};
use crate::protocol::{Call, Load};

/// Answers larger than this are not ours.
const MAX_BYTES: u64 = 1 << 30;

/// What the answers depend on beside the model.
pub(super) struct Asked<'a> {
    /// What the device generated.
    pub(super) generated: &'a Generated,
    /// Positions it was loaded with.
    pub(super) context: usize,
    /// How its weights were rounded.
    pub(super) weights: Option<WeightScheme>,
}

/// The oracle's answers for a model, from the cache or computed now.
pub(super) fn expected(
    run: &Run<'_>,
    oracle: &str,
    model: &Prepared,
    asked: &Asked<'_>,
    scratch: &Path,
) -> Result<Expected, CallError> {
    let &Asked { generated, context, weights } = asked;
    let rotary_context = model.rotary_context(context);
    let kept = path(run, oracle, model, generated, (rotary_context, weights));
    if let Some(expected) = read(&kept) {
        return Ok(expected);
    }
    let options = Options { rotary_context, weights, ..verify::reference_options() };
    compute(run, oracle, model, generated, options, scratch)?;
    let unreadable = |error: verify::ReadError| CallError::Fault {
        kind: crate::protocol::FaultKind::Io,
        message: format!("the reference's answers: {error}"),
        fix: None,
    };
    let bytes = fs::read(scratch).map_err(|error| unreadable(error.into()))?;
    let expected = Expected::read_from(&mut &bytes[..]).map_err(unreadable)?;
    // A cache that cannot be written costs time, not truth.
    let _ = write(&kept, &bytes);
    Ok(expected)
}

fn compute(
    run: &Run<'_>,
    oracle: &str,
    model: &Prepared,
    generated: &Generated,
    options: Options,
    scratch: &Path,
) -> Result<(), CallError> {
    let (mut child, _) = Child::start(&run.own().command, &run.plan.deadlines, run.cancel)?;
    let load = Load { device: oracle.to_owned(), model: model.path.display().to_string(), options };
    child.call(Call::Plan(load.clone()), Phase::Plan, run.cancel, &mut |_| {})?;
    child.call(Call::Load(load), Phase::Load, run.cancel, &mut |_| {})?;
    let file = scratch.display().to_string();
    let expect = Call::Expect { generated: generated.clone(), file };
    child.call(expect, Phase::Verify, run.cancel, &mut |_| {})?;
    child.stop();
    Ok(())
}

/// The file's name is the hash of everything the answers depend on.
fn path(
    run: &Run<'_>,
    oracle: &str,
    model: &Prepared,
    generated: &Generated,
    options: (Option<usize>, Option<WeightScheme>),
) -> PathBuf {
    let key = (
        oracle,
        &model.reference.sha256,
        verify::VERSION,
        generated,
        options,
        (&run.tool.version, &run.tool.commit),
    );
    let key = serde_json::to_vec(&key).expect("the key is plain data");
    let name: String = Sha256::digest(&key).iter().map(|byte| format!("{byte:02x}")).collect();
    run.cache.join(format!("{name}.expected"))
}

/// The answers, if they are there and whole; a damaged file is removed.
fn read(path: &Path) -> Option<Expected> {
    let size = fs::metadata(path).ok()?.len();
    let bytes = if size <= MAX_BYTES { fs::read(path).ok()? } else { Vec::new() };
    let expected = whole(&bytes).and_then(|content| Expected::read_from(&mut &content[..]).ok());
    if expected.is_none() {
        let _ = fs::remove_file(path);
    }
    expected
}

/// The content after its hash, if it matches.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let (hash, content) = bytes.split_at_checked(32)?;
    (Sha256::digest(content).as_slice() == hash).then_some(content)
}

/// Whole or not at all: written beside, then renamed.
fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension(format!("{}.part", std::process::id()));
    let bytes = [Sha256::digest(content).as_slice(), content].concat();
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Vec<u8> {
        let expected = Expected {
            vocab: 2,
            groups: Vec::new(),
            generated: Generated { sequences: 1, ids: vec![1] },
            shortfalls: vec![0.5],
        };
        let mut content = Vec::new();
        expected.write_to(&mut content).unwrap();
        content
    }

    #[test]
    fn damaged_answers_are_removed_and_never_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.expected");
        write(&path, &content()).unwrap();
        assert_eq!(read(&path).unwrap().shortfalls, [0.5]);
        let good = fs::read(&path).unwrap();
        for damage in 0..good.len() {
            let mut bytes = good.clone();
            bytes[damage] ^= 1;
            fs::write(&path, &bytes).unwrap();
            assert!(read(&path).is_none(), "byte {damage} was changed");
            assert!(!path.exists());
        }
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(read(&path).is_none());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something was left behind");
    }
}
