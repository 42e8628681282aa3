//! What a run does about its server, one row a case.

use super::*;
use crate::journal::debt::{OwedStart, StopEvidence};
use crate::journal::event::{Answer, Outcome, Sight};
use crate::journal::samples::{self, at, began, run_after};

const MINUTE: Duration = Duration::from_mins(1);

fn other(word: &str) -> ServerStatus {
    ServerStatus::Other(word.to_owned())
}

fn done(step: u32, act: Act) -> Vec<Event> {
    vec![Event::Intended { step, act }, Event::Answered { step, answer: Answer::Accepted { id: None } }]
}

fn refused(step: u32, act: Act) -> Vec<Event> {
    let answer = Answer::Refused { error: "busy".to_owned(), last: false };
    vec![Event::Intended { step, act }, Event::Answered { step, answer }]
}

/// A run that has planned, and what happened then.
fn run(then: &[Vec<Event>]) -> RunState {
    run_after(&[began(), then.concat()].concat())
}

fn debt(start: Start) -> Debt {
    let evidence = StopEvidence { start, ..StopEvidence::default() };
    samples::debt(OwedStart { round: 1, in_charge: None, evidence })
}

#[test]
fn a_point_is_requested_only_while_the_server_is_stopped() {
    assert_eq!(before_create(&ServerStatus::Stopped, MINUTE), Some(ServerPower::Off));
    assert_eq!(before_create(&ServerStatus::Active, MINUTE), Some(ServerPower::On));
    assert_eq!(before_create(&other("starting"), MINUTE), None, "it is waited for");
    for (status, waited) in [(other("starting"), LONGEST_CHANGE), (ServerStatus::Suspended, Duration::ZERO)] {
        let power = before_create(&status, waited);
        assert!(matches!(power, Some(ServerPower::Unknown(Failure { last: false, .. }))), "{status}: {power:?}");
    }
}

#[test]
fn what_a_run_does_about_a_server_that_it_has_to_stop() {
    let fresh = || run(&[]);
    let stopped = || run(&[done(1, Act::StopServer)]);
    let restarted = || run(&[done(1, Act::StopServer), done(2, Act::StartServer)]);
    let (not_sent, sent) = (Some(debt(Start::NotSent)), Some(debt(Start::Sent)));
    let fails = |status: &str| {
        let error = format!("the server is {status}, so it is not stopped and no point is created");
        BeforeStop::Fail(Failure { error, last: false })
    };
    for (case, state, status, debt, minutes, expected) in [
        ("it runs", fresh(), ServerStatus::Active, None, 0, BeforeStop::Stop),
        ("it runs, by our start", restarted(), ServerStatus::Active, None, 0, BeforeStop::Stop),
        ("our start takes time", restarted(), ServerStatus::Stopped, None, 1, BeforeStop::Wait),
        ("our start takes too long", restarted(), ServerStatus::Stopped, None, 5, BeforeStop::StoppedByThisRun),
        ("our own stop", stopped(), ServerStatus::Stopped, None, 0, BeforeStop::StoppedByThisRun),
        ("a person's stop", fresh(), ServerStatus::Stopped, None, 0, BeforeStop::StoppedByPerson),
        ("another run's stop", fresh(), ServerStatus::Stopped, not_sent, 0, BeforeStop::StoppedByAnotherRun),
        ("another run's, being started", fresh(), ServerStatus::Stopped, sent.clone(), 1, BeforeStop::Wait),
        ("for too long", fresh(), ServerStatus::Stopped, sent.clone(), 5, BeforeStop::StoppedByAnotherRun),
        ("the watch is at work", fresh(), other("starting"), sent.clone(), 1, BeforeStop::Wait),
        ("for too long", fresh(), other("starting"), sent, 5, fails("starting")),
        ("nobody of ours is at work", fresh(), other("restoring"), None, 1, fails("restoring")),
        ("our own stop is being carried out", stopped(), other("stopping"), None, 1, BeforeStop::Wait),
        ("for too long", stopped(), other("stopping"), None, 5, fails("stopping")),
        ("suspended", fresh(), ServerStatus::Suspended, None, 0, fails("suspended")),
    ] {
        let passed = MINUTE * minutes;
        let found = before_stop(&state, &status, debt.as_ref(), passed, &|_| passed);
        assert_eq!(found, expected, "{case}");
        let asks = stop_depends_on_debt(&state, &status, passed, &|_| passed);
        assert!(asks || debt.is_none() || minutes >= 5, "{case}: what is owed is asked where it counts");
    }
}

#[test]
fn a_server_that_an_earlier_process_may_have_started_is_stopped_once_more() {
    let wait = |by_earlier_process, minutes| {
        let passed = MINUTE * minutes;
        StopWait { by_earlier_process, here: passed, since_request: passed }
    };
    let (settle, stuck_after) = (MINUTE, MINUTE * 4);
    let error = "the server was asked to stop and has not".to_owned();
    let fails = WhileStopping::Fail(Failure { error, last: false });
    let (stopped, active, stopping) = (ServerStatus::Stopped, ServerStatus::Active, other("stopping"));
    for (case, status, waited, limit, expected) in [
        ("it is stopped", Some(&stopped), wait(true, 9), stuck_after, WhileStopping::Stopped),
        ("it runs, and was watched", Some(&active), wait(true, 1), stuck_after, WhileStopping::StopAgain),
        ("it runs, and was just looked at", Some(&active), wait(true, 0), stuck_after, WhileStopping::Wait),
        ("it runs, and this process asked", Some(&active), wait(false, 1), stuck_after, WhileStopping::Wait),
        ("it is stopping", Some(&stopping), wait(true, 3), stuck_after, WhileStopping::Wait),
        ("as long as a point may take", Some(&stopping), wait(true, 4), stuck_after, fails.clone()),
        ("and never longer than a change", Some(&stopping), wait(true, 4), MINUTE * 120, WhileStopping::Wait),
        ("which takes five minutes", Some(&active), wait(false, 5), MINUTE * 120, fails.clone()),
        ("it cannot be read", None, wait(false, 3), stuck_after, WhileStopping::Wait),
        ("for too long", None, wait(false, 4), stuck_after, fails),
    ] {
        assert_eq!(while_stopping(status, waited, (settle, limit)), expected, "{case}");
    }
}

