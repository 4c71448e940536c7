//! Trade-offs and depth curves from records: known fronts, ties by interval, missing values, what belongs together.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod build;

use build::quality::{scored, scored_against};
use build::{Build, cell, launches};
use yardstick_analyse::{
    Aspect, Candidate, Comparison, Difference, Row, Standing, Tradeoff, Varies, agreements,
};
use yardstick_api::{Known, KvType};
use yardstick_record::{Metric, Reading, Record, Verification};

const DEVICE: &str = "cpu:a";

/// Speed, prefill and divergence of formats of one trained model: format, tokens/s, nats, standard error.
fn formats(of: &[(&str, f64, f64, f64)]) -> Vec<Record> {
    let mut records = Vec::new();
    for &(format, speed, kld, error) in of {
        let model = format!("rustdoc-6m:{format}");
        for (test, speed) in [("tg64", speed), ("pp128", 10.0 * speed)] {
            records.extend(launches(3, |launch| {
                cell(DEVICE, &model, test).launch(launch).speed(speed, 5).with(trained)
            }));
        }
        records.push(scored(DEVICE, &model, "kld", &[(Metric::KldMean, kld, error)]).done());
    }
    records
}

fn trained(record: &mut Record) {
    record.cell.model.random_weights = None;
}

fn only(records: &[Record]) -> Tradeoff {
    let mut tradeoffs = Comparison::of(records).tradeoffs;
    assert_eq!(tradeoffs.len(), 1);
    tradeoffs.remove(0)
}

fn labels(tradeoff: &Tradeoff) -> Vec<&str> {
    tradeoff.candidates.iter().map(|candidate| candidate.label.as_str()).collect()
}

fn column(tradeoff: &Tradeoff, aspect: Aspect) -> usize {
    tradeoff.columns.iter().position(|column| column.aspect == aspect).unwrap()
}

fn value(tradeoff: &Tradeoff, at: usize, aspect: Aspect) -> &Known<yardstick_analyse::Quantity> {
    &tradeoff.candidates[at].values[column(tradeoff, aspect)]
}

fn standings(tradeoff: &Tradeoff, cost: Aspect) -> &[Standing] {
    let cost = column(tradeoff, cost);
    &tradeoff.fronts.iter().find(|front| front.cost == cost).unwrap().standings
}

const FOUR: [(&str, f64, f64, f64); 4] = [
    ("F16", 40.0, 1e-5, 1e-6),
    ("Q8_0", 70.0, 1e-3, 1e-4),
    ("Q4_K_M", 110.0, 0.02, 1e-3),
    ("Q4_0", 100.0, 0.06, 3e-3),
];

#[test]
fn perplexity_that_a_divergence_tells_too_has_one_column() {
    let mut records = Vec::new();
    for (format, ppl) in [("F16", 20.0), ("Q4_0", 21.0)] {
        let model = format!("rustdoc-6m:{format}");
        let both = [(Metric::KldMean, 0.01, 1e-4), (Metric::Perplexity, ppl, 0.5)];
        records.push(scored(DEVICE, &model, "kld", &both).done());
    }
    let columns = |records: &[Record]| {
        let perplexity = Aspect::Quality(Metric::Perplexity);
        let columns = only(records).columns.into_iter();
        let told = columns.filter(|column| column.aspect == perplexity);
        told.filter_map(|column| column.test).collect::<Vec<_>>()
    };
    assert_eq!(columns(&records), ["kld".parse().unwrap()], "alone it counts");
    for (format, ppl) in [("F16", 20.0), ("Q4_0", 21.0)] {
        let model = format!("rustdoc-6m:{format}");
        records.push(scored(DEVICE, &model, "ppl", &[(Metric::Perplexity, ppl, 0.5)]).done());
    }
    assert_eq!(columns(&records), ["ppl".parse().unwrap()]);
}

#[test]
fn formats_of_a_model_are_held_side_by_side_the_largest_first() {
    let tradeoff = only(&formats(&FOUR));
    assert_eq!(labels(&tradeoff), ["F16", "Q8_0", "Q4_K_M", "Q4_0"]);
    assert_eq!((tradeoff.model.as_str(), tradeoff.varies), ("rustdoc-6m", Varies::Weights));
    let bits = value(&tradeoff, 1, Aspect::BitsPerWeight).value().unwrap().value;
    assert!((bits - (8_100_000.0 - 1_700_000.0) * 8.0 / 5_800_000.0).abs() < 1e-9);
    let kld = value(&tradeoff, 2, Aspect::Quality(Metric::KldMean)).value().unwrap();
    assert!((kld.value - 0.02).abs() < 1e-12 && kld.interval().unwrap().high > 0.0219);
    assert_eq!((kld.records.len(), kld.records[0].len()), (1, 64));
    assert_eq!(value(&tradeoff, 2, Aspect::Decode).value().unwrap().records.len(), 3);
    assert_eq!(tradeoff.reference_is_quantised(), Some(false));
}

