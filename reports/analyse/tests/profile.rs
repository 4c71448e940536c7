//! Splits and ledgers of synthetic profiles whose answers are known.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use yardstick_analyse::profile::{
    Backed, Bound, Cause, Counter, Ledger, Part, Pass, Profiled, Roof, Roofs, Round, held, split,
    why,
};
use yardstick_api::{Known, OperationTime};

/// 10 GB/s, 1 TOPS, meetings of 1 µs.
fn roofs(read: f64, arithmetic: f64) -> Roofs {
    let roof = |per_second: f64, label: &str| {
        Known::Value(Roof { per_second, sustained: None, label: label.into() })
    };
    Roofs {
        read: roof(read, "memory"),
        products: roof(arithmetic, "int8"),
        attention: roof(arithmetic / 4.0, "f32"),
        barrier_ns: Known::Value(1000.0),
    }
}

fn operation(name: &str, calls: u64, ns: u64, bytes: u64, operations: u64) -> OperationTime {
    OperationTime {
        name: name.into(),
        layer: None,
        calls,
        nanoseconds: ns,
        bytes: Known::Value(bytes),
        operations: Known::Value(operations),
    }
}

/// Rounds of one pass each, alike; `outside`: between operations, `own`: what the profile costs.
fn cell(label: &str, operations: &[OperationTime], outside: f64, own: f64) -> Profiled {
    let inside: u64 = operations.iter().map(|one| one.nanoseconds).sum();
    let wall_ns = inside as f64 + outside;
    let round = Round { headline_ns: wall_ns - own, wall_ns, operations: operations.to_vec() };
    Profiled {
        label: label.into(),
        model: "m".into(),
        device: "cpu:x".into(),
        test: "tg1".parse().unwrap(),
        threads: Known::Value(2),
        passes: 1,
        rounds: vec![round; 8],
        roofs: roofs(1e10, 1e12),
        counted: Known::unavailable("synthetic"),
        counters: Vec::new(),
    }
}

fn sum(ledger: &Ledger) -> f64 {
    ledger.terms.iter().filter_map(|term| term.ns.value()).sum()
}

fn near(value: Option<f64>, expected: f64) -> bool {
    value.is_some_and(|value| (value - expected).abs() < 1e-6 * expected.abs().max(1.0))
}

#[test]
fn twice_the_bytes_at_one_share_are_bytes_alone() {
    // 1 MB in 125 µs without its meeting: 80 % of the roof.
    let a = cell("a", &[operation("ffn", 1, 126_000, 1_000_000, 0)], 500.0, 300.0);
    let b = cell("b", &[operation("ffn", 1, 251_000, 2_000_000, 0)], 500.0, 300.0);
    let found = why(&a, &b).unwrap();
    assert_eq!(found.gap_ns, 125_000.0);
    assert!(near(found.ns(Cause::Bytes), 125_000.0), "{found:?}");
    for cause in [Cause::ReadShare, Cause::ReadRoof, Cause::Synchronisation, Cause::Remainder] {
        assert!(near(found.ns(cause), 0.0), "{cause:?} {found:?}");
    }
    assert!(near(found.remainder_share.value().copied(), 0.0));
}

#[test]
fn a_better_share_of_the_roof_takes_away_what_bytes_add() {
    // 71 % and 84 % of the roof: 1.6 times as fast where bytes are 1.89 times as many.
    let a = cell("Q4_0", &[operation("ffn", 1, 141_845, 1_000_000, 0)], 0.0, 0.0);
    let b = cell("Q8_0", &[operation("ffn", 1, 226_000, 1_890_000, 0)], 0.0, 0.0);
    let found = why(&a, &b).unwrap();
    // The 0.89 MB more at Q8_0's 119 ns a KB; then 1 MB at 119 instead of 140.8 ns a KB.
    assert!(near(found.ns(Cause::Bytes), 890_000.0 * 225.0 / 1890.0), "{found:?}");
    assert!(near(found.ns(Cause::ReadShare), 225_000.0 / 1.89 - 140_845.0), "{found:?}");
    assert!((sum(&found) - found.gap_ns).abs() < 1e-6);
    assert!(near(found.a.of_read.value().copied(), 1_000_000.0 / 141_845e-9 / 1e10));
}

#[test]
fn a_lower_roof_is_told_from_a_lower_share() {
    let a = cell("2 threads", &[operation("ffn", 1, 126_000, 1_000_000, 0)], 0.0, 0.0);
    let mut b = cell("1 thread", &[operation("ffn", 1, 251_000, 1_000_000, 0)], 0.0, 0.0);
    b.roofs = roofs(5e9, 5e11);
    let found = why(&a, &b).unwrap();
    assert!(near(found.ns(Cause::ReadRoof), 125_000.0), "{found:?}");
    assert!(near(found.ns(Cause::ReadShare), 0.0) && near(found.ns(Cause::Bytes), 0.0));
}

