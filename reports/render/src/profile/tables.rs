//! The tables of a profile: the ledger, the split of a token, operations against their roofs, counts against the model's.

use yardstick_analyse::Interval;
use yardstick_analyse::profile::{
    Agreement, Backed, Bound, Held, Ledger, Pass, Profiled, Roof, Tally, held, split,
};
use yardstick_api::Known;

use super::ProfileReport;
use super::words::{self, signed, time};
use crate::blocks::cells::{self, Notes};
use crate::blocks::{Block, Field, Head};
use crate::number::{bytes, digits};
use crate::text::elide;

/// Characters of a name, and of what a line stands on.
const NAME: usize = 34;
const BACKING: usize = 160;

pub(super) fn blocks(report: &ProfileReport<'_>) -> Vec<Block> {
    let mut blocks: Vec<Block> = report.ledger.map(ledger).into_iter().collect();
    for cell in report.cells {
        blocks.extend(of_cell(cell, report.layers));
    }
    blocks
}

/// The blocks of one cell.
pub(super) fn of_cell(cell: &Profiled, layers: bool) -> Vec<Block> {
    let Some(pass) = Pass::of(cell, false) else { return Vec::new() };
    let mut blocks = vec![parts(cell, &pass), operations(cell, &pass, layers)];
    blocks.extend(counts(cell, &pass));
    blocks
}

fn number(title: &str, gives_way: u8) -> Head {
    cells::number(title.to_owned(), gives_way)
}

/// Words that give way.
fn aside(title: &str, gives_way: u8) -> Head {
    Head { gives_way, ..cells::words(title) }
}

fn ledger(ledger: &Ledger) -> Block {
    let (one, other) = (elide(&ledger.a.label, NAME), elide(&ledger.b.label, NAME));
    let heads = vec![
        cells::words("why"),
        number("time", 0),
        number("of the gap", 0),
        number("95 % interval", 2),
        aside("stands on", 3),
    ];
    let mut notes = Notes::default();
    let share = |ns: f64| match ledger.remainder_share.value() {
        Some(_) => words::percent(ns / ledger.gap_ns, 1),
        None => String::new(),
    };
    let plain = |name: String, ns: f64| {
        vec![name, time(ns), String::new(), String::new(), "clock".to_owned()]
            .into_iter()
            .map(cells::text)
            .collect::<Vec<Field>>()
    };
    let mut rows = vec![plain(one.clone(), ledger.a.ns), plain(other.clone(), ledger.b.ns)];
    rows.push(line("difference", ledger.gap_ns, share(ledger.gap_ns), ledger.gap, "clock"));
    // What is nothing on both sides is left to JSON.
    for term in ledger.terms.iter().filter(|term| term.ns.value() != Some(&0.0)) {
        let name = cells::text(format!("  {}", words::cause(term.cause)));
        let ns = cells::known(&term.ns, &mut notes, |ns| signed(*ns));
        let of_gap = cells::text(term.ns.value().map_or_else(String::new, |ns| share(*ns)));
        let interval = cells::text(range(term.interval));
        rows.push(vec![name, ns, of_gap, interval, cells::text(backed(term.backed).to_owned())]);
    }
    let title = format!("Why {other} takes another time than {one}");
    let mut block = Block::new(title, heads).fill(rows, notes);
    block.sentences = vec![words::ledger(ledger)];
    block.remarks = vec![
        "Terms sum to the difference; those that are nothing are left out. More bytes or arithmetic are charged at the price of the side that has more, roofs and shares of them on what both have.".to_owned(),
        format!("Intervals: {} rounds drawn anew.", ledger.rounds),
    ];
    if ledger.unlike_tests {
        block
            .remarks
            .push("A call of one side is a token of the other: times are a call's.".to_owned());
    }
    block
}

fn line(name: &str, ns: f64, share: String, interval: Option<Interval>, on: &str) -> Vec<Field> {
    [name.to_owned(), signed(ns), share, range(interval), on.to_owned()].map(cells::text).into()
}

