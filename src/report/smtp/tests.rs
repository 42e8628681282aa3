//! A scripted mail server in a few lines, and every way in which it can misbehave.

use std::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::report::samples::at;

mod hostile;

const LIMIT: Duration = Duration::from_secs(1);

/// What the server does when a line begins with the given text; the first match counts.
enum ServerStep {
    Say(&'static str),
    Silence,
    Close,
}
use ServerStep::{Close, Say, Silence};

type Script = Vec<(&'static str, ServerStep)>;

const NORMAL_REPLIES: &[(&str, &str)] = &[
    ("greeting", "220 mail.example.com ESMTP"),
    ("EHLO", "250-mail.example.com\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN"),
    ("AUTH", "235 2.7.0 welcome"),
    ("MAIL", "250 2.1.0 ok"),
    ("RCPT", "250 2.1.5 ok"),
    ("DATA", "354 go on"),
    (".", "250 2.0.0 queued as 4F2A"),
    ("QUIT", "221 2.0.0 bye"),
];

/// Serves connections by the script, otherwise as a normal server would; returns the lines it received.
async fn server(script: Script) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let (mut received, mut line, mut in_message) = (Vec::new(), "greeting".to_owned(), false);
        loop {
            if !in_message || line == "." {
                let planned = script.iter().find(|(begins, _)| line.starts_with(begins)).map(|(_, does)| does);
                let usual = NORMAL_REPLIES.iter().find(|(begins, _)| line.starts_with(begins)).map(|(_, reply)| *reply);
                let reply = match planned {
                    Some(Say(reply)) => *reply,
                    Some(Silence) => "",
                    Some(Close) => return received,
                    None => usual.unwrap_or("500 what?"),
                };
                in_message = reply.starts_with("354");
                if !reply.is_empty() && stream.write_all(format!("{reply}\r\n").as_bytes()).await.is_err() {
                    return received;
                }
            }
            let mut next = String::new();
            if stream.read_line(&mut next).await.unwrap_or(0) == 0 {
                return received;
            }
            line = next.trim_end().to_owned();
            received.push(line.clone());
        }
    });
    (port, serve)
}

fn settings(port: u16) -> SmtpSettings {
    SmtpSettings {
        host: "127.0.0.1".to_owned(),
        port,
        tls: Tls::None,
        login: None,
        ca_file: None,
        limits: SmtpLimits { connect: 30 * LIMIT, step: 30 * LIMIT, message: 30 * LIMIT, session: 600 * LIMIT },
    }
}

fn login() -> Login {
    Login { username: "lastgood".to_owned(), password: secrecy::SecretString::from("tops3cret") }
}

fn message() -> OutboxMessage {
    OutboxMessage {
        id: 1,
        message_id: "<lastgood.1@example.com>".to_owned(),
        subject: "x".to_owned(),
        from: "backup@example.com".to_owned(),
        to: vec!["a@example.com".to_owned(), "b@example.com".to_owned()],
        bytes: b"Subject: x\r\n\r\nfirst\r\n.dot\r\n".to_vec(),
        attempts: 0,
        first_at: at("2026-11-21T02:30:00Z"),
    }
}

/// The error of a delivery to a server that follows the script; asserts that it comes within a few limits.
async fn fault(script: Script, change: impl FnOnce(&mut SmtpSettings)) -> DeliveryError {
    // Where the server answers, however late on a busy machine, no limit has a part in the outcome.
    let limit = if script.iter().any(|(_, act)| matches!(act, Silence)) { LIMIT } else { 30 * LIMIT };
    let (port, _serve) = server(script).await;
    let mut settings = settings(port);
    settings.limits = SmtpLimits { connect: limit, step: limit, message: limit, session: 20 * limit };
    change(&mut settings);
    #[expect(clippy::disallowed_methods, reason = "a real server answers in real time")]
    let begun = Instant::now();
    let error = send(&settings, &message()).await.unwrap_err();
    assert!(begun.elapsed() < 8 * limit, "{error} came after {:?}", begun.elapsed());
    error
}

fn sort(error: &DeliveryError) -> (DeliveryStep, FailureKind) {
    (error.step, error.kind)
}

