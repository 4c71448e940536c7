//! Tests of quality with real workers: scores against a direct computation, bad input, resuming.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use yardstick_api::{KvType, Options};
use yardstick_measure::plan;
use yardstick_measure::runner::{Event, LogitsRequest, Sink, logits};
use yardstick_measure::suite::Deadlines;
use yardstick_record::{Metric, Outcome, Quality, Record};

use crate::bench::{Bench, Kept};
use crate::worded;

const TEXT: &str = "It was the best of tests, it was the worst of tests.";
const REFERENCE: &str = "reference:f32";

/// A run of the worded model on a device, with a text.
fn bench(device: &str, tests: &[&str]) -> Bench {
    let mut bench = Bench::new(&[device], tests, true);
    bench.oracle = Some(REFERENCE.to_owned());
    fs::create_dir_all(bench.cache()).unwrap();
    let model = worded::write(&bench.model(), &bench.cache());
    bench.overrides.models = Some(vec![model.display().to_string()]);
    bench.overrides.quality.text = Some(file(&bench, "text.txt", TEXT));
    bench
}

fn file(bench: &Bench, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = bench.cache().join(name);
    fs::write(&path, content).unwrap();
    path.display().to_string()
}

fn quality(kept: &Kept) -> &Quality {
    let record = kept.records.first().unwrap();
    assert_eq!(record.outcome, Outcome::Ok);
    record.quality.as_deref().unwrap()
}

fn value(quality: &Quality, metric: Metric) -> f64 {
    *quality.score(metric).unwrap().value.value().unwrap()
}

/// The reference's logits of some tokens.
fn rows(bench: &Bench, tokens: &[u32]) -> Vec<Vec<f64>> {
    let model = PathBuf::from(&bench.overrides.models.as_ref().unwrap()[0]);
    let out = bench.cache().join("rows");
    let request = LogitsRequest {
        device: REFERENCE,
        model: &model,
        options: &Options { kv: KvType::F16, ..Options::default() },
        tokens,
        step: false,
        out: &out,
    };
    let never = AtomicBool::new(false);
    let (_, vocab) = logits(&bench.worker, &Deadlines::default(), &request, &never).unwrap();
    let bytes = fs::read(&out).unwrap();
    let values =
        bytes.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())));
    values.collect::<Vec<f64>>().chunks(vocab).map(<[f64]>::to_vec).collect()
}

fn log_softmax(row: &[f64], token: u32) -> f64 {
    row[token as usize] - row.iter().map(|logit| logit.exp()).sum::<f64>().ln()
}

/// One token a byte: the windows are slices of the text.
pub(crate) fn perplexity() {
    let bench = bench(REFERENCE, &["ppl16"]);
    let (_, kept) = bench.run();
    let found = quality(&kept);
    let mut nll = Vec::new();
    for window in TEXT.as_bytes().chunks_exact(16) {
        let tokens: Vec<u32> = window.iter().map(|&byte| u32::from(byte)).collect();
        let rows = rows(&bench, &tokens);
        nll.extend((8..15).map(|i| -log_softmax(&rows[i], tokens[i + 1])));
    }
    let direct = (nll.iter().sum::<f64>() / nll.len() as f64).exp();
    let perplexity = value(found, Metric::Perplexity);
    assert!((perplexity / direct - 1.0).abs() < 1e-6, "{perplexity} {direct}");
    assert_eq!((found.windows.len(), found.windows[0].n, nll.len()), (3, 7, 21));
    assert_eq!(found.data.name, "text.txt");
    let subject = kept.records[0].cell.subject.as_ref().unwrap();
    assert_eq!((subject.data.as_str(), subject.reference.as_ref()), ("text.txt", None));
}

/// A device held against the same weights on itself differs by its cache's rounding alone; made-up answers differ.
pub(crate) fn divergence() {
    let (_, kept) = bench(REFERENCE, &["kld16"]).run();
    let found = quality(&kept);
    assert!(value(found, Metric::KldMean) < 1e-4);
    assert_eq!(value(found, Metric::Top1Agreement), 100.0);
    let reference = found.reference.as_ref().unwrap();
    assert_eq!((reference.model.as_str(), reference.device.as_str()), ("worded.gguf", REFERENCE));
    assert_eq!((found.farthest.len(), found.windows.len()), (20, 3));

    let mut other = bench("null:ok", &["kld16"]);
    other.suite = other.suite.replace("verify = true", "verify = false");
    let (_, kept) = other.run();
    assert!(value(quality(&kept), Metric::KldMean) > 0.01);
}

