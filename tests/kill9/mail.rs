//! The mail of a failed run, by SMTP, when the program is killed or asked to stop at anything that the mail server
//! hears, and at each request to the provider before that. Each report gets it, under one Message-ID only. It may get it
//! twice under that one: this cannot be avoided when the program dies between the server's acceptance and the write that
//! records it.

use std::collections::BTreeSet;

use lastgood::seams::policy::inventory::Kind;
use lastgood::simulator::{Call, Effect, Options, Rule, ServerSpec, Style};

use crate::gate::{Moment, Stop};
use crate::gated_host::{GatedHost, Running};
use crate::stops::{each, moments};
use crate::striking_server::{How, Strike, StrikingServer, When};
use crate::support::policy_text::policy;
use crate::support::smtp_server;

/// Two reports, so that there are two mails of one failure; one of them has two people.
const REPORTS: [&str; 2] = ["<oncall@example.com>", "<boss@example.com>"];

struct MailedFailure {
    host: GatedHost,
    server: StrikingServer,
}

fn mailed_failure() -> MailedFailure {
    let server = StrikingServer::open();
    let reports = r#"[report.oncall]
to = ["oncall@example.com", "second@example.com"]
group_wait = "0s"
[report.boss]
to = ["boss@example.com"]
on = ["failure"]
group_wait = "0s"
"#;
    let nightly = policy("nightly", "snapshot", "30 2 29 2 *", "");
    let policies = nightly + &smtp_server::settings(server.port) + reports;
    let host =
        GatedHost::new(Options { servers: ServerSpec::numbered(1, Style::Integer), ..Options::default() }, &policies);
    host.simulator.add_fault(Rule::new(Effect::status(400)).call(Call::Create));
    host.record_due(Kind::Snapshot);
    MailedFailure { host, server }
}

impl MailedFailure {
    fn start(&self, stop: Option<Stop>, strike: Option<Strike>) -> Running {
        self.server.expect(strike);
        let daemon = self.host.start(&["daemon"], stop);
        self.server.name(daemon.victim());
        daemon
    }

    /// Runs the daemon until nothing is left to do, or it is struck.
    fn live(&self, stop: Option<Stop>, strike: Option<Strike>) {
        let daemon = self.start(stop, strike);
        self.host.until(|| daemon.has_ended() || (!self.host.gate.seen().is_empty() && self.host.is_settled()));
        let (status, said) = daemon.terminate();
        let killed = stop.is_some() || strike.is_some_and(|strike| strike.how == How::Kill);
        assert!(status.success() || killed, "{status}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }

    /// `may_be_twice`: whether a message may have been accepted without the program having recorded it.
    fn check(&self, may_be_twice: bool, how: &str) {
        let letters = self.server.letters();
        let shown: Vec<_> = letters.iter().map(|letter| (letter.message_id(), &letter.to)).collect();
        let how = format!("{how}: {shown:#?}\n{:#?}", self.host.history());
        assert!(letters.iter().all(|letter| letter.text.contains("Subject: [lastgood] FAILED nightly on")), "{how}");
        let ids: BTreeSet<&str> = letters.iter().map(|letter| letter.message_id()).collect();
        assert_eq!(ids.len(), REPORTS.len(), "one Message-ID for each report, {how}");
        for report in REPORTS {
            let of_it: Vec<_> = letters.iter().filter(|it| it.to.iter().any(|to| to == report)).collect();
            let ids: BTreeSet<&str> = of_it.iter().map(|letter| letter.message_id()).collect();
            assert_eq!(ids.len(), 1, "{report}, {how}");
            let texts: BTreeSet<&str> = of_it.iter().map(|letter| letter.text.as_str()).collect();
            assert_eq!(texts.len(), 1, "the same letter, {how}");
        }
        let most = REPORTS.len() + usize::from(may_be_twice);
        assert!(letters.len() <= most, "{} letters, {how}", letters.len());
        let history = self.host.history();
        assert_eq!((history.len(), history[0].summary.outcome.as_str()), (1, "failed"), "{how}");
    }
}

/// Every strike of an undisturbed dialogue, and whether it may fall between the server's acceptance of a message and the
/// program's record of it: that is written after the goodbye and before the next message.
fn strikes() -> Vec<(Strike, bool)> {
    let failure = mailed_failure();
    failure.live(None, None);
    failure.check(false, "undisturbed");
    let heard = failure.server.heard();
    assert!(heard.len() > 10 && heard.iter().filter(|line| *line == ".").count() == REPORTS.len(), "{heard:?}");
    let mut strikes = Vec::new();
    for (number, line) in (1..).zip(&heard) {
        let whens: &[When] =
            if line == "." { &[When::Before, When::Accepted, When::Answered] } else { &[When::Before, When::Answered] };
        for how in [How::Kill, How::Terminate] {
            let between = |when: When| line == "QUIT" || (line == "." && when != When::Before);
            strikes.extend(whens.iter().map(|when| (Strike { heard: number, when: *when, how }, between(*when))));
        }
    }
    strikes
}

#[test]
fn a_failure_is_mailed_under_one_message_id_wherever_the_dialogue_breaks() {
    each(&strikes(), |(strike, may_be_twice)| {
        let failure = mailed_failure();
        failure.live(None, Some(*strike));
        let before = failure.server.letters().len();
        failure.live(None, None);
        failure.check(*may_be_twice, &format!("{strike:?}, {before} letters before"));
    });
}

#[test]
fn a_message_whose_acceptance_was_not_recorded_is_sent_again_under_its_message_id() {
    let failure = mailed_failure();
    let strikes = strikes();
    let (strike, _) = strikes.iter().find(|(it, _)| it.when == When::Accepted && it.how == How::Kill).unwrap();
    failure.live(None, Some(*strike));
    assert_eq!(failure.server.letters().len(), 1);
    failure.live(None, None);
    failure.check(true, "accepted and not known");
    assert_eq!(failure.server.letters().len(), REPORTS.len() + 1, "what nobody knows to be there is sent again");
}

#[test]
fn a_failure_is_mailed_wherever_its_run_is_killed() {
    let undisturbed = mailed_failure();
    undisturbed.live(None, None);
    let stops = moments(&undisturbed.host.gate.seen());
    assert!(stops.len() > 3 && stops.iter().any(|stop| stop.moment == Moment::CarriedOut), "{stops:?}");
    each(&stops, |stop| {
        let failure = mailed_failure();
        failure.live(Some(*stop), None);
        failure.live(None, None);
        // It may be killed at a list that it reads after the mail was sent.
        failure.check(true, &format!("{stop:?}"));
    });
}

/// Runs the daemon under `strace` and kills it after this write. How many writes there were.
fn live_until_write(failure: &MailedFailure, last: Option<usize>) -> usize {
    failure.server.expect(None);
    let daemon = crate::writes::start(&failure.host, &["daemon"]);
    failure.server.name(daemon.victim());
    crate::writes::count(daemon, last, || failure.server.letters().len() >= REPORTS.len())
}

#[test]
#[ignore = "needs strace and minutes: `.ci/kill` runs it"]
fn a_failure_is_mailed_under_one_message_id_whatever_write_the_program_is_killed_after() {
    let writes = live_until_write(&mailed_failure(), None);
    assert!(writes > 10, "{writes}");
    each(&(1..=writes).collect::<Vec<_>>(), |write| {
        let failure = mailed_failure();
        live_until_write(&failure, Some(*write));
        failure.live(None, None);
        failure.check(true, &format!("killed after write {write}"));
    });
}
