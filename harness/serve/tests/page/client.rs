//! A server with a store of its own, and a client that sends what it is told to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use yardstick_record::Record;
use yardstick_serve::{Options, Server, Token};
use yardstick_store::Store;

use crate::build::{Build, cell, launches};

/// A served store, gone with the test.
pub(crate) struct Served {
    folder: tempfile::TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    pub(crate) url: String,
    stop: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Lower-case names.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A run of two devices and two tests, three launches each.
pub(crate) fn run(id: &str, day: u32, factor: f64) -> Vec<Record> {
    let one = |device: &'static str, test: &'static str, speed: f64| {
        let id = id.to_owned();
        launches(3, move |launch| {
            of_run(
                cell(device, "smollm-135m:Q4_0", test).launch(launch).speed(speed * factor, 6),
                &id,
                day,
            )
        })
    };
    [
        one("cpu:avx2", "pp512", 600.0),
        one("cpu:avx2", "tg32", 120.0),
        one("cpu:scalar", "tg32", 9.0),
    ]
    .concat()
}

pub(crate) fn of_run(build: Build, id: &str, day: u32) -> Build {
    build.with(|record| {
        record.run.id = id.to_owned();
        record.run.started = format!("2026-10-{day:02}T12:00:00Z");
        record.started = format!("2026-10-{day:02}T12:00:05Z");
    })
}

impl Served {
    pub(crate) fn new(records: &[Record]) -> Served {
        Served::listening("127.0.0.1:0", records)
    }

    pub(crate) fn listening(listen: &str, records: &[Record]) -> Served {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.sqlite");
        let mut store = Store::open(&path).unwrap();
        for record in records {
            store.append(record).unwrap();
        }
        let token = Token::new().unwrap();
        let server = Server::bind(Options {
            store: path,
            listen: listen.parse().unwrap(),
            is_lan: true,
            names: vec!["bench.example".into()],
            token: token.clone(),
            tool: "yardstick test".into(),
            tell: Box::new(|_| {}),
        })
        .unwrap();
        let (address, url) = (server.address(), server.url());
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let server = Some(std::thread::spawn(move || server.serve(&flag).unwrap()));
        Served { folder, address, token: token.text().to_owned(), url, stop, server }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("records.sqlite")
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.address.port())
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.address.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// Sends exactly this.
    pub(crate) fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // A server that refuses early may close before all is sent.
        let _ = stream.write_all(bytes);
        read(stream)
    }

    /// Asks as a browser on this machine would; further headers are whole lines.
    pub(crate) fn ask(&self, method: &str, target: &str, headers: &[&str]) -> Answer {
        let host = format!("Host: {}", self.host());
        let given = headers.iter().any(|line| line.to_lowercase().starts_with("host:"));
        let host = if given { None } else { Some(host.as_str()) };
        let lines: Vec<&str> = host.into_iter().chain(headers.iter().copied()).collect();
        self.send(
            format!("{method} {target} HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n")).as_bytes(),
        )
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[])
    }

    /// Uploads with the token.
    pub(crate) fn post(&self, body: &[u8]) -> Answer {
        let head = format!(
            "POST /import HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/jsonl\r\nContent-Length: {}\r\n\r\n",
            self.host(),
            self.token,
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let ended = self.server.take().map(JoinHandle::join);
        assert!(matches!(ended, Some(Ok(()))) || std::thread::panicking());
    }
}

/// The answer, to the end of the connection.
pub(crate) fn read(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    });
    Answer { status, headers: headers.collect(), body: body.to_owned() }
}
