//! What runs report, and what nobody can know.

use super::*;

fn told<'a>(outcome: &'a str, created: Option<&str>, deleted: &[&str]) -> ReportedRun<'a> {
    let deleted = deleted.iter().map(|id| (*id).to_owned()).collect();
    let created = created.map(str::to_owned);
    ReportedRun { server: SERVER, policy: "nightly", kind: PointKind::Snapshot, outcome, created, deleted }
}

#[tokio::test]
async fn a_run_that_reports_what_did_not_happen_is_flagged() {
    let wild = Wild::with_ours(3);
    wild.create("aaaaaaaa", TODAY).await;
    for (said, broken) in [
        (told("succeeded", Some("804"), &[]), vec![Invariant::FalseReport]),
        (told("succeeded", None, &[]), vec![Invariant::FalseReport]),
        (told("failed", Some("804"), &["801"]), vec![Invariant::FalseReport]),
        (told("failed", Some("803"), &[]), vec![Invariant::Adopted]),
        (told("failed", Some("804"), &[]), vec![]),
        (told("unknown", None, &[]), vec![]),
    ] {
        assert_eq!(wild.after(|truth| truth.run_ended(&said)), broken, "{said:?}");
    }
    wild.wait(5);
    assert_eq!(wild.after(|truth| truth.run_ended(&told("succeeded", Some("804"), &[]))), []);
    let another = ReportedRun { policy: "weekly", ..told("succeeded", Some("804"), &[]) };
    assert_eq!(wild.after(|truth| truth.run_ended(&another)), [Invariant::Adopted]);
}

#[tokio::test]
async fn a_delete_that_a_run_keeps_to_itself_is_flagged() {
    let wild = Wild::with_ours(5);
    let mut truth = Truth::new(wild.facts.clone());
    truth.feed(&wild.simulator.take_record());
    truth.run_began(SERVER, "nightly");
    wild.delete(801).await;
    truth.feed(&wild.simulator.take_record());
    truth.run_ended(&told("failed", None, &[]));
    assert_eq!(truth.violations()[0].rule, Invariant::FalseReport);
}

#[tokio::test]
async fn without_reads_in_the_record_a_run_may_lag_behind_people_by_the_grace() {
    for (seconds, broken) in [(599, vec![]), (601, vec![Invariant::RoomFirst])] {
        let mut wild =
            Wild::new(Options { record_reads: false, ..Wild::with_ours(4).simulator.account().options().clone() });
        wild.facts.reads = false;
        wild.act(PersonAction::CreatePoint(PointSpec::aged(PointKind::Snapshot, SERVER, 0)));
        wild.wait(seconds);
        wild.create("aaaaaaaa", TODAY).await;
        assert_eq!(wild.broken(), broken, "{seconds}");
    }
}

#[tokio::test]
async fn a_list_that_lied_and_could_not_be_seen_through_excuses_what_was_done_on_it() {
    let wild = Wild::with_ours(5);
    let lie = lastgood::simulator::Effect::OnlyItems { items: 2 };
    wild.simulator.add_fault(lastgood::simulator::Rule::new(lie));
    wild.list().await;
    wild.create("aaaaaaaa", TODAY).await;
    assert_eq!(wild.broken(), []);
    wild.simulator.clear_faults();
    wild.list().await;
    wild.create("aaaaaaaa", TODAY).await;
    assert_eq!(wild.broken(), [Invariant::RoomFirst]);
}
