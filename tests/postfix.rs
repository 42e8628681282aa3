//! Mail through a real Postfix: STARTTLS, TLS, logins, refused recipients; the delivered message is read back.
//!
//! By hand: `eval "$(.ci/postfix start DIR)"` and `cargo test --test postfix -- --ignored`; `.ci/run` does the same.

#![expect(clippy::unwrap_used, reason = "clippy takes the functions beside the tests for something else")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lastgood::seams::journal::notice::{Fact, FailedRun, Good, Notice, RunProblem};
use lastgood::seams::policy::inventory::{Kind, PointId, ServerId, ServerRef};
use lastgood::seams::report::content;
use lastgood::seams::report::content::context::MailContext;
use lastgood::seams::report::delivery::OutboxMessage;
use lastgood::seams::report::error::{DeliveryStep, FailureKind};
use lastgood::seams::report::message::{self, MailDraft};
use lastgood::seams::report::message_data::{MailKind, MessageData, TimedNotice};
use lastgood::seams::report::render::render;
use lastgood::seams::report::sender::deliver;
use lastgood::seams::report::smtp::{Login, SmtpLimits, SmtpSettings, Tls};
use lastgood::seams::report::transport::MailTransport;
use secrecy::SecretString;

/// What `.ci/postfix` printed.
struct Postfix(HashMap<String, String>);

impl Postfix {
    fn at_hand() -> Self {
        let given =
            std::env::var("LASTGOOD_TEST_POSTFIX").expect("LASTGOOD_TEST_POSTFIX says where it is: .ci/postfix");
        let pairs = given.split_whitespace().filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    fn settings(&self, tls: Tls) -> SmtpSettings {
        let endpoint = &self.0[if tls == Tls::Wrapper { "tls" } else { "starttls" }];
        let (host, port) = endpoint.rsplit_once(':').unwrap();
        SmtpSettings {
            host: host.to_owned(),
            port: port.parse().unwrap(),
            tls,
            login: Some(Login {
                username: self.0["user"].clone(),
                password: SecretString::from(self.0["password"].clone()),
            }),
            ca_file: Some(PathBuf::from(&self.0["ca"])),
            limits: SmtpLimits {
                connect: Duration::from_secs(5),
                step: Duration::from_secs(10),
                message: Duration::from_secs(20),
                session: Duration::from_secs(60),
            },
        }
    }

    fn mailbox(&self, name: &str) -> PathBuf {
        Path::new(&self.0["mail"]).join(name).join("new")
    }

    /// The delivered message that holds `id`; Postfix delivers some moments after it has accepted.
    async fn delivered(&self, mailbox: &str, id: &str) -> String {
        let folder = self.mailbox(mailbox);
        let find = async {
            let mut look = tokio::time::interval(Duration::from_millis(50));
            loop {
                look.tick().await;
                let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
                let mut texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
                if let Some(text) = texts.find(|text| text.contains(id)) {
                    return text;
                }
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(20), find).await;
        found.unwrap_or_else(|_| panic!("no message {id} came to {}", folder.display()))
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A failure mail with a hostile name, a word beyond ASCII and a line that begins with a dot.
fn mail(unique: &str, to: &[&str]) -> OutboxMessage {
    let name = "<script>sunucu-ağ</script>\r\nBcc: other@example.test";
    let fact = Fact::Failed(FailedRun {
        run: Some(1),
        due: Some(at("2026-11-21T02:30:00Z")),
        tries: None,
        problem: RunProblem::Failed { error: "500 Internal Server Error: yer yok".to_owned() },
        last_good: Some(Good { id: PointId::Number(881), created_at: at("2026-11-20T02:30:04Z") }),
        next: Some(at("2026-11-22T02:30:00Z")),
        made: None,
        deleted: vec![],
    });
    let server = ServerRef { id: ServerId::Number(12345), name: name.to_owned() };
    let (policy, kind) = (Some("nightly".parse().unwrap()), Some(Kind::Backup));
    let notice = Notice { policy, kind, ..Notice::of_server(server, fact) };
    let failed = TimedNotice::new(at("2026-11-21T02:31:00Z"), notice);
    let now = at("2026-11-21T02:33:00Z");
    let context = MailContext { now, timezone: TimeZone::UTC, instance: "main".to_owned() };
    let mut rendered = render(&content::compose(&MessageData::Notices(MailKind::Failed, vec![failed]), &context));
    rendered.text.push_str(".\n.a line that begins with a dot\n");
    let from = "lastgood <backup@example.test>";
    let to: Vec<String> = to.iter().map(|one| (*one).to_owned()).collect();
    // Unique across runs, since the mailboxes stay.
    let unique = format!("{unique}-{}", std::process::id());
    let message_id = message::message_id(&unique, from).unwrap();
    let draft = MailDraft {
        from,
        to: &to,
        date: now,
        message_id: &message_id,
        in_reply_to: None,
        references: &[],
        rendered: &rendered,
    };
    let composed = message::compose(&draft).unwrap();
    OutboxMessage {
        id: 1,
        message_id,
        subject: composed.subject,
        from: composed.envelope.from,
        to: composed.envelope.to,
        bytes: composed.bytes,
        attempts: 0,
        first_at: now,
    }
}

fn header<'a>(message: &'a str, name: &str) -> Vec<&'a str> {
    let head = message.split("\n\n").next().unwrap();
    head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
}

/// The decoded body of the part with this type.
fn part(message: &str, content_type: &str) -> String {
    let boundary = message.split_once("boundary=\"").unwrap().1.split('"').next().unwrap();
    let marker = format!("--{boundary}");
    let part = message.split(&marker).find(|part| part.contains(&format!("Content-Type: {content_type}"))).unwrap();
    let (head, body) = part.split_once("\n\n").unwrap();
    assert!(
        head.contains("Content-Transfer-Encoding: quoted-printable"),
        "another encoding than this test reads: {head}"
    );
    let (mut bytes, mut rest) = (Vec::new(), body.as_bytes());
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'=', [b'\n', tail @ ..]) => tail,
            (b'=', [high, low, tail @ ..]) => {
                let code = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&code).unwrap(), 16).unwrap());
                tail
            }
            _ => {
                bytes.push(*first);
                tail
            }
        };
    }
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

