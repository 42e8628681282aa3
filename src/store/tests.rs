//! The state folder: one owner, clear errors, and what it remembers of points, holds, due times, incidents and mails.
//! Real SQLite files throughout.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::journal::errand::{Errand, ManualCommand};
use crate::journal::event::{Act, Answer, DeleteReason, Event, Found, Outcome, RunKey, Sight};
use crate::journal::notice::{Class, Fact, Good, Notice, Topic};
use crate::journal::samples::{at, nightly, plan_for, success, terms};
use crate::policy::inventory::{Inventory, Kind, PointId, PointStatus, ReadProof, RestorePoint, ServerId, ServerRef};
use crate::policy::looks::Took;
use crate::policy::mark::{Mark, Token};
use crate::policy::memory::{Memory, Origin};
use crate::policy::name::PolicyName;
use crate::policy::owner::{Owner, owner};
use crate::store::due::{ClockCorrection, Followed, FollowedBefore};
use crate::store::holds::{Hold, HoldTarget};
use crate::store::leases::{Holder, Leased};
use crate::store::notices::ReportedNotices;
use crate::store::outbox::{Channel, DeliveryOutcome, Enqueued, NewMessage, PayloadKind};
use crate::store::points::MemoryKey;
use crate::store::runs::{Recorded, Run};
use crate::store::{DATABASE, Store, StoreError};

mod brakes;
mod counters;
mod damage;
mod memory;
mod migrating;
mod pruning;
mod telling;

struct StoreInFolder {
    dir: tempfile::TempDir,
    store: Store,
}

fn folder() -> StoreInFolder {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::own(dir.path()).unwrap();
    StoreInFolder { dir, store }
}

fn server() -> ServerRef {
    ServerRef { id: ServerId::Number(12345), name: "web-server-01".to_owned() }
}

fn place() -> MemoryKey {
    MemoryKey { server: server().id, kind: Kind::Snapshot, policy: nightly(), settle: Duration::from_secs(60) }
}

fn mark(number: u64) -> Mark {
    let token = Token::from_random(number * 1_000_003);
    Mark { token, instance: "main".to_owned(), policy: "nightly".parse().unwrap(), due: at(0) }
}

fn point(id: i64, description: &str) -> RestorePoint {
    RestorePoint {
        id: PointId::Number(id),
        kind: Kind::Snapshot,
        server: server(),
        automatic: false,
        status: PointStatus::Completed,
        size_mb: Some(4000),
        created_at: at(id),
        expires_at: None,
        name: None,
        description: description.to_owned(),
    }
}

fn ours(id: i64) -> RestorePoint {
    point(id, &mark(u64::try_from(id).unwrap()).description())
}

fn list(points: Vec<RestorePoint>, second: i64) -> Inventory {
    Inventory {
        server: server(),
        kind: Kind::Snapshot,
        points,
        read_at: at(second),
        provider_time: None,
        proof: ReadProof::OnePage,
        doubts: Vec::new(),
    }
}

impl StoreInFolder {
    async fn see(&self, inventory: Inventory) {
        self.store.record_list(inventory, "main".to_owned(), place()).await.unwrap();
    }

    async fn memory(&self, second: i64) -> Memory {
        self.store.memory(place(), at(second)).await.unwrap()
    }

    async fn owner(&self, point: &RestorePoint, second: i64) -> Owner {
        owner(point, "main", &self.memory(second).await)
    }

    async fn open(&self, due: Option<Timestamp>) -> Recorded {
        let key = RunKey { server: server(), policy: nightly(), kind: Kind::Snapshot, due };
        self.store.open_run(key, at(0)).await.unwrap()
    }

    /// A run that has its plan.
    async fn planned(&self) -> Run {
        let Recorded::New(mut run) = self.open(None).await else { panic!("a run by hand is always new") };
        let terms = terms(false);
        let plan = plan_for(server());
        self.write(&mut run, Event::Began { attempt: 1, terms }, 0).await;
        self.write(&mut run, Event::Planned { plan: Box::new(plan) }, 0).await;
        *run
    }

    async fn write(&self, run: &mut Run, event: Event, second: i64) {
        self.store.append(run, event, at(second), Vec::new()).await.unwrap();
    }

    async fn intend(&self, run: &mut Run, act: Act, second: i64) -> u32 {
        let step = u32::try_from(run.state.steps.len()).unwrap() + 1;
        self.write(run, Event::Intended { step, act }, second).await;
        step
    }

    async fn create(&self, run: &mut Run, number: u64, second: i64) -> u32 {
        self.intend(run, Act::Create { mark: mark(number), listed: Vec::new() }, second).await
    }

    async fn incidents(&self) -> Vec<String> {
        let open = self.store.incidents().await.unwrap();
        open.into_iter().map(|incident| incident.topic.to_string()).collect()
    }
}

fn accepted(step: u32, id: Option<i64>) -> Event {
    Event::Answered { step, answer: Answer::Accepted { id: id.map(PointId::Number) } }
}

