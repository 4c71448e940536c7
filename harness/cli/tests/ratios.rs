//! Reports and comparisons hold rows against a baseline, and say what they must be held against.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::sync::Once;

use support::{Place, SHORT};

/// A place beside a model that is already written: two tests that write it at once would replace it under each other.
fn place() -> Place {
    static WRITTEN: Once = Once::new();
    let place = Place::new();
    WRITTEN.call_once(|| assert_eq!(place.run(&["model", "make", "tiny:Q4_0"]).0, 0));
    place
}

#[test]
fn a_report_takes_a_baseline_and_refuses_one_that_is_not_there() {
    let place = place();
    let run = ["run", "-m", "tiny:Q4_0", "-d", "cpu:*", "-t", "pp8", "--launches", "3", "--paired"];
    let (code, out, err) = place.run(&[&run[..], &SHORT[..]].concat());
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("noise floor not measured: yardstick run --noise"), "{out}");
    let (code, out, err) = place.run(&["report", "--baseline", "cpu:scalar"]);
    assert_eq!(code, 0, "{err}");
    // A machine whose only variant is scalar has nothing to compare with.
    assert!(out.contains("against cpu:scalar, as asked") || !out.contains("against"), "{out}");
    let (code, _, err) = place.run(&["report", "--baseline", "gpu:9"]);
    assert_eq!(code, 2);
    assert!(err.contains("\"gpu:9\" is none of the devices here: cpu:"), "{err}");
}

#[test]
fn runs_compared_are_held_against_the_first_named_and_the_machines_noise() {
    let place = place();
    let noise = ["run", "--noise", "-m", "tiny:Q4_0", "-d", "cpu", "-t", "pp8", "--launches", "3"];
    let (code, out, err) = place.run(&[&noise[..], &SHORT[..]].concat());
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("noise floor of this machine, measured"), "{out}");
    let run = ["run", "-m", "tiny:Q4_0", "-d", "cpu", "-t", "pp8", "--launches", "3"];
    let mut ids = Vec::new();
    for _ in 0..2 {
        assert_eq!(place.run(&[&run[..], &SHORT[..]].concat()).0, 0);
        let (_, list, _) = place.run(&["report", "--list"]);
        let new = list.lines().filter(|line| line.contains("command line"));
        let new = new.map(|line| line.split_whitespace().next().unwrap().to_owned());
        let new: Vec<String> = new.filter(|id| !ids.contains(id)).collect();
        ids.extend(new);
    }
    let [first, second] = ids.as_slice() else { panic!("{ids:?}") };
    let (code, out, err) = place.run(&["compare", first, second]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(&format!("{second} against {first}")), "{out}");
    assert!(out.contains("Noise floor of this machine: at most"), "{out}");
}
