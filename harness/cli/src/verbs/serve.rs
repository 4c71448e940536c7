//! `yardstick serve`: the local page, until Ctrl-C.

use std::net::SocketAddr;

use anyhow::Result;
use yardstick_serve::{Options, Server, Token};
use yardstick_store::Store;

use crate::args::Serve;
use crate::paths::Paths;
use crate::verbs::DONE;
use crate::{console, interrupt};

/// Serves, says where, and ends with Ctrl-C.
pub(crate) fn run(paths: &Paths, args: &Serve) -> Result<u8> {
    // Made, or brought up to date, where it can be written; else it is read as it is.
    if let Err(error) = Store::open(&paths.store)
        && !paths.store.exists()
    {
        return Err(error.into());
    }
    let token = Token::new()?;
    let server = Server::bind(Options {
        store: paths.store.clone(),
        listen: SocketAddr::new(args.listen, args.port),
        is_lan: args.lan,
        names: args.name.clone(),
        token: token.clone(),
        tool: format!("yardstick {}", env!("CARGO_PKG_VERSION")),
        tell: Box::new(|words| console::tell(words)),
    })?;
    let stop = interrupt::flag()?;
    console::say(server.url())?;
    console::tell(format!("token for uploads: {}", token.text()));
    console::tell("Ctrl-C ends it");
    server.serve(&stop)?;
    Ok(DONE)
}
