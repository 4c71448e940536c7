//! A suite's cells as what the gate measures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use yardstick_analyse::gate::{Launch, Plan as Judging};
use yardstick_api::Known;
use yardstick_measure::plan::{Catalogue, Overrides, Plan, Role, Shuffle, expand};
use yardstick_measure::runner::{Worker, WorkerCommand, inventory};
use yardstick_measure::suite::{Sampling, Suite};
use yardstick_record::{Metric, Record, Test};

pub use super::round::Lent;

use super::cells::{Group, groups};
use super::drift;
use super::found::{Found, Records, found, record};
use super::launches::launch_of_records;
use super::limits::{self, Place, absolute, is_energy, judged, word};
use super::meters::meter;
use super::round::{How, Models, Round, error};
use crate::machine::Moment;
use crate::session::{Common, Measured, Source};
use crate::{Arm, Drift, Error, Outcome, Program, Sides, TestReport};

/// Time a meter watches each side of a cell, and as long before and after.
const METERED: Duration = Duration::from_secs(2);
/// The device whose answers are right.
const ORACLE: &str = "reference:f32";

/// A metric of a cell that is judged.
struct Row {
    name: String,
    group: usize,
    test: Test,
    metric: Metric,
    plan: Judging,
}

/// Cells of a suite.
pub struct Suites<'a> {
    lent: Lent<'a>,
    suite: Suite,
    workers: Vec<Worker>,
    cancel: Arc<AtomicBool>,
    seed: u64,
    shuffle: Shuffle,
    plan: Option<Plan>,
    has_oracle: bool,
    models: Models,
    groups: Vec<Group>,
    rows: Vec<Row>,
    known: Vec<TestReport>,
    /// Groups of which the candidate's answers are wrong.
    wrong: BTreeSet<usize>,
    notes: Vec<String>,
    gone: Vec<(String, String)>,
    beside: Option<f64>,
}

