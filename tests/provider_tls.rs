//! The client against the simulated provider over real TLS: an authority that `ca_file` names is trusted, no other, and
//! the token is sent only after the certificate was accepted.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use lastgood::seams::clock::Clock;
use lastgood::seams::provider::{Client, ClientSettings};
use lastgood::simulator::{Options, Simulator};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

/// Accepts TLS connections and forgets those whose handshake fails, as any server does.
struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.tcp.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// The simulated provider with a certificate for `name`, and the certificate of its authority in a file.
struct TlsProvider {
    simulator: Simulator,
    port: u16,
    dir: tempfile::TempDir,
}

impl TlsProvider {
    async fn start(name: &str) -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = authority.self_signed(&authority_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = tcp.local_addr().unwrap().port();
        let simulator = Simulator::new(Options::default(), Arc::new(|| Clock::System.now()));
        let listener = TlsListener { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) };
        let router = simulator.router();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), root.pem()).unwrap();
        Self { simulator, port, dir }
    }

    fn client(&self, ca_file: Option<PathBuf>) -> Client {
        let settings = ClientSettings {
            url: format!("https://localhost:{}/api/v1", self.port),
            token: "vps_test".to_owned().into(),
            timeout: Duration::from_secs(5),
            requests_per_second: 1000,
            poll: Duration::from_millis(50),
            ca_file,
        };
        Client::new(settings, Clock::System).unwrap()
    }

    fn authority(&self) -> Option<PathBuf> {
        Some(self.dir.path().join("ca.pem"))
    }

    fn requests(&self) -> usize {
        self.simulator.account().record().requests().count()
    }
}

#[tokio::test]
async fn the_authority_of_ca_file_is_trusted() {
    let provider = TlsProvider::start("localhost").await;
    let servers = provider.client(provider.authority()).servers().await.unwrap();
    assert_eq!(servers.items[0].reference.name, "web-server-01");
}

#[tokio::test]
async fn an_unknown_authority_or_another_name_is_refused_before_anything_is_sent() {
    let unknown = TlsProvider::start("localhost").await;
    let named_otherwise = TlsProvider::start("elsewhere.example").await;
    for (provider, ca_file) in [(&unknown, None), (&named_otherwise, named_otherwise.authority())] {
        let error = provider.client(ca_file).token_info().await.unwrap_err();
        assert!(!error.outcome_unknown(), "nothing was sent: {error}");
        let words = error.to_string();
        assert!(words.contains("certificate"), "{words}");
        assert_eq!(provider.requests(), 0);
    }
}
