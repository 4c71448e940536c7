//! The null backend against the conformance suite, by its own rule; and its devices that misbehave.

mod tiny;

use yardstick_api::verify::{Generated, compare, expect, observe, reference_options};
use yardstick_api::{Backend, Device, DeviceStatus, Numerics, Options, conformance};
use yardstick_null::Null;

#[test]
fn null_ok_conforms_to_its_own_rule() {
    let report = conformance::run(&Null::new(), &[tiny::case()]);
    assert!(report.passed(), "{report}");
}

fn device(name: &str) -> Device {
    let ready = |status| match status {
        DeviceStatus::Ready(device) => device,
        DeviceStatus::Missing { reason, .. } => panic!("{reason}"),
    };
    let mut devices = Null::misbehaving().devices().into_iter().map(ready);
    devices.find(|device| device.id == format!("null:{name}")).expect("one of ours")
}

#[test]
fn only_null_ok_is_offered_unless_asked() {
    let ids: Vec<_> = Null::new().devices().iter().map(|d| d.id().to_owned()).collect();
    assert_eq!(ids, ["null:ok"]);
}

#[test]
fn verification_passes_null_ok_by_its_own_rule_and_fails_the_liars() {
    let model = tiny::model();
    for sequences in [1, 2] {
        let options = Options { context: Some(32), sequences, ..Options::default() };
        for (name, right) in [("ok", true), ("paced", true), ("wrong", false), ("nan", false)] {
            let load = |name, options| Null::misbehaving().load(&device(name), &model, options);
            let seen = observe(&mut *load(name, &options).unwrap(), tiny::VOCAB).unwrap();
            let mut oracle = load("ok", &reference_options()).unwrap();
            let expected = expect(&mut *oracle, tiny::VOCAB, &seen.generated).unwrap();
            let checks = compare(&seen, &expected, Numerics::F32);
            assert_eq!(checks.len(), if sequences == 2 { 9 } else { 7 });
            assert_eq!(checks.iter().all(|check| check.passed()), right, "{name}: {checks:?}");
            let other = expect(&mut *oracle, tiny::VOCAB, &Generated::default()).unwrap();
            assert!(!other.covers(&seen));
        }
    }
}

#[test]
fn a_context_too_small_to_verify_is_refused() {
    let options = Options { context: Some(31), ..Options::default() };
    let mut session = Null::new().load(&device("ok"), &tiny::model(), &options).unwrap();
    let error = observe(&mut *session, tiny::VOCAB).unwrap_err().to_string();
    assert!(error.contains("takes 32 positions, the context holds 31"), "{error}");
}

/// Runs as a child of the next test only, which names the device in the environment.
#[test]
fn child() {
    let Ok(name) = std::env::var("NULL_TEST_DEVICE") else { return };
    let options = Options { context: Some(64), ..Options::default() };
    let mut session = Null::misbehaving().load(&device(&name), &tiny::model(), &options).unwrap();
    // Crosses verify::CONTEXT, where the late ones wake up.
    let calm = session.generate(&[(yardstick_api::Sequence(0), 1)], 32, &mut |_, _| {
        std::ops::ControlFlow::Continue(())
    });
    eprintln!("calm: {}", calm.is_ok());
    let late = session.generate(&[(yardstick_api::Sequence(0), 1)], 1, &mut |_, _| {
        std::ops::ControlFlow::Continue(())
    });
    eprintln!("late: {}", late.is_ok());
}

#[cfg(unix)]
#[test]
fn devices_misbehave_as_named_and_the_late_ones_not_before() {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;
    type Case = (&'static str, Option<i32>, Option<i32>, &'static str, usize);
    // Name; exit code; signal; what stands on standard error; bytes on standard output.
    let cases: [Case; 9] = [
        ("ok", Some(0), None, "calm: true\nlate: true", 0),
        ("segfault", None, Some(11), "", 0),
        ("abort-late", None, Some(6), "calm: true", 0),
        ("exit-late", Some(3), None, "calm: true", 0),
        ("panic", Some(101), None, "on purpose", 0),
        ("oom", None, Some(6), "memory allocation of", 0),
        ("error-late", Some(0), None, "calm: true\nlate: false", 0),
        ("lost", Some(0), None, "calm: false", 0),
        ("huge-line-late", Some(0), None, "calm: true\nlate: true", 64 << 20),
    ];
    for (name, code, signal, stderr, stdout) in cases {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env("NULL_TEST_DEVICE", name)
            .output()
            .unwrap();
        assert_eq!((output.status.code(), output.status.signal()), (code, signal), "{name}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(stderr), "{name}: {text}");
        assert!(output.stdout.len() >= stdout, "{name}");
    }
}
