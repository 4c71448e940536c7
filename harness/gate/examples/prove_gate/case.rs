//! What a candidate is, and what the gate should say to it.

/// A candidate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    /// Its name in logs: `same`, `rows=3`, `sleep=300`, `unused`.
    pub(crate) name: String,
}

/// What the gate should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Anything but fail.
    NoAlarm,
    /// Fail.
    Alarm,
    /// Between floor and what must be caught: either is right.
    Either,
}

impl Case {
    pub(crate) fn of(name: &str) -> Result<Case, String> {
        let case = Case { name: name.to_owned() };
        let known = ["same", "unused"].contains(&name)
            || ["rows=", "stride=", "sleep=", "lock="].iter().any(|what| name.starts_with(what));
        known.then_some(case).ok_or_else(|| {
            format!("{name}: expected same, unused, rows=PERCENT, stride=N, sleep=US or lock=US")
        })
    }

    /// Percent of more real work, where it is that.
    pub(crate) fn percent(&self) -> Option<f64> {
        match self.name.as_str() {
            "same" => Some(0.0),
            name => name.strip_prefix("rows=")?.parse().ok(),
        }
    }

    pub(crate) fn wanted(&self) -> Wanted {
        match self.percent() {
            Some(percent) if percent <= 0.0 => Wanted::NoAlarm,
            Some(percent) if percent >= 3.0 => Wanted::Alarm,
            Some(_) => Wanted::Either,
            None if self.name == "unused" => Wanted::NoAlarm,
            None => Wanted::Alarm,
        }
    }
}