fn range(interval: Option<Interval>) -> String {
    interval.map_or_else(String::new, |i| format!("{} to {}", signed(i.low), signed(i.high)))
}

fn backed(backed: Backed) -> &'static str {
    match backed {
        Backed::Counter => "counts × measured rates",
        Backed::Ablation => "with and without",
        Backed::Timer => "times alone",
        Backed::Nothing => "",
    }
}

fn parts(cell: &Profiled, pass: &Pass) -> Block {
    let split = split(pass, &cell.roofs);
    let unit = words::pass(cell.test);
    let heads =
        vec![cells::words("part"), number(unit, 0), number("share", 0), aside("stands on", 1)];
    let mut notes = Notes::default();
    let mut rows: Vec<Vec<Field>> = Vec::new();
    for share in &split.shares {
        let of = |ns: &f64| format!("{:.1} %", 100.0 * ns / split.total_ns);
        rows.push(vec![
            cells::text(words::part(share.part).to_owned()),
            cells::known(&share.ns, &mut notes, |ns| time(*ns)),
            cells::text(share.ns.value().map_or_else(String::new, of)),
            cells::text(elide(&share.backing, BACKING)),
        ]);
    }
    rows.push(
        ["sum", &time(split.total_ns), "100.0 %", "the headline, without the profile"]
            .map(|text| cells::text(text.to_owned()))
            .into(),
    );
    let title = format!("Where {unit} goes: {}", words::name(cell));
    let mut block = Block::new(title, heads).fill(rows, notes);
    if let Some(speed) = speed(cell, pass) {
        block.sentences.push(speed);
    }
    block
}

/// `312.4 tokens/s; 71 % of the read rate`.
fn speed(cell: &Profiled, pass: &Pass) -> Option<String> {
    let tokens = cell.test.tokens()? as f64 / cell.passes.max(1) as f64;
    let rate = tokens * 1e9 / pass.headline_ns;
    Some(format!(
        "{} tokens/s, the mean of the middle half of {} rounds.",
        digits(rate),
        cell.rounds.len()
    ))
}

fn operations(cell: &Profiled, pass: &Pass, layers: bool) -> Block {
    let heads = vec![
        cells::words("operation"),
        number("calls", 5),
        number(&format!("time {}", words::pass(cell.test)), 0),
        number("of time", 0),
        number("GB/s", 1),
        number("of read", 2),
        number("GOP/s", 3),
        number("of peak", 3),
        number("OP/byte", 4),
        aside("limit", 1),
        number("of limit", 0),
    ];
    let mut notes = Notes::default();
    let all = held(pass, &cell.roofs);
    let by_layer = if layers { Pass::of(cell, true) } else { None };
    let by_layer = by_layer.map_or_else(Vec::new, |pass| held(&pass, &cell.roofs));
    let mut rows = Vec::new();
    for one in &all {
        rows.push(row(elide(&one.operation.name, NAME), one, &mut notes));
        let same = |other: &&Held| {
            other.operation.name == one.operation.name && other.operation.layer.is_some()
        };
        for layer in by_layer.iter().filter(same) {
            let name = format!("  layer {}", layer.operation.layer.unwrap_or_default());
            rows.push(row(name, layer, &mut notes));
        }
    }
    let title = format!("Operations against the measured roofs: {}", words::name(cell));
    let mut block = Block::new(title, heads).fill(rows, notes);
    block.conclusions = vec![format!("{}.", words::conclusion(cell, &all))];
    block.remarks = vec![roofs(cell)];
    block
}

