//! Snapshots of every text format, and what must hold for each.

#[path = "../../analyse/tests/build/mod.rs"]
mod build;
mod fixture;

use yardstick_analyse::{Comparison, View};
use yardstick_render::{csv, csv_tradeoffs, json, markdown, terminal};

fn comparison() -> Comparison {
    Comparison::of(&fixture::run())
}

fn duel() -> Comparison {
    View { noise: fixture::noise(), ..View::default() }.compare(&fixture::duel())
}

/// Two devices that are absent for one reason, each over two models and two tests, and one cell left out for another.
fn mostly_absent() -> Vec<yardstick_record::Record> {
    let mut records = vec![build::cell("cpu:avx2", "tiny:Q4_0", "tg4").speed(50.0, 6).done()];
    for device in ["cuda:0", "cuda:1"] {
        for model in ["tiny:Q4_0", "tiny:Q8_0"] {
            records.extend(["pp4", "tg4"].map(|test| {
                let fix = Some("install NVIDIA's driver");
                build::cell(device, model, test).skipped("libcuda.so.1 was not found", fix).done()
            }));
        }
    }
    records.push(build::cell("wgpu:0", "tiny:Q4_0", "tg4").skipped("no driver", None).done());
    records
}

#[test]
fn skipped_cells_of_one_reason_are_a_line() {
    let records = mostly_absent();
    let comparison = Comparison::of(&records);
    let line = "8 cells of cuda:0, cuda:1 (tiny:Q4_0, tiny:Q8_0; pp4, tg4) skipped: libcuda.so.1 was not found; fix: install NVIDIA's driver";
    let (wide, marked) = (terminal(&comparison, 200, false), markdown(&comparison));
    assert_eq!(wide.matches(line).count(), 1, "{wide}");
    assert_eq!(wide.matches("cuda:").count(), 2, "the rows stand nowhere else: {wide}");
    assert!(wide.contains("skipped: no driver"), "a reason of one cell stays a row: {wide}");
    assert_eq!(marked.matches("8 cells of cuda:0, cuda:1").count(), 1, "{marked}");
    let narrow = terminal(&comparison, 80, false);
    assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
    // Machines get every cell.
    assert_eq!(csv(&comparison).lines().count(), 1 + records.len());
    let rows: serde_json::Value = serde_json::from_str(&json(&comparison)).unwrap();
    assert_eq!(rows["rows"].as_array().map(Vec::len), Some(records.len()));
}

#[test]
fn where_all_is_skipped_the_reasons_are_all_there_is() {
    let text = terminal(&Comparison::of(&mostly_absent()[1..9]), 80, false);
    assert!(text.starts_with("8 cells of cuda:0, cuda:1"), "{text}");
    assert!(text.contains("fix: install NVIDIA's driver"), "{text}");
}

#[test]
fn tasks_within_questions_have_a_line_each() {
    let answers = [("sums", true), ("sums", false), ("<names>", true)];
    let answers = answers.map(|(task, right)| yardstick_record::Answered {
        id: "1".into(),
        task: Some(task.into()),
        right: Some(right),
        right_unnormalised: None,
        answer: "4".into(),
        tokens: None,
        ended: None,
        confidence: None,
    });
    let scores = [(yardstick_record::Metric::Accuracy, 66.7, 27.2)];
    let record = build::quality::scored("cpu:a", "m:Q4_0", "choice", &scores).with(|record| {
        if let Some(quality) = &mut record.quality {
            quality.answers = answers.to_vec();
        }
    });
    let comparison = Comparison::of(&[record.done()]);
    let text = terminal(&comparison, 100, false);
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("Tasks")).collect();
    insta::assert_snapshot!(lines.join("\n"));
    assert!(markdown(&comparison).contains("| &lt;names&gt; | 1 of 1 |"));
}

