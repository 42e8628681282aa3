//! Well-formed answers that are wrong.

use lastgood::seams::policy::inventory::Kind;
use lastgood::simulator::{self, Call, Effect, Options, PointSpec, Rule, StatusEffect};
use serde_json::json;

use crate::support::simulated_world::{SimulatedWorld, policy};

const SNAPSHOT: simulator::PointKind = simulator::PointKind::Snapshot;

/// A provider that deduplicates, or is wrong, answers a create with a point that existed before.
#[tokio::test(start_paused = true)]
async fn a_point_that_was_listed_before_is_never_the_result_of_a_create() {
    for carried_out in [false, true] {
        let foreign =
            PointSpec { description: "golden image".to_owned(), ..PointSpec::aged(SNAPSHOT, "web-server-01", 40) };
        let sim = SimulatedWorld::new(Options { foreign: vec![foreign], ..Options::default() });
        let task = sim.task(policy(Kind::Snapshot, 2)).await;
        let golden = sim.ids(SNAPSHOT)[0].clone();
        let answer = StatusEffect {
            carried_out,
            body: Some(json!({"id": golden, "status": "completed"})),
            ..StatusEffect::new(201)
        };
        sim.simulator.add_fault(Rule::new(Effect::Status(answer)).call(Call::Create).times(1));
        let first = sim.run(&task).await;
        assert_eq!(first.outcome.as_str(), "succeeded", "{first:?}");
        assert_ne!(first.created, Some(golden.clone()), "{first:?}");
        for _ in 0..4 {
            let run = sim.run(&task).await;
            assert_eq!(run.outcome.as_str(), "succeeded", "{run:?}");
            assert!(!run.deleted.contains(&golden), "{run:?}");
        }
        assert!(sim.ids(SNAPSHOT).contains(&golden));
        assert_eq!(sim.ids(SNAPSHOT).len(), 3, "two of ours and the foreign one");
    }
}