fn row(name: String, held: &Held, notes: &mut Notes) -> Vec<Field> {
    let operation = &held.operation;
    let giga = |value: &f64| digits(value / 1e9);
    let percent = |value: &f64| format!("{:.1} %", 100.0 * value);
    let fields = [
        cells::known(&held.bytes_per_second, notes, giga),
        cells::known(&held.of_read, notes, percent),
        cells::known(&held.operations_per_second, notes, giga),
        cells::known(&held.of_arithmetic, notes, percent),
        cells::known(&held.intensity, notes, |value| digits(*value)),
    ];
    let limit = cells::known(&held.bound, notes, |bound| {
        match bound {
            Bound::Read => "read",
            Bound::Arithmetic => "arithmetic",
            Bound::Latency => "latency",
        }
        .to_owned()
    });
    let of_limit = cells::known(&held.of_limit, notes, percent);
    let mut row = vec![
        cells::text(name),
        cells::text(digits(operation.calls)),
        cells::text(time(operation.ns)),
        cells::text(format!("{:.1} %", 100.0 * held.share)),
    ];
    row.extend(fields);
    row.extend([limit, of_limit]);
    row
}

/// What the roofs are.
fn roofs(cell: &Profiled) -> String {
    let roof = |name: &str, known: &Known<Roof>, unit: &str| match known {
        Known::Value(roof) => {
            let label = elide(&roof.label, NAME);
            let label = if label.is_empty() { label } else { format!(" ({label})") };
            let sustained = match roof.sustained {
                Some(mean) => format!(", {} sustained", digits(mean.per_second / 1e9)),
                None => String::new(),
            };
            format!("{name} {} {unit}{label}{sustained}", digits(roof.per_second / 1e9))
        }
        Known::Unavailable { unavailable } => {
            format!("{name} not known: {}", elide(unavailable, BACKING))
        }
    };
    let barrier = match &cell.roofs.barrier_ns {
        Known::Value(ns) => format!("a meeting of threads {}", time(*ns)),
        Known::Unavailable { unavailable } => {
            format!("meetings not known: {}", elide(unavailable, BACKING))
        }
    };
    format!(
        "Roofs, measured in the same minutes: {}; {}; {}; {barrier}.",
        roof("reading", &cell.roofs.read, "GB/s"),
        roof("products", &cell.roofs.products, "GOP/s"),
        roof("attention", &cell.roofs.attention, "GOP/s"),
    )
}

fn counts(cell: &Profiled, pass: &Pass) -> Option<Block> {
    let counted = cell.counted.value()?;
    let heads = vec![
        cells::words("counted"),
        number("by the model's description", 0),
        number("by the backend", 0),
        cells::words(""),
    ];
    let mut notes = Notes::default();
    let row = |tally: &Tally| {
        let write = |value: &f64| match tally.what {
            "bytes" => bytes(*value),
            _ => format!("{} MOP", digits(value / 1e6)),
        };
        let agreement = match tally.agreement {
            Agreement::Agrees => "agree",
            Agreement::Differs => "DIFFER by more than 3 %",
            Agreement::Unknown => "",
        };
        vec![
            cells::text(format!("{} of {}", tally.what, words::pass(cell.test))),
            cells::known(&tally.model, &mut notes, write),
            cells::known(&tally.backend, &mut notes, write),
            cells::text(agreement.to_owned()),
        ]
    };
    let tallies = counted.beside(pass);
    let rows: Vec<Vec<Field>> = tallies.iter().map(row).collect();
    let mut block = Block::new("What the work is counted by".to_owned(), heads).fill(rows, notes);
    let counters = counters(cell);
    if !counters.is_empty() {
        block.remarks.push(format!(
            "Counters {}: {}.",
            words::pass(cell.test),
            counters.join("; ")
        ));
    }
    Some(block)
}

/// Values, then names that share a reason.
fn counters(cell: &Profiled) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut missing: Vec<(&str, Vec<&str>)> = Vec::new();
    for counter in &cell.counters {
        match &counter.value {
            Known::Value(value) => words.push(format!("{} {}", counter.name, digits(*value))),
            Known::Unavailable { unavailable } => {
                match missing.iter_mut().find(|(reason, _)| *reason == unavailable) {
                    Some((_, names)) => names.push(&counter.name),
                    None => missing.push((unavailable, vec![&counter.name])),
                }
            }
        }
    }
    words.extend(missing.into_iter().map(|(reason, names)| {
        format!("{} missing: {}", names.join(", "), elide(reason, BACKING))
    }));
    words
}
