//! One connection: a request, its answer, and the end of it.

use std::net::TcpStream;
use std::time::Instant;

use super::request::{Method, Request};
use super::response::{Refusal, Response};
use super::stream;
use crate::limits::{ANSWER_TIME, LINGER_TIME, MOST_BODY_BYTES};
use crate::site::Site;
use crate::{guard, pages, routes};

/// Reads a request, answers it and closes the connection. A client that leaves is no error.
pub(crate) fn answer(mut stream: TcpStream, site: &Site) {
    let _ = stream.set_nodelay(true);
    let (path, is_head, answered) = match Request::read(&mut stream) {
        Ok(None) => return,
        Ok(Some(mut request)) => {
            let answered = handled(&mut stream, site, &mut request);
            (request.path, request.method == Method::Head, answered)
        }
        Err(refusal) => (String::new(), false, Err(refusal)),
    };
    let response = answered.unwrap_or_else(|refusal| refused(site, &path, refusal));
    send(&mut stream, &response, is_head);
    // More than the largest body that is let in, so that one a little too large gets its answer.
    stream::close(&mut stream, 2 * MOST_BODY_BYTES, LINGER_TIME);
}

fn handled(
    stream: &mut TcpStream,
    site: &Site,
    request: &mut Request,
) -> Result<Response, Refusal> {
    if let Some(elsewhere) = guard::admit(&site.guard, request)? {
        return Ok(elsewhere);
    }
    let route = routes::find(request)?;
    request.read_body(stream)?;
    (route.answer)(site, request)
}

fn refused(site: &Site, path: &str, refusal: Refusal) -> Response {
    if let Some(told) = &refusal.told {
        (site.tell)(told);
    }
    pages::refusal(site, path, &refusal)
}

fn send(stream: &mut TcpStream, response: &Response, is_head: bool) {
    let mut bytes = response.head().into_bytes();
    if !is_head {
        bytes.extend_from_slice(&response.body);
    }
    // Nobody is there to be told of a failure.
    let _ = stream::write(stream, &bytes, Instant::now() + ANSWER_TIME);
}