#[tokio::test]
async fn a_message_is_sent_unchanged_to_all_in_one_transaction() {
    let (port, serve) = server(vec![]).await;
    let delivery = send(&settings(port), &message()).await.unwrap();
    assert_eq!(delivery, Delivery { accepted: message().to, refused: vec![] });
    let received = serve.await.unwrap();
    let wanted = [
        "MAIL FROM:<backup@example.com>",
        "RCPT TO:<a@example.com>",
        "RCPT TO:<b@example.com>",
        "DATA",
        "Subject: x",
        "",
        "first",
        "..dot",
    ];
    assert_eq!(received[1..=wanted.len()], wanted);
    assert_eq!(received.last().map(String::as_str), Some("QUIT"));
    assert_eq!(received.iter().filter(|line| line.starts_with("MAIL")).count(), 1);
}

#[tokio::test]
async fn a_login_is_sent_before_the_message() {
    let (port, serve) = server(vec![]).await;
    send(&SmtpSettings { login: Some(login()), ..settings(port) }, &message()).await.unwrap();
    assert!(serve.await.unwrap()[1].starts_with("AUTH PLAIN "));
}

#[tokio::test]
async fn a_server_that_only_supports_auth_login_works() {
    let script = vec![
        ("EHLO", Say("250-x\r\n250 AUTH LOGIN")),
        ("AUTH LOGIN", Say("334 VXNlcm5hbWU6")),
        ("bGFzdGdvb2Q=", Say("334 UGFzc3dvcmQ6")),
        ("dG9wczNjcmV0", Say("235 ok")),
    ];
    let (port, _serve) = server(script).await;
    let delivery = send(&SmtpSettings { login: Some(login()), ..settings(port) }, &message()).await.unwrap();
    assert_eq!(delivery.accepted.len(), 2);
}

/// Each line of the dialogue, the step that fails if it gets no valid reply, and what is known of the message then.
const STEPS: [(&str, DeliveryStep, FailureKind); 7] = [
    ("greeting", DeliveryStep::Greeting, FailureKind::NeverSent),
    ("EHLO", DeliveryStep::Greeting, FailureKind::NeverSent),
    ("AUTH", DeliveryStep::Login, FailureKind::NeverSent),
    ("MAIL", DeliveryStep::Sender, FailureKind::NeverSent),
    ("RCPT", DeliveryStep::Recipients, FailureKind::NeverSent),
    ("DATA", DeliveryStep::Data, FailureKind::NeverSent),
    (".", DeliveryStep::Message, FailureKind::Ambiguous),
];

