//! The clock that samples are timed with: what its self-test found.

use serde_json::Value;

use super::Field;
use crate::clock_check::clock_check;

pub(super) const FIELDS: &[Field] = &[
    ("clock.resolution_ns", |_| Ok(clock_check().resolution_ns.into())),
    ("clock.reading_ns", |_| Ok(clock_check().reading_ns.into())),
    ("clock.hot_ppm", |_| number(clock_check().hot_ppm)),
    ("clock.cold_ppm", |_| number(clock_check().cold_ppm)),
    ("clock.verdict", |_| Ok(clock_check().flaw().unwrap_or_else(|| "passed".to_owned()).into())),
];

fn number(ppm: f64) -> Result<Value, String> {
    match ppm.is_finite() {
        true => Ok(ppm.into()),
        false => Err("the wall clock was set back in every try".to_owned()),
    }
}
