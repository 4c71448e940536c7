//! Who may ask: the Host and the Origin on every request, the token for what changes something and for other machines.

use std::net::SocketAddr;

use crate::http::{Kind, Method, Query, Refusal, Request, Response, Status};
use crate::token::Token;

/// What is let in.
pub(crate) struct Guard {
    /// `127.0.0.1:8417`, lower case: what a Host header may be.
    pub(crate) hosts: Vec<String>,
    pub(crate) token: Token,
    /// The server can be reached from other machines: everything needs the token.
    pub(crate) is_exposed: bool,
}

/// The cookie that a browser shows the token by.
const COOKIE: &str = "yardstick";

impl Guard {
    /// For a server at this address, which is also called by these names.
    pub(crate) fn new(address: SocketAddr, names: &[String], token: Token) -> Guard {
        let port = address.port();
        let mut hosts: Vec<String> =
            ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")).into();
        if !address.ip().is_unspecified() {
            hosts.push(address.to_string());
        }
        hosts.extend(names.iter().map(|name| format!("{}:{port}", name.to_ascii_lowercase())));
        Guard { hosts, token, is_exposed: !address.ip().is_loopback() }
    }

    fn is_ours(&self, host: &str) -> bool {
        self.hosts.contains(&host.to_ascii_lowercase())
    }

    fn is_shown(&self, request: &Request) -> Result<bool, Refusal> {
        let bearer =
            request.header("authorization")?.and_then(|value| value.strip_prefix("Bearer "));
        if let Some(shown) = bearer {
            return Ok(self.token.is(shown.trim()));
        }
        let cookies = request.header("cookie")?.unwrap_or_default();
        let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        Ok(pairs.filter(|(name, _)| *name == COOKIE).any(|(_, value)| self.token.is(value)))
    }
}

/// Refuses what comes from elsewhere. Answers itself where a browser shows the token in the address: it gets it as a cookie that
/// no script reads and no other site sends, and goes to the address without it.
pub(crate) fn admit(guard: &Guard, request: &Request) -> Result<Option<Response>, Refusal> {
    let host = request.header("host")?.unwrap_or_default();
    if !guard.is_ours(host) {
        // A name that another site had resolved to this machine (DNS rebinding) ends here.
        let why = format!("this page answers to {}, not to {host:?}", guard.hosts.join(", "));
        return Err(Refusal::new(Status::Misdirected, why));
    }
    same_origin(guard, request)?;
    if let (Method::Get, Some(shown)) = (request.method, request.query.text("token")) {
        return match guard.token.is(shown) {
            true => Ok(Some(with_cookie(guard, request))),
            false => Err(unauthorised()),
        };
    }
    let needed = guard.is_exposed || request.method == Method::Post;
    if needed && !guard.is_shown(request)? {
        return Err(unauthorised());
    }
    Ok(None)
}

fn same_origin(guard: &Guard, request: &Request) -> Result<(), Refusal> {
    let foreign = || Refusal::new(Status::Forbidden, "another site asked for this");
    if let Some(origin) = request.header("origin")?
        && !origin.strip_prefix("http://").is_some_and(|host| guard.is_ours(host))
    {
        return Err(foreign());
    }
    // Following a link to this page shows the other site nothing; anything else that it has a browser do is refused.
    let site = request.header("sec-fetch-site")?.unwrap_or("none");
    let is_link =
        request.method == Method::Get && request.header("sec-fetch-mode")? == Some("navigate");
    match site {
        "same-origin" | "none" => Ok(()),
        _ if is_link => Ok(()),
        _ => Err(foreign()),
    }
}

fn unauthorised() -> Refusal {
    Refusal::new(
        Status::Unauthorized,
        "this needs the token that `yardstick serve` printed: Authorization: Bearer TOKEN, or ?token=TOKEN once in a browser",
    )
}

fn with_cookie(guard: &Guard, request: &Request) -> Response {
    let rest = request.query.without("token");
    let address =
        if rest.is_empty() { request.path.clone() } else { format!("{}?{rest}", request.path) };
    // Two slashes at its beginning would be another site.
    let address = format!("/{}", address.trim_start_matches(['/', '\\']));
    let cookie = format!("{COOKIE}={}; HttpOnly; SameSite=Strict; Path=/", guard.token.text());
    Response {
        status: Status::SeeOther,
        headers: vec![("Location", address), ("Set-Cookie", cookie)],
        ..Response::new(Kind::Page, "")
    }
}

impl Query {
    /// Everything but one value, as an address has it.
    fn without(&self, name: &str) -> String {
        let rest = self.pairs().iter().filter(|(known, _)| known != name);
        let word = crate::http::encoded;
        rest.map(|(name, value)| format!("{}={}", word(name), word(value)))
            .collect::<Vec<_>>()
            .join("&")
    }
}
