//! Runs against a provider that is nothing but a set of points and a server: stopped after every journal write and
//! around every call, and driven on, they end as they would have ended.

use std::collections::BTreeMap;

use super::*;

mod events;

/// Slots of the server: three, and all are taken at the start.
const LIMIT: usize = 3;
/// A point that no plan drops.
const KEPT: i64 = 3;
/// A failed point of ours that retention clears away.
const OLD_FAILED: i64 = 4;
/// A completed point of ours that makes room, or is dropped by retention.
const OLDEST: i64 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ModelStatus {
    InProgress,
    Completed,
    Failed,
}

/// A point as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ModelPoint {
    created_at: Timestamp,
    token: Option<Token>,
    status: ModelStatus,
}

/// All that the provider knows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ModelWorld {
    points: BTreeMap<i64, ModelPoint>,
    next_id: i64,
    running: bool,
    /// Whether the server is stopped while points are created.
    stops: bool,
    /// What was ever deleted.
    deleted: Vec<i64>,
}

impl ModelWorld {
    fn new(stops: bool) -> Self {
        let old = |id: i64, status| (id, ModelPoint { created_at: at(-id), token: None, status });
        let points = [
            old(KEPT, ModelStatus::Completed),
            old(OLD_FAILED, ModelStatus::Failed),
            old(OLDEST, ModelStatus::Completed),
        ]
        .into();
        Self { points, next_id: 100, running: true, stops, deleted: Vec::new() }
    }

    fn carry_out(&mut self, act: &Act) -> Option<PointId> {
        match act {
            Act::StopServer => self.running = false,
            Act::StartServer => self.running = true,
            Act::Delete { id, created_at, .. } => {
                let id = number(id);
                if self.points.get(&id).is_some_and(|point| point.created_at == *created_at) {
                    self.points.remove(&id);
                    self.deleted.push(id);
                }
            }
            Act::Create { mark, .. } => {
                assert!(self.points.len() < LIMIT, "a create met the limit: {self:?}");
                assert!(!(self.stops && self.running), "made from a server that runs");
                let id = self.next_id;
                self.next_id += 1;
                let created_at = at(id);
                let token = Some(mark.token.clone());
                self.points.insert(id, ModelPoint { created_at, token, status: ModelStatus::InProgress });
                return Some(PointId::Number(id));
            }
        }
        None
    }

    /// What a list shows of a call whose answer was lost.
    fn found(&self, act: &Act) -> Found {
        match act {
            Act::StopServer | Act::StartServer => {
                if self.running == (*act == Act::StartServer) {
                    Found::Done { id: None }
                } else {
                    Found::NotDone
                }
            }
            Act::Delete { id, .. } => {
                if self.points.contains_key(&number(id)) {
                    Found::NotDone
                } else {
                    Found::Done { id: None }
                }
            }
            Act::Create { mark, .. } => {
                let ours = self.points.iter().find(|(_, point)| point.token.as_ref() == Some(&mark.token));
                ours.map_or(Found::NotDone, |(id, _)| Found::Done { id: Some(PointId::Number(*id)) })
            }
        }
    }

    /// What the planner would say of it.
    fn plan(&self) -> Plan {
        let mut left = self.points.len();
        let (mut first, mut later) = (Vec::new(), Vec::new());
        let ours = self.points.iter().filter(|(id, _)| **id != KEPT);
        let mut ours: Vec<_> = ours.map(|(id, point)| (point.status == ModelStatus::Completed, *id, point)).collect();
        ours.sort_by_key(|(completed, id, _)| (*completed, *id));
        for (completed, id, point) in ours {
            let why = if left >= LIMIT { Reason::Eviction } else { Reason::Failed };
            let delete = Delete { id: PointId::Number(id), created_at: point.created_at, completed, why };
            if left >= LIMIT {
                left -= 1;
                first.push(Action::Delete(delete));
            } else if point.status != ModelStatus::InProgress {
                later.push(Action::Delete(delete));
            }
        }
        first.push(Action::Create(Reason::New { free: 0 }));
        Plan { actions: first.into_iter().chain(later).collect(), ..plan() }
    }

