//! Too much, too long, too slow, too many.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use yardstick_serve::{MOST_BODY_BYTES, MOST_HEAD_BYTES};

use crate::client::{Served, read};

fn head(served: &Served, more: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {}\r\n{more}", served.host())
}

#[test]
fn heads_and_targets_beyond_the_limit_are_refused() {
    let served = Served::new(&[]);
    let long = format!("X: {}\r\n\r\n", "a".repeat(MOST_HEAD_BYTES));
    assert_eq!(served.send(head(&served, &long).as_bytes()).status, 431);
    let endless = "a".repeat(4 * MOST_HEAD_BYTES);
    assert!(matches!(served.send(endless.as_bytes()).status, 400 | 431));
    let many: String = (0..65).map(|i| format!("X-{i}: 1\r\n")).collect();
    assert_eq!(served.send(head(&served, &format!("{many}\r\n")).as_bytes()).status, 431);
    assert_eq!(served.get(&format!("/?before={}", "a".repeat(3000))).status, 414);
    for broken in
        ["GET /\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\0\0\0\0\r\n\r\n", "G@T / HTTP/1.1\r\n\r\n"]
    {
        assert_eq!(served.send(broken.as_bytes()).status, 400, "{broken:?}");
    }
    assert_eq!(served.send(head(&served, "A: b\nC d\r\n\r\n").as_bytes()).status, 400);
}

#[test]
fn bodies_beyond_the_limit_get_a_clear_answer() {
    let served = Served::new(&[]);
    let answer = served.post(&vec![b'a'; 9 << 20]);
    assert_eq!(answer.status, 413);
    let error = answer.json()["error"].as_str().unwrap().to_owned();
    assert!(error.contains("9437184") && error.contains(&MOST_BODY_BYTES.to_string()), "{error}");
    let line = |more: &str| {
        format!(
            "POST /import HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n{more}\r\n\r\n",
            served.host(),
            served.token
        )
    };
    for (more, status) in [
        ("X: 1", 411),
        ("Content-Length: 99999999999999999999", 400),
        ("Content-Length: -1", 400),
        ("Content-Length: +1", 400),
        ("Content-Length: 1\r\nContent-Length: 2", 400),
        ("Transfer-Encoding: chunked", 501),
        ("Transfer-Encoding: gzip, chunked\r\nContent-Length: 1", 501),
        ("Content-Encoding: gzip\r\nContent-Length: 0", 422),
    ] {
        assert_eq!(served.send(line(more).as_bytes()).status, status, "{more}");
    }
    assert_eq!(served.send(head(&served, "Content-Length: 5\r\n\r\nhello").as_bytes()).status, 400);
}

#[test]
fn who_sends_slowly_is_shown_the_door_and_keeps_nobody_waiting() {
    let served = Served::new(&[]);
    let begun = Instant::now();
    let mut slow = served.connect();
    slow.write_all(b"GET / HTTP/1.1\r\nX: ").unwrap();
    let asked = Instant::now();
    assert_eq!(served.get("/").status, 200);
    assert!(asked.elapsed() < Duration::from_secs(2), "others wait for the slow one");
    // A byte a second: every single read succeeds, the head never does.
    while begun.elapsed() < Duration::from_secs(20) {
        if slow.write_all(b"x").is_err() {
            break;
        }
        slow.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut answer = [0; 64];
        match slow.read(&mut answer) {
            Ok(n) if n > 0 => {
                assert!(answer.starts_with(b"HTTP/1.1 408"), "{:?}", &answer[..n]);
                break;
            }
            _ => {}
        }
    }
    let took = begun.elapsed();
    assert!((9..15).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn connections_beyond_the_limit_are_told_to_come_back() {
    let served = Served::new(&[]);
    let held: Vec<_> = (0..64).map(|_| served.connect()).collect();
    // Accepting is not instant.
    let full = (0..100).find_map(|_| {
        std::thread::sleep(Duration::from_millis(20));
        let mut stream = served.connect();
        let _ = stream.write_all(head(&served, "\r\n").as_bytes());
        let answer = read(stream);
        (answer.status == 503).then_some(answer)
    });
    assert_eq!(full.unwrap().header("retry-after"), "1");
    drop(held);
    let freed = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        served.get("/").status == 200
    });
    assert!(freed, "closed connections give their places back");
}

#[test]
fn the_server_ends_when_it_is_told_to() {
    let served = Served::new(&[]);
    let _idle = served.connect();
    let begun = Instant::now();
    drop(served);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