async fn comes_through(postfix: &Postfix, tls: Tls, unique: &str) {
    let message = mail(unique, &["oncall@example.test", "Ops <ops@example.test>"]);
    let transport = MailTransport::Smtp(postfix.settings(tls));
    let delivery = deliver(&transport, &message).await.unwrap();
    assert_eq!(delivery.accepted, ["oncall@example.test", "ops@example.test"]);
    assert_eq!(delivery.refused, []);
    for mailbox in ["oncall", "ops"] {
        let read = postfix.delivered(mailbox, &message.message_id).await;
        let sent = String::from_utf8(message.bytes.clone()).unwrap().replace("\r\n", "\n");
        assert!(read.contains(sent.trim_end()), "the bytes changed on the way:\n{read}");
        assert!(read.contains("with ESMTPSA"), "encrypted and logged in:\n{read}");
        assert_eq!(header(&read, "Message-ID"), [message.message_id.as_str()]);
        assert_eq!(header(&read, "From"), ["lastgood <backup@example.test>"]);
        assert_eq!(header(&read, "To"), ["oncall@example.test, Ops <ops@example.test>"]);
        assert_eq!(header(&read, "Date"), ["Sat, 21 Nov 2026 02:33:00 +0000"]);
        assert_eq!(header(&read, "Auto-Submitted"), ["auto-generated"]);
        assert_eq!(header(&read, "Subject").len(), 1);
        assert_eq!(header(&read, "Bcc"), Vec::<&str>::new());
        let text = part(&read, "text/plain");
        assert!(text.contains("Server: <script>sunucu-ağ</script> Bcc: other@example.test"), "{text}");
        assert!(text.contains("\n.\n.a line that begins with a dot\n"), "{text}");
        let html = part(&read, "text/html");
        assert!(html.contains("&lt;script&gt;sunucu-ağ") && !html.contains("<script"), "{html}");
    }
}

#[tokio::test]
#[ignore = "needs the Postfix of .ci/postfix"]
async fn a_mail_comes_through_starttls_with_a_login() {
    let postfix = Postfix::at_hand();
    comes_through(&postfix, Tls::StartTls, "starttls").await;
}

