//! No number without proof, and the proof's cost paid once.

use std::fs;
use std::sync::atomic::AtomicBool;

use yardstick_api::Options;
use yardstick_measure::runner::{LogitsRequest, Stage, logits as write_logits};
use yardstick_measure::suite::Deadlines;
use yardstick_record::{FailureKind, Outcome, VerificationStatus};

use crate::bench::Bench;

pub(crate) fn wrong() {
    let devices = ["null:wrong", "null:nan", "null:paced", "null:ok"];
    let (summary, kept) = Bench::new(&devices, &["tg4", "pp8"], true).run();
    assert_eq!((summary.ok, summary.failed, summary.verified, summary.unverified), (4, 4, 2, 2));
    for device in ["null:wrong", "null:nan"] {
        for record in kept.records.iter().filter(|record| record.cell.device == device) {
            assert!(matches!(&record.outcome, Outcome::Failed { kind: FailureKind::Verify, .. }));
            assert_eq!(record.verification.status, VerificationStatus::Failed);
            assert!(!record.verification.checks.is_empty(), "the checks are kept");
            assert!(record.samples.is_empty(), "{device} was measured");
        }
    }
    let proven = kept.records.iter().find(|record| record.cell.device == "null:paced").unwrap();
    assert_eq!(proven.verification.status, VerificationStatus::Passed);
    // Made-up answers are not those of the real reference.
    let mut bench = Bench::new(&["null:ok"], &["tg4"], true);
    bench.oracle = Some("reference:f32".to_owned());
    let (_, kept) = bench.run();
    assert_eq!(kept.failure("null:ok", "tg4").0, &FailureKind::Verify);
}

pub(crate) fn cache() {
    let bench = Bench::new(&["null:paced"], &["tg4"], true);
    let answers = || -> Vec<_> {
        fs::read_dir(bench.cache()).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    assert_eq!(bench.run().0.verified, 1);
    assert_eq!(answers().len(), 1, "one file of answers and nothing else: {:?}", answers());
    let file = answers().remove(0);
    let written = || fs::metadata(&file).unwrap().modified().unwrap();
    let first = written();
    assert_eq!(bench.run().0.verified, 1);
    assert_eq!(written(), first, "the answers were computed again");
    fs::write(&file, b"damage").unwrap();
    assert_eq!(bench.run().0.verified, 1);
    assert!(fs::metadata(&file).unwrap().len() > 6, "the damaged answers were used");
}

pub(crate) fn only() {
    let mut bench = Bench::new(&["null:paced", "null:wrong", "null:segfault"], &["tg4"], true);
    bench.stage = Stage::Verify;
    let (summary, kept) = bench.run();
    assert!(kept.records.is_empty());
    assert_eq!((summary.verified, summary.unverified), (1, 2));
    assert!(kept.notes.iter().any(|note| note.contains("SIGSEGV")), "{:?}", kept.notes);
}

pub(crate) fn without() {
    let mut bench = Bench::new(&["null:paced"], &["tg4"], true);
    for oracle in [None, Some("null:error".to_owned()), Some("null:abort".to_owned())] {
        bench.oracle = oracle;
        let (summary, kept) = bench.run();
        assert_eq!((summary.ok, summary.skipped), (0, 1));
        let Outcome::Skipped { reason, .. } = kept.outcome("null:paced", "tg4") else {
            panic!("{:?}", kept.records[0].outcome);
        };
        assert!(reason.starts_with("unverified: "), "{reason}");
    }
}

pub(crate) fn resumed() {
    let mut bench = Bench::new(&["null:ok"], &["tg4", "pp8", "ttft4", "tg2@d3"], false);
    let (_, kept) = bench.run();
    bench.done = kept.records[..3].iter().map(|r| (r.cell.key(), r.launch)).collect();
    let (summary, rest) = bench.run();
    assert_eq!((summary.resumed, summary.ok), (3, 1));
    assert_eq!(rest.records[0].cell, kept.records[3].cell);
}

pub(crate) fn logits() {
    let bench = Bench::new(&["null:ok"], &["tg4"], false);
    let (model, out) = (bench.model(), bench.cache().with_extension("f32"));
    let mut files = Vec::new();
    for step in [false, true] {
        let request = LogitsRequest {
            device: "reference:f32",
            model: &model,
            options: &Options { kv: yardstick_api::KvType::F32, ..Options::default() },
            tokens: &[1, 2, 3],
            step,
            out: &out,
        };
        let never = AtomicBool::new(false);
        let shape = write_logits(&bench.worker, &Deadlines::default(), &request, &never).unwrap();
        assert_eq!(shape, (3, 512));
        files.push(fs::read(&out).unwrap());
    }
    assert_eq!(files[0].len(), 3 * 512 * 4);
    let value =
        |file: &[u8], i: usize| f32::from_le_bytes(file[i * 4..i * 4 + 4].try_into().unwrap());
    for i in 0..3 * 512 {
        assert!((value(&files[0], i) - value(&files[1], i)).abs() < 1e-3, "logit {i}");
    }
}
