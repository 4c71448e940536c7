//! The page is served from the command line: it says where, answers, and ends with Ctrl-C.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use support::{Place, ended};

#[test]
fn it_says_where_it_is_answers_and_ends_with_ctrl_c() {
    let place = Place::new();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("yardstick"))
        .env("YARDSTICK_DATA", place.path(""))
        .env_remove("YARDSTICK_STORE")
        .args(["serve", "--port", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let address = url.trim().strip_prefix("http://").unwrap().trim_end_matches('/');
    assert!(address.starts_with("127.0.0.1:"), "{url}");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("no runs yet"), "{answer}");
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    let (code, _, err) = ended(child.wait_with_output().unwrap());
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("token for uploads: "), "{err}");
}

#[test]
fn other_machines_are_let_in_only_on_purpose() {
    let place = Place::new();
    let (code, _, err) = place.run(&["serve", "--port", "0", "--listen", "0.0.0.0"]);
    assert!(code == 2 && err.contains("--lan") && err.contains("nothing is encrypted"), "{err}");
    let (code, _, err) = place.run(&["serve", "--port", "0", "--name", "a/b"]);
    assert!(code == 2 && err.contains("no host name"), "{err}");
    std::fs::write(place.path("records.sqlite"), "not a store").unwrap();
    let (code, _, err) = place.run(&["serve", "--port", "0"]);
    assert!(code == 2 && err.contains("records.sqlite"), "{err}");
}
