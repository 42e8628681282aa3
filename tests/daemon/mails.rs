//! Mails of the real daemon, end to end: failure, staleness, recovery, digest, groups and repeats.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use crate::letters::MailServer;
use crate::process::{Daemon, eventually, history, mail_with, mails, subject, write_policy};
use crate::support::host::Host;
use crate::support::policy_text::{oncall, policy};
use crate::support::smtp_server;

fn full(host: &Host) {
    let body = json!({ "detail": "Snapshot limit reached." });
    host.provider.fault(&json!({ "call": "create", "effect": { "do": "status", "code": 400, "body": body } }));
}

/// When a mail was composed.
fn date(mail: &str) -> Timestamp {
    let text = mail.lines().find_map(|line| line.strip_prefix("Date: ")).expect("a mail has a date");
    jiff::fmt::rfc2822::parse(text).unwrap().timestamp()
}

fn message_id(mail: &str) -> &str {
    mail.lines().find_map(|line| line.strip_prefix("Message-ID: ")).expect("a mail has an id")
}

#[test]
fn a_failure_staleness_and_the_recovery_are_mailed() {
    let host = Host::new(&["--servers", "1"]);
    let report = oncall("group_wait = \"0s\"");
    write_policy(&host, &(policy("busy", "snapshot", "*/3 * * * * *", "max_age = \"8s\"") + &report));
    let daemon = Daemon::start(&host);
    eventually("a good point", || history(&host).into_iter().find(|run| run["outcome"] == "succeeded"));
    full(&host);
    let failed = mail_with(&host, &["Subject: [lastgood] FAILED busy on web-server-01"]);
    let lost = history(&host).into_iter().rev().find(|run| run["outcome"] == "failed").unwrap()["due"].clone();
    assert!(failed.contains("Snapshot limit reached."), "in the provider's own words: {failed}");
    assert!(failed.to_lowercase().contains("last good"), "{failed}");
    assert!(failed.contains("lastgood history --server web-server-01"), "{failed}");
    assert!(failed.contains("Auto-Submitted: auto-generated"), "{failed}");
    let stale = mail_with(&host, &["Subject: [lastgood] STALE busy on web-server-01"]);
    assert!(stale.contains("Limit: 8 s"), "the limit is the policy's max_age: {stale}");
    assert!(stale.contains("Cause: ") && stale.contains("Snapshot limit reached."), "and why: {stale}");
    host.provider.no_faults();
    let recovered = mail_with(&host, &["Subject: [lastgood] RECOVERED busy"]);
    daemon.stops();
    let lost: Timestamp = lost.as_str().unwrap().parse().unwrap();
    let shown = lost.strftime("%H:%M").to_string();
    assert!(recovered.contains(&shown), "the due time {lost} was lost: {recovered}");
    assert!(recovered.contains("due times"), "how many were lost: {recovered}");
    assert!(recovered.contains("after "), "how long it lasted: {recovered}");
    let all = mails(&host);
    let stale = all.iter().filter(|mail| subject(mail).contains("STALE")).count();
    assert_eq!(stale, 1, "reported once: {all:?}");
    let failures = all.iter().filter(|mail| subject(mail).contains("FAILED")).count();
    assert_eq!(failures, 1, "the same incident within `repeat` is not reported again");
}

#[test]
fn an_ongoing_incident_is_reported_again_after_repeat_and_not_before() {
    let host = Host::new(&["--servers", "1"]);
    let report = oncall("group_wait = \"0s\"\nrepeat = \"6s\"");
    write_policy(&host, &(policy("busy", "snapshot", "*/2 * * * * *", "") + &report));
    full(&host);
    let daemon = Daemon::start(&host);
    let reported = eventually("three mails", || {
        let reported: Vec<_> = mails(&host).into_iter().filter(|mail| subject(mail).contains("FAILED")).collect();
        (reported.len() >= 3).then_some(reported)
    });
    daemon.stops();
    let dates: Vec<Timestamp> = reported.iter().map(|mail| date(mail)).collect();
    for pair in dates.windows(2) {
        let apart = pair[0].duration_until(pair[1]).as_secs();
        assert!((5..=20).contains(&apart), "{dates:?}");
    }
    let failed = history(&host).iter().filter(|run| run["outcome"] == "failed").count();
    assert!(failed > reported.len() * 2, "{failed} runs failed and {} mails were sent", reported.len());
}

