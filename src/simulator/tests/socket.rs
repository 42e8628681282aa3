//! What only a socket shows. A minimal client shows what is on the wire.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

struct Served {
    provider: TestProvider,
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

async fn served() -> Served {
    let provider = TestProvider::new(Options::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(serve(listener, provider.simulator.clone(), async {
        let _ = stopped.await;
    }));
    Served { provider, address, stop, task }
}

impl Served {
    async fn connect(&self, path: &str) -> TcpStream {
        self.connect_as(path, &format!("Host: {}\r\n", self.address)).await
    }

    async fn connect_as(&self, path: &str, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\n{headers}Authorization: Bearer vps_a\r\n");
        stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
        stream
    }

    /// Everything that was answered until the connection ended for any reason.
    async fn get(&self, path: &str) -> String {
        Self::answer(self.connect(path).await).await
    }

    async fn answer(mut stream: TcpStream) -> String {
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
async fn the_control_endpoint_answers_only_to_names_of_this_machine() {
    let served = served().await;
    let port = served.address.port();
    let status = async |path: &str, headers: &str| {
        let answer = Served::answer(served.connect_as(path, headers).await).await;
        answer.get(9..12).unwrap_or_default().to_owned()
    };
    for host in ["127.0.0.1", "127.8.8.8", "localhost", "LocalHost", "[::1]"] {
        assert_eq!(status("/_control/state", &format!("Host: {host}:{port}\r\n")).await, "200", "{host}");
        assert_eq!(status("/_control/state", &format!("Host: {host}\r\n")).await, "200", "{host}");
    }
    // A name that a web page points here, and names that look like ours.
    for host in
        ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "10.0.0.1", "", "[::2]", "a b"]
    {
        assert_eq!(status("/_control/state", &format!("Host: {host}:{port}\r\n")).await, "421", "{host}");
    }
    let two = format!("Host: 127.0.0.1:{port}\r\nHost: evil.example\r\n");
    assert_eq!(status("/_control/state", &two).await, "421");
    let absolute = format!("http://evil.example:{port}/_control/state");
    assert_eq!(status(&absolute, &format!("Host: 127.0.0.1:{port}\r\n")).await, "421");
    assert_eq!(status("/_control/state", "").await, "421");
    // The API only requires its token.
    assert_eq!(status("/api/v1/servers/", "Host: evil.example\r\n").await, "200");
}

#[tokio::test]
async fn a_reset_sends_nothing() {
    let served = served().await;
    served.provider.simulator.add_fault(Rule::new(Effect::Reset { carried_out: false }).times(1));
    assert_eq!(served.get("/api/v1/servers/").await, "");
    assert!(served.get("/api/v1/servers/").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_broken_body_ends_before_its_end() {
    let served = served().await;
    served.provider.simulator.add_fault(Rule::new(Effect::BrokenBody {}));
    let answer = served.get("/api/v1/servers/").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn an_outage_closes_the_port_and_ends() {
    let served = served().await;
    served.provider.simulator.refuse_for(Duration::from_millis(200));
    while knock(served.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    while knock(served.address).await.is_err() {
        tokio::task::yield_now().await;
    }
    served.provider.advance(1);
    assert!(served.get("/api/v1/servers/").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_end_cuts_connections_that_are_silent() {
    let served = served().await;
    served.provider.simulator.add_fault(Rule::new(Effect::Silence { seconds: None, carried_out: false }));
    let mut stream = served.connect("/api/v1/servers/").await;
    while served.provider.simulator.with_account(|account| account.record().requests().count()) == 0 {
        tokio::task::yield_now().await;
    }
    served.stop.send(()).unwrap();
    served.task.await.unwrap().unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    assert!(bytes.is_empty());
}
