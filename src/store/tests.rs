//! The state folder: one owner, clear errors, and what it remembers of points, holds, due times, incidents and mails.
//! Real SQLite files throughout.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::journal::event::{Act, Answer, Cause, Event, Found, Outcome, RunKey, Sight, Terms};
use crate::journal::notice::{Class, Good, Notice, Topic};
use crate::policy::guard::Slots;
use crate::policy::inventory::{Id, Inventory, Kind, PointStatus, Proof, RestorePoint, ServerRef};
use crate::policy::mark::{Mark, Token};
use crate::policy::memory::{Memory, Origin, Owner, owner};
use crate::policy::plan::{Action, Plan, Reason};
use crate::policy::policy::PolicyName;
use crate::store::due::{Followed, PutRight};
use crate::store::holds::{Held, Hold};
use crate::store::notices::Told;
use crate::store::outbox::{Fate, NewMessage};
use crate::store::points::Place;
use crate::store::runs::{Recorded, Run};
use crate::store::{DATABASE, Store, StoreError};

mod brakes;
mod damage;
mod migrating;
mod pruning;

struct Folder {
    dir: tempfile::TempDir,
    store: Store,
}

fn folder() -> Folder {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::own(dir.path()).unwrap();
    Folder { dir, store }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn server() -> ServerRef {
    ServerRef { id: Id::Number(12345), name: "web-server-01".to_owned() }
}

fn nightly() -> PolicyName {
    PolicyName::new("nightly").unwrap()
}

fn place() -> Place {
    Place { server: server().id, kind: Kind::Snapshot, policy: nightly(), settle: Duration::from_secs(60) }
}

fn mark(number: u64) -> Mark {
    let token = Token::from_random(number * 1_000_003);
    Mark { token, instance: "main".to_owned(), policy: "nightly".to_owned(), due: at(0) }
}

fn point(id: i64, description: &str) -> RestorePoint {
    RestorePoint {
        id: Id::Number(id),
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
        proof: Proof::OnePage,
        doubts: Vec::new(),
    }
}

impl Folder {
    async fn see(&self, inventory: Inventory) {
        self.store.see(inventory, "main".to_owned(), place()).await.unwrap();
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
        let terms = Terms { stop_server: false, stuck_after_seconds: 7200, retries: 2, retry_after_seconds: 900 };
        let plan = Plan {
            at: at(0),
            server: server(),
            policy: nightly(),
            kind: Kind::Snapshot,
            slots: Slots::default(),
            actions: vec![Action::Create(Reason::New { free: 1 })],
            points: Vec::new(),
            refused: None,
            notes: Vec::new(),
            max_deletes: 2,
            brakes: Vec::new(),
        };
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
    Event::Answered { step, answer: Answer::Accepted { id: id.map(Id::Number) } }
}

fn notice(class: Class, topic: Topic) -> Notice {
    let (server, policy, kind) = (Some(server()), Some("nightly".to_owned()), Some(Kind::Snapshot));
    Notice { server, policy, kind, ..Notice::new(class, topic, topic.to_string()) }
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
    let Folder { dir, store } = folder();
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
    let Folder { dir, store } = folder();
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
    assert_eq!(folder.store.history(None, 9).await.unwrap()[0].summary.created, Some(Id::Number(9)));
    folder.write(&mut run, Event::Seen(Sight::Completed { created_at: at(9), size_mb: None }), 3).await;
    folder.write(&mut run, Event::Ended { outcome: Outcome::Succeeded, error: None }, 4).await;
    assert!(folder.store.unfinished().await.unwrap().is_empty());
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
async fn a_due_time_that_is_taken_up_moves_the_last_handled_one_on_and_never_back() {
    let folder = folder();
    let follow = |schedule: &str, second: i64| {
        let followed = Followed { server: server().id, policy: nightly(), schedule: schedule.to_owned() };
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
    assert_eq!(memory.unlisted[0].id, Some(Id::Number(9)));
    assert!(folder.memory(62).await.unlisted.is_empty(), "settle has passed");
    folder.see(list(vec![ours(9)], 20)).await;
    assert!(folder.memory(21).await.unlisted.is_empty(), "it is listed");
    assert_eq!(folder.memory(21).await.points[&Id::Number(9)].origin, Origin::Made("nightly".to_owned()));
    folder.see(list(Vec::new(), 100)).await;
    assert!(folder.memory(101).await.points.is_empty(), "it is gone");
}

#[tokio::test]
async fn the_first_inventory_proves_marks_and_later_ones_do_not() {
    let folder = folder();
    assert_eq!(folder.owner(&ours(1), 0).await, Owner::Ours("nightly".to_owned()));
    folder.see(list(vec![ours(1)], 0)).await;
    assert_eq!(folder.owner(&ours(1), 1).await, Owner::Ours("nightly".to_owned()));
    assert_eq!(folder.owner(&ours(2), 1).await, Owner::Stray("nightly".to_owned()));
    folder.see(list(vec![ours(1), ours(2)], 2)).await;
    assert_eq!(folder.owner(&ours(2), 3).await, Owner::Stray("nightly".to_owned()), "it does not become ours");
}

#[tokio::test]
async fn a_list_in_doubt_forgets_nothing_and_is_not_the_first_one() {
    for doubt in [(|list: &mut Inventory| list.doubts.push("entry 2".to_owned())) as fn(&mut Inventory), |list| {
        list.proof = Proof::ReadOnce
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
        assert_eq!(folder.owner(&ours(1), 1001).await, Owner::Ours("nightly".to_owned()));
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
        let act = Act::Delete { id: Id::Number(1), created_at: at(1), cause: Cause::Eviction };
        let step = folder.intend(&mut run, act, 1).await;
        folder.write(&mut run, Event::Answered { step, answer }, 2).await;
        folder.see(list(vec![ours(1), ours(2)], 3)).await;
        let memory = folder.memory(4).await;
        assert!(memory.deleting.contains(&Id::Number(1)));
        assert_eq!(memory.evicted_since_completed, 1);
        assert_eq!(folder.owner(&ours(1), 4).await, Owner::Ours("nightly".to_owned()), "no second lastgood's");
        let memory = folder.memory(3700).await;
        assert!(memory.deleting.is_empty() && memory.not_gone == [Id::Number(1)].into(), "it may be sent again");
        let step = folder.create(&mut run, 9, 5).await;
        folder.write(&mut run, accepted(step, Some(9)), 6).await;
        folder.write(&mut run, Event::Seen(Sight::Completed { created_at: at(9), size_mb: None }), 7).await;
        assert_eq!(folder.memory(8).await.evicted_since_completed, 0);
    }
}

#[tokio::test]
async fn a_point_that_is_completed_after_its_run_gave_it_up_ends_the_time_of_its_eviction() {
    let folder = folder();
    folder.see(list(vec![ours(1), ours(2)], 0)).await;
    let mut run = folder.planned().await;
    let act = Act::Delete { id: Id::Number(1), created_at: at(1), cause: Cause::Eviction };
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
    assert_eq!(folder.owner(&made, 3).await, Owner::Ours("nightly".to_owned()));
    folder.see(list(vec![made.clone()], 4)).await;
    assert_eq!(folder.owner(&made, 5).await, Owner::Ours("nightly".to_owned()));
    let third = RestorePoint { created_at: at(900), ..point(1, "by hand") };
    assert_eq!(folder.owner(&third, 6).await, Owner::Person);
}

#[tokio::test]
async fn holds_are_in_force_until_their_moment_and_for_their_place() {
    let folder = folder();
    let hold =
        |what: Held, until: Option<i64>| Hold { what, reason: "audit".to_owned(), since: at(0), until: until.map(at) };
    let of_point = Held::Point(Kind::Snapshot, Id::Number(1));
    folder.store.hold(hold(of_point.clone(), Some(50))).await.unwrap();
    folder.store.hold(hold(Held::Point(Kind::Backup, Id::Number(2)), None)).await.unwrap();
    assert_eq!(folder.memory(49).await.holds.keys().collect::<Vec<_>>(), [&Id::Number(1)]);
    assert!(folder.memory(50).await.holds.is_empty());
    folder.store.hold(hold(of_point.clone(), None)).await.unwrap();
    assert_eq!(folder.store.holds(at(60)).await.unwrap().len(), 2, "a hold on the same thing is replaced");
    assert!(folder.store.release(of_point.clone()).await.unwrap());
    assert!(!folder.store.release(of_point).await.unwrap());
    folder.store.hold(hold(Held::Server(server()), None)).await.unwrap();
    assert_eq!(folder.memory(60).await.server_hold.as_deref(), Some("audit"));
    let elsewhere = Place { server: Id::Number(1), ..place() };
    assert_eq!(folder.store.memory(elsewhere, at(60)).await.unwrap().server_hold, None);
}

#[tokio::test]
async fn a_failing_policy_that_becomes_stale_is_one_incident_and_a_success_ends_it_with_a_recovery() {
    let folder = folder();
    folder.store.tell(vec![notice(Class::Failure, Topic::Run)], at(1)).await.unwrap();
    folder.store.tell_stale(vec![notice(Class::Stale, Topic::Stale)], at(2)).await.unwrap();
    assert_eq!(folder.incidents().await, ["run"]);
    let mut run = folder.planned().await;
    let step = folder.create(&mut run, 9, 3).await;
    folder.write(&mut run, accepted(step, Some(9)), 4).await;
    folder.write(&mut run, Event::Seen(Sight::Completed { created_at: at(9), size_mb: None }), 5).await;
    let good = Good { id: Id::Number(9), created_at: at(9) };
    let reports = vec!["oncall".to_owned()];
    let success = Notice { last_good: Some(good.clone()), reports, ..notice(Class::Success, Topic::Run) };
    let ended = Event::Ended { outcome: Outcome::Succeeded, error: None };
    folder.store.append(&mut run, ended, at(6), vec![success]).await.unwrap();
    assert!(folder.incidents().await.is_empty());
    let waiting = folder.store.waiting().await.unwrap();
    let recovery = &waiting.iter().find(|waiting| waiting.notice.class == Class::Recovery).unwrap().notice;
    assert_eq!((recovery.since, recovery.text.as_str()), (Some(at(1)), "stale"), "since when, and what it was");
    assert_eq!((&recovery.last_good, &recovery.reports[..]), (&Some(good), &["oncall".to_owned()][..]));
}

#[tokio::test]
async fn a_success_closes_the_incident_of_a_wrong_clock_without_a_word() {
    let folder = folder();
    folder.store.tell(vec![notice(Class::Failure, Topic::Clock)], at(1)).await.unwrap();
    assert_eq!(folder.incidents().await, ["clock"]);
    let mut run = folder.planned().await;
    let step = folder.create(&mut run, 9, 3).await;
    folder.write(&mut run, accepted(step, Some(9)), 4).await;
    folder.write(&mut run, Event::Seen(Sight::Completed { created_at: at(9), size_mb: None }), 5).await;
    folder.write(&mut run, Event::Ended { outcome: Outcome::Succeeded, error: None }, 6).await;
    assert!(folder.incidents().await.is_empty());
    let waiting = folder.store.waiting().await.unwrap();
    assert!(waiting.iter().all(|waiting| waiting.notice.class != Class::Recovery), "{waiting:?}");
}

#[tokio::test]
async fn a_runs_end_and_its_notice_are_one_transaction() {
    let folder = folder();
    let mut run = folder.planned().await;
    let ended = Event::Ended { outcome: Outcome::Failed, error: Some("no".to_owned()) };
    let blocked = folder.store.transact(|tx| Ok(tx.execute_batch("ALTER TABLE notice RENAME TO elsewhere")?)).await;
    assert!(blocked.is_ok());
    let before = run.state.clone();
    let failed = folder.store.append(&mut run, ended.clone(), at(1), vec![notice(Class::Failure, Topic::Run)]).await;
    assert!(failed.is_err());
    assert_eq!((run.state.clone(), folder.store.unfinished().await.unwrap().len()), (before, 1), "it has not ended");
    folder.store.transact(|tx| Ok(tx.execute_batch("ALTER TABLE elsewhere RENAME TO notice")?)).await.unwrap();
    folder.store.append(&mut run, ended, at(1), vec![notice(Class::Failure, Topic::Run)]).await.unwrap();
    assert_eq!(folder.store.waiting().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_an_inventory_gives_no_cause_for_any_more_is_closed() {
    let folder = folder();
    let causes = [Topic::Attention, Topic::SecondLastgood, Topic::NewJournal];
    let notices = causes.into_iter().map(|topic| notice(Class::Failure, topic)).collect();
    folder.store.remember(list(Vec::new(), 0), "main".to_owned(), place(), notices).await.unwrap();
    assert_eq!(folder.incidents().await, ["attention", "second_lastgood", "new_journal"]);
    folder.store.remember(list(Vec::new(), 1), "main".to_owned(), place(), Vec::new()).await.unwrap();
    assert!(folder.incidents().await.is_empty());
    assert_eq!(folder.store.waiting().await.unwrap().len(), 3, "they are told all the same");
}

#[tokio::test]
async fn a_mail_and_the_notices_it_tells_are_one_transaction_and_it_waits_until_it_is_sent() {
    let folder = folder();
    folder.store.tell(vec![notice(Class::Failure, Topic::Run)], at(1)).await.unwrap();
    let id = folder.store.waiting().await.unwrap()[0].id;
    let message = NewMessage {
        message_id: "<one@lastgood>".to_owned(),
        subject: "FAILED".to_owned(),
        report: "oncall".to_owned(),
        from: "a@example.com".to_owned(),
        to: vec!["b@example.com".to_owned(), "c@example.com".to_owned()],
        bytes: b"mail".to_vec(),
    };
    let told = || Told { report: "oncall".to_owned(), notices: vec![id], message: Some(message.clone()) };
    folder.store.told(told(), at(2)).await.unwrap();
    folder.store.told(told(), at(3)).await.unwrap();
    let due = folder.store.mails_due(at(4)).await.unwrap();
    assert_eq!((due.len(), due[0].first_at), (1, at(2)), "the same Message-ID is the same mail");
    assert_eq!(folder.store.waiting().await.unwrap()[0].told, ["oncall"]);
    let later = Fate::Later { at: at(60), to: vec!["c@example.com".to_owned()], error: "busy".to_owned() };
    folder.store.mail_tried(due[0].id, later, at(5)).await.unwrap();
    assert!(folder.store.mails_due(at(59)).await.unwrap().is_empty());
    let again = folder.store.mails_due(at(60)).await.unwrap();
    assert_eq!((again[0].message.to.as_slice(), again[0].attempts), (&["c@example.com".to_owned()][..], 1));
    folder.store.mail_tried(due[0].id, Fate::Sent { refused: None }, at(61)).await.unwrap();
    folder.store.told(told(), at(62)).await.unwrap();
    assert_eq!(folder.store.backlog().await.unwrap().waiting, 0, "what was sent is not sent again");
}

#[tokio::test]
async fn a_mail_that_cannot_be_stored_leaves_its_notices_untold() {
    let folder = folder();
    folder.store.tell(vec![notice(Class::Failure, Topic::Run)], at(1)).await.unwrap();
    folder.store.transact(|tx| Ok(tx.execute_batch("ALTER TABLE outbox RENAME TO elsewhere")?)).await.unwrap();
    let message = NewMessage {
        message_id: "<one@lastgood>".to_owned(),
        subject: "FAILED".to_owned(),
        report: "oncall".to_owned(),
        from: "a@example.com".to_owned(),
        to: vec!["b@example.com".to_owned()],
        bytes: b"mail".to_vec(),
    };
    let told = Told { report: "oncall".to_owned(), notices: vec![1], message: Some(message) };
    assert!(folder.store.told(told, at(2)).await.is_err());
    assert!(folder.store.waiting().await.unwrap()[0].told.is_empty());
}

#[tokio::test]
async fn a_last_handled_time_in_the_future_is_written_anew_and_told() {
    let folder = folder();
    let followed = Followed { server: server().id, policy: nightly(), schedule: "30 2 * * *".to_owned() };
    folder.store.handled(vec![followed.clone()], at(9_000)).await.unwrap();
    let notice = notice(Class::Failure, Topic::Clock);
    let put_right = PutRight { server: server().id, policy: nightly(), to: at(5), notice };
    folder.store.take_up(Vec::new(), vec![put_right], at(5)).await.unwrap();
    assert_eq!(folder.store.handled(vec![followed], at(6)).await.unwrap()[0].handled, at(5));
    assert_eq!(folder.incidents().await, ["clock"]);
}

#[tokio::test]
async fn one_process_at_a_time_holds_the_lease_of_a_server() {
    let folder = folder();
    let lease = |holder: &str, second: i64| {
        let (store, holder) = (folder.store.clone(), holder.to_owned());
        async move {
            let until = at(second) + SignedDuration::from_secs(300);
            store.lease(server().id, holder, at(second), until).await.unwrap()
        }
    };
    assert!(lease("owner", 0).await);
    assert!(!lease("delete 7", 299).await);
    assert!(lease("owner", 200).await, "prolonged");
    assert!(!lease("delete 7", 499).await);
    assert!(lease("delete 7", 500).await, "it has run out");
    folder.store.drop_leases_of("owner").await.unwrap();
    assert!(!lease("owner", 501).await, "another's lease stays");
    folder.store.end_lease(server().id, "delete 7".to_owned()).await.unwrap();
    assert!(lease("owner", 502).await);
}

#[tokio::test]
async fn the_last_good_point_is_the_larger_id_of_one_second_and_never_one_whose_delete_was_accepted() {
    let folder = folder();
    let of_one_second = |id: i64| RestorePoint { created_at: at(1), ..ours(id) };
    folder.see(list(vec![of_one_second(9), of_one_second(10)], 5)).await;
    let last_good = async || {
        let names = vec!["nightly".to_owned()];
        folder.store.last_good(server().id, Kind::Snapshot, names).await.unwrap().unwrap().id
    };
    assert_eq!(last_good().await, Id::Number(10));
    let mut run = folder.planned().await;
    let act = Act::Delete { id: Id::Number(10), created_at: at(1), cause: Cause::Retention };
    let step = folder.intend(&mut run, act, 6).await;
    folder.write(&mut run, Event::Answered { step, answer: Answer::Accepted { id: None } }, 7).await;
    assert_eq!(last_good().await, Id::Number(9));
    assert_eq!(folder.store.listed(server().id, Kind::Snapshot).await.unwrap().len(), 1);
}
