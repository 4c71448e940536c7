//! Soaks in words: a line each, the fastest in the long run first.

use serde::Serialize;
use yardstick_analyse::SoakCurve;
use yardstick_api::Known;

use crate::number::digits;
use crate::text::elide;

/// A soak as people read it.
#[derive(Serialize)]
pub(crate) struct Line {
    pub(crate) device: String,
    pub(crate) model: String,
    /// Burst, first minute, sustained, throttled, recovered: as [`HEADINGS`].
    pub(crate) values: [String; 5],
    pub(crate) remark: String,
}

/// What the values are.
pub(crate) const HEADINGS: [&str; 5] =
    ["burst t/s", "first minute t/s", "sustained t/s", "throttled after", "after a rest"];

/// What stands under them.
pub(crate) const LEGEND: &str = "Burst: the first 5 s. Sustained: the last quarter of a soak of 2 minutes or more. \
Throttled: from then on below 95 % of the burst. After a rest: speed as a share of the burst. Soaks are ranked by sustained speed.";

pub(crate) fn lines(soaks: &[SoakCurve]) -> Vec<Line> {
    soaks.iter().map(line).collect()
}

fn line(soak: &SoakCurve) -> Line {
    let speed = |known: &Known<f64>| known.value().map_or("–".to_owned(), |v| digits(*v));
    let after = |known: &Known<f64>| match known.value() {
        Some(seconds) => format!("{seconds:.0} s"),
        None => "–".to_owned(),
    };
    let share = |known: &Known<f64>| match known.value() {
        Some(share) => format!("{:.0} %", share * 100.0),
        None => "–".to_owned(),
    };
    let known = [&soak.burst, &soak.first_minute, &soak.sustained, &soak.throttled_after];
    let mut reasons: Vec<&str> = known.into_iter().filter_map(Known::reason).collect();
    reasons.extend(soak.recovered.reason());
    reasons.extend(soak.cut_short.as_deref());
    reasons.dedup();
    let lasted = format!("{:.0} s; before: {}", soak.seconds, soak.cool_down);
    let remarks = [lasted].into_iter().chain(reasons.into_iter().map(str::to_owned));
    Line {
        device: elide(&soak.device, 40),
        model: elide(&soak.model, 40),
        values: [
            speed(&soak.burst),
            speed(&soak.first_minute),
            speed(&soak.sustained),
            after(&soak.throttled_after),
            share(&soak.recovered),
        ],
        remark: elide(&remarks.collect::<Vec<_>>().join("; "), 300),
    }
}
