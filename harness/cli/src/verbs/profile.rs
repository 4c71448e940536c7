//! `yardstick profile`: where the time of one test goes, operation by operation, against the device's ceilings. A run of its own:
//! its times are not results, and nothing is stored.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use yardstick_api::{
    Batch, Device, DeviceStatus, Known, Limit, OperationTime, Options, Rows, Sequence, Session,
    Span, Token,
};
use yardstick_model::Model;
use yardstick_record::Test;

use crate::args::Profile;
use crate::paths::Paths;
use crate::verbs::DONE;
use crate::{console, models, registry};

/// Calls that count, after one that does not.
const CALLS: usize = 5;

/// Loads, runs the test some times, prints the table.
pub(crate) fn run(paths: &Paths, args: &Profile) -> Result<u8> {
    let test: Test = args.test.parse().context("--test")?;
    let rows = match test {
        Test::Prefill { tokens, .. } => tokens,
        Test::Generate { .. } => 1,
        _ => bail!("--test {test}: pp512, tg128 and the like, with @d2048 for a depth"),
    };
    let given = registry::Given {
        cache: Some(paths.cache.clone()),
        runtime: None,
        packages: Vec::new(),
        test_doubles: false,
    };
    let backends = registry::backends(&given);
    let of = |name: &str| backends.iter().find(|b| Some(b.name()) == name.split(':').next());
    let backend = of(&args.device).with_context(|| format!("no backend {}", args.device))?;
    let device = device(backend.devices(), &args.device)?;
    let model = Arc::new(Model::open(&models::path(paths, &args.model)?)?);
    let options = Options {
        threads: args.threads,
        context: Some(test.depth() + rows),
        profile: true,
        ..Options::default()
    };
    let mut session = backend.load(&device, &model, &options)?;
    let (operations, calls) = measure(session.as_mut(), &model, test.depth(), rows)?;
    let threads = session.facts().threads.value().copied();
    let ceiling = |limit| backend.ceiling(&device, limit, threads).value().map(|r| r.value);
    let ceilings = Ceilings {
        read: ceiling(Limit::Read { bytes: session.facts().streamed_bytes }),
        int8: ceiling(Limit::Int8),
    };
    console::say(format!("{} {} {test}, {calls} calls", args.model, device.id))?;
    console::say(table(&operations, calls, &ceilings, args.layers))?;
    Ok(DONE)
}

/// A device by id, or the preferred one of a backend.
fn device(devices: Vec<DeviceStatus>, name: &str) -> Result<Device> {
    for status in devices {
        match status {
            DeviceStatus::Ready(device) if device.id == name => return Ok(device),
            DeviceStatus::Ready(device) if device.preferred && !name.contains(':') => {
                return Ok(device);
            }
            DeviceStatus::Missing { id, reason, .. } if id == name => bail!("{id}: {reason}"),
            _ => {}
        }
    }
    bail!("no device {name}: yardstick devices lists them")
}

/// Operations of all counted calls.
fn measure(
    session: &mut dyn Session,
    model: &Model,
    depth: usize,
    rows: usize,
) -> Result<(Vec<OperationTime>, u64)> {
    let vocab = model.architecture().vocab as Token;
    let tokens: Vec<Token> = (0..depth + rows).map(|i| (i * 7919) as Token % vocab).collect();
    let sequence = Sequence(0);
    let mut sum: Vec<OperationTime> = Vec::new();
    if depth > 0 {
        let spans = [Span { sequence, tokens: &tokens[..depth] }];
        session.forward(&Batch { spans: &spans, rows: Rows::None })?;
    }
    for call in 0..=CALLS {
        let spans = [Span { sequence, tokens: &tokens[depth..] }];
        session.forward(&Batch { spans: &spans, rows: Rows::Last })?;
        session.synchronize()?;
        session.truncate(sequence, depth)?;
        let profile = session.profile().context("this device does not time its operations")?;
        if call > 0 {
            profile.operations.into_iter().for_each(|operation| add(&mut sum, operation));
        }
    }
    Ok((sum, CALLS as u64))
}

fn add(sum: &mut Vec<OperationTime>, one: OperationTime) {
    let same = |other: &&mut OperationTime| (&other.name, other.layer) == (&one.name, one.layer);
    match sum.iter_mut().find(same) {
        Some(known) => {
            known.calls += one.calls;
            known.nanoseconds += one.nanoseconds;
            known.bytes = both(&known.bytes, &one.bytes);
            known.operations = both(&known.operations, &one.operations);
        }
        None => sum.push(one),
    }
}

