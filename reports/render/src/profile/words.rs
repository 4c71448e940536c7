//! What follows from a profile or a ledger, in sentences.

use yardstick_analyse::profile::{Bound, Cause, Held, Ledger, LedgerSide as Side, Part, Profiled};
use yardstick_record::Test;

use crate::number::digits;
use crate::text::elide;

/// Characters of a name.
const NAME: usize = 60;
/// Bytes differ when they do so by more than this.
const DIFFERS: f64 = 1.02;
/// A side that reaches less of the read rate is not about reading.
const READS: f64 = 0.05;
/// Terms named in the sentence, and the least share of the gap that is worth a word.
const NAMED: usize = 3;
const LEAST: f64 = 0.02;

/// `3.21 ms`, `-42.0 µs`; nanoseconds.
pub(crate) fn time(ns: f64) -> String {
    let (divisor, unit) = match ns.abs() {
        v if v < 1e3 => (1.0, "ns"),
        v if v < 1e6 => (1e3, "µs"),
        v if v < 1e10 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    format!("{} {unit}", digits(ns / divisor))
}

/// With its sign.
pub(crate) fn signed(ns: f64) -> String {
    let sign = if ns < 0.0 { "−" } else { "+" };
    format!("{sign}{}", time(ns.abs()))
}

/// `+71.3 %` of a share.
pub(super) fn percent(share: f64, decimals: usize) -> String {
    let sign = if share < 0.0 { "−" } else { "+" };
    format!("{sign}{:.decimals$} %", 100.0 * share.abs())
}

/// `a token`, `a call`.
pub(super) fn pass(test: Test) -> &'static str {
    match test {
        Test::Generate { .. } => "a token",
        _ => "a call",
    }
}

pub(super) fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Bytes => "bytes read",
        Cause::ReadRoof => "read rate of the machine",
        Cause::ReadShare => "share of the read rate reached",
        Cause::Operations => "arithmetic to do",
        Cause::ArithmeticRoof => "arithmetic peak of the machine",
        Cause::ArithmeticShare => "share of the peak reached",
        Cause::Clocks => "clocks",
        Cause::Synchronisation => "synchronisation",
        Cause::Unroofed => "operations no roof limits",
        Cause::Measuring => "cost of the profile itself",
        Cause::Remainder => "remainder",
    }
}

pub(super) fn part(part: Part) -> &'static str {
    match part {
        Part::Streaming => "streaming",
        Part::Compute => "compute beyond streaming",
        Part::Synchronisation => "synchronisation",
        Part::Other => "other",
        Part::Measuring => "cost of the profile",
    }
}

/// What limits a cell: `reading limits operations of 97 % of the time; ffn_gate_up, 38 % of it, reaches 71 % of its roof`.
pub(crate) fn conclusion(cell: &Profiled, held: &[Held]) -> String {
    let what = name(cell);
    let share = |bound: Bound| -> f64 {
        let bounds = held.iter().filter(|one| one.bound.value() == Some(&bound));
        bounds.map(|one| one.share).sum()
    };
    let (read, arithmetic) = (share(Bound::Read), share(Bound::Arithmetic));
    let latency = share(Bound::Latency);
    if read + arithmetic + latency == 0.0 {
        return format!("{what}: which roof limits it is not known");
    }
    let (roof, of) = match (read >= arithmetic, read.max(arithmetic) >= latency) {
        (_, false) => ("no roof", latency),
        (true, _) => ("the read rate", read),
        (false, _) => ("the arithmetic peak", arithmetic),
    };
    let longest = held
        .iter()
        .filter(|one| one.bound.value().is_some_and(|bound| *bound != Bound::Latency))
        .max_by(|a, b| a.share.total_cmp(&b.share));
    let reached = longest.map_or_else(String::new, |one| {
        let of_limit = one.of_limit.value().copied().unwrap_or_default();
        format!(
            "; {}, {:.0} % of the time, reaches {:.0} % of its roof",
            elide(&one.operation.name, NAME),
            100.0 * one.share,
            100.0 * of_limit
        )
    });
    format!("{what}: {roof} limits {:.0} % of the time{reached}", 100.0 * of)
}

