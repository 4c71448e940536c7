//! The experiment on unstructured zeros: both files measured in turns, and what their ratio says. Knows no answer.

use std::path::Path;

use anyhow::{Context, Result};
use yardstick_analyse::{Comparison, Difference, Versus};

use crate::args::Run;
use crate::paths::Paths;
use crate::verbs::{DONE, run};
use crate::{console, output};

/// Runs suite `zeros` on both files, shows its table, and says what it found.
pub(crate) fn measure(paths: &Paths, original: &str, zeroed: &Path, share: f64) -> Result<u8> {
    let models = vec![original.to_owned(), zeroed.display().to_string()];
    let mut command = vec!["run".to_owned(), "--suite".to_owned(), "zeros".to_owned()];
    command.extend(models.iter().flat_map(|model| ["--model".to_owned(), model.clone()]));
    let flags = Run { suite: Some("zeros".to_owned()), model: models, ..Run::default() };
    let code = run::run_as(paths, &flags, command)?;
    if code != DONE {
        return Ok(code);
    }
    let store = output::open(&paths.store)?;
    let run = store.latest_run()?.context("the run is not in the store")?;
    let records = output::records(&store, std::slice::from_ref(&run.id))?;
    let name = |text: &str| Path::new(text).file_name().map(|n| n.to_string_lossy().into_owned());
    let baseline = match Path::new(original).is_file() {
        true => name(original).unwrap_or_default(),
        false => original.to_owned(),
    };
    let comparison = output::compare(&store, &records, Some(&baseline), None)?;
    let found: Vec<(String, &Versus)> = found(&comparison);
    for (test, versus) in &found {
        console::say(format!("{test}: {}", yardstick_render::difference(versus)))?;
    }
    console::say(verdict(share, &found.iter().map(|(_, versus)| *versus).collect::<Vec<_>>()))?;
    Ok(DONE)
}

fn found(comparison: &Comparison) -> Vec<(String, &Versus)> {
    let ratios = comparison.ratios();
    ratios.map(|(_, row, versus)| (format!("{} {}", row.member(), row.cell.test), versus)).collect()
}

/// Percent that may remain open: half of the weights are said to save up to half of the time, and less than this is no saving.
const ROOM: f64 = 10.0;

/// One sentence, from the intervals alone.
fn verdict(share: f64, found: &[&Versus]) -> String {
    let percent = 100.0 * share;
    let start = format!("{percent:.0} % of the weights of every row are zero");
    let with = |difference| found.iter().filter(move |versus| versus.difference == difference);
    if found.is_empty() || with(Difference::NoInterval).next().is_some() {
        return format!(
            "not decided: {start}, and an interval is missing; it takes 3 launches that end well"
        );
    }
    let faster = |versus: &&&Versus| versus.speed().median > 1.0;
    let (up, down) =
        (with(Difference::Shown).filter(faster).count(), with(Difference::Shown).count());
    let high = found.iter().filter_map(|v| v.speed().interval.value().map(|i| i.high));
    let most = 100.0 * (high.fold(1.0, f64::max) - 1.0);
    let tests = found.len();
    match (up, down) {
        (0, _) if most > ROOM => format!(
            "not decided: {start}, and none of {tests} tests is shown to be faster, but intervals leave room for {most:.0} %; measure on an idle machine"
        ),
        (0, 0) => format!(
            "no speed here: {start}, and none of {tests} tests shows a difference; intervals leave room for {most:.1} % at most"
        ),
        (0, slower) => {
            format!("no speed here: {start}, and {slower} of {tests} tests are slower, none faster")
        }
        (up, _) => format!("speed here: {start}, and {up} of {tests} tests are faster"),
    }
}

#[cfg(test)]
mod tests {
    use yardstick_analyse::{Choice, Interval, Method, Ratio};
    use yardstick_api::Known;
    use yardstick_record::Metric;

    use super::*;

    fn versus(low: f64, high: f64) -> Versus {
        let difference = match (low, high) {
            (low, high) if low <= 1.0 && high >= 1.0 => Difference::NotShown,
            _ => Difference::Shown,
        };
        let interval = Known::Value(Interval { low, high, confidence: 0.95 });
        let median = (low * high).sqrt();
        let method = Method::OrderStatistics;
        Versus {
            baseline: 0,
            against: "cpu:a".into(),
            choice: Choice::Asked,
            metric: Metric::TokensPerSecond,
            ratio: Ratio { median, interval, n: 6, method, paired: true },
            difference,
            noise_floor: Known::unavailable("not measured"),
            drift: None,
        }
    }

    #[test]
    fn the_intervals_decide() {
        let (even, slower, faster) = (versus(0.98, 1.031), versus(0.8, 0.9), versus(1.5, 1.9));
        let none = Versus { difference: Difference::NoInterval, ..even.clone() };
        let says = |found: &[&Versus]| verdict(0.5, found);
        assert!(says(&[&even, &even]).starts_with("no speed here: 50 %"));
        assert!(says(&[&even]).contains("room for 3.1 % at most"));
        let wide = versus(0.2, 4.7);
        assert!(says(&[&even, &wide]).contains("not decided") && says(&[&wide]).contains("370 %"));
        assert!(says(&[&even, &slower]).contains("1 of 2 tests are slower, none faster"));
        assert!(says(&[&even, &faster]).starts_with("speed here: 50 %"));
        assert!(says(&[&faster, &none]).starts_with("not decided"));
        assert!(says(&[]).starts_with("not decided"));
    }
}
