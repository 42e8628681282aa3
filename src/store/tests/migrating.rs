//! A state that an earlier lastgood has written is taken over whole. Each migration has its own text with data in it,
//! written by a lastgood that knew no later one.

use std::collections::BTreeSet;

use super::*;
use crate::policy::conditions::RetentionRules;
use crate::policy::keep::{Count, Keep, KeepRule};
use crate::policy::policy::{Policy, Prune};
use crate::policy::retention_change::is_changed;
use crate::store::migrate::MIGRATIONS;

/// What lastgoods with this many migrations have written.
const WRITTEN: [(usize, &str); 3] = [
    (1, include_str!("made_by_0001.sql")),
    (2, include_str!("made_by_0002.sql")),
    // With open runs that have stopped their servers.
    (2, concat!(include_str!("made_by_0002.sql"), "\n", include_str!("stopped_under_0002.sql"))),
];

/// A state folder with this database in it.
pub(super) fn written(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    rusqlite::Connection::open(dir.path().join(DATABASE)).unwrap().execute_batch(text).unwrap();
    dir
}

fn schema(dir: &tempfile::TempDir) -> Vec<(String, Option<String>)> {
    let connection = rusqlite::Connection::open(dir.path().join(DATABASE)).unwrap();
    let mut query = connection.prepare("SELECT name, sql FROM sqlite_master ORDER BY name").unwrap();
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

fn version(dir: &tempfile::TempDir) -> usize {
    let connection = rusqlite::Connection::open(dir.path().join(DATABASE)).unwrap();
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    usize::try_from(version).unwrap()
}

#[test]
fn every_earlier_version_becomes_what_a_new_state_is() {
    let written_by: BTreeSet<usize> = WRITTEN.iter().map(|(number, _)| *number).collect();
    assert!(written_by.into_iter().eq(1..MIGRATIONS.len()), "a migration without a text of the version before it");
    let fresh = tempfile::tempdir().unwrap();
    drop(Store::own(fresh.path()).unwrap());
    for (number, text) in WRITTEN {
        let dir = written(text);
        assert_eq!(version(&dir), number);
        drop(Store::own(dir.path()).unwrap());
        assert_eq!(version(&dir), MIGRATIONS.len());
        assert_eq!(schema(&dir), schema(&fresh), "from {number}");
    }
}

#[test]
fn a_command_beside_the_owner_migrates_too() {
    let dir = written(WRITTEN[0].1);
    drop(Store::beside_or_empty(dir.path()).unwrap());
    assert_eq!(version(&dir), MIGRATIONS.len());
}

#[test]
fn a_command_beside_an_owner_of_an_older_version_changes_nothing() {
    let dir = written(WRITTEN[1].1);
    let lock = std::fs::File::create(dir.path().join(crate::store::folder::LOCK)).unwrap();
    lock.try_lock().unwrap();
    let error = Store::beside(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Older { found: 2, .. }), "{error}");
    assert_eq!(version(&dir), 2);
    drop(lock);
    drop(Store::beside(dir.path()).unwrap());
    assert_eq!(version(&dir), MIGRATIONS.len());
}