impl<'a> Suites<'a> {
    /// Of workers of all sides.
    pub fn new(
        suite: Suite,
        programs: &Sides<Program>,
        lent: Lent<'a>,
        seed: u64,
        cancel: Arc<AtomicBool>,
    ) -> Suites<'a> {
        let side = |arm: Arm| {
            let Program { file, arguments, .. } = programs.get(arm).clone();
            let command = WorkerCommand { program: file, arguments };
            Worker::new(Role::Build(arm.name().to_owned()), command, None)
        };
        let mut workers = vec![lent.oracle.clone()];
        workers.extend(Arm::ALL.map(side));
        Suites {
            lent,
            suite,
            workers,
            cancel,
            seed,
            shuffle: Shuffle::new(seed),
            plan: None,
            has_oracle: false,
            models: Models::default(),
            groups: Vec::new(),
            rows: Vec::new(),
            known: Vec::new(),
            wrong: BTreeSet::new(),
            notes: Vec::new(),
            gone: Vec::new(),
            beside: None,
        }
    }

    /// What one should know of the comparison, once it is over.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The suite as all sides would run it; what the gate does not measure is left out and told.
    fn expanded(&mut self) -> Result<Plan, Error> {
        let mut suite = self.suite.clone();
        let (kept, out): (Vec<Test>, Vec<Test>) =
            suite.tests.iter().partition(|test| !test.is_quality() && !test.is_workload());
        if !out.is_empty() {
            let names: Vec<String> = out.iter().map(Test::to_string).collect();
            self.notes.push(format!(
                "left out, for the gate measures pp, tg, ttft and load: {}",
                names.join(", ")
            ));
        }
        if kept.is_empty() {
            let what = format!(
                "suite {}: no test that the gate measures (pp, tg, ttft, load)",
                suite.name
            );
            return Err(Error::Request(what));
        }
        (suite.tests, suite.launches, suite.paired) = (kept, 1, false);
        let found = inventory(&self.workers, &suite.deadlines, &self.cancel).map_err(error)?;
        self.has_oracle = found.device(ORACLE).is_some();
        let plan = expand(&suite, &Overrides::default(), &found, &Catalogue::built_in(), self.seed);
        plan.map_err(|error| Error::Request(format!("suite {}: {error}", suite.name)))
    }

    fn round(&self) -> Result<Round<'_, 'a>, Error> {
        let plan = self.plan.as_ref().ok_or_else(|| Error::Request("no plan".to_owned()))?;
        Ok(Round {
            lent: &self.lent,
            plan,
            workers: &self.workers,
            oracle: self.has_oracle.then_some(ORACLE),
            models: &self.models,
            cancel: &self.cancel,
        })
    }

    /// A first, short launch of every group with its answers proven: what runs where, and why not.
    fn first(&mut self) -> Result<(), Error> {
        let mut shuffle = Shuffle::new(self.seed);
        let mut tried = Vec::new();
        {
            let round = self.round()?;
            let sampling = Sampling {
                min_repetitions: 1,
                max_repetitions: 1,
                warm_up_seconds: 0.01,
                ..round.plan.sampling
            };
            let verify = round.plan.verify;
            for group in &self.groups {
                let how = How { sampling, verify, paired: true, metered: None };
                let (start, tests) = (Instant::now(), group.tests.clone());
                let records = round.launch(group, &tests, &how, &mut shuffle)?;
                tried.push((records, start.elapsed().as_secs_f64()));
            }
        }
        let metered = meter(self.lent.probes, METERED);
        let demanded = self.suite.budgets.iter().any(|budget| is_energy(budget.metric));
        if let (Some(why), false) = (metered.reason(), demanded) {
            self.notes.push(format!("energy is not judged: {why}"));
        }
        let mut seconds = 0.0;
        for (index, (records, taken)) in tried.iter().enumerate() {
            let before = self.rows.len();
            self.sort(index, records, &metered);
            if self.rows.len() > before {
                seconds += taken;
            }
        }
        // Proving is part of the first launch alone, so that this is at most what the next ones take.
        self.beside = (!self.rows.is_empty()).then(|| seconds / self.rows.len() as f64);
        self.comparable(&tried.into_iter().map(|(records, _)| records).collect::<Vec<_>>())
    }

    /// Rows of a group's cells, and reports of those that have none.
    fn sort(&mut self, index: usize, records: &Records, metered: &Known<String>) {
        let (Some(plan), Some(group)) = (&self.plan, self.groups.get(index)) else { return };
        let (budgets, name) = (&plan.budgets, group.name(plan));
        for &test in &group.tests {
            let cell = format!("{name} {test}");
            if let Found::Not(outcome, reason) = found(group, test, records) {
                if outcome == Outcome::Drifted {
                    self.wrong.insert(index);
                }
                self.known.push(TestReport::unmeasured(&cell, outcome, reason, None));
                continue;
            }
            let model = plan.models.get(group.model).map_or("", |model| model.name.as_str());
            let place = Place { device: &group.device, model, test };
            for limits::Judged { metric, plan, demanded } in
                judged(budgets, place, metered.value().is_some())
            {
                let name = format!("{cell} {}", word(metric));
                let lacking = lacking(group, test, metric, records, metered);
                match (lacking, demanded) {
                    (None, _) => self.rows.push(Row { name, group: index, test, metric, plan }),
                    (Some(why), true) => {
                        self.known.push(TestReport::unmeasured(&name, Outcome::Missing, why, None));
                    }
                    (Some(why), false) => self.notes.push(format!("{name} is not judged: {why}")),
                }
            }
        }
    }

    /// An error where nothing can be compared, naming the side that cannot.
    fn comparable(&self, tried: &[Records]) -> Result<(), Error> {
        if !self.rows.is_empty() || !self.wrong.is_empty() {
            return Ok(());
        }
        let why = |arm| -> Option<String> {
            let mut all = self.groups.iter().zip(tried).flat_map(|(group, records)| {
                group.tests.iter().map(move |test| record(group, arm, *test, records))
            });
            let first = all.next()?;
            let reason = first.as_ref().err().map(|why| why.reason.clone());
            // One that ran anywhere is not at fault.
            if first.is_ok() || all.any(|one| one.is_ok()) { None } else { reason }
        };
        match (why(Arm::Base), why(Arm::Candidate)) {
            (Some(base), Some(candidate)) if base == candidate => {
                Err(Error::Request(format!("no cell runs on either side: {base}")))
            }
            (Some(base), Some(candidate)) => Err(Error::Request(format!(
                "no cell runs on either side: base: {base}; candidate: {candidate}"
            ))),
            (Some(base), None) => Err(Error::of(Arm::Base, base)),
            (None, Some(candidate)) => Err(Error::of(Arm::Candidate, candidate)),
            (None, None) => Ok(()),
        }
    }

    /// Rows of some tests, by their group.
    fn by_group(&self, tests: &[String], energy: bool) -> BTreeMap<usize, Vec<(usize, usize)>> {
        let mut groups: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        for (index, test) in tests.iter().enumerate() {
            let Some(at) = self.rows.iter().position(|row| row.name == *test) else { continue };
            if is_energy(self.rows[at].metric) == energy {
                groups.entry(self.rows[at].group).or_default().push((index, at));
            }
        }
        groups
    }

    fn how(&self, plan: &Plan, energy: bool, seconds: f64, (rows, cells): (usize, usize)) -> How {
        let usual = plan.sampling;
        if energy {
            return How { sampling: usual, verify: false, paired: false, metered: Some(METERED) };
        }
        // All of a cell's rows come of the same samples, and all sides share their time.
        let each = seconds * rows as f64 / cells.max(1) as f64 / Arm::ALL.len() as f64;
        let sampling = Sampling { max_seconds: each, interval: 0.0, ..usual };
        How { sampling, verify: false, paired: true, metered: None }
    }
}

