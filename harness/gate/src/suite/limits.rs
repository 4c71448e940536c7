//! Which metrics of a cell are judged, and by how much they may become worse: the suite's budgets, else what is usual.

use yardstick_analyse::applies;
use yardstick_analyse::gate::Plan;
use yardstick_measure::suite::{Budget, Threshold};
use yardstick_record::{Metric, Test};

/// Largest change for the worse unless a suite says so, percent.
const TIME: f64 = 3.0;
const MEMORY: f64 = 5.0;
const ENERGY: f64 = 5.0;
/// Largest mean divergence unless a suite says so, nats a position. Another order of sums stays below it, another quantisation
/// does not.
pub(super) const DRIFT: f64 = 1e-3;
/// Share of a threshold up to which a change never fails.
const FLOOR: f64 = 0.5;

/// A metric of a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) metric: Metric,
    /// How it is judged.
    pub(super) plan: Plan,
    /// The suite has a budget on it: it must be measured.
    pub(super) demanded: bool,
}

/// Where budgets speak of.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) device: &'a str,
    pub(super) model: &'a str,
    pub(super) test: Test,
}

/// What is judged of a test. `metered`: a meter is there, so energy is measured unasked.
pub(super) fn judged(budgets: &[Budget], place: Place<'_>, metered: bool) -> Vec<Judged> {
    let usual = |metric: Metric| match metric {
        Metric::TokensPerSecond | Metric::TimeNs => Some(TIME),
        Metric::PeakRssBytes => Some(MEMORY),
        Metric::JoulesPerToken if metered => Some(ENERGY),
        _ => None,
    };
    let all = Metric::ALL.into_iter().filter(|metric| applies(*metric, place.test));
    all.filter_map(|metric| {
        let asked = strictest(budgets, metric, place);
        let percent = asked.or_else(|| usual(metric))?;
        // What cannot be shown is told elsewhere.
        let caught = Some(percent / 100.0).filter(|caught| *caught > 0.0)?;
        let plan = Plan { floor: FLOOR * caught, caught, ..Plan::cpu_time() };
        Some(Judged { metric, plan, demanded: asked.is_some() })
    })
    .collect()
}

/// The smallest percentage that a budget allows here.
fn strictest(budgets: &[Budget], metric: Metric, place: Place<'_>) -> Option<f64> {
    let here = budgets.iter().filter(|budget| budget.metric == metric && meets(budget, place));
    let percents = here.filter_map(|budget| match budget.threshold {
        Threshold::Percent(percent) => Some(percent),
        Threshold::Value(_) => None,
    });
    percents.min_by(f64::total_cmp)
}

fn meets(budget: &Budget, place: Place<'_>) -> bool {
    budget.scope.matches(place.device, place.model, place.test)
}

