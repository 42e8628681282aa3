//! The rules for deletes: whose the point is, what would be left, and whether it is the right time.

use super::*;

#[tokio::test]
async fn the_delete_of_a_point_that_is_not_ours_is_flagged() {
    let theirs = PointSpec::aged(PointKind::Snapshot, SERVER, 9 * 86_400);
    let cases = [
        (theirs.clone(), vec![Invariant::Foreign]),
        (ours(9, "other", "nightly"), vec![Invariant::Foreign]),
        (ours(9, "main", "weekly"), vec![Invariant::OtherPolicy]),
        (PointSpec { status: Some("in_progress".into()), ..ours(9, "main", "nightly") }, vec![Invariant::InProgress]),
        (PointSpec { status: Some("archiving".into()), ..ours(9, "main", "nightly") }, vec![Invariant::InProgress]),
        (PointSpec { age_seconds: -900, ..ours(9, "main", "nightly") }, vec![Invariant::Future]),
        (ours(9, "main", "nightly"), vec![]),
    ];
    for (spec, broken) in cases {
        let others = (1..=4).map(|day| ours(day, "main", "nightly"));
        let options = Options { foreign: std::iter::once(spec.clone()).chain(others).collect(), ..free() };
        let wild = Wild::new(options);
        wild.list().await;
        wild.delete(801).await;
        assert_eq!(wild.broken(), broken, "{spec:?}");
    }
    let wild =
        Wild::new(Options { foreign: vec![theirs.clone(), theirs.clone(), theirs], snapshot_slots: 3, ..free() });
    let mut wild = wild.policy(|policy| policy.prune_all = true);
    wild.facts.slots = [10, 3];
    wild.list().await;
    wild.delete(801).await;
    assert_eq!(wild.broken(), [], "prune = all");
}

#[tokio::test]
async fn the_delete_of_an_automatic_backup_is_flagged() {
    let mut wild = Wild::new(Options { automatic_backups: 3, ..free() });
    wild.facts.add("*", "weekly", CheckedPolicy { prune_all: true, ..CheckedPolicy::new(PointKind::Backup) });
    let automatic = wild.simulator.account().points(PointKind::Backup).next().unwrap().clone();
    assert_eq!(automatic.backup_type, BackupType::Automatic);
    wild.send("DELETE", &format!("/backups/{}/", automatic.id), Value::Null).await;
    assert_eq!(wild.broken(), [Invariant::Automatic]);
}

#[tokio::test]
async fn the_delete_of_a_held_or_protected_point_is_flagged() {
    let mut wild = Wild::with_ours(5);
    wild.facts.held.insert((PointKind::Snapshot, "801".to_owned()));
    wild.delete(801).await;
    assert_eq!(wild.broken(), [Invariant::Held]);
    let mut wild = Wild::with_ours(5);
    wild.facts.held_servers.insert(SERVER.to_owned());
    wild.delete(801).await;
    assert_eq!(wild.broken(), [Invariant::Held]);
    let wild = Wild::with_ours(5).policy(|policy| policy.protect = vec!["lg-*T02:3?:00Z *".to_owned()]);
    wild.delete(801).await;
    assert_eq!(wild.broken(), [Invariant::Protected]);
    let wild = Wild::with_ours(5).policy(|policy| policy.prune_none = true);
    wild.delete(801).await;
    assert_eq!(wild.broken(), [Invariant::OtherPolicy]);
}

#[tokio::test]
async fn deleting_a_point_that_a_person_edited_is_flagged_once_the_client_could_know() {
    for (read_before, read_after, broken) in
        [(true, true, vec![Invariant::Foreign]), (true, false, vec![]), (false, true, vec![])]
    {
        let wild = Wild::with_ours(5);
        if read_before {
            wild.list().await;
        }
        let name = Some("keep this one".to_owned());
        let edit = Edit { pick: pick(801), name, description: None, status: None, created_at: None, size_mb: None };
        wild.act(PersonAction::EditPoint(edit));
        if read_after {
            wild.list().await;
        }
        wild.delete(801).await;
        assert_eq!(wild.broken(), broken);
    }
}

#[tokio::test]
async fn a_point_with_our_mark_that_came_later_is_anothers() {
    let wild = Wild::with_ours(4);
    wild.list().await;
    wild.act(PersonAction::CreatePoint(ours(8, "main", "nightly")));
    wild.list().await;
    wild.delete(801).await;
    wild.delete(805).await;
    assert_eq!(wild.broken(), [Invariant::SecondLastgood, Invariant::Foreign]);
}

