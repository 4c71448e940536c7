//! Other tools' results through the command line: in whole or not at all, unverified, and out again.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{Place, SHORT};
use yardstick_record::Record;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../reports/interchange/tests/fixtures")
        .join(name)
}

fn import(place: &Place, arguments: &[&str]) -> (i32, String, String) {
    place.run(&[&["import"], arguments].concat())
}

fn stored(place: &Place) -> Vec<Record> {
    let lines = place.run(&["export"]).1;
    lines.lines().map(|line| Record::from_json(line).unwrap()).collect()
}

#[test]
fn llama_bench_goes_in_and_comes_out_and_twice_is_once() {
    let place = Place::new();
    let file = fixture("llama-bench-38.json");
    let file = file.to_str().unwrap();
    let (code, out, err) = import(&place, &[file]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("4 records of llama-bench stored, 0 there already; unverified"), "{out}");
    let (_, out, _) = import(&place, &[file, "--format", "llama-bench"]);
    assert!(out.contains("0 records of llama-bench stored, 4 there already"), "{out}");
    let (code, out, err) = place.run(&["export", "--format", "llama-bench"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, fs::read_to_string(file).unwrap());
    let (_, table, _) = place.run(&["report", "--all", "-f", "csv"]);
    assert_eq!(table.lines().count(), 5, "{table}");
    assert!(
        table.contains("llama-bench:pp512+tg128")
            && table.contains("imported from llama-bench, not verified here")
    );
    assert!(place.run(&["report", "--list"]).1.contains("invalid  imported"));
    // It is no cell of ours: nothing here can run it again.
    let id = stored(&place)[0].id.clone();
    let (code, _, err) = place.run(&["rerun", &id]);
    assert!(code == 2 && err.contains("imported from llama-bench"), "{err}");
}

#[test]
fn every_format_is_told_by_its_content() {
    // The last report has its configuration beside it, which makes it the same as both in one.
    let cases = [
        ("llama-bench-35.json", "2 records of llama-bench"),
        ("llama-bench-fork.jsonl", "2 records of llama-bench"),
        ("llama-bench-38.csv", "4 records of llama-bench"),
        ("benchmark.json", "4 records of optimum-benchmark"),
        ("benchmark_report.json", "0 records of optimum-benchmark stored, 4 there already"),
    ];
    let place = Place::new();
    for (name, words) in cases {
        let (code, out, err) = import(&place, &[fixture(name).to_str().unwrap()]);
        assert!(code == 0 && out.contains(words), "{name}: {out}{err}");
    }
    let own = place.path("own.jsonl");
    let own = own.to_str().unwrap();
    assert_eq!(place.run(&["export", "-o", own]).0, 0);
    let (_, out, _) = import(&Place::new(), &[own]);
    assert!(out.contains("12 records stored, 0 there already, 0 refused"), "{out}");
    let piped =
        place.yardstick().args(["import", "-"]).write_stdin(fs::read(own).unwrap()).output();
    assert!(String::from_utf8(piped.unwrap().stdout).unwrap().contains("12 there already"));
}

#[test]
fn nothing_of_a_broken_file_is_stored_and_the_others_are() {
    let place = Place::new();
    let whole = fs::read(fixture("llama-bench-38.json")).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: [(&str, Vec<u8>, &[&str]); 7] = [
        ("cut.json", whole[..whole.len() - 40].to_vec(), &["record 4", "EOF"]),
        (
            "type.json",
            text.replace("\"n_gen\": 128", "\"n_gen\": \"x\"").into(),
            &["record 2", "n_gen"],
        ),
        ("utf16.json", utf16, &["expected"]),
        ("latin.json", text.replace("AMD", "\u{fffd}").into_bytes(), &[]),
        ("other.json", b"{\"hello\": 1}".to_vec(), &["keys hello", "llama-bench's JSON"]),
        ("text.txt", b"\x1b]0;x\x07 hello\n".to_vec(), &["hello", "expected"]),
        ("void.json", b"[]".to_vec(), &["expected"]),
    ];
    for (name, bytes, words) in cases {
        let bytes = match name {
            "latin.json" => {
                let at = whole.windows(3).position(|w| w == b"AMD").unwrap();
                let mut bytes = whole.clone();
                bytes[at] = 0xe4;
                bytes
            }
            _ => bytes,
        };
        let path = place.path(name);
        fs::write(&path, bytes).unwrap();
        let (code, out, err) = import(&place, &[path.to_str().unwrap()]);
        assert_eq!(code, 1, "{name}: {out}{err}");
        assert!(err.contains(name) && err.contains("nothing of this file was stored"), "{err}");
        assert!(!err.contains('\u{1b}') && !err.contains("panicked"), "{err}");
        for word in words {
            assert!(err.contains(word), "{name}: no {word:?} in {err}");
        }
    }
    assert!(stored(&place).is_empty());
    let (cut, good) = (place.path("cut.json"), fixture("llama-bench-35.json"));
    let (code, out, err) = import(&place, &[cut.to_str().unwrap(), good.to_str().unwrap()]);
    assert!(code == 1 && out.contains("2 records of llama-bench stored"), "{out}{err}");
}

#[test]
fn a_wrong_format_that_was_named_is_said() {
    let place = Place::new();
    let cases = [
        ("llama-bench-38.csv", "llama-bench", "not a JSON object"),
        ("llama-bench-38.json", "llama-bench-csv", "n_prompt"),
        ("llama-bench-38.json", "optimum-benchmark", "not a JSON object"),
        ("llama-bench-38.json", "criterion", "target/criterion"),
        ("benchmark.json", "llama-bench", "n_prompt: found nothing"),
    ];
    for (name, format, words) in cases {
        let (code, _, err) = import(&place, &[fixture(name).to_str().unwrap(), "--format", format]);
        assert!(code == 1 && err.contains(words), "{name} as {format}: {err}");
    }
    let (code, _, err) = import(&place, &["no-such-file.json"]);
    assert!(code == 2 && err.contains("no-such-file.json"), "{err}");
}

#[test]
fn a_folder_of_criterion_is_imported_whole() {
    let place = Place::new();
    let root = place.path("criterion");
    for (name, times) in [("dot/64", "[30.0, 61.0]"), ("dot/128", "[70.0, 141.0]"), ("report", "")]
    {
        let new = root.join(name).join("new");
        fs::create_dir_all(&new).unwrap();
        if times.is_empty() {
            continue;
        }
        let benchmark = format!(
            "{{\"group_id\":\"dot\",\"directory_name\":\"x\",\"full_id\":\"{name}\",\"throughput\":{{\"Bytes\":64}}}}"
        );
        fs::write(new.join("benchmark.json"), benchmark).unwrap();
        fs::write(new.join("sample.json"), format!("{{\"iters\":[1.0,2.0],\"times\":{times}}}"))
            .unwrap();
    }
    let folder = root.to_str().unwrap();
    let (code, out, err) = import(&place, &[folder]);
    assert!(code == 0 && out.contains("2 records of criterion stored"), "{out}{err}");
    let tests: Vec<String> = stored(&place).iter().map(|r| r.cell.test.to_string()).collect();
    assert_eq!(tests, ["criterion:dot/128", "criterion:dot/64"]);
    let (_, bmf, _) = place.run(&["export", "--format", "bmf"]);
    assert!(bmf.contains("criterion:dot/64 ") && bmf.contains("(unverified)"), "{bmf}");
    let single = root.join("dot/64/new/sample.json");
    let (code, _, err) = import(&place, &[single.to_str().unwrap()]);
    assert!(code == 1 && err.contains("name the folder"), "{err}");
    fs::write(&single, "{\"iters\":[1.0],\"times\":[1.0,").unwrap();
    let (code, _, err) = import(&Place::new(), &[folder]);
    assert!(code == 1 && err.contains("dot/64/sample.json: not JSON"), "{err}");
    let (code, _, err) = import(&place, &[place.path("empty").to_str().unwrap()]);
    assert!(code == 2 && err.contains("empty"), "{err}");
    fs::create_dir(place.path("empty")).unwrap();
    let (code, _, err) = import(&place, &[place.path("empty").to_str().unwrap()]);
    assert!(code == 1 && err.contains("neither"), "{err}");
}

#[test]
fn a_run_of_ours_is_exported_to_every_format() {
    let place = Place::new();
    let run = ["run", "-m", "tiny:Q4_0", "-d", "cpu", "-t", "pp8,tg4,ttft8"];
    let (code, _, err) = place.run(&[&run[..], &SHORT[..]].concat());
    assert_eq!(code, 0, "{err}");
    let cases = [
        ("csv", "tokens_per_second"),
        ("llama-bench", "\"backends\": \"yardstick:cpu\""),
        ("llama-bench-jsonl", "\"n_gen\": 4"),
        ("llama-bench-csv", "build_commit,build_number,cpu_info"),
        ("bmf", "\"time-ns\""),
        ("github-action", "\"unit\": \"tokens/s\""),
        ("prometheus", "# TYPE yardstick_tokens_per_second gauge"),
        ("jsonl", "{\"schema\":"),
    ];
    for (format, words) in cases {
        let (code, out, err) = place.run(&["export", "--format", format]);
        assert!(code == 0 && out.contains(words), "{format}: {out}{err}");
        if format == "llama-bench" {
            assert!(err.contains("no test ttft8") && err.contains("poll"), "{err}");
            let path = place.path("ours.json");
            fs::write(&path, out).unwrap();
            let (code, out, err) = import(&Place::new(), &[path.to_str().unwrap()]);
            assert!(code == 0 && out.contains("2 records of llama-bench"), "{out}{err}");
        }
    }
    let smaller = ["export", "--format", "github-action", "--direction", "smaller"];
    let (_, out, _) = place.run(&smaller);
    assert!(out.contains("time_ns") && !out.contains("tokens_per_second"), "{out}");
    let (_, out, _) = place.run(&["export", "--format", "prometheus", "--timestamps"]);
    let times = out.lines().filter(|line| !line.starts_with('#'));
    assert!(times.into_iter().all(|line| line.rsplit(' ').next().unwrap().len() == 13), "{out}");
}
