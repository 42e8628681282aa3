//! The mails as people read them.

use super::*;
use crate::journal::event;
use crate::journal::notice::{
    Class, DeletedPoint, Fact, FailedRun, FoundServer, GivenUp, LatestDue, MissedDueTimes, NotStarted, Notice,
    Recovered, Recovery, RunProblem, StartProblem, StoppedFor, Topic, Tries,
};
use crate::policy::brake::{Brake, BrakeCause};
use crate::policy::inventory::{Kind, PointId, ServerStatus};
use crate::policy::plan::Reason;
use crate::policy::schedule::Lost;
use crate::report::content::compose;
use crate::report::message_data::{MailKind, MessageData, TimedNotice};
use crate::report::samples::{
    HOSTILE, at, context, deleted, digest, failed, failed_as, failed_run, good, notice, recovery, server, stale,
    success,
};

fn golden(name: &str, data: &MessageData) -> Rendered {
    let rendered = render(&compose(data, &context()));
    insta::assert_snapshot!(format!("{name}.txt"), format!("Subject: {}\n\n{}", rendered.subject, rendered.text));
    insta::assert_snapshot!(format!("{name}.html"), rendered.html);
    // To look at the pages in a browser.
    if let Some(folder) = std::env::var_os("LASTGOOD_MAIL_PAGES") {
        let page = std::path::Path::new(&folder).join(format!("{name}.html"));
        std::fs::write(page, &rendered.html).expect("the folder that was asked for can be written");
    }
    rendered
}

fn notices() -> MessageData {
    let since = at("2026-11-21T01:30:00Z");
    let lost = Lost { count: 2, first: at("2026-11-20T02:30:00Z"), last: at("2026-11-21T02:30:00Z") };
    let latest = LatestDue::CaughtUp(at("2026-11-21T02:30:00Z"));
    let brake = |cause, text: &str| Brake { cause, policy: None, text: text.to_owned(), points: vec![] };
    let of_policy = [
        Fact::NewJournal { points: 12 },
        Fact::SecondLastgood { id: PointId::Text("7f0c".to_owned()) },
        Fact::Missed(MissedDueTimes { lost: Some(lost), latest, next: Some(at("2026-11-22T02:30:00Z")) }),
        Fact::Missed(MissedDueTimes { lost: None, latest: LatestDue::Skipped(since), next: None }),
        Fact::Missed(MissedDueTimes { lost: Some(lost), latest: LatestDue::TooOld, next: None }),
        Fact::ClockCorrected { handled: at("2036-01-01T00:00:00Z"), corrected: since },
        Fact::Braked {
            brakes: vec![
                brake(BrakeCause::Gone, "completed points of ours are gone, and lastgood did not delete them: 5, 6"),
                brake(BrakeCause::Clock, "the provider's clock and ours are more than an hour apart"),
            ],
        },
        Fact::MoreToDelete { left: 25, max_deletes: 2 },
        Fact::Stuck { id: PointId::Number(77), created_at: Some(since), stuck_after_seconds: 7200 },
        Fact::DatedInFuture { id: PointId::Number(78), created_at: Some(at("2026-12-01T00:00:00Z")) },
        Fact::LeftOver { id: PointId::Number(79), created_at: since },
    ];
    let server_status = ServerStatus::Stopped;
    let of_server = [
        Fact::ServerGone { policies: vec!["nightly".parse().unwrap(), "hourly".parse().unwrap()] },
        Fact::CommandCutOff {
            command: "restore backup 7".to_owned(),
            accepted: false,
            server: FoundServer::Reads(server_status),
        },
    ];
    let of_account = [
        Fact::ServerListDoubtful { doubt: "the entry of server web-server-02 cannot be read".to_owned() },
        Fact::ServerListUnreadable { stored: true, error: "401 Unauthorized".to_owned() },
        Fact::ReloadRefused {
            errors:
                "error: unknown key `shedule`\n --> policy.toml:12:1\n   |\n12 | shedule = 1\n   | ^^^^^^^\n   |\n   = \
                     help: did you mean `schedule`?"
                    .to_owned(),
        },
        Fact::Overfilled {
            over: server("web-server-01"),
            sum: "nightly 6 + second 6 + reserve 0 = 12 > 10 backups".to_owned(),
        },
        Fact::General { class: Class::Failure, topic: Topic::Attention, text: "something else happened".to_owned() },
    ];
    let of_policy = of_policy.into_iter().map(|fact| notice("web-server-01", Kind::Backup, fact));
    let of_server = of_server.into_iter().map(|fact| Notice::of_server(server("web-server-01"), fact));
    let all = of_policy.chain(of_server).chain(of_account.into_iter().map(Notice::new));
    MessageData::Notices(MailKind::Attention, all.map(|notice| TimedNotice::new(context().now, notice)).collect())
}

