//! The timed region over sessions that cost nothing, and over ones that do not do their work.

use std::sync::Arc;

use yardstick_api::{Backend, DeviceStatus, Emit, Facts, Logits, Options};
use yardstick_model::Model;
use yardstick_model::preset::{self, Check, PresetRef};
use yardstick_null::Null;

use super::*;

const VOCAB: usize = 512;

fn model() -> Arc<Model> {
    let folder = tempfile::tempdir().unwrap();
    let preset = PresetRef::parse("tiny:Q4_0").unwrap();
    let go_on = &mut |_: preset::Progress| ControlFlow::Continue(());
    let made = preset::make(&preset, folder.path(), 1, Check::Size, go_on).unwrap();
    Arc::new(Model::open(&made.path).unwrap())
}

pub(crate) fn session(context: usize, sequences: usize) -> Box<dyn Session> {
    let DeviceStatus::Ready(device) = Null::new().devices().remove(0) else { panic!() };
    let options = Options { context: Some(context), sequences, ..Options::default() };
    Null::new().load(&device, &model(), &options).unwrap()
}

fn sample(session: &mut dyn Session, name: &str, sequences: usize) -> Sample {
    let work = Work::new(name.parse().unwrap(), sequences, VOCAB);
    work.fill(session, 0, &mut |_, _| ControlFlow::Continue(())).unwrap();
    match work.repeat(session, Instant::now(), &|| false).unwrap() {
        Repetition::Whole(sample) => sample,
        Repetition::Stopped => panic!("stopped"),
    }
}

#[test]
fn samples_count_tokens_and_stamps() {
    let mut session = session(600, 2);
    for (name, tokens, emits) in
        [("pp8", 16, 0), ("tg5", 10, 5), ("tg5@d530", 10, 5), ("ttft4@d3", 8, 1), ("pp1", 2, 0)]
    {
        let sample = sample(&mut *session, name, 2);
        assert_eq!((sample.tokens, sample.emits_ns.len()), (tokens, emits), "{name}");
        assert!(sample.emits_ns.is_sorted(), "{name}");
        assert!(sample.emits_ns.last().is_none_or(|&last| last <= sample.nanoseconds), "{name}");
        assert_eq!(sample.cpu_ns.is_some(), cfg!(unix));
    }
}

#[test]
fn depth_is_filled_once_and_kept() {
    let mut session = session(64, 2);
    let deep = Work::new("tg2@d20".parse().unwrap(), 2, VOCAB);
    let mut steps = Vec::new();
    deep.fill(&mut *session, 0, &mut |at, of| {
        steps.push((at, of));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(steps, [(20, 20)]);
    for _ in 0..3 {
        deep.repeat(&mut *session, Instant::now(), &|| false).unwrap();
        assert_eq!(session.length(Sequence(1)), 22);
    }
    // Going on to another depth appends to what is there, or cuts it.
    let deeper = Work::new("pp2@d25".parse().unwrap(), 2, VOCAB);
    steps.clear();
    let mut keep = |at, of| {
        steps.push((at, of));
        ControlFlow::Continue(())
    };
    deeper.fill(&mut *session, 20, &mut keep).unwrap();
    assert_eq!(session.length(Sequence(1)), 25);
    Work::new("pp2".parse().unwrap(), 2, VOCAB).fill(&mut *session, 25, &mut keep).unwrap();
    assert_eq!((session.length(Sequence(0)), session.length(Sequence(1))), (0, 0));
    assert_eq!(steps, [(25, 25)]);
}

#[test]
fn every_device_gets_the_same_tokens() {
    let one = Work::new("pp4@d8".parse().unwrap(), 1, VOCAB);
    let other = Work::new("tg4@d8".parse().unwrap(), 1, VOCAB);
    assert_eq!(one.tokens, other.tokens);
    assert_eq!(one.tokens, verify::prompt(VOCAB, 12));
    assert_eq!(other.first, [(Sequence(0), one.tokens[8])]);
}

/// Deterministic in what it asserts: the fastest of several repetitions, against a bound far above the cost.
#[test]
fn an_emit_costs_at_most_five_microseconds() {
    let mut session = session(30_000, 1);
    let fastest = (0..5).map(|_| sample(&mut *session, "tg20000", 1).nanoseconds).min().unwrap();
    let each = fastest / 20_000;
    assert!(each <= 5_000, "{each} ns per emit on a backend that costs nothing");
}

#[test]
fn generation_can_be_stopped_between_emits() {
    let mut session = session(64, 1);
    let work = Work::new("tg32".parse().unwrap(), 1, VOCAB);
    let repetition = work.repeat(&mut *session, Instant::now(), &|| true).unwrap();
    assert_eq!(repetition, Repetition::Stopped);
    assert_eq!(session.length(Sequence(0)), 1);
}

#[test]
fn load_is_timed_from_a_closed_file_to_an_answer() {
    let (sample, session) = load(Instant::now(), || Ok(session(64, 1))).unwrap();
    assert_eq!((sample.tokens, sample.emits_ns.len()), (1, 1));
    assert_eq!(session.length(Sequence(0)), 1);
}

/// A session that skips work, or says it did some that it did not.
struct Lazy(Box<dyn Session>, bool);

impl Session for Lazy {
    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let spans: Vec<Span<'_>> = batch
            .spans
            .iter()
            .map(|span| Span { sequence: span.sequence, tokens: &span.tokens[..1] })
            .collect();
        self.0.forward(&Batch { spans: &spans, rows: Rows::Last })
    }
    fn synchronize(&mut self) -> Result<(), Error> {
        self.0.synchronize()
    }
    fn logits(&mut self) -> Result<Logits<'_>, Error> {
        self.0.logits()
    }
    fn generate(
        &mut self,
        first: &[(Sequence, Token)],
        n: usize,
        emit: &mut Emit<'_>,
    ) -> Result<(), Error> {
        self.0.generate(first, n - 1, emit)?;
        if self.1 {
            let _ = emit(n - 1, &vec![0; first.len()]);
        }
        Ok(())
    }
    fn truncate(&mut self, sequence: Sequence, length: usize) -> Result<(), Error> {
        self.0.truncate(sequence, length)
    }
    fn copy(&mut self, from: Sequence, to: Sequence) -> Result<(), Error> {
        self.0.copy(from, to)
    }
    fn length(&self, sequence: Sequence) -> usize {
        self.0.length(sequence)
    }
    fn facts(&self) -> Facts {
        self.0.facts()
    }
}

#[test]
fn skipped_work_is_not_a_fast_sample() {
    for (name, boasts) in [("pp8", false), ("ttft8", false), ("tg8", false), ("tg8", true)] {
        let mut lazy = Lazy(session(64, 1), boasts);
        let work = Work::new(name.parse().unwrap(), 1, VOCAB);
        let error = work.repeat(&mut lazy, Instant::now(), &|| false).unwrap_err().to_string();
        assert!(error.contains("expected 8") || error.contains("asked for 8"), "{name}: {error}");
    }
}