#[test]
fn a_known_front_and_what_dominates_the_rest() {
    let tradeoff = only(&formats(&FOUR));
    let by_speed = standings(&tradeoff, Aspect::Decode);
    assert_eq!(by_speed[..3], [Standing::Front, Standing::Front, Standing::Front]);
    assert_eq!(by_speed[3], Standing::Dominated(vec![2]));
    // It is the smallest: that is exact, and makes it worth choosing against size.
    assert_eq!(standings(&tradeoff, Aspect::Size)[3], Standing::Front);
    assert_eq!(tradeoff.no_fronts.len(), 1);
    assert_eq!(tradeoff.no_fronts[0].cost, Aspect::Energy);
    assert!(tradeoff.no_fronts[0].reason.contains("no meter"), "{:?}", tradeoff.no_fronts);
}

#[test]
fn differences_within_the_intervals_are_ties() {
    // As fast as the intervals tell, and worse by more than they do: the faster median is not taken from it.
    let records = formats(&[("Q4_K_M", 100.0, 0.020, 1e-3), ("Q4_0", 100.1, 0.060, 1e-3)]);
    let tradeoff = only(&records);
    assert_eq!(standings(&tradeoff, Aspect::Decode), [Standing::Front, Standing::Tied(vec![0])]);
    // And where neither is shown better at anything, both stay.
    let records = formats(&[("Q4_K_M", 100.0, 0.020, 1e-2), ("Q4_0", 100.1, 0.021, 1e-2)]);
    let tradeoff = only(&records);
    assert_eq!(
        standings(&tradeoff, Aspect::Decode),
        [Standing::Tied(vec![1]), Standing::Tied(vec![0])]
    );
}

#[test]
fn one_launch_shows_no_speed() {
    let records: Vec<Record> =
        formats(&FOUR).into_iter().filter(|record| record.launch == 0).collect();
    let tradeoff = only(&records);
    let by_speed = standings(&tradeoff, Aspect::Decode);
    assert!(
        by_speed.iter().all(Standing::is_on_front) || by_speed[3] == Standing::Dominated(vec![2])
    );
    assert_eq!(by_speed[2], Standing::Tied(vec![0, 1]));
    let decode = column(&tradeoff, Aspect::Decode);
    let change = tradeoff.candidates[2].changes[decode].unwrap();
    assert_eq!(change.difference, Difference::NoInterval);
}

#[test]
fn changes_are_from_the_largest() {
    let tradeoff = only(&formats(&FOUR));
    let change = |at: usize, aspect| {
        let candidate: &Candidate = &tradeoff.candidates[at];
        candidate.changes[column(&tradeoff, aspect)]
    };
    assert_eq!(change(0, Aspect::Decode), None);
    let decode = change(2, Aspect::Decode).unwrap();
    assert!((decode.ratio - 2.75).abs() < 0.01 && decode.difference == Difference::Shown);
    let size = change(2, Aspect::Size).unwrap();
    assert!((size.ratio - 5.5 / 13.7).abs() < 1e-9 && size.difference == Difference::Shown);
    // The memory read is the same for each.
    assert_eq!(change(2, Aspect::Memory).unwrap().difference, Difference::NotShown);
    assert_eq!(change(2, Aspect::Quality(Metric::KldMean)), None);
}

#[test]
fn random_weights_have_no_quality_whatever_a_record_says() {
    let random = |record: &mut Record| {
        record.cell.model.random_weights = Some("random weights of a preset".into());
    };
    let records: Vec<Record> = formats(&FOUR)
        .into_iter()
        .map(|mut record| {
            random(&mut record);
            record.seal()
        })
        .collect();
    let tradeoff = only(&records);
    for at in 0..4 {
        let kld = value(&tradeoff, at, Aspect::Quality(Metric::KldMean));
        assert_eq!(kld.reason(), Some("random weights of a preset"));
        assert!(value(&tradeoff, at, Aspect::Decode).value().is_some());
    }
    assert!(tradeoff.fronts.is_empty());
    assert!(tradeoff.no_fronts.iter().all(|none| none.reason.contains("random weights")));
}

