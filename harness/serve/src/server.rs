//! The server: listens, hands each connection to a thread of its own within a bound, and ends when it is told to.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::guard::Guard;
use crate::limits::{MOST_CONNECTIONS, STOP_TIME};
use crate::site::Site;
use crate::stores::Stores;
use crate::{Error, Token, http};

/// How a page is to be served.
pub struct Options {
    /// The store of records.
    pub store: PathBuf,
    /// Where to listen; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Other machines may reach it: meant, not an accident.
    pub is_lan: bool,
    /// Further names this machine is asked for by.
    pub names: Vec<String>,
    /// What uploads, and requests from other machines, must show.
    pub token: Token,
    /// The program, as pages name it.
    pub tool: String,
    /// Takes what goes wrong and must not be told to a client.
    pub tell: Box<dyn Fn(&str) + Send + Sync>,
}

/// A page that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    site: Arc<Site>,
}

/// How often the end is asked for.
const TICK: Duration = Duration::from_millis(50);
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 33\r\n\
Retry-After: 1\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n\r\ntoo many connections, come again\n";

impl Server {
    /// Opens the store and listens.
    pub fn bind(options: Options) -> Result<Server, Error> {
        let Options { store, listen, is_lan, names, token, tool, tell } = options;
        if !listen.ip().is_loopback() && !is_lan {
            return Err(Error::Exposed(listen));
        }
        if let Some(name) = names.iter().find(|name| !is_host_name(name)) {
            return Err(Error::HostName(name.clone()));
        }
        let stores = Stores::open(store)?;
        let failed = |source| Error::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let guard = Guard::new(address, &names, token);
        Ok(Server { listener, address, site: Arc::new(Site::new(stores, guard, tool, tell)) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for a browser, with the token where it is needed.
    pub fn url(&self) -> String {
        let guard = &self.site.guard;
        match guard.is_exposed {
            true => format!("http://{}/?token={}", self.address, guard.token.text()),
            false => format!("http://{}/", self.address),
        }
    }

    /// Serves until `stop` is set; requests that are being answered then are given a moment.
    pub fn serve(self, stop: &AtomicBool) -> Result<(), Error> {
        let Server { listener, address, site } = self;
        let ending = Arc::new(AtomicBool::new(false));
        let active = Arc::new(AtomicUsize::new(0));
        let acceptor = {
            let (ending, active) = (Arc::clone(&ending), Arc::clone(&active));
            std::thread::spawn(move || accept(&listener, &site, &ending, &active))
        };
        while !stop.load(Ordering::SeqCst) && !acceptor.is_finished() {
            std::thread::sleep(TICK);
        }
        ending.store(true, Ordering::SeqCst);
        // It waits for a connection: this is one.
        let _ = TcpStream::connect_timeout(&reachable(address), TICK);
        let deadline = Instant::now() + STOP_TIME;
        while active.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            std::thread::sleep(TICK);
        }
        Ok(())
    }
}

fn accept(
    listener: &TcpListener,
    site: &Arc<Site>,
    ending: &AtomicBool,
    active: &Arc<AtomicUsize>,
) {
    loop {
        let accepted = listener.accept();
        if ending.load(Ordering::SeqCst) {
            return;
        }
        match accepted {
            Ok((stream, _)) => begin(stream, site, active),
            // Out of files, say: it passes, and must not spin.
            Err(_) => std::thread::sleep(TICK),
        }
    }
}

fn begin(mut stream: TcpStream, site: &Arc<Site>, active: &Arc<AtomicUsize>) {
    if active.fetch_add(1, Ordering::SeqCst) >= MOST_CONNECTIONS {
        active.fetch_sub(1, Ordering::SeqCst);
        let _ = stream.set_write_timeout(Some(TICK));
        let _ = stream.write_all(BUSY);
        return;
    }
    let place = Place(Arc::clone(active));
    let site = Arc::clone(site);
    let started = std::thread::Builder::new().name("connection".into()).spawn(move || {
        let _place = place;
        http::answer(stream, &site);
    });
    // Without a thread the closure is dropped, and with it the place and the connection.
    drop(started);
}

/// A connection that counts until it ends, however it ends.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An address that one can connect to: not "any".
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

fn is_host_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    (1..=253).contains(&name.len()) && name.chars().all(good)
}
