//! A local page over the store: runs, reports, trends, comparisons, a run as it goes on, metrics and a JSON API. It measures
//! nothing, opens no file but the store, and asks nothing of any other machine.
//!
//! What it lets in is bounded in `limits`, refused in `guard`, and listed in `routes`.
#![forbid(unsafe_code)]

mod api;
mod cache;
mod error;
mod guard;
mod http;
mod import;
mod limits;
mod pages;
mod routes;
mod server;
mod site;
mod stores;
mod token;

pub use error::Error;
pub use limits::{MOST_BODY_BYTES, MOST_HEAD_BYTES};
pub use routes::routes;
pub use server::{Options, Server};
pub use token::Token;
