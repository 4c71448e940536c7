//! The page: self-contained, escaped, complete.

#[path = "../../analyse/tests/build/mod.rs"]
mod build;
mod fixture;

use yardstick_analyse::Comparison;
use yardstick_record::Record;
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
