//! Hostile mail servers, and attackers in between: replies from before encryption, endless lines and replies, and
//! replies that arrive byte by byte.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncBufRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;

/// Long limits, so that only the tests about limits wait for one.
const PATIENT: SmtpLimits = SmtpLimits {
    connect: Duration::from_secs(20),
    step: Duration::from_secs(20),
    message: Duration::from_secs(20),
    session: Duration::from_secs(60),
};

/// The most that an endless sender sends, so that a client without limits fails its test, not the machine.
const FLOOD: usize = 256 * 1024 * 1024;
/// What the system buffers between two sockets can be sent even if nobody reads it.
const UNREAD: usize = 64 * 1024 * 1024;

/// A certificate for 127.0.0.1, and the file with its certificate authority.
struct Identity {
    acceptor: TlsAcceptor,
    folder: tempfile::TempDir,
}

impl Identity {
    fn new() -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = authority.self_signed(&authority_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let certificate =
            CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), root.pem()).unwrap();
        Self { acceptor: TlsAcceptor::from(Arc::new(config)), folder }
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn settings(&self, port: u16, tls: Tls) -> SmtpSettings {
        SmtpSettings { tls, ca_file: Some(self.authority()), limits: PATIENT, ..settings(port) }
    }
}

/// Listens, and serves one connection.
async fn serve<F>(act: impl FnOnce(TcpStream) -> F + Send + 'static) -> (u16, JoinHandle<F::Output>)
where
    F: Future<Output: Send + 'static> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        act(stream).await
    });
    (port, served)
}

/// The next line that the client sends; `None` if it is gone.
async fn read_line(stream: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    let mut line = String::new();
    let length = stream.read_line(&mut line).await.unwrap_or_default();
    (length > 0).then(|| line.trim_end().to_owned())
}

/// What a normal server replies to this line.
fn usual(line: &str) -> &'static str {
    NORMAL_REPLIES.iter().find(|(begins, _)| line.starts_with(begins)).map_or("500 what?", |(_, reply)| *reply)
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    // The client may have gone away.
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.flush().await;
}

/// Serves as a normal server would until the client goes away; returns what it received.
async fn serve_normally(stream: &mut (impl AsyncBufRead + AsyncWrite + Unpin)) -> Vec<String> {
    let (mut received, mut in_message) = (Vec::new(), false);
    while let Some(line) = read_line(stream).await {
        if !in_message || line == "." {
            say(stream, &format!("{}\r\n", usual(&line))).await;
            in_message = line == "DATA";
        }
        received.push(line);
    }
    received
}