#[test]
fn devices_that_are_absent_and_tests_that_a_suite_leaves_out_are_no_tradeoff() {
    let mut records = formats(&FOUR);
    for format in ["F16", "Q4_0"] {
        let model = format!("rustdoc-6m:{format}");
        records.push(cell("cuda:0", &model, "tg64").skipped("no driver", None).done());
        records.push(cell("cuda:0", &model, "kld").skipped("no driver", None).done());
        // Its speed was measured, and nobody asked for its quality.
        records.push(cell(DEVICE, &format!("tiny:{format}"), "tg64").speed(9.0, 5).done());
        records
            .push(cell(DEVICE, &format!("tiny:{format}"), "kld").skipped("left out", None).done());
    }
    assert_eq!(only(&records).model, "rustdoc-6m");
    // Skipped since its weights are random: its speed is weighed, and its quality is null for that reason.
    for format in ["F16", "Q4_0"] {
        let random = cell(DEVICE, &format!("tiny:{format}"), "ppl");
        let why = random.record.cell.model.random_weights.clone().unwrap();
        records.push(random.skipped(&why, None).done());
    }
    let tradeoffs = Comparison::of(&records).tradeoffs;
    assert_eq!(
        tradeoffs.iter().map(|t| t.model.as_str()).collect::<Vec<_>>(),
        ["rustdoc-6m", "tiny"]
    );
}

#[test]
fn what_is_missing_says_why_and_takes_no_part() {
    let mut records = formats(&FOUR);
    records.retain(|record| {
        let is_speed = record.cell.test.tokens().is_some();
        !(is_speed && record.cell.model.name.ends_with("Q8_0"))
    });
    let unverified = |record: &mut Record| {
        if record.cell.model.name.ends_with("Q4_0") {
            record.verification = Verification::skipped("unverified: no logits");
        }
    };
    let records: Vec<Record> = records
        .into_iter()
        .map(|mut record| {
            unverified(&mut record);
            record.seal()
        })
        .collect();
    let tradeoff = only(&records);
    assert_eq!(value(&tradeoff, 1, Aspect::Decode).reason(), Some("not asked for"));
    assert_eq!(
        standings(&tradeoff, Aspect::Decode)[1..],
        [
            Standing::Missing("not asked for".into()),
            Standing::Front,
            Standing::Missing("not verified: unverified: no logits".into())
        ]
    );
}

#[test]
fn other_devices_and_models_are_other_tradeoffs_and_speed_alone_is_none() {
    let mut records = formats(&FOUR);
    records.extend(formats(&FOUR).into_iter().map(|mut record| {
        record.cell.device = "cpu:b".into();
        record.seal()
    }));
    for format in ["Q8_0", "Q4_0"] {
        let model = format!("smollm-135m:{format}");
        records.push(cell(DEVICE, &model, "tg64").speed(30.0, 5).done());
    }
    let tradeoffs = Comparison::of(&records).tradeoffs;
    let devices: Vec<&str> = tradeoffs.iter().map(|tradeoff| tradeoff.device.as_str()).collect();
    assert_eq!(devices, ["cpu:a", "cpu:b"]);
    assert!(tradeoffs.iter().all(|tradeoff| tradeoff.candidates.len() == 4));
}

#[test]
fn a_reference_that_is_quantised_itself_is_known_as_one() {
    let of = |format: &str, kld| {
        let model = format!("rustdoc-6m:{format}");
        scored_against(DEVICE, &model, "kld", "rustdoc-6m:Q8_0", &[(Metric::KldMean, kld, 1e-4)])
            .done()
    };
    let tradeoff = only(&[of("Q8_0", 1e-3), of("Q4_0", 0.05)]);
    assert_eq!(tradeoff.reference_is_quantised(), Some(true));
}

#[test]
fn storage_of_keys_and_values_is_weighed_the_same_way() {
    let mut records = Vec::new();
    for (kv, bytes, speed, kld) in [
        (KvType::F32, 8192, 90.0, 1e-5),
        (KvType::F16, 4096, 100.0, 2e-4),
        (KvType::Q8_0, 2176, 95.0, 9e-4),
    ] {
        let change = move |record: &mut Record| {
            record.cell.options.kv = kv;
            trained(record);
            if let Known::Value(facts) = &mut record.facts {
                facts.kv_bytes = 1024 * bytes;
            }
        };
        let model = "rustdoc-6m:Q8_0";
        records.extend(launches(3, |l| {
            cell(DEVICE, model, "tg64").launch(l).speed(speed, 5).with(change)
        }));
        let scores = [(Metric::KldMean, kld, 1e-6)];
        records.push(scored(DEVICE, model, "kld", &scores).with(change).done());
    }
    let tradeoff = only(&records);
    assert_eq!((tradeoff.varies, labels(&tradeoff)), (Varies::Keys, vec!["f32", "f16", "q8_0"]));
    let exact = |at, aspect| value(&tradeoff, at, aspect).value().unwrap().value;
    assert_eq!((exact(2, Aspect::Size), exact(2, Aspect::BitsPerWeight)), (2176.0, 8.5));
    assert_eq!(
        standings(&tradeoff, Aspect::Size),
        [Standing::Front, Standing::Front, Standing::Front]
    );
}

