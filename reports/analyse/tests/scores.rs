//! Scores of quality in rows: their intervals, and what random weights say.

mod build;

use build::cell;
use yardstick_analyse::{Comparison, Row, task_scores};
use yardstick_api::Known;
use yardstick_record::{Answered, Data, Metric, Quality, Record, Score};

const MODEL: &str = "smollm-135m:Q4_0";

fn only(records: &[Record]) -> Row {
    let mut rows = Comparison::of(records).rows;
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

fn scored(scores: Vec<Score>) -> impl FnOnce(&mut Record) {
    move |record| {
        let missing = || Known::unavailable("a test");
        record.quality = Some(Box::new(Quality {
            data: Data {
                name: "text".to_owned(),
                sha256: "0".to_owned(),
                bytes: 1,
                source: missing(),
                licence: missing(),
                date: missing(),
            },
            reference: None,
            method: "by hand".to_owned(),
            scores,
            windows: Vec::new(),
            answers: Vec::new(),
            farthest: Vec::new(),
        }));
    }
}

#[test]
fn a_score_has_its_interval_from_its_own_error_and_is_never_ranked() {
    let score = |value, n| Score {
        metric: Metric::Perplexity,
        value: Known::Value(value),
        error: Known::Value(0.5),
        n,
    };
    let records = [
        cell("cpu:a", MODEL, "ppl").with(scored(vec![score(12.0, 255)])).done(),
        cell("cpu:b", MODEL, "ppl").with(scored(vec![score(13.0, 255)])).done(),
    ];
    let comparison = Comparison::of(&records);
    assert!(comparison.rankings.is_empty());
    let row = &comparison.rows[0];
    assert_eq!(row.headline(), Metric::Perplexity);
    let estimate = row.estimate(Metric::Perplexity).unwrap();
    let interval = estimate.interval.value().unwrap();
    assert_eq!((estimate.median, estimate.n), (12.0, 255));
    assert!((interval.high - 12.0 - 1.959_964 * 0.5).abs() < 1e-9);
    assert!(!row.metrics.contains_key(&Metric::TimeNs), "a text is not timed");
}

#[test]
fn random_weights_have_no_quality_and_what_was_scored_all_the_same_says_so() {
    let random = "random weights of preset tiny";
    let skipped = only(&[cell("cpu:a", MODEL, "kld").skipped(random, None).done()]);
    let reason = skipped.metrics[&Metric::KldMean].reason().unwrap();
    assert!(reason.contains(random), "{reason}");
    let score = Score {
        metric: Metric::KldMean,
        value: Known::Value(0.1),
        error: Known::unavailable("n too small: 1"),
        n: 1,
    };
    let insisted = only(&[cell("cpu:a", MODEL, "kld")
        .with(scored(vec![score]))
        .with(|record| record.cell.model.random_weights = Some(random.to_owned()))
        .done()]);
    assert!(insisted.not_ranked.as_ref().unwrap().contains("says nothing about quality"));
    let estimate = insisted.estimate(Metric::KldMean).unwrap();
    assert_eq!(estimate.interval.reason(), Some("n too small: 1"));
}

#[test]
fn questions_that_name_tasks_are_scored_by_task_with_wilsons_interval() {
    let answered = |task: Option<&str>, right| Answered {
        id: "1".to_owned(),
        task: task.map(str::to_owned),
        right,
        right_unnormalised: None,
        answer: "4".to_owned(),
        tokens: None,
        ended: None,
        confidence: None,
    };
    let mut answers = vec![answered(Some("sums"), Some(true)); 10];
    answers.extend(vec![answered(Some("names"), Some(false)); 3]);
    answers.push(answered(Some("names"), Some(true)));
    answers.push(answered(None, Some(true)));
    answers.push(answered(Some("names"), None));
    let record = cell("cpu:a", MODEL, "choice").with(scored(vec![])).with(|record| {
        if let Some(quality) = &mut record.quality {
            quality.answers = answers;
        }
    });
    let row = only(&[record.done()]);
    let scores = task_scores(&row);
    let counts: Vec<_> = scores.iter().map(|score| (score.task, score.right, score.n)).collect();
    assert_eq!(counts, [("names", 1, 4), ("sums", 10, 10)]);
    let interval = |i: usize| *scores[i].accuracy.interval.value().unwrap();
    // By hand: 10 / (10 + z²) = 72.25 % with z² = 3.8415; (0.25 + z²/8 ± z √(0.25 · 0.75/4 + z²/64)) / (1 + z²/4).
    assert!(
        (interval(1).low - 72.247).abs() < 0.01 && (interval(1).high - 100.0).abs() < 1e-9,
        "{:?}",
        interval(1)
    );
    assert!((interval(0).low - 4.559).abs() < 0.01, "{:?}", interval(0));
    assert!((interval(0).high - 69.94).abs() < 0.01, "{:?}", interval(0));
}
