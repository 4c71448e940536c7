//! An answer, its headers, and a refusal as one.

use std::time::Duration;

/// Status codes in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    SeeOther,
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Timeout,
    LengthRequired,
    BodyTooLarge,
    TargetTooLong,
    UnsupportedType,
    Misdirected,
    Unprocessable,
    HeadTooLarge,
    Internal,
    NotImplemented,
    Unavailable,
}

impl Status {
    pub(crate) fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::SeeOther => "303 See Other",
            Status::BadRequest => "400 Bad Request",
            Status::Unauthorized => "401 Unauthorized",
            Status::Forbidden => "403 Forbidden",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::Timeout => "408 Request Timeout",
            Status::LengthRequired => "411 Length Required",
            Status::BodyTooLarge => "413 Content Too Large",
            Status::TargetTooLong => "414 URI Too Long",
            Status::UnsupportedType => "415 Unsupported Media Type",
            Status::Misdirected => "421 Misdirected Request",
            Status::Unprocessable => "422 Unprocessable Content",
            Status::HeadTooLarge => "431 Request Header Fields Too Large",
            Status::Internal => "500 Internal Server Error",
            Status::NotImplemented => "501 Not Implemented",
            Status::Unavailable => "503 Service Unavailable",
        }
    }
}

/// What a body is, and with it what a browser may do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A page of ours: its script and style are files of ours.
    Page,
    /// A page that carries its own style and script, as reports do.
    Report,
    Json,
    Metrics,
    Style,
    Script,
}

impl Kind {
    fn content_type(self) -> &'static str {
        match self {
            Kind::Page | Kind::Report => "text/html; charset=utf-8",
            Kind::Json => "application/json",
            Kind::Metrics => "text/plain; version=0.0.4; charset=utf-8",
            Kind::Style => "text/css; charset=utf-8",
            Kind::Script => "text/javascript; charset=utf-8",
        }
    }

    fn policy(self) -> String {
        match self {
            Kind::Page => {
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
            }
            Kind::Report => {
                return format!(
                    "default-src 'none'; script-src '{}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                    yardstick_render::SCRIPT_HASH
                );
            }
            _ => "default-src 'none'; frame-ancestors 'none'",
        }
        .to_owned()
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: Status,
    pub(crate) kind: Kind,
    pub(crate) body: Vec<u8>,
    /// Further headers, of our own making.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Response {
    pub(crate) fn new(kind: Kind, body: impl Into<Vec<u8>>) -> Response {
        Response { status: Status::Ok, kind, body: body.into(), headers: Vec::new() }
    }

    /// The head as it is sent.
    pub(super) fn head(&self) -> String {
        let mut head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\nCache-Control: no-store\r\n\
            Content-Security-Policy: {}\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
            X-Frame-Options: DENY\r\nCross-Origin-Resource-Policy: same-origin\r\nCross-Origin-Opener-Policy: same-origin\r\n",
            self.status.line(),
            self.kind.content_type(),
            self.body.len(),
            self.kind.policy(),
        );
        for (name, value) in &self.headers {
            // A line end would begin a header of somebody else's.
            let value: String = value.chars().filter(|c| !c.is_control()).collect();
            head += &format!("{name}: {value}\r\n");
        }
        head + "\r\n"
    }
}

/// Why a request is not answered, in words that name no file.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: Status,
    pub(crate) why: String,
    /// More for whoever started the server, which may name files.
    pub(crate) told: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: Status, why: impl Into<String>) -> Refusal {
        Refusal { status, why: why.into(), told: None }
    }

    pub(crate) fn bad(why: impl Into<String>) -> Refusal {
        Refusal::new(Status::BadRequest, why)
    }

    pub(crate) fn not_found(why: impl Into<String>) -> Refusal {
        Refusal::new(Status::NotFound, why)
    }

    pub(super) fn late(what: &str, time: Duration) -> Refusal {
        Refusal::new(Status::Timeout, format!("{what} did not come within {} s", time.as_secs()))
    }
}

impl From<yardstick_store::Error> for Refusal {
    fn from(error: yardstick_store::Error) -> Refusal {
        use yardstick_store::Error as E;
        match error {
            E::UnknownRun { .. } => Refusal::not_found("the store has no such run"),
            E::UnknownRecord { .. } => Refusal::not_found("the store has no such record"),
            E::AmbiguousRecord { .. } => {
                Refusal::not_found("several records have ids that begin so")
            }
            E::Record(error) => Refusal::new(Status::Unprocessable, error.to_string()),
            other => Refusal {
                status: Status::Internal,
                why: "the store could not be read; the terminal that serves this page says why"
                    .into(),
                told: Some(other.to_string()),
            },
        }
    }
}
