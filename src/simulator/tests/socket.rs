//! Over a socket: what cannot be seen in-process. A bare client shows what is on the wire.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

struct Served {
    stage: Stage,
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

async fn served() -> Served {
    let stage = Stage::new(Options::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(serve(listener, stage.simulator.clone(), async {
        let _ = stopped.await;
    }));
    Served { stage, address, stop, task }
}

impl Served {
    async fn connect(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer vps_a\r\n");
        stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
        stream
    }

    /// Everything that was answered until the connection ended, in whatever way.
    async fn get(&self, path: &str) -> String {
        let mut stream = self.connect(path).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        String::from_utf8(bytes).unwrap()
    }
}

/// Connects from another address of loopback: from the same one, a closed port of the ephemeral range would sooner or
/// later be reached from itself.
async fn knock(address: std::net::SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind("127.0.0.2:0".parse().unwrap())?;
    socket.connect(address).await
}

#[tokio::test]
async fn an_answer_comes_over_the_socket() {
    let served = served().await;
    let answer = served.get("/api/v1/servers/").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("date: Sat, 21 Nov 2026 02:30:00 GMT"), "{answer}");
    assert!(served.get("/_control/state").await.contains("web-server-03"));
}

#[tokio::test]
async fn a_reset_leaves_not_a_byte() {
    let served = served().await;
    served.stage.simulator.add_fault(Rule::new(Effect::Reset { carried_out: false }).times(1));
    assert_eq!(served.get("/api/v1/servers/").await, "");
    assert!(served.get("/api/v1/servers/").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_broken_body_ends_before_its_end() {
    let served = served().await;
    served.stage.simulator.add_fault(Rule::new(Effect::BrokenBody {}));
    let answer = served.get("/api/v1/servers/").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn an_outage_closes_the_port_and_ends() {
    let served = served().await;
    served.stage.simulator.refuse_for(Duration::from_millis(200));
    while knock(served.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    while knock(served.address).await.is_err() {
        tokio::task::yield_now().await;
    }
    served.stage.advance(1);
    assert!(served.get("/api/v1/servers/").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_end_cuts_connections_that_are_silent() {
    let served = served().await;
    served.stage.simulator.add_fault(Rule::new(Effect::Silence { seconds: None, carried_out: false }));
    let mut stream = served.connect("/api/v1/servers/").await;
    while served.stage.simulator.with_account(|account| account.record().requests().count()) == 0 {
        tokio::task::yield_now().await;
    }
    served.stop.send(()).unwrap();
    served.task.await.unwrap().unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    assert!(bytes.is_empty());
}