/// Greets, offers STARTTLS, and replies to it with these pieces, one after another.
async fn up_to_encryption(stream: TcpStream, offer: &str, pieces: &[&str]) -> TcpStream {
    stream.set_nodelay(true).unwrap();
    let mut stream = BufReader::new(stream);
    say(&mut stream, "220 mail.example.com\r\n").await;
    read_line(&mut stream).await;
    say(&mut stream, offer).await;
    read_line(&mut stream).await;
    for piece in pieces {
        say(&mut stream, piece).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stream.into_inner()
}

const OFFER: &str = "250-mail.example.com\r\n250 STARTTLS\r\n";

/// All replies that a client waits for from the second EHLO on.
const FORGED: &str = "250 hello\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 queued\r\n221 bye\r\n";

#[tokio::test]
async fn replies_from_before_encryption_are_never_believed_after_it() {
    let in_one = format!("220 go\r\n{FORGED}");
    let behind_two_lines = format!("220-ready\r\n220 go\r\n{FORGED}");
    let with_the_offer = format!("{OFFER}220 go\r\n{FORGED}");
    let cases: [(&str, String, Vec<String>); 5] = [
        ("in one piece", OFFER.to_owned(), vec![in_one]),
        ("behind a reply of two lines", OFFER.to_owned(), vec![behind_two_lines]),
        ("in a piece of its own", OFFER.to_owned(), vec!["220 go\r\n".to_owned(), FORGED.to_owned()]),
        ("with half a reply", OFFER.to_owned(), vec!["220 g".to_owned(), format!("o\r\n{FORGED}")]),
        ("before STARTTLS was requested", with_the_offer, vec![]),
    ];
    for (how, offer, pieces) in cases {
        let identity = Identity::new();
        let acceptor = identity.acceptor.clone();
        let (port, served) = serve(async move |stream| {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let stream = up_to_encryption(stream, &offer, &pieces).await;
            let Ok(stream) = acceptor.accept(stream).await else { return Vec::new() };
            let mut stream = BufReader::new(stream);
            let mut received = Vec::new();
            while let Some(line) = read_line(&mut stream).await {
                // The real server refuses everything: no mail was accepted.
                received.push(line);
                say(&mut stream, "554 no\r\n").await;
            }
            received
        })
        .await;
        let sent = send(&identity.settings(port, Tls::StartTls), &message()).await;
        let error = sent.expect_err(how);
        assert!(error.is_retryable() && !error.outcome_unknown(), "{how}: {error:?}");
        assert_eq!(error.step, DeliveryStep::StartTls, "{how}: {error}");
        let received = served.await.unwrap();
        assert!(received.iter().all(|line| !line.starts_with("MAIL")), "{how}: {received:?}");
    }
}

#[tokio::test]
async fn what_a_server_offers_in_clear_is_forgotten_when_it_is_encrypted() {
    let identity = Identity::new();
    let acceptor = identity.acceptor.clone();
    let (port, _served) = serve(async move |stream| {
        let offer = "250-mail.example.com\r\n250-STARTTLS\r\n250-SMTPUTF8\r\n250 8BITMIME\r\n";
        let stream = up_to_encryption(stream, offer, &["220-soon\r\n220 go\r\n"]).await;
        let mut stream = BufReader::new(acceptor.accept(stream).await.unwrap());
        serve_normally(&mut stream).await
    })
    .await;
    let mut message = message();
    message.to = vec!["çağrı@example.com".to_owned()];
    let error = send(&identity.settings(port, Tls::StartTls), &message).await.unwrap_err();
    assert_eq!(sort(&error), (DeliveryStep::Sender, FailureKind::Permanent), "{error}");
    assert!(error.text.contains("SMTPUTF8"), "{error}");
}

#[tokio::test]
async fn a_mail_goes_through_either_kind_of_encryption() {
    for tls in [Tls::StartTls, Tls::Wrapper] {
        let identity = Identity::new();
        let acceptor = identity.acceptor.clone();
        let (port, served) = serve(async move |mut stream| {
            if tls == Tls::StartTls {
                stream = up_to_encryption(stream, OFFER, &["220-soon\r\n", "220 go\r\n"]).await;
            }
            let mut stream = BufReader::new(acceptor.accept(stream).await.unwrap());
            if tls == Tls::Wrapper {
                say(&mut stream, "220 mail.example.com\r\n").await;
            }
            serve_normally(&mut stream).await
        })
        .await;
        let settings = SmtpSettings { login: Some(login()), ..identity.settings(port, tls) };
        let delivery = send(&settings, &message()).await.unwrap();
        assert_eq!(delivery, Delivery { accepted: message().to, refused: vec![] });
        let received = served.await.unwrap();
        for line in ["MAIL FROM:<backup@example.com>", "first", "..dot", ".", "QUIT"] {
            assert!(received.iter().any(|it| it == line), "{line} is not in {received:?}");
        }
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_needs_a_person() {
    for (tls, step) in [(Tls::StartTls, DeliveryStep::StartTls), (Tls::Wrapper, DeliveryStep::Connect)] {
        let (identity, other) = (Identity::new(), Identity::new());
        let acceptor = identity.acceptor.clone();
        let (port, _served) = serve(async move |mut stream| {
            if tls == Tls::StartTls {
                stream = up_to_encryption(stream, OFFER, &["220 go\r\n"]).await;
            }
            acceptor.accept(stream).await.is_ok()
        })
        .await;
        let error = send(&other.settings(port, tls), &message()).await.unwrap_err();
        assert_eq!(sort(&error), (step, FailureKind::Misconfigured), "{error}");
        assert!(error.text.contains("certificate"), "{error}");
    }
}

/// Serves normally until the client's line begins with `at` ("greeting": from the start); then sends `what` repeatedly,
/// up to `FLOOD` bytes, and counts them.
async fn flood(mut stream: impl AsyncBufRead + AsyncWrite + Unpin, at: &str, what: &str, sent: Arc<AtomicUsize>) {
    let (mut in_message, mut line) = (false, Some("greeting".to_owned()));
    while let Some(text) = line {
        if text.starts_with(at) {
            let block = what.repeat(64 * 1024 / what.len());
            while sent.load(Ordering::Relaxed) < FLOOD && stream.write_all(block.as_bytes()).await.is_ok() {
                sent.fetch_add(block.len(), Ordering::Relaxed);
            }
            return;
        }
        if !in_message {
            say(&mut stream, &format!("{}\r\n", usual(&text))).await;
            in_message = text == "DATA";
        }
        line = read_line(&mut stream).await;
    }
}

/// The error of a delivery to a flooding server, in clear text or encrypted; asserts that it was cut off long before
/// the end of the flood.
async fn flooded(tls: Tls, at: &'static str, what: &'static str) -> DeliveryError {
    let identity = Identity::new();
    let acceptor = identity.acceptor.clone();
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let (port, served) = serve(async move |stream| match tls {
        Tls::None => flood(BufReader::new(stream), at, what, counted).await,
        _ => flood(BufReader::new(acceptor.accept(stream).await.unwrap()), at, what, counted).await,
    })
    .await;
    let error = send(&identity.settings(port, tls), &message()).await.unwrap_err();
    served.await.unwrap();
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent < UNREAD, "{sent} bytes were taken of {what:?} at {at:?} by {tls:?}: {error}");
    error
}

#[tokio::test]
async fn an_endless_line_is_cut_off_in_clear_text_and_encrypted() {
    for tls in [Tls::None, Tls::Wrapper] {
        for (at, step, kind) in [
            ("greeting", DeliveryStep::Greeting, FailureKind::NeverSent),
            ("EHLO", DeliveryStep::Greeting, FailureKind::NeverSent),
            ("RCPT", DeliveryStep::Recipients, FailureKind::NeverSent),
            (".", DeliveryStep::Message, FailureKind::Ambiguous),
        ] {
            let error = flooded(tls, at, "250 and so on ").await;
            assert_eq!(sort(&error), (step, kind), "{at:?} {tls:?}: {error}");
            assert!(error.text.contains("longer than 4096 bytes"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_endless_reply_is_cut_off_in_clear_text_and_encrypted() {
    for tls in [Tls::None, Tls::Wrapper] {
        for what in ["250-x\r\n", "250-a line that is as long as lines of such replies are as a rule\r\n"] {
            let error = flooded(tls, "MAIL", what).await;
            assert_eq!(sort(&error), (DeliveryStep::Sender, FailureKind::NeverSent), "{error}");
            assert!(error.text.contains("more than 1048576 bytes"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_line_of_exactly_4_kib_is_read() {
    let (port, _served) = serve(async |stream| {
        let mut stream = BufReader::new(stream);
        // With the code, the blank and the end of the line.
        say(&mut stream, &format!("220 {}\r\n", "x".repeat(4096 - 6))).await;
        read_line(&mut stream).await;
        say(&mut stream, &format!("250-{}\r\n250 {}\r\n", "x".repeat(4096 - 6), "x".repeat(4097 - 6))).await;
    })
    .await;
    let settings = SmtpSettings { limits: PATIENT, ..settings(port) };
    let error = send(&settings, &message()).await.unwrap_err();
    assert!(error.text.contains("longer than 4096 bytes"), "the greeting and the first line are read: {error}");
}

/// Sends a byte every 5 ms.
async fn drip(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    for byte in text.as_bytes() {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
    }
}

/// How long a delivery took to fail.
async fn failed_after(settings: &SmtpSettings, message: &OutboxMessage) -> (DeliveryError, Duration) {
    let begun = tokio::time::Instant::now();
    let error = send(settings, message).await.unwrap_err();
    (error, begun.elapsed())
}

#[tokio::test]
async fn a_reply_that_comes_byte_by_byte_does_not_stretch_its_step() {
    let (port, _served) = serve(async |stream| {
        let mut stream = BufReader::new(stream);
        drip(&mut stream, &"220-and so on\r\n".repeat(100)).await;
    })
    .await;
    let limits = SmtpLimits { step: Duration::from_millis(400), ..PATIENT };
    let (error, took) = failed_after(&SmtpSettings { limits, ..settings(port) }, &message()).await;
    assert_eq!(sort(&error), (DeliveryStep::Greeting, FailureKind::NeverSent), "{error}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn steps_that_are_each_in_time_do_not_stretch_the_session() {
    let serve_slowly = async |stream: TcpStream| {
        let mut stream = BufReader::new(stream);
        let mut line = Some("greeting".to_owned());
        while let Some(text) = line {
            drip(&mut stream, &format!("{}\r\n", usual(&text))).await;
            line = read_line(&mut stream).await;
        }
    };
    let (port, _served) = serve(serve_slowly).await;
    let limits = SmtpLimits { session: Duration::from_secs(2), ..PATIENT };
    let many = OutboxMessage { to: (0..100).map(|number| format!("a{number}@example.com")).collect(), ..message() };
    let (error, took) = failed_after(&SmtpSettings { limits, ..settings(port) }, &many).await;
    assert_eq!(sort(&error), (DeliveryStep::Recipients, FailureKind::NeverSent), "{error}");
    assert!(error.text.contains("session"), "{error}");
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn no_session_is_longer_than_two_minutes() {
    let limits = SmtpLimits::default();
    assert_eq!(limits.session, Duration::from_mins(2));
    assert!([limits.connect, limits.step, limits.message].iter().all(|limit| *limit <= limits.session));
}

#[tokio::test]
async fn if_the_session_ends_before_the_last_reply_acceptance_is_unknown() {
    let script = vec![(".", Silence)];
    let (port, _serve) = server(script).await;
    let limits = SmtpLimits { session: Duration::from_secs(1), ..PATIENT };
    let (error, took) = failed_after(&SmtpSettings { limits, ..settings(port) }, &message()).await;
    assert_eq!(sort(&error), (DeliveryStep::Message, FailureKind::Ambiguous), "{error}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn an_unsolicited_reply_is_not_used_for_the_next_command() {
    // One that accepts the message before it was sent, and one that is a reply ahead from the start.
    for (line, reply, step) in [
        ("DATA", "354 go on\r\n250 queued", DeliveryStep::Message),
        ("EHLO", "250 mail.example.com\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 queued", DeliveryStep::Sender),
    ] {
        let error = fault(vec![(line, Say(reply))], |_| ()).await;
        assert_eq!(sort(&error), (step, FailureKind::NeverSent), "{error}");
        assert!(error.text.contains("before its command"), "{error}");
    }
}
