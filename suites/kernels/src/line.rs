//! One bench's result as a line of JSON, and as a line for people.

use std::path::Path;

use serde::{Deserialize, Serialize};
use yardstick_api::Known;

use crate::ceiling::Bound;
use crate::name::Name;
use crate::work::Work;

/// Time of one run, as criterion estimated it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Time {
    /// Median, nanoseconds.
    pub median: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// `cpu/avx512-vnni/Q4_0/matvec/2048x2048`
    pub name: String,
    /// Median time of one run, nanoseconds.
    pub ns: f64,
    /// Ends of the 95 % interval of that median.
    pub ns_interval: [f64; 2],
    /// Threads.
    pub threads: usize,
    /// Bytes a run must read.
    pub bytes: u64,
    /// Multiplications and additions of a run.
    pub operations: Option<u64>,
    /// 10^9 bytes a second.
    pub gb_per_second: f64,
    /// 10^9 operations a second.
    pub gop_per_second: Option<f64>,
    /// Share of the ceiling reached, or why there is none.
    pub percent_of_ceiling: Known<f64>,
    /// The ceiling that binds.
    pub ceiling: Known<String>,
}

impl Line {
    /// Puts a result together.
    pub fn new(name: &Name, work: &Work, time: Time, bound: Known<Bound>) -> Line {
        let percent = |bound: Bound| 100.0 * bound.nanoseconds / time.median;
        Line {
            name: name.to_string(),
            ns: time.median,
            ns_interval: [time.low, time.high],
            threads: 1,
            bytes: work.bytes,
            operations: work.operations,
            gb_per_second: work.bytes as f64 / time.median,
            gop_per_second: work.operations.map(|operations| operations as f64 / time.median),
            percent_of_ceiling: bound.clone().map(percent),
            ceiling: bound.map(|bound| bound.name),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let operations =
            self.gop_per_second.map_or_else(String::new, |speed| format!(", {speed:.1} GOP/s"));
        let share = match (&self.percent_of_ceiling, &self.ceiling) {
            (Known::Value(percent), Known::Value(name)) => format!("{percent:.0} % of {name}"),
            (Known::Unavailable { unavailable }, _) | (_, Known::Unavailable { unavailable }) => {
                format!("no ceiling: {unavailable}")
            }
        };
        format!("{:.1} GB/s{operations}; {share}", self.gb_per_second)
    }
}

impl Time {
    /// Reads criterion's `new/estimates.json` of a bench from its output folder.
    pub fn read(output: &Path, group: &str, function: &str) -> Result<Time, String> {
        let safe = |text: &str| text.replace('/', "_");
        let path = output.join(safe(group)).join(safe(function)).join("new/estimates.json");
        let of_path = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read(&path).map_err(|error| of_path(&error))?;
        let found: Estimates = serde_json::from_slice(&text).map_err(|error| of_path(&error))?;
        let Estimate { point_estimate, confidence_interval } = found.median;
        let Interval { lower_bound, upper_bound } = confidence_interval;
        Ok(Time { median: point_estimate, low: lower_bound, high: upper_bound })
    }
}

/// The part of criterion's file that is read.
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_speeds_share_and_ceiling_and_reads_back() {
        let name: Name = "cpu/avx2/Q4_0/matvec/64x32".parse().unwrap();
        let work = Work { bytes: 1152, operations: Some(4096), arithmetic: None };
        let time = Time { median: 100.0, low: 90.0, high: 110.0 };
        let bound = Known::Value(Bound { nanoseconds: 60.0, name: "reading from L1".to_owned() });
        let line = Line::new(&name, &work, time, bound);
        assert_eq!(line.text(), "11.5 GB/s, 41.0 GOP/s; 60 % of reading from L1");
        let json = serde_json::to_string(&line).unwrap();
        assert_eq!(serde_json::from_str::<Line>(&json).unwrap(), line);
        let line = Line::new(&name, &work, time, Known::unavailable("a busy machine"));
        assert!(line.text().ends_with("no ceiling: a busy machine"));
    }
}
