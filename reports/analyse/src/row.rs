//! The row: what all launches of one cell, on one machine with one build, amount to.

use std::collections::{BTreeMap, BTreeSet};

use yardstick_api::{DeviceClass, Facts, Known, Options};
use yardstick_record::{
    Cell, Metric, Origin, Outcome, Profile, Quality, Record, Test, Verification, VerificationStatus,
};

use crate::estimate::sorted;
use crate::kept::kept;
use crate::latency::latency;
use crate::metrics::metrics;
use crate::{
    Drift, Estimate, Latency, LaunchValue, Level, Meter, Versus, WorkloadView, describe, drift,
    energy, level, limit, median, scores, workload,
};

/// One line of every table: a cell, whatever became of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The cell.
    pub cell: Cell,
    /// The model's name, with the head of its hash where another model of this comparison has the same name.
    pub model: String,
    /// What a person calls the device.
    pub device_name: Known<String>,
    /// Real hardware, software or emulated.
    pub class: Known<DeviceClass>,
    /// Threads that computed.
    pub threads: Known<usize>,
    /// Bytes of the key and value cache, as resident.
    pub kv_bytes: Known<u64>,
    /// Bytes of keys and values that one position of one sequence takes, over all layers.
    pub kv_position_bytes: Known<f64>,
    /// Everything else that can tell rows of the same device, model and test apart, by name: options, machine, build.
    pub settings: BTreeMap<&'static str, String>,
    /// Launches recorded.
    pub launches: usize,
    /// Launches whose samples are used: those that ended well, or none.
    pub measured: usize,
    /// Samples used.
    pub samples: usize,
    /// What [`Metric::PercentOfLimit`] is a percentage of: `read 712 MiB`, `int8 VNNI peak`.
    pub limit: Option<String>,
    /// The meter behind its energy, or why there is none.
    pub meter: Known<Meter>,
    /// Metrics that apply to the test.
    pub metrics: BTreeMap<Metric, Known<Estimate>>,
    /// The headline metric of each launch that ended well, in the order of time.
    pub by_launch: Vec<LaunchValue>,
    /// Whether those depend on when they ran: intervals take for granted that they do not.
    pub drift: Option<Drift>,
    /// Who took the work of a device that hands it to others, where the backend says so (`placed 100 %`, `partial`).
    pub placement: Option<String>,
    /// The row against its baseline, where it has one.
    pub ratio: Option<Versus>,
    /// Devices (and builds) it took turns with, itself among them, as named; none where it was measured alone.
    pub members: Vec<String>,
    /// The foreign result it was imported from.
    pub origin: Option<Origin>,
    /// The profile it was shared by, where it was measured elsewhere by this program.
    pub shared: Option<Profile>,
    /// How far a shared row that has numbers is to be believed.
    pub level: Option<Level>,
    /// Token latency, for tests that emit.
    pub latency: Option<Latency>,
    /// The worst verification of the launches.
    pub verification: Verification,
    /// The outcome that decides what the row may be used for.
    pub outcome: Outcome,
    /// Every launch that did not end well, in words, and how often.
    pub reasons: BTreeMap<String, usize>,
    /// Outside evidence against samples by its first word (`throttled`, `starved`), and against how many.
    pub marks: BTreeMap<String, usize>,
    /// Marked samples that the values do not come from: enough others are left in their launches.
    pub set_apart: usize,
    /// Warm-ups that never became steady.
    pub unsteady: usize,
    /// Why it is not ranked, if so.
    pub not_ranked: Option<String>,
    /// A command line that measures the cell again.
    pub rerun: String,
    /// Ids of the records behind it.
    pub records: Vec<String>,
    /// What a test of quality found, of the first launch: its data, its reference, the answers.
    pub quality: Option<Box<Quality>>,
    /// What a workload amounts to, over all launches.
    pub workload: Option<WorkloadView>,
}

impl Row {
    /// The metric the test is about: tokens/s, what a limit counts per second, or the time itself.
    pub fn headline(&self) -> Metric {
        headline(self.cell.test)
    }

    /// The device, with the label of its build where it has one: what a pairing calls it.
    pub fn member(&self) -> String {
        match &self.cell.build {
            Some(build) => format!("{} {build}", self.cell.device),
            None => self.cell.device.clone(),
        }
    }

