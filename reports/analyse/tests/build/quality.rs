//! Synthetic tests of quality: scores on a text, against a reference.

use super::{Build, cell};
use yardstick_api::Known;
use yardstick_record::{Apart, Data, Metric, Quality, Reference, Score, Subject, Window, Word};

pub const TEXT: &str = "held-out.txt";

/// A test of quality with its scores and standard errors. Unlike the other models here this one is trained.
pub fn scored(device: &str, model: &str, test: &str, scores: &[(Metric, f64, f64)]) -> Build {
    let family = model.split(':').next().unwrap().to_owned();
    scored_against(device, model, test, &format!("{family}:F16"), scores)
}

/// The same, held against this reference.
pub fn scored_against(
    device: &str,
    model: &str,
    test: &str,
    reference: &str,
    scores: &[(Metric, f64, f64)],
) -> Build {
    let score = |&(metric, value, error): &(Metric, f64, f64)| Score {
        metric,
        value: Known::Value(value),
        error: Known::Value(error),
        n: 4096,
    };
    let compares = test.starts_with("kld");
    let quality = Quality {
        data: data(),
        reference: compares.then(|| self::reference(reference)),
        method: "windows of 512 tokens, the second half of each scored".into(),
        scores: scores.iter().map(score).collect(),
        windows: windows(scores),
        answers: Vec::new(),
        farthest: if compares { farthest() } else { Vec::new() },
    };
    cell(device, model, test).with(|record| {
        record.cell.subject = Some(Subject {
            data: TEXT.into(),
            sha256: "5a".repeat(32),
            reference: compares.then(|| reference.to_owned()),
        });
        record.quality = Some(Box::new(quality));
        record.cell.model.random_weights = None;
        record.samples.clear();
    })
}

/// Twelve windows from easy to hard that come to the perplexity told, in which harder ones lose a little more.
fn windows(scores: &[(Metric, f64, f64)]) -> Vec<Window> {
    let told = scores.iter().find(|(metric, ..)| *metric == Metric::Perplexity);
    let Some(&(_, perplexity, _)) = told else { return Vec::new() };
    let share = |i: u32| perplexity.ln() * (1.0 + (f64::from(i) - 5.5) / 12.0);
    (0..12).map(|i| Window { n: 256, nll: 256.0 * share(i), nll_squared: 0.0, kld: None }).collect()
}

fn data() -> Data {
    Data {
        name: TEXT.into(),
        sha256: "5a".repeat(32),
        bytes: 100_000,
        source: Known::Value("the Rust documentation".into()),
        licence: Known::Value("MIT".into()),
        date: Known::Value("2026-04-14".into()),
    }
}

fn reference(model: &str) -> Reference {
    Reference {
        model: model.to_owned(),
        sha256: Known::Value("f1".repeat(32)),
        quantisation: Known::Value(model.rsplit(':').next().unwrap().to_owned()),
        device: "reference:f32".into(),
        proof: "computed in f32 by the reference".into(),
    }
}

fn farthest() -> Vec<Apart> {
    let word = |text: &str, probability| Word { text: text.into(), probability };
    let apart = |position, context: &str, expected, found, kld| Apart {
        window: 3,
        position,
        context: context.into(),
        expected,
        found,
        kld,
    };
    vec![
        apart(300, "the borrow checker rejects", word(" the", 0.81), word(" a", 0.44), 1.91),
        apart(412, "an iterator over <T>", word(" that", 0.32), word(" of", 0.35), 0.84),
    ]
}
