//! The block of depths: what a longer context costs each model.

use std::collections::BTreeSet;

use yardstick_analyse::{Comparison, DepthCurve, Growth};
use yardstick_api::Known;
use yardstick_record::Metric;

use super::Block;
use super::cells::{self, Notes};
use crate::number;
use crate::text::elide;

/// Characters of a name.
const NAME: usize = 34;

/// A row a curve, a column a depth.
pub(super) fn block(comparison: &Comparison) -> Option<Block> {
    let curves = &comparison.depths;
    if curves.is_empty() {
        return None;
    }
    let depths: BTreeSet<usize> =
        curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.depth)).collect();
    let number = |title: &str, gives_way| cells::number(title.to_owned(), gives_way);
    let mut heads = vec![
        cells::words("model"),
        super::Head { gives_way: 5, ..cells::words("device") },
        cells::words("kv"),
        cells::words("test"),
        number("KV bytes/position", 3),
    ];
    // The ends tell most: what lies between gives way first.
    let last = depths.len().saturating_sub(1);
    let gives_way = |i: usize| if i == 0 || i == last { 0 } else { 6 };
    heads.extend(
        depths.iter().enumerate().map(|(i, depth)| number(&format!("@d{depth}"), gives_way(i))),
    );
    heads.push(number("growth", 0));
    heads.push(number("full at", 2));
    let mut notes = Notes::default();
    let rows = curves.iter().map(|curve| line(curve, &depths, &mut notes)).collect();
    let title = "What a longer context costs".to_owned();
    let mut block = Block::new(title, heads).fill(rows, notes);
    block.sentences = curves.iter().filter_map(sentence).collect();
    block.remarks = vec![
        "Tokens per second by context depth; growth: of a token's time over 1000 positions, a line through every depth, fitted launch by launch.".to_owned(),
        "Full at: positions at which weights, scratch and keys and values fill the device's memory were nothing else in it; computed, not run.".to_owned(),
    ];
    Some(block)
}

fn line(curve: &DepthCurve, depths: &BTreeSet<usize>, notes: &mut Notes) -> Vec<super::Field> {
    let mut line = vec![
        cells::text(elide(&curve.model, NAME)),
        cells::text(elide(&curve.device, NAME)),
        cells::text(curve.kv.to_owned()),
        cells::text(curve.test.to_string()),
        cells::known(&curve.position_bytes, notes, |bytes| number::bytes(*bytes)),
    ];
    line.extend(depths.iter().map(|depth| {
        match curve.points.iter().find(|point| point.depth == *depth) {
            Some(point) => cells::estimate(Metric::TokensPerSecond, &point.speed, notes),
            None => cells::text(String::new()),
        }
    }));
    line.push(cells::known(&curve.growth, notes, growth));
    line.push(cells::known(&curve.full_at, notes, |positions| format!("{positions:.0}")));
    line
}

/// `+1.95 ms`: for 1000 positions.
fn growth(growth: &Growth) -> String {
    let per_thousand = growth.ns_per_position.median * 1000.0;
    let sign = if per_thousand >= 0.0 { "+" } else { "−" };
    format!("{sign}{}", number::value(Metric::TimeNs, per_thousand.abs()))
}

/// `smollm-135m:Q4_0 on cpu:a (kv f16): a token takes 8.00 ms at the start and 1.95 ms more for 1000 positions ...`.
fn sentence(curve: &DepthCurve) -> Option<String> {
    let Known::Value(fit) = &curve.growth else { return None };
    let start = number::value(Metric::TimeNs, fit.ns_at_start);
    let interval = match fit.ns_per_position.interval.value() {
        Some(i) => {
            let end = |ns: f64| number::value(Metric::TimeNs, ns * 1000.0);
            format!(" [{} to {}]", end(i.low), end(i.high))
        }
        None => String::new(),
    };
    let deepest = curve.points.last()?;
    let held = match deepest.kv_bytes.value() {
        Some(bytes) => {
            format!("; {} of keys and values at d{}", number::bytes(*bytes), deepest.depth)
        }
        None => String::new(),
    };
    let slope = number::value(Metric::TimeNs, fit.ns_per_position.median * 1000.0);
    Some(format!(
        "{} on {} (kv {}), {}: a token takes {start} at the start and {slope}{interval} more for 1000 positions, the farthest depth {:.1} % off that line{held}.",
        elide(&curve.model, NAME),
        elide(&curve.device, NAME),
        curve.kv,
        curve.test,
        100.0 * fit.farthest,
    ))
}