    /// An estimate, where there is one.
    pub fn estimate(&self, metric: Metric) -> Option<&Estimate> {
        self.metrics.get(&metric)?.value()
    }

    /// Adds the estimate of CO2, where a kWh causes `grid` grams.
    pub(crate) fn estimate_co2(&mut self, grid: f64) {
        let Some(joules) = self.metrics.get(&Metric::JoulesPerToken) else { return };
        let co2 = joules.clone().map(|joules| joules.times(energy::grams(1.0, grid)));
        self.metrics.insert(Metric::Co2GramsPerMillionTokens, co2);
    }

    /// Measured elsewhere, and shared.
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// The part of the device id before the colon.
    pub fn backend(&self) -> &str {
        self.cell.device.split(':').next().unwrap_or(&self.cell.device)
    }

    /// The row of records of one cell, at least one.
    pub(crate) fn of(records: &[&Record]) -> Option<Row> {
        let decisive = *records.iter().max_by_key(|record| weight(&record.outcome))?;
        let ok: Vec<&Record> = records.iter().copied().filter(|r| r.outcome.is_ok()).collect();
        let not_ok = (!decisive.outcome.is_ok()).then(|| describe(&decisive.outcome));
        let used = if not_ok.is_none() { ok } else { Vec::new() };
        let verification = worst_verification(records, &used);
        let class = decisive.device.clone().map(|device| device.class);
        let not_ranked = not_ranked(decisive, &verification, &class);
        let by_launch = by_launch(decisive.cell.test, &used);
        let series: Vec<f64> = by_launch.iter().map(|launch| launch.value).collect();
        Some(Row {
            cell: decisive.cell.clone(),
            model: decisive.cell.model.name.clone(),
            device_name: decisive.device.clone().map(|device| device.name),
            class,
            threads: threads(decisive),
            kv_bytes: decisive.facts.clone().map(|facts| facts.kv_bytes),
            kv_position_bytes: kv_position_bytes(decisive),
            settings: settings(decisive),
            launches: records.len(),
            measured: used.len(),
            samples: used.iter().map(|record| record.samples.len()).sum(),
            limit: used.iter().find_map(|record| limit::name(record)),
            meter: energy::meter(&used),
            metrics: metrics(decisive.cell.test, &used, not_ok.as_deref()),
            drift: drift(&series),
            by_launch,
            placement: placement(decisive),
            ratio: None,
            members: decisive.pairing.as_ref().map_or_else(Vec::new, |p| p.members.clone()),
            origin: decisive.origin.clone(),
            shared: decisive.shared.as_ref().map(|shared| shared.profile),
            level: None,
            latency: latency(&used),
            verification,
            outcome: decisive.outcome.clone(),
            reasons: count(
                records.iter().filter(|r| !r.outcome.is_ok()).map(|r| describe(&r.outcome)),
            ),
            marks: count(used.iter().flat_map(|r| &r.samples).flat_map(|s| kinds(&s.marks))),
            set_apart: used.iter().map(|r| r.samples.len() - kept(r).len()).sum(),
            unsteady: used.iter().filter(|r| r.warm_up.value().is_some_and(|w| !w.steady)).count(),
            not_ranked,
            rerun: decisive.rerun.clone(),
            records: records.iter().map(|record| record.id.clone()).collect(),
            quality: used.iter().find_map(|record| record.quality.clone()),
            workload: workload::view(&used),
        })
    }
}

pub(crate) fn headline(test: Test) -> Metric {
    let rates = [Metric::BytesPerSecond, Metric::OperationsPerSecond];
    match test {
        Test::Limit(limit) => {
            let rate = rates.into_iter().find(|metric| metric.unit() == limit.unit());
            rate.unwrap_or(Metric::TimeNs)
        }
        _ if test.tokens().is_some() => Metric::TokensPerSecond,
        _ => workload::headline(test).or(scores::headline(test)).unwrap_or(Metric::TimeNs),
    }
}

/// A value a launch, where it has one that can be compared as a speed.
fn by_launch(test: Test, used: &[&Record]) -> Vec<LaunchValue> {
    if headline(test).is_score() || test == Test::Robust {
        return Vec::new();
    }
    let value = |record: &&Record| {
        let values = crate::metrics::values(headline(test), record);
        let value = median(&sorted(values.value()?)).filter(|value| *value > 0.0)?;
        let group = record.pairing.as_ref().map(|pairing| pairing.group.clone());
        Some(LaunchValue { run: record.run.id.clone(), launch: record.launch, group, value })
    };
    used.iter().filter_map(value).collect()
}