fn notice(class: Class, topic: Topic) -> Notice {
    notice_of(Fact::General { class, topic, text: topic.to_string() })
}

fn notice_of(fact: Fact) -> Notice {
    Notice { policy: Some("nightly".parse().unwrap()), kind: Some(Kind::Snapshot), ..Notice::of_server(server(), fact) }
}

#[test]
fn a_second_owner_is_refused_while_the_first_lives() {
    let folder = folder();
    assert!(matches!(Store::own(folder.dir.path()), Err(StoreError::Locked(_))));
    assert!(Store::beside(folder.dir.path()).is_ok(), "commands work beside it");
    drop(folder.store);
    assert!(Store::own(folder.dir.path()).is_ok());
}

#[test]
fn a_state_that_was_never_made_is_absent_to_a_command() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Store::beside(dir.path()), Err(StoreError::Absent(_))));
    assert!(!dir.path().join(DATABASE).exists(), "asking makes nothing");
}

#[test]
fn the_state_folder_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let _store = Store::own(&dir.path().join("a/b")).unwrap();
    let mode = std::fs::metadata(dir.path().join("a/b")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_newer_database_is_refused_and_left_as_it_is() {
    let StoreInFolder { dir, store } = folder();
    drop(store);
    let connection = rusqlite::Connection::open(dir.path().join(DATABASE)).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = Store::own(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
    assert!(error.to_string().contains("upgrade lastgood"));
}

#[test]
fn a_damaged_database_is_a_clear_error_that_names_it() {
    let StoreInFolder { dir, store } = folder();
    drop(store);
    let file = dir.path().join(DATABASE);
    for name in ["lastgood.db-wal", "lastgood.db-shm"] {
        let _ = std::fs::remove_file(dir.path().join(name));
    }
    std::fs::write(&file, "this is no database, whatever its name says, and it is long enough to be read as one")
        .unwrap();
    let error = Store::own(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error:?}");
    assert!(error.to_string().contains(&file.display().to_string()) && error.to_string().contains("copy"), "{error}");
}

#[tokio::test]
async fn an_old_database_without_tables_is_migrated() {
    let dir = tempfile::tempdir().unwrap();
    rusqlite::Connection::open(dir.path().join(DATABASE)).unwrap().pragma_update(None, "user_version", 0).unwrap();
    let store = Store::own(dir.path()).unwrap();
    assert!(store.history(None, 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_run_reads_back_as_it_was_written() {
    let folder = folder();
    let mut run = folder.planned().await;
    let step = folder.create(&mut run, 9, 1).await;
    folder.write(&mut run, accepted(step, Some(9)), 2).await;
    let open = folder.store.unfinished().await.unwrap();
    assert_eq!((open.len(), &open[0].state, open[0].events), (1, &run.state, 4));
    assert_eq!(folder.store.history(None, 9).await.unwrap()[0].summary.created, Some(PointId::Number(9)));
    let completed = Sight::Completed { created_at: at(9), size_mb: None, in_progress_ms: Some(500) };
    folder.write(&mut run, Event::Seen(completed), 3).await;
    folder.write(&mut run, Event::Ended { outcome: Outcome::Succeeded, error: None }, 4).await;
    assert!(folder.store.unfinished().await.unwrap().is_empty());
    let taken = folder.store.usual_durations(server().id, nightly(), Kind::Snapshot).await.unwrap();
    let took = Took { at_least: Duration::from_millis(500), at_most: Duration::from_secs(1) };
    assert_eq!(taken, [took], "from the answer to the create to the completed point");
    let illegal = folder.store.append(&mut run, Event::FoundStopped, at(5), Vec::new()).await;
    assert!(matches!(illegal, Err(StoreError::Illegal(_))));
}

#[tokio::test]
async fn a_due_time_has_one_run_and_runs_by_hand_as_many_as_are_asked_for() {
    let folder = folder();
    assert!(matches!(folder.open(Some(at(0))).await, Recorded::New(_)));
    assert!(matches!(folder.open(Some(at(0))).await, Recorded::Before));
    assert!(matches!(folder.open(Some(at(1))).await, Recorded::New(_)));
    assert!(matches!(folder.open(None).await, Recorded::New(_)));
    assert!(matches!(folder.open(None).await, Recorded::New(_)));
}

#[tokio::test]
async fn a_recorded_due_time_moves_the_last_handled_one_forward_and_never_back() {
    let folder = folder();
    let follow = |schedule: &str, second: i64| {
        let followed = Followed {
            server: server().id,
            policy: nightly(),
            kind: Kind::Snapshot,
            schedule: schedule.to_owned(),
            formerly: Vec::new(),
        };
        let store = folder.store.clone();
        async move { store.handled(vec![followed], at(second)).await.unwrap()[0] }
    };
    assert_eq!(follow("daily", 10).await.handled, at(10), "a policy seen for the first time starts from now");
    assert_eq!(follow("daily", 20).await.handled, at(10));
    folder.open(Some(at(50))).await;
    assert_eq!(follow("daily", 60).await.handled, at(50));
    folder.open(Some(at(30))).await;
    assert_eq!(follow("daily", 60).await.handled, at(50));
    let changed = follow("hourly", 70).await;
    assert_eq!((changed.handled, changed.first_at), (at(70), at(10)), "a changed schedule starts from now");
}

#[tokio::test]
async fn a_renamed_policy_continues_and_does_so_again_when_it_is_renamed_back() {
    let folder = folder();
    let follow = |name: &str, former: &str, second: i64| {
        let named = |name: &str| PolicyName::new(name).unwrap();
        let before =
            FollowedBefore { policy: named(former), schedule: "daily".to_owned(), later: SignedDuration::ZERO };
        let (server, schedule) = (server().id, "daily".to_owned());
        let formerly = vec![before];
        let followed = Followed { server, policy: named(name), kind: Kind::Snapshot, schedule, formerly };
        let store = folder.store.clone();
        async move { store.handled(vec![followed], at(second)).await.unwrap()[0].handled }
    };
    assert_eq!(follow("nightly", "nocturnal", 10).await, at(10));
    folder.open(Some(at(50))).await;
    assert_eq!(follow("nocturnal", "nightly", 60).await, at(50), "what was due since then is not lost");
    let to = ClockCorrection {
        server: server().id,
        policy: PolicyName::new("nocturnal").unwrap(),
        to: at(80),
        notice: notice(Class::Failure, Topic::Clock),
    };
    folder.store.record_due(Vec::new(), vec![to], at(80)).await.unwrap();
    assert_eq!(follow("nightly", "nocturnal", 90).await, at(80), "what it did under the other name is not repeated");
}

#[tokio::test]
async fn a_last_handled_time_in_the_future_is_corrected_and_reported() {
    let folder = folder();
    let followed = Followed {
        server: server().id,
        policy: nightly(),
        kind: Kind::Snapshot,
        schedule: "30 2 * * *".to_owned(),
        formerly: Vec::new(),
    };
    folder.store.handled(vec![followed.clone()], at(9_000)).await.unwrap();
    let notice = notice(Class::Failure, Topic::Clock);
    let correction = ClockCorrection { server: server().id, policy: nightly(), to: at(5), notice };
    folder.store.record_due(Vec::new(), vec![correction], at(5)).await.unwrap();
    assert_eq!(folder.store.handled(vec![followed], at(6)).await.unwrap()[0].handled, at(5));
    assert_eq!(folder.incidents().await, ["clock"]);
}

fn holder_of(name: &str) -> Holder {
    if name == "owner" {
        return Holder::Owner;
    }
    let command = ManualCommand::Delete { kind: Kind::Snapshot, id: PointId::Number(7) };
    Holder::Command { name: name.to_owned(), errand: Errand::new(command) }
}

#[tokio::test]
async fn one_process_at_a_time_holds_the_lease_of_a_server() {
    let folder = folder();
    let lease = |holder: &str, second: i64| {
        let (store, holder) = (folder.store.clone(), holder_of(holder));
        async move { store.lease(server().id, holder, at(second)).await.unwrap() }
    };
    assert!(lease("owner", 300).await);
    assert!(!lease("delete 7", 599).await);
    assert!(lease("owner", 500).await, "prolonged");
    assert!(!lease("delete 7", 99_999).await, "its time says nothing of its holder");
    folder.store.drop_leases_of_owner().await.unwrap();
    assert!(lease("delete 7", 800).await);
    folder.store.drop_leases_of_owner().await.unwrap();
    assert!(!lease("owner", 801).await, "another's lease stays");
    folder.store.end_lease(server().id, holder_of("delete 7")).await.unwrap();
    assert!(lease("owner", 802).await);
}

#[tokio::test]
async fn the_last_good_point_is_the_larger_id_of_one_second_and_never_one_being_deleted() {
    let folder = folder();
    let of_one_second = |id: i64| RestorePoint { created_at: at(1), ..ours(id) };
    folder.see(list(vec![of_one_second(9), of_one_second(10)], 5)).await;
    let last_good = async || {
        let names = vec!["nightly".parse().unwrap()];
        folder.store.last_good(server().id, Kind::Snapshot, names).await.unwrap().unwrap().id
    };
    assert_eq!(last_good().await, PointId::Number(10));
    let mut run = folder.planned().await;
    let act = Act::Delete { id: PointId::Number(10), created_at: at(1), cause: DeleteReason::Retention };
    let step = folder.intend(&mut run, act, 6).await;
    folder.write(&mut run, Event::Answered { step, answer: Answer::Accepted { id: None } }, 7).await;
    assert_eq!(last_good().await, PointId::Number(9));
    assert_eq!(folder.store.listed(server().id, Kind::Snapshot).await.unwrap().len(), 1);
}