    /// The points that runs have made.
    fn made(&self) -> Vec<(&i64, &ModelPoint)> {
        self.points.iter().filter(|(_, point)| point.token.is_some()).collect()
    }
}

fn number(id: &PointId) -> i64 {
    match id {
        PointId::Number(number) => *number,
        PointId::Text(_) => panic!("the model gives numbers"),
    }
}

/// What goes wrong at one call or wait; `0` is nothing.
type Fault = u8;

/// A run with its provider.
#[derive(Clone, Debug)]
struct Driven {
    state: RunState,
    world: ModelWorld,
    stop_server: bool,
    events: Vec<Event>,
}

impl Driven {
    fn new(stop_server: bool) -> Self {
        Self {
            state: RunState::opened(key(), at(0)),
            world: ModelWorld::new(stop_server),
            stop_server,
            events: Vec::new(),
        }
    }

    fn write(&mut self, event: Event, stops: &mut Vec<Driven>) {
        let second = i64::try_from(self.events.len()).unwrap();
        self.state.apply(&event, at(second)).unwrap();
        self.events.push(event);
        stops.push(self.clone());
    }

    fn call(&mut self, act: Act, fault: Fault, stops: &mut Vec<Driven>) {
        let step = u32::try_from(self.state.steps.len()).unwrap() + 1;
        self.write(Event::Intended { step, act: act.clone() }, stops);
        let carried_out = !matches!(fault % 8, 4 | 6 | 7);
        let id = if carried_out { self.world.carry_out(&act) } else { None };
        // The call has reached the provider, and nothing of its answer the journal.
        stops.push(self.clone());
        let answer = match fault % 8 {
            4 => Answer::Unknown { error: "never came".to_owned() },
            5 => Answer::Unknown { error: "answer lost".to_owned() },
            6 => Answer::Refused { error: "not now".to_owned(), last: false },
            7 => Answer::Refused { error: "never".to_owned(), last: true },
            _ => Answer::Accepted { id },
        };
        self.write(Event::Answered { step, answer }, stops);
    }

    /// One turn of `drive`, with every moment at which the process may end in it.
    fn turn(&mut self, fault: Fault, stops: &mut Vec<Driven>) {
        let failed = |error: &str, last| Event::Failed(Failure { error: error.to_owned(), last });
        match next(&self.state) {
            Next::Over => {}
            Next::Begin | Next::Wait(_) => {
                let event = Event::Began { attempt: self.state.attempt + 1, terms: terms(self.stop_server) };
                self.write(event, stops);
            }
            Next::Plan if fault % 8 == 6 => self.write(failed("the list cannot be read", false), stops),
            Next::Plan if fault % 8 == 3 && self.state.postponed.is_none() => {
                self.write(Event::Postponed { until: at(60) }, stops);
            }
            Next::Plan | Next::WaitForBucket(_) => {
                let plan = Box::new(self.world.plan());
                self.write(Event::Planned { plan }, stops);
            }
            Next::StopServer if !self.world.running && self.state.owes_start => {
                self.write(Event::Seen(Sight::ServerStopped), stops);
            }
            Next::StopServer => self.call(Act::StopServer, fault, stops),
            Next::AwaitStopped if !self.world.running => self.write(Event::Seen(Sight::ServerStopped), stops),
            // Somebody has started it: it is asked to stop once more.
            Next::AwaitStopped => self.call(Act::StopServer, fault, stops),
            Next::Delete { id, created_at, cause } => {
                let there = self.world.points.get(&number(&id)).is_some_and(|point| point.created_at == created_at);
                if there {
                    self.call(Act::Delete { id, created_at, cause }, fault, stops);
                } else {
                    self.write(Event::Spared { id, guard: Guard::Foreign, replan: false }, stops);
                }
            }
            Next::AwaitGone(id) => self.write(Event::Seen(Sight::Gone(id)), stops),
            Next::Create if self.world.points.len() >= LIMIT => self.write(failed("no room", true), stops),
            Next::Create => {
                let asked = self.state.mark().cloned();
                let mark = asked.unwrap_or_else(|| Mark {
                    token: Token::from_random(u64::from(self.state.attempt) * 1_000_003),
                    ..mark()
                });
                self.call(Act::Create { mark, listed: Vec::new() }, fault, stops);
            }
            Next::Settle(step) => {
                let found = self.world.found(&self.state.steps[step as usize - 1].act);
                self.write(Event::Settled { step, found }, stops);
            }
            Next::Await(id) => self.wait(&id, fault, stops),
            Next::StartServer if self.world.running => self.write(Event::Seen(Sight::ServerRunning), stops),
            Next::StartServer => self.call(Act::StartServer, fault, stops),
            Next::Fail { error, last } => self.write(failed(&error, last), stops),
            Next::Retry { .. } => self.write(Event::Retrying { at: at(900) }, stops),
            Next::End { outcome, error } => self.write(Event::Ended { outcome, error }, stops),
        }
    }