/// Which launch decides: one that ran in the wrong place or answered wrongly spoils the row, one that got lost does not.
fn weight(outcome: &Outcome) -> u8 {
    use yardstick_record::FailureKind::Verify;
    match outcome {
        Outcome::Invalid { .. } => 4,
        Outcome::Failed { kind: Verify, .. } => 3,
        Outcome::Ok => 2,
        Outcome::Failed { .. } => 1,
        Outcome::Skipped { .. } => 0,
    }
}

fn worst_verification(records: &[&Record], used: &[&Record]) -> Verification {
    let badness = |verification: &Verification| match verification.status {
        VerificationStatus::Failed => 2,
        VerificationStatus::Skipped { .. } => 1,
        VerificationStatus::Passed => 0,
    };
    let of = if used.is_empty() { records } else { used };
    let worst = of.iter().map(|record| &record.verification).max_by_key(|v| badness(v));
    worst.cloned().unwrap_or_else(|| Verification::skipped("no record"))
}

fn placement(record: &Record) -> Option<String> {
    record.facts.value()?.notes.get(Facts::PLACEMENT)?.value().cloned()
}

/// Effective threads, or where nothing ran the number asked for.
fn threads(record: &Record) -> Known<usize> {
    match (&record.facts, record.cell.options.threads) {
        (Known::Value(facts), _) => facts.threads.clone(),
        (Known::Unavailable { .. }, Some(asked)) => Known::Value(asked),
        (Known::Unavailable { unavailable }, None) => Known::unavailable(unavailable),
    }
}

fn kv_position_bytes(record: &Record) -> Known<f64> {
    match &record.facts {
        Known::Value(facts) => match limit::kv_bytes_per_position(facts) {
            Some(bytes) if bytes > 0.0 => Known::Value(bytes),
            _ => Known::unavailable(limit::NO_KV),
        },
        Known::Unavailable { unavailable } => Known::unavailable(unavailable),
    }
}

fn settings(record: &Record) -> BTreeMap<&'static str, String> {
    let Options {
        threads, context, sequences, chunk, kv, numerics, weights, repack, profile, ..
    } = record.cell.options;
    let auto = |value: Option<usize>| value.map_or("auto".to_owned(), |n| n.to_string());
    let numerics = numerics.map_or("auto".to_owned(), |n| format!("{n:?}").to_lowercase());
    let mut settings = BTreeMap::from([
        ("threads asked", auto(threads)),
        ("context", auto(context)),
        ("sequences", sequences.to_string()),
        ("chunk", chunk.to_string()),
        ("kv", kv.name().to_owned()),
        ("numerics", numerics),
        ("repack", repack.to_string()),
        ("profile", profile.to_string()),
        ("machine", machine(record)),
        ("program", build(record)),
    ]);
    if let Some(cap) = capped(record) {
        settings.insert("cap", cap);
    }
    if let Some(soaked) = soaked(record) {
        settings.insert("soak", soaked);
    }
    if let Some(scheme) = weights {
        settings.insert("weights", scheme.name().to_owned());
    }
    if let Some(subject) = &record.cell.subject {
        settings.insert("data", subject.data.clone());
        if let Some(reference) = &subject.reference {
            settings.insert("reference", reference.clone());
        }
    }
    if let Some(label) = &record.cell.build {
        settings.insert("build", label.clone());
    }
    if let Some(source) = level::source(record.shared.as_ref()) {
        settings.insert("source", source);
    }
    if let Some(origin) = &record.origin {
        import(&mut settings, origin);
    }
    settings
}

/// Options that a foreign program has no word for: our default would be a guess.
const NOT_FOREIGN: [&str; 6] = ["context", "chunk", "kv", "numerics", "repack", "profile"];

/// The value of such an option.
pub(crate) const UNKNOWN: &str = "unknown";

