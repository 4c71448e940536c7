//! ONNX Runtime from the command line: a runtime that crashes costs its own lines, and a device that is not there is skipped with
//! its own reason; nothing falls back to another.
#![allow(missing_docs, clippy::unwrap_used)]
#![cfg(feature = "ort")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Place, SHORT};
use yardstick_record::{FailureKind, Outcome, Phase};

/// Ends the process that asks what it is.
const CRASHES: &str = "#include <stdlib.h>\nconst void *OrtGetApiBase(void) { abort(); }\n";

fn library(folder: &Path, source: &str) -> Option<PathBuf> {
    let (text, file) = (folder.join("runtime.c"), folder.join("libonnxruntime.so"));
    std::fs::write(&text, source).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&file, &text]).status();
    built.is_ok_and(|status| status.success()).then_some(file)
}

/// Where `ci/setup.sh runtimes` puts them; says so where it did not.
fn packages() -> Option<String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools").join("onnxruntime");
    if !folder.is_dir() {
        println!("skipped: no {}; ci/setup.sh runtimes", folder.display());
        return None;
    }
    Some(folder.to_str().unwrap().to_owned())
}

#[test]
fn a_runtime_that_crashes_when_asked_costs_its_own_lines_only() {
    let place = Place::new();
    let Some(file) = library(&place.path(""), CRASHES) else {
        return println!("skipped: there is no C compiler");
    };
    let (code, out, err) = place.run(&["devices", "--runtime", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("cpu:scalar") && out.contains("reference:f32"), "{out}");
    let line = out.lines().find(|line| line.split_whitespace().next() == Some("ort")).unwrap();
    assert!(line.contains("missing"), "{out}");
    assert!(out.contains("SIGABRT") || out.contains("signal 6"), "{out}");
}

#[test]
fn an_npu_that_is_not_there_is_skipped_with_its_reason_and_fix() {
    let place = Place::new();
    let Some(packages) = packages() else { return };
    let (_, records, err) = place.records(&[
        "--devices",
        "ort:openvino-npu",
        "--model",
        "tiny:Q4_0",
        "--test",
        "tg1",
        "--runtime",
        &packages,
    ]);
    assert_eq!(records.len(), 1, "{err}");
    assert_eq!(records[0].cell.device, "ort:openvino-npu");
    match &records[0].outcome {
        Outcome::Skipped { reason, fix } => {
            assert!(reason.contains("NPU"), "{reason}");
            assert!(fix.as_ref().is_some_and(|fix| fix.contains("intel-npu-driver")), "{fix:?}");
        }
        other => panic!("not skipped: {other:?}"),
    }
}

#[test]
fn weights_rounded_anew_are_verified_as_such_and_their_divergence_is_told() {
    let Some(packages) = packages() else { return };
    let place = Place::new();
    let flags = ["-m", "tiny:Q8_0", "-t", "tg4", "--threads", "1", "--runtime", &packages];
    let anew = ["-d", "ort:cpu", "--weights", "file,int8-channel,w8a16,int4-g128,int4-channel"];
    let (code, records, err) = place.records(&[&flags[..], &anew, &SHORT].concat());
    assert_eq!((code, records.len()), (0, 5), "{err}");
    let mut costs = Vec::new();
    for record in &records {
        assert_eq!(record.outcome, Outcome::Ok, "{:?}", record.cell.options);
        let divergence = record.verification.divergence.as_ref();
        match record.cell.options.weights {
            None => assert!(divergence.is_none()),
            Some(scheme) => costs.push((scheme.name(), *divergence.unwrap().value().unwrap())),
        }
    }
    println!("{costs:?}");
    let of = |name: &str| costs.iter().find(|(scheme, _)| *scheme == name).unwrap().1;
    // Rows are 2 to 4 groups long here, too short for groups to be told from channels.
    for coarse in ["int4-g128", "int4-channel"] {
        assert!(10.0 * of("int8-channel") < of(coarse), "{costs:?}");
    }
    let (_, records, _) =
        place.records(&[&flags[..], &["-d", "cpu:scalar", "--weights", "int4-g128"]].concat());
    assert!(
        matches!(&records[0].outcome, Outcome::Skipped { reason, .. } if reason.contains("int4-g128")),
        "{:?}",
        records[0].outcome
    );
}

#[test]
fn a_provider_that_has_not_compiled_by_the_deadline_is_killed_and_told_as_such() {
    let Some(packages) = packages() else { return };
    let place = Place::new();
    let suite = place.path("impatient.toml");
    let text = r#"
name = "impatient"
analysis = "What becomes of a provider that compiles for longer than it may."
tests = ["tg1"]
models = ["tiny"]
quantisations = ["Q4_0"]
devices = ["ort:openvino-cpu"]
[deadlines]
load = 0.02
"#;
    std::fs::write(&suite, text).unwrap();
    let (_, records, err) =
        place.records(&["--suite", suite.to_str().unwrap(), "--runtime", &packages]);
    assert_eq!(records.len(), 1, "{err}");
    let timeout = FailureKind::Timeout { phase: Phase::Load };
    match &records[0].outcome {
        Outcome::Failed { kind, .. } => assert_eq!(kind, &timeout, "{err}"),
        other => panic!("not failed: {other:?}"),
    }
}