#[tokio::test]
async fn the_delete_of_the_newest_is_flagged() {
    let wild = Wild::with_ours(5);
    wild.delete(805).await;
    assert_eq!(wild.broken(), [Invariant::NewestOfServer]);
    let newer = PointSpec::aged(PointKind::Snapshot, SERVER, 60);
    let foreign = (1..=4).rev().map(|day| ours(day, "main", "nightly")).chain([newer]).collect();
    let wild = Wild::new(Options { foreign, ..free() });
    wild.delete(804).await;
    assert_eq!(wild.broken(), [Invariant::NewestOfPolicy]);
}

#[tokio::test]
async fn when_a_person_deletes_the_newest_point_the_next_one_counts_once_that_is_known() {
    for (read_again, broken) in [(true, vec![Invariant::NewestOfServer]), (false, vec![])] {
        let mut wild = Wild::with_ours(2);
        wild.facts.slots = [10, 2];
        wild.list().await;
        wild.act(PersonAction::DeletePoint(pick(802)));
        if read_again {
            wild.facts.slots = [10, 1];
            wild.list().await;
        }
        wild.delete(801).await;
        assert_eq!(wild.broken(), broken);
    }
}

#[tokio::test]
async fn leaving_less_than_min_keep_is_flagged() {
    for (min_keep, broken) in [(5, vec![Invariant::MinKeep]), (4, vec![])] {
        let wild = Wild::with_ours(5).policy(|policy| policy.min_keep = min_keep);
        wild.delete(801).await;
        assert_eq!(wild.broken(), broken);
    }
}

#[tokio::test]
async fn an_early_delete_of_a_completed_point_is_flagged_unless_no_slot_is_free() {
    for (points, wait, broken) in [
        (4, 0, vec![Invariant::EvictedWithRoom]),
        (4, 1, vec![Invariant::EvictedWithRoom]),
        (4, 5, vec![]),
        (5, 0, vec![]),
    ] {
        let wild = Wild::with_ours(points);
        wild.list().await;
        if points == 4 {
            wild.create("aaaaaaaa", TODAY).await;
            wild.act(PersonAction::DeletePoint(pick(802)));
            wild.wait(wait);
            wild.list().await;
        }
        wild.delete(801).await;
        assert_eq!(wild.broken(), broken, "{points} {wait}");
    }
}

#[tokio::test]
async fn a_slot_may_be_kept_for_people() {
    let wild = Wild::with_ours(4).policy(|policy| policy.reserve = 1);
    wild.delete(801).await;
    assert_eq!(wild.broken(), []);
}

#[tokio::test]
async fn two_evictions_before_a_new_point_is_completed_are_flagged() {
    for (completed_between, broken) in [(false, vec![Invariant::EvictedTwice]), (true, vec![])] {
        let wild = Wild::with_ours(5);
        wild.list().await;
        wild.delete(801).await;
        wild.create("aaaaaaaa", TODAY).await;
        if completed_between {
            wild.wait(5);
        }
        wild.list().await;
        wild.delete(802).await;
        assert_eq!(wild.broken(), broken);
    }
}

#[tokio::test]
async fn more_deletes_than_the_brake_allows_are_flagged_within_an_announced_run() {
    for (most, broken) in [(1, vec![Invariant::MaxDeletes]), (2, vec![])] {
        let wild = Wild::with_ours(4).policy(|policy| policy.max_deletes = Some(most));
        let mut truth = Truth::new(wild.facts.clone());
        truth.feed(&wild.simulator.take_record());
        truth.run_began(SERVER, "nightly");
        wild.create("aaaaaaaa", TODAY).await;
        wild.wait(5);
        wild.delete(801).await;
        wild.delete(802).await;
        truth.feed(&wild.simulator.take_record());
        let rules: Vec<Invariant> = truth.violations().iter().map(|violation| violation.rule).collect();
        assert_eq!(rules, broken, "{most}");
    }
}

#[tokio::test]
async fn a_delete_of_another_policys_point_is_flagged_within_an_announced_run() {
    let mut wild = Wild::with_ours(5);
    wild.facts.add("*", "weekly", CheckedPolicy::new(PointKind::Snapshot));
    let mut truth = Truth::new(wild.facts.clone());
    truth.feed(&wild.simulator.take_record());
    truth.run_began(SERVER, "weekly");
    wild.delete(801).await;
    truth.feed(&wild.simulator.take_record());
    assert_eq!(truth.violations()[0].rule, Invariant::OtherPolicy);
    assert!(truth.violations()[0].to_string().contains("801 on web-server-01"), "{}", truth.violations()[0]);
}
