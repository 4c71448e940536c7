//! Depth curves: what a longer context costs in bytes and in speed, and how deep memory reaches.

use std::collections::{BTreeMap, BTreeSet};

use yardstick_api::Known;
use yardstick_record::{Metric, Record, Test};

use crate::{Estimate, Row, estimate};

/// One test of one model on one device at several depths.
#[derive(Clone, Debug)]
pub struct DepthCurve {
    /// The model.
    pub model: String,
    /// The device, with the label of its build where it has one.
    pub device: String,
    /// Storage of keys and values.
    pub kv: &'static str,
    /// The test, without its depth.
    pub test: Test,
    /// Each depth, ascending.
    pub points: Vec<DepthPoint>,
    /// Bytes of keys and values a position of one sequence takes.
    pub position_bytes: Known<f64>,
    /// How time grows with depth.
    pub growth: Known<Growth>,
    /// Positions at which weights, scratch and the keys and values of every sequence fill the device's memory: computed, not run.
    pub full_at: Known<f64>,
}

/// One depth.
#[derive(Clone, Debug)]
pub struct DepthPoint {
    /// Positions held before the test.
    pub depth: usize,
    /// Index of its row among the comparison's.
    pub row: usize,
    /// Tokens per second.
    pub speed: Known<Estimate>,
    /// Bytes of keys and values held by every sequence at the end of the test.
    pub kv_bytes: Known<f64>,
}

/// Time of a token as a line over the depth.
#[derive(Clone, Debug)]
pub struct Growth {
    /// Nanoseconds more for each position held, a fit a launch.
    pub ns_per_position: Estimate,
    /// Nanoseconds at depth 0, by the same fits.
    pub ns_at_start: f64,
    /// How far the farthest depth is from the line, as a share of its time: growth that is no line shows here.
    pub farthest: f64,
}

/// Fewer depths lie on a line anyhow.
const LEAST_DEPTHS: usize = 3;

/// A curve for every test that was measured at two depths or more.
pub(crate) fn depth_curves(rows: &[Row], records: &[Record]) -> Vec<DepthCurve> {
    let mut curves: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate().filter(|(_, row)| row.cell.test.tokens().is_some())
    {
        let key = (&row.model, row.cell.test.at_depth(0), row.member(), &row.settings);
        curves.entry(key).or_default().push(index);
    }
    let several = curves.into_values().filter(|indices| indices.len() > 1);
    several.filter_map(|indices| curve(rows, indices, records)).collect()
}

fn curve(rows: &[Row], mut indices: Vec<usize>, records: &[Record]) -> Option<DepthCurve> {
    indices.sort_by_key(|&index| rows[index].cell.test.depth());
    let first = &rows[*indices.first()?];
    let measured: Vec<&Row> = indices
        .iter()
        .map(|&index| &rows[index])
        .filter(|row| row.not_ranked.is_none() && !row.by_launch.is_empty())
        .collect();
    let position_bytes = first.kv_position_bytes.clone();
    Some(DepthCurve {
        model: first.model.clone(),
        device: first.member(),
        kv: first.cell.options.kv.name(),
        test: first.cell.test.at_depth(0),
        points: indices.iter().map(|&index| point(rows, index, &position_bytes)).collect(),
        growth: growth(&measured),
        full_at: full_at(first, &position_bytes, records),
        position_bytes,
    })
}

fn point(rows: &[Row], index: usize, position_bytes: &Known<f64>) -> DepthPoint {
    let row = &rows[index];
    let speed = match &row.not_ranked {
        Some(reason) => Known::unavailable(reason),
        None => match row.metrics.get(&Metric::TokensPerSecond) {
            Some(speed) => speed.clone(),
            None => Known::unavailable("no samples"),
        },
    };
    let held = (row.cell.test.positions() * row.cell.options.sequences) as f64;
    let kv_bytes = position_bytes.clone().map(|bytes| bytes * held);
    DepthPoint { depth: row.cell.test.depth(), row: index, speed, kv_bytes }
}

/// A line through the depths of every launch that measured all of them; the median of its slopes.
fn growth(rows: &[&Row]) -> Known<Growth> {
    if rows.len() < LEAST_DEPTHS {
        return Known::unavailable(format!(
            "{} depths measured, a line needs {LEAST_DEPTHS}",
            rows.len()
        ));
    }
    let lines: Vec<(f64, f64)> = launches(rows).iter().filter_map(|points| line(points)).collect();
    let slopes: Vec<Vec<f64>> = lines.iter().map(|(_, slope)| vec![*slope]).collect();
    let starts: Vec<Vec<f64>> = lines.iter().map(|(start, _)| vec![*start]).collect();
    let (Some(slope), Some(start)) = (estimate(&slopes), estimate(&starts)) else {
        return Known::unavailable("no launch measured every depth");
    };
    let off = |row: &&Row| {
        let time = 1e9 / row.estimate(Metric::TokensPerSecond)?.median;
        let fitted = start.median + slope.median * row.cell.test.depth() as f64;
        Some((fitted / time - 1.0).abs())
    };
    Known::Value(Growth {
        farthest: rows.iter().filter_map(off).fold(0.0, f64::max),
        ns_at_start: start.median,
        ns_per_position: slope,
    })
}

/// Depths and nanoseconds a token of each launch that measured every depth.
fn launches(rows: &[&Row]) -> Vec<Vec<(f64, f64)>> {
    let ids: BTreeSet<(&str, u32)> = rows
        .iter()
        .flat_map(|row| row.by_launch.iter().map(|value| (value.run.as_str(), value.launch)))
        .collect();
    let of = |(run, launch): (&str, u32)| -> Option<Vec<(f64, f64)>> {
        let at = |row: &&Row| {
            let same = |value: &&crate::LaunchValue| value.run == run && value.launch == launch;
            let value = row.by_launch.iter().find(same)?;
            Some((row.cell.test.depth() as f64, 1e9 / value.value))
        };
        rows.iter().map(at).collect()
    };
    ids.into_iter().filter_map(of).collect()
}

/// Least squares: value at 0 and slope; `None` where all depths are one.
fn line(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let joint: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    (spread > 0.0).then(|| (y - joint / spread * x, joint / spread))
}

fn full_at(row: &Row, position_bytes: &Known<f64>, records: &[Record]) -> Known<f64> {
    let record = records.iter().find(|record| row.records.contains(&record.id));
    let (device, facts) = match record.map(|record| (&record.device, &record.facts)) {
        Some((Known::Value(device), Known::Value(facts))) => (device, facts),
        Some((Known::Unavailable { unavailable }, _) | (_, Known::Unavailable { unavailable })) => {
            return Known::unavailable(unavailable);
        }
        None => return Known::unavailable("nothing was measured"),
    };
    let held = (facts.mapped_bytes + facts.copied_bytes + facts.scratch_bytes) as f64;
    match (&device.memory_bytes, position_bytes) {
        (Known::Value(memory), Known::Value(bytes)) => {
            let room = (*memory as f64 - held).max(0.0);
            Known::Value((room / (bytes * row.cell.options.sequences as f64)).floor())
        }
        (Known::Unavailable { unavailable }, _) | (_, Known::Unavailable { unavailable }) => {
            Known::unavailable(unavailable)
        }
    }
}