#[tokio::test]
async fn silence_at_any_step_ends_within_its_limit() {
    for (line, step, kind) in STEPS {
        let error = fault(vec![(line, Silence)], |settings| settings.login = Some(login())).await;
        assert_eq!(sort(&error), (step, kind), "silence at {line}: {error}");
        assert!(error.is_retryable());
        assert_eq!(error.outcome_unknown(), line == ".");
        assert!(error.text.contains("no reply within 1000 ms"), "{error}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_is_classified_by_its_step() {
    for (line, step, kind) in STEPS {
        let error = fault(vec![(line, Close)], |settings| settings.login = Some(login())).await;
        assert_eq!(sort(&error), (step, kind), "end at {line}: {error}");
    }
}

#[tokio::test]
async fn a_temporary_refusal_is_retried_and_a_permanent_one_is_not() {
    for (line, reply, step, kind) in [
        ("greeting", "421 too busy", DeliveryStep::Greeting, FailureKind::RetryLater),
        ("AUTH", "454 4.7.0 try again", DeliveryStep::Login, FailureKind::RetryLater),
        ("AUTH", "535 5.7.8 bad login", DeliveryStep::Login, FailureKind::Misconfigured),
        ("MAIL", "451 4.3.0 later", DeliveryStep::Sender, FailureKind::RetryLater),
        ("MAIL", "553 5.7.1 not your address", DeliveryStep::Sender, FailureKind::Permanent),
        ("MAIL", "530 5.7.0 must issue STARTTLS first", DeliveryStep::Sender, FailureKind::Misconfigured),
        ("RCPT", "450 4.2.0 greylisted", DeliveryStep::Recipients, FailureKind::RetryLater),
        ("RCPT", "550 5.1.1 no such user", DeliveryStep::Recipients, FailureKind::Permanent),
        ("DATA", "451 4.3.0 later", DeliveryStep::Data, FailureKind::RetryLater),
        ("DATA", "554 5.5.1 no", DeliveryStep::Data, FailureKind::Permanent),
        (".", "452 4.3.1 disk full", DeliveryStep::Message, FailureKind::RetryLater),
        (".", "552 5.3.4 too big", DeliveryStep::Message, FailureKind::Permanent),
    ] {
        let error = fault(vec![(line, Say(reply))], |settings| settings.login = Some(login())).await;
        assert_eq!(sort(&error), (step, kind), "{reply} at {line}: {error}");
        assert_eq!(error.is_retryable(), kind != FailureKind::Permanent);
        assert!(error.text.contains(reply), "{error} does not contain {reply}");
    }
}

#[tokio::test]
async fn when_some_are_refused_the_others_still_receive_it() {
    let script = vec![("RCPT TO:<a@example.com>", Say("550 5.1.1 no such user"))];
    let (port, serve) = server(script).await;
    let delivery = send(&settings(port), &message()).await.unwrap();
    assert_eq!(delivery.accepted, vec!["b@example.com".to_owned()]);
    let refusal = RecipientRefusal {
        address: "a@example.com".to_owned(),
        reply: "550 5.1.1 no such user".to_owned(),
        permanent: true,
    };
    assert_eq!(delivery.refused, vec![refusal]);
    assert!(serve.await.unwrap().contains(&"first".to_owned()));
}

#[tokio::test]
async fn when_all_are_refused_one_temporary_refusal_keeps_the_message() {
    let script = vec![
        ("RCPT TO:<a@example.com>", Say("550 5.1.1 no such user")),
        ("RCPT TO:<b@example.com>", Say("450 4.2.0 greylisted")),
    ];
    let error = fault(script, |_| ()).await;
    assert_eq!(sort(&error), (DeliveryStep::Recipients, FailureKind::RetryLater));
    assert_eq!(error.refused.iter().map(|one| one.permanent).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn a_reply_that_belongs_to_another_step_is_not_a_delivery() {
    // A server that is one reply ahead: its acceptance of RCPT arrives as the reply to DATA.
    for (line, reply, step, kind) in [
        ("MAIL", "354 go on", DeliveryStep::Sender, FailureKind::NeverSent),
        ("DATA", "250 ok", DeliveryStep::Data, FailureKind::NeverSent),
        (".", "354 go on", DeliveryStep::Message, FailureKind::Ambiguous),
        ("AUTH", "250 ok", DeliveryStep::Login, FailureKind::NeverSent),
    ] {
        let error = fault(vec![(line, Say(reply))], |settings| settings.login = Some(login())).await;
        assert_eq!(sort(&error), (step, kind), "{reply} at {line}: {error}");
    }
}

#[tokio::test]
async fn a_code_without_text_is_a_reply() {
    let script = vec![("greeting", Say("220")), ("MAIL", Say("250")), (".", Say("250"))];
    let (port, _serve) = server(script).await;
    assert_eq!(send(&settings(port), &message()).await.unwrap().accepted.len(), 2);
}

#[tokio::test]
async fn what_is_not_a_reply_is_shown() {
    let error = fault(vec![("greeting", Say("HTTP/1.1 400 Bad Request"))], |_| ()).await;
    assert_eq!(sort(&error), (DeliveryStep::Greeting, FailureKind::NeverSent));
    assert!(error.text.contains("HTTP/1.1 400 Bad Request"), "{error}");
}

#[tokio::test]
async fn a_slow_goodbye_does_not_undo_a_delivery() {
    for does in [Silence, Close] {
        let (port, _serve) = server(vec![("QUIT", does)]).await;
        let delivery = send(&settings(port), &message()).await.unwrap();
        assert_eq!(delivery.accepted.len(), 2);
    }
}

#[tokio::test]
async fn starttls_is_required() {
    let error = fault(vec![], |settings| settings.tls = Tls::StartTls).await;
    assert_eq!(sort(&error), (DeliveryStep::StartTls, FailureKind::Misconfigured));
    assert!(error.text.contains("does not offer STARTTLS"), "{error}");
}

#[tokio::test]
async fn a_handshake_that_never_comes_ends_within_its_limit() {
    let offers = || ("EHLO", Say("250-x\r\n250 STARTTLS"));
    let error = fault(vec![offers(), ("STARTTLS", Say("220 go"))], |settings| settings.tls = Tls::StartTls).await;
    assert_eq!(sort(&error), (DeliveryStep::StartTls, FailureKind::NeverSent));
    let error = fault(vec![offers(), ("STARTTLS", Say("454 no"))], |settings| settings.tls = Tls::StartTls).await;
    assert_eq!(error.step, DeliveryStep::StartTls);
}

#[tokio::test]
async fn the_wrong_kind_of_port_is_recognized() {
    // A port that is encrypted from the start sends nothing until the client does.
    let error = fault(vec![("greeting", Silence)], |settings| settings.tls = Tls::StartTls).await;
    assert_eq!(sort(&error), (DeliveryStep::Greeting, FailureKind::NeverSent));
    assert!(error.text.contains("tls = \"tls\""), "{error}");
    let error = fault(vec![], |settings| settings.tls = Tls::Wrapper).await;
    assert_eq!(sort(&error), (DeliveryStep::Connect, FailureKind::Misconfigured));
    assert!(error.text.contains("starttls"), "{error}");
    let error = fault(vec![("greeting", Silence)], |settings| settings.tls = Tls::Wrapper).await;
    assert_eq!(sort(&error), (DeliveryStep::Connect, FailureKind::NeverSent));
}

#[tokio::test]
async fn without_a_listener_nothing_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for tls in [Tls::None, Tls::StartTls, Tls::Wrapper] {
        let error = send(&SmtpSettings { tls, ..settings(port) }, &message()).await.unwrap_err();
        assert_eq!(sort(&error), (DeliveryStep::Connect, FailureKind::NeverSent), "{error}");
        assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    }
}

#[tokio::test]
async fn an_authority_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    for path in [folder.path().join("missing.pem"), empty] {
        let file = path.clone();
        let error = fault(vec![], |settings| {
            settings.tls = Tls::Wrapper;
            settings.ca_file = Some(file);
        })
        .await;
        assert_eq!(error.kind, FailureKind::Misconfigured);
        assert!(error.text.contains(&path.display().to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_repeats_the_password_does_not_get_it_into_the_log() {
    for echo in ["535 unknown: tops3cret", "535 unknown: AGxhc3Rnb29kAHRvcHMzY3JldA==", "535 unknown: dG9wczNjcmV0"] {
        for line in ["AUTH", "MAIL", "RCPT", "DATA", "."] {
            let error = fault(vec![(line, Say(echo))], |settings| settings.login = Some(login())).await;
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("[redacted]"), "{shown}");
            for secret in ["tops3cret", "dG9wczNjcmV0", "AGxhc3Rnb29k"] {
                assert!(!shown.contains(secret), "at {line}: {shown}");
            }
        }
    }
}

#[test]
fn debug_shows_no_password() {
    let shown = format!("{:?}", SmtpSettings { login: Some(login()), ..settings(25) });
    assert!(shown.contains("lastgood") && !shown.contains("tops3cret"), "{shown}");
}

#[tokio::test]
async fn what_the_server_says_becomes_one_sanitized_line() {
    let error = fault(vec![("MAIL", Say("550-first\r\n550 \u{1b}[31msecond"))], |_| ()).await;
    assert!(error.text.contains("\\u{1b}[31msecond"), "{error}");
    assert!(!error.to_string().contains(['\n', '\u{1b}']), "{error}");
}

#[tokio::test]
async fn a_non_ascii_address_needs_a_server_that_supports_it() {
    let (port, _serve) = server(vec![]).await;
    let mut message = message();
    message.to = vec!["çağrı@example.com".to_owned()];
    let error = send(&settings(port), &message).await.unwrap_err();
    assert_eq!(sort(&error), (DeliveryStep::Sender, FailureKind::Permanent));
    assert!(error.text.contains("SMTPUTF8"), "{error}");
}

#[test]
fn clear_text_stays_on_this_machine() {
    for near in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
        assert!(connect::may_be_clear(Tls::None, near.parse().unwrap()), "{near}");
    }
    for far in ["10.0.0.1", "192.0.2.7", "2001:db8::1", "0.0.0.0", "::ffff:10.0.0.1"] {
        assert!(!connect::may_be_clear(Tls::None, far.parse().unwrap()), "{far}");
        assert!(connect::may_be_clear(Tls::StartTls, far.parse().unwrap()), "{far}");
    }
}
