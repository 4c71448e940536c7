//! llama-bench's files: in by field name, out as they came, and what of them is broken.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../analyse/tests/build/mod.rs"]
mod build;

use build::{cell, launches};
use serde_json::Value;
use yardstick_analyse::Comparison;
use yardstick_interchange::llama_bench::{Shape, Written, read_csv, read_json, write};
use yardstick_record::{Metric, Outcome, Record, Test, VerificationStatus};

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn json(text: &str) -> Vec<Record> {
    read_json(text.as_bytes()).map(Result::unwrap).collect()
}

fn csv(text: &str) -> Vec<Record> {
    read_csv(text.as_bytes()).map(Result::unwrap).collect()
}

fn written(records: &[Record], shape: Shape) -> (String, Written) {
    let mut out = Vec::new();
    let written = write(records, shape, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), written)
}

/// Objects of a file, by the JSON library and not by our reader.
fn objects(text: &str) -> Vec<Value> {
    match serde_json::from_str(text) {
        Ok(Value::Array(objects)) => objects,
        _ => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
    }
}

fn table(text: &str) -> Vec<Vec<(String, String)>> {
    let mut lines = ::csv::Reader::from_reader(text.as_bytes());
    let names = lines.headers().unwrap().clone();
    let line = |line: ::csv::StringRecord| {
        names.iter().zip(&line).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
    };
    lines.records().map(Result::unwrap).map(line).collect()
}

#[test]
fn json_of_every_version_comes_out_as_it_went_in() {
    for name in ["llama-bench-38.json", "llama-bench-35.json", "llama-bench-fork.jsonl"] {
        let text = fixture(name);
        let records = json(&text);
        for shape in [Shape::Json, Shape::Jsonl] {
            let (out, done) = written(&records, shape);
            assert_eq!(objects(&out), objects(&text), "{name}");
            assert!(done.left_out.is_empty() && done.neutral.is_empty(), "{done:?}");
            let again: Vec<String> = json(&out).into_iter().map(|record| record.id).collect();
            let ids: Vec<String> = records.iter().map(|record| record.id.clone()).collect();
            assert_eq!(again, ids, "{name}");
        }
    }
    // Byte by byte: llama-bench's own order and layout.
    assert_eq!(
        written(&json(&fixture("llama-bench-38.json")), Shape::Json).0,
        fixture("llama-bench-38.json")
    );
}

#[test]
fn csv_of_every_version_comes_out_as_it_went_in() {
    for name in ["llama-bench-38.csv", "llama-bench-35.csv"] {
        let text = fixture(name);
        let (out, _) = written(&csv(&text), Shape::Csv);
        assert_eq!(table(&out), table(&text), "{name}");
        assert_eq!(out, text, "{name}");
    }
    let unknown = "new_one,n_gen,n_prompt,avg_ns,model_type,other\n\"-7\",\"0\",\"8\",\"5\",\"m\",\"a \"\"b\"\"\"\n";
    let sorted = |text: &str| {
        let mut lines = table(text);
        lines.iter_mut().for_each(|line| line.sort());
        lines
    };
    assert_eq!(sorted(&written(&csv(unknown), Shape::Csv).0), sorted(unknown));
}

#[test]
fn csv_becomes_json_with_jsons_types() {
    let (out, _) = written(&csv(&fixture("llama-bench-38.csv")), Shape::Json);
    let mut expected = objects(&fixture("llama-bench-38.json"));
    for object in &mut expected {
        for samples in ["samples_ns", "samples_ts"] {
            object[samples] = Value::Array(Vec::new());
        }
    }
    assert_eq!(objects(&out), expected);
}

