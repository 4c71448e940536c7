//! The plan of a comparison of two builds: when it looks, how often it may be wrong, and which effects matter.

use super::Error;

/// How one metric of one kernel is judged. Effects are relative and positive where the candidate costs more: 0.03 is 3 %.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Launches after which a decision may fall, ascending, each at least 3.
    pub looks: Vec<usize>,
    /// Chance of failing a candidate that costs no more, over all looks together.
    pub alpha: f64,
    /// Chance of passing a candidate whose effect is `caught`, over all looks together.
    pub beta: f64,
    /// Effects at or below this never fail, however sure; the candidate must be above it against both copies of the base.
    pub floor: f64,
    /// Effects from here on must not pass.
    pub caught: f64,
}

impl Plan {
    /// Process CPU time of CPU kernels, and device-event time of GPU kernels.
    pub fn cpu_time() -> Plan {
        Plan { looks: vec![6, 10, 16, 24], alpha: 0.01, beta: 0.01, floor: 0.015, caught: 0.03 }
    }

    /// Wall time beside CPU time: coarse, to notice sleeps, locks and waiting that costs no CPU time.
    pub fn wall_time() -> Plan {
        Plan { floor: 0.10, caught: 0.20, ..Plan::cpu_time() }
    }

    /// The same for one of `n` hypotheses that share its error budget (Bonferroni, the first step of Holm).
    pub fn shared_by(&self, n: usize) -> Plan {
        Plan { alpha: self.alpha / n.max(1) as f64, ..self.clone() }
    }

    /// Refuses what cannot be carried out, naming the field.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |field, expected, found: String| Err(Error::Plan { field, expected, found });
        let rising = self.looks.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || self.looks.first().is_none_or(|&first| first < 3) {
            return refuse("looks", "ascending, from 3 launches on", format!("{:?}", self.looks));
        }
        for (field, value) in [("alpha", self.alpha), ("beta", self.beta)] {
            if !(value > 0.0 && value < 0.5) {
                return refuse(field, "a chance between 0 and 0.5", value.to_string());
            }
        }
        if !(self.floor.is_finite() && self.floor >= 0.0) {
            return refuse("floor", "a share from 0 on", self.floor.to_string());
        }
        if !(self.caught.is_finite() && self.caught > self.floor) {
            return refuse("caught", "a share above the floor", self.caught.to_string());
        }
        Ok(())
    }

    /// One-sided error of failing and of passing at each look: union bound over the looks.
    pub(super) fn tails(&self) -> (f64, f64) {
        let looks = self.looks.len() as f64;
        (self.alpha / looks, self.beta / looks)
    }

    /// The last look.
    pub(super) fn most(&self) -> usize {
        self.looks.last().copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_that_cannot_be_carried_out_are_refused_by_field() {
        let good = Plan::cpu_time();
        assert_eq!((good.check(), Plan::wall_time().check()), (Ok(()), Ok(())));
        let field = |plan: Plan| match plan.check() {
            Err(Error::Plan { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        for looks in [vec![], vec![2, 6], vec![6, 6], vec![10, 6]] {
            assert_eq!(field(Plan { looks, ..good.clone() }), "looks");
        }
        assert_eq!(field(Plan { alpha: 0.0, ..good.clone() }), "alpha");
        assert_eq!(field(Plan { beta: f64::NAN, ..good.clone() }), "beta");
        assert_eq!(field(Plan { floor: -0.1, ..good.clone() }), "floor");
        assert_eq!(field(Plan { caught: 0.01, ..good }), "caught");
    }

    #[test]
    fn a_shared_budget_is_divided() {
        assert_eq!(Plan::cpu_time().shared_by(4).alpha, 0.0025);
        assert_eq!(Plan::cpu_time().shared_by(0).alpha, 0.01);
    }
}
