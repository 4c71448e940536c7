//! Prometheus' text exposition format: base units in the names, a gauge a metric, one series a cell.

use std::collections::BTreeMap;
use std::fmt::Write;

use yardstick_analyse::{Bound, Comparison, Estimate, Judgement, Row, Verdict};
use yardstick_record::{Metric, VerificationStatus};
use yardstick_render::clean;

use crate::series::{Series, series};

/// Which of an estimate's numbers a family holds: its suffix, and what that is.
const PARTS: [(&str, &str, Part); 3] = [
    ("", "median", |estimate| Some(estimate.median)),
    ("_low", "lower end of the 95 % interval", |estimate| Some(estimate.interval.value()?.low)),
    ("_high", "upper end of the 95 % interval", |estimate| Some(estimate.interval.value()?.high)),
];

type Part = fn(&Estimate) -> Option<f64>;

/// Every cell: whether it ended well, and each metric that has a value. `timestamp` gives a row's time in milliseconds; the
/// textfile collector of node_exporter refuses files with times.
pub fn prometheus(comparison: &Comparison, timestamp: &dyn Fn(&Row) -> Option<i64>) -> String {
    let series = series(comparison);
    let mut out = String::new();
    let help = "Whether the cell was measured: 1 ok, 0 failed, skipped or invalid.";
    family(&mut out, "yardstick_cell_ok", help);
    for row in &comparison.rows {
        let ok = if row.outcome.is_ok() { 1.0 } else { 0.0 };
        sample(&mut out, "yardstick_cell_ok", row, ok, timestamp(row));
    }
    for metric in Metric::ALL {
        let unit = Unit::of(metric);
        for (suffix, what, part) in PARTS {
            let name = format!("{}{suffix}", unit.name);
            metric_family(&mut out, &series, metric, (&name, what, &unit), part, timestamp);
        }
    }
    out
}

/// Budgets: whether each is kept, and the figures, under the labels of the cell. `instance`: the machine's name in alerts.
pub fn prometheus_budgets(
    comparison: &Comparison,
    judgements: &[Judgement],
    instance: Option<&str>,
) -> String {
    let mut out = String::new();
    let families: [(&str, &str, Figure); 4] = [
        ("yardstick_budget_judged", "Whether a budget could be judged: 1 or 0.", |one, _| {
            Some(f64::from(!matches!(one.verdict, Verdict::Unjudged { .. })))
        }),
        ("yardstick_budget_kept", "Whether a budget that was judged is kept: 1 or 0.", |one, _| {
            match one.verdict {
                Verdict::Kept { .. } => Some(1.0),
                Verdict::Broken { .. } => Some(0.0),
                Verdict::Unjudged { .. } => None,
            }
        }),
        ("yardstick_budget_value", "The median that is judged, in base units.", |one, unit| {
            Some(one.found.value()?.median * unit.scale)
        }),
        (
            "yardstick_budget_bound",
            "What it is held against: in base units, or the largest change for the worse as a ratio.",
            |one, unit| match one.bound {
                Bound::Value(bound) => Some(bound * unit.scale),
                Bound::Percent(percent) => Some(percent / 100.0),
            },
        ),
    ];
    for (name, help, figure) in families {
        family(&mut out, name, help);
        for one in judgements {
            let Some(value) = figure(one, &Unit::of(one.metric)) else { continue };
            let row = one.row.and_then(|at| comparison.rows.get(at));
            let mut all = row.map(labels).unwrap_or_default();
            let machine = row.and_then(|row| row.settings.get("machine").map(String::as_str));
            let kind = match one.bound {
                Bound::Value(_) => "value",
                Bound::Percent(_) => "change",
            };
            for (label, value) in [
                ("instance", instance.or(machine).unwrap_or("unknown").to_owned()),
                ("metric", one.metric.name().to_owned()),
                ("budget", one.limit.to_string()),
                ("kind", kind.to_owned()),
            ] {
                all.insert(label.to_owned(), value);
            }
            line(&mut out, name, &all, value, None);
        }
    }
    out
}

type Figure = fn(&Judgement, &Unit) -> Option<f64>;

fn metric_family(
    out: &mut String,
    series: &[Series<'_>],
    metric: Metric,
    (name, what, unit): (&str, &str, &Unit),
    part: Part,
    timestamp: &dyn Fn(&Row) -> Option<i64>,
) {
    let mut begun = false;
    for one in series {
        let estimate = one.estimates().find(|(found, _)| *found == metric);
        let Some(value) = estimate.and_then(|(_, estimate)| part(estimate)) else { continue };
        if !begun {
            let better = format!("{:?}", metric.direction()).to_lowercase();
            family(
                out,
                name,
                &format!("{} in {}, {what}; {better} is better.", unit.what, unit.unit),
            );
            begun = true;
        }
        sample(out, name, one.row, value * unit.scale, timestamp(one.row));
    }
}

/// A metric in Prometheus' base units.
struct Unit {
    name: String,
    what: String,
    unit: &'static str,
    scale: f64,
}

impl Unit {
    /// Seconds for nanoseconds and a ratio for percent, said by the end of the name.
    fn of(metric: Metric) -> Unit {
        let name = metric.name();
        let (stem, end, unit, scale) = match metric.unit() {
            "ns" => (name.strip_suffix("_ns").unwrap_or(name), "_seconds", "seconds", 1e-9),
            "%" => (name.strip_prefix("percent_of_").unwrap_or(name), "_ratio", "1", 0.01),
            unit => (name, "", unit, 1.0),
        };
        Unit { name: format!("yardstick_{stem}{end}"), what: stem.replace('_', " "), unit, scale }
    }
}

fn family(out: &mut String, name: &str, help: &str) {
    let help = help.replace('\\', "\\\\").replace('\n', "\\n");
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n");
}

fn sample(out: &mut String, name: &str, row: &Row, value: f64, timestamp: Option<i64>) {
    line(out, name, &labels(row), value, timestamp);
}

fn line(
    out: &mut String,
    name: &str,
    labels: &BTreeMap<String, String>,
    value: f64,
    timestamp: Option<i64>,
) {
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    let time = timestamp.map_or(String::new(), |ms| format!(" {ms}"));
    let _ = writeln!(out, "{name}{{{}}} {value}{time}", labels.join(","));
}

/// Everything that tells rows apart, so that no series is there twice.
fn labels(row: &Row) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> =
        row.settings.iter().map(|(name, value)| (label(name), value.clone())).collect();
    let hash = row.cell.model.sha256.value().cloned().unwrap_or_default();
    let verification = match row.verification.status {
        VerificationStatus::Passed => "passed",
        VerificationStatus::Failed => "failed",
        VerificationStatus::Skipped { .. } => "none",
    };
    for (name, value) in [
        ("device", row.cell.device.clone()),
        ("model", row.cell.model.name.clone()),
        ("model_sha256", hash),
        ("test", row.cell.test.to_string()),
        ("verification", verification.to_owned()),
    ] {
        labels.insert(name.to_owned(), value);
    }
    // An empty label is the same as none.
    labels.retain(|_, value| !value.is_empty());
    labels
}

fn label(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn escaped(value: &str) -> String {
    clean(value).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