fn both(one: &Known<u64>, other: &Known<u64>) -> Known<u64> {
    match (one, other) {
        (Known::Value(one), Known::Value(other)) => Known::Value(one + other),
        (Known::Value(_), unknown) | (unknown, _) => unknown.clone(),
    }
}

/// What operations are held against, bytes and operations per second, where known.
struct Ceilings {
    read: Option<f64>,
    int8: Option<f64>,
}

/// One line an operation, all layers together; with `layers` one a layer too.
fn table(operations: &[OperationTime], calls: u64, ceilings: &Ceilings, layers: bool) -> String {
    let mut rows: Vec<OperationTime> = Vec::new();
    for operation in operations {
        add(&mut rows, OperationTime { layer: None, ..operation.clone() });
    }
    let mut by_layer: BTreeMap<&str, Vec<&OperationTime>> = BTreeMap::new();
    for operation in operations.iter().filter(|operation| layers && operation.layer.is_some()) {
        by_layer.entry(&operation.name).or_default().push(operation);
    }
    let total: u64 = rows.iter().map(|row| row.nanoseconds).sum();
    let mut text = format!(
        "{:<16} {:>6} {:>10} {:>6} {:>8} {:>7} {:>9} {:>7}\n",
        "operation", "calls", "ms a call", "time", "GB/s", "of read", "GOPS", "of int8"
    );
    let mut line = |name: &str, row: &OperationTime| {
        let nanoseconds = row.nanoseconds.max(1) as f64;
        let rate = |amount: &Known<u64>| amount.value().map(|&amount| amount as f64 / nanoseconds);
        let (read, computed) = (rate(&row.bytes), rate(&row.operations));
        let share = |rate: Option<f64>, ceiling: Option<f64>| {
            rate.zip(ceiling).map(|(rate, ceiling)| 100.0 * rate * 1e9 / ceiling)
        };
        let _ = writeln!(
            text,
            "{name:<16} {:>6} {:>10.3} {:>5.1}% {:>8} {:>7} {:>9} {:>7}",
            row.calls / calls,
            nanoseconds / 1e6 / calls as f64,
            100.0 * nanoseconds / total.max(1) as f64,
            number(read, ""),
            number(share(read, ceilings.read), "%"),
            number(computed, ""),
            number(share(computed, ceilings.int8), "%"),
        );
    };
    for row in &rows {
        line(&row.name, row);
        for one in by_layer.get(row.name.as_str()).into_iter().flatten() {
            line(&format!("  layer {}", one.layer.unwrap_or(0)), one);
        }
    }
    let milliseconds = total as f64 / 1e6 / calls as f64;
    let _ = write!(text, "{milliseconds:.3} ms a call");
    text
}

/// A number, or a dash where it is not known.
fn number(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}{unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(name: &str, layer: usize, bytes: Known<u64>) -> OperationTime {
        let operations = Known::Value(4_000_000);
        OperationTime {
            name: name.into(),
            layer: Some(layer),
            calls: 1,
            nanoseconds: 1_000_000,
            bytes,
            operations,
        }
    }

    #[test]
    fn layers_add_up_and_what_is_not_known_is_a_dash() {
        let operations = [
            operation("attn_qkv", 0, Known::Value(1_000_000)),
            operation("attn_qkv", 1, Known::Value(2_000_000)),
            operation("ffn_experts", 0, Known::unavailable("differs")),
        ];
        let ceilings = Ceilings { read: Some(3e9), int8: None };
        let text = table(&operations, 1, &ceilings, true);
        let lines: Vec<&str> = text.lines().collect();
        let words = |i: usize| lines[i].split_whitespace().collect::<Vec<_>>();
        assert_eq!(words(1), ["attn_qkv", "2", "2.000", "66.7%", "1.5", "50.0%", "4.0", "-"]);
        assert_eq!(words(3)[..3], ["layer", "1", "1"]);
        assert_eq!(words(4), ["ffn_experts", "1", "1.000", "33.3%", "-", "-", "4.0", "-"]);
        assert!(lines[6].starts_with("3.000 ms"));
    }
}