/// What a foreign program said it was run with, in place of our options' defaults.
fn import(settings: &mut BTreeMap<&'static str, String>, origin: &Origin) {
    for name in NOT_FOREIGN {
        settings.insert(name, UNKNOWN.to_owned());
    }
    let mut others = Vec::new();
    for (name, value) in &origin.settings {
        // Only these: a foreign field may be called `machine` too.
        match NOT_FOREIGN.iter().find(|ours| **ours == name) {
            Some(ours) => drop(settings.insert(ours, value.clone())),
            None => others.push(format!("{name} {value}")),
        }
    }
    settings.insert("imported", format!("{} {}", origin.format, others.join(", ")).trim().into());
}

/// What tells machines apart in a record that names none: the processor and the memory.
pub(crate) fn machine(record: &Record) -> String {
    let text = |name| record.environment.text(name);
    let cpu = text("cpu.model").unwrap_or_else(|| "unknown processor".to_owned());
    let bytes = text("memory.total_bytes").and_then(|bytes| bytes.parse::<f64>().ok());
    match bytes {
        Some(bytes) => format!("{cpu}, {:.0} GiB", bytes / f64::from(1 << 30)),
        None => cpu,
    }
}

/// How long a soak was to last; its samples are no launch of the test alone.
pub(crate) fn soaked(record: &Record) -> Option<String> {
    record.soak.as_ref().map(|soak| format!("{:.0} s", soak.asked_seconds))
}

/// The cap that the run put on the machine.
pub(crate) fn capped(record: &Record) -> Option<String> {
    record.environment.text("cap")
}

/// The program that measured.
pub(crate) fn build(record: &Record) -> String {
    let tool = &record.tool;
    match tool.commit.value() {
        Some(commit) => {
            format!(
                "{} {} ({})",
                tool.name,
                tool.version,
                commit.chars().take(12).collect::<String>()
            )
        }
        None => format!("{} {}", tool.name, tool.version),
    }
}

/// What marks say before their colon and its numbers, once a sample.
fn kinds(marks: &[String]) -> BTreeSet<String> {
    marks.iter().map(|mark| mark.split(':').next().unwrap_or(mark).to_owned()).collect()
}

fn count(words: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_insert(0) += 1;
    }
    counts
}

fn not_ranked(
    record: &Record,
    verification: &Verification,
    class: &Known<DeviceClass>,
) -> Option<String> {
    if !record.outcome.is_ok() {
        return Some(describe(&record.outcome));
    }
    if let Some(origin) = &record.origin {
        return Some(format!("imported from {}, not verified here", origin.format));
    }
    match &verification.status {
        VerificationStatus::Failed => return Some("verification failed".to_owned()),
        VerificationStatus::Skipped { reason } if reason.starts_with("unverified") => {
            return Some(reason.clone());
        }
        VerificationStatus::Skipped { reason } => return Some(format!("not verified: {reason}")),
        VerificationStatus::Passed => {}
    }
    if let (true, Some(random)) = (record.cell.test.is_quality(), &record.cell.model.random_weights)
    {
        return Some(format!("{random}: says nothing about quality"));
    }
    if record.soak.is_some() {
        return Some("a soak: ranked by its sustained speed, beside the others".to_owned());
    }
    if record.cell.options.profile {
        return Some("profiling run".to_owned());
    }
    match class {
        Known::Value(DeviceClass::Hardware) => None,
        Known::Value(DeviceClass::Software) => {
            Some("software device: its speed says nothing about hardware".to_owned())
        }
        Known::Value(DeviceClass::Emulated) => {
            Some("emulated device: its times mean nothing".to_owned())
        }
        Known::Unavailable { unavailable } => Some(format!("class unknown: {unavailable}")),
    }
}

/// Names that two models of different hashes share get the head of their hash.
pub(crate) fn tell_models_apart(rows: &mut [Row]) {
    let mut hashes: BTreeMap<String, BTreeSet<Option<String>>> = BTreeMap::new();
    for row in rows.iter() {
        let hash = row.cell.model.sha256.value().cloned();
        hashes.entry(row.cell.model.name.clone()).or_default().insert(hash);
    }
    for row in rows {
        let known: usize =
            hashes.get(&row.cell.model.name).map_or(0, |set| set.iter().flatten().count());
        if let (2.., Some(hash)) = (known, row.cell.model.sha256.value()) {
            let head: String = hash.chars().take(8).collect();
            row.model = format!("{} ({head})", row.cell.model.name);
        }
    }
}