    fn wait(&mut self, id: &PointId, fault: Fault, stops: &mut Vec<Driven>) {
        let Some(point) = self.world.points.get_mut(&number(id)) else {
            return self.write(Event::Seen(Sight::Gone(id.clone())), stops);
        };
        let created_at = point.created_at;
        if fault % 8 == 6 && point.status == ModelStatus::InProgress {
            point.status = ModelStatus::Failed;
        } else if point.status == ModelStatus::InProgress {
            point.status = ModelStatus::Completed;
        }
        let sight = match point.status {
            ModelStatus::Failed => Sight::PointFailed { created_at },
            _ => Sight::Completed { created_at, size_mb: None, in_progress_ms: None },
        };
        self.write(Event::Seen(sight), stops);
    }

    /// Drives it with these faults, as long as they last. Returns every moment at which the process may have ended.
    fn with(mut self, faults: &[Fault]) -> (Self, Vec<Driven>) {
        let mut stops = vec![self.clone()];
        for fault in faults {
            self.turn(*fault, &mut stops);
        }
        (self, stops)
    }

    /// The same, ended by SIGTERM: the server is asked to start, and whether that could be written varies.
    fn on_the_way_out(&self) -> Vec<Self> {
        if !self.state.owes_start {
            return Vec::new();
        }
        let mut unrecorded = self.clone();
        unrecorded.world.running = true;
        let mut ways = vec![unrecorded];
        let settled =
            !self.state.steps.last().is_some_and(|step| matches!(step.state, StepState::Intended | StepState::Unknown));
        if settled && self.state.ended.is_none() {
            let mut recorded = self.clone();
            recorded.call(Act::StartServer, 0, &mut Vec::new());
            ways.push(recorded);
        }
        ways
    }

    /// A start after a stop: what is left of it is its events and the provider. Nothing goes wrong any more.
    fn recovered(&self) -> Self {
        let events = self.events.clone();
        let state = replay(&events).unwrap();
        assert_eq!(state, self.state, "the events are the state");
        let mut driven = Self { state, ..self.clone() };
        if driven.state.seen_stopped && driven.world.running {
            driven.write(Event::Seen(Sight::ServerRunning), &mut Vec::new());
        }
        for _ in 0..100 {
            if driven.state.ended.is_some() {
                return driven;
            }
            driven.turn(0, &mut Vec::new());
        }
        panic!("it never ends: {:?}", next(&driven.state));
    }
}