#[test]
fn records_say_what_llama_bench_says_and_no_more() {
    let records = json(&fixture("llama-bench-38.json"));
    let tests: Vec<String> = records.iter().map(|record| record.cell.test.to_string()).collect();
    assert_eq!(tests, ["pp512", "tg128@d2048", "llama-bench:pp512+tg128", "tg128"]);
    let first = &records[0];
    assert_eq!(first.samples.len(), 5);
    assert_eq!((first.samples[0].nanoseconds, first.samples[0].tokens), (782_874_617, 512));
    assert_eq!((first.tool.name.as_str(), first.tool.version.as_str()), ("llama-bench", "7100"));
    assert_eq!(first.tool.commit.value().unwrap(), "050fc7f");
    assert_eq!(first.cell.device, "llama-bench:CPU");
    assert_eq!(first.cell.model.name, "qwen2-0.5b-q4_0.gguf");
    assert_eq!(first.cell.model.sha256.reason().unwrap(), "llama-bench does not give a hash");
    assert_eq!(first.environment.text("cpu.model").unwrap(), "AMD EPYC 9575F 64-Core Processor");
    assert_eq!(first.started, "2025-11-20T12:00:00Z");
    assert_eq!(first.outcome, Outcome::Ok);
    let VerificationStatus::Skipped { reason } = &first.verification.status else { panic!() };
    assert_eq!(reason, "imported from llama-bench: answers not checked here");
    assert!(first.device.value().is_none() && first.facts.value().is_none());
    assert!(records.iter().all(|record| record.run == first.run));
    assert!(first.run.id.starts_with("20251120120000000-"), "{}", first.run.id);
}

#[test]
fn imported_results_stand_in_tables_unverified_and_unranked() {
    let comparison = Comparison::of(&json(&fixture("llama-bench-38.json")));
    assert_eq!(comparison.rows.len(), 4);
    assert!(comparison.rankings.is_empty());
    for row in &comparison.rows {
        assert!(row.not_ranked.as_ref().unwrap().contains("imported from llama-bench"));
    }
    let of = |test: &str| comparison.rows.iter().find(|r| r.cell.test.to_string() == test).unwrap();
    let speed = of("pp512").estimate(Metric::TokensPerSecond).unwrap().median;
    assert!((speed - 512e9 / 782_874_617.0).abs() < 1e-9, "{speed}");
    // Prefill and decode blended: a time under its own name, no speed.
    let blended = of("llama-bench:pp512+tg128");
    assert!(!blended.metrics.contains_key(&Metric::TokensPerSecond));
    assert_eq!(blended.estimate(Metric::TimeNs).unwrap().median, 2_937_000_119.0);
    assert_eq!(of("tg128").settings["kv"], "q8_0");
    assert!(of("tg128").settings["imported"].contains("flash_attn 1"));
    assert_eq!(of("tg128").settings["repack"], "unknown");
}

#[test]
fn csv_has_a_mean_and_no_samples_and_neither_is_made_up() {
    let records = csv(&fixture("llama-bench-38.csv"));
    assert!(records.iter().all(|record| record.samples.is_empty()));
    assert_eq!(records[0].reading("avg_ns").unwrap().value.value(), Some(&787_097_676.0));
    let comparison = Comparison::of(&records);
    let speeds = comparison.rows.iter().filter_map(|r| r.metrics.get(&Metric::TokensPerSecond));
    let reasons: Vec<&str> = speeds.map(|speed| speed.reason().unwrap()).collect();
    assert_eq!(reasons.len(), 3);
    for reason in reasons {
        assert!(reason.contains("no raw samples: mean"), "{reason}");
        assert!(reason.contains("± ") && reason.contains("imported from llama-bench"), "{reason}");
    }
}