#[test]
fn a_lost_answer_to_a_stop_or_start_is_settled_by_what_the_server_reads() {
    let carried_out = Some(Found::Done { id: None });
    for (act, status, early, late) in [
        (Act::StopServer, ServerStatus::Stopped, carried_out.clone(), carried_out.clone()),
        (Act::StopServer, other("stopping"), carried_out.clone(), carried_out.clone()),
        (Act::StopServer, ServerStatus::Active, None, Some(Found::NotDone)),
        (Act::StartServer, ServerStatus::Active, carried_out.clone(), carried_out),
        (Act::StartServer, ServerStatus::Stopped, None, Some(Found::NotDone)),
    ] {
        assert_eq!(find_power(&act, &status, false), early, "{act:?} {status}, too early");
        assert_eq!(find_power(&act, &status, true), late, "{act:?} {status}");
    }
}

#[test]
fn a_run_waits_for_its_server_for_ten_minutes_and_not_for_one_that_may_still_be_stopping() {
    let reads = |status: &'static ServerStatus, seen_down| OwedServer::Reads { status, seen_down };
    let leave = |error: &str| WhileStarting::Leave(StartProblem::Failed { error: error.to_owned() });
    let unreadable = || OwedServer::Unreadable("no answer".to_owned());
    let may_still_stop = WhileStarting::Leave(StartProblem::MayStillStop);
    for (case, found, minutes, expected) in [
        ("it runs and was down", reads(&ServerStatus::Active, true), 1, WhileStarting::Wait),
        ("for too long", reads(&ServerStatus::Active, true), 10, may_still_stop.clone()),
        ("it runs and was never down", reads(&ServerStatus::Active, false), 0, may_still_stop),
        ("stopped", reads(&ServerStatus::Stopped, true), 9, WhileStarting::Start),
        ("for too long", reads(&ServerStatus::Stopped, true), 10, leave("it is stopped")),
        ("not there", OwedServer::Missing, 1, WhileStarting::Wait),
        ("for `settle`", OwedServer::Missing, 2, WhileStarting::Leave(StartProblem::Missing)),
        ("cannot be read", unreadable(), 9, WhileStarting::ReportAndWait("no answer".to_owned())),
        ("for too long", unreadable(), 10, leave("no answer")),
    ] {
        assert_eq!(while_starting(found, MINUTE * minutes, MINUTE * 2), expected, "{case}");
    }
}

#[test]
fn one_start_is_given_its_time_before_the_next() {
    let stopped = done(1, Act::StopServer);
    let accepted = run(&[stopped.clone(), done(2, Act::StartServer)]);
    let busy = run(&[stopped.clone(), refused(2, Act::StartServer)]);
    let before = run(&[done(1, Act::StopServer), done(2, Act::StartServer), done(3, Act::StopServer)]);
    let overdue = "it was asked to start and does not run";
    let (look, pause, send) = (AfterStart::LookAgain, AfterStart::Pause, AfterStart::Send);
    for (case, state, is_stopped, minutes, report, then) in [
        ("none was sent", run(std::slice::from_ref(&stopped)), true, 0, None, send),
        ("it is stopping", run(&[stopped]), false, 0, None, look),
        ("it was accepted", accepted.clone(), true, 1, None, look),
        ("and has had its time", accepted.clone(), true, 5, Some(overdue), send),
        ("and it is starting", accepted, false, 5, Some(overdue), look),
        ("it was refused", busy.clone(), true, 0, Some("busy"), pause),
        ("and the pause is over", busy, true, 1, None, send),
        ("it was before the last stop", before, true, 0, None, send),
    ] {
        let passed = MINUTE * minutes;
        let expected = NextStart { report: report.map(str::to_owned), then };
        assert_eq!(next_start(&state, is_stopped, MINUTE, &|_| passed), expected, "{case}");
    }
}

#[test]
fn the_debt_watch_starts_nothing_that_a_run_keeps_stopped() {
    let stopped = [done(1, Act::StopServer), vec![Event::Seen(Sight::ServerStopped)]];
    let ended = Event::Ended { outcome: Outcome::Skipped, error: None };
    for (case, before, event, keeps, leaves) in [
        ("a stop is about to be sent", run(&[]), Event::Intended { step: 1, act: Act::StopServer }, true, false),
        ("the start is taken over", run(&[]), Event::FoundOwed, true, false),
        ("it was found stopped", run(&[]), Event::FoundStopped, false, false),
        ("it runs again", run(&stopped), Event::Seen(Sight::ServerRunning), false, true),
        ("the start is left", run(&stopped), Event::StartLeft, false, true),
        ("the run ends", run(&[]), ended, false, true),
    ] {
        let mut after = before.clone();
        after.apply(&event, at(60)).unwrap();
        assert_eq!((keeps_stopped(&event), leaves_debt(before.owes_start, &after)), (keeps, leaves), "{case}");
    }
}
