//! How long each page takes over a large store, asked over a socket: `cargo run --release -p yardstick-serve --example latency -- [RECORDS]`.
//! The first column is the first time a page is asked, the second the median of twenty times. Told apart by page, as pages of one
//! run parse that run's records and lists parse none.
#![allow(clippy::unwrap_used, reason = "a tool for whoever changes the page")]

#[path = "../../../reports/analyse/tests/build/mod.rs"]
mod build;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use build::cell;
use yardstick_record::Record;
use yardstick_serve::{Options, Server, Token};
use yardstick_store::Store;

/// A run: devices, models and tests, and launches of each.
const DEVICES: [&str; 3] = ["cpu:avx2", "cpu:avx512-vnni", "cpu:scalar"];
const MODELS: [&str; 4] =
    ["smollm-135m:Q4_0", "smollm-135m:Q8_0", "smollm-135m:Q4_K_M", "llama-3.2-1b:Q4_0"];
const TESTS: [(&str, f64); 4] = [("pp512", 600.0), ("tg128", 120.0), ("ttft", 5.0), ("load", 9.0)];
const LAUNCHES: u32 = 5;

fn main() {
    let wanted = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.sqlite");
    let mut store = Store::open(&path).unwrap();
    let started = Instant::now();
    let (mut records, mut runs) = (0, 0);
    while records < wanted {
        let run = run(runs).into_iter().map(Ok::<_, yardstick_store::Error>);
        records += store.append_whole(run).unwrap().0;
        runs += 1;
    }
    let size = std::fs::metadata(&path).unwrap().len() >> 20;
    println!("{records} records of {runs} runs, {size} MiB, stored in {:.1?}", started.elapsed());
    drop(store);
    ask_all(&path, runs);
}

fn run(number: u32) -> Vec<Record> {
    let mut records = Vec::new();
    for (launch, device, model) in (0..LAUNCHES).flat_map(|launch| {
        DEVICES
            .iter()
            .flat_map(move |device| MODELS.iter().map(move |model| (launch, device, model)))
    }) {
        for (test, speed) in TESTS {
            let speed = speed * (1.0 + f64::from(number * 7 % 11) / 400.0);
            let one = cell(device, model, test).launch(launch).speed(speed, 8).with(|record| {
                record.run.id = format!("run{number:05}");
                let day = format!(
                    "{:04}-{:02}-{:02}",
                    2020 + number / 336,
                    number / 28 % 12 + 1,
                    number % 28 + 1
                );
                record.run.started = format!("{day}T12:00:00Z");
                record.started = format!("{day}T12:00:{:02}Z", launch);
            });
            records.push(one.done());
        }
    }
    records
}

fn ask_all(path: &std::path::Path, runs: u32) {
    let server = Server::bind(Options {
        store: path.to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        is_lan: false,
        names: Vec::new(),
        token: Token::new().unwrap(),
        tool: "yardstick latency".into(),
        tell: Box::new(|words| eprintln!("{words}")),
    })
    .unwrap();
    let address = server.address();
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let thread = std::thread::spawn(move || server.serve(&flag).unwrap());
    let (last, other) = (format!("run{:05}", runs - 1), format!("run{:05}", runs / 2));
    for target in [
        "/".to_owned(),
        format!("/?before={other}"),
        format!("/run?id={last}"),
        format!("/run?id={other}"),
        format!("/api/progress?run={last}&after=0"),
        format!("/api/records?run={other}"),
        "/trends".to_owned(),
        "/trends?q=avx512+Q8_0+tg128".to_owned(),
        "/trend?cell=2".to_owned(),
        "/compare".to_owned(),
        format!("/compare?a={other}&b={last}"),
        format!("/report?run={last}"),
        "/metrics".to_owned(),
    ] {
        let (first, bytes) = ask(address, &target);
        let mut times: Vec<Duration> = (0..20).map(|_| ask(address, &target).0).collect();
        times.sort();
        println!("{first:>10.1?} {:>10.1?} {:>8} B  {target}", times[10], bytes);
    }
    stop.store(true, Ordering::SeqCst);
    thread.join().unwrap();
}

fn ask(address: SocketAddr, target: &str) -> (Duration, usize) {
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    (started.elapsed(), answer.len())
}