#[test]
fn arithmetic_and_meetings_are_told_apart() {
    // Both limited by arithmetic at 50 %: twice the operations, and 10 meetings more.
    let a = cell("pp1", &[operation("ffn", 1, 201_000, 1000, 100_000_000)], 0.0, 0.0);
    let b = cell("pp2", &[operation("ffn", 11, 411_000, 9000, 200_000_000)], 0.0, 0.0);
    let found = why(&a, &b).unwrap();
    assert!(near(found.ns(Cause::Operations), 200_000.0), "{found:?}");
    assert!(near(found.ns(Cause::Synchronisation), 10_000.0), "{found:?}");
    assert!(near(found.ns(Cause::Bytes), 0.0) && near(found.ns(Cause::Remainder), 0.0));
}

#[test]
fn clocks_are_null_without_a_counter_and_a_term_with_one() {
    let one = |ns| cell("x", &[operation("ffn", 1, ns, 1000, 100_000_000)], 0.0, 0.0);
    let (mut a, mut b) = (one(201_000), one(401_000));
    let term = |found: &Ledger| found.terms.iter().find(|t| t.cause == Cause::Clocks).cloned();
    let missing = term(&why(&a, &b).unwrap()).unwrap();
    assert_eq!(missing.ns.reason(), Some("no counter of cycles"));
    assert_eq!(missing.backed, Backed::Nothing);
    let clock = |hertz| vec![Counter { name: "clock_hz".into(), value: Known::Value(hertz) }];
    (a.counters, b.counters) = (clock(4e9), clock(2e9));
    let found = why(&a, &b).unwrap();
    assert!(near(found.ns(Cause::Clocks), 200_000.0), "{found:?}");
    assert!(near(found.ns(Cause::ArithmeticShare), 0.0), "{found:?}");
}

#[test]
fn what_is_not_in_operations_is_the_remainder_and_the_profile_s_own_cost_is_not() {
    let same = [operation("ffn", 1, 101_000, 1_000_000, 0)];
    let (a, b) = (cell("a", &same, 1000.0, 500.0), cell("b", &same, 21_000.0, 2500.0));
    let found = why(&a, &b).unwrap();
    assert!(near(found.ns(Cause::Measuring), -2000.0), "{found:?}");
    assert!(near(found.ns(Cause::Remainder), 20_000.0), "{found:?}");
    assert!(near(found.remainder_share.value().copied(), 20.0 / 18.0));
}

#[test]
fn no_gap_leaves_nothing_to_explain() {
    let a = cell("a", &[operation("ffn", 1, 101_000, 1_000_000, 0)], 0.0, 0.0);
    let found = why(&a, &a.clone()).unwrap();
    assert_eq!(found.gap_ns, 0.0);
    assert!(found.remainder_share.reason().is_some_and(|why| why.contains("nothing to explain")));
    let mut none = a.clone();
    none.rounds.clear();
    assert!(why(&a, &none).is_none());
}

#[test]
fn other_cuts_of_the_same_work_are_joined_and_what_nobody_counts_is_said() {
    let a = cell("fused", &[operation("attn_qkv", 1, 101_000, 900_000, 0)], 0.0, 0.0);
    let parts: Vec<OperationTime> =
        ["attn_q", "attn_k", "attn_v"].map(|name| operation(name, 1, 41_000, 300_000, 0)).into();
    let b = cell("apart", &parts, 0.0, 0.0);
    let found = why(&a, &b).unwrap();
    assert!(near(found.ns(Cause::Bytes), 0.0) && near(found.ns(Cause::ReadShare), 20_000.0));
    assert!(near(found.ns(Cause::Synchronisation), 2000.0), "{found:?}");
    let untold = cell("untold", &[OperationTime::timed("attn_qkv", 1, 131_000)], 0.0, 0.0);
    let found = why(&a, &untold).unwrap();
    assert!(near(found.ns(Cause::Unroofed), 30_000.0), "{found:?}");
    assert!(found.b.of_read.reason().is_some());
}

#[test]
fn intervals_come_from_rounds_and_hold_the_truth() {
    let (mut a, mut b) = (
        cell("a", &[operation("ffn", 1, 126_000, 1_000_000, 0)], 0.0, 0.0),
        cell("b", &[operation("ffn", 1, 251_000, 2_000_000, 0)], 0.0, 0.0),
    );
    for (i, (one, other)) in a.rounds.iter_mut().zip(&mut b.rounds).enumerate() {
        one.headline_ns += i as f64 * 1000.0;
        other.headline_ns += ((i * 5) % 8) as f64 * 1000.0;
    }
    let found = why(&a, &b).unwrap();
    let gap = found.gap.unwrap();
    assert!(gap.low <= 125_000.0 && gap.high >= 125_000.0 && gap.low < gap.high, "{gap:?}");
    a.rounds.truncate(3);
    assert!(why(&a, &b).unwrap().gap.is_none(), "three rounds say nothing of their spread");
}

