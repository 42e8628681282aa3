//! A gate between the program and the provider that counts requests and kills the program at a chosen one:
//! before the request gets through, after the provider has acted on it, or long before the provider gets to see it.

use std::net::SocketAddr;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// When, seen from a request, the program is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The provider never sees the request.
    Before,
    /// The provider has acted, the answer is not passed on.
    CarriedOut,
    /// The program dies, and the provider acts only after that: the request was on its way.
    OnItsWay,
    /// The answer was passed on.
    Answered,
}

/// How long a request that outlives its sender is on its way. Shorter than the client's timeout, as it would be.
const ON_ITS_WAY: Duration = Duration::from_millis(250);

/// Where to kill.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// The number of the request, from 1.
    pub request: usize,
    /// Before or after it.
    pub moment: Moment,
}

/// The process that dies. To wait for it, read its standard error to the end before locking it.
pub type Victim = Arc<Mutex<Child>>;

#[derive(Debug, Default)]
struct Watched {
    seen: Vec<String>,
    stop: Option<Stop>,
    victim: Option<Victim>,
}

/// The gate. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Gate {
    watched: Arc<Mutex<Watched>>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Gate {
    /// Opens a gate to this provider.
    pub async fn open(provider: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = Self { watched: Arc::default(), address: listener.local_addr().unwrap() };
        let open = gate.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let gate = open.clone();
                tokio::spawn(async move {
                    // A connection that breaks is what this is about.
                    let _ = gate.pass(stream, provider).await;
                });
            }
        });
        gate
    }

    /// Counts from 1 again, and kills this process at `stop`.
    pub fn watch(&self, victim: &Victim, stop: Option<Stop>) {
        *self.watched.lock().unwrap() = Watched { seen: Vec::new(), stop, victim: Some(Arc::clone(victim)) };
    }

    /// The requests since then, as `GET /api/v1/servers/`.
    pub fn seen(&self) -> Vec<String> {
        self.watched.lock().unwrap().seen.clone()
    }

    /// One connection, one request: both ends close after it.
    async fn pass(&self, mut client: TcpStream, provider: SocketAddr) -> std::io::Result<()> {
        let Some(request) = read_request(&mut client).await? else { return Ok(()) };
        let moment = self.count(&request);
        if moment == Some(Moment::Before) {
            self.kill();
            return Ok(());
        }
        if moment == Some(Moment::OnItsWay) {
            self.kill();
            tokio::time::sleep(ON_ITS_WAY).await;
        }
        let mut upstream = TcpStream::connect(provider).await?;
        upstream.write_all(&closing(&request)).await?;
        let mut answer = Vec::new();
        let whole = upstream.read_to_end(&mut answer).await;
        if moment == Some(Moment::CarriedOut) {
            self.kill();
        }
        whole?;
        client.write_all(&answer).await?;
        client.shutdown().await?;
        if moment == Some(Moment::Answered) {
            self.kill();
        }
        Ok(())
    }

    fn count(&self, request: &[u8]) -> Option<Moment> {
        let mut watched = self.watched.lock().unwrap();
        let line = String::from_utf8_lossy(request).lines().next().unwrap_or_default().to_owned();
        watched.seen.push(line.trim_end_matches(" HTTP/1.1").to_owned());
        let number = watched.seen.len();
        watched.stop.filter(|stop| stop.request == number).map(|stop| stop.moment)
    }

    fn kill(&self) {
        let victim = self.watched.lock().unwrap().victim.clone();
        victim.expect("a stop has a victim").lock().unwrap().kill().unwrap();
    }
}

/// Head and body; `None` when the connection is closed without one.
async fn read_request(client: &mut TcpStream) -> std::io::Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    loop {
        if let Some(end) = end_of_head(&request) {
            let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if request.len() >= end + length {
                return Ok(Some(request));
            }
        }
        if client.read_buf(&mut request).await? == 0 {
            return Ok(None);
        }
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// The same request with `Connection: close`, so that the provider's answer ends with its connection.
fn closing(request: &[u8]) -> Vec<u8> {
    let line = request.windows(2).position(|window| window == b"\r\n").unwrap() + 2;
    [&request[..line], b"Connection: close\r\n", &request[line..]].concat()
}
