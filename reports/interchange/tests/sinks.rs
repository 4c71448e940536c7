//! What other tools are given, read back by parsers written for these tests from the formats' own descriptions.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../analyse/tests/build/mod.rs"]
mod build;

use std::collections::{BTreeMap, BTreeSet};

use build::{cell, launches};
use serde_json::Value;
use yardstick_analyse::Comparison;
use yardstick_interchange::{bmf, github_action, left_out, llama_bench, prometheus};
use yardstick_record::{Direction, Metric, Record};

const HOSTILE: &str = "m\"\\\n}\u{1b}[31m`|<b>@x\u{202e}";

fn records() -> Vec<Record> {
    let mut records = launches(4, |launch| {
        cell("cpu:avx2", "smollm-135m:Q4_0", "tg128").launch(launch).speed(100.0, 8)
    });
    records.push(cell("cpu:avx2", HOSTILE, "ttft").time(8.0, 7).done());
    records.push(cell("cpu:avx2", "smollm-135m:Q4_0", "pp512").skipped("no room", None).done());
    let foreign = "{\"n_prompt\":0,\"n_gen\":8,\"model_type\":\"m\",\"samples_ns\":[1000000]}";
    records.extend(llama_bench::read_json(foreign.as_bytes()).map(Result::unwrap));
    records
}

fn headline(comparison: &Comparison, test: &str) -> (f64, Option<(f64, f64)>) {
    let row = comparison.rows.iter().find(|row| row.cell.test.to_string() == test).unwrap();
    let estimate = row.estimate(row.headline()).unwrap();
    (estimate.median, estimate.interval.value().map(|interval| (interval.low, interval.high)))
}

#[test]
fn bmf_has_every_metric_with_its_bounds() {
    let comparison = Comparison::of(&records());
    let text = bmf(&comparison);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    let whole: BTreeMap<String, BTreeMap<String, BTreeMap<String, f64>>> =
        serde_json::from_str(&text).unwrap();
    assert_eq!(whole.len(), 3, "{text}");
    let measures = &whole["cpu:avx2/smollm-135m:Q4_0/tg128"];
    let (median, interval) = headline(&comparison, "tg128");
    let (low, high) = interval.unwrap();
    let speed = &measures["tokens-per-second"];
    assert_eq!((speed["value"], speed["lower_value"], speed["upper_value"]), (median, low, high));
    assert!(measures.contains_key("peak-rss-bytes"));
    let foreign = whole.keys().find(|name| name.starts_with("llama-bench:")).unwrap();
    assert!(foreign.ends_with("(unverified)"), "{foreign}");
    assert!(
        !whole[foreign]["tokens-per-second"].contains_key("lower_value"),
        "one sample has none"
    );
    assert_eq!(left_out(&comparison).keys().collect::<Vec<_>>(), ["skipped: no room"]);
}

#[test]
fn names_of_series_do_not_depend_on_what_else_is_exported() {
    let names = |records: &[Record]| -> BTreeSet<String> {
        let text = bmf(&Comparison::of(records));
        serde_json::from_str::<BTreeMap<String, Value>>(&text).unwrap().into_keys().collect()
    };
    let threads = cell("cpu:avx2", "smollm-135m:Q4_0", "tg128")
        .speed(50.0, 8)
        .with(|record| record.cell.options.threads = Some(1))
        .done();
    let alone =
        names(&launches(1, |_| cell("cpu:avx2", "smollm-135m:Q4_0", "tg128").speed(100.0, 8)));
    let mut both = records();
    both.push(threads.clone());
    assert!(names(&both).is_superset(&alone), "{alone:?}");
    assert_eq!(
        names(&[threads]).into_iter().next().unwrap(),
        "cpu:avx2/smollm-135m:Q4_0/tg128 threads 1"
    );
    let machines = [1_u64 << 34, 1 << 35].map(|bytes| {
        cell("cpu:avx2", "m", "tg8")
            .speed(10.0, 8)
            .with(|record| record.environment.set("memory.total_bytes", bytes))
            .done()
    });
    assert_eq!(names(&machines).len(), 2, "two machines are two series");
}

#[test]
fn github_action_splits_by_direction() {
    let comparison = Comparison::of(&records());
    let points = |direction| -> Vec<Value> {
        let text = github_action(&comparison, direction);
        assert!(!text.contains('\u{1b}'));
        serde_json::from_str(&text).unwrap()
    };
    let (bigger, smaller) = (points(Direction::Higher), points(Direction::Lower));
    for point in bigger.iter().chain(&smaller) {
        let keys: BTreeSet<&str> = point.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(keys.is_subset(&BTreeSet::from(["name", "unit", "value", "range", "extra"])));
        assert!(point["value"].is_f64() && point["unit"].is_string());
        let name = point["name"].as_str().unwrap();
        assert!(!name.contains(['`', '|', '<', '\n']), "{name}");
    }
    let named = |points: &[Value], end: &str| {
        points.iter().any(|point| point["name"].as_str().unwrap().ends_with(end))
    };
    assert!(named(&bigger, "tokens_per_second") && !named(&bigger, "time_ns"));
    assert!(named(&smaller, "time_ns") && !named(&smaller, "tokens_per_second"));
    let speed =
        bigger.iter().find(|p| p["name"] == "cpu:avx2/smollm-135m:Q4_0/tg128 tokens_per_second");
    let speed = speed.unwrap();
    assert_eq!(speed["value"].as_f64().unwrap(), headline(&comparison, "tg128").0);
    assert!(speed["extra"].as_str().unwrap().contains("answers verified"));
}

