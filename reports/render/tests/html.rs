//! The page: self-contained, escaped, complete.

#[path = "../../analyse/tests/build/mod.rs"]
mod build;
mod fixture;

use yardstick_analyse::{Comparison, View};
use yardstick_api::Known;
use yardstick_record::{Reading, Record};
use yardstick_render::{Meta, html};

fn page(records: &[Record]) -> String {
    let meta = Meta {
        title: "suites/quick.toml".into(),
        generated: "2026-11-20T12:10:00Z".into(),
        tool: "yardstick 0.1.0".into(),
    };
    html(&Comparison::of(records), records, &meta)
}

/// Writes the page where a person can look at it.
fn write(name: &str, text: &str) -> String {
    let path = format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, text).expect("the target folder takes files");
    path
}

#[test]
fn every_cell_is_in_the_page() {
    let text = page(&fixture::run());
    println!("{}", write("report.html", &text));
    for device in ["cpu:avx2", "wgpu:0", "external:fast", "external:flaky", "ort:openvino-npu"] {
        assert!(text.contains(device), "{device} is missing");
    }
    for reason in ["412 of 412 nodes", "no Vulkan driver", "SIGSEGV", "oracle itself"] {
        assert!(text.contains(reason), "{reason} is missing");
    }
}

/// Thirty sensors that a virtual machine lacks are a line, not thirty.
#[test]
fn meters_are_ranges_and_those_that_read_nothing_one_line() {
    let reading = |name: String, unit: &str, value| Reading {
        name,
        value,
        unit: unit.into(),
        better: None,
        source: "a file".into(),
        scope: "zone".into(),
        precision: None,
    };
    let mut records = fixture::run();
    for (n, record) in records.iter_mut().enumerate() {
        let degrees = 40.0 + (n % 3) as f64;
        record.readings = vec![
            reading("thermal_cpu_max_celsius".into(), "°C", Known::Value(degrees)),
            reading("rapl_psys_joules".into(), "J", Known::Value(degrees)),
        ];
        let missing = (0..30).map(|n| {
            let reason =
                Known::unavailable("virtual machines get no RAPL; fix: <measure> on the host");
            reading(format!("rapl_package_{n}_joules"), "J", reason)
        });
        record.readings.extend(missing);
    }
    let text = page(&records);
    assert!(text.contains("<dt>thermal_cpu_max_celsius</dt><dd>40.00 to 42.00 °C</dd>"));
    assert_eq!(text.matches("Not read: rapl_package_0_joules, rapl_package_10_joules").count(), 1);
    assert_eq!(text.matches("virtual machines get no RAPL; fix: &lt;measure&gt;").count(), 1);
    assert!(!text.contains("rapl_psys_joules"), "joules of different tests are no range");
}

/// The facts of a backend, too, are told: the values, the range of a count, the reason of what is not known.
#[test]
fn what_a_backend_tells_stands_under_its_device() {
    let mut records = fixture::run();
    let mut told = 0;
    for record in records.iter_mut() {
        let Known::Value(facts) = &mut record.facts else { continue };
        let switches = if told == 0 { "7" } else { "1346" };
        let notes = [
            ("involuntary_switches", Known::Value(switches.to_owned())),
            ("packed", Known::Value(format!("private: <disk {}> is full", told % 2))),
            ("affinity", Known::unavailable("threads are placed by the system")),
            ("build", Known::Value("007".to_owned())),
        ];
        facts.notes.extend(notes.map(|(name, value)| (name.to_owned(), value)));
        told += usize::from(facts.device == "cpu:avx2");
    }
    assert!(told > 1, "several records of the device");
    let text = page(&records);
    let (_, under) = text.split_once("What cpu:avx2 tells of its sessions").expect("a heading");
    let (under, _) = under.split_once("</details>").expect("an end");
    assert!(under.contains("<dt>involuntary switches</dt><dd>7 to 1346</dd>"), "{under}");
    assert!(under.contains("private: &lt;disk 0&gt; is full · private: &lt;disk 1&gt;"), "{under}");
    assert!(under.contains("<dt>build</dt><dd>007</dd>"), "{under}");
    assert!(under.contains("<dd>unknown: threads are placed by the system</dd>"), "{under}");
}