/// `smollm-135m:Q4_0 on cpu:avx2, tg64`.
pub(crate) fn name(cell: &Profiled) -> String {
    let threads = cell.threads.value().map(|n| match n {
        1 => ", 1 thread".to_owned(),
        n => format!(", {n} threads"),
    });
    format!(
        "{} on {}, {}{}",
        elide(&cell.model, NAME),
        elide(&cell.device, NAME),
        cell.test,
        threads.unwrap_or_default()
    )
}

/// `Q4_0 is 1.60x, not 1.89x, as fast as Q8_0: ...`: the answer to why.
pub(crate) fn ledger(ledger: &Ledger) -> String {
    let (fast, slow) = match ledger.gap_ns >= 0.0 {
        true => (&ledger.a, &ledger.b),
        false => (&ledger.b, &ledger.a),
    };
    let (quick, late) = (elide(&fast.label, NAME), elide(&slow.label, NAME));
    let ratio = slow.ns / fast.ns;
    if ledger.remainder_share.value().is_none() {
        let interval = match ledger.gap {
            Some(gap) => format!(" [{} to {}]", signed(gap.low), signed(gap.high)),
            None => String::new(),
        };
        return format!(
            "No difference is shown between {quick} and {late}: {}{interval} over {} rounds.",
            signed(ledger.gap_ns),
            ledger.rounds
        );
    }
    let mut text = match bytes_alone(fast, slow) {
        Some(alone) => {
            format!(
                "{quick} is {ratio:.2}x, not {alone:.2}x, as fast as {late}: bytes explain {alone:.2}x; "
            ) + &shares(fast, slow)
        }
        None => format!("{quick} is {ratio:.2}x as fast as {late}; {}", shares(fast, slow)),
    };
    text += &format!("of the {} between them {}", time(ledger.gap_ns.abs()), largest(ledger));
    text + &remainder(ledger)
}

/// How many times as fast bytes alone would make it, where they differ.
fn bytes_alone(fast: &Side, slow: &Side) -> Option<f64> {
    let ratio = slow.bytes.value()? / fast.bytes.value()?;
    (!(1.0 / DIFFERS..=DIFFERS).contains(&ratio)).then_some(ratio)
}

fn shares(fast: &Side, slow: &Side) -> String {
    match (fast.of_read.value(), slow.of_read.value()) {
        // Of what computes, the share of the read rate says nothing.
        (Some(one), Some(other)) if one.max(*other) >= READS => format!(
            "it reaches {:.0} % of the read rate where {} reaches {:.0} %; ",
            100.0 * one,
            elide(&slow.label, NAME),
            100.0 * other
        ),
        _ => String::new(),
    }
}

/// The largest terms, as shares of the gap.
fn largest(ledger: &Ledger) -> String {
    let mut terms: Vec<(Cause, f64)> = ledger
        .terms
        .iter()
        .filter(|term| term.cause != Cause::Remainder)
        .filter_map(|term| Some((term.cause, *term.ns.value()? / ledger.gap_ns)))
        .filter(|(_, share)| share.abs() >= LEAST)
        .collect();
    terms.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let named = terms.iter().take(NAMED);
    let words: Vec<String> = named
        .map(|(which, share)| format!("{} is {}", percent(*share, 0), cause(*which)))
        .collect();
    words.join(", ")
}

fn remainder(ledger: &Ledger) -> String {
    let Some(share) = ledger.remainder_share.value() else { return String::new() };
    let interval = ledger.remainder_interval.map_or_else(String::new, |interval| {
        format!(" [{:.1} to {:.1}]", 100.0 * interval.low, 100.0 * interval.high)
    });
    format!("; {:.1} %{interval} of it remains unexplained.", 100.0 * share)
}
