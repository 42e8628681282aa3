//! The mails as people read them.

use super::*;
use crate::policy::inventory::{Id, Kind};
use crate::report::content::compose;
use crate::report::facts::{Affected, Matter, Next};
use crate::report::notice::Notice;
use crate::report::samples::{HOSTILE, at, digest, failed, frame, good, recovery, server, stale, success};

fn golden(name: &str, matter: &Matter) -> Rendered {
    let rendered = render(&compose(matter, &frame()));
    insta::assert_snapshot!(format!("{name}.txt"), format!("Subject: {}\n\n{}", rendered.subject, rendered.text));
    insta::assert_snapshot!(format!("{name}.html"), rendered.html);
    // To look at the pages in a browser; a folder that is not there is no error.
    if let Some(folder) = std::env::var_os("LASTGOOD_MAIL_PAGES") {
        let page = std::path::Path::new(&folder).join(format!("{name}.html"));
        std::fs::write(page, &rendered.html).expect("the folder that was asked for can be written");
    }
    rendered
}

fn notices() -> Vec<Notice> {
    let (web, nightly) = (server("web-server-01"), "nightly".to_owned());
    let since = at("2026-11-21T01:30:00Z");
    vec![
        Notice::NewJournal { points: 12, servers: 3 },
        Notice::SecondLastgood { server: web.clone(), ids: vec![Id::Number(4), Id::Text("7f0c".to_owned())] },
        Notice::ServerGone { server: web.clone(), policies: vec![nightly.clone()], last_good: None },
        Notice::Missed {
            server: web.clone(),
            policy: nightly.clone(),
            dues: vec![at("2026-11-20T02:30:00Z"), at("2026-11-21T02:30:00Z")],
            caught_up: Some(frame().now),
            next: Some(at("2026-11-22T02:30:00Z")),
        },
        Notice::Stuck { server: web.clone(), policy: nightly.clone(), kind: Kind::Backup, id: Id::Number(77), since },
        Notice::ReloadRefused {
            file: "/etc/lastgood/policy.toml".to_owned(),
            errors: vec!["line 12: unknown key `shedule`, did you mean `schedule`?".to_owned()],
        },
        Notice::BrakeKept {
            server: web.clone(),
            policy: nightly,
            kind: Kind::Backup,
            ids: (1..=25).map(Id::Number).collect(),
            limit: 2,
        },
        Notice::Other {
            server: Some(web),
            policy: None,
            headline: "a last handled time was in the future".to_owned(),
            text: "It has been put right.".to_owned(),
        },
    ]
}

#[test]
fn a_failure_as_it_is_read() {
    let mut one = failed("web-server-01", "snapshot limit reached (5 foreign)");
    one.done = vec!["deleted snapshot 804 (eviction)".to_owned()];
    golden("failed", &Matter::Failed(vec![one]));
}

#[test]
fn failures_of_several_causes_as_they_are_read() {
    let mut person = failed("mail-server-02", "403 Forbidden: this token may not create snapshots");
    person.next = Some(Next::Person("give the token the permission snapshots:write".to_owned()));
    let mut never = failed("db-server-02", "Server 48213 is locked");
    never.last_good = None;
    let other = Affected { policy: Some("hourly".to_owned()), ..failed("db-server-01", "Server 51177 is locked") };
    golden("failed-several", &Matter::Failed(vec![person, never, other]));
}

#[test]
fn a_stale_policy_as_it_is_read() {
    golden("stale", &Matter::Stale(vec![stale("web-server-01", Some(good(5, "2026-11-18T02:30:00Z")))]));
}

#[test]
fn a_recovery_as_it_is_read() {
    golden("recovered", &Matter::Recovered(vec![recovery("web-server-01", "2026-11-19T02:31:00Z")]));
}

#[test]
fn successes_as_they_are_read() {
    golden("succeeded", &Matter::Succeeded(vec![success("web-server-01"), success("web-server-02")]));
}

#[test]
fn notices_as_they_are_read() {
    golden("notices", &Matter::Notices(notices()));
}

#[test]
fn a_server_that_does_not_start_as_it_is_read() {
    let notice = Notice::NotStarted {
        server: server("web-server-01"),
        policy: "nightly".to_owned(),
        since: at("2026-11-21T04:02:00Z"),
        cause: "409 Conflict: another action is running".to_owned(),
    };
    golden("not-started", &Matter::Notices(vec![notice]));
}

#[test]
fn a_digest_as_it_is_read() {
    let rendered = golden("digest", &Matter::Digest(Box::new(digest())));
    assert!(rendered.text.contains("■■■■■■■▣□□"));
}

#[test]
fn a_hostile_name_is_text_in_both_alternatives() {
    let mut one = failed(HOSTILE, HOSTILE);
    one.done = vec![HOSTILE.to_owned()];
    let mut facts = digest();
    facts.policies[0].servers[0].server.name = HOSTILE.to_owned();
    facts.unprotected[0].name = HOSTILE.to_owned();
    facts.holds[0].reason = HOSTILE.to_owned();
    facts.former[0].server.name = HOSTILE.to_owned();
    let other = Notice::Other {
        server: Some(server(HOSTILE)),
        policy: None,
        headline: HOSTILE.to_owned(),
        text: HOSTILE.to_owned(),
    };
    let all = [
        golden("hostile", &Matter::Failed(vec![one.clone()])),
        render(&compose(&Matter::Failed(vec![one, failed("b", HOSTILE)]), &frame())),
        render(&compose(&Matter::Stale(vec![stale(HOSTILE, None)]), &frame())),
        render(&compose(&Matter::Recovered(vec![recovery(HOSTILE, "2026-11-19T02:31:00Z")]), &frame())),
        render(&compose(&Matter::Succeeded(vec![success(HOSTILE)]), &frame())),
        render(&compose(&Matter::Notices(vec![other]), &frame())),
        render(&compose(&Matter::Digest(Box::new(facts)), &frame())),
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
fn the_page_takes_nothing_from_elsewhere() {
    let html = render(&compose(&Matter::Digest(Box::new(digest())), &frame())).html;
    for word in ["http:", "https:", "src=", "url(", "<img", "<link", "@import"] {
        assert!(!html.contains(word), "{word} in {html}");
    }
}

#[test]
fn a_text_line_fits_a_mail_reader() {
    let text = render(&compose(&Matter::Notices(notices()), &frame())).text;
    let longest = text.lines().map(|line| line.chars().count()).max();
    assert!(longest.is_some_and(|length| length <= 80), "{text}");
}
