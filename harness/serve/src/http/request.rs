//! A request: its head read within bounds and parsed, its body read only when the head was let in.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Instant;

use super::query::Query;
use super::response::{Refusal, Status};
use super::stream;
use crate::limits::{
    BODY_TIME, HEAD_TIME, MOST_BODY_BYTES, MOST_HEAD_BYTES, MOST_HEADERS, MOST_TARGET_BYTES,
};

/// What a request may do. Only `Post` changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Read.
    Get,
    /// Read, without the body.
    Head,
    /// Change.
    Post,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// As it was sent: nothing in it is decoded, and it is only ever compared with the routes.
    pub(crate) path: String,
    pub(crate) query: Query,
    /// Names in lower case, in the order sent.
    headers: Vec<(String, String)>,
    /// Bytes of the body that came with the head.
    begun: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Reads the head. `None`: the client left without a word.
    pub(super) fn read(stream: &mut TcpStream) -> Result<Option<Request>, Refusal> {
        let deadline = Instant::now() + HEAD_TIME;
        let mut bytes = Vec::new();
        loop {
            let room = MOST_HEAD_BYTES - bytes.len();
            match stream::read(stream, &mut bytes, room, deadline) {
                Ok(0) if bytes.is_empty() => return Ok(None),
                Ok(0) => return Err(Refusal::bad("the request ends within its head")),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    return Err(Refusal::late("the head of the request", HEAD_TIME));
                }
                Err(_) => return Ok(None),
            }
            if let Some(request) = parse(&bytes)? {
                return Ok(Some(request));
            }
            if bytes.len() >= MOST_HEAD_BYTES {
                let why = format!("the head has more than {MOST_HEAD_BYTES} bytes");
                return Err(Refusal::new(Status::HeadTooLarge, why));
            }
        }
    }

    /// Reads the body of an upload; of what reads it must be empty.
    pub(super) fn read_body(&mut self, stream: &mut TcpStream) -> Result<(), Refusal> {
        let length = self.length()?;
        if self.method != Method::Post {
            return match length.unwrap_or(0) {
                0 => Ok(()),
                _ => Err(Refusal::bad("a request that reads has no body")),
            };
        }
        let why = "the body's length is not stated (Content-Length)";
        let length = length.ok_or_else(|| Refusal::new(Status::LengthRequired, why))?;
        if length > MOST_BODY_BYTES as u64 {
            let why = format!(
                "the body has {length} bytes, at most {MOST_BODY_BYTES} are taken; `yardstick import` takes any number"
            );
            return Err(Refusal::new(Status::BodyTooLarge, why));
        }
        let length = length as usize;
        self.body = std::mem::take(&mut self.begun);
        let deadline = Instant::now() + BODY_TIME;
        while self.body.len() < length {
            let room = length - self.body.len();
            match stream::read(stream, &mut self.body, room, deadline) {
                Ok(0) => return Err(Refusal::bad("the body is shorter than its stated length")),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    return Err(Refusal::late("the body of the request", BODY_TIME));
                }
                Err(_) => return Err(Refusal::bad("the body could not be read")),
            }
        }
        self.body.truncate(length);
        Ok(())
    }

    fn length(&self) -> Result<Option<u64>, Refusal> {
        if self.header("transfer-encoding")?.is_some() {
            let why = "transfer encodings are not taken: state the length (Content-Length)";
            return Err(Refusal::new(Status::NotImplemented, why));
        }
        let Some(text) = self.header("content-length")? else { return Ok(None) };
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let length = text.parse().ok().filter(|_| digits);
        length.map(Some).ok_or_else(|| Refusal::bad("Content-Length is no number"))
    }

    /// A header that may be there once; twice is an attempt to be read in two ways.
    pub(crate) fn header(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        match (found.next(), found.next()) {
            (first, None) => Ok(first.map(|(_, value)| value.as_str())),
            _ => Err(Refusal::bad(format!("the header {name} is there twice"))),
        }
    }
}

/// The request, when its head is whole.
fn parse(bytes: &[u8]) -> Result<Option<Request>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let end = match head.parse(bytes) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            let why = format!("there are more than {MOST_HEADERS} headers");
            return Err(Refusal::new(Status::HeadTooLarge, why));
        }
        Err(error) => return Err(Refusal::bad(format!("this is no HTTP request: {error}"))),
    };
    let method = match head.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        Some("POST") => Method::Post,
        _ => {
            let why = "only GET, HEAD and POST are answered";
            return Err(Refusal::new(Status::MethodNotAllowed, why));
        }
    };
    let target = head.path.unwrap_or_default();
    if target.len() > MOST_TARGET_BYTES {
        let why = format!("the address has more than {MOST_TARGET_BYTES} bytes");
        return Err(Refusal::new(Status::TargetTooLong, why));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).ok();
    let headers = head.headers.iter().map(|header| {
        let value = text(header.value).ok_or_else(|| Refusal::bad("a header is not UTF-8"))?;
        Ok((header.name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Ok(Some(Request {
        method,
        path: path.to_owned(),
        query: Query::parse(query)?,
        headers: headers.collect::<Result<_, Refusal>>()?,
        begun: bytes[end..].to_vec(),
        body: Vec::new(),
    }))
}