#[test]
fn a_migration_that_fails_leaves_the_state_as_it_was() {
    // A table of the same name makes the last step fail.
    let dir = written(&format!("{}\nCREATE TABLE outbox_failed (x);", WRITTEN[0].1));
    let before = schema(&dir);
    let error = Store::own(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
    assert_eq!((version(&dir), schema(&dir)), (1, before));
}

#[tokio::test]
async fn what_version_one_has_written_is_all_there() {
    let dir = written(WRITTEN[0].1);
    let store = Store::own(dir.path()).unwrap();
    let history = store.history(None, 100).await.unwrap();
    let outcomes: Vec<&str> = history.iter().map(|run| run.summary.outcome.as_str()).collect();
    assert_eq!((outcomes.len(), outcomes[0], outcomes[1]), (12, "running", "failed"));
    assert!(outcomes[2..].iter().all(|outcome| *outcome == "succeeded"));
    let now: Timestamp = "2026-11-21T07:29:30Z".parse().unwrap();
    let hourly = PolicyName::new("hourly").unwrap();
    let place = |server: i64| MemoryKey {
        server: ServerId::Number(server),
        kind: Kind::Snapshot,
        policy: hourly.clone(),
        settle: Duration::from_secs(60),
    };
    let memory = store.memory(place(12346), now).await.unwrap();
    assert_eq!(memory.holds.iter().collect::<Vec<_>>(), [(&PointId::Number(804), &"audit".to_owned())]);
    assert!(memory.seen_before && memory.points.contains_key(&PointId::Number(809)));
    assert_eq!(store.memory(place(12345), now).await.unwrap().tokens.len(), 7);
    assert_eq!(store.servers().await.unwrap().len(), 2);
    assert_eq!(store.incidents().await.unwrap().len(), 1);
    assert_eq!(store.waiting().await.unwrap().len(), 1, "what was not reported is still reported");
    assert_eq!(store.backlog().await.unwrap().waiting, 1, "the message still waits");
    let message = store.messages_due(&[Channel::Mail], now).await.unwrap().remove(0).message;
    assert_eq!((message.channel, message.payload), (Channel::Mail, PayloadKind::Rfc5322), "and is a mail");
    let handled = store.peek_handled(ServerId::Number(12345), hourly).await.unwrap().unwrap();
    assert_eq!(handled.handled, "2026-11-21T07:29:22Z".parse().unwrap(), "no due time comes twice");
}

#[tokio::test]
async fn a_run_that_version_one_began_continues() {
    let dir = written(WRITTEN[0].1);
    let store = Store::own(dir.path()).unwrap();
    let mut runs = store.unfinished().await.unwrap();
    let [run] = runs.as_mut_slice() else { panic!("one run was cut off: {runs:?}") };
    assert_eq!(crate::journal::next::next(&run.state), crate::journal::next::Next::Await(PointId::Number(811)));
    let now: Timestamp = "2026-11-21T07:30:00Z".parse().unwrap();
    let completed = Sight::Completed {
        created_at: "2026-11-21T07:29:23Z".parse().unwrap(),
        size_mb: Some(1),
        in_progress_ms: None,
    };
    for event in [Event::Seen(completed), Event::Ended { outcome: Outcome::Succeeded, error: None }] {
        store.append(run, event, now, Vec::new()).await.unwrap();
    }
    assert!(store.unfinished().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_version_two_knew_of_a_policy_holds_for_the_kind_that_it_has() {
    let dir = written(WRITTEN[1].1);
    let store = Store::own(dir.path()).unwrap();
    let (server, policy) = (ServerId::Number(12345), PolicyName::new("hourly").unwrap());
    let now: Timestamp = "2026-11-21T07:29:30Z".parse().unwrap();
    let settle = Duration::from_secs(60);
    let place = MemoryKey { server: server.clone(), kind: Kind::Snapshot, policy: policy.clone(), settle };
    let memory = store.memory(place, now).await.unwrap();
    assert_eq!((memory.evicted_since_completed, memory.retention.len(), memory.brakes.len()), (1, 1, 1));
    assert_eq!(memory.longest_lead, Duration::ZERO, "no run has measured it");
    let before = store.peek_handled(server.clone(), policy.clone()).await.unwrap().unwrap();
    let schedule = due_words(&store).await;
    let followed = |kind| followed(&server, &policy, kind, &schedule);
    let handled = store.handled(vec![followed(Kind::Snapshot)], now).await.unwrap();
    assert_eq!(handled[0].handled, before.handled, "no due time starts over");
}

fn followed(server: &ServerId, policy: &PolicyName, kind: Kind, schedule: &str) -> Followed {
    let (server, policy, schedule) = (server.clone(), policy.clone(), schedule.to_owned());
    Followed { server, policy, kind, schedule, formerly: Vec::new() }
}

/// The schedule of the first policy that is followed.
async fn due_words(store: &Store) -> String {
    let read = |row: &rusqlite::Row<'_>| row.get(0);
    let query = "SELECT schedule FROM due_time WHERE server = '12345' AND policy = 'hourly'";
    store.transact(move |tx| Ok(tx.query_row(query, [], read)?)).await.unwrap()
}

#[tokio::test]
async fn a_policy_of_another_kind_starts_from_now_and_knows_no_eviction_of_the_old_kind() {
    let dir = written(WRITTEN[1].1);
    let store = Store::own(dir.path()).unwrap();
    let (server, policy) = (ServerId::Number(12345), PolicyName::new("hourly").unwrap());
    let schedule = due_words(&store).await;
    let followed = |kind| followed(&server, &policy, kind, &schedule);
    let then: Timestamp = "2026-11-21T07:29:30Z".parse().unwrap();
    store.handled(vec![followed(Kind::Snapshot)], then).await.unwrap();
    let now: Timestamp = "2026-11-22T07:29:30Z".parse().unwrap();
    let handled = store.handled(vec![followed(Kind::Backup)], now).await.unwrap();
    assert_eq!((handled[0].handled, handled[0].first_at), (now, now));
    let again = store.handled(vec![followed(Kind::Backup)], now + Duration::from_secs(60)).await.unwrap();
    assert_eq!(again, handled);
    // What was evicted for a snapshot says nothing of backups.
    evict(&store, Kind::Snapshot).await;
    let settle = Duration::from_secs(60);
    let place = |kind| MemoryKey { server: server.clone(), kind, policy: policy.clone(), settle };
    assert_eq!(store.memory(place(Kind::Snapshot), now).await.unwrap().evicted_since_completed, 2);
    assert_eq!(store.memory(place(Kind::Backup), now).await.unwrap().evicted_since_completed, 0);
}

async fn evict(store: &Store, kind: Kind) {
    let sql = "UPDATE evicted SET kind = ?1, count = count + 1 WHERE server = '12345' AND policy = 'hourly'";
    store.transact(move |tx| Ok(tx.execute(sql, [kind.word()])?)).await.unwrap();
}

#[tokio::test]
async fn the_servers_that_open_runs_of_version_two_have_stopped_are_owed_their_start() {
    use crate::journal::debt::Start;
    let dir = written(WRITTEN[2].1);
    let store = Store::own(dir.path()).unwrap();
    let debts = store.debts().await.unwrap();
    let shown: Vec<_> = debts
        .iter()
        .map(|debt| (debt.server.id.clone(), debt.start()))
        .map(|(server, start)| (server, start.in_charge, start.evidence.seen_down, start.evidence.start))
        .collect();
    let expected = [
        // Stopped; settled as not carried out, which may be wrong; started and not seen running; cut short by damage.
        (ServerId::Number(12347), Some(13), false, Start::NotSent),
        (ServerId::Number(12350), None, false, Start::NotSent),
        (ServerId::Number(12351), Some(17), true, Start::Accepted),
        (ServerId::Number(12352), Some(18), false, Start::NotSent),
    ];
    assert_eq!(shown, expected);
    let told = store.set_unreadable_aside("2026-11-21T08:00:00Z".parse().unwrap()).await.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        store.debt(ServerId::Number(12352)).await.unwrap().unwrap().start().in_charge,
        None,
        "its run is set aside"
    );
    assert_eq!(store.unfinished().await.unwrap().len(), 6);
}

#[tokio::test]
async fn a_lease_that_an_earlier_version_has_left_says_what_it_was_for() {
    let id = |text: &str| text.parse().map_or_else(|_| PointId::Text(text.to_owned()), PointId::Number);
    let restore = |key: &str| ManualCommand::Restore { kind: Kind::Backup, id: id(key) };
    let delete = |key: &str| ManualCommand::Delete { kind: Kind::Snapshot, id: id(key) };
    let no_number = |key: &str| ManualCommand::Delete { kind: Kind::Snapshot, id: PointId::Text(key.to_owned()) };
    let other = |words: &str| ManualCommand::Other { words: words.to_owned() };
    // Server, what earlier versions wrote, and the name, the command and whether it was accepted.
    let rows = [
        ("1", "restore backup 7 #beside-00ff", "beside-00ff", restore("7"), false),
        ("2", "restore backup 7 (accepted) #beside-00ff", "beside-00ff", restore("7"), true),
        ("3", "delete snapshot 801 #beside-1", "beside-1", delete("801"), false),
        ("4", "restore backup 7f0c-41 (accepted) #beside-1", "beside-1", restore("7f0c-41"), true),
        ("5", "accept --server 5 #beside-2", "beside-2", ManualCommand::Accept { server: ServerId::Number(5) }, false),
        ("6", "restore 4711", "restore 4711", other("restore 4711"), false),
        ("7", "delete 4711", "delete 4711", other("delete 4711"), false),
        (r#""u-8""#, "delete snapshot 0042 #beside-3", "beside-3", no_number("0042"), false),
    ];
    for (number, text) in WRITTEN {
        let leases: Vec<String> = rows
            .iter()
            .map(|(server, holder, ..)| format!("INSERT INTO lease VALUES ('{server}', '{holder}', 300);"))
            .chain(["INSERT INTO lease VALUES ('9', 'owner', 300);".to_owned()])
            .collect();
        let dir = written(&format!("{text}\n{}", leases.join("\n")));
        let store = Store::own(dir.path()).unwrap();
        let mut expected: Vec<Leased> = rows
            .iter()
            .map(|(server, _, name, command, accepted)| {
                let errand = Errand { command: command.clone(), accepted: *accepted };
                let holder = Holder::Command { name: (*name).to_owned(), errand };
                let server = serde_json::from_str(server).unwrap();
                Leased { server, holder, until: crate::store::value::time(300) }
            })
            .collect();
        let until = crate::store::value::time(300);
        expected.push(Leased { server: ServerId::Number(9), holder: Holder::Owner, until });
        expected.sort_by_key(|lease| serde_json::to_string(&lease.server).unwrap());
        assert_eq!(store.leases().await.unwrap(), expected, "from {number}");
    }
}

#[tokio::test]
async fn a_key_of_digits_stays_a_text_where_the_provider_gives_texts() {
    let point = "INSERT INTO point (server, kind, id, origin) VALUES ('1', 'backup', '\"7\"', '\"first\"');";
    let lease = "INSERT INTO lease VALUES ('1', 'restore backup 7 #beside-0', 300);";
    let dir = written(&format!("{}\n{point}\n{lease}", WRITTEN[1].1));
    let leases = Store::own(dir.path()).unwrap().leases().await.unwrap();
    let command = ManualCommand::Restore { kind: Kind::Backup, id: PointId::Text("7".to_owned()) };
    assert_eq!(leases[0].holder.errand(), Some(&Errand::new(command)));
}

#[tokio::test]
async fn an_upgrade_makes_no_file_look_changed() {
    let hourly = Policy {
        keep: Keep { counts: vec![(KeepRule::Last, Count::Number(3))], ..Keep::default() },
        prune: Prune::Own,
        ..Policy::removed(PolicyName::new("hourly").unwrap(), Kind::Snapshot)
    };
    let changed = Policy { min_keep: 0, ..hourly.clone() };
    let (now, settle) = ("2026-11-21T07:29:30Z".parse().unwrap(), Duration::from_secs(60));
    for text in [WRITTEN[1].1, WRITTEN[2].1] {
        let dir = written(text);
        let store = Store::own(dir.path()).unwrap();
        for server in [12345, 12346].map(ServerId::Number) {
            let key = MemoryKey { server, kind: Kind::Snapshot, policy: hourly.name.clone(), settle };
            let memory = store.memory(key, now).await.unwrap();
            let looked = &memory.retention["hourly"];
            assert_eq!((&looked.rules, &looked.conditions), (&Some(RetentionRules::of(&hourly)), &None));
            assert!(!is_changed(&hourly, &memory) && is_changed(&changed, &memory));
        }
    }
}

#[tokio::test]
async fn rules_that_cannot_be_read_count_as_changed() {
    let words = "UPDATE retention SET words = 'last = 3; Sequential';";
    let dir = written(&format!("{}\n{words}", WRITTEN[1].1));
    let store = Store::own(dir.path()).unwrap();
    let policy = Policy::removed(PolicyName::new("hourly").unwrap(), Kind::Snapshot);
    let settle = Duration::from_secs(60);
    let key = MemoryKey { server: ServerId::Number(12345), kind: Kind::Snapshot, policy: policy.name.clone(), settle };
    let memory = store.memory(key, "2026-11-21T07:29:30Z".parse().unwrap()).await.unwrap();
    assert_eq!(memory.retention["hourly"].rules, None);
    assert!(is_changed(&policy, &memory));
}
