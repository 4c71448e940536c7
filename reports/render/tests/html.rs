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

#[test]
fn every_cell_is_in_the_page() {
    let text = page(&fixture::run());
    // For looking at: the path is printed by `cargo test -- --nocapture`.
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/report.html");
    std::fs::write(path, &text).unwrap();
    println!("{path}");
    for device in ["cpu:avx2", "wgpu:0", "external:fast", "external:flaky", "ort:openvino-npu"] {
        assert!(text.contains(device), "{device} is missing");
    }
    for reason in ["412 of 412 nodes", "no Vulkan driver", "SIGSEGV", "oracle itself"] {
        assert!(text.contains(reason), "{reason} is missing");
    }
}
