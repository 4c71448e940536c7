//! Rows from records: what is grouped, estimated, kept, and ranked.

mod build;

use build::{Build, cell, launches};
use yardstick_analyse::{Comparison, Method, UnitOfStatistics};
use yardstick_api::{DeviceClass, Known, KvType};
use yardstick_record::{
    FailureKind, Metric, Outcome, Peak, Phase, Record, Test, Timeline, Track, Verification,
};

const MODEL: &str = "smollm-135m:Q4_0";

fn only(records: &[Record]) -> yardstick_analyse::Row {
    let mut rows = Comparison::of(records).rows;
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

#[test]
fn launches_of_a_cell_are_one_row_and_a_record_counts_once() {
    let mut records =
        launches(3, |launch| cell("cpu:a", MODEL, "tg8").launch(launch).speed(50.0, 5));
    records.push(records[0].clone());
    let row = only(&records);
    assert_eq!((row.launches, row.samples, row.records.len()), (3, 15, 3));
    let speed = row.estimate(Metric::TokensPerSecond).unwrap();
    assert_eq!((speed.n, speed.method), (3, Method::StudentT));
    assert!((speed.median - 50.0).abs() < 1.0);
}

#[test]
fn other_options_machines_and_builds_are_other_rows() {
    let base = || cell("cpu:a", MODEL, "tg8").speed(50.0, 5);
    let records = [
        base().done(),
        base().with(|r| r.cell.options.kv = KvType::F32).done(),
        base().with(|r| r.environment.set("cpu.model", "another")).done(),
        base().with(|r| r.tool.version = "0.2.0".into()).done(),
    ];
    let comparison = Comparison::of(&records);
    assert_eq!(comparison.rows.len(), 4);
    assert_eq!(comparison.varying, ["kv", "machine", "program"]);
}

#[test]
fn one_launch_is_labelled_as_one() {
    let row = only(&[cell("cpu:a", MODEL, "tg8").speed(50.0, 10).done()]);
    let speed = row.estimate(Metric::TokensPerSecond).unwrap();
    assert_eq!(speed.unit_of_statistics, UnitOfStatistics::SamplesOfOneLaunch);
    let memory = row.estimate(Metric::PeakRssBytes).unwrap();
    assert!(memory.interval.reason().unwrap().contains("n too small"));
}

#[test]
fn the_share_of_bandwidth_is_weights_and_half_way_cache_over_the_ceiling() {
    let row = only(&[cell("cpu:a", MODEL, "tg9@d100")
        .with(|r| {
            if let Known::Value(facts) = &mut r.facts {
                (facts.streamed_bytes, facts.kv_bytes) = (1_000_000, 2_048_000);
                (facts.context, facts.sequences) = (1024, 2);
            }
            if let Known::Value(ceiling) = &mut r.ceiling {
                ceiling.bytes_per_second = 1e9;
            }
            // Two sequences, nine steps in 9 ms.
            r.samples = vec![build::sample(18, 9_000_000, 9); 6];
        })
        .done()]);
    // 1000 bytes a position; each sequence holds 105 positions on average: (1e6 + 2 * 105 * 1000) * 1000 / 1e9.
    let share = row.estimate(Metric::PercentOfLimit).unwrap().median;
    assert!((share - 121.0).abs() < 1e-9, "{share}");
    assert_eq!(row.estimate(Metric::TokensPerSecond).unwrap().median, 2000.0);
}

#[test]
fn the_share_of_what_reading_sustained_is_held_against_its_mean_rate() {
    let decode = |sustained| {
        only(&[cell("cpu:a", MODEL, "tg9")
            .with(|r| {
                if let Known::Value(facts) = &mut r.facts {
                    (facts.streamed_bytes, facts.kv_bytes) = (900_000, 0);
                }
                if let Known::Value(ceiling) = &mut r.ceiling {
                    ceiling.bytes_per_second = 1.25e9;
                    ceiling.sustained_bytes_per_second = sustained;
                }
                // 900 kB each millisecond.
                r.samples = vec![build::sample(9, 9_000_000, 9); 6];
            })
            .done()])
    };
    for (metric, percent) in [(Metric::PercentOfLimit, 72.0), (Metric::PercentOfSustained, 90.0)] {
        let share = decode(Some(1e9)).estimate(metric).unwrap().median;
        assert!((share - percent).abs() < 1e-9, "{metric:?} {share}");
    }
    let missing = decode(None);
    let reason = missing.metrics[&Metric::PercentOfSustained].reason().unwrap();
    assert!(reason.contains("no rounds"), "{reason}");
    assert!(missing.estimate(Metric::PercentOfLimit).is_some());
}

#[test]
fn with_sliding_windows_the_share_counts_the_positions_that_are_read() {
    let row = only(&[cell("cpu:a", MODEL, "tg9@d1000")
        .with(|r| {
            if let Known::Value(facts) = &mut r.facts {
                (facts.streamed_bytes, facts.kv_bytes) = (1_000_000, 2_048_000);
                (facts.context, facts.sequences) = (2048, 1);
            }
            if let Known::Value(ceiling) = &mut r.ceiling {
                (ceiling.bytes_per_second, ceiling.positions_read) = (1e9, Some(500.0));
            }
            r.samples = vec![build::sample(9, 9_000_000, 9); 6];
        })
        .done()]);
    // 1000 bytes a position, 500 of them: (1e6 + 500 * 1000) * 1000 / 1e9.
    let share = row.estimate(Metric::PercentOfLimit).unwrap().median;
    assert!((share - 150.0).abs() < 1e-9, "{share}");
}

#[test]
fn the_share_of_the_peak_is_operations_per_second_over_it_and_limits_are_named() {
    let peak = Peak {
        operations_per_second: 2e12,
        operations_per_token: 2.5e9,
        class: "int8 VNNI".into(),
        threads: Known::Value(2),
        how: None,
    };
    let prefill = only(&[cell("cpu:a", MODEL, "pp64")
        .with(|r| {
            r.peak = Some(Known::Value(peak));
            // 64 tokens in 160 ms: 400 tokens/s.
            r.samples = vec![build::sample(64, 160_000_000, 1); 6];
        })
        .done()]);
    let share = prefill.estimate(Metric::PercentOfLimit).unwrap().median;
    assert!((share - 50.0).abs() < 1e-9, "{share}");
    assert_eq!(prefill.limit.as_deref(), Some("int8 VNNI peak"));
    let decode = only(&[cell("cpu:a", MODEL, "tg8").speed(50.0, 6).done()]);
    assert_eq!(decode.limit.as_deref(), Some("read 87 MiB"));
}

#[test]
fn a_limit_as_a_test_has_its_own_unit() {
    let limit = |name: &str| Test::try_from(name.to_owned()).unwrap();
    for (name, metric, value) in [
        ("read@64MiB", Metric::BytesPerSecond, 64e9),
        ("peak-int8", Metric::OperationsPerSecond, 64e9),
        ("barrier", Metric::TimeNs, 1e6 / 64e6),
    ] {
        let row = only(&[cell("cpu:a", "no model", "load")
            .with(|r| {
                r.cell.test = limit(name);
                r.samples = vec![build::sample(64_000_000, 1_000_000, 0); 6];
            })
            .done()]);
        assert_eq!(row.headline(), metric, "{name}");
        let found = row.estimate(metric).unwrap().median;
        assert!((found / value - 1.0).abs() < 1e-9, "{name}: {found}");
        assert_eq!(row.metrics.len(), 1, "{name}: {:?}", row.metrics.keys());
    }
}

#[test]
fn what_does_not_apply_is_absent_and_what_is_missing_has_a_reason() {
    let no_ceiling = |r: &mut Record| r.ceiling = Known::unavailable("not measured");
    let prefill = only(&[cell("cpu:a", MODEL, "pp8").speed(50.0, 6).done()]);
    let share = &prefill.metrics[&Metric::PercentOfLimit];
    assert_eq!(share.reason(), Some("the arithmetic peak was not measured"));
    assert!(!prefill.metrics.contains_key(&Metric::TimeNs));
    let decode = only(&[cell("cpu:a", MODEL, "tg8").speed(50.0, 6).with(no_ceiling).done()]);
    assert_eq!(decode.metrics[&Metric::PercentOfLimit].reason(), Some("not measured"));
    let load = only(&[cell("cpu:a", MODEL, "load").time(90.0, 6).done()]);
    assert!(!load.metrics.contains_key(&Metric::TokensPerSecond));
    assert!((load.estimate(Metric::TimeNs).unwrap().median - 90e6).abs() < 2e6);
}

#[test]
fn cells_that_did_not_end_well_stay_with_their_reason() {
    let timeout = Outcome::Failed {
        kind: FailureKind::Timeout { phase: Phase::WarmUp },
        message: "60 s passed".into(),
    };
    let records = [
        cell("cpu:a", MODEL, "tg8").ended(timeout).done(),
        cell("cpu:b", MODEL, "tg8")
            .skipped("no such instruction set", Some("another machine"))
            .done(),
        cell("cpu:c", MODEL, "tg8")
            .speed(9.0, 6)
            .ended(Outcome::Invalid { reason: "ran on the CPU".into() })
            .done(),
    ];
    let comparison = Comparison::of(&records);
    let reasons: Vec<&str> =
        comparison.rows.iter().filter_map(|row| row.not_ranked.as_deref()).collect();
    assert_eq!(
        reasons,
        [
            "failed: timeout in warm-up: 60 s passed",
            "skipped: no such instruction set; fix: another machine",
            "invalid: ran on the CPU"
        ]
    );
    assert!(comparison.rankings.is_empty());
    assert!(comparison.rows.iter().all(|row| row.metrics.values().all(|m| m.value().is_none())));
}

#[test]
fn one_lost_launch_is_told_but_spoils_nothing() {
    let crash = Outcome::Failed {
        kind: FailureKind::Crash { signal: 9, phase: Phase::Sample },
        message: "killed".into(),
    };
    let mut records = launches(3, |l| cell("cpu:a", MODEL, "tg8").launch(l).speed(50.0, 5));
    records.push(cell("cpu:a", MODEL, "tg8").launch(3).ended(crash).done());
    let row = only(&records);
    assert!(row.outcome.is_ok() && row.not_ranked.is_none());
    assert_eq!((row.launches, row.measured, row.samples), (4, 3, 15));
    assert_eq!(row.estimate(Metric::TokensPerSecond).unwrap().n, 3);
    assert_eq!(row.reasons.values().sum::<usize>(), 1);
}

#[test]
fn one_wrong_launch_spoils_the_row() {
    let wrong = Outcome::Failed { kind: FailureKind::Verify, message: "NMSE 0.8".into() };
    let mut records = launches(3, |l| cell("cpu:a", MODEL, "tg8").launch(l).speed(50.0, 5));
    records.push(cell("cpu:a", MODEL, "tg8").launch(3).ended(wrong).done());
    let row = only(&records);
    assert!(!row.outcome.is_ok() && row.estimate(Metric::TokensPerSecond).is_none());
}

#[test]
fn nothing_unverified_software_or_profiled_is_ranked() {
    let base = |device: &str| cell(device, MODEL, "tg8").speed(50.0, 8);
    let class = |class| {
        move |r: &mut Record| {
            if let Known::Value(device) = &mut r.device {
                device.class = class;
            }
        }
    };
    let records = [
        base("cpu:good").done(),
        base("cpu:unproven").with(|r| r.verification = Verification::skipped("no time")).done(),
        base("wgpu:0").with(class(DeviceClass::Software)).done(),
        base("sim:0").with(class(DeviceClass::Emulated)).done(),
        base("cpu:profiled").with(|r| r.cell.options.profile = true).done(),
        base("cpu:unknown").with(|r| r.device = Known::unavailable("not told")).done(),
    ];
    let comparison = Comparison::of(&records);
    assert_eq!(comparison.rankings.len(), 1);
    let ranked: Vec<&str> = comparison.rankings[0]
        .order
        .iter()
        .map(|&row| comparison.rows[row].cell.device.as_str())
        .collect();
    assert_eq!(ranked, ["cpu:good"]);
}

#[test]
fn what_shows_no_difference_ties_and_one_launch_proves_nothing() {
    let ranking = |speeds: [f64; 3], n: u32, samples| {
        let records: Vec<Record> = ["cpu:a", "cpu:b", "cpu:c"]
            .into_iter()
            .zip(speeds)
            .flat_map(|(device, speed)| {
                launches(n, |l| cell(device, MODEL, "tg8").launch(l).speed(speed, samples))
            })
            .collect();
        let comparison = Comparison::of(&records);
        let ranking = comparison.rankings[0].clone();
        (ranking.order, ranking.tied, ranking.proven)
    };
    assert_eq!(ranking([50.0, 50.2, 20.0], 6, 5), (vec![1, 0, 2], 2, true));
    assert_eq!(ranking([50.0, 80.0, 20.0], 3, 5), (vec![1, 0, 2], 1, true));
    assert_eq!(ranking([50.0, 50.2, 20.0], 1, 10), (vec![1, 0, 2], 2, false));
    assert_eq!(ranking([50.0, 80.0, 20.0], 1, 10), (vec![1, 0, 2], 1, false));
}

#[test]
fn times_are_ranked_the_other_way() {
    let records = [
        cell("cpu:a", MODEL, "ttft").time(90.0, 8).done(),
        cell("cpu:b", MODEL, "ttft").time(50.0, 8).done(),
    ];
    assert_eq!(Comparison::of(&records).rankings[0].order, [1, 0]);
}

#[test]
fn percentiles_appear_only_where_n_carries_them() {
    let latency = |samples| {
        only(&[cell("cpu:a", MODEL, "tg128").speed(50.0, samples).done()]).latency.unwrap()
    };
    let few = latency(2);
    assert_eq!(few.n, 254);
    assert!(few.percentiles[1].value.value().is_some());
    assert!(few.percentiles[2].value.reason().unwrap().contains("p99 needs 459"));
    let many = latency(4);
    assert!(many.percentiles[2].value.value().is_some());
    assert_eq!(many.course.len(), 127);
}

#[test]
fn models_of_one_name_are_told_apart_by_hash() {
    let hashed = |hash: &str| {
        let hash = hash.to_owned();
        cell("cpu:a", "model.gguf", "tg8")
            .speed(9.0, 6)
            .with(move |r| r.cell.model.sha256 = Known::Value(hash))
            .done()
    };
    let names: Vec<String> = Comparison::of(&[hashed("aaaaaaaaaaaa"), hashed("bbbbbbbbbbbb")])
        .rows
        .into_iter()
        .map(|row| row.model)
        .collect();
    assert_eq!(names, ["model.gguf (aaaaaaaa)", "model.gguf (bbbbbbbb)"]);
}

#[test]
fn the_order_of_records_does_not_matter() {
    let mut records = launches(4, |l| cell("cpu:a", MODEL, "tg8").launch(l).speed(50.0, 5));
    records.extend(launches(3, |l| cell("cpu:b", MODEL, "pp8").launch(l).speed(70.0, 5)));
    let summary = |records: &[Record]| {
        let rows = Comparison::of(records).rows;
        rows.iter().map(|r| (r.cell.key(), r.metrics.clone())).collect::<Vec<_>>()
    };
    let forward = summary(&records);
    records.reverse();
    assert_eq!(summary(&records), forward);
}

#[test]
fn marks_are_counted_by_kind_and_where_few_others_are_left_nothing_is_set_apart() {
    let row = only(&[cell("cpu:a", MODEL, "tg8")
        .speed(50.0, 6)
        .with(|r| {
            r.samples[0].marks = vec!["starved: steal 7 %".into(), "starved: others 60 %".into()];
            r.samples[3].marks = vec!["starved: steal 9 %".into(), "throttled".into()];
        })
        .done()]);
    let marks: Vec<(&str, usize)> = row.marks.iter().map(|(m, n)| (m.as_str(), *n)).collect();
    assert_eq!(marks, [("starved", 2), ("throttled", 1)]);
    assert_eq!(row.estimate(Metric::TokensPerSecond).unwrap().n, 6);
    assert_eq!(row.set_apart, 0);
}

#[test]
fn marked_samples_are_set_apart_by_their_marks_and_not_by_their_values() {
    let starved = |slow: bool| {
        let records = [cell("cpu:a", MODEL, "tg8").speed(50.0, 10).with(|r| {
            for sample in &mut r.samples[..4] {
                sample.marks.push("starved: steal 30 %".into());
                sample.nanoseconds *= if slow { 3 } else { 1 };
            }
            // As slow as those, with nothing that speaks against it: it counts.
            r.samples[9].nanoseconds *= 3;
        })];
        only(&records.map(Build::done))
    };
    let [slow, even] = [starved(true), starved(false)];
    assert_eq!((slow.samples, slow.set_apart, even.set_apart), (10, 4, 4));
    let speeds = [&slow, &even].map(|row| row.estimate(Metric::TokensPerSecond).cloned().unwrap());
    assert_eq!(speeds[0], speeds[1], "what is set apart has no say");
    assert_eq!(speeds[0].n, 6);
    // More than half of them marked: the launch is what it is.
    let all = only(&[cell("cpu:a", MODEL, "tg8")
        .speed(50.0, 10)
        .with(|r| r.samples[..6].iter_mut().for_each(|s| s.marks.push("throttled".into())))
        .done()]);
    assert_eq!((all.set_apart, all.estimate(Metric::TokensPerSecond).unwrap().n), (0, 10));
}

#[test]
fn average_memory_is_the_mean_over_the_time_that_was_watched_else_that_at_the_end() {
    let track = Track {
        name: "resident_bytes".into(),
        unit: "bytes".into(),
        points: vec![(1.0, 100.0), (2.0, 400.0), (4.0, 250.0)],
    };
    let watched = cell("cpu:avx2", "smollm-135m:Q4_0", "tg64").speed(50.0, 8).with(|record| {
        record.timeline = Some(Timeline {
            started: "2026-11-20T12:00:05Z".into(),
            started_ns: 0,
            tracks: vec![track],
        });
    });
    let of = |record| {
        let rows = Comparison::of(&[record]).rows;
        rows[0].estimate(Metric::RssBytes).map(|estimate| estimate.median)
    };
    // One second of 100, one of 400, two of 250.
    assert_eq!(of(watched.done()), Some(250.0));
    let ended = cell("cpu:avx2", "smollm-135m:Q4_0", "tg64").speed(50.0, 8).with(|record| {
        let mut reading = record.readings[0].clone();
        reading.name = "rss_bytes".into();
        reading.value = Known::Value(77.0);
        record.readings.push(reading);
    });
    assert_eq!(of(ended.done()), Some(77.0));
}
