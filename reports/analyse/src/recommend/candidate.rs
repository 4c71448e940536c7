//! Candidates: a machine's device with a model in a format, as its rows have it.

use std::collections::BTreeMap;

use serde::Serialize;
use yardstick_api::{Known, Options};
use yardstick_record::{Metric, Outcome, Test};

use super::facts::Cited;
use super::figure::{Basis, Figure};
use super::need::{Needs, What, matches};
use crate::predict::Class;
use crate::{Aspect, Comparison, Row, Varies};

/// Something that could be chosen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// The device, with the label of its build where it has one; a data sheet's id.
    pub device: String,
    /// The machine; a data sheet's name.
    pub machine: String,
    /// The model.
    pub model: String,
    /// Its format.
    pub quantisation: String,
    /// Options in which it differs from others of its machine, device and model.
    pub options: String,
    /// The sort of device, which only the catalogue knows.
    pub class: Option<Class>,
    /// What is known, or why not. Quantities that follow from others are not in it.
    pub figures: BTreeMap<What, Known<Figure>>,
    /// Why it may not be ranked at all: invalid, unverified, not hardware.
    pub barred: Option<String>,
    /// Why its weights carry no quality (`random weights`), if so: it has speed, memory and cost, and answers nothing.
    /// Of a prediction it is not told.
    pub random_weights: Option<String>,
    /// Its speed was held for minutes.
    pub soaked: bool,
    /// A command that measures it again.
    pub rerun: Option<String>,
    /// The model as records name it and the options asked for; none of what nobody measured.
    pub measured_as: Option<(String, Options)>,
    /// What its weights may be used under, where somebody is cited for it.
    pub licence: Option<Cited>,
}

impl Candidate {
    /// `cpu:avx2, smollm-135m:Q4_0`
    pub fn name(&self) -> String {
        let options = if self.options.is_empty() { "" } else { ", " };
        format!("{}, {}{options}{}", self.device, self.model, self.options)
    }

    fn threads_and_sequences(&self) -> String {
        let Some((_, options)) = &self.measured_as else { return "other options".to_owned() };
        let threads = options.threads.map_or("all".to_owned(), |threads| threads.to_string());
        format!("threads {threads}, sequences {}", options.sequences)
    }

    /// A value, where there is one.
    pub fn value(&self, what: What) -> Option<&Figure> {
        self.figures.get(&what)?.value()
    }

    /// Prices and powers that the user states of it.
    pub(super) fn state(&mut self, needs: &Needs) {
        let own = |name: &str| matches(name, &self.machine) || matches(name, &self.device);
        let Some(stated) = needs.machines.iter().find(|one| own(&one.name)).cloned() else {
            return;
        };
        for (what, value) in [
            (What::Price, stated.price),
            (What::Watts, stated.watts),
            (What::IdleWatts, stated.idle_watts),
        ] {
            let known = self.value(what).is_some_and(|f| f.basis == Basis::Measured);
            if let (Some(value), false) = (value, known) {
                let figure = Figure::exact(value, Basis::Stated, Some("the needs say so".into()));
                self.figures.insert(what, Known::Value(figure));
            }
        }
    }
}

/// Settings that tell tests apart, not candidates.
const OF_THE_TEST: [&str; 5] = ["data", "reference", "soak", "run", "context"];

/// The candidates among rows.
pub(super) fn candidates(comparison: &Comparison, needs: &Needs) -> Vec<Candidate> {
    let mut groups: BTreeMap<Vec<String>, Vec<&Row>> = BTreeMap::new();
    for row in comparison.rows.iter().filter(|row| !row.settings.contains_key("soak")) {
        if row.cell.test.tokens().is_some() || row.cell.test.is_quality() || is_ttft(row) {
            groups.entry(key(row)).or_default().push(row);
        }
    }
    let speaks = |rows: &Vec<&Row>| rows.iter().any(|row| row.cell.test.tokens().is_some());
    let groups: Vec<Vec<&Row>> = groups.into_values().filter(speaks).collect();
    let mut all: Vec<Candidate> = groups.iter().map(|rows| of(comparison, rows, needs)).collect();
    tell_apart(&mut all, &groups);
    share_quality(&mut all);
    all
}

/// Quality and what it is told by.
const QUALITY: [What; 3] = [What::KldMean, What::PerplexityRatio, What::Accuracy];

/// What weights are worth does not hang on threads or on how many sequences run: where it was not measured of a candidate, that of the
/// same model, device, keys and values, and arithmetic counts.
fn share_quality(all: &mut [Candidate]) {
    let known = all.to_vec();
    for one in all.iter_mut() {
        for what in QUALITY {
            if one.value(what).is_some() || one.barred.is_some() {
                continue;
            }
            let mut same = known.iter().filter(|other| computes_the_same(one, other));
            let found = same.find_map(|other| {
                Some((other, other.value(what).filter(|_| other.barred.is_none())?))
            });
            if let Some((other, figure)) = found {
                let note = format!("measured with {}", other.threads_and_sequences());
                let figure = Figure { note: Some(note), ..figure.clone() };
                one.figures.insert(what, Known::Value(figure));
            }
        }
    }
}