/// Forty cells without a driver are a line that opens, and every one of them is in it.
#[test]
fn skipped_cells_of_one_reason_open_under_it() {
    let mut records = fixture::run();
    for model in ["tiny:Q4_0", "tiny:Q8_0"] {
        let absent = ["pp4", "tg4"].map(|test| build::cell("cuda:<0>", model, test));
        records.extend(absent.map(|cell| cell.skipped("libcuda.so.1 <absent>", None).done()));
    }
    let text = page(&records);
    assert_eq!(text.matches("libcuda.so.1 &lt;absent&gt;").count(), 1);
    assert_eq!(text.matches("<li>cuda:&lt;0&gt;, tiny:Q").count(), 2);
    assert!(text.contains("<li>cuda:&lt;0&gt;, tiny:Q8_0: pp4, tg4</li>"));
    let none = page(&records[records.len() - 4..]);
    assert!(none.contains("every cell was skipped") && !none.contains("There are no records"));
}

#[test]
fn ratios_are_drawn_and_foreign_results_keep_their_words() {
    let records = fixture::duel();
    let view = View { noise: fixture::noise(), ..View::default() };
    let meta = Meta { title: "duel".into(), generated: "now".into(), tool: "yardstick".into() };
    let text = html(&view.compare(&records), &records, &meta);
    println!("{}", write("duel.html", &text));
    let held = view.compare(&records).ratios().count();
    assert_eq!(text.matches("class=\"interval\"").count(), held);
    assert_eq!(text.matches("class=\"dot\"").count(), held);
    assert!(text.matches("class=\"floor\"").count() > 0);
    for words in ["× slower [", "noise floor of this machine, measured 2026-11-19", "drift"] {
        assert!(text.contains(words), "{words} is missing");
    }
    assert!(text.contains("<dt>build_commit</dt><dd>b4f2c1a</dd>"));
    assert!(text.contains("AMD &lt;b&gt;EPYC&lt;&#x2f;b&gt;"), "a foreign field was not escaped");
}

#[test]
fn charts_that_would_be_empty_are_a_sentence() {
    let failed = page(&fixture::troubles()[..1]);
    assert!(!failed.contains("<svg") && failed.contains("No chart"));
    assert!(page(&[]).contains("There are no records"));
}

#[test]
fn headings_languages_and_names_for_who_cannot_see() {
    let text = page(&fixture::run());
    assert!(text.starts_with("<!doctype html>\n<html lang=\"en\">"));
    assert_eq!(text.matches("<h1").count(), 1);
    let charts = text.matches("<svg").count();
    assert!(charts >= 7, "{charts}");
    assert_eq!(text.matches("<svg role=\"img\" aria-label=\"").count(), charts);
    assert_eq!(text.matches("<th ").count(), text.matches(" scope=\"").count());
}

#[test]
fn the_browser_has_nothing_to_complain_of() {
    let path = write("browser.html", &page(&fixture::run()));
    let profile = format!("{}/profile", env!("CARGO_TARGET_TMPDIR"));
    let flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update \
                 --disable-sync --no-first-run --enable-logging=stderr --virtual-time-budget=2000 --dump-dom";
    let run = std::process::Command::new("chromium")
        .args(flags.split_whitespace())
        .arg(format!("--user-data-dir={profile}"))
        .arg(format!("file://{path}"))
        .output();
    let Ok(output) = run else {
        println!("skipped: no chromium here");
        return;
    };
    let (shown, log) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !shown.contains("<h1>") {
        println!("skipped: chromium does not run here: {log}");
        return;
    }
    // What the policy forbids (a script, a request) would be told here too.
    let complaints: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn tradeoffs_have_a_picture_for_each_front_that_names_every_format() {
    let records = fixture::tradeoff();
    let text = page(&records);
    println!("{}", write("tradeoff.html", &text));
    let section = text.split("id=\"tradeoffs\"").nth(1).expect("the section is there");
    let section = section.split("</section>").next().expect("it ends");
    let pictures: Vec<&str> = section.split("<svg ").skip(1).collect();
    assert_eq!(pictures.len(), 2, "against speed and against size");
    for picture in pictures {
        let picture = picture.split("</svg>").next().expect("it ends");
        for format in ["F16", "Q8_0", "Q6_K", "Q4_K_M", "Q4_0", "Q2_K"] {
            assert!(picture.contains(&format!("\n{format}\n")), "{format} is missing");
        }
    }
    assert!(section.contains("an iterator over &lt;T&gt;"), "a text was not escaped");
    assert!(section.contains("no quality: random weights of preset smollm-135m"));
}