fn one(kind: MailKind, happened: TimedNotice) -> MessageData {
    MessageData::Notices(kind, vec![happened])
}

#[test]
fn a_failure_as_it_is_read() {
    let deleted = vec![deleted(804, event::DeleteReason::Eviction)];
    let run = FailedRun { deleted, ..failed_run("snapshot limit reached (5 foreign)") };
    golden("failed", &one(MailKind::Failed, failed_as("web-server-01", run)));
}

#[test]
fn failures_of_several_causes_as_they_are_read() {
    let error = "403 Forbidden: this token may not create snapshots";
    let refused = FailedRun { tries: Some(Tries { made: 1, allowed: 3 }), ..failed_run(error) };
    let never = FailedRun { last_good: None, ..failed_run("Server 48213 is locked") };
    let mut other = failed("db-server-01", "Server 51177 is locked");
    other.notice.policy = Some("hourly".parse().unwrap());
    let all = vec![failed_as("mail-server-02", refused), failed_as("db-server-02", never), other];
    golden("failed-several", &MessageData::Notices(MailKind::Failed, all));
}

#[test]
fn runs_that_cannot_go_on_as_they_are_read() {
    let of = |problem| FailedRun { problem, due: None, tries: None, next: None, ..failed_run("") };
    let error = || "index out of bounds".to_owned();
    let all = vec![
        failed_as("web-server-01", of(RunProblem::CutOff { error: error() })),
        failed_as("web-server-02", of(RunProblem::Unreadable { error: error() })),
        failed_as("web-server-03", of(RunProblem::Unknown { error: "look at it".to_owned() })),
    ];
    golden("failed-otherwise", &MessageData::Notices(MailKind::Failed, all));
}

#[test]
fn a_stale_policy_as_it_is_read() {
    golden("stale", &one(MailKind::Stale, stale("web-server-01", Some(good(5, "2026-11-18T02:30:00Z")))));
}

#[test]
fn a_recovery_as_it_is_read() {
    golden("recovered", &one(MailKind::Recovered, recovery("web-server-01", "2026-11-19T02:31:00Z")));
}

#[test]
fn recoveries_of_other_incidents_as_they_are_read() {
    let of = |by, was: &str| {
        let since = Some(at("2026-11-21T02:31:00Z"));
        Fact::Recovered(Recovered { by, since, was: Some(was.to_owned()), lost: vec![], last_good: None })
    };
    let servers = [Recovery::ServerRuns, Recovery::StoppedServerGone, Recovery::StartReleased];
    let servers = servers.map(|by| Notice::of_server(server("web-server-01"), of(by, "it could not be started")));
    let account = [(Recovery::ServersListed, "401 Unauthorized"), (Recovery::Reloaded, "the policy file was refused")];
    let account = account.map(|(by, was)| Notice::new(of(by, was)));
    let mut texts = String::new();
    for notice in servers.into_iter().chain(account) {
        let rendered = render(&compose(&one(MailKind::Recovered, TimedNotice::new(context().now, notice)), &context()));
        texts += &format!("Subject: {}\n\n{}\n", rendered.subject, rendered.text);
    }
    insta::assert_snapshot!("recovered-others.txt", texts);
}

#[test]
fn successes_as_they_are_read() {
    let mut second = success("web-server-02");
    if let Fact::Succeeded(run) = &mut second.notice.fact {
        run.started_early = true;
        run.given_up =
            vec![GivenUp { id: PointId::Number(811), why: Reason::GivenUp { beside: vec![PointId::Number(640)] } }];
    }
    golden("succeeded", &MessageData::Notices(MailKind::Succeeded, vec![success("web-server-01"), second]));
}

#[test]
fn notices_as_they_are_read() {
    golden("notices", &notices());
}

