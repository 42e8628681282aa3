//! A point whose text a person changed belongs to that person, however often it is missing from lists in between.

use lastgood::seams::policy::guard::Guard;
use lastgood::seams::policy::inventory::{Kind, PointId};
use lastgood::seams::policy::owner::Owner;
use lastgood::seams::policy::plan::Reason;
use lastgood::seams::run::{Task, inspect, inspect_and_record};
use lastgood::simulator::{self, Call, Edit, Effect, Options, PersonAction, Pick, Rule};

use crate::support::simulated_world::{SimulatedWorld, ours, policy};

const SNAPSHOT: simulator::PointKind = simulator::PointKind::Snapshot;

fn edit(sim: &SimulatedWorld, id: &PointId, name: Option<&str>, description: Option<&str>) {
    let PointId::Number(id) = id else { panic!("{id}") };
    let pick = Pick { kind: SNAPSHOT, id: Some((*id).into()), server: None, oldest: false };
    let edit = serde_json::json!({ "kind": pick.kind, "id": pick.id, "name": name, "description": description });
    let edit: Edit = serde_json::from_value(edit).unwrap();
    sim.simulator.act(&PersonAction::EditPoint(edit)).unwrap();
}

fn description(sim: &SimulatedWorld, id: &PointId) -> String {
    let account = sim.simulator.account();
    let points = account.points_of(SNAPSHOT, "web-server-01");
    points.iter().find(|point| PointId::Number(point.id) == *id).unwrap().description.clone()
}

/// Lists are empty for longer than they may lag.
async fn vanish_for_a_while(sim: &SimulatedWorld, task: &Task) {
    sim.simulator.add_fault(Rule::new(Effect::OnlyItems { items: 0 }).call(Call::List));
    for _ in 0..2 {
        tokio::time::advance(sim.world.settings().settle * 2).await;
        assert_eq!(inspect_and_record(&sim.world, task).await.unwrap().inventory.points, []);
    }
    sim.simulator.clear_faults();
}

async fn owner(sim: &SimulatedWorld, task: &Task, id: &PointId) -> Owner {
    let seen = inspect(&sim.world, task).await.unwrap();
    seen.evidence(&sim.world, task).owner(seen.inventory.find(id).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_point_that_a_person_described_stays_theirs_when_lists_lacked_it() {
    let sim = SimulatedWorld::new(Options::default());
    let task = sim.task(policy(Kind::Snapshot, 2)).await;
    sim.run(&task).await;
    let ours = sim.ids(SNAPSHOT)[0].clone();
    edit(&sim, &ours, None, Some(&(description(&sim, &ours) + " (keep!)")));
    assert_eq!(owner(&sim, &task, &ours).await, Owner::Changed);
    for _ in 0..2 {
        vanish_for_a_while(&sim, &task).await;
        assert_eq!(owner(&sim, &task, &ours).await, Owner::Changed);
        inspect_and_record(&sim.world, &task).await.unwrap();
        assert_eq!(owner(&sim, &task, &ours).await, Owner::Changed, "nor after it was written down again");
    }
    for _ in 0..3 {
        sim.run(&task).await;
    }
    assert!(sim.ids(SNAPSHOT).contains(&ours));
    let plan = sim.plan(&task).await;
    let decision = plan.points.iter().find(|point| point.id == ours).unwrap();
    assert_eq!(decision.why.last(), Some(&Reason::Guard(Guard::Changed)));
}

#[tokio::test(start_paused = true)]
async fn a_text_that_was_changed_while_lists_lacked_the_point_still_counts_as_changed() {
    let sim = SimulatedWorld::new(Options::default());
    let task = sim.task(policy(Kind::Snapshot, 2)).await;
    sim.run(&task).await;
    let ours = sim.ids(SNAPSHOT)[0].clone();
    vanish_for_a_while(&sim, &task).await;
    assert_eq!(owner(&sim, &task, &ours).await, Owner::Ours("nightly".parse().unwrap()), "nobody has changed it yet");
    vanish_for_a_while(&sim, &task).await;
    edit(&sim, &ours, Some("golden"), None);
    assert_eq!(owner(&sim, &task, &ours).await, Owner::Changed);
}

#[tokio::test(start_paused = true)]
async fn a_point_of_an_earlier_journal_is_judged_by_the_text_that_was_seen_first() {
    let sim =
        SimulatedWorld::new(Options { foreign: vec![ours(SNAPSHOT, 1), ours(SNAPSHOT, 2)], ..Options::default() });
    let task = sim.task(policy(Kind::Snapshot, 2)).await;
    inspect_and_record(&sim.world, &task).await.unwrap();
    let ids = sim.ids(SNAPSHOT);
    edit(&sim, &ids[0], None, Some(&(description(&sim, &ids[0]) + " (keep!)")));
    vanish_for_a_while(&sim, &task).await;
    assert_eq!(owner(&sim, &task, &ids[0]).await, Owner::Changed);
    let untouched = owner(&sim, &task, &ids[1]).await;
    assert_eq!(
        untouched,
        Owner::Ours("nightly".parse().unwrap()),
        "it was in the first inventory: no second lastgood's"
    );
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_a_person_copied_onto_a_point_of_theirs_does_not_make_it_ours_later() {
    let sim = SimulatedWorld::new(Options {
        foreign: vec![simulator::PointSpec::aged(SNAPSHOT, "web-server-01", 86_400)],
        ..Options::default()
    });
    let task = sim.task(policy(Kind::Snapshot, 2)).await;
    sim.run(&task).await;
    let (theirs, ours) = (sim.ids(SNAPSHOT)[0].clone(), sim.ids(SNAPSHOT)[1].clone());
    edit(&sim, &theirs, None, Some(&description(&sim, &ours)));
    assert_eq!(owner(&sim, &task, &theirs).await, Owner::Changed);
    vanish_for_a_while(&sim, &task).await;
    assert_eq!(owner(&sim, &task, &theirs).await, Owner::Changed);
}
