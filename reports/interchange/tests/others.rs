//! optimum-benchmark and criterion: what is read, and what is refused.
#![allow(missing_docs, clippy::unwrap_used)]

use serde_json::{Value, json};
use yardstick_analyse::Comparison;
use yardstick_interchange::criterion::{self, Files};
use yardstick_interchange::optimum_benchmark;
use yardstick_record::{Metric, Record, VerificationStatus};

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn of<'a>(records: &'a [Record], test: &str) -> &'a Record {
    records.iter().find(|record| record.cell.test.to_string() == test).unwrap_or_else(|| {
        panic!("no {test} in {:?}", records.iter().map(|r| r.cell.test).collect::<Vec<_>>())
    })
}

#[test]
fn a_report_with_its_configuration_gives_speeds_in_tokens() {
    let config = fixture("benchmark_config.json");
    let apart = optimum_benchmark::read(&fixture("benchmark_report.json"), Some(&config)).unwrap();
    let together = optimum_benchmark::read(&fixture("benchmark.json"), None).unwrap();
    assert_eq!(apart, together, "one file or two, the same records");
    let prefill = of(&apart, "pp64");
    // The trap: its throughput says samples/s; two prompts of 64 tokens in 40 ms are 3200 tokens/s.
    assert_eq!((prefill.samples[0].nanoseconds, prefill.samples[0].tokens), (40_000_000, 128));
    assert_eq!(prefill.cell.options.sequences, 2);
    // 100 new tokens are 99 steps: prefill gave the first.
    assert_eq!(of(&apart, "tg99@d64").samples[1].tokens, 198);
    assert_eq!(of(&apart, "optimum-benchmark:load_model").samples.len(), 1);
    assert_eq!(of(&apart, "optimum-benchmark:per_token").samples.len(), 3);
    assert_eq!(prefill.cell.device, "optimum-benchmark:pytorch/cpu");
    assert_eq!(prefill.cell.model.name, "gpt2");
    assert_eq!(prefill.tool.version, "0.6.0.dev0");
    assert_eq!(prefill.environment.text("memory.total_bytes").unwrap(), "25276510208");
    let read = |name: &str| *prefill.reading(name).unwrap().value.value().unwrap();
    assert!((read("peak_rss_bytes") - 1234.5e6).abs() < 1.0);
    assert!((read("energy_total_joules") - 4.32).abs() < 1e-9);
    assert!(prefill.reading("max_global_vram_bytes").is_none(), "null stays missing");
    let whole = &prefill.origin.as_ref().unwrap().fields;
    assert_eq!(whole["report"]["prefill"]["throughput"]["unit"], "samples/s");
    let comparison = Comparison::of(&apart);
    assert!(comparison.rankings.is_empty());
    let row = comparison.rows.iter().find(|r| r.cell.test.to_string() == "pp64").unwrap();
    let speed = row.estimate(Metric::TokensPerSecond).unwrap().median;
    assert!((speed - (128.0 / 0.042 + 128.0 / 0.041) / 2.0).abs() < 1e-6, "{speed}");
}

#[test]
fn without_a_configuration_only_times_count() {
    let records = optimum_benchmark::read(&fixture("benchmark_report.json"), None).unwrap();
    assert_eq!(of(&records, "optimum-benchmark:prefill").samples[0].nanoseconds, 40_000_000);
    assert!(records.iter().all(|record| record.cell.test.tokens().is_none()));
}

#[test]
fn a_decode_that_was_not_timed_is_no_decode_of_ours() {
    let mut config: Value = serde_json::from_str(&fixture("benchmark_config.json")).unwrap();
    for (pointer, value) in
        [("/backend/name", json!("llama_cpp")), ("/scenario/generate_kwargs/num_beams", json!(4))]
    {
        let mut changed = config.clone();
        match changed.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => changed["scenario"]["generate_kwargs"]["num_beams"] = value,
        }
        let report = fixture("benchmark_report.json");
        let records = optimum_benchmark::read(&report, Some(&changed.to_string())).unwrap();
        of(&records, "optimum-benchmark:decode");
    }
    config["scenario"]["input_shapes"]["batch_size"] = json!("2");
    let error =
        optimum_benchmark::read(&fixture("benchmark_report.json"), Some(&config.to_string()));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("scenario.input_shapes.batch_size: found \"2\""), "{error}");
}

