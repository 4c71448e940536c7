//! What can go wrong before the page is served.

use std::net::SocketAddr;

/// The page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, not ours, or not allowed.
    #[error(
        "cannot listen on {address}: {source}; another --port may be free, and --port 0 takes any"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Not this machine alone, and not asked for in so many words.
    #[error(
        "{0} can be reached from other machines, and nothing is encrypted: whoever is on the network can read the token and every answer; pass --lan if that is meant"
    )]
    Exposed(SocketAddr),
    /// A name for the page that no browser could send.
    #[error("{0:?} is no host name: expected letters, digits, dots and hyphens")]
    HostName(String),
    /// The system has no randomness for the token.
    #[error("the system gives no random bytes for the token: {0}")]
    Random(getrandom::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] yardstick_store::Error),
}
