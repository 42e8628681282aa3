//! The bytes that go out.

use super::*;
use crate::report::content::compose as words;
use crate::report::message_data::{MailKind, MessageData};
use crate::report::render::render;
use crate::report::samples::{HOSTILE, at, context, digest, failed};

fn rendered() -> Rendered {
    let one = failed("web-server-01", "snapshot limit reached (5 foreign)");
    render(&words(&MessageData::Notices(MailKind::Failed, vec![one]), &context()))
}

fn to() -> Vec<String> {
    vec!["On Call <oncall@example.com>".to_owned(), "ops@example.com".to_owned()]
}

fn draft<'a>(to: &'a [String], rendered: &'a Rendered) -> MailDraft<'a> {
    MailDraft {
        from: "lastgood <backup@example.com>",
        to,
        date: at("2026-11-21T02:33:04Z"),
        message_id: "<lastgood.8c1f2a@example.com>",
        in_reply_to: None,
        references: &[],
        rendered,
    }
}

fn header<'a>(bytes: &'a str, name: &str) -> Vec<&'a str> {
    let head = bytes.split("\r\n\r\n").next().unwrap();
    head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
}

#[test]
fn a_message_has_each_header_once() {
    let (to, rendered) = (to(), rendered());
    let composed = compose(&draft(&to, &rendered)).unwrap();
    let bytes = String::from_utf8(composed.bytes).unwrap();
    assert_eq!(header(&bytes, "From"), ["lastgood <backup@example.com>"]);
    assert_eq!(header(&bytes, "To"), ["\"On Call\" <oncall@example.com>, ops@example.com"]);
    assert_eq!(header(&bytes, "Date"), ["Sat, 21 Nov 2026 02:33:04 +0000"]);
    assert_eq!(header(&bytes, "Message-ID"), ["<lastgood.8c1f2a@example.com>"]);
    assert_eq!(header(&bytes, "Auto-Submitted"), ["auto-generated"]);
    assert_eq!(header(&bytes, "MIME-Version"), ["1.0"]);
    assert_eq!(header(&bytes, "In-Reply-To"), Vec::<&str>::new());
    let types = header(&bytes, "Content-Type");
    assert_eq!(types.len(), 1);
    assert!(types[0].starts_with("multipart/alternative;"), "{types:?}");
    assert_eq!(bytes.matches("Content-Type: text/plain; charset=utf-8").count(), 1);
    assert_eq!(bytes.matches("Content-Type: text/html; charset=utf-8").count(), 1);
    assert!(bytes.is_ascii(), "a server without 8BITMIME accepts it, too");
    assert_eq!(
        composed.envelope,
        Envelope {
            from: "backup@example.com".to_owned(),
            to: vec!["oncall@example.com".to_owned(), "ops@example.com".to_owned()]
        }
    );
    assert_eq!(composed.subject, rendered.subject);
}

#[test]
fn the_same_draft_gives_the_same_bytes() {
    let (to, rendered) = (to(), rendered());
    assert_eq!(compose(&draft(&to, &rendered)).unwrap(), compose(&draft(&to, &rendered)).unwrap());
}

#[test]
fn a_reply_names_its_thread() {
    let (to, rendered) = (to(), rendered());
    let thread = ["<a@example.com>".to_owned(), "<b@example.com>".to_owned()];
    let reply = MailDraft { in_reply_to: Some("<a@example.com>"), references: &thread, ..draft(&to, &rendered) };
    let bytes = String::from_utf8(compose(&reply).unwrap().bytes).unwrap();
    assert_eq!(header(&bytes, "In-Reply-To"), ["<a@example.com>"]);
    assert_eq!(header(&bytes, "References"), ["<a@example.com> <b@example.com>"]);
}

#[test]
fn a_hostile_name_adds_no_header() {
    let rendered = render(&words(&MessageData::Notices(MailKind::Failed, vec![failed(HOSTILE, HOSTILE)]), &context()));
    let to = to();
    let bytes = String::from_utf8(compose(&draft(&to, &rendered)).unwrap().bytes).unwrap();
    let head = bytes.split("\r\n\r\n").next().unwrap();
    assert!(!head.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc")), "{head}");
    assert_eq!(header(&bytes, "To").len(), 1);
    assert!(bytes.is_ascii());
}

#[test]
fn no_name_and_no_cause_makes_a_large_mail() {
    let (name, cause) = ("web-server ".repeat(500_000), "no room ".repeat(500_000));
    let rendered = render(&words(
        &MessageData::Notices(MailKind::Failed, vec![failed(&name, &cause), failed("db", &cause)]),
        &context(),
    ));
    let to = to();
    let bytes = compose(&draft(&to, &rendered)).unwrap().bytes;
    assert!(bytes.len() < 1024 * 1024, "{} bytes", bytes.len());
}

#[test]
fn a_subject_beyond_ascii_and_a_digest_travel_in_seven_bits() {
    let mut rendered = render(&words(&MessageData::Digest(Box::new(digest())), &context()));
    rendered.subject = "[lastgood] FAILED gecelik on sunucu-ağ: yer yok".to_owned();
    let to = to();
    let bytes = compose(&draft(&to, &rendered)).unwrap().bytes;
    assert!(bytes.is_ascii());
    assert!(bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 998));
}

#[test]
fn one_address_twice_gets_one_mail() {
    let to = vec!["ops@example.com".to_owned(), "Ops <ops@example.com>".to_owned()];
    let rendered = rendered();
    assert_eq!(compose(&draft(&to, &rendered)).unwrap().envelope.to, vec!["ops@example.com".to_owned()]);
}

#[test]
fn an_address_that_is_none_is_named() {
    let rendered = rendered();
    for wrong in ["oncall", "a@b@c", "Evil\r\nBcc: x@example.com <a@example.com>", ""] {
        let to = vec![wrong.to_owned()];
        let error = compose(&draft(&to, &rendered)).unwrap_err();
        assert!(matches!(error, MessageError::Address { .. }), "{wrong:?}: {error}");
        assert!(!error.to_string().contains('\n'));
    }
    assert_eq!(compose(&draft(&[], &rendered)), Err(MessageError::NoRecipient));
}

#[test]
fn a_message_id_is_in_the_senders_domain() {
    assert_eq!(message_id("8c1f>\r\n2a", "lastgood <backup@example.com>").unwrap(), "<lastgood.8c1f2a@example.com>");
    assert!(message_id("1", "nobody").is_err());
}

#[test]
fn a_clock_that_is_far_off_still_gives_a_date() {
    let (to, rendered) = (to(), rendered());
    for moment in [Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH] {
        let composed = compose(&MailDraft { date: moment, ..draft(&to, &rendered) }).unwrap();
        assert_eq!(header(&String::from_utf8(composed.bytes).unwrap(), "Date").len(), 1);
    }
}