#[test]
fn a_server_that_does_not_start_as_it_is_read() {
    golden("not-started", &not_started(StartProblem::Failed { error: "409 Conflict: another action".to_owned() }));
}

fn not_started(problem: StartProblem) -> MessageData {
    let stopped_for = Some(StoppedFor { policy: "nightly".parse().unwrap(), kind: Kind::Backup });
    let since = Some(at("2026-11-21T04:02:00Z"));
    let fact = Fact::ServerNotStarted(NotStarted { problem, stopped_for, since });
    one(MailKind::NotStarted, TimedNotice::new(context().now, Notice::of_server(server("web-server-01"), fact)))
}

#[test]
fn why_a_server_does_not_run_as_it_is_read() {
    let problems = [
        StartProblem::Asked { again: false },
        StartProblem::Asked { again: true },
        StartProblem::AskedBeforeExit,
        StartProblem::NotSeenRunning { seen: "it is restoring now".to_owned() },
        StartProblem::MayStillStop,
        StartProblem::Missing,
    ];
    let text = |problem| render(&compose(&not_started(problem), &context())).text;
    let texts: Vec<String> =
        problems.map(text).iter().filter_map(|text| Some(text.split("\n\n").nth(2)?.into())).collect();
    insta::assert_snapshot!("not-started-otherwise.txt", texts.join("\n\n"));
}

#[test]
fn a_digest_as_it_is_read() {
    let rendered = golden("digest", &MessageData::Digest(Box::new(digest())));
    assert!(rendered.text.contains("■■■■■■■▣□□"));
}

#[test]
fn a_hostile_name_is_text_in_both_alternatives() {
    let deleted = vec![DeletedPoint { id: PointId::Text(HOSTILE.to_owned()), cause: None }];
    let hostile = || failed_as(HOSTILE, FailedRun { deleted: deleted.clone(), ..failed_run(HOSTILE) });
    let mut facts = digest();
    facts.policies[0].servers[0].server.name = HOSTILE.to_owned();
    facts.unprotected[0].name = HOSTILE.to_owned();
    facts.holds[0].reason = HOSTILE.to_owned();
    facts.former[0].server.name = HOSTILE.to_owned();
    let other = Fact::General { class: Class::Failure, topic: Topic::Attention, text: HOSTILE.to_owned() };
    let other = TimedNotice::new(context().now, Notice::of_server(server(HOSTILE), other));
    let refused = Fact::ServerListUnreadable { stored: true, error: HOSTILE.to_owned() };
    let refused = TimedNotice::new(context().now, Notice::new(refused));
    let all = [
        golden("hostile", &one(MailKind::Failed, hostile())),
        render(&compose(&MessageData::Notices(MailKind::Failed, vec![hostile(), failed("b", HOSTILE)]), &context())),
        render(&compose(&one(MailKind::Stale, stale(HOSTILE, None)), &context())),
        render(&compose(&one(MailKind::Recovered, recovery(HOSTILE, "2026-11-19T02:31:00Z")), &context())),
        render(&compose(&one(MailKind::Succeeded, success(HOSTILE)), &context())),
        render(&compose(&one(MailKind::Attention, other), &context())),
        render(&compose(&one(MailKind::Attention, refused), &context())),
        render(&compose(&MessageData::Digest(Box::new(facts)), &context())),
    ];
    for mail in all {
        assert!(!mail.html.contains("<script"), "{}", mail.html);
        assert!(mail.html.contains("&lt;script&gt;"), "{}", mail.html);
        assert!(mail.text.contains("<script>"), "{}", mail.text);
        assert!(!mail.text.contains("\nBcc"), "{}", mail.text);
        for part in [&mail.text, &mail.html] {
            assert!(!part.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{part:?}");
            assert!(!part.contains("49"), "a name was run as a template: {part}");
        }
    }
}

#[test]
fn the_page_has_no_external_resources() {
    let html = render(&compose(&MessageData::Digest(Box::new(digest())), &context())).html;
    for word in ["http:", "https:", "src=", "url(", "<img", "<link", "@import"] {
        assert!(!html.contains(word), "{word} in {html}");
    }
}

#[test]
fn text_lines_fit_a_mail_client() {
    let text = render(&compose(&notices(), &context())).text;
    let longest = text.lines().map(|line| line.chars().count()).max();
    assert!(longest.is_some_and(|length| length <= 80), "{text}");
}