/// Why a metric of a cell that both sides run cannot be measured, if so.
fn lacking(
    group: &Group,
    test: Test,
    metric: Metric,
    records: &Records,
    metered: &Known<String>,
) -> Option<String> {
    if is_energy(metric) {
        return metered.reason().map(str::to_owned);
    }
    // The first launch is too short for percentiles; memory is known of any.
    if metric != Metric::PeakRssBytes {
        return None;
    }
    [Arm::Base, Arm::Candidate].into_iter().find_map(|arm| {
        let record: &Record = record(group, arm, test, records).ok()?;
        let value = yardstick_analyse::of_launch(metric, record);
        value.reason().map(|why| format!("{arm}: {why}"))
    })
}

impl Source for Suites<'_> {
    fn tests(&mut self) -> Result<Common, Error> {
        let plan = self.expanded()?;
        self.groups = groups(&plan);
        self.plan = Some(plan);
        self.first()?;
        let both = self.rows.iter().map(|row| row.name.clone()).collect();
        Ok(Common { both, ..Common::default() })
    }

    fn known(&mut self) -> Result<Vec<TestReport>, Error> {
        let scratch = &self.lent.scratch;
        std::fs::create_dir_all(scratch).map_err(|error| Error::file(scratch, error))?;
        let mut reports = std::mem::take(&mut self.known);
        let (mut all, mut seconds) = (Vec::new(), 0.0);
        let round = self.round()?;
        let budgets = &round.plan.budgets;
        for (index, group) in self.groups.iter().enumerate() {
            let judged =
                |test: &&Test| self.rows.iter().any(|row| row.group == index && row.test == **test);
            let wrong = self.wrong.contains(&index);
            let tests: Vec<Test> =
                group.tests.iter().filter(|test| wrong || judged(test)).copied().collect();
            let model = round.plan.models.get(group.model).map_or("", |model| model.name.as_str());
            let places: Vec<Place<'_>> = tests
                .iter()
                .map(|test| Place { device: &group.device, model, test: *test })
                .collect();
            if places.is_empty() {
                continue;
            }
            let start = Instant::now();
            reports.push(drift::row(&round, group, limits::drift(budgets, &places))?);
            seconds += start.elapsed().as_secs_f64();
            all.extend(places);
        }
        for (name, reason) in limits::idle(budgets, &all) {
            reports.push(TestReport::unmeasured(&name, Outcome::Missing, reason, None));
        }
        let mut notes = Vec::new();
        if absolute(budgets) > 0 {
            let what = match absolute(budgets) {
                1 => "a budget in a unit holds".to_owned(),
                n => format!("{n} budgets in a unit hold"),
            };
            notes.push(format!("{what} for the candidate alone: yardstick check judges that"));
        }
        // Four workers were started for each group, a launch starts three.
        let beside = seconds / self.rows.len().max(1) as f64;
        self.beside = self.beside.map(|known| if beside > 0.0 { known.min(beside) } else { known });
        self.notes.extend(notes);
        Ok(reports)
    }

    /// Told in rows of their own.
    fn drift(&mut self, tests: &[String]) -> Result<Vec<Drift>, Error> {
        let reason = "see the row `drift` of its device and model".to_owned();
        Ok(tests.iter().map(|_| Drift::Unknown { reason: reason.clone() }).collect())
    }

    fn plan(&self, test: &str) -> Option<Judging> {
        self.rows.iter().find(|row| row.name == test).map(|row| row.plan.clone())
    }

    fn beside(&self) -> Option<f64> {
        self.beside
    }

    fn gone(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.gone)
    }

    fn launch(
        &mut self,
        tests: &[String],
        seconds: f64,
        on: &mut dyn FnMut(usize, Measured),
    ) -> Result<(), Error> {
        let mut gone = Vec::new();
        let mut shuffle = std::mem::replace(&mut self.shuffle, Shuffle::new(0));
        for energy in [false, true] {
            let mut groups: Vec<_> = self.by_group(tests, energy).into_iter().collect();
            shuffle.shuffle(&mut groups);
            for (index, rows) in groups {
                let (round, Some(group)) = (self.round()?, self.groups.get(index)) else {
                    continue;
                };
                let wanted =
                    |test: &&Test| rows.iter().any(|(_, at)| self.rows[*at].test == **test);
                let cells: Vec<Test> = group.tests.iter().filter(wanted).copied().collect();
                let how = self.how(round.plan, energy, seconds, (rows.len(), cells.len()));
                let moment = Moment::now();
                let records = round.launch(group, &cells, &how, &mut shuffle)?;
                let (evidence, each) = (moment.evidence(), moment.seconds() / rows.len() as f64);
                for (at, row) in rows {
                    let row = &self.rows[row];
                    match launch_of_records(group, row.test, row.metric, &records) {
                        Ok((launch, rounds)) => {
                            let primary = match &evidence {
                                Some(evidence) => Launch::apart(launch, evidence.clone()),
                                None => launch,
                            };
                            on(at, Measured { primary, wall: None, rounds, seconds: each });
                        }
                        Err(why) => gone.push((row.name.clone(), why)),
                    }
                }
            }
        }
        self.shuffle = shuffle;
        self.gone.extend(gone);
        Ok(())
    }
}
