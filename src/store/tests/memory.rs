//! What is remembered about points, intents, texts and holds.

use super::*;

#[tokio::test]
async fn an_intent_takes_a_slot_until_it_is_known_what_became_of_it() {
    let folder = folder();
    folder.see(list(Vec::new(), 0)).await;
    let mut run = folder.planned().await;
    let step = folder.create(&mut run, 9, 1).await;
    assert_eq!(folder.memory(100_000).await.unlisted.len(), 1, "the intent, for as long as it is open");
    folder.write(&mut run, Event::Answered { step, answer: Answer::Unknown { error: "lost".to_owned() } }, 2).await;
    assert_eq!(folder.memory(100_000).await.unlisted.len(), 1, "the lost answer");
    folder.write(&mut run, Event::Settled { step, found: Found::NotDone }, 3).await;
    assert!(folder.memory(4).await.unlisted.is_empty());
    assert!(folder.memory(4).await.tokens.contains_key(&mark(9).token), "its token proves a late one ours");
}

#[tokio::test]
async fn a_point_that_we_made_takes_a_slot_until_it_is_listed_or_settle_has_passed() {
    let folder = folder();
    folder.see(list(Vec::new(), 0)).await;
    let mut run = folder.planned().await;
    let step = folder.create(&mut run, 9, 1).await;
    folder.write(&mut run, accepted(step, Some(9)), 2).await;
    folder.see(list(Vec::new(), 10)).await;
    let memory = folder.memory(61).await;
    assert_eq!(memory.unlisted.len(), 1);
    assert_eq!(memory.unlisted[0].id, Some(PointId::Number(9)));
    assert!(folder.memory(62).await.unlisted.is_empty(), "settle has passed");
    folder.see(list(vec![ours(9)], 20)).await;
    assert!(folder.memory(21).await.unlisted.is_empty(), "it is listed");
    assert_eq!(folder.memory(21).await.points[&PointId::Number(9)].origin, Origin::Made("nightly".parse().unwrap()));
    folder.see(list(Vec::new(), 100)).await;
    assert!(folder.memory(101).await.points.is_empty(), "it is gone");
}

#[tokio::test]
async fn the_first_inventory_proves_marks_and_later_ones_do_not() {
    let folder = folder();
    assert_eq!(folder.owner(&ours(1), 0).await, Owner::Ours("nightly".parse().unwrap()));
    folder.see(list(vec![ours(1)], 0)).await;
    assert_eq!(folder.owner(&ours(1), 1).await, Owner::Ours("nightly".parse().unwrap()));
    assert_eq!(folder.owner(&ours(2), 1).await, Owner::Stray("nightly".parse().unwrap()));
    folder.see(list(vec![ours(1), ours(2)], 2)).await;
    assert_eq!(folder.owner(&ours(2), 3).await, Owner::Stray("nightly".parse().unwrap()), "it does not become ours");
}

#[tokio::test]
async fn a_doubtful_list_forgets_nothing_and_is_not_the_first_one() {
    for doubt in [(|list: &mut Inventory| list.doubts.push("entry 2".to_owned())) as fn(&mut Inventory), |list| {
        list.proof = ReadProof::ReadOnce
    }] {
        let folder = folder();
        let mut doubtful = list(Vec::new(), 0);
        doubt(&mut doubtful);
        folder.see(doubtful).await;
        assert!(!folder.memory(1).await.seen_before);
        folder.see(list(vec![ours(1)], 2)).await;
        let mut doubtful = list(Vec::new(), 1000);
        doubt(&mut doubtful);
        folder.see(doubtful).await;
        assert_eq!(folder.owner(&ours(1), 1001).await, Owner::Ours("nightly".parse().unwrap()));
    }
}

#[tokio::test]
async fn a_text_that_a_person_changed_makes_a_point_foreign() {
    let folder = folder();
    folder.see(list(vec![ours(1)], 0)).await;
    let changed = RestorePoint { description: format!("{} keep!", ours(1).description), ..ours(1) };
    folder.see(list(vec![changed.clone()], 1)).await;
    assert_eq!(folder.owner(&changed, 2).await, Owner::Changed, "the first text counts, not the last");
}

#[tokio::test]
async fn a_point_that_is_being_deleted_is_remembered_while_it_is_listed() {
    for answer in [Answer::Accepted { id: None }, Answer::AlreadyGone] {
        let folder = folder();
        folder.see(list(vec![ours(1), ours(2)], 0)).await;
        let mut run = folder.planned().await;
        let act = Act::Delete { id: PointId::Number(1), created_at: at(1), cause: DeleteReason::Eviction };
        let step = folder.intend(&mut run, act, 1).await;
        folder.write(&mut run, Event::Answered { step, answer }, 2).await;
        folder.see(list(vec![ours(1), ours(2)], 3)).await;
        let memory = folder.memory(4).await;
        assert!(memory.deleting.contains(&PointId::Number(1)));
        assert_eq!(memory.evicted_since_completed, 1);
        assert_eq!(folder.owner(&ours(1), 4).await, Owner::Ours("nightly".parse().unwrap()), "no second lastgood's");
        let memory = folder.memory(3700).await;
        assert!(memory.deleting.is_empty() && memory.not_gone == [PointId::Number(1)].into(), "it may be sent again");
        let step = folder.create(&mut run, 9, 5).await;
        folder.write(&mut run, accepted(step, Some(9)), 6).await;
        folder
            .write(
                &mut run,
                Event::Seen(Sight::Completed { created_at: at(9), size_mb: None, in_progress_ms: None }),
                7,
            )
            .await;
        assert_eq!(folder.memory(8).await.evicted_since_completed, 0);
    }
}