/// Nats that are let pass of a group of tests, and whether a budget says so.
pub(super) fn drift(budgets: &[Budget], places: &[Place<'_>]) -> (f64, bool) {
    let here = budgets.iter().filter(|budget| {
        budget.metric == Metric::KldMean && places.iter().any(|place| meets(budget, *place))
    });
    let nats = here.filter_map(|budget| match budget.threshold {
        Threshold::Value(nats) => Some(nats),
        Threshold::Percent(_) => None,
    });
    let strictest = nats.min_by(f64::total_cmp);
    (strictest.unwrap_or(DRIFT), strictest.is_some())
}

/// What no launch can decide of the suite's budgets: a name and a reason each.
pub(super) fn idle(budgets: &[Budget], places: &[Place<'_>]) -> Vec<(String, String)> {
    let of = |(index, budget): (usize, &Budget)| {
        let name = budget.metric.name();
        let here: Vec<&Place<'_>> = places.iter().filter(|place| meets(budget, **place)).collect();
        let measured = here.iter().any(|place| applies(budget.metric, place.test));
        let reason = match (budget.metric, budget.threshold) {
            _ if here.is_empty() => "its scope meets no cell that both sides have".to_owned(),
            (Metric::KldMean, Threshold::Value(_)) => return None,
            (Metric::KldMean, Threshold::Percent(_)) => {
                "the base's own divergence is 0: write the threshold as a number of nats".to_owned()
            }
            // Told once, for all of them.
            (_, Threshold::Value(_)) => return None,
            (_, Threshold::Percent(0.0)) => {
                "0 % cannot be shown of anything that is measured: allow a little".to_owned()
            }
            _ if !measured => {
                format!("no test of the suite that the gate measures has {name}")
            }
            _ => return None,
        };
        Some((format!("[[budget]] {} {name}", index + 1), reason))
    };
    budgets.iter().enumerate().filter_map(of).collect()
}

/// Budgets in a unit, which hold for a candidate alone.
pub(super) fn absolute(budgets: &[Budget]) -> usize {
    let value = |budget: &&Budget| {
        budget.metric != Metric::KldMean && matches!(budget.threshold, Threshold::Value(_))
    };
    budgets.iter().filter(value).count()
}

/// A row's last word.
pub(super) fn word(metric: Metric) -> &'static str {
    match metric {
        Metric::TokensPerSecond | Metric::TimeNs => "time",
        Metric::PeakRssBytes => "memory",
        Metric::JoulesPerToken => "energy",
        other => other.name(),
    }
}

/// Read off meters, which need seconds and the machine for one side alone.
pub(super) fn is_energy(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::JoulesPerToken
            | Metric::MeanWatts
            | Metric::PeakWatts
            | Metric::IdleWatts
            | Metric::TokensPerKwh
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use yardstick_measure::suite::Budgets;

    fn budgets(text: &str) -> Vec<Budget> {
        Budgets::parse("test", &format!("name = \"test\"\n{text}")).unwrap().budgets
    }

    fn place(test: &str) -> Place<'static> {
        Place { device: "cpu:avx2", model: "tiny:Q4_0", test: test.parse().unwrap() }
    }

    fn budget(metric: &str, threshold: &str, scope: &str) -> String {
        format!(
            "[[budget]]\nmetric = \"{metric}\"\nthreshold = {threshold}\nscope = {{ {scope} }}\n"
        )
    }

    #[test]
    fn speed_and_memory_are_judged_unasked_and_energy_where_a_meter_is() {
        let of = |test, metered| -> Vec<(&'static str, f64, bool)> {
            let all = judged(&[], place(test), metered);
            all.iter().map(|j| (word(j.metric), j.plan.caught, j.demanded)).collect()
        };
        assert_eq!(of("tg16", false), [("time", 0.03, false), ("memory", 0.05, false)]);
        assert_eq!(of("tg16", true).last(), Some(&("energy", 0.05, false)));
        assert_eq!(of("load", true), [("time", 0.03, false), ("memory", 0.05, false)]);
    }

    #[test]
    fn the_strictest_budget_of_a_cell_holds_and_half_of_it_never_fails() {
        let text = budget("tokens_per_second", "\"10 %\"", "")
            + &budget("tokens_per_second", "\"4 %\"", "tests = [\"tg*\"]")
            + &budget("token_latency_p95_ns", "\"20 %\"", "")
            + &budget("kld_mean", "0.5", "devices = [\"cpu\"]");
        let budgets = budgets(&text);
        let caught = |test| {
            let all = judged(&budgets, place(test), false);
            all.iter().map(|j| (word(j.metric), j.plan.caught)).collect::<Vec<_>>()
        };
        assert_eq!(caught("pp16")[0], ("time", 0.1));
        let tg = caught("tg16");
        assert_eq!(tg[0], ("time", 0.04));
        assert!(tg.contains(&("token_latency_p95_ns", 0.2)), "{tg:?}");
        assert_eq!(judged(&budgets, place("tg16"), false)[0].plan.floor, 0.02);
        assert_eq!(drift(&budgets, &[place("tg16")]), (0.5, true));
        assert_eq!(drift(&[], &[place("tg16")]), (DRIFT, false));
        assert!(idle(&budgets, &[place("tg16")]).is_empty());
    }

    #[test]
    fn budgets_that_nothing_can_decide_are_named() {
        let text = budget("accuracy", "\"3 %\"", "")
            + &budget("tokens_per_second", "\"3 %\"", "devices = [\"wgpu\"]")
            + &budget("kld_mean", "\"3 %\"", "")
            + &budget("peak_rss_bytes", "\"0 %\"", "")
            + &budget("peak_rss_bytes", "1000", "");
        let budgets = budgets(&text);
        let found = idle(&budgets, &[place("tg16")]);
        let words = ["has accuracy", "meets no cell", "number of nats", "allow a little"];
        assert_eq!(found.len(), words.len(), "{found:?}");
        for ((name, reason), word) in found.iter().zip(words) {
            assert!(reason.contains(word), "{name}: {reason}");
        }
        assert_eq!((found[0].0.as_str(), absolute(&budgets)), ("[[budget]] 1 accuracy", 1));
    }
}
