//! Hugging Face: its cache first, then its server.

use std::time::Duration;

use yardstick_model::source::{HubCache, HubFile, Located};

use crate::download::{Download, Wanted};
use crate::http::{Answer, Http, percent};
use crate::{Error, Tell};

/// Hugging Face, its cache first.
#[derive(Clone, Debug)]
pub struct Hub {
    cache: HubCache,
    http: Http,
    offline: bool,
    /// Between attempts, times their number.
    pause: Duration,
}

impl Hub {
    /// A cache, a server (`https://huggingface.co`), and who asks. `offline`: nothing is downloaded.
    pub fn new(cache: HubCache, endpoint: &str, token: Option<String>, offline: bool) -> Hub {
        let http = Http::new(endpoint, token);
        Hub { cache, http, offline, pause: Duration::from_secs(1) }
    }

    /// As it is, with another pause before a broken download is tried again.
    pub fn pausing(mut self, pause: Duration) -> Hub {
        self.pause = pause;
        self
    }

    /// The file, from the cache or downloaded into it; `name` stands in messages.
    pub(crate) fn locate(
        &self,
        name: &str,
        file: &HubFile,
        tell: &mut Tell<'_>,
    ) -> Result<Located, Error> {
        match self.cache.locate(file, tell)? {
            Ok(located) => return Ok(located),
            Err(true) => return Err(Error::Stopped),
            Err(false) => {}
        }
        if self.offline {
            let looked = self.cached(file);
            return Err(Error::Offline { name: name.to_owned(), looked });
        }
        let wanted = self.ask(name, file)?;
        let download = Download {
            name,
            file,
            cache: &self.cache,
            http: &self.http,
            pause: self.pause,
            renew: &|| self.ask(name, file).map(|wanted| wanted.url),
        };
        download.run(wanted, tell)
    }

    /// The cache's folder, and what of the repository is there.
    fn cached(&self, file: &HubFile) -> String {
        let folder = self.cache.folder.display();
        match self.cache.there(file) {
            none if none.is_empty() => folder.to_string(),
            some => format!("{folder} (of that repository there is {})", some.join(", ")),
        }
    }

    /// What the server knows of a file.
    fn ask(&self, name: &str, file: &HubFile) -> Result<Wanted, Error> {
        let path: Vec<String> = file.file.split('/').map(percent).collect();
        let url = format!(
            "{}/{}/{}/resolve/{}/{}",
            self.http.endpoint(),
            percent(&file.owner),
            percent(&file.repo),
            percent(&file.revision),
            path.join("/")
        );
        let (answer, bytes_at) = self.http.head(&url).map_err(|reason| {
            let looked = self.cached(file);
            let url = self.http.endpoint().to_owned();
            Error::Unreachable { name: name.to_owned(), looked, url, reason }
        })?;
        let status = answer.status();
        if !(200..400).contains(&status) {
            let fix = self.fix(&answer, file);
            return Err(Error::Refused { name: name.to_owned(), url: answer.url, status, fix });
        }
        read(name, &answer, bytes_at)
    }

    /// What would change a refusal.
    fn fix(&self, answer: &Answer, file: &HubFile) -> String {
        let page = format!("{}/{}/{}", self.http.endpoint(), file.owner, file.repo);
        match (answer.status(), answer.header("x-error-code")) {
            (404, Some("EntryNotFound")) => {
                format!("no file {} there; {page}/tree/{} lists them", file.file, file.revision)
            }
            (404, Some("RevisionNotFound")) => {
                format!("no revision {}; {page}/branches lists them", file.revision)
            }
            (404, Some("RepoNotFound")) | (401, Some("RepoNotFound")) => {
                format!(
                    "no such repository, or it is private: check {page}, and set HF_TOKEN if it is yours"
                )
            }
            (404, _) => format!("no such repository, revision or file; see {page}"),
            (401 | 403, _) => format!(
                "it is private or gated: accept its terms at {page} and set HF_TOKEN to a token that may read it"
            ),
            (429, _) => "too many requests; wait, or set HF_TOKEN".to_owned(),
            (500.., _) => "the server has a problem of its own; try again later".to_owned(),
            _ => format!("see {page}"),
        }
    }
}

/// Commit, hash and length of an answer: untrusted, since two of them become names of files.
fn read(name: &str, answer: &Answer, url: String) -> Result<Wanted, Error> {
    let wrong = |field: &str, found: Option<&str>, expected: &str| Error::Answer {
        what: format!("{name}: {}", answer.url),
        field: field.to_owned(),
        found: found.map_or("nothing".to_owned(), |text| {
            format!("{:?}", text.chars().take(80).collect::<String>())
        }),
        expected: expected.to_owned(),
    };
    let hex = |text: &str, lengths: &[usize]| {
        lengths.contains(&text.len())
            && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let commit = answer.header("x-repo-commit");
    let Some(commit) = commit.filter(|commit| hex(commit, &[40])) else {
        return Err(wrong(
            "x-repo-commit",
            commit,
            "40 hexadecimal digits, as Hugging Face's servers say",
        ));
    };
    let etag = answer.header("x-linked-etag").or(answer.header("etag"));
    let clean = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"'));
    let Some(etag) = clean.filter(|etag| hex(etag, &[40, 64])) else {
        return Err(wrong("etag", etag, "a SHA-256, or git's hash of a small file"));
    };
    let size = answer.header("x-linked-size").or(answer.header("content-length"));
    let Some(bytes) = size.and_then(|size| size.parse().ok()) else {
        return Err(wrong("content-length", size, "the bytes of the file"));
    };
    Ok(Wanted { url, commit: commit.to_owned(), etag: etag.to_owned(), bytes })
}