#[tokio::test]
async fn a_point_that_is_completed_after_its_run_gave_it_up_ends_the_time_of_its_eviction() {
    let folder = folder();
    folder.see(list(vec![ours(1), ours(2)], 0)).await;
    let mut run = folder.planned().await;
    let act = Act::Delete { id: PointId::Number(1), created_at: at(1), cause: DeleteReason::Eviction };
    let step = folder.intend(&mut run, act, 1).await;
    folder.write(&mut run, Event::Answered { step, answer: Answer::Accepted { id: None } }, 2).await;
    let step = folder.create(&mut run, 9, 3).await;
    folder.write(&mut run, accepted(step, Some(9)), 4).await;
    folder.see(list(vec![ours(2), RestorePoint { status: PointStatus::InProgress, ..ours(9) }], 5)).await;
    assert_eq!(folder.memory(6).await.evicted_since_completed, 1, "it is not completed yet");
    folder.see(list(vec![ours(2), ours(9)], 7)).await;
    assert_eq!(folder.memory(8).await.evicted_since_completed, 0);
}

#[tokio::test]
async fn an_id_that_comes_again_is_the_new_point_and_nothing_of_the_old_one() {
    let folder = folder();
    folder.see(list(vec![point(1, "by hand")], 0)).await;
    let mut run = folder.planned().await;
    let step = folder.create(&mut run, 9, 1).await;
    folder.write(&mut run, accepted(step, Some(1)), 2).await;
    // The provider has cut its text to nothing: only the journal knows it.
    let made = RestorePoint { created_at: at(500), ..point(1, "") };
    assert_eq!(folder.owner(&made, 3).await, Owner::Ours("nightly".parse().unwrap()));
    folder.see(list(vec![made.clone()], 4)).await;
    assert_eq!(folder.owner(&made, 5).await, Owner::Ours("nightly".parse().unwrap()));
    let third = RestorePoint { created_at: at(900), ..point(1, "by hand") };
    assert_eq!(folder.owner(&third, 6).await, Owner::Person);
}

#[tokio::test]
async fn holds_are_in_force_until_their_moment_and_for_their_place() {
    let folder = folder();
    let hold = |what: HoldTarget, until: Option<i64>| Hold {
        what,
        reason: "audit".to_owned(),
        since: at(0),
        until: until.map(at),
    };
    let of_point = HoldTarget::Point(Kind::Snapshot, PointId::Number(1));
    folder.store.hold(hold(of_point.clone(), Some(50))).await.unwrap();
    folder.store.hold(hold(HoldTarget::Point(Kind::Backup, PointId::Number(2)), None)).await.unwrap();
    assert_eq!(folder.memory(49).await.holds.keys().collect::<Vec<_>>(), [&PointId::Number(1)]);
    assert!(folder.memory(50).await.holds.is_empty());
    folder.store.hold(hold(of_point.clone(), None)).await.unwrap();
    assert_eq!(folder.store.holds(at(60)).await.unwrap().len(), 2, "a hold on the same thing is replaced");
    assert!(folder.store.release(of_point.clone()).await.unwrap());
    assert!(!folder.store.release(of_point).await.unwrap());
    folder.store.hold(hold(HoldTarget::Server(server()), None)).await.unwrap();
    assert_eq!(folder.memory(60).await.server_hold.as_deref(), Some("audit"));
    let elsewhere = MemoryKey { server: ServerId::Number(1), ..place() };
    assert_eq!(folder.store.memory(elsewhere, at(60)).await.unwrap().server_hold, None);
}

#[tokio::test]
async fn a_first_sight_outlives_a_list_without_the_point_but_not_another_point_with_its_id() {
    let folder = folder();
    folder.see(list(vec![ours(1), ours(2)], 0)).await;
    let owner_of = async |point: &RestorePoint| {
        let memory = folder.store.memory_for(place(), std::slice::from_ref(point), at(9000)).await.unwrap();
        owner(point, "main", &memory)
    };
    let changed = RestorePoint { description: format!("{} (keep!)", ours(1).description), ..ours(1) };
    for second in [1000, 2000] {
        folder.see(list(vec![ours(2)], second)).await;
        assert_eq!(owner_of(&changed).await, Owner::Changed);
        assert_eq!(owner_of(&ours(1)).await, Owner::Ours("nightly".parse().unwrap()), "its text is what it was");
        folder.see(list(vec![changed.clone(), ours(2)], second + 500)).await;
        assert_eq!(owner_of(&changed).await, Owner::Changed);
    }
    let another = RestorePoint { created_at: at(77), ..changed };
    assert_eq!(owner_of(&another).await, Owner::Stray("nightly".parse().unwrap()), "that one nobody has seen before");
    assert_eq!(folder.store.prune_daily(Duration::from_hours(24), at(300 * 86_400)).await.unwrap(), 0);
    folder.see(list(vec![ours(2)], 3000)).await;
    folder.store.prune_daily(Duration::from_hours(24), at(399 * 86_400)).await.unwrap();
    let back = RestorePoint { description: format!("{} (keep!)", ours(1).description), ..ours(1) };
    assert_eq!(owner_of(&back).await, Owner::Changed, "however short the state is kept");
}
