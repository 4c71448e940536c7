//! What is wrong is said clearly, with the exit code that the manual promises, and nothing is lost.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::fs;

use support::{Place, SHORT};
use yardstick_record::{FailureKind, Outcome, Phase};

#[test]
fn errors_of_the_request_come_before_any_measurement() {
    let place = Place::new();
    let suite = place.path("suite.toml");
    fs::write(
        &suite,
        "name = \"x\"\ntests = [\"pp8\"]\nmodels = [\"tiny:Q4_0\"]\ndevises = [\"cpu\"]\n",
    )
    .unwrap();
    let suite = suite.to_str().unwrap();
    let cases: [(&[&str], &[&str]); 10] = [
        (&["run", "--suite", suite], &["devises", "4"]),
        (&["run", "--suite", "no-such-suite"], &["no-such-suite", "quick"]),
        (&["run", "-m", "tiny:Q4_0", "-d", "gpu:7"], &["gpu:7", "cpu:scalar"]),
        (&["run", "-m", "tiny:Q9_9"], &["Q9_9", "Q4_K_M"]),
        (&["run", "-m", "no/such/file.gguf"], &["no/such/file.gguf", "smollm-135m"]),
        (&["run", "-m", "tiny:Q4_0", "-t", "warp9"], &["warp9", "ppN"]),
        (&["run", "-m", "tiny:Q4_0", "--kv", "f64"], &["f64", "f16"]),
        (&["report"], &["no store"]),
        (&["run", "--no-such-flag"], &["--no-such-flag"]),
        (&["run", "--resume", "-t", "pp8"], &["--resume", "--test"]),
    ];
    for (arguments, words) in cases {
        let (code, out, err) = place.run(arguments);
        assert_eq!(code, 2, "{arguments:?}: {out}{err}");
        for word in words {
            assert!(err.contains(word), "{arguments:?}: no {word:?} in {err}");
        }
    }
    assert!(
        !place.path("records.sqlite").exists() || place.run(&["report", "--list"]).1.is_empty()
    );
}

#[test]
fn a_broken_model_costs_its_cells_and_no_others() {
    let place = Place::new();
    let whole = place.run(&["model", "make", "tiny:Q4_0"]).1;
    let whole = fs::read(whole.split_whitespace().nth(2).unwrap()).unwrap();
    let (cut, garbage) = (place.path("cut.gguf"), place.path("garbage.gguf"));
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    fs::write(&garbage, b"GGUF\x03\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff").unwrap();
    let models = [cut.to_str().unwrap(), garbage.to_str().unwrap()];
    let (code, records, err) = place.records(
        &[
            &["-m", models[0], "-m", models[1], "-m", "tiny:Q4_0", "-d", "cpu", "-t", "pp8"],
            &SHORT[..],
        ]
        .concat(),
    );
    assert_eq!((code, records.len()), (1, 3), "{err}");
    for record in &records {
        let good = record.cell.model.name == "tiny:Q4_0";
        assert_eq!(record.outcome.is_ok(), good, "{:?}", record.outcome);
        if let Outcome::Failed { message, .. } = &record.outcome {
            assert!(message.contains(".gguf") && message.contains("found"), "{message}");
        }
    }
}

#[test]
fn a_model_that_does_not_fit_is_skipped_with_the_numbers() {
    let place = Place::new();
    let flags =
        ["-m", "tiny:Q4_0", "-d", "cpu", "-t", "pp8", "--context", "16000000", "--kv", "f32"];
    let (code, records, err) = place.records(&[&flags[..], &["--sequences", "64"]].concat());
    assert_eq!((code, records.len()), (0, 1), "{err}");
    let Outcome::Skipped { reason, .. } = &records[0].outcome else {
        panic!("{:?}", records[0].outcome)
    };
    assert!(reason.contains("iB"), "no sizes in {reason}");
}

#[test]
fn a_store_that_cannot_be_used_is_named() {
    let place = Place::new();
    let flags = [&["run", "-m", "tiny:Q4_0", "-d", "cpu", "-t", "pp8"], &SHORT[..]].concat();
    let store = place.path("records.sqlite");
    fs::write(&store, "this is not a database, it only has the name of one\n".repeat(40)).unwrap();
    let (code, _, err) = place.run(&flags);
    assert!(code == 2 && err.contains("records.sqlite"), "{err}");
    fs::remove_file(&store).unwrap();
    fs::create_dir(&store).unwrap();
    let (code, _, err) = place.run(&flags);
    assert!(code == 2 && err.contains("records.sqlite"), "{err}");
}

#[test]
fn two_runs_share_a_store() {
    let place = Place::new();
    place.run(&["model", "make", "tiny:Q4_0"]);
    std::thread::scope(|scope| {
        let run = |seed: &'static str| {
            let place = &place;
            scope.spawn(move || {
                place.run(&[
                    "run",
                    "-m",
                    "tiny:Q4_0",
                    "-d",
                    "cpu",
                    "-t",
                    "pp8,tg4",
                    "--repetitions",
                    "2",
                    "--seed",
                    seed,
                ])
            })
        };
        for thread in [run("1"), run("2")] {
            let (code, out, err) = thread.join().unwrap();
            assert_eq!(code, 0, "{out}{err}");
        }
    });
    let (_, list, _) = place.run(&["report", "--list"]);
    assert_eq!(list.matches("2 records: 2 ok").count(), 2, "{list}");
}

#[test]
fn a_device_that_misbehaves_costs_only_its_own_cells() {
    let place = Place::new();
    let devices = "null:segfault,null:exit,null:nan,cpu";
    let (code, records, err) = place.records(
        &[&["--test-doubles", "-m", "tiny:Q4_0", "-d", devices, "-t", "pp8"], &SHORT[..]].concat(),
    );
    assert_eq!((code, records.len()), (1, 4), "{err}");
    for record in &records {
        let outcome = &record.outcome;
        let expected = match record.cell.device.as_str() {
            "null:segfault" => {
                matches!(
                    outcome,
                    Outcome::Failed {
                        kind: FailureKind::Crash { signal: 11, phase: Phase::Verify },
                        ..
                    }
                )
            }
            "null:exit" => {
                matches!(outcome, Outcome::Failed { kind: FailureKind::Exit { .. }, .. })
            }
            "null:nan" => matches!(outcome, Outcome::Failed { kind: FailureKind::Verify, .. }),
            _ => outcome.is_ok(),
        };
        assert!(expected, "{}: {outcome:?}", record.cell.device);
    }
}

#[test]
fn a_full_disk_under_a_report_is_an_error_not_a_panic() {
    if !std::path::Path::new("/dev/full").exists() {
        eprintln!("skipped: no /dev/full");
        return;
    }
    let place = Place::new();
    let flags = [&["-m", "tiny:Q4_0", "-d", "cpu", "-t", "pp8"], &SHORT[..]].concat();
    assert_eq!(place.records(&flags).0, 0);
    let (code, _, err) = place.run(&["report", "-f", "csv", "-o", "/dev/full"]);
    assert!(code == 2 && err.contains("/dev/full"), "{err}");
}
