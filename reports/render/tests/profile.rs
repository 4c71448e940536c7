//! A profile as text and page: what is hostile in names stays harmless, what is missing has its reason.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use yardstick_analyse::profile::{Counted, Counter, Profiled, Roof, Roofs, Round, Sustained, why};
use yardstick_api::{Known, OperationTime};
use yardstick_render::{
    Meta, ProfileReport, profile_html, profile_json, profile_markdown, profile_terminal,
};

const HOSTILE: &str = "<script>alert(1)</script>\u{1b}[31m|x";

fn cell(label: &str, ns: u64, counted: bool) -> Profiled {
    let roof = |per_second: f64| {
        let sustained = Some(Sustained { per_second: per_second * 0.9, seconds: 1.0 });
        Known::Value(Roof { per_second, sustained, label: HOSTILE.into() })
    };
    let mut operation = OperationTime::timed(format!("ffn{HOSTILE}"), 2, ns);
    if counted {
        (operation.bytes, operation.operations) =
            (Known::Value(1_000_000), Known::Value(3_000_000));
    }
    let round = Round {
        headline_ns: ns as f64 + 5.0,
        wall_ns: ns as f64 + 10.0,
        operations: vec![operation],
    };
    Profiled {
        label: label.into(),
        model: HOSTILE.into(),
        device: HOSTILE.into(),
        test: "tg1".parse().unwrap(),
        threads: Known::Value(1),
        passes: 1,
        rounds: vec![round; 6],
        roofs: Roofs {
            read: roof(1e10),
            products: roof(1e12),
            attention: Known::unavailable(HOSTILE),
            barrier_ns: Known::unavailable("no barrier"),
        },
        counted: Known::unavailable("synthetic"),
        counters: Vec::new(),
    }
}

#[test]
fn hostile_names_are_harmless_in_every_form() {
    let cells = [cell(HOSTILE, 200_000, true), cell("b", 400_000, true)];
    let ledger = why(&cells[0], &cells[1]);
    let report =
        ProfileReport { cells: &cells, ledger: ledger.as_ref(), layers: true, remarks: &[] };
    let meta = Meta { title: HOSTILE.into(), generated: "now".into(), tool: "y".into() };
    let page = profile_html(&report, &meta);
    assert!(!page.contains("<script>") && !page.contains('\u{1b}') && page.contains("<svg"));
    for text in [profile_terminal(&report, 80), profile_markdown(&report), profile_json(&report)] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    assert!(!profile_markdown(&report).contains("<script>"));
    let lines = profile_terminal(&report, 80);
    assert!(lines.lines().all(|line| line.chars().count() <= 80), "{lines}");
}

#[test]
fn the_sentence_names_ratio_shares_and_terms_and_leaves_out_a_share_of_nothing() {
    let words = |cells: &[Profiled; 2]| {
        let ledger = why(&cells[0], &cells[1]);
        let report = ProfileReport { cells, ledger: ledger.as_ref(), layers: false, remarks: &[] };
        profile_terminal(&report, 4000)
    };
    let mut cells = [cell("Q4", 200_000, true), cell("Q8", 500_000, true)];
    for round in &mut cells[1].rounds {
        round.operations[0].bytes = Known::Value(2_000_000);
    }
    let text = words(&cells);
    assert!(text.contains("Q4 is 2.50x, not 2.00x, as fast as Q8: bytes explain 2.00x"), "{text}");
    assert!(text.contains("it reaches 50 % of the read rate where Q8 reaches 40 %"), "{text}");
    for cell in &mut cells {
        cell.roofs.read =
            Known::Value(Roof { per_second: 1e12, sustained: None, label: String::new() });
    }
    let text = words(&cells);
    assert!(!text.contains("of the read rate where"), "{text}");
}

#[test]
fn what_nobody_counts_is_a_dash_with_its_reason_and_no_roofline() {
    let mut cells = [cell("a", 200_000, false)];
    let missing = |name: &str| Counter { name: name.into(), value: Known::unavailable("refused") };
    cells[0].counters = vec![missing("cycles"), missing("instructions")];
    cells[0].counted = Known::Value(Counted { weight_bytes: 1e6, kv_bytes: 0.0, operations: 2e6 });
    let report = ProfileReport { cells: &cells, ledger: None, layers: false, remarks: &[] };
    let text = profile_terminal(&report, 200);
    assert!(text.contains("–¹") && text.contains("¹ the backend does not say"), "{text}");
    assert!(text.contains("cycles, instructions missing: refused."), "{text}");
    assert!(text.contains("which roof limits it is not known"), "{text}");
    let meta = Meta { title: "t".into(), generated: "now".into(), tool: "y".into() };
    assert!(profile_html(&report, &meta).contains("No roofline: the backend counts neither"));
}
