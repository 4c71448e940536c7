//! `compare` and `canary` on committed records and on lines: verdicts, exit codes, and what is wrong named by its place.
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use support::Place;

const PEERS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../reports/records/2026-11-21-amd-epyc-zen5-2core-vm-peers.jsonl"
);

#[test]
fn devices_of_a_file_are_compared_in_every_form() {
    let place = Place::new();
    let sides = ["compare", "device:cpu", "device:candle", "--among", PEERS];
    let of = |more: &[&str]| place.run(&[&sides[..], more].concat());
    let (code, out, err) = of(&[]);
    assert_eq!(code, 0, "{err}");
    let first = out.lines().nth(3).unwrap();
    assert!(first.contains("llama-3.2-1b:Q4_0 pp512") && first.contains("24.7× slower"), "{out}");
    assert!(out.contains("tie: 1.011") && out.contains("no record of model smollm"), "{out}");
    for width in ["80", "200"] {
        let mut command = place.yardstick();
        let output = command.env("COLUMNS", width).args(sides).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let width: usize = width.parse().unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
    }
    assert!(of(&["-f", "markdown"]).1.starts_with("### "));
    let (_, json, _) = of(&["-f", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["comparison"]["lines"][0]["shifts"][1]["better"], false);
    let (code, _, err) = of(&["-f", "html"]);
    assert!(code == 2 && err.contains("--output"), "{err}");
    let page = place.path("page.html");
    assert_eq!(of(&["-f", "html", "-o", page.to_str().unwrap()]).0, 0);
    assert!(std::fs::read_to_string(page).unwrap().contains("24.7× slower"));
    let (_, out, _) = of(&["--baseline", "device:candle"]);
    assert!(
        out.contains("device:cpu against device:candle") && out.contains("24.7× faster"),
        "{out}"
    );
    let (code, out, _) = place.run(&["compare", "build:a", "build:b", "--among", PEERS]);
    assert!(code == 0 && out.contains("smollm-135m:Q4_0"), "{out}");
}

#[test]
fn what_cannot_be_compared_says_why() {
    let place = Place::new();
    let broken = place.path("broken.jsonl");
    let lines = std::fs::read_to_string(PEERS).unwrap();
    std::fs::write(&broken, format!("{}\n{{}}\n", lines.lines().next().unwrap())).unwrap();
    let empty = place.path("empty.jsonl");
    std::fs::write(&empty, "\n").unwrap();
    let [broken, empty] = [broken.to_str().unwrap(), empty.to_str().unwrap()];
    let other = PEERS.replace(
        "2026-11-21-amd-epyc-zen5-2core-vm-peers",
        "2026-11-29-amd-epyc-zen4-2core-vm-predictor",
    );
    for (sides, words) in [
        (vec![PEERS, "nothing"], "nothing is no file of records"),
        (vec![PEERS, broken], "broken.jsonl:2"),
        (vec![PEERS, empty], "no records"),
        (vec![PEERS, PEERS], "named twice"),
        (vec![PEERS, &other], "no cell has numbers"),
        (vec!["device:cpu", "device:tpu", "--among", PEERS], "device:tpu is no file of records"),
        (vec!["device:cpu", "device:candle", "--among", "missing"], "--among missing"),
        (vec![PEERS, "/"], "no regular file"),
        (
            vec!["device:cpu", "device:candle", "--among", PEERS, "--baseline", "x"],
            "none of the sides",
        ),
    ] {
        let (code, out, err) = place.run(&[&["compare"], sides.as_slice()].concat());
        assert!(code == 2 && err.contains(words), "{sides:?}: {out}{err}");
    }
}

/// A thousand latencies around `mean`, a cycle of 997 values in a scrambled order.
fn latencies(mean: f64, n: usize) -> String {
    let one = |i: usize| mean * (1.0 + 0.2 * ((i * 389 % 997) as f64 / 997.0 - 0.5));
    (0..n).map(|i| format!("{}\n", one(i))).collect()
}

#[test]
fn a_canary_continues_rolls_back_or_needs_more() {
    let place = Place::new();
    let base = place.path("base");
    std::fs::write(&base, latencies(20.0, 4000)).unwrap();
    let base = base.to_str().unwrap();
    let run = |lines: &str, more: &[&str]| {
        let flags = ["canary", "--baseline", base, "--candidate", "-"];
        let mut command = place.yardstick();
        let output = command.args(flags).args(more).write_stdin(lines.to_owned()).output().unwrap();
        support::ended(output)
    };
    let (code, out, err) = run(&latencies(20.0, 4000), &[]);
    assert!(
        code == 0 && out.contains("CONTINUE") && out.contains("latency p95: continue"),
        "{out}{err}"
    );
    let (code, out, _) = run(&latencies(30.0, 4000), &["--phase", "10"]);
    assert!(
        code == 1 && out.contains("\n  10 % of the traffic: roll back\n    latency p"),
        "{out}"
    );
    let (code, out, _) = run(&latencies(20.0, 10), &[]);
    assert!(code == 3 && out.contains("NEED MORE"), "{out}");
    // Of rates less is worse.
    let (code, _, err) = run(&latencies(15.0, 4000), &["--higher", "latency"]);
    assert_eq!(code, 1, "{err}");
    let (code, out, _) = run(&latencies(20.0, 4000), &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["standing"]), (0, &serde_json::json!("continue")));
    let tagged = |phase: &str, mean| -> String {
        let lines = latencies(mean, 3000);
        lines.lines().map(|v| format!("{{\"latency\": {v}, \"phase\": {phase}}}\n")).collect()
    };
    let (code, out, _) = run(&(tagged("1", 20.0) + &tagged("50", 40.0)), &[]);
    assert!(code == 1 && out.contains("1 % of the traffic: continue"), "{out}");
    for (lines, more, words) in [
        ("20\nNaN\n", &[][..], "-:2: latency: NaN"),
        ("20\n-3\n", &[], "-:2: latency: -3"),
        ("20\nfast\n", &[], "-:2: neither a number nor JSON"),
        ("{\"ttft\": 3}\n", &[], "ttft has no baseline; the baseline has latency"),
        ("{\"latency\": 3, \"phase\": 2}\n", &[], "phase 2 is none of"),
        ("", &[], "no values"),
        ("20\n", &["--phases", "10,1"], "phases"),
        ("20\n", &["--phase", "7"], "--phase: phase 7"),
        ("20\n", &["--caught", "1"], "caught"),
    ] {
        let (code, out, err) = run(lines, more);
        assert!(code == 2 && err.contains(words), "{lines:?}: {out}{err}");
    }
    let (code, _, err) = place.run(&["canary", "--baseline", "missing", "--candidate", base]);
    assert!(code == 2 && err.contains("cannot open missing"), "{err}");
}
