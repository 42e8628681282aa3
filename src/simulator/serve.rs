//! The simulator behind a socket. hyper cannot leave a request unanswered, so connections can be cut here. A
//! [`LostAnswer`] cuts its connection, an outage also closes the port, and shutdown cuts all open connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::serve::{IncomingStream, Listener};
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::answers::LostAnswer;
use super::provider::Simulator;

/// Serves until `shutdown` completes, then cuts open connections and returns.
///
/// # Errors
/// If the listener's address cannot be read, or serving fails.
pub async fn serve(
    listener: TcpListener,
    simulator: Simulator,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let open = Arc::new(OpenConnections::default());
    let mut outage = simulator.outage.subscribe();
    if simulator.is_refusing() {
        // The outage began before we subscribed to it.
        outage.mark_changed();
    }
    let address = listener.local_addr()?;
    let port = PortListener { address, listener: Some(listener), outage, open: open.clone() };
    let router = simulator.router().layer(middleware::from_fn_with_state((), cut_lost));
    let shut = async move {
        shutdown.await;
        open.cut();
    };
    axum::serve(port, router.into_make_service_with_connect_info::<Peer>()).with_graceful_shutdown(shut).await
}

/// Cuts the connection instead of sending a lost answer. Protects the control endpoint from other machines, and from
/// web pages that reach it through a host name of their own.
async fn cut_lost(
    State(()): State<()>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path().starts_with("/_control") {
        if !peer.address.ip().is_loopback() {
            return StatusCode::FORBIDDEN.into_response();
        }
        if !is_meant_for_loopback(&request) {
            return StatusCode::MISDIRECTED_REQUEST.into_response();
        }
    }
    let response = next.run(request).await;
    if LostAnswer::of(&response).is_some() {
        peer.cutter.cut();
    }
    response
}

/// Whether the request names at least one host, and every one is a loopback address or `localhost`.
fn is_meant_for_loopback(request: &Request) -> bool {
    let headers = request.headers().get_all(HOST).iter();
    let named = headers.map(|value| value.to_str().ok().and_then(|text| text.parse::<Authority>().ok()));
    let named: Vec<_> = named.chain(request.uri().authority().cloned().map(Some)).collect();
    !named.is_empty() && named.iter().all(|authority| authority.as_ref().is_some_and(is_loopback))
}

fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The peer of a connection, and the means to cut it.
#[derive(Clone)]
struct Peer {
    address: SocketAddr,
    cutter: Arc<Cutter>,
}

impl Connected<IncomingStream<'_, PortListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, PortListener>) -> Self {
        Self { address: *stream.remote_addr(), cutter: stream.io().cutter.clone() }
    }
}

/// Cuts one connection.
#[derive(Default)]
struct Cutter {
    cut: AtomicBool,
    reader: AtomicWaker,
}

impl Cutter {
    fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.reader.wake();
    }

    fn check(&self) -> io::Result<()> {
        if self.cut.load(Ordering::Acquire) {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the simulator cut the connection"));
        }
        Ok(())
    }
}

/// The open connections.
#[derive(Default)]
struct OpenConnections(Mutex<Vec<Weak<Cutter>>>);

impl OpenConnections {
    fn add(&self, cutter: &Arc<Cutter>) {
        let mut cutters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cutters.retain(|cutter| cutter.strong_count() > 0);
        cutters.push(Arc::downgrade(cutter));
    }

    fn cut(&self) {
        let cutters = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        cutters.iter().filter_map(Weak::upgrade).for_each(|cutter| cutter.cut());
    }
}

/// A port that can be closed for a while.
struct PortListener {
    address: SocketAddr,
    listener: Option<TcpListener>,
    outage: watch::Receiver<Duration>,
    open: Arc<OpenConnections>,
}

impl PortListener {
    /// Closes the port for this long.
    async fn close_for(&mut self, duration: Duration) {
        self.listener = None;
        self.open.cut();
        tokio::time::sleep(duration).await;
    }
}

impl Listener for PortListener {
    type Io = CuttableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (CuttableStream, SocketAddr) {
        loop {
            let Some(listener) = &self.listener else {
                match TcpListener::bind(self.address).await {
                    Ok(listener) => self.listener = Some(listener),
                    // Another process has the port at the moment.
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
                continue;
            };
            tokio::select! {
                biased;
                Ok(()) = self.outage.changed() => {
                    let duration = *self.outage.borrow_and_update();
                    self.close_for(duration).await;
                }
                accepted = listener.accept() => match accepted {
                    Ok((stream, address)) => {
                        let cutter = Arc::new(Cutter::default());
                        self.open.add(&cutter);
                        return (CuttableStream { stream, cutter }, address);
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A connection that can be cut.
struct CuttableStream {
    stream: TcpStream,
    cutter: Arc<Cutter>,
}

impl AsyncRead for CuttableStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Registered before the check, so that a cut in between wakes the task.
        self.cutter.reader.register(cx.waker());
        self.cutter.check()?;
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.cutter.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cutter.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