#[test]
fn a_disturbed_round_moves_nothing_and_parts_add_up_all_the_same() {
    let mut a = cell(
        "a",
        &[operation("x", 1, 101_000, 1_000_000, 0), operation("y", 1, 51_000, 500_000, 0)],
        3000.0,
        500.0,
    );
    let undisturbed = Pass::of(&a, false).unwrap();
    // Another operation is hit in each of two rounds of eight.
    for (i, operation) in [(1, 0), (6, 1)] {
        a.rounds[i].operations[operation].nanoseconds += 900_000;
        a.rounds[i].wall_ns += 900_000.0;
    }
    assert_eq!(Pass::of(&a, false).unwrap(), undisturbed);
    for (i, round) in a.rounds.iter_mut().enumerate() {
        let more = (i * 1000) as u64;
        round.operations[i % 2].nanoseconds += more;
        round.wall_ns += more as f64;
    }
    let pass = Pass::of(&a, false).unwrap();
    assert!(near(Some(pass.wall_ns - pass.operations_ns()), 3000.0), "{pass:?}");
}

#[test]
fn the_parts_of_a_pass_sum_to_its_headline() {
    let operations = [
        operation("ffn", 2, 200_000, 1_000_000, 50_000_000),
        operation("attention", 1, 100_000, 1000, 10_000_000),
        OperationTime::timed("ffn_experts", 1, 50_000),
    ];
    let profiled = cell("a", &operations, 5000.0, 2000.0);
    let pass = Pass::of(&profiled, false).unwrap();
    let found = split(&pass, &profiled.roofs);
    let ns = |part| found.shares.iter().find(|s| s.part == part).unwrap().ns.value().copied();
    assert!(near(ns(Part::Streaming), 100_100.0), "{found:?}");
    // Attention in f32 at a quarter of the peak: 40 µs, less what it streams.
    assert!(near(ns(Part::Compute), 39_900.0), "{found:?}");
    assert!(near(ns(Part::Synchronisation), 9000.0), "{found:?}");
    let sum: f64 = found.shares.iter().filter_map(|share| share.ns.value()).sum();
    assert!(near(Some(sum), 353_000.0) && found.total_ns == 353_000.0, "{found:?}");
    let other = found.shares.iter().find(|share| share.part == Part::Other).unwrap();
    assert!(other.backing.contains("ffn_experts"));
}

#[test]
fn what_waits_for_no_roof_is_neither_bytes_nor_share() {
    let waits = |ns| [operation("ffn", 1, 126_000, 1_000_000, 0), operation("embd", 1, ns, 600, 0)];
    let (a, b) = (cell("a", &waits(900_000), 0.0, 0.0), cell("b", &waits(950_000), 0.0, 0.0));
    let found = why(&a, &b).unwrap();
    assert!(near(found.ns(Cause::Unroofed), 50_000.0), "{found:?}");
    let all = held(&Pass::of(&a, false).unwrap(), &a.roofs);
    assert_eq!(all[1].bound, Known::Value(Bound::Latency));
    // One side alone far from its roof still grows by its bytes.
    let grown =
        [operation("ffn", 1, 126_000, 1_000_000, 0), operation("embd", 1, 1_900_000, 9_000_000, 0)];
    let found = why(&a, &cell("c", &grown, 0.0, 0.0)).unwrap();
    assert!(near(found.ns(Cause::Unroofed), 0.0), "{found:?}");
    assert!(found.ns(Cause::Bytes).unwrap() > 1_800_000.0, "{found:?}");
}

#[test]
fn without_a_read_roof_streaming_is_null_with_its_reason_and_the_rest_still_sums() {
    let mut profiled = cell("a", &[operation("ffn", 1, 200_000, 1_000_000, 5)], 0.0, 0.0);
    profiled.roofs.read = Known::unavailable("not measured here");
    let pass = Pass::of(&profiled, false).unwrap();
    let found = split(&pass, &profiled.roofs);
    assert_eq!(found.shares[0].ns.reason(), Some("not measured here"));
    let sum: f64 = found.shares.iter().filter_map(|share| share.ns.value()).sum();
    assert!(near(Some(sum), found.total_ns), "{found:?}");
}

#[test]
fn the_lower_roof_limits_an_operation() {
    let operations = [
        operation("ffn", 1, 200_000, 1_000_000, 50_000_000),
        operation("attention", 1, 100_000, 1000, 10_000_000),
        OperationTime::timed("norm", 1, 100_000),
    ];
    let profiled = cell("a", &operations, 0.0, 0.0);
    let all = held(&Pass::of(&profiled, false).unwrap(), &profiled.roofs);
    assert_eq!(all[0].bound, Known::Value(Bound::Read));
    assert!(
        near(all[0].of_limit.value().copied(), 0.5)
            && near(all[0].intensity.value().copied(), 50.0)
    );
    assert_eq!(all[1].bound, Known::Value(Bound::Arithmetic));
    assert!(near(all[1].of_limit.value().copied(), 0.4));
    assert_eq!((all[2].share, all[2].of_limit.value()), (0.25, None));
}