#[test]
fn many_servers_that_fail_for_one_cause_within_group_wait_are_one_mail() {
    let host = Host::new(&["--servers", "12"]);
    let report = oncall("group_wait = \"6s\"");
    write_policy(&host, &(policy("busy", "snapshot", "*/3 * * * * *", "") + &report));
    full(&host);
    let daemon = Daemon::start(&host);
    let mail = mail_with(&host, &["Subject: [lastgood] FAILED busy"]);
    daemon.stops();
    assert!(subject(&mail).contains("12 servers"), "{}", subject(&mail));
    for number in 1..=12 {
        assert!(mail.contains(&format!("web-server-{number:02}")), "{mail}");
    }
    let reported = mails(&host).iter().filter(|mail| subject(mail).contains("FAILED")).count();
    assert_eq!(reported, 1);
}

#[test]
fn a_digest_comes_at_its_due_times_once_each_though_the_daemon_dies() {
    let host = Host::new(&["--servers", "1"]);
    let reports = "[report.daily]\nto = [\"ops@example.com\"]\ndigest = \"*/4 * * * * *\"\n[report.oncall]\nto = \
                   [\"oncall@example.com\"]\n";
    write_policy(&host, &(policy("busy", "snapshot", "*/2 * * * * *", "") + reports));
    let digests = || -> Vec<String> {
        mails(&host).into_iter().filter(|mail| subject(mail).contains("[lastgood] digest")).collect()
    };
    let mut seen = 0;
    for _ in 0..3 {
        let daemon = Daemon::start(&host);
        seen = eventually("another digest", || Some(digests().len()).filter(|count| *count > seen));
        daemon.dies();
    }
    let daemon = Daemon::start(&host);
    eventually("two more digests", || (digests().len() >= seen + 2).then_some(()));
    daemon.stops();
    let digests = digests();
    let ids: BTreeSet<&str> = digests.iter().map(|mail| message_id(mail)).collect();
    assert_eq!(ids.len(), digests.len());
    let dues: BTreeSet<i64> = digests.iter().map(|mail| date(mail).as_second() / 4).collect();
    assert_eq!(
        dues.len(),
        digests.len(),
        "one for each due time: {:?}",
        digests.iter().map(|it| date(it)).collect::<Vec<_>>()
    );
    let last = digests.last().unwrap();
    assert!(last.contains("To: ops@example.com") && last.contains("busy") && last.contains("web-server-01"), "{last}");
}

#[test]
fn a_digest_names_the_server_of_a_held_point() {
    let host = Host::new(&["--servers", "1"]);
    let report = "[report.daily]\nto = [\"ops@example.com\"]\ndigest = \"*/2 * * * * *\"\n";
    write_policy(&host, &(policy("rare", "snapshot", "0 0 1 1 *", "") + report));
    let made = host.run(&["run", "--json"]).ends_with(0).json()["runs"][0]["created"].to_string();
    host.run(&["hold", "snapshot", &made, "--reason", "audit"]).ends_with(0);
    let daemon = Daemon::start(&host);
    mail_with(&host, &["[lastgood] digest", &format!("snapshot {made} of web-server-01: never ends")]);
    daemon.stops();
}

#[test]
fn a_mail_goes_by_smtp_to_whoever_listens() {
    let host = Host::new(&["--servers", "1"]);
    let server = MailServer::open();
    let mail = smtp_server::settings(server.port) + &oncall("group_wait = \"0s\"");
    write_policy(&host, &(policy("busy", "snapshot", "*/2 * * * * *", "") + &mail));
    full(&host);
    let daemon = Daemon::start(&host);
    let letter = server.next();
    daemon.stops();
    assert!(letter.text.contains("Subject: [lastgood] FAILED busy on web-server-01"), "{letter:?}");
    assert_eq!(letter.to, ["<oncall@example.com>"], "{letter:?}");
}