type Labels = BTreeMap<String, String>;

/// The text format 0.0.4, as https://prometheus.io/docs/instrumenting/exposition_formats describes it.
fn parse(text: &str) -> BTreeMap<String, Vec<(Labels, f64, Option<i64>)>> {
    let mut families: BTreeMap<String, Vec<_>> = BTreeMap::new();
    let (mut helped, mut open) = (BTreeSet::new(), String::new());
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(helped.insert(name.to_owned()), "HELP of {name} is there twice");
            assert!(
                !help.is_empty() && !help.replace("\\\\", "").replace("\\n", "").contains('\\')
            );
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(kind, "gauge");
            assert!(helped.contains(name) && !families.contains_key(name), "{name}");
            families.insert(name.to_owned(), Vec::new());
            open = name.to_owned();
        } else {
            let (name, sample) = sample(line);
            assert_eq!(name, open, "samples of a family stand together");
            families.get_mut(&name).unwrap().push(sample);
        }
    }
    families
}

fn is_name(name: &str, more: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || more.contains(c);
    !name.is_empty() && name.chars().all(good) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn sample(line: &str) -> (String, (Labels, f64, Option<i64>)) {
    let (name, rest) = line.split_once('{').unwrap();
    assert!(is_name(name, ":"), "{name}");
    let mut chars = rest.chars();
    let mut labels = Labels::new();
    loop {
        let label: String = chars.by_ref().take_while(|c| *c != '=').collect();
        assert!(is_name(&label, "") && !label.starts_with("__"), "{label}");
        assert_eq!(chars.next(), Some('"'));
        let mut value = String::new();
        loop {
            match chars.next().unwrap() {
                '"' => break,
                '\\' => value.push(match chars.next().unwrap() {
                    'n' => '\n',
                    c @ ('\\' | '"') => c,
                    c => panic!("escape \\{c}"),
                }),
                c => value.push(c),
            }
        }
        assert!(labels.insert(label, value).is_none(), "a label is there twice");
        match chars.next().unwrap() {
            ',' => {}
            '}' => break,
            c => panic!("{c:?} after a label"),
        }
    }
    let words: Vec<String> = chars.as_str().split_whitespace().map(str::to_owned).collect();
    assert!(words.len() == 1 || words.len() == 2, "{line}");
    let time = words.get(1).map(|time| time.parse().unwrap());
    (name.to_owned(), (labels, words[0].parse().unwrap(), time))
}

#[test]
fn prometheus_is_the_grammar_in_base_units_with_every_series_once() {
    let comparison = Comparison::of(&records());
    let text = prometheus(&comparison, &|_| None);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    let families = parse(&text);
    for (name, samples) in &families {
        let series: BTreeSet<&Labels> = samples.iter().map(|(labels, _, _)| labels).collect();
        assert_eq!(series.len(), samples.len(), "{name} has a series twice");
        assert!(samples.iter().all(|(_, value, time)| value.is_finite() && time.is_none()));
        assert!(!name.contains("_ns") && !name.contains("percent"), "{name}");
    }
    let cells = &families["yardstick_cell_ok"];
    assert_eq!(cells.len(), comparison.rows.len(), "failures stay");
    assert_eq!(cells.iter().filter(|(_, ok, _)| *ok == 0.0).count(), 1);
    let of = |name: &str, test: &str| {
        families[name].iter().find(|(labels, _, _)| labels["test"] == test).unwrap().1
    };
    let (median, interval) = headline(&comparison, "tg128");
    assert_eq!(of("yardstick_tokens_per_second", "tg128"), median);
    assert_eq!(of("yardstick_tokens_per_second_low", "tg128"), interval.unwrap().0);
    assert_eq!(of("yardstick_tokens_per_second_high", "tg128"), interval.unwrap().1);
    let seconds = of("yardstick_time_seconds", "ttft");
    assert!((seconds - headline(&comparison, "ttft").0 * 1e-9).abs() < 1e-12, "{seconds}");
    let row = comparison.rows.iter().find(|row| row.cell.test.to_string() == "tg128").unwrap();
    let percent = row.estimate(Metric::PercentOfLimit).unwrap().median;
    assert!((of("yardstick_limit_ratio", "tg128") - percent / 100.0).abs() < 1e-9);
    let hostile = families["yardstick_time_seconds"].iter().find(|(l, _, _)| l["test"] == "ttft");
    assert_eq!(hostile.unwrap().0["model"], "m\"\\ }\u{FFFD}[31m`|<b>@x\u{FFFD}");
}

#[test]
fn prometheus_takes_times_where_they_are_asked_for() {
    let comparison = Comparison::of(&records());
    let text = prometheus(&comparison, &|_| Some(1_763_640_000_123));
    let families = parse(&text);
    let times = families.values().flatten().map(|(_, _, time)| *time);
    assert!(times.into_iter().all(|time| time == Some(1_763_640_000_123)));
}