#[test]
fn results_of_different_settings_are_different_rows_and_repeats_are_launches() {
    let text = fixture("llama-bench-38.json");
    let again = text.replace("2025-11-20T12:00:00Z", "2025-11-21T12:00:00Z");
    let gpu = text.replace("\"n_gpu_layers\": 99", "\"n_gpu_layers\": 0");
    let one = |text: &str| objects(text)[0].to_string();
    let lines = [one(&text), one(&again), one(&gpu), one(&text)].join("\n");
    let records = json(&lines);
    let launches: Vec<u32> = records.iter().map(|record| record.launch).collect();
    assert_eq!(launches, [0, 1, 0], "the very same result counts once");
    let rows = Comparison::of(&records).rows;
    assert_eq!(rows.iter().map(|row| row.launches).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn ours_come_out_in_llama_benchs_fields() {
    let records = [
        cell("cpu:avx2", "smollm-135m:Q4_0", "pp512").speed(1000.0, 4).done(),
        cell("cpu:avx2", "smollm-135m:Q4_0", "tg128@d64").speed(100.0, 1).done(),
        cell("cpu:avx2", "smollm-135m:Q4_0", "ttft").time(8.0, 3).done(),
        cell("cpu:avx2", "smollm-135m:Q4_0", "tg8").skipped("no room", None).done(),
    ];
    let (out, done) = written(&records, Shape::Json);
    let objects = objects(&out);
    assert_eq!((done.written, done.unverified, objects.len()), (2, 0, 2));
    assert_eq!(done.left_out.values().sum::<usize>(), 2);
    assert!(done.left_out.contains_key("skipped"), "{:?}", done.left_out);
    assert!(done.neutral.contains("poll") && !done.neutral.contains("n_threads"));
    // The columns of the fixture, in its order.
    let keys = |text: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix('"'));
        lines.take(40).map(|line| line.split('"').next().unwrap().to_owned()).collect()
    };
    assert_eq!(keys(&out), keys(&fixture("llama-bench-38.json")));
    let kinds = |object: &Value| -> Vec<(String, String)> {
        let kind = |value: &Value| match value {
            Value::Number(n) if n.is_f64() => "float",
            Value::Number(_) => "int",
            Value::Bool(_) => "bool",
            Value::Array(_) => "array",
            _ => "text",
        };
        object.as_object().unwrap().iter().map(|(k, v)| (k.clone(), kind(v).to_owned())).collect()
    };
    assert_eq!(kinds(&objects[0]), kinds(&self::objects(&fixture("llama-bench-38.json"))[0]));
    let first = &objects[0];
    assert_eq!(first["backends"], "yardstick:cpu");
    assert_eq!(first["devices"], "cpu:avx2");
    assert_eq!((first["n_prompt"].as_u64(), first["n_gen"].as_u64()), (Some(512), Some(0)));
    assert_eq!(objects[1]["n_depth"], 64);
    assert_eq!(first["test_time"], "2026-11-20T12:00:05Z");
    assert_eq!(objects[1]["stddev_ns"], 0);
    let ns: Vec<f64> =
        first["samples_ns"].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
    let mean = ns.iter().sum::<f64>() / 4.0;
    let deviation = (ns.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
    assert!((first["avg_ns"].as_f64().unwrap() - mean).abs() < 1.0);
    assert!((first["stddev_ns"].as_f64().unwrap() - deviation).abs() < 1.0);
    // What they say is read back.
    let back = json(&out);
    assert_eq!(back[0].cell.test, Test::Prefill { tokens: 512, depth: 0 });
    let times = |record: &Record| -> Vec<u64> {
        record.samples.iter().map(|sample| sample.nanoseconds).collect()
    };
    assert_eq!(times(&back[0]), times(&records[0]));
    assert_eq!(back[0].cell.options.threads, Some(2));
    let (table_text, _) = written(&records, Shape::Csv);
    assert_eq!(table(&table_text)[0].len(), 38);
}

#[test]
fn batched_decode_has_no_field_and_is_left_out() {
    let batched = launches(1, |_| {
        cell("cpu:avx2", "m", "tg8").speed(100.0, 2).with(|record| {
            record.cell.options.sequences = 4;
            record.samples.iter_mut().for_each(|sample| sample.tokens = 32);
        })
    });
    let (out, done) = written(&batched, Shape::Jsonl);
    assert!(out.is_empty() && done.left_out.contains_key("llama-bench has no batched decode"));
}

#[test]
fn broken_files_are_refused_with_place_field_found_and_expected() {
    let good = objects(&fixture("llama-bench-38.json"))[0].to_string();
    let with = |field: &str, value: &str| {
        let mut object: Value = serde_json::from_str(&good).unwrap();
        object[field] = serde_json::from_str(value).unwrap();
        format!("{good}\n{object}")
    };
    let without = |fields: &[&str]| {
        let mut object: Value = serde_json::from_str(&good).unwrap();
        fields.iter().for_each(|field| drop(object.as_object_mut().unwrap().remove(*field)));
        format!("{good}\n{object}")
    };
    let results = ["samples_ns", "samples_ts", "avg_ns", "avg_ts", "stddev_ns", "stddev_ts"];
    let cases = [
        (with("n_prompt", "\"512\""), "n_prompt: found \"512\", expected a whole number"),
        (with("n_prompt", "-1"), "n_prompt: found -1"),
        (with("n_prompt", "0"), "n_gen: found 0, expected more than 0"),
        (with("n_gen", "1e308"), "n_gen: found 1e+308"),
        (with("n_depth", "99999999999"), "n_depth: found 99999999999"),
        (with("n_threads", "true"), "n_threads: found true"),
        (with("test_time", "\"yesterday\""), "test_time: found \"yesterday\""),
        (with("samples_ns", "[5, -3]"), "samples_ns[1]: found -3"),
        (with("samples_ns", "[0]"), "samples_ns[0]: found 0"),
        (with("samples_ns", "[1e308]"), "samples_ns[0]: found 1e+308"),
        (with("samples_ns", "{}"), "samples_ns: found {}, expected an array"),
        (with("cpu_info", "7"), "cpu_info: found 7, expected text"),
        (without(&["n_gen"]), "n_gen: found nothing"),
        (without(&results), "avg_ns: found nothing, expected a result"),
        (without(&["model_filename", "model_type"]), "model_filename: found nothing"),
        (format!("{good}\n{{\"n_prompt\":"), "not a JSON object"),
    ];
    for (text, words) in cases {
        let read: Vec<_> = read_json(text.as_bytes()).collect();
        assert!(read.len() == 2 && read[0].is_ok(), "{text}");
        let error = read[1].as_ref().unwrap_err().to_string();
        assert!(error.starts_with("record 2 (line 2): "), "{error}");
        assert!(error.contains(words), "{words}: {error}");
    }
    let long = format!("\"{}\"", "é".repeat(10_000));
    let error = read_json(with("n_gen", &long).as_bytes()).last().unwrap().unwrap_err();
    assert!(error.to_string().len() < 500, "{error}");
}

#[test]
fn broken_tables_are_refused_with_their_line() {
    let good = fixture("llama-bench-38.csv");
    let swap = |from: &str, to: &str| good.replacen(from, to, 1);
    let invalid = {
        let mut bytes = good.clone().into_bytes();
        let at = good.find("AMD EPYC").unwrap();
        bytes[at] = 0xff;
        bytes
    };
    let cases: [(Vec<u8>, &str); 9] = [
        (swap("\"050fc7f\",", "").into(), "record 1 (line 2): found 37 fields, expected 38"),
        (format!("{good}\"a\",\"b\"\n").into(), "record 5 (line 6): found 2 fields, expected 38"),
        (swap("\"787097676\"", "\"NaN\"").into(), "record 1 (line 2): field avg_ns: found \"NaN\""),
        (swap("\"787097676\"", "\"-5\"").into(), "avg_ns: found \"-5\", expected a finite number"),
        (swap("\"787097676\"", "\"1e999\"").into(), "avg_ns: found \"1e999\""),
        (swap("cpu_info", "gpu_info").into(), "line 1: field gpu_info: found it twice"),
        (swap("n_gen,", "n_jen,").into(), "line 1: field n_gen: found no such column"),
        (invalid, "record 1 (line 2): not UTF-8"),
        (Vec::new(), "found nothing, expected a header"),
    ];
    for (bytes, words) in cases {
        let error = read_csv(bytes.as_slice()).find_map(Result::err).unwrap().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
    let endless = std::io::Read::chain(
        std::io::Cursor::new(format!("{good}\"")),
        std::io::Read::take(std::io::repeat(b'x'), 200 << 20),
    );
    let error = read_csv(std::io::BufReader::new(endless)).find_map(Result::err).unwrap();
    assert!(error.to_string().contains("longer than 64 MiB"), "{error}");
}

#[test]
fn hostile_text_does_not_come_out_raw() {
    let hostile = "=cmd|' /C calc'!A0\u{1b}[31m\u{202e}";
    let mut object = objects(&fixture("llama-bench-38.json"))[0].clone();
    for field in ["cpu_info", "model_filename", "model_type", "backends", "a\u{1b}b\",c"] {
        object[field] = Value::from(hostile);
    }
    let records = json(&object.to_string());
    for shape in [Shape::Json, Shape::Jsonl, Shape::Csv] {
        let (out, _) = written(&records, shape);
        assert!(!out.contains('\u{1b}') && !out.contains('\u{202e}'), "{out}");
    }
    let (text, _) = written(&records, Shape::Csv);
    let cells: Vec<String> = table(&text)[0].iter().map(|(_, value)| value.clone()).collect();
    assert!(cells.iter().all(|cell| !cell.starts_with('=')), "{cells:?}");
    assert_eq!(objects(&written(&records, Shape::Json).0), [object], "JSON loses nothing");
}