#[test]
fn broken_reports_are_refused() {
    let with = |path: &str, value: Value| {
        let mut report: Value = serde_json::from_str(&fixture("benchmark_report.json")).unwrap();
        *report.pointer_mut(path).unwrap() = value;
        report.to_string()
    };
    let whole = fixture("benchmark_report.json");
    let cases = [
        (
            with("/prefill/latency/unit", json!("ms")),
            "prefill.latency.unit: found \"ms\", expected s",
        ),
        (with("/prefill/latency/values/1", json!(-1.0)), "prefill.latency.values[1]: found -1.0"),
        (with("/prefill/latency/values/1", json!(1e308)), "values[1]: found 1e+308"),
        (with("/prefill/latency/values", json!("x")), "prefill.latency.values: found \"x\""),
        (with("/prefill/latency", json!([])), "prefill.latency: found [], expected an object"),
        (with("/prefill/memory/unit", json!("GB")), "prefill.memory.unit"),
        (with("/prefill/memory/max_ram", json!("1")), "prefill.memory.max_ram: found \"1\""),
        (with("/prefill", json!(3)), "field prefill: found 3"),
        (whole[..whole.len() / 2].to_owned(), "not JSON"),
        ("[]".to_owned(), "not a JSON object"),
        ("{\"prefill\":null}".to_owned(), "found no target"),
    ];
    for (report, words) in cases {
        let error = optimum_benchmark::read(&report, None).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
}

fn benchmark() -> Files {
    let estimate = |ns: f64| json!({"confidence_interval": {"confidence_level": 0.95, "lower_bound": ns - 1.0, "upper_bound": ns + 1.0}, "point_estimate": ns, "standard_error": 0.5});
    Files {
        folder: "q4_0/dot/4096".to_owned(),
        benchmark: Some(json!({"group_id": "q4_0", "function_id": "dot", "value_str": "4096", "throughput": {"Bytes": 2304}, "full_id": "q4_0/dot/4096", "directory_name": "q4_0/dot/4096", "title": "q4_0/dot/4096"}).to_string()),
        sample: Some(json!({"sampling_mode": "Linear", "iters": [100.0, 200.0, 300.0], "times": [30.0, 62.0, 90.0]}).to_string()),
        estimates: Some(json!({"mean": estimate(0.31), "median": estimate(0.3), "median_abs_dev": estimate(0.01), "slope": null, "std_dev": estimate(0.02)}).to_string()),
    }
}

#[test]
fn criterion_keeps_its_samples_its_names_and_what_it_declares() {
    let records = criterion::read(&[benchmark()]).unwrap();
    let record = of(&records, "criterion:q4_0/dot/4096");
    let samples: Vec<(u64, u64)> =
        record.samples.iter().map(|sample| (sample.nanoseconds, sample.tokens)).collect();
    assert_eq!(samples, [(30, 100), (62, 200), (90, 300)]);
    assert_eq!(record.reading("bytes_per_iteration").unwrap().value.value(), Some(&2304.0));
    assert!(matches!(record.verification.status, VerificationStatus::Skipped { .. }));
    // Less than a nanosecond an iteration, not rounded to none.
    let rows = Comparison::of(&records).rows;
    let time = rows[0].estimate(Metric::TimeNs).unwrap().median;
    assert!((time - 0.3).abs() < 1e-12, "{time}");
    let speed = rows[0].estimate(Metric::BytesPerSecond).unwrap().median;
    assert!((speed - 2304.0 / 0.3e-9).abs() < 1.0, "{speed}");
    let without = Files { sample: None, ..benchmark() };
    let records = criterion::read(&[without]).unwrap();
    assert!(records[0].samples.is_empty());
    let rows = Comparison::of(&records).rows;
    let reason = rows[0].metrics[&Metric::TimeNs].reason().unwrap().to_owned();
    assert!(reason.contains("mean 0.31 ± 0.02 ns"), "{reason}");
}

#[test]
fn every_way_to_declare_throughput_is_read_and_unknown_ones_are_kept() {
    for (declared, bytes) in [
        (json!({"BytesDecimal": 5}), Some(5.0)),
        (json!([{"Elements": 2}, {"Bytes": 7}]), Some(7.0)),
        (json!({"ElementsAndBytes": {"elements": 2, "bytes": 9}}), Some(9.0)),
        (json!({"Elements": 4}), None),
        (json!({"Miles": 4}), None),
        (json!(null), None),
    ] {
        let benchmark_json = json!({"full_id": "x", "throughput": declared}).to_string();
        let files = Files { benchmark: Some(benchmark_json), ..benchmark() };
        let record = criterion::read(&[files]).unwrap().remove(0);
        let read = record.reading("bytes_per_iteration").and_then(|r| r.value.value().copied());
        assert_eq!(read, bytes, "{declared}");
        assert_eq!(record.origin.unwrap().fields["benchmark"]["throughput"], declared);
    }
}

#[test]
fn broken_benchmarks_are_refused_by_name() {
    let sample = |iters: Value, times: Value| Files {
        sample: Some(json!({"iters": iters, "times": times}).to_string()),
        ..benchmark()
    };
    let declared = |throughput: Value| Files {
        benchmark: Some(json!({"full_id": "x", "throughput": throughput}).to_string()),
        ..benchmark()
    };
    let cases = [
        (sample(json!([1.0]), json!([1.0, 2.0])), "sample.json: field times: found 2 times"),
        (sample(json!([0.0]), json!([1.0])), "iters[0]: found 0.0"),
        (sample(json!([1.0]), json!([-5.0])), "times[0]: found -5.0"),
        (sample(json!([1.0]), json!([1e308])), "times[0]: found 1e+308"),
        (sample(json!("x"), json!([1.0])), "iters: found \"x\", expected an array"),
        (Files { sample: Some("{".into()), ..benchmark() }, "q4_0/dot/4096/sample.json: not JSON"),
        (declared(json!("x")), "throughput: found \"x\""),
        (declared(json!({"Bytes": -3})), "throughput: found {\"Bytes\":-3}"),
        (Files { folder: "f".into(), ..Files::default() }, "f: found no samples and no mean"),
    ];
    for (files, words) in cases {
        let error = criterion::read(&[files]).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
}
