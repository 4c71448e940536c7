//! One line of a meter: `timestamp,watts`, the time as seconds since 1970 or RFC 3339.

use crate::probe::Learnt;
use crate::root::clean;

/// Seconds since 1970 of clocks that were set: 2001 to 2286. Milliseconds are beyond.
const TIMES: std::ops::RangeInclusive<f64> = 1e9..=1e10;
/// What is shown of a line that is none.
const SHOWN: usize = 60;

/// A value of a meter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// Seconds since 1970.
    pub(super) at: f64,
    pub(super) watts: f64,
}

/// The value of a line; `None` for a blank line, a comment, or a heading on the first line.
pub(super) fn point(text: &str, number: u64) -> Learnt<Option<Point>> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let wrong = |what: &str| {
        let found: String = clean(text).chars().take(SHOWN).collect();
        format!("line {number}: expected {what}, found {found:?}")
    };
    let Some((time, watts)) = text.split_once(',') else {
        return Err(wrong("timestamp,watts"));
    };
    let (time, watts) = (time.trim(), watts.trim());
    if number == 1 && time.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Ok(None);
    }
    let at = seconds(time).ok_or_else(|| {
        wrong("a time in seconds since 1970 (not milliseconds) or RFC 3339 before the comma")
    })?;
    match watts.parse::<f64>() {
        Ok(watts) if (0.0..=super::MOST_WATTS).contains(&watts) => Ok(Some(Point { at, watts })),
        _ => Err(wrong(&format!("0 to {} watts after the comma", super::MOST_WATTS))),
    }
}

fn seconds(text: &str) -> Option<f64> {
    let at = match text.parse::<f64>() {
        Ok(seconds) => seconds,
        Err(_) => text.parse::<jiff::Timestamp>().ok()?.as_nanosecond() as f64 / 1e9,
    };
    TIMES.contains(&at).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_rfc_3339_and_everything_else_is_named() {
        let at = |at: f64, watts| Ok(Some(Point { at, watts }));
        assert_eq!(point("1700000000.25,54.5\r", 9), at(1_700_000_000.25, 54.5));
        assert_eq!(point("2023-11-14T22:13:20.5Z, 7", 9), at(1_700_000_000.5, 7.0));
        assert_eq!(point("2023-11-14T23:13:20+01:00,7", 9), at(1_700_000_000.0, 7.0));
        for skipped in ["", "  ", "# a meter"] {
            assert_eq!(point(skipped, 9), Ok(None));
        }
        assert_eq!(point("timestamp,watts", 1), Ok(None));
        for (text, named) in [
            ("timestamp,watts", "line 9: expected a time"),
            ("54.3 W", "expected timestamp,watts, found \"54.3 W\""),
            ("1700000000000,54", "not milliseconds"),
            ("1,54", "seconds since 1970"),
            ("NaN,54", "seconds since 1970"),
            ("1700000000,NaN", "0 to 20000 watts"),
            ("1700000000,inf", "0 to 20000 watts"),
            ("1700000000,-3", "0 to 20000 watts"),
            ("1700000000,54000", "0 to 20000 watts"),
            ("1700000000,54,3", "0 to 20000 watts"),
            ("{\"watts\":\u{1b}[31m54}", "found \"{\\\"watts\\\":[31m54}\""),
        ] {
            let why = point(text, 9).unwrap_err();
            assert!(why.contains(named), "{text}: {why}");
        }
    }
}