#[test]
fn ratios_at_80_columns() {
    let text = terminal(&duel(), 80, false);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn ratios_at_200_columns() {
    let text = terminal(&duel(), 200, false);
    assert!(text.lines().all(|line| line.chars().count() <= 200), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn ratios_in_markdown() {
    insta::assert_snapshot!(markdown(&duel()));
}

#[test]
fn ratios_in_json() {
    let value: serde_json::Value = serde_json::from_str(&json(&duel())).unwrap();
    let ratios: Vec<_> = value["rows"].as_array().unwrap().iter().map(|r| &r["ratio"]).collect();
    insta::assert_json_snapshot!((ratios, &value["noise"]));
}

#[test]
fn ratios_in_csv() {
    let text = csv(&duel());
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let heads: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let at = |name: &str| heads.iter().position(|head| head == name).expect("the column is there");
    let lines: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let shown = |line: &csv::StringRecord, names: &[&str]| {
        names.iter().map(|name| line[at(name)].to_owned()).collect::<Vec<_>>()
    };
    let names = ["device", "test", "ratio_n", "ratio_paired", "ratio_against", "ratio_shows"];
    let held: Vec<_> = lines.iter().map(|line| shown(line, &names).join(" | ")).collect();
    insta::assert_snapshot!(held.join("\n"));
    for line in lines.iter().filter(|line| !line[at("ratio_low")].is_empty()) {
        let [low, ratio, high] =
            ["ratio_low", "ratio", "ratio_high"].map(|name| line[at(name)].parse::<f64>().unwrap());
        assert!(low <= ratio && ratio <= high);
    }
}

#[test]
fn nothing_imported_or_unverified_is_ranked_or_held_against_a_baseline() {
    let comparison = duel();
    for row in &comparison.rows {
        let foreign = ["llama-bench:CPU", "external:openai"].contains(&row.cell.device.as_str());
        assert_eq!(row.not_ranked.is_some(), foreign, "{}", row.cell.device);
        assert!(!foreign || row.ratio.is_none());
    }
    for text in [terminal(&comparison, 200, false), markdown(&comparison)] {
        assert!(text.contains("imported from llama-bench, not verified here"), "{text}");
        assert!(text.contains("unverified: the endpoint gives no logits"), "{text}");
    }
}

#[test]
fn a_noise_floor_that_was_not_measured_says_how_to() {
    let text = terminal(&Comparison::of(&fixture::duel()), 120, false);
    assert!(text.contains("noise floor not measured: yardstick run --noise"), "{text}");
    let elsewhere: Vec<_> = fixture::noise()
        .into_iter()
        .map(|mut record| {
            record.environment.set("cpu.model", "another");
            record.seal()
        })
        .collect();
    let view = View { noise: elsewhere, ..View::default() };
    let text = terminal(&view.compare(&fixture::duel()), 120, false);
    assert!(text.contains("noise floor not of this machine: measured on another"), "{text}");
}

#[test]
fn terminal_at_80_columns() {
    let text = terminal(&comparison(), 80, false);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn terminal_at_200_columns() {
    let text = terminal(&comparison(), 200, false);
    assert!(text.lines().all(|line| line.chars().count() <= 200), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn rows_that_differ_only_in_threads_can_be_told_apart_where_room_is_short() {
    let threads = |n: usize| {
        build::cell("cpu:avx512-vnni", "llama-3.2-1b:Q4_0", "tg128")
            .speed(10.0 * n as f64, 8)
            .with(|r| {
                r.cell.options.threads = Some(n);
                if let yardstick_api::Known::Value(facts) = &mut r.facts {
                    facts.threads = yardstick_api::Known::Value(n);
                }
            })
            .done()
    };
    let text = terminal(&Comparison::of(&[threads(1), threads(2)]), 80, false);
    assert!(text.lines().next().unwrap().contains("threads"), "{text}");
}

#[test]
fn colours_appear_only_on_request() {
    let (plain, colour) = (terminal(&comparison(), 120, false), terminal(&comparison(), 120, true));
    assert!(!plain.contains('\x1b'));
    assert!(colour.contains("\x1b[32mpassed\x1b[0m") && colour.contains("\x1b[31mFAILED\x1b[0m"));
    let mut stripped = colour;
    for code in ["\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[0m"] {
        stripped = stripped.replace(code, "");
    }
    assert_eq!(stripped, plain);
}

#[test]
fn markdown_table() {
    insta::assert_snapshot!(markdown(&comparison()));
}

#[test]
fn csv_lines() {
    insta::assert_snapshot!(csv(&comparison()));
}

#[test]
fn json_rows() {
    let value: serde_json::Value = serde_json::from_str(&json(&comparison())).unwrap();
    assert_eq!(value["rows"].as_array().unwrap().len(), comparison().rows.len());
    let picked: Vec<&serde_json::Value> = [0, 2, 7].iter().map(|&i| &value["rows"][i]).collect();
    insta::assert_json_snapshot!((picked, &value["rankings"], &value["varying"]));
}

fn tradeoff() -> Comparison {
    Comparison::of(&fixture::tradeoff())
}

/// What stands below the table of cells.
fn blocks(text: &str) -> &str {
    &text[text.find("rustdoc-6m on cpu").expect("the trade-off is there")..]
}

#[test]
fn tradeoffs_at_80_columns() {
    let text = terminal(&tradeoff(), 80, false);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(blocks(&text));
}

#[test]
fn tradeoffs_at_200_columns() {
    let text = terminal(&tradeoff(), 200, false);
    assert!(text.lines().all(|line| line.chars().count() <= 200), "{text}");
    insta::assert_snapshot!(blocks(&text));
}

#[test]
fn tradeoffs_in_markdown() {
    insta::assert_snapshot!(blocks(&markdown(&tradeoff())));
}

#[test]
fn tradeoffs_in_json() {
    let value: serde_json::Value = serde_json::from_str(&json(&tradeoff())).unwrap();
    let first = &value["tradeoffs"][0];
    insta::assert_json_snapshot!((&first["candidates"][3], &first["fronts"], &first["no_fronts"]));
}

#[test]
fn tradeoffs_in_csv_have_a_line_a_value_and_its_records() {
    let text = csv_tradeoffs(&tradeoff());
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let heads: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let at = |name: &str| heads.iter().position(|head| head == name).expect("the column is there");
    let lines: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    for line in &lines {
        let [value, missing, records] = ["value", "missing", "records"].map(|name| &line[at(name)]);
        assert_eq!(value.is_empty(), records.is_empty(), "{line:?}");
        assert!(!value.is_empty() || !missing.is_empty(), "{line:?}");
    }
    let shown = ["name", "value", "low", "high", "missing", "change", "change_shows", "standing"];
    let line = |line: &csv::StringRecord| shown.map(|name| line[at(name)].to_owned()).join(" | ");
    let lines = lines.iter().filter(|line| ["Q6_K", "Q4_0"].contains(&&line[at("format")]));
    insta::assert_snapshot!(lines.map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn no_records_is_said() {
    let none = Comparison::of(&[]);
    assert_eq!(terminal(&none, 80, true), "no records\n");
    assert_eq!(markdown(&none), "No records.\n");
    assert_eq!(csv(&none).lines().count(), 1);
    assert!(json(&none).contains("\"rows\": []"));
}

#[test]
fn a_placement_is_a_column_of_its_own_and_a_partial_one_has_its_shares_in_a_footnote() {
    let row = |device: &str, told: Option<&str>| {
        build::cell(device, "llama-3.2-1b:Q4_0", "tg128").speed(10.0, 8).with(|record| {
            if let (yardstick_api::Known::Value(facts), Some(told)) = (&mut record.facts, told) {
                let told = yardstick_api::Known::Value(told.to_owned());
                facts.notes.insert(yardstick_api::Facts::PLACEMENT.to_owned(), told);
            }
        })
    };
    let partial = "partial 98 % of nodes, 71.5 % of time on ort:b, the rest on ort:cpu";
    let told = [("ort:a", Some("placed 100 %: 7 nodes on A")), ("ort:b", Some(partial))];
    let told = told.into_iter().chain([("cpu:scalar", None)]);
    let records: Vec<_> = told.map(|(device, told)| row(device, told).done()).collect();
    let text = terminal(&Comparison::of(&records), 120, false);
    let line = |device: &str| text.lines().find(|line| line.contains(device)).unwrap();
    assert!(line("ort:a").contains("100 %"), "{text}");
    assert!(line("ort:b").contains("partial"), "{text}");
    assert!(text.contains(partial), "{text}");
    let alone = terminal(&Comparison::of(&records[2..]), 120, false);
    assert!(!alone.contains("placed"), "{alone}");
}