fn computes_the_same(one: &Candidate, other: &Candidate) -> bool {
    let alike = |a: &Options, b: &Options| {
        (a.kv, a.numerics, a.weights, a.rotary_context)
            == (b.kv, b.numerics, b.weights, b.rotary_context)
    };
    one.device == other.device
        && one.machine == other.machine
        && one.model == other.model
        && matches!((&one.measured_as, &other.measured_as), (Some((_, a)), Some((_, b))) if alike(a, b))
}

/// Those of one name by the program that measured them, and the machine.
fn tell_apart(all: &mut [Candidate], groups: &[Vec<&Row>]) {
    for setting in ["machine", "program"] {
        let names: Vec<String> = all.iter().map(Candidate::name).collect();
        let value = |at: usize| groups[at].first().and_then(|row| row.settings.get(setting));
        for (at, one) in all.iter_mut().enumerate() {
            let mut same = (0..names.len()).filter(|other| names[*other] == names[at]);
            let differs = same.any(|other| value(other) != value(at));
            if let (true, Some(value)) = (differs, value(at)) {
                let comma = if one.options.is_empty() { "" } else { ", " };
                one.options = format!("{}{comma}{value}", one.options);
            }
        }
    }
}

fn is_ttft(row: &Row) -> bool {
    matches!(row.cell.test, Test::FirstToken { .. })
}

fn key(row: &Row) -> Vec<String> {
    let settings = row.settings.iter().filter(|(name, _)| !OF_THE_TEST.contains(name));
    let settings = settings.map(|(name, value)| format!("{name} {value}"));
    [row.member(), row.model.clone()].into_iter().chain(settings).collect()
}

fn of(comparison: &Comparison, rows: &[&Row], needs: &Needs) -> Candidate {
    let depth = needs.workload.depth;
    let decode = speed(rows, |test| matches!(test, Test::Generate { .. }), depth);
    // Where none was asked for at this depth, the others tell whether it may be ranked.
    let decides = decode.or_else(|| rows.iter().copied().find(|r| r.cell.test.tokens().is_some()));
    let row = decides.unwrap_or(rows[0]);
    let machine = row.settings.get("machine").cloned().unwrap_or_default();
    let mut candidate = Candidate {
        device: row.member(),
        quantisation: row.cell.model.quantisation.value().cloned().unwrap_or_default(),
        options: options(comparison, row),
        class: None,
        figures: figures(rows, decode, needs),
        barred: row.not_ranked.clone(),
        random_weights: row.cell.model.random_weights.clone(),
        soaked: false,
        licence: None,
        rerun: Some(row.rerun.clone()),
        measured_as: Some((row.cell.model.name.clone(), row.cell.options.clone())),
        model: row.model.clone(),
        machine,
    };
    candidate.figures.insert(What::PerplexityRatio, perplexity_ratio(comparison, &candidate));
    sustain(comparison, &mut candidate);
    candidate
}

/// Options that take more than one value here.
fn options(comparison: &Comparison, row: &Row) -> String {
    let own = ["machine", "program", "data", "reference", "soak", "run", "context", "build"];
    let varying = comparison.varying.iter().filter(|name| !own.contains(name));
    let words = varying.filter_map(|name| Some(format!("{name} {}", row.settings.get(name)?)));
    words.collect::<Vec<_>>().join(", ")
}

/// The longest test of a kind at a depth; one that may be ranked goes before others.
fn speed<'a>(rows: &[&'a Row], is_one: fn(Test) -> bool, depth: usize) -> Option<&'a Row> {
    let at = rows.iter().copied().filter(|r| is_one(r.cell.test) && r.cell.test.depth() == depth);
    let ran = at.filter(|row| !matches!(row.outcome, Outcome::Skipped { .. }));
    ran.max_by_key(|row| (row.not_ranked.is_none(), row.cell.test.tokens()))
}

