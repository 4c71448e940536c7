//! What a person sees while a run goes on, and where its records go.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};

use yardstick_measure::plan::{Plan, member};
use yardstick_measure::runner::{Event, Sink, Summary};
use yardstick_record::{FailureKind, Outcome, Phase, Record, Test, VerificationStatus};
use yardstick_store::Store;

use crate::progress::Progress;

/// Stores each record as it comes, tells about it, keeps a bar moving.
pub(crate) struct Screen<'a> {
    store: Option<&'a mut Store>,
    json: bool,
    progress: Progress,
    /// Says only what went wrong: whoever asked sums the rest up.
    terse: bool,
    launch: String,
    cells: usize,
    done: usize,
}

impl<'a> Screen<'a> {
    /// Of a run of so many cells.
    pub(crate) fn new(store: Option<&'a mut Store>, json: bool, cells: usize) -> Screen<'a> {
        let progress = Progress::new();
        Screen { store, json, progress, terse: false, launch: String::new(), cells, done: 0 }
    }

    /// The same without notes and verdicts.
    pub(crate) fn terse(self, terse: bool) -> Screen<'a> {
        Screen { terse, ..self }
    }

    /// Removes the bar.
    pub(crate) fn finish(self) {
        self.progress.clear();
    }

    fn phase(&mut self, phase: Phase, test: Option<Test>) {
        let doing = match phase {
            Phase::Hello | Phase::Devices | Phase::Plan => "starting",
            Phase::Load => "loading",
            Phase::Verify => "verifying",
            Phase::Prepare => "preparing",
            Phase::WarmUp => "warming up",
            Phase::Sample => "measuring",
            Phase::Ceiling => "measuring read bandwidth",
            Phase::Stop => "stopping",
        };
        let test = test.map(|test| format!(" {test}")).unwrap_or_default();
        let message = format!("[{}/{}] {}: {doing}{test}", self.done, self.cells, self.launch);
        self.progress.begin(message);
    }
}

impl Sink for Screen<'_> {
    fn record(&mut self, record: Record) -> Result<(), String> {
        if let Some(store) = &mut self.store {
            store.append(&record).map_err(|error| error.to_string())?;
        }
        if self.json {
            let mut out = std::io::stdout().lock();
            let written = writeln!(out, "{}", record.to_json()).and_then(|()| out.flush());
            match written {
                Err(error) if error.kind() == ErrorKind::BrokenPipe && self.store.is_some() => {
                    self.json = false;
                    self.progress
                        .line("note: standard output was closed; the store takes the rest");
                }
                written => written.map_err(|error| format!("standard output: {error}"))?,
            }
        }
        self.done += usize::from(!matches!(record.outcome, Outcome::Skipped { .. }));
        if let Some(text) = trouble(&record) {
            self.progress.line(&text);
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Model { name, done, total } => {
                // Nothing is written yet, or at all, while a file's hash is computed.
                let doing = if total == 0 { "checking" } else { "writing" };
                self.progress.begin(format!("{doing} {name}"));
                self.progress.bytes(done, total);
            }
            Event::Launch { device, model, .. } => self.launch = format!("{device} {model}"),
            Event::Phase { phase, test } => self.phase(phase, test),
            Event::Verified { device, model, verification, .. } => {
                let worst =
                    verification.worst().map(|check| format!(", {check}")).unwrap_or_default();
                let verdict = match &verification.status {
                    VerificationStatus::Passed => format!("verified{worst}"),
                    VerificationStatus::Failed => format!("WRONG ANSWERS{worst}"),
                    VerificationStatus::Skipped { reason } => format!("not verified: {reason}"),
                };
                let passed = matches!(verification.status, VerificationStatus::Passed);
                if !(self.terse && passed) {
                    self.progress.line(&format!("{device} {model}: {verdict}"));
                }
            }
            Event::Progress { done, total } => self.progress.steps(done, total),
            Event::Turn { .. } => {}
            Event::Note(_) if self.terse => {}
            Event::Note(text) => self.progress.line(&format!("note: {text}")),
        }
    }
}

/// A line about a cell that was not measured; skipped cells are left to the report.
fn trouble(record: &Record) -> Option<String> {
    let member = member(&record.cell.device, record.cell.build.as_deref());
    let cell = format!("{member} {} {}", record.cell.model.name, record.cell.test);
    match &record.outcome {
        Outcome::Ok | Outcome::Skipped { .. } => None,
        Outcome::Failed { kind: FailureKind::Verify, .. } => None,
        Outcome::Failed { message, .. } => Some(format!("{cell}: failed: {message}")),
        Outcome::Invalid { reason } => Some(format!("{cell}: invalid: {reason}")),
    }
}

/// The plan as text.
pub(crate) fn plan(plan: &Plan) -> String {
    let pairs = plan.launches.iter().filter_map(|launch| launch.pair).max().map_or(0, |n| n + 1);
    let pairs = if pairs > 0 { format!(" in {pairs} pairs") } else { String::new() };
    let mut text = format!(
        "suite {}, seed {}: {} launches{pairs}, {} cells, {} skipped\n",
        plan.suite,
        plan.seed,
        plan.launches.len(),
        plan.cells(),
        plan.skipped.len()
    );
    for launch in &plan.launches {
        let options = &launch.options;
        let tests: Vec<String> = launch.tests.iter().map(ToString::to_string).collect();
        // Those of one number take turns, sample by sample.
        let pair = launch.pair.map(|n| format!("pair {n}: ")).unwrap_or_default();
        let threads = options.threads.map_or("all".to_owned(), |n| n.to_string());
        let _ = writeln!(
            text,
            "  {pair}{} {} launch {}, threads {threads}, kv {}, sequences {}, chunk {}: {}",
            launch.member(),
            plan.models[launch.model].name,
            launch.number,
            options.kv.name(),
            options.sequences,
            options.chunk,
            tests.join(" ")
        );
    }
    for cell in &plan.skipped {
        let fix = cell.fix.as_ref().map(|fix| format!("; {fix}")).unwrap_or_default();
        let model = &plan.models[cell.model].name;
        let _ = writeln!(
            text,
            "  skipped {} {model} {}: {}{fix}",
            member(&cell.device_id, cell.build.as_deref()),
            cell.test,
            cell.reason
        );
    }
    text
}

/// The run in one line.
pub(crate) fn summary(summary: &Summary) -> String {
    let mut text = format!("{} cells measured", summary.ok);
    for (count, what) in [
        (summary.failed, "failed"),
        (summary.invalid, "invalid"),
        (summary.skipped, "skipped"),
        (summary.resumed, "measured before"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    let _ = write!(text, "; {}", verdict(summary));
    text
}

/// What verification found, in launches.
pub(crate) fn verdict(summary: &Summary) -> String {
    let mut text = format!("{} launches verified", summary.verified);
    if summary.unverified > 0 {
        let _ = write!(text, ", {} not", summary.unverified);
    }
    if summary.without_logits > 0 {
        let _ = write!(text, ", {} without logits to verify", summary.without_logits);
    }
    text
}