#[test]
fn energy_is_that_of_the_row_per_token() {
    let reading = |name: &str, unit: &str, scope: &str, value: f64| Reading {
        name: name.to_owned(),
        value: Known::Value(value),
        unit: unit.to_owned(),
        better: None,
        source: "powercap".into(),
        scope: scope.to_owned(),
        precision: None,
    };
    let mut records = formats(&FOUR);
    for record in &mut records {
        if record.cell.test.tokens().is_some() {
            // 5 samples of 64 tokens.
            let seconds = record.samples.iter().map(|s| s.nanoseconds).sum::<u64>() as f64 / 1e9;
            record.readings.push(reading("window_seconds", "s", "test", seconds));
            record.readings.push(reading("rapl_package_0_watts", "W", "package", 160.0 / seconds));
        }
        *record = record.clone().seal();
    }
    let comparison = Comparison::of(&records);
    let is_decode =
        |row: &&Row| row.model == "rustdoc-6m:F16" && row.cell.test.to_string() == "tg64";
    let row = comparison.rows.iter().find(is_decode);
    let row = row.unwrap().estimate(Metric::JoulesPerToken).unwrap();
    let tradeoff = only(&records);
    let told = value(&tradeoff, 0, Aspect::Energy).value().unwrap();
    assert_eq!(told.value, row.median);
    assert!((told.value - 0.5).abs() < 1e-12);
    assert_eq!(tradeoff.fronts.len(), 3);
}

/// A test whose token takes `start` milliseconds and `slope` microseconds a position.
fn deep(model: &str, depth: usize, start: f64, slope: f64, launch: u32) -> Build {
    let milliseconds = start * (1.0 + 0.01 * f64::from(launch)) + slope * depth as f64 / 1e3;
    let test = if depth == 0 { "tg8".to_owned() } else { format!("tg8@d{depth}") };
    cell(DEVICE, model, &test).launch(launch).speed(1e3 / milliseconds, 5)
}

#[test]
fn growth_over_depth_is_the_slope_of_a_line() {
    let mut records = Vec::new();
    for depth in [0, 512, 1024, 2048] {
        records.extend(launches(3, |l| deep("smollm-135m:Q4_0", depth, 8.0, 2.0, l)));
    }
    let comparison = Comparison::of(&records);
    let [curve] = comparison.depths.as_slice() else { panic!("one curve") };
    let growth = curve.growth.value().unwrap();
    assert!((growth.ns_per_position.median - 2000.0).abs() < 20.0, "{growth:?}");
    assert!(growth.ns_per_position.interval.value().is_some() && growth.farthest < 0.02);
    let depths: Vec<usize> = curve.points.iter().map(|point| point.depth).collect();
    assert_eq!(depths, [0, 512, 1024, 2048]);
    assert_eq!(curve.points[3].kv_bytes, Known::Value(23_040.0 * 2056.0));
    let room = (24_u64 << 30) - 94_000_000;
    assert_eq!(curve.full_at, Known::Value((room as f64 / 23_040.0).floor()));
}

#[test]
fn two_depths_are_no_line_and_other_lengths_no_curve() {
    let model = "smollm-135m:Q4_0";
    let two = [deep(model, 0, 8.0, 2.0, 0).done(), deep(model, 512, 8.0, 2.0, 0).done()];
    let comparison = Comparison::of(&two);
    assert!(comparison.depths[0].growth.reason().unwrap().contains("a line needs 3"));
    let others = [two[0].clone(), cell(DEVICE, model, "tg64@d512").speed(9.0, 5).done()];
    assert!(Comparison::of(&others).depths.is_empty());
}

#[test]
fn a_small_model_held_against_a_large_one_is_an_agreement_and_no_loss() {
    let scores = [(Metric::KldMean, 1.4, 0.02), (Metric::Top1Agreement, 61.0, 0.7)];
    let mut records = formats(&FOUR);
    records.push(scored_against(DEVICE, "rustdoc-6m:Q4_0", "kld", "large:F16", &scores).done());
    let comparison = Comparison::of(&records);
    let [agreement] = agreements(&comparison)[..] else { panic!("one agreement") };
    assert_eq!((agreement.small, agreement.large), ("rustdoc-6m:Q4_0", "large:F16"));
    assert_eq!(agreement.top1.value().unwrap().median, 61.0);
    assert!(agreement.top5.reason().is_some());
    let [tradeoff] = comparison.tradeoffs.as_slice() else { panic!("one trade-off") };
    let kld = value(tradeoff, 3, Aspect::Quality(Metric::KldMean));
    assert!((kld.value().unwrap().value - 0.06).abs() < 1e-12);
}
