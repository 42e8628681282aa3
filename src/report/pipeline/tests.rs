//! A mail is the same whenever it is composed, and what becomes of it is recorded.

use std::path::PathBuf;

use jiff::SignedDuration;

use super::*;
use crate::journal::notice::Notice;
use crate::report::samples;
use crate::report::transport::MailTransport;

fn report() -> Subscription {
    Subscription {
        name: "oncall".to_owned(),
        recipients: vec![Recipients::Mail(vec!["oncall@example.com".to_owned()])],
        on: [Class::Failure].into(),
        group_wait: Duration::from_secs(120),
        repeat: Duration::from_secs(21_600),
        timezone: TimeZone::UTC,
    }
}

/// Sends mail into a folder.
fn into(folder: PathBuf) -> ChannelSenders {
    let from = "lastgood <backup@example.com>".to_owned();
    ChannelSenders { mail: Some(MailSender { from, transport: MailTransport::File(folder) }) }
}

fn pipeline() -> Pipeline {
    Pipeline { instance: "main".to_owned(), senders: into(PathBuf::from("/nowhere")), reports: vec![report()] }
}

fn mail_at(now: Timestamp) -> NewMessage {
    let digest = MessageData::Digest(Box::new(samples::digest()));
    let messages = messages(&pipeline(), &report(), &digest, "oncall.digest.1795000000", now).unwrap();
    let [mail] = messages.try_into().expect("one recipient list is one message");
    mail
}

#[test]
fn a_mail_that_is_composed_again_later_has_the_same_message_id() {
    let now = samples::at("2026-11-21T08:00:00Z");
    let (first, again) = (mail_at(now), mail_at(now + SignedDuration::from_mins(7)));
    assert_eq!(first.message_id, again.message_id);
    let written = format!("Message-ID: {}", first.message_id);
    for mail in [first, again] {
        assert!(String::from_utf8(mail.bytes).unwrap().contains(&written), "{written}");
    }
}

#[tokio::test]
async fn a_mail_that_is_given_up_is_counted_as_refused_and_not_as_sent() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::own(dir.path()).unwrap();
    let now = samples::at("2026-11-21T08:00:00Z");
    let told = ReportedNotices { report: "oncall".to_owned(), notices: Vec::new(), messages: vec![mail_at(now)] };
    assert_eq!(store.mark_reported(told, now).await.unwrap().duplicates, Vec::<String>::new());
    assert_eq!(send_due(&store, &ChannelSenders::default(), now).await.unwrap(), 0, "nothing sends mail yet");
    let in_the_way = dir.path().join("mail");
    std::fs::write(&in_the_way, "a file, not a folder").unwrap();
    let senders = into(in_the_way);
    assert_eq!(send_due(&store, &senders, now).await.unwrap(), 0);
    let backlog = store.backlog().await.unwrap();
    assert_eq!((backlog.waiting, backlog.refused), (1, 0), "it waits");
    // It is tried for three days, and at least twenty times.
    for minutes in 0..20 {
        let later = now + SignedDuration::from_hours(73) + SignedDuration::from_mins(20 * minutes);
        assert_eq!(send_due(&store, &senders, later).await.unwrap(), 0);
    }
    let backlog = store.backlog().await.unwrap();
    assert_eq!((backlog.waiting, backlog.refused), (0, 1));
}

/// What earlier versions stored, before notices were data.
const EARLIER: &str = include_str!("../../journal/notice/tests/earlier.jsonl");

#[test]
fn a_notice_that_an_earlier_lastgood_stored_is_still_mailed() {
    let now = samples::at("2026-11-21T04:32:00Z");
    let mut all = String::new();
    for (id, line) in (1..).zip(EARLIER.lines()) {
        let notice: Notice = serde_json::from_str(line).unwrap();
        let pending = Pending { id, at: samples::at("2026-11-21T04:30:00Z"), incident: None, notice };
        let group = groups(&[pending], Duration::from_secs(120), now, true).remove(0);
        let rendered = render(&compose(&group.data, &samples::context()));
        let text = rendered.text.split("\n--\n").next().unwrap_or_default();
        all += &format!("{line}\n\nSubject: {}\n\n{text}\n{}\n", rendered.subject, "~".repeat(72));
    }
    insta::assert_snapshot!("earlier", all);
}
