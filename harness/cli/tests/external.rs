//! The external workers of backends/external in whole runs: what they say is read strictly, judged, and never more than
//! their own cells. A stand-in replaces llama-cpp-python, a small server the endpoint.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use support::{Place, SHORT, ended, has_python};
use yardstick_record::{FailureKind, Outcome, Record, VerificationStatus};

const EXTERNAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../backends/external");

/// Runs cpu and a llama.cpp that misbehaves in this way.
fn beside_cpu(place: &Place, mode: &str) -> Vec<Record> {
    let stand_ins = format!("{EXTERNAL}/tests/fakes:{EXTERNAL}/tests/fakes_numpy");
    let mut command = place.yardstick();
    command.env("PYTHONPATH", stand_ins).env("FAKE_LLAMA", mode).args(["run", "--json"]);
    command.args(["--devices", "cpu,llama.cpp", "--model", "tiny:Q4_0", "--test", "pp8,tg2"]);
    let (_, out, _) = ended(command.args(SHORT).output().unwrap());
    out.lines().map(|line| Record::from_json(line).unwrap()).collect()
}

fn of<'r>(records: &'r [Record], backend: &str) -> Vec<&'r Record> {
    records.iter().filter(|record| record.cell.device.starts_with(backend)).collect()
}

#[test]
fn a_peer_that_crashes_in_prefill_costs_its_own_cells_only() {
    if !has_python() {
        return;
    }
    let records = beside_cpu(&Place::new(), "crash");
    assert_eq!(records.len(), 4);
    assert!(of(&records, "cpu").iter().all(|record| record.outcome == Outcome::Ok));
    for record in of(&records, "llama.cpp") {
        let Outcome::Failed { kind, message } = &record.outcome else {
            panic!("{:?}", record.outcome);
        };
        assert!(matches!(kind, FailureKind::Crash { signal: 11, .. }), "{kind:?}");
        assert!(message.contains("SIGSEGV"), "{message}");
    }
}

#[test]
fn a_peer_that_answers_wrongly_is_found_out_with_its_facts_kept() {
    if !has_python() {
        return;
    }
    let records = beside_cpu(&Place::new(), "noise");
    for record in of(&records, "llama.cpp") {
        let failed = matches!(&record.outcome, Outcome::Failed { kind: FailureKind::Verify, .. });
        assert!(failed, "{:?}", record.outcome);
        let facts = record.facts.value().unwrap();
        assert_eq!(facts.kernels["Q4_0"], "repacked q4_0_8x8");
        assert_eq!(facts.device, "llama.cpp:cpu");
    }
    assert_eq!(of(&records, "llama.cpp").len(), 2);
}

/// A server of the endpoint's tests; it leaves when its input ends.
struct Server(Child);

impl Server {
    fn start() -> (Server, String) {
        let mut child = Command::new("python3")
            .arg(format!("{EXTERNAL}/tests/server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        (Server(child), url.trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn an_endpoint_is_measured_unverified_and_never_ranked() {
    if !has_python() {
        return;
    }
    let place = Place::new();
    let (_server, url) = Server::start();
    let worker = format!("openai=python3 '{EXTERNAL}/openai.py' --url {url}");
    let asked = ["--worker", &worker, "--devices", "openai", "--model", "tiny:Q4_0"];
    let tests = ["--test", "tg4,ttft16,pp8"];
    let (code, records, err) = place.records(&[&asked[..], &tests, &SHORT].concat());
    assert_eq!(code, 0, "{err}");
    for record in &records {
        let reason = "unverified: no logits".to_owned();
        match record.cell.test.to_string().as_str() {
            "pp8" => assert!(matches!(record.outcome, Outcome::Skipped { .. })),
            _ => {
                assert_eq!(record.outcome, Outcome::Ok);
                assert_eq!(record.verification.status, VerificationStatus::Skipped { reason });
            }
        }
    }
    assert_eq!(records.len(), 3);
    let (_, page, _) = place.run(&["report", "--format", "json"]);
    let page: serde_json::Value = serde_json::from_str(&page).unwrap();
    assert_eq!(page["rankings"], serde_json::json!([]), "{page}");
    let why = page.to_string().matches("\"not_ranked\":\"unverified: no logits\"").count();
    assert_eq!(why, 2, "{page}");
    // The worker's own memory was read; it is not the endpoint's.
    for row in page["rows"].as_array().unwrap().iter().filter(|row| row["test"] != "pp8") {
        let memory = &row["metrics"]["peak_rss_bytes"];
        assert_eq!(memory["unavailable"], "the endpoint is another process", "{memory}");
    }
}