#[tokio::test]
#[ignore = "needs the Postfix of .ci/postfix"]
async fn a_mail_comes_through_tls_with_a_login() {
    let postfix = Postfix::at_hand();
    comes_through(&postfix, Tls::Wrapper, "tls").await;
}

#[tokio::test]
#[ignore = "needs the Postfix of .ci/postfix"]
async fn a_certificate_is_good_for_its_name_and_its_address() {
    let postfix = Postfix::at_hand();
    let settings = SmtpSettings { host: "localhost".to_owned(), ..postfix.settings(Tls::StartTls) };
    let message = mail("by-name", &["oncall@example.test"]);
    deliver(&MailTransport::Smtp(settings), &message).await.unwrap();
    postfix.delivered("oncall", &message.message_id).await;
}

#[tokio::test]
#[ignore = "needs the Postfix of .ci/postfix"]
async fn an_unknown_recipient_does_not_keep_the_mail_from_the_others() {
    let postfix = Postfix::at_hand();
    let message = mail("unknown", &["nobody@example.test", "ops@example.test"]);
    let delivery = deliver(&MailTransport::Smtp(postfix.settings(Tls::StartTls)), &message).await.unwrap();
    assert_eq!(delivery.accepted, ["ops@example.test"]);
    assert_eq!(delivery.refused.len(), 1);
    assert!(delivery.refused[0].permanent && delivery.refused[0].reply.starts_with("550 "), "{:?}", delivery.refused);
    postfix.delivered("ops", &message.message_id).await;
}

#[tokio::test]
#[ignore = "needs the Postfix of .ci/postfix"]
async fn only_unknown_recipients_are_a_permanent_refusal() {
    let postfix = Postfix::at_hand();
    let message = mail("nobody", &["nobody@example.test"]);
    let error = deliver(&MailTransport::Smtp(postfix.settings(Tls::StartTls)), &message).await.unwrap_err();
    assert_eq!((error.step, error.kind), (DeliveryStep::Recipients, FailureKind::Permanent), "{error}");
    assert!(error.text.contains("User unknown"), "{error}");
}

#[tokio::test]
#[ignore = "needs the Postfix of .ci/postfix"]
async fn what_only_a_person_can_fix_is_distinguished() {
    let postfix = Postfix::at_hand();
    let message = mail("misconfigured", &["oncall@example.test"]);
    let right = || postfix.settings(Tls::StartTls);
    let wrong_password = Login { username: postfix.0["user"].clone(), password: SecretString::from("wr0ng-secret") };
    let cases = [
        ("password", SmtpSettings { login: Some(wrong_password), ..right() }, DeliveryStep::Login),
        ("unknown authority", SmtpSettings { ca_file: None, ..right() }, DeliveryStep::StartTls),
        (
            "unknown authority, tls",
            SmtpSettings { ca_file: None, ..postfix.settings(Tls::Wrapper) },
            DeliveryStep::Connect,
        ),
        ("a clear-text port", SmtpSettings { tls: Tls::Wrapper, ..right() }, DeliveryStep::Connect),
        ("no encryption, no login", SmtpSettings { tls: Tls::None, login: None, ..right() }, DeliveryStep::Sender),
    ];
    for (what, settings, step) in cases {
        let error = deliver(&MailTransport::Smtp(settings), &message).await.unwrap_err();
        assert_eq!((error.step, error.kind), (step, FailureKind::Misconfigured), "{what}: {error}");
        assert!(!format!("{error} {error:?}").contains("wr0ng-secret"));
    }
}

#[tokio::test]
#[ignore = "needs the Postfix of .ci/postfix"]
async fn a_port_encrypted_from_the_start_does_not_hold_starttls_for_ever() {
    let postfix = Postfix::at_hand();
    let limits = SmtpLimits { step: Duration::from_millis(500), ..postfix.settings(Tls::Wrapper).limits };
    let settings = SmtpSettings { tls: Tls::StartTls, limits, ..postfix.settings(Tls::Wrapper) };
    let error =
        deliver(&MailTransport::Smtp(settings), &mail("wrong-port", &["oncall@example.test"])).await.unwrap_err();
    assert_eq!((error.step, error.kind), (DeliveryStep::Greeting, FailureKind::NeverSent), "{error}");
    assert!(error.text.contains("tls = \"tls\""), "{error}");
}