/// Random weights score nothing, unless one insists.
pub(crate) fn random() {
    let mut bench = Bench::new(&[REFERENCE], &["kld8", "ppl8", "choice", "tg2"], true);
    bench.oracle = Some(REFERENCE.to_owned());
    fs::create_dir_all(bench.cache()).unwrap();
    bench.overrides.quality.choice =
        Some(file(&bench, "q.jsonl", r#"{"question":"a","choices":["b","c"],"answer":0}"#));
    let (_, kept) = bench.run();
    for test in ["kld8", "ppl8", "choice"] {
        let Outcome::Skipped { reason, .. } = kept.outcome(REFERENCE, test) else {
            panic!("{test}")
        };
        assert!(reason.starts_with("random weights"), "{reason}");
    }
    assert_eq!(kept.outcome(REFERENCE, "tg2"), &Outcome::Ok);

    bench.overrides.tests = Some(vec!["kld8".parse().unwrap()]);
    bench.overrides.quality.insist = true;
    let (_, kept) = bench.run();
    let (_, message) = kept.failure(REFERENCE, "kld8");
    assert!(message.contains("tokenizer"), "{message}");
    bench.overrides.quality.text = Some("made-up".to_owned());
    let (_, kept) = bench.run();
    let found = quality(&kept);
    assert_eq!((found.data.name.as_str(), found.windows.len()), ("made-up", 1));
    assert_eq!(found.reference.as_ref().unwrap().model, "tiny:F16");
}

/// Texts and questions that cannot be used.
pub(crate) fn bad_input() {
    let mut bench = bench(REFERENCE, &["ppl64"]);
    let (_, kept) = bench.run();
    let (_, message) = kept.failure(REFERENCE, "ppl64");
    assert!(message.contains("has 52 tokens, a window takes 64"), "{message}");

    let text = |bytes: &[u8]| file(&bench, "bad.txt", bytes);
    let (empty, broken) = (text(b""), b"ab\xff");
    let message = |bench: &Bench| refused(bench).to_string();
    bench.overrides.quality.text = Some(empty.clone());
    assert!(message(&bench).contains("found no text"));
    fs::write(&empty, broken).unwrap();
    assert!(message(&bench).contains("not UTF-8 at 2"));

    let good = r#"{"question":"a","choices":["b","c"],"answer":0}"#;
    for (line, words) in [
        (r#"{"question":"a","choices":["b","c"]}"#, "missing field `answer`"),
        (r#"{"question":"a","choices":["b"],"answer":0}"#, "expected 2 or more"),
        (r#"{"question":"a","choices":["b","c"],"answer":2}"#, "found answer 2"),
        (r#"{"question":"a","choices":["b","c"],"answer":0,"x":1}"#, "unknown field `x`"),
        ("nonsense", "expected ident"),
    ] {
        bench.overrides.tests = Some(vec!["choice".parse().unwrap()]);
        bench.overrides.quality.choice =
            Some(file(&bench, "q.jsonl", format!("{good}\n\n{line}\n")));
        let message = message(&bench);
        assert!(message.contains("q.jsonl line 3: ") && message.contains(words), "{message}");
    }
    bench.overrides.quality.choice = None;
    assert!(message(&bench).contains("--choice FILE"));
}

fn refused(bench: &Bench) -> plan::Error {
    bench.try_plan().unwrap_err()
}

/// The choice that is likelier is found, by hand as by the run.
pub(crate) fn choices() {
    let mut bench = bench(REFERENCE, &["choice"]);
    let rows = rows(&bench, &[u32::from(b'a'), u32::from(b'b')]);
    let weight = |letter: u8| log_softmax(&rows[1], u32::from(letter));
    let likelier = usize::from(weight(b'd') > weight(b'c'));
    let line = |answer| format!(r#"{{"question":"ab","choices":["c","d"],"answer":{answer}}}"#);
    let lines = format!("{}\n{}\n", line(likelier), line(1 - likelier));
    bench.overrides.quality.choice = Some(file(&bench, "q.jsonl", lines));
    let (_, kept) = bench.run();
    let found = quality(&kept);
    assert_eq!(value(found, Metric::Accuracy), 50.0);
    let right: Vec<Option<bool>> = found.answers.iter().map(|answer| answer.right).collect();
    assert_eq!(right, [Some(true), Some(false)]);
}

/// Answers end: a stop that never comes costs as many tokens as an answer may have. A prompt that is too long is its own error.
pub(crate) fn answers() {
    let mut bench = bench(REFERENCE, &["generation", "prompts"]);
    let never = r#"{"id":"never","prompt":"abc","stop":["no such text"],"regex":"^(?s:.*)$"}"#;
    let declines = r#"{"prompt":"Who?","unanswerable":true}"#;
    let set = file(&bench, "g.jsonl", format!("{never}\n{declines}\n"));
    bench.overrides.quality.generation = Some(set);
    bench.overrides.quality.prompts = Some(file(&bench, "p.jsonl", r#"{"prompt":"abc"}"#));
    bench.overrides.quality.most_tokens = Some(5);
    let (_, kept) = bench.run();
    let of = |test: &str| kept.records.iter().find(|r| r.cell.test.to_string() == test).unwrap();
    let generation = of("generation").quality.as_deref().unwrap();
    let answer = &generation.answers[0];
    assert_eq!((answer.tokens, answer.ended.as_deref()), (Some(5), Some("length")));
    assert_eq!((answer.right, generation.answers[1].right), (Some(true), Some(false)));
    assert_eq!(value(generation, Metric::Refusals), 0.0);
    let prompts = of("prompts");
    assert_eq!((prompts.samples.len(), prompts.samples[0].tokens), (1, 5));
    assert_eq!(prompts.samples[0].emits_ns.len(), 5);
    assert_eq!(value(prompts.quality.as_deref().unwrap(), Metric::ErrorRate), 0.0);

    bench.overrides.tests = Some(vec!["prompts".parse().unwrap()]);
    bench.overrides.context = Some(vec![Some(32)]);
    let long = format!("{{\"prompt\":\"{}\"}}\n{{\"prompt\":\"abc\"}}", "x".repeat(64));
    bench.overrides.quality.prompts = Some(file(&bench, "p.jsonl", long));
    let (_, kept) = bench.run();
    let found = quality(&kept);
    assert_eq!(value(found, Metric::ErrorRate), 50.0);
    assert!(found.answers[0].ended.as_ref().unwrap().contains("64 tokens"));
}

/// The reference's own greedy text is its own.
pub(crate) fn greedy() {
    let mut bench = bench(REFERENCE, &["divergence6"]);
    bench.overrides.quality.text = Some(file(&bench, "long.txt", TEXT.repeat(4)));
    let (_, kept) = bench.run();
    let found = quality(&kept);
    assert_eq!(value(found, Metric::MatchingTokens), 6.0);
    assert_eq!(value(found, Metric::Repeatable), 100.0);
}

/// Cancelled after its first window, a test goes on with the second.
pub(crate) fn resumed() {
    let (_, whole) = bench(REFERENCE, &["ppl16"]).run();
    let bench = bench(REFERENCE, &["ppl16"]);
    let mut first =
        Watch { kept: Kept::default(), progress: Vec::new(), cancel: Some(&bench.cancel) };
    assert!(bench.run_into(&mut first).unwrap().interrupted);
    bench.cancel.store(false, Ordering::Relaxed);
    let mut second = Watch { kept: Kept::default(), progress: Vec::new(), cancel: None };
    bench.run_into(&mut second).unwrap();
    assert_eq!(second.progress.first(), Some(&1), "the first window was done again");
    assert_eq!(quality(&second.kept).windows, quality(&whole).windows);
    let left = fs::read_dir(bench.cache())
        .unwrap()
        .filter_map(|entry| entry.ok()?.path().extension().map(ToOwned::to_owned));
    let left: Vec<_> =
        left.filter(|extension| extension == "windows" || extension == "logits").collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Cancels at the first window that is done.
struct Watch<'a> {
    kept: Kept,
    progress: Vec<u64>,
    cancel: Option<&'a AtomicBool>,
}

impl Sink for Watch<'_> {
    fn record(&mut self, record: Record) -> Result<(), String> {
        self.kept.record(record)
    }

    fn event(&mut self, event: Event<'_>) {
        if let Event::Progress { done, .. } = event {
            self.progress.push(done);
            if let (1.., Some(cancel)) = (done, self.cancel) {
                cancel.store(true, Ordering::Relaxed);
            }
        }
    }
}