/// What must be true of a run that is over, whatever has happened.
fn check_end(over: &Driven) -> Result<(), TestCaseError> {
    let Driven { state, world, .. } = over;
    let (outcome, ..) = state.ended.clone().unwrap();
    prop_assert!(world.running && !state.owes_start, "the server is stopped");
    prop_assert!(world.points.contains_key(&KEPT) && !world.deleted.contains(&KEPT));
    // What is there of ours is in the journal, and what the journal says it made and did not delete is there.
    for (id, point) in world.made() {
        let of_a_step = state.steps.iter().any(|step| {
            matches!(&step.act, Act::Create { mark, .. } if Some(&mark.token) == point.token.as_ref())
                && step.state == StepState::Done
        });
        prop_assert!(of_a_step, "point {} is in no journal: {:?}", id, over.events);
    }
    let deleted: Vec<i64> = state.deleted().map(number).collect();
    for id in &world.deleted {
        prop_assert!(deleted.contains(id), "{} was deleted and the journal does not say so", id);
    }
    for id in &deleted {
        prop_assert!(!world.points.contains_key(id), "{} is there and the journal calls it deleted", id);
    }
    let alive = world.made().into_iter().filter(|(_, point)| point.status != ModelStatus::Failed).count();
    prop_assert!(alive <= 1, "two points for one due time: {:?}", world);
    if outcome == Outcome::Succeeded {
        prop_assert_eq!(alive, 1);
        let made = state.created.as_ref().unwrap();
        prop_assert_eq!(world.points[&number(&made.id)].status, ModelStatus::Completed);
    }
    Ok(())
}

proptest! {
    #[test]
    fn stopped_anywhere_in_a_run_without_faults_it_ends_in_the_same_set(stop_server in any::<bool>()) {
        let (run, stops) = Driven::new(stop_server).with(&[0; 40]);
        prop_assert_eq!(run.state.ended.as_ref().map(|(outcome, ..)| *outcome), Some(Outcome::Succeeded));
        prop_assert_eq!(run.world.points.keys().copied().collect::<Vec<_>>(), [KEPT, 100]);
        prop_assert!(stops.len() > run.events.len(), "around the calls too");
        for stop in &stops {
            let over = stop.recovered();
            check_end(&over)?;
            prop_assert_eq!(&over.world.points, &run.world.points, "stopped after {:?}", stop.events);
            for way in stop.on_the_way_out() {
                let over = way.recovered();
                check_end(&over)?;
                prop_assert_eq!(&over.world.points, &run.world.points, "ended after {:?}", way.events);
            }
            prop_assert_eq!(&over.state.ended.as_ref().unwrap().0, &Outcome::Succeeded);
            // And a second stop, at any moment of the way on.
            let (_, again) = stop.clone().with(&[0; 40]);
            for stop in again {
                prop_assert_eq!(&stop.recovered().world.points, &run.world.points);
            }
        }
    }

    #[test]
    fn stopped_anywhere_among_faults_nothing_is_lost_or_doubled(
        stop_server in any::<bool>(),
        faults in proptest::collection::vec(prop_oneof![4 => Just(0_u8), 3 => 4_u8..8], 0..60),
    ) {
        let (_, stops) = Driven::new(stop_server).with(&faults);
        for stop in &stops {
            check_end(&stop.recovered())?;
            prop_assert!(stop.world.points.len() <= LIMIT);
            for way in stop.on_the_way_out() {
                check_end(&way.recovered())?;
            }
        }
    }

    #[test]
    fn a_run_that_goes_well_to_its_end_leaves_only_what_its_plan_keeps(
        stop_server in any::<bool>(),
        faults in proptest::collection::vec(prop_oneof![3 => Just(0_u8), 1 => Just(4_u8), 1 => Just(5_u8)], 0..60),
    ) {
        // Answers are lost, and nothing is refused: the end is the same set.
        let over = Driven::new(stop_server).with(&faults).0.recovered();
        check_end(&over)?;
        if over.state.ended.as_ref().is_some_and(|(outcome, ..)| *outcome == Outcome::Succeeded) {
            let left: Vec<i64> = over.world.points.keys().copied().collect();
            prop_assert_eq!(left.len(), 2, "{:?}", over.events);
            prop_assert!(left.contains(&KEPT));
        }
    }
}