fn figures(rows: &[&Row], decode: Option<&Row>, needs: &Needs) -> BTreeMap<What, Known<Figure>> {
    let prefill = speed(rows, |test| matches!(test, Test::Prefill { .. }), 0);
    let first = rows.iter().copied().find(|row| {
        matches!(row.cell.test, Test::FirstToken { tokens, .. } if tokens as f64 == needs.workload.prompt_tokens)
    });
    let of = |test: fn(Test) -> bool| rows.iter().copied().find(|row| test(row.cell.test));
    let prompts = of(|test| test == Test::Prompts);
    let kld = of(|test| matches!(test, Test::Kld { .. }));
    let choice = of(|test| matches!(test, Test::Choice | Test::Generation));
    let depth = needs.workload.depth;
    let at_depth = move |row: Option<&Row>, metric, factor| match row {
        Some(row) => figure(row, metric, factor),
        None => Known::unavailable(format!(
            "no tg was measured at depth {depth}: --what-if depth={depth} predicts it"
        )),
    };
    let asked = |row: Option<&Row>, metric, factor, name: &str| match row {
        Some(row) => figure(row, metric, factor),
        None => Known::unavailable(format!("{name} was not measured")),
    };
    BTreeMap::from([
        (What::TokensPerSecond, at_depth(decode, Metric::TokensPerSecond, 1.0)),
        (What::TokenLatencyP95Ms, at_depth(decode, Metric::TokenLatencyP95Ns, 1e-6)),
        (What::MemoryGib, at_depth(decode, Metric::PeakRssBytes, GIB)),
        (What::Watts, at_depth(decode, Metric::MeanWatts, 1.0)),
        (What::IdleWatts, at_depth(decode, Metric::IdleWatts, 1.0)),
        (What::PrefillTokensPerSecond, asked(prefill, Metric::TokensPerSecond, 1.0, "pp")),
        (What::TtftMs, asked(first, Metric::TimeNs, 1e-6, "ttft")),
        (What::LatencyP95Ms, asked(prompts, Metric::TimeP95Ns, 1e-6, "prompts")),
        (What::KldMean, asked(kld, Metric::KldMean, 1.0, "kld")),
        (What::Accuracy, asked(choice, Metric::Accuracy, 1.0, "choice or generation")),
        (What::Price, Known::unavailable("no [[machine]] of the needs states its price")),
    ])
}

const GIB: f64 = 1.0 / (1_u64 << 30) as f64;

/// Invalid or unverified figures are none.
fn figure(row: &Row, metric: Metric, factor: f64) -> Known<Figure> {
    if let Some(reason) = &row.not_ranked {
        return Known::unavailable(reason);
    }
    match row.metrics.get(&metric) {
        Some(Known::Value(found)) => Known::Value(Figure::measured(found, factor, &row.records)),
        Some(Known::Unavailable { unavailable }) => Known::unavailable(unavailable),
        None => Known::unavailable(format!("{} does not tell it", row.cell.test)),
    }
}

/// Against the largest format of the same weights, window by window.
fn perplexity_ratio(comparison: &Comparison, candidate: &Candidate) -> Known<Figure> {
    let own = comparison.tradeoffs.iter().find_map(|tradeoff| {
        let same = tradeoff.varies == Varies::Weights
            && tradeoff.device == candidate.device
            && tradeoff.machine == candidate.machine;
        let at = tradeoff.candidates.iter().position(|one| one.model == candidate.model)?;
        same.then_some((tradeoff, at))
    });
    let Some((tradeoff, at)) = own else {
        return Known::unavailable("perplexity of two formats was not measured");
    };
    let is_one = |aspect: Aspect| aspect == Aspect::Quality(Metric::Perplexity);
    let Some(column) = tradeoff.columns.iter().position(|column| is_one(column.aspect)) else {
        return Known::unavailable("perplexity was not measured");
    };
    let one = &tradeoff.candidates[at];
    let quantity = match &one.values[column] {
        Known::Value(quantity) => quantity,
        Known::Unavailable { unavailable } => return Known::unavailable(unavailable),
    };
    let ratio = match (at == tradeoff.baseline, &one.changes[column]) {
        (true, _) => (1.0, Some((1.0, 1.0))),
        (false, Some(change)) => (change.ratio, change.interval.map(|i| (i.low, i.high))),
        (false, None) => return Known::unavailable("fewer than six windows are of the same text"),
    };
    Known::Value(Figure {
        value: ratio.0,
        range: ratio.1,
        basis: Basis::Measured,
        records: quantity.records.clone(),
        note: Some(format!("over that of {}", tradeoff.candidates[tradeoff.baseline].label)),
    })
}

/// Where a soak of it was measured, its sustained speed counts.
fn sustain(comparison: &Comparison, candidate: &mut Candidate) {
    let machine = |record: &String| {
        let row = comparison.rows.iter().find(|row| row.records.contains(record));
        row.and_then(|row| row.settings.get("machine"))
    };
    let own = comparison.soaks.iter().find(|soak| {
        soak.device == candidate.device
            && soak.model == candidate.model
            && machine(&soak.record) == Some(&candidate.machine)
            && soak.sustained.value().is_some()
    });
    let Some((record, sustained)) = own.and_then(|s| Some((&s.record, *s.sustained.value()?)))
    else {
        return;
    };
    if let Some(Known::Value(figure)) = candidate.figures.get(&What::TokensPerSecond) {
        let figure = figure.sustained(sustained, record);
        candidate.figures.insert(What::TokensPerSecond, Known::Value(figure));
        candidate.soaked = true;
    }
}
