//! Share of the measured read bandwidth a decode uses.

use yardstick_api::{Facts, Known};
use yardstick_record::{Record, Sample, Test};

/// Percent of the ceiling each sample reached, for a `tg` record.
///
/// A decode step of all sequences reads the streamed weights once and every position each sequence holds. Averaged
/// over the `n` steps from depth `d` a sequence holds `d + (n + 1) / 2` positions, so
///
/// ```text
/// bytes per step = streamed_bytes + sequences × (d + (n + 1) / 2) × kv_bytes / (context × resident sequences)
/// percent        = 100 × bytes per step × steps per second / ceiling
/// ```
pub(crate) fn percent(record: &Record) -> Known<Vec<f64>> {
    let Test::Generate { tokens, depth } = record.cell.test else {
        return Known::unavailable("only tg tests are held against the read bandwidth");
    };
    let (facts, ceiling) = match (&record.facts, &record.ceiling) {
        (Known::Value(facts), Known::Value(ceiling)) => (facts, ceiling),
        (Known::Unavailable { unavailable }, _) | (_, Known::Unavailable { unavailable }) => {
            return Known::unavailable(unavailable);
        }
    };
    if facts.streamed_bytes == 0 {
        return Known::unavailable("the backend does not say how many weight bytes a token reads");
    }
    let positions = depth as f64 + (tokens as f64 + 1.0) / 2.0;
    let Some(kv) = kv_bytes_per_position(facts) else {
        return Known::unavailable(
            "the size of the KV cache is unknown: context or sequences is 0",
        );
    };
    let share = |sample: &Sample| {
        let sequences = sample.tokens as f64 / tokens as f64;
        let bytes = facts.streamed_bytes as f64 + sequences * positions * kv;
        let steps_per_ns = tokens as f64 / sample.nanoseconds as f64;
        100.0 * bytes * steps_per_ns * 1e9 / ceiling.bytes_per_second
    };
    Known::Value(record.samples.iter().map(share).collect())
}

fn kv_bytes_per_position(facts: &Facts) -> Option<f64> {
    let positions = facts.context as f64 * facts.sequences as f64;
    (positions > 0.0).then(|| facts.kv_bytes as f64 / positions)
}
