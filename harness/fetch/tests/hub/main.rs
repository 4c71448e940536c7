//! Downloads from a server of a test's own: redirects, ranges, checksums, refusals, and what the cache holds after.
#![allow(missing_docs, clippy::unwrap_used)]

mod server;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use server::{Answer, Asked, Server};
use sha2::{Digest, Sha256};
use yardstick_fetch::{Error, Hub, Sources};
use yardstick_model::source::{HubCache, Located, Name, Ollama};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const NAME: &str = "hf:owner/repo/folder/model file.gguf";
const PATH: &str = "/owner/repo/resolve/main/folder/model%20file.gguf";

fn content() -> Vec<u8> {
    (0..300_000u32).flat_map(|i| i.to_le_bytes()).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// What Hugging Face says of a large file, and where it sends for the bytes.
fn described(location: &str, bytes: &[u8]) -> Answer {
    Answer::new(302)
        .with("Location", location)
        .with("X-Repo-Commit", COMMIT)
        .with("X-Linked-Etag", format!("\"{}\"", sha256(bytes)))
        .with("X-Linked-Size", bytes.len())
        .with("ETag", "\"of-the-redirect\"")
}

/// The bytes asked for.
fn ranged(asked: &Asked, bytes: &[u8]) -> Answer {
    let (start, last) = asked.range().unwrap();
    let total = bytes.len();
    Answer::new(206)
        .with("Content-Range", format!("bytes {start}-{last}/{total}"))
        .body(&bytes[start..=last])
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn repository(&self) -> PathBuf {
        self.folder.path().join("models--owner--repo")
    }

    fn blobs(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.repository().join("blobs"));
        let mut names: Vec<String> = entries
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn sources(&self, url: &str, token: Option<&str>, offline: bool) -> Sources {
        let cache = HubCache { folder: self.folder.path().to_owned() };
        let hub = Hub::new(cache, url, token.map(str::to_owned), offline).pausing(Duration::ZERO);
        Sources { ollama: Ollama::default(), hub }
    }

    fn fetch(&self, url: &str) -> Result<Located, Error> {
        let name = Name::parse(NAME).unwrap().unwrap();
        self.sources(url, None, false).locate(&name, &mut |_, _| ControlFlow::Continue(()))
    }

    fn refusal(&self, url: &str) -> String {
        self.fetch(url).map(|_| "accepted".to_owned()).unwrap_or_else(|error| error.to_string())
    }
}

fn holds(path: &Path, bytes: &[u8]) {
    assert!(std::fs::read(path).unwrap() == bytes, "{}", path.display());
}

#[test]
fn a_file_is_downloaded_into_the_cache_and_found_there_without_a_network() {
    let storage = Server::new(|asked| ranged(asked, &content()));
    let at = format!("{}/store/x?signature=1", storage.url);
    let hub = Server::new(move |_| described(&at, &content()));
    let place = Place::new();
    let name = Name::parse(NAME).unwrap().unwrap();
    let mut told = Vec::new();
    let sources = place.sources(&hub.url, Some("secret"), false);
    let located = sources
        .locate(&name, &mut |done, total| {
            told.push((done, total));
            ControlFlow::Continue(())
        })
        .unwrap();
    holds(&located.path, &content());
    assert_eq!(located.sha256, Some(sha256(&content())));
    assert!(located.path.ends_with(format!("snapshots/{COMMIT}/folder/model file.gguf")));
    assert_eq!(std::fs::read_to_string(place.repository().join("refs/main")).unwrap(), COMMIT);
    assert_eq!(place.blobs(), [sha256(&content())]);
    assert_eq!((told.first().unwrap().0, told.last().unwrap().0), (0, 1_200_000));
    let asked = hub.asked();
    assert_eq!((asked.len(), asked[0].method.as_str(), asked[0].path.as_str()), (1, "HEAD", PATH));
    assert_eq!(asked[0].header("authorization"), Some("Bearer secret"));
    // The storage is another server: it never hears the token.
    assert!(storage.asked().iter().all(|asked| asked.header("authorization").is_none()));
    // Again, with nobody there to answer.
    let offline = place.sources("http://127.0.0.1:1", None, true);
    assert_eq!(offline.locate(&name, &mut |_, _| ControlFlow::Continue(())).unwrap(), located);
}

#[test]
fn redirects_on_the_hub_itself_are_followed_to_the_answer_that_knows_the_commit() {
    let hub = Server::new(|asked| match asked.path.as_str() {
        PATH => Answer::new(307).with("Location", "/renamed/x"),
        "/renamed/x" if asked.method == "HEAD" => described("/bytes", &content()),
        _ => ranged(asked, &content()),
    });
    let place = Place::new();
    holds(&place.fetch(&hub.url).unwrap().path, &content());
}

#[test]
fn a_download_goes_on_where_it_ended() {
    let times = AtomicUsize::new(0);
    let hub = Server::new(move |asked| {
        if asked.method == "HEAD" {
            return described("/bytes", &content());
        }
        let mut answer = ranged(asked, &content());
        if times.fetch_add(1, Ordering::SeqCst) < 2 {
            answer.cut = Some(100_000);
        }
        answer
    });
    let place = Place::new();
    holds(&place.fetch(&hub.url).unwrap().path, &content());
    let starts: Vec<usize> =
        hub.asked().iter().filter_map(|asked| Some(asked.range()?.0)).collect();
    assert_eq!((starts.len(), starts[0]), (3, 0));
    assert!(starts[1] > 0 && starts[2] > starts[1], "{starts:?}");
}

#[test]
fn what_an_earlier_process_left_is_gone_on_with() {
    let hub = Server::new(|asked| match asked.method.as_str() {
        "HEAD" => described("/bytes", &content()),
        _ => ranged(asked, &content()),
    });
    let place = Place::new();
    let part = place.repository().join(format!("blobs/{}.incomplete", sha256(&content())));
    std::fs::create_dir_all(part.parent().unwrap()).unwrap();
    std::fs::write(&part, &content()[..1_000_000]).unwrap();
    holds(&place.fetch(&hub.url).unwrap().path, &content());
    assert_eq!(hub.asked()[1].range(), Some((1_000_000, 1_199_999)));
    assert_eq!(place.blobs(), [sha256(&content())]);
}

#[test]
fn a_server_without_ranges_is_read_from_the_beginning() {
    let hub = Server::new(|asked| match asked.method.as_str() {
        "HEAD" => described("/bytes", &content()),
        _ => Answer::new(200).body(&content()),
    });
    let place = Place::new();
    let part = place.repository().join(format!("blobs/{}.incomplete", sha256(&content())));
    std::fs::create_dir_all(part.parent().unwrap()).unwrap();
    std::fs::write(&part, b"something else").unwrap();
    holds(&place.fetch(&hub.url).unwrap().path, &content());
}

#[test]
fn stopping_keeps_what_came() {
    let hub = Server::new(|asked| match asked.method.as_str() {
        "HEAD" => described("/bytes", &content()),
        _ => ranged(asked, &content()),
    });
    let place = Place::new();
    let name = Name::parse(NAME).unwrap().unwrap();
    let stop = &mut |done: u64, _: u64| match done > 0 {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let result = place.sources(&hub.url, None, false).locate(&name, stop);
    assert!(matches!(result, Err(Error::Stopped)));
    assert_eq!(place.blobs(), [format!("{}.incomplete", sha256(&content()))]);
    holds(&place.fetch(&hub.url).unwrap().path, &content());
}

#[test]
fn wrong_bytes_are_removed_and_both_hashes_named() {
    let hub = Server::new(|asked| match asked.method.as_str() {
        "HEAD" => described("/bytes", &content()),
        _ => {
            let mut wrong = content();
            wrong[7] ^= 1;
            ranged(asked, &wrong)
        }
    });
    let place = Place::new();
    let text = place.refusal(&hub.url);
    assert!(text.contains(&sha256(&content())) && text.contains("they were removed"), "{text}");
    assert!(place.blobs().is_empty());
    assert!(!place.repository().join("snapshots").exists());
}

#[test]
fn refusals_say_what_would_change_them() {
    for (status, code, words) in [
        (404, "EntryNotFound", "no file folder/model file.gguf there"),
        (404, "RevisionNotFound", "no revision main"),
        (401, "RepoNotFound", "no such repository, or it is private"),
        (403, "GatedRepo", "accept its terms at http://127.0.0.1"),
        (401, "", "set HF_TOKEN"),
        (404, "", "no such repository, revision or file"),
        (429, "", "too many requests"),
        (503, "", "try again later"),
    ] {
        let hub = Server::new(move |_| Answer::new(status).with("X-Error-Code", code));
        let text = Place::new().refusal(&hub.url);
        assert!(text.contains(words) && text.contains(&status.to_string()), "{text}");
    }
}

#[test]
fn answers_that_could_lead_elsewhere_or_promise_nothing_are_refused() {
    let good = || described("/bytes", &content());
    let replaced = |name: &'static str, value: &'static str| {
        move |mut answer: Answer| {
            answer.headers.retain(|header| !header.0.eq_ignore_ascii_case(name));
            answer.with(name, value)
        }
    };
    for (name, value, words) in [
        ("X-Repo-Commit", "../../../../etc", "x-repo-commit: found \"../../../../etc\""),
        ("X-Linked-Etag", "\"../../x\"", "etag: found"),
        ("X-Linked-Size", "many", "content-length: found \"many\""),
    ] {
        let change = replaced(name, value);
        let hub = Server::new(move |_| change(good()));
        let place = Place::new();
        let text = place.refusal(&hub.url);
        assert!(text.contains(words), "{text}");
        assert!(place.blobs().is_empty());
    }
    // Another part than was asked for.
    let hub = Server::new(|asked| match asked.method.as_str() {
        "HEAD" => described("/bytes", &content()),
        _ => Answer::new(206).with("Content-Range", "bytes 5-9/1200000").body(b"12345"),
    });
    let text = Place::new().refusal(&hub.url);
    assert!(text.contains("content-range: found \"bytes 5-9/1200000\""), "{text}");
    let hub = Server::new(|_| Answer::new(302).with("Location", "/again"));
    assert!(Place::new().refusal(&hub.url).contains("redirects"));
}

#[test]
fn without_a_network_that_is_said_at_once() {
    let place = Place::new();
    // A port that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let started = std::time::Instant::now();
    let text = place.refusal(&format!("http://{free}"));
    assert!(text.contains("cannot be reached") && text.contains("are you offline?"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(10));
    let name = Name::parse(NAME).unwrap().unwrap();
    let asked = Server::new(|_| Answer::new(500));
    let offline = place.sources(&asked.url, None, true);
    let error = offline.locate(&name, &mut |_, _| ControlFlow::Continue(())).unwrap_err();
    assert!(error.to_string().contains("HF_HUB_OFFLINE is set"), "{error}");
    assert!(asked.asked().is_empty());
}

#[test]
fn a_damaged_file_of_the_cache_is_not_used() {
    let hub = Server::new(|asked| match asked.method.as_str() {
        "HEAD" => described("/bytes", &content()),
        _ => ranged(asked, &content()),
    });
    let place = Place::new();
    let located = place.fetch(&hub.url).unwrap();
    let blob = std::fs::canonicalize(&located.path).unwrap();
    let mut bytes = content();
    bytes[9] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    let text = place.refusal(&hub.url);
    assert!(text.contains("SHA-256") && text.contains("remove the file"), "{text}");
}
