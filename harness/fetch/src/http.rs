//! Requests: short time limits, redirects followed by hand, the token told to its own server only.

use std::time::Duration;

use ureq::http::Response;
use ureq::{Agent, Body};

/// To connect, and for a server to begin its answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(30);
/// For the bytes of one piece: 140 KB/s at least.
const PIECE: Duration = Duration::from_secs(240);
/// Bytes of one request.
pub(crate) const PIECE_BYTES: u64 = 32 << 20;
/// Redirects in a row.
const MOST_REDIRECTS: usize = 5;

/// What makes requests.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    agent: Agent,
    /// `https://huggingface.co`, without a slash behind.
    endpoint: String,
    token: Option<String>,
}

/// An answer and the address that gave it.
pub(crate) struct Answer {
    pub(crate) url: String,
    pub(crate) response: Response<Body>,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Where it sends us, as an absolute address.
    fn location(&self) -> Option<String> {
        let to = self.header("location")?;
        let absolute = to.starts_with("http://") || to.starts_with("https://");
        match (absolute, to.strip_prefix("//")) {
            (true, _) => Some(to.to_owned()),
            (false, Some(rest)) => Some(format!("{}//{rest}", self.url.split("//").next()?)),
            (false, None) => to.starts_with('/').then(|| format!("{}{to}", origin(&self.url))),
        }
    }
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    &url[..end]
}

/// Whether an address is of this machine: a token is told there without encryption too.
fn is_local(url: &str) -> bool {
    let host = origin(url).split("://").nth(1).unwrap_or("");
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

impl Http {
    pub(crate) fn new(endpoint: &str, token: Option<String>) -> Http {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_resolve(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_recv_body(Some(PIECE))
            .user_agent(concat!("yardstick/", env!("CARGO_PKG_VERSION")))
            .build();
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Http { agent: config.into(), endpoint, token }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What is known of a file, from the server that knows commits: redirects are followed only on it, since the
    /// storage behind it knows less. Gives the answer and where the bytes are.
    pub(crate) fn head(&self, url: &str) -> Result<(Answer, String), String> {
        let mut url = url.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let answer = self.ask(&url, true, None)?;
            let next = answer.location().filter(|_| (300..400).contains(&answer.status()));
            match next {
                Some(next)
                    if answer.header("x-repo-commit").is_none()
                        && origin(&next) == origin(&url) =>
                {
                    url = next;
                }
                Some(next) => return Ok((answer, next)),
                None => return Ok((answer, url)),
            }
        }
        Err(format!("more than {MOST_REDIRECTS} redirects"))
    }

    /// Bytes from `start` up to and without `end`.
    pub(crate) fn get(&self, url: &str, start: u64, end: u64) -> Result<Answer, String> {
        let mut url = url.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let answer = self.ask(&url, false, Some((start, end)))?;
            match answer.location().filter(|_| (300..400).contains(&answer.status())) {
                Some(next) => url = next,
                None => return Ok(answer),
            }
        }
        Err(format!("more than {MOST_REDIRECTS} redirects"))
    }

    fn ask(&self, url: &str, head: bool, range: Option<(u64, u64)>) -> Result<Answer, String> {
        // Once encrypted, always encrypted.
        if self.endpoint.starts_with("https://") && !url.starts_with("https://") {
            return Err(format!("{} redirects to an unencrypted address", self.endpoint));
        }
        let mut request = if head { self.agent.head(url) } else { self.agent.get(url) };
        request = request.header("Accept-Encoding", "identity");
        if let Some((start, end)) = range {
            request = request.header("Range", format!("bytes={start}-{}", end.saturating_sub(1)));
        }
        let safe = url.starts_with("https://") || is_local(url);
        if let Some(token) =
            self.token.as_ref().filter(|_| safe && origin(url) == origin(&self.endpoint))
        {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let response = request.call().map_err(|error| error.to_string())?;
        Ok(Answer { url: url.to_owned(), response })
    }
}

/// Everything but letters, digits and `-_.~` as %XX.
pub(crate) fn percent(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte.into())
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_end_where_paths_begin() {
        for (url, expected) in [
            ("https://a.b/c/d", "https://a.b"),
            ("http://127.0.0.1:80?x=/", "http://127.0.0.1:80"),
            ("https://a", "https://a"),
        ] {
            assert_eq!(origin(url), expected);
        }
        assert!(is_local("http://127.0.0.1:8000/x") && is_local("http://localhost/"));
        assert!(!is_local("http://127.0.0.1.evil.com/") && !is_local("http://a@127.0.0.1:1/"));
        assert_eq!(percent("a b/c+é.gguf"), "a%20b%2Fc%2B%C3%A9.gguf");
    }
}
