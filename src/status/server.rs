//! The listener: a bounded number of connections, each for one request and a bounded time, so that no client takes more
//! of the daemon than that.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::status::answer::Site;

/// Connections that are served at once.
const CONNECTIONS: usize = 64;
/// Connections that get a 503 at once while all of these are taken; further ones wait to be accepted.
const REFUSALS: usize = 128;
/// How long a connection is served.
const LIFETIME: Duration = Duration::from_secs(10);
/// The most bytes of a request's head.
const HEAD_BYTES: usize = 8 * 1024;
/// After an answer, what the client still sends is read for so long and so far: a connection that is closed with unread
/// bytes is reset, and the client may lose the answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 4 * 1024 * 1024;
/// The pause after a connection could not be accepted.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What a connection gets that is one too many.
const BUSY: &str = "too many connections: try again in a moment\n";

/// A listener that serves until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    site: Arc<RwLock<Arc<Site>>>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Begins to listen and to serve.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub(crate) async fn start(address: SocketAddr, site: Site) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let site = Arc::new(RwLock::new(Arc::new(site)));
        let task = tokio::spawn(accept(listener, Arc::clone(&site)));
        Ok(Self { address, site, task })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves another site from the next connection on.
    pub(crate) fn replace_site(&self, site: Site) {
        *self.site.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(site);
    }

    /// Closes the port and all connections, and returns when that is done.
    pub(crate) async fn close(mut self) {
        self.task.abort();
        // An aborted task has nothing to say.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Accepts connections for ever. Dropping it closes the port and ends all connections.
async fn accept(listener: TcpListener, site: Arc<RwLock<Arc<Site>>>) {
    let (places, refusals) = (Arc::new(Semaphore::new(CONNECTIONS)), Arc::new(Semaphore::new(REFUSALS)));
    let mut connections = JoinSet::new();
    let mut fails = false;
    loop {
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                if !std::mem::replace(&mut fails, true) {
                    tracing::warn!("no connection to the status can be accepted: {error}");
                }
                tokio::time::sleep(AFTER_FAILURE).await;
                continue;
            }
        };
        fails = false;
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            let site = Arc::clone(&site.read().unwrap_or_else(PoisonError::into_inner));
            connections.spawn(async move {
                let _place = place;
                let _ = tokio::time::timeout(LIFETIME, serve(stream, &site)).await;
            });
        } else {
            let turn = Arc::clone(&refusals).acquire_owned().await;
            connections.spawn(async move {
                let _turn = turn;
                let _ = tokio::time::timeout(LINGER, refuse(stream)).await;
            });
        }
    }
}

/// Answers one request.
async fn serve(mut stream: TcpStream, site: &Site) {
    let service = service_fn(async |request| Ok::<_, Infallible>(site.answer(&request).await));
    let mut http = http1::Builder::new();
    // One request a connection, so that nobody keeps a place without asking. A client may close its half after asking.
    http.keep_alive(false).half_close(true).max_buf_size(HEAD_BYTES);
    // Whatever went wrong was between the client and the protocol, and is answered as far as it can be.
    let _ = http.serve_connection(TokioIo::new(&mut stream), service).await;
    let _ = tokio::time::timeout(LINGER, linger(&mut stream)).await;
}

/// Says that there are too many.
async fn refuse(mut stream: TcpStream) {
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Retry-After: 10\r\nConnection: close\r\n\r\n",
        BUSY.len()
    );
    if stream.write_all((head + BUSY).as_bytes()).await.is_ok() {
        linger(&mut stream).await;
    }
}

async fn linger(stream: &mut TcpStream) {
    // It may be closed already.
    let _ = stream.shutdown().await;
    let _ = tokio::io::copy(&mut stream.take(LINGER_BYTES), &mut tokio::io::sink()).await;
}
