//! The tables of workloads: what stands in them at 80 and at 200 columns, in markdown and on the page.

#[path = "../../analyse/tests/build/mod.rs"]
mod build;

use yardstick_analyse::Comparison;
use yardstick_api::Known;
use yardstick_record::{Chat, ChatTurn, Checked, Cold, Record, Robust, Sample, Start, Workload};
use yardstick_render::{Meta, html, markdown, terminal};

fn sample(first_ms: u64) -> Sample {
    let emits_ns: Vec<u64> = (0..4).map(|at| (first_ms + 8 * at) * 1_000_000).collect();
    Sample {
        started_ns: 0,
        nanoseconds: emits_ns[3],
        tokens: 4,
        cpu_ns: None,
        emits_ns,
        marks: Vec::new(),
    }
}

fn chat() -> Record {
    let turn = |turn, reused, held| ChatTurn {
        conversation: "a".to_owned(),
        turn,
        reused,
        held,
        prompt: 12,
        same: (!reused).then_some(4),
    };
    let turns = vec![turn(1, true, 0), turn(2, true, 30), turn(1, false, 0), turn(2, false, 0)];
    let workload = Workload::Chat(Chat { tokens: "the model's own tokenizer".into(), turns });
    build::cell("cpu:avx2", "smollm-135m:Q4_0", "chat")
        .with(|record| {
            record.samples = [20, 10, 21, 80].map(sample).to_vec();
            record.workload = Some(Box::new(workload));
        })
        .done()
}

fn robust() -> Record {
    let check = |name: &str, found: &str, passed| Checked {
        name: name.to_owned(),
        expected: "it is refused, and the session goes on".to_owned(),
        found: found.to_owned(),
        passed,
    };
    let checks = vec![
        check("empty", "refused: no tokens", Some(true)),
        check("largest token id", "<img src=x onerror=alert(1)>\u{1b}[31m", Some(false)),
    ];
    build::cell("cpu:avx2", "smollm-135m:Q4_0", "robust")
        .with(|record| record.workload = Some(Box::new(Workload::Robust(Robust { checks }))))
        .done()
}

/// Starts of which one found its file cached.
fn cold() -> Record {
    let start = |cached| Start {
        hello_ns: 10_000_000,
        load_ns: 50_000_000,
        first_ns: 40_000_000,
        cached_percent: Known::Value(cached),
    };
    let workload = Workload::Cold(Cold { starts: vec![start(0.0), start(80.0)] });
    build::cell("cpu:avx2", "smollm-135m:Q4_0", "cold")
        .with(|record| {
            record.samples = [70, 76].map(sample).to_vec();
            record.workload = Some(Box::new(workload));
        })
        .done()
}

/// The same model with 1, 2 and 4 sequences.
fn batches() -> Vec<Record> {
    let one = |(sequences, speed): (usize, f64)| {
        build::cell("cpu:avx2", "smollm-135m:Q4_0", "tg16")
            .with(|record| record.cell.options.sequences = sequences)
            .speed(speed, 6)
            .done()
    };
    [(1, 100.0), (2, 160.0), (4, 240.0)].map(one).to_vec()
}

#[test]
fn each_workload_has_its_table_at_every_width() {
    let records: Vec<Record> = [chat(), robust(), cold()].into_iter().chain(batches()).collect();
    let comparison = Comparison::of(&records);
    for width in [80, 200] {
        let text = terminal(&comparison, width, false);
        assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for words in [
            "Conversations: smollm-135m:Q4_0 on cpu:avx2",
            "Keeping keys and values saves 87.5 % of the time to the first token after the first turn.",
            "Answers alike both ways: 2 of 2.",
            "Hard inputs: smollm-135m:Q4_0 on cpu:avx2",
            "largest token id FAILED",
            "Of 1 of the 2 inputs that could be tried came what should.",
            "Several sequences at once",
            "did not start cold: the page cache kept its files",
            "2.40 ×",
        ] {
            assert!(flat.contains(words), "no {words:?} at {width}:\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "what came is harmless");
    }
    let marked = markdown(&comparison);
    assert!(marked.contains("Conversations") && marked.contains("87.5 %"), "{marked}");
    let meta = Meta {
        title: "suites/quick.toml".into(),
        generated: "2026-11-20T12:10:00Z".into(),
        tool: "yardstick 0.1.0".into(),
    };
    let page = html(&comparison, &records, &meta);
    assert!(page.contains("Several sequences at once") && !page.contains("<img src=x"));
}
