//! What people and clocks do beside the provider in the middle of a run: a hold, a new token, a clock that is set back.
//! Each is done once, after the provider has carried out a chosen request and before the answer arrives.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use jiff::Timestamp;
use lastgood::seams::clock::Clock;
use lastgood::seams::policy::inventory::{self, PointId};
use lastgood::seams::provider::{Client, Watch};
use lastgood::seams::store::Store;
use lastgood::seams::store::holds::{Hold, HoldTarget};
use lastgood::simulator::PointKind;

use crate::support::in_process::client;
use crate::support::simulated_world::SimulatedWorld;

/// Something that is done in the middle of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A person holds this snapshot.
    Hold(i64),
    /// Our clock is set back by this many seconds.
    ClockBack(i64),
    /// The provider requires another token from now on; five minutes later a reload brings it.
    NewToken,
}

/// How long a token is refused until a person has written the new one into the file.
const UNTIL_RELOADED: Duration = Duration::from_secs(300);

/// What was done, for the checker.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// The last entry of the record before it.
    pub seq: u64,
    pub held: Option<(PointKind, String)>,
    pub apart: i64,
}

struct Door {
    calls: AtomicU64,
    /// How many requests come before the deed.
    after: u64,
    deed: Deed,
    inside: Inside,
    /// The one client that everything uses; its requests pass here.
    client: OnceLock<Client>,
    done: Arc<Mutex<Option<Done>>>,
}

/// What a deed needs.
struct Inside {
    simulator: lastgood::simulator::Simulator,
    clock: lastgood::seams::clock::VirtualClock,
    store: Store,
}

impl Deed {
    async fn perform(self, door: &Door) -> Done {
        let inside = &door.inside;
        let seq = inside.simulator.with_account(|account| account.record().last());
        let done = Done { seq, ..Done::default() };
        match self {
            Self::Hold(id) => {
                let what = HoldTarget::Point(inventory::Kind::Snapshot, PointId::Number(id));
                let since: Timestamp = inside.clock.now();
                let hold = Hold { what, reason: "a test".to_owned(), since, until: None };
                inside.store.hold(hold).await.unwrap();
                Done { held: Some((PointKind::Snapshot, id.to_string())), ..done }
            }
            Self::ClockBack(seconds) => {
                inside.clock.jump(-seconds);
                Done { apart: seconds, ..done }
            }
            Self::NewToken => {
                inside.simulator.set_options(|options| options.token = Some("vps_second".to_owned()));
                let (clock, router) = (Clock::Virtual(inside.clock.clone()), inside.simulator.router());
                let (old, new) = (door.client.get().unwrap().clone(), client(&clock, router, "vps_second"));
                tokio::spawn(async move {
                    tokio::time::sleep(UNTIL_RELOADED).await;
                    old.replace_with(&new);
                });
                done
            }
        }
    }
}

async fn pass(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let number = door.calls.fetch_add(1, Ordering::Relaxed);
    let response = next.run(request).await;
    if number == door.after {
        let done = door.deed.perform(&door).await;
        *door.done.lock().unwrap() = Some(done);
    }
    response
}

/// The deed is done after the request with this number, from 0. Returns where it is reported.
pub fn arm(sim: &mut SimulatedWorld, deed: Deed, after: u64) -> Arc<Mutex<Option<Done>>> {
    let done = Arc::new(Mutex::new(None));
    let clock = Clock::Virtual(sim.clock.clone());
    // A command beside the run opens the state itself.
    let store = Store::beside(sim.dir.path()).unwrap();
    let inside = Inside { simulator: sim.simulator.clone(), clock: sim.clock.clone(), store };
    let client_of_door = OnceLock::new();
    let reported = Arc::clone(&done);
    let door = Door { calls: AtomicU64::new(0), after, deed, inside, client: client_of_door, done: reported };
    let door = Arc::new(door);
    let router = sim.simulator.router().layer(from_fn_with_state(Arc::clone(&door), pass));
    sim.world.client = client(&clock, router, "vps_test");
    door.client.set(sim.world.client.clone()).unwrap();
    sim.world.watch = Watch::new(sim.world.client.clone());
    done
}
