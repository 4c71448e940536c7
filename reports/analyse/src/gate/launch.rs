//! One launch of a comparison: what the candidate and the control cost beside the base, in one round of fresh processes.

use serde::{Deserialize, Serialize};

use super::Error;
use crate::estimate::sorted;
use crate::median;

/// One launch's statistic of one metric. Positive is worse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Launch(Parts);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Parts {
    /// Log ratio of candidate to base.
    d: f64,
    /// Log ratio of the control copy to base.
    d0: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    set_apart: Option<String>,
}

impl Launch {
    /// From log ratios, candidate over base and control over base, positive where worse.
    pub fn new(d: f64, d0: Option<f64>) -> Result<Launch, Error> {
        Parts { d, d0, set_apart: None }.try_into()
    }

    /// From costs of samples (seconds; not rates), which took turns: the i-th of each arm belong to one round. Medians of log
    /// ratios, as they found +3 % more often than means or lower quantiles did.
    pub fn of_samples(
        base: &[f64],
        candidate: &[f64],
        control: Option<&[f64]>,
    ) -> Result<Launch, Error> {
        let d = log_ratio("candidate", candidate, base)?;
        let d0 = control.map(|control| log_ratio("control", control, base)).transpose()?;
        Launch::new(d, d0)
    }

    /// The same, set apart by evidence from outside the measured values (`steal 7 %`, `throttled`). Never by the value itself.
    #[must_use]
    pub fn apart(mut self, evidence: impl Into<String>) -> Launch {
        self.0.set_apart = Some(evidence.into());
        self
    }

    /// Log ratio of candidate to base.
    pub fn d(&self) -> f64 {
        self.0.d
    }

    /// Log ratio of the control copy to base.
    pub fn d0(&self) -> Option<f64> {
        self.0.d0
    }

    /// The candidate against the mean of the base's two copies, or against the base where there is no control: half of a copy's
    /// luck with code layout cancels.
    pub fn effect(&self) -> f64 {
        self.0.d - self.0.d0.unwrap_or(0.0) / 2.0
    }

    /// The evidence by which it is set apart.
    pub fn set_apart(&self) -> Option<&str> {
        self.0.set_apart.as_deref()
    }
}

impl TryFrom<Parts> for Launch {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Launch, Error> {
        let all = [("candidate", Some(parts.d)), ("control", parts.d0)];
        for (arm, value) in all {
            if let Some(value) = value.filter(|value| !value.is_finite()) {
                return Err(Error::Value { arm, at: 0, found: value });
            }
        }
        Ok(Launch(parts))
    }
}

impl From<Launch> for Parts {
    fn from(launch: Launch) -> Parts {
        launch.0
    }
}

fn log_ratio(arm: &'static str, costs: &[f64], base: &[f64]) -> Result<f64, Error> {
    if costs.len() != base.len() {
        return Err(Error::Samples { arm, found: costs.len(), expected: base.len() });
    }
    for (arm, values) in [(arm, costs), ("base", base)] {
        let wrong = values.iter().position(|v| !(v.is_finite() && *v > 0.0));
        if let Some(at) = wrong {
            return Err(Error::Value { arm, at, found: values[at] });
        }
    }
    let logs: Vec<f64> = costs.iter().zip(base).map(|(c, b)| c.ln() - b.ln()).collect();
    median(&sorted(&logs)).ok_or(Error::Samples { arm, found: 0, expected: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_is_the_median_of_its_log_ratios() {
        let launch =
            Launch::of_samples(&[1.0, 2.0, 4.0], &[1.1, 9.0, 4.4], Some(&[1.0, 2.0, 8.0])).unwrap();
        assert!((launch.d() - 1.1_f64.ln()).abs() < 1e-12);
        assert_eq!((launch.d0(), launch.set_apart()), (Some(0.0), None));
        assert_eq!(launch.apart("steal 7 %").set_apart(), Some("steal 7 %"));
    }

    #[test]
    fn what_is_no_cost_is_refused_by_arm_and_place() {
        let of = |b: &[f64], c: &[f64]| Launch::of_samples(b, c, None).unwrap_err();
        assert_eq!(
            of(&[1.0, 1.0], &[1.0, -2.0]),
            Error::Value { arm: "candidate", at: 1, found: -2.0 }
        );
        assert_eq!(of(&[0.0], &[1.0]), Error::Value { arm: "base", at: 0, found: 0.0 });
        assert!(matches!(of(&[1.0], &[f64::NAN]), Error::Value { arm: "candidate", .. }));
        assert_eq!(of(&[1.0], &[]), Error::Samples { arm: "candidate", found: 0, expected: 1 });
        assert_eq!(of(&[], &[]), Error::Samples { arm: "candidate", found: 0, expected: 1 });
        assert!(
            Launch::new(f64::INFINITY, None).is_err() && Launch::new(0.0, Some(f64::NAN)).is_err()
        );
    }

    #[test]
    fn logs_of_launches_come_back() {
        let launch = Launch::new(0.03, Some(-0.001)).unwrap().apart("throttled");
        let text = r#"{"d":0.03,"d0":-0.001,"set_apart":"throttled"}"#;
        assert_eq!(serde_json::to_string(&launch).unwrap(), text);
        assert_eq!(serde_json::from_str::<Launch>(text).unwrap(), launch);
        assert_eq!(serde_json::from_str::<Launch>(r#"{"d":0,"d0":null}"#).unwrap().d0(), None);
    }
}
