//! A point whose text a person changed is a person's, however often lists lack it in between.

use lastgood::policy::guard::Guard;
use lastgood::policy::inventory::{Id, Kind};
use lastgood::policy::owner::Owner;
use lastgood::policy::plan::Reason;
use lastgood::run::{Task, inspect, inspect_and_record};
use lastgood::simulator::{self, Act, Call, Edit, Effect, Options, Pick, Rule};

use crate::stage::{Stage, ours, policy};

const SNAPSHOT: simulator::Kind = simulator::Kind::Snapshot;

fn edit(stage: &Stage, id: &Id, name: Option<&str>, description: Option<&str>) {
    let Id::Number(id) = id else { panic!("{id}") };
    let pick = Pick { kind: SNAPSHOT, id: Some((*id).into()), server: None, oldest: false };
    let edit = serde_json::json!({ "kind": pick.kind, "id": pick.id, "name": name, "description": description });
    let edit: Edit = serde_json::from_value(edit).unwrap();
    stage.simulator.act(&Act::EditPoint(edit)).unwrap();
}

fn description(stage: &Stage, id: &Id) -> String {
    let account = stage.simulator.account();
    let points = account.points_of(SNAPSHOT, "web-server-01");
    points.iter().find(|point| Id::Number(point.id) == *id).unwrap().description.clone()
}

/// The lists lack everything for longer than they may lag.
async fn vanish_for_a_while(stage: &Stage, task: &Task) {
    stage.simulator.add_fault(Rule::new(Effect::OnlyItems { items: 0 }).call(Call::List));
    for _ in 0..2 {
        tokio::time::advance(stage.world.settings().settle * 2).await;
        assert_eq!(inspect_and_record(&stage.world, task).await.unwrap().inventory.points, []);
    }
    stage.simulator.clear_faults();
}

async fn owner(stage: &Stage, task: &Task, id: &Id) -> Owner {
    let seen = inspect(&stage.world, task).await.unwrap();
    seen.evidence(&stage.world, task).owner(seen.inventory.find(id).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_point_that_a_person_described_stays_theirs_when_lists_lacked_it() {
    let stage = Stage::new(Options::default());
    let task = stage.task(policy(Kind::Snapshot, 2)).await;
    stage.run(&task).await;
    let ours = stage.ids(SNAPSHOT)[0].clone();
    edit(&stage, &ours, None, Some(&(description(&stage, &ours) + " (keep!)")));
    assert_eq!(owner(&stage, &task, &ours).await, Owner::Changed);
    for _ in 0..2 {
        vanish_for_a_while(&stage, &task).await;
        assert_eq!(owner(&stage, &task, &ours).await, Owner::Changed);
        inspect_and_record(&stage.world, &task).await.unwrap();
        assert_eq!(owner(&stage, &task, &ours).await, Owner::Changed, "nor after it was written down again");
    }
    for _ in 0..3 {
        stage.run(&task).await;
    }
    assert!(stage.ids(SNAPSHOT).contains(&ours));
    let plan = stage.plan(&task).await;
    let decision = plan.points.iter().find(|point| point.id == ours).unwrap();
    assert_eq!(decision.why.last(), Some(&Reason::Guard(Guard::Changed)));
}

#[tokio::test(start_paused = true)]
async fn a_text_that_was_changed_while_lists_lacked_the_point_was_changed_all_the_same() {
    let stage = Stage::new(Options::default());
    let task = stage.task(policy(Kind::Snapshot, 2)).await;
    stage.run(&task).await;
    let ours = stage.ids(SNAPSHOT)[0].clone();
    vanish_for_a_while(&stage, &task).await;
    assert_eq!(owner(&stage, &task, &ours).await, Owner::Ours("nightly".to_owned()), "nobody has changed it yet");
    vanish_for_a_while(&stage, &task).await;
    edit(&stage, &ours, Some("golden"), None);
    assert_eq!(owner(&stage, &task, &ours).await, Owner::Changed);
}

#[tokio::test(start_paused = true)]
async fn a_point_of_an_earlier_journal_is_judged_by_the_text_that_was_seen_first() {
    let stage = Stage::new(Options { foreign: vec![ours(SNAPSHOT, 1), ours(SNAPSHOT, 2)], ..Options::default() });
    let task = stage.task(policy(Kind::Snapshot, 2)).await;
    inspect_and_record(&stage.world, &task).await.unwrap();
    let ids = stage.ids(SNAPSHOT);
    edit(&stage, &ids[0], None, Some(&(description(&stage, &ids[0]) + " (keep!)")));
    vanish_for_a_while(&stage, &task).await;
    assert_eq!(owner(&stage, &task, &ids[0]).await, Owner::Changed);
    let untouched = owner(&stage, &task, &ids[1]).await;
    assert_eq!(untouched, Owner::Ours("nightly".to_owned()), "it was in the first inventory: no second lastgood's");
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_a_person_copied_onto_a_point_of_theirs_does_not_make_it_ours_later() {
    let stage = Stage::new(Options {
        foreign: vec![simulator::PointSpec::aged(SNAPSHOT, "web-server-01", 86_400)],
        ..Options::default()
    });
    let task = stage.task(policy(Kind::Snapshot, 2)).await;
    stage.run(&task).await;
    let (theirs, ours) = (stage.ids(SNAPSHOT)[0].clone(), stage.ids(SNAPSHOT)[1].clone());
    edit(&stage, &theirs, None, Some(&description(&stage, &ours)));
    assert_eq!(owner(&stage, &task, &theirs).await, Owner::Changed);
    vanish_for_a_while(&stage, &task).await;
    assert_eq!(owner(&stage, &task, &theirs).await, Owner::Changed);
}
