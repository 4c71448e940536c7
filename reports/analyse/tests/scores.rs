//! Scores of quality in rows: their intervals, and what random weights say.

mod build;

use build::cell;
use yardstick_analyse::{Comparison, Row};
use yardstick_api::Known;
use yardstick_record::{Data, Metric, Quality, Record, Score};

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
