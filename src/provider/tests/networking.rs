//! What a network and its middleboxes can do, simulated by scripted TCP servers in real time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::{TOKEN, backup, clock, server, settings};
use crate::policy::inventory::{Kind, ReadProof, ServerId};
use crate::provider::error::ErrorKind;
use crate::provider::transport::{ApiTransport, HttpRequest, HttpResponse, RequestLimits};
use crate::provider::{Client, ClientSettings, Power};

/// What a connection does after it has read a request.
#[derive(Clone)]
enum Then {
    /// Sends these bytes and closes.
    Send(Vec<u8>),
    /// Sends these bytes and then nothing, with the connection open.
    Stall(Vec<u8>),
    /// Resets the connection.
    Reset,
}

/// A server that follows one script per connection, repeating the last one, and the requests that it has read.
async fn scripted(scripts: Vec<Then>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v1", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let script = scripts[number.min(scripts.len() - 1)].clone();
            tokio::spawn(play(stream, script, log.clone()));
        }
    });
    (url, seen)
}

async fn play(mut stream: TcpStream, script: Then, log: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
    }
    log.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
    match script {
        Then::Send(bytes) => {
            // The client may hang up first, at its cap.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        }
        Then::Stall(bytes) => {
            stream.write_all(&bytes).await.unwrap();
            std::future::pending::<()>().await;
        }
        Then::Reset => stream.set_zero_linger().unwrap(),
    }
}

fn answer(head: &str, body: &[u8]) -> Then {
    let mut bytes =
        format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    Then::Send(bytes)
}

async fn sent(url: &str, timeout: Duration) -> Result<HttpResponse, ErrorKind> {
    let url: Url = format!("{url}/backups/?secret=1").parse().unwrap();
    let transport = ApiTransport::http(&url, timeout, Some(include_bytes!("authority.pem"))).unwrap();
    let authorization = HeaderValue::from_static("Bearer x");
    let request = HttpRequest { method: Method::POST, url, authorization, body: Some(b"{}".to_vec()) };
    transport
        .send(request, RequestLimits { timeout, body_cap: 64 * 1024, large: Arc::new(tokio::sync::Semaphore::new(1)) })
        .await
}

#[tokio::test]
async fn a_refused_connection_was_never_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let kind = sent(&url, Duration::from_secs(30)).await.unwrap_err();
    assert!(matches!(&kind, ErrorKind::NeverSent(why) if why.contains("refused")), "{kind:?}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_was_never_sent() {
    let kind = sent("http://no-such-host.invalid", Duration::from_secs(30)).await.unwrap_err();
    assert!(matches!(kind, ErrorKind::NeverSent(_)), "{kind:?}");
}

