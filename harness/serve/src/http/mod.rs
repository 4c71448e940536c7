//! HTTP/1.1, as little as a page needs: one request a connection, a bounded head and body, deadlines for both.

mod connection;
mod query;
mod request;
mod response;
mod stream;

pub(crate) use connection::answer;
pub(crate) use query::{Query, encoded};
pub(crate) use request::{Method, Request};
pub(crate) use response::{Kind, Refusal, Response, Status};
