//! Shares of measured limits: of the read bandwidth for a decode, of the arithmetic peak for a prefill.

use yardstick_api::{Facts, Known};
use yardstick_record::{Record, Sample, Test};

use crate::kept::kept;

/// Why a position's bytes cannot be told.
pub(crate) const NO_KV: &str = "the size of the KV cache is unknown: context or sequences is 0";

/// Why it cannot be told what reading sustained.
const NO_ROUNDS: &str =
    "the device keeps no rounds of its read rate, or the record is older than this figure";

/// Percent of its limit each sample reached, for a `tg` or `pp` record.
pub(crate) fn percent(record: &Record) -> Known<Vec<f64>> {
    match record.cell.test {
        Test::Generate { tokens, depth } => of_bandwidth(record, tokens, depth),
        Test::Prefill { .. } => of_peak(record),
        _ => Known::unavailable("only tg and pp tests are held against a limit"),
    }
}

/// Percent of what reading alone sustained each sample of a `tg` record reached.
pub(crate) fn percent_of_sustained(record: &Record) -> Known<Vec<f64>> {
    let ceiling = match &record.ceiling {
        Known::Value(ceiling) => ceiling,
        Known::Unavailable { unavailable } => return Known::unavailable(unavailable),
    };
    let Some(sustained) = ceiling.sustained_bytes_per_second else {
        return Known::unavailable(NO_ROUNDS);
    };
    let best = ceiling.bytes_per_second;
    percent(record)
        .map(|values| values.into_iter().map(|percent| percent * best / sustained).collect())
}

/// What the percentage is of, in words: `read 712 MiB`, `int8 VNNI peak`.
pub(crate) fn name(record: &Record) -> Option<String> {
    match record.cell.test {
        Test::Generate { .. } => {
            let bytes = record.ceiling.value()?.working_set_bytes as f64;
            let (size, unit) = match bytes {
                b if b >= 10.0 * 1024.0 * 1024.0 * 1024.0 => (b / 1024.0 / 1024.0 / 1024.0, "GiB"),
                b if b >= 1024.0 * 1024.0 => (b / 1024.0 / 1024.0, "MiB"),
                b => (b / 1024.0, "KiB"),
            };
            Some(format!("read {size:.0} {unit}"))
        }
        Test::Prefill { .. } => {
            let peak = record.peak.as_ref()?.value()?;
            Some(format!("{} peak", peak.class))
        }
        _ => None,
    }
}

/// Operations per token × tokens per second ÷ peak.
fn of_peak(record: &Record) -> Known<Vec<f64>> {
    let peak = match &record.peak {
        None => return Known::unavailable("the arithmetic peak was not measured"),
        Some(Known::Unavailable { unavailable }) => return Known::unavailable(unavailable),
        Some(Known::Value(peak)) => peak,
    };
    let share = |sample: &Sample| {
        let tokens_per_second = sample.tokens as f64 * 1e9 / sample.nanoseconds as f64;
        100.0 * peak.operations_per_token * tokens_per_second / peak.operations_per_second
    };
    Known::Value(kept(record).into_iter().map(share).collect())
}

/// A decode step of all sequences reads the streamed weights once and the positions each sequence attends to: those that the
/// record states, or, without sliding windows, all that it holds, `d + (n + 1) / 2` on average over the `n` steps from depth `d`.
///
/// ```text
/// bytes per step = streamed_bytes + sequences × positions × kv_bytes / (context × resident sequences)
/// percent        = 100 × bytes per step × steps per second / ceiling
/// ```
fn of_bandwidth(record: &Record, tokens: usize, depth: usize) -> Known<Vec<f64>> {
    let (facts, ceiling) = match (&record.facts, &record.ceiling) {
        (Known::Value(facts), Known::Value(ceiling)) => (facts, ceiling),
        (Known::Unavailable { unavailable }, _) | (_, Known::Unavailable { unavailable }) => {
            return Known::unavailable(unavailable);
        }
    };
    if facts.streamed_bytes == 0 {
        return Known::unavailable("the backend does not say how many weight bytes a token reads");
    }
    let held = depth as f64 + (tokens as f64 + 1.0) / 2.0;
    let positions = ceiling.positions_read.unwrap_or(held);
    let Some(kv) = kv_bytes_per_position(facts) else {
        return Known::unavailable(NO_KV);
    };
    let share = |sample: &Sample| {
        let sequences = sample.tokens as f64 / tokens as f64;
        let bytes = facts.streamed_bytes as f64 + sequences * positions * kv;
        let steps_per_ns = tokens as f64 / sample.nanoseconds as f64;
        100.0 * bytes * steps_per_ns * 1e9 / ceiling.bytes_per_second
    };
    Known::Value(kept(record).into_iter().map(share).collect())
}

/// Bytes of keys and values one position of one sequence takes, over all layers.
pub(crate) fn kv_bytes_per_position(facts: &Facts) -> Option<f64> {
    let positions = facts.context as f64 * facts.sequences as f64;
    (positions > 0.0).then(|| facts.kv_bytes as f64 / positions)
}
