//! What the state remembers for the brakes: what would be missed, and which brake is on, accepted or over.

use super::*;
use crate::policy::brake::{Brake, BrakeCause, DetectedBrakes, PointIdentity, StoredBrake};
use crate::policy::retention_change::RetentionUpdate;
use crate::store::brakes::BrakeUpdate;

fn about(id: i64) -> PointIdentity {
    PointIdentity { id: PointId::Number(id), created_at: at(id) }
}

fn brake(cause: BrakeCause, points: &[i64]) -> Brake {
    Brake { cause, policy: None, text: cause.word().to_owned(), points: points.iter().copied().map(about).collect() }
}

impl StoreInFolder {
    async fn brake(&self, new: Vec<Brake>, second: i64) {
        let brakes = DetectedBrakes { new, ..DetectedBrakes::default() };
        let notices = vec![notice(Class::Failure, Topic::Brake)];
        let (server, kind, policy) = (server(), Kind::Snapshot, nightly());
        let update = BrakeUpdate { server, kind, policy, brakes, retention: RetentionUpdate::default(), notices };
        self.store.brake(update, at(second)).await.unwrap();
    }

    async fn held(&self) -> Vec<StoredBrake> {
        self.memory(99).await.brakes
    }

    async fn accept(&self, shown: StoredBrake) -> bool {
        self.store.accept(server(), vec![shown], at(50)).await.unwrap()
    }

    /// The points that would be missed, and whether they are good ones of ours.
    async fn missed(&self) -> Vec<(PointId, bool)> {
        self.memory(99).await.listed.into_iter().map(|seen| (seen.about.id, seen.good)).collect()
    }

    async fn delete(&self, run: &mut Run, id: i64) -> u32 {
        let act = Act::Delete { id: PointId::Number(id), created_at: at(id), cause: DeleteReason::Retention };
        self.intend(run, act, 10).await
    }
}

#[tokio::test]
async fn all_listed_points_but_automatic_ones_are_expected_and_our_completed_ones_are_good() {
    let folder = folder();
    let running = RestorePoint { status: PointStatus::InProgress, ..ours(2) };
    let automatic = RestorePoint { automatic: true, ..point(4, "of the plan") };
    folder.see(list(vec![ours(1), running, point(3, "by hand"), automatic], 0)).await;
    let expected = [(1, true), (2, false), (3, false)].map(|(id, good)| (PointId::Number(id), good));
    assert_eq!(folder.missed().await, expected);
}

#[tokio::test]
async fn what_we_mean_to_delete_is_not_missed_unless_the_provider_refused_it() {
    let folder = folder();
    folder.see(list(vec![ours(1), ours(2)], 0)).await;
    let mut run = folder.planned().await;
    let step = folder.delete(&mut run, 1).await;
    assert_eq!(folder.missed().await, [(PointId::Number(2), true)]);
    let answer = Answer::Refused { error: "no".to_owned(), last: false };
    folder.write(&mut run, Event::Answered { step, answer }, 11).await;
    assert_eq!(folder.missed().await, [(PointId::Number(1), true), (PointId::Number(2), true)]);
}

#[tokio::test]
async fn a_point_of_ours_under_the_id_of_one_that_we_deleted_is_missed() {
    let folder = folder();
    folder.see(list(vec![ours(1), ours(2)], 0)).await;
    let mut run = folder.planned().await;
    let step = folder.delete(&mut run, 1).await;
    folder.write(&mut run, accepted(step, None), 11).await;
    let step = folder.create(&mut run, 9, 12).await;
    folder.write(&mut run, accepted(step, Some(1)), 13).await;
    folder.see(list(vec![RestorePoint { created_at: at(13), ..point(1, "") }, ours(2)], 14)).await;
    assert_eq!(folder.missed().await, [(PointId::Number(1), true), (PointId::Number(2), true)]);
}

#[tokio::test]
async fn an_accepted_brake_lasts_as_long_as_its_cause_and_returns_with_other_points() {
    for cause in [BrakeCause::Small, BrakeCause::Clock] {
        let folder = folder();
        folder.brake(vec![brake(cause, &[1])], 1).await;
        assert!(folder.accept(folder.held().await.remove(0)).await);
        let held = folder.held().await;
        assert!(held.len() == 1 && held[0].accepted, "{held:?}");
        assert!(folder.store.brakes(server().id).await.unwrap().is_empty(), "it brakes no more");
        folder.brake(vec![brake(cause, &[2])], 2).await;
        let held = folder.held().await;
        assert!(held.len() == 1 && !held[0].accepted && held[0].brake.points == [about(2)], "{held:?}");
    }
}

#[tokio::test]
async fn a_brake_that_has_grown_since_it_was_shown_is_not_accepted() {
    for cause in [BrakeCause::Gone, BrakeCause::Shorter, BrakeCause::SecondLastgood, BrakeCause::Small] {
        let folder = folder();
        folder.brake(vec![brake(cause, &[1])], 1).await;
        let shown = folder.held().await.remove(0);
        folder.brake(vec![brake(cause, &[1, 2])], 2).await;
        assert!(!folder.accept(shown).await, "nobody has looked at 2");
        let held = folder.held().await;
        assert!(held.len() == 1 && !held[0].accepted, "{held:?}");
        assert_eq!(folder.incidents().await, ["brake"]);
        assert!(folder.accept(held.into_iter().next().unwrap()).await);
        assert_eq!(folder.incidents().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_incident_lasts_until_the_last_brake_of_the_server_is_off() {
    let folder = folder();
    folder.brake(vec![brake(BrakeCause::Gone, &[1]), brake(BrakeCause::Shorter, &[1, 2, 3])], 1).await;
    folder.accept(folder.held().await.remove(0)).await;
    assert_eq!(folder.incidents().await, ["brake"]);
    folder.accept(folder.held().await.remove(0)).await;
    assert_eq!((folder.incidents().await, folder.held().await.len()), (vec![], 0));
}