#[tokio::test]
async fn a_tls_connection_that_is_never_made_was_never_sent() {
    let timeout = Duration::from_secs(3);
    let (silent, _) = scripted(vec![Then::Stall(Vec::new())]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    for url in [silent.replace("http://", "https://"), plain] {
        let kind = sent(&url, timeout).await.unwrap_err();
        assert!(matches!(kind, ErrorKind::NeverSent(_)), "{kind:?}");
    }
}

#[tokio::test]
async fn what_breaks_after_the_request_may_have_been_carried_out() {
    for script in [
        Then::Reset,
        Then::Send(Vec::new()),
        Then::Send(b"this is no HTTP at all\r\n\r\n".to_vec()),
        Then::Send(b"HTTP/1.1 201 Crea".to_vec()),
    ] {
        let (url, seen) = scripted(vec![script]).await;
        let kind = sent(&url, Duration::from_secs(30)).await.unwrap_err();
        assert!(matches!(&kind, ErrorKind::Interrupted(why) if !why.contains("secret")), "{kind:?}");
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn silence_is_a_timeout_and_a_slow_body_is_a_broken_answer() {
    let timeout = Duration::from_secs(1);
    let (url, _) = scripted(vec![Then::Stall(Vec::new())]).await;
    assert_eq!(sent(&url, timeout).await.unwrap_err(), ErrorKind::Timeout(timeout));
    let (url, _) =
        scripted(vec![Then::Stall(b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{\"id\":".to_vec())]).await;
    let kind = sent(&url, timeout).await.unwrap_err();
    assert!(matches!(kind, ErrorKind::Broken { status: StatusCode::CREATED, .. }), "{kind:?}");
}

#[tokio::test]
async fn an_answer_cut_short_is_broken_and_its_status_known() {
    for bytes in [
        "HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{\"id\": 502",
        "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"id\": 5",
        "HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!",
    ] {
        let (url, _) = scripted(vec![Then::Send(bytes.into())]).await;
        let kind = sent(&url, Duration::from_secs(30)).await.unwrap_err();
        assert!(matches!(kind, ErrorKind::Broken { status: StatusCode::CREATED, .. }), "{bytes}: {kind:?}");
    }
}

#[tokio::test]
async fn an_answer_over_the_cap_is_not_read_further_packed_or_not() {
    let bomb = include_bytes!("zeros.gz");
    assert!(bomb.len() < 4096, "what comes over the wire is small");
    for script in [answer("200 OK", &vec![b' '; 65 * 1024]), answer("200 OK\r\nContent-Encoding: gzip", bomb)] {
        let (url, _) = scripted(vec![script]).await;
        let kind = sent(&url, Duration::from_secs(30)).await.unwrap_err();
        assert_eq!(kind, ErrorKind::TooLarge { status: StatusCode::OK, cap: 64 * 1024 });
    }
    let (url, _) = scripted(vec![answer("200 OK", &vec![b' '; 64 * 1024])]).await;
    assert_eq!(sent(&url, Duration::from_secs(30)).await.unwrap().body.len(), 64 * 1024);
}

fn client(url: &str) -> Client {
    Client::new(ClientSettings { timeout: Duration::from_secs(10), ..settings(url) }, clock()).unwrap()
}

#[tokio::test]
async fn a_read_that_is_too_large_fails_at_once() {
    let (url, seen) = scripted(vec![answer("200 OK", &vec![b' '; 2048])]).await;
    let error = client(&url).with_body_cap(1024).servers().await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::TooLarge { cap: 1024, .. }), "{error}");
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_an_error_and_the_token_never_follows_it() {
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let (elsewhere, followed) = scripted(vec![answer("200 OK", b"{}")]).await;
        let (url, seen) = scripted(vec![answer(&format!("{status}\r\nLocation: {elsewhere}/x?y"), b"")]).await;
        let client = client(&url);
        let read = client.servers().await.unwrap_err();
        let write = client.power(&ServerId::Number(7), Power::Stop).await.unwrap_err();
        assert!(read.to_string().contains("redirect") && !read.to_string().contains("/x?y"), "{read}");
        assert!(!read.is_retryable());
        assert_eq!(write.outcome_unknown(), status.starts_with("301") || status.starts_with("302"), "{status}");
        assert_eq!(seen.lock().unwrap().len(), 2);
        assert!(followed.lock().unwrap().is_empty(), "{status}");
    }
}

#[tokio::test]
async fn a_next_on_another_host_never_sees_the_token() {
    let (elsewhere, followed) = scripted(vec![answer("200 OK", b"{}")]).await;
    let first = json!({"count": 2, "next": format!("{elsewhere}/backups/?page=2"), "results": [backup(1, 7)]});
    let second = json!({"count": 2, "next": null, "results": [backup(2, 7)]});
    let pages = [&first, &second, &first, &second].map(|page| answer("200 OK", page.to_string().as_bytes()));
    let (url, seen) = scripted(pages.to_vec()).await;
    let inventory = client(&url).inventory(&server(7, "web-7"), Kind::Backup).await.unwrap();
    assert_eq!((inventory.points.len(), inventory.proof), (2, ReadProof::ReadTwice));
    assert!(seen.lock().unwrap().iter().all(|request| request.contains(&format!("authorization: Bearer {TOKEN}"))));
    assert!(followed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn faults_of_a_read_are_survived_over_a_real_connection() {
    let good = answer("200 OK", json!({"count": 0, "results": []}).to_string().as_bytes());
    for fault in [
        Then::Reset,
        answer("502 Bad Gateway\r\nContent-Type: text/html", b"<h1>oops</h1>"),
        answer("429 Too Many Requests\r\nRetry-After: 0", b""),
        answer("200 OK\r\nContent-Type: text/html", b"<html>maintenance</html>"),
        Then::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"coun".to_vec()),
    ] {
        let (url, seen) = scripted(vec![fault, good.clone()]).await;
        assert!(client(&url).servers().await.unwrap().items.is_empty());
        assert_eq!(seen.lock().unwrap().len(), 2);
    }
}

#[test]
fn a_ca_file_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing here").unwrap();
    let good = folder.path().join("good.pem");
    std::fs::write(&good, include_bytes!("authority.pem")).unwrap();
    assert!(
        Client::new(ClientSettings { ca_file: Some(good), ..settings("https://provider.test/api/v1") }, clock())
            .is_ok()
    );
    for path in [folder.path().join("missing.pem"), empty] {
        let settings = ClientSettings { ca_file: Some(path.clone()), ..settings("https://provider.test/api/v1") };
        let error = Client::new(settings, clock()).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert!(error.never_sent());
    }
}
