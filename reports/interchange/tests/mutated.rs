//! Files with bytes flipped, cut, doubled and swapped: read or refused, never a panic, and what is read is a record.
#![allow(missing_docs, clippy::unwrap_used)]

use yardstick_interchange::criterion::{self, Files};
use yardstick_interchange::llama_bench::{Shape, read_csv, read_json, write};
use yardstick_interchange::{bmf, detect, optimum_benchmark, prometheus};
use yardstick_record::Record;

const FILES: [&str; 7] = [
    "llama-bench-38.json",
    "llama-bench-35.json",
    "llama-bench-fork.jsonl",
    "llama-bench-38.csv",
    "llama-bench-35.csv",
    "benchmark.json",
    "benchmark_report.json",
];
/// Mutations of each file.
const ROUNDS: u64 = 400;

/// A small generator: the same mutations on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most.max(1)
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    const TOKENS: [&str; 12] = [
        "1e308",
        "-1",
        "NaN",
        "null",
        "\"",
        "{",
        "]",
        ",",
        "\u{0}",
        "18446744073709551616",
        "[]",
        "0",
    ];
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        let end = (at + random.below(40)).min(bytes.len());
        match random.below(5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let token = TOKENS[random.below(TOKENS.len())];
                bytes.splice(at..end.min(at + 8), token.bytes());
            }
        }
    }
}

fn read(bytes: &[u8]) -> Vec<Record> {
    let _ = detect(bytes);
    let mut records: Vec<Record> = read_json(bytes).filter_map(Result::ok).collect();
    records.extend(read_csv(bytes).filter_map(Result::ok));
    if let Ok(text) = std::str::from_utf8(bytes) {
        records.extend(optimum_benchmark::read(text, None).unwrap_or_default());
        let text = Some(text.to_owned());
        let files = Files {
            folder: "f".into(),
            benchmark: text.clone(),
            sample: text.clone(),
            estimates: text,
        };
        records.extend(criterion::read(&[files]).unwrap_or_default());
    }
    records
}

#[test]
fn mutated_files_are_read_or_refused() {
    let mut random = Random(7);
    let mut read_somehow = 0;
    for name in FILES {
        let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
        let whole = std::fs::read(path).unwrap();
        for _ in 0..ROUNDS {
            let mut bytes = whole.clone();
            mutate(&mut bytes, &mut random);
            let records = read(&bytes);
            read_somehow += records.len();
            for record in &records {
                assert_eq!(&Record::from_json(&record.to_json()).unwrap(), record);
            }
            for shape in [Shape::Json, Shape::Jsonl, Shape::Csv] {
                write(&records, shape, &mut std::io::sink()).unwrap();
            }
            let comparison = yardstick_analyse::Comparison::of(&records);
            assert!(comparison.rankings.is_empty());
            let (bmf, prometheus) = (bmf(&comparison), prometheus(&comparison, &|_| None));
            assert!(!bmf.contains(": null") && !prometheus.contains("} NaN"), "{bmf}{prometheus}");
        }
    }
    assert!(read_somehow > 1000, "mutations left only {read_somehow} records");
}
