//! Whatever has become of the files: an error that names them, or the truth as far as it was written; never a panic.

use super::migrating::written;
use super::*;

/// A small generator of numbers: the same ones each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % limit.max(1) as u64).unwrap()
    }
}

/// Reads all that a start and a plan read, and writes a little.
async fn use_all(dir: &std::path::Path) -> Result<usize, StoreError> {
    let store = Store::own(dir)?;
    let now: Timestamp = "2026-11-21T07:30:00Z".parse().unwrap();
    let runs = store.history(None, 100).await?.len();
    store.unfinished().await?;
    store.servers().await?;
    store.incidents().await?;
    store.waiting().await?;
    store.messages_due(&[Channel::Mail], now).await?;
    store.holds(now).await?;
    let place = MemoryKey { server: ServerId::Number(12345), policy: PolicyName::new("hourly").unwrap(), ..place() };
    store.memory(place, now).await?;
    store.add_notices(vec![notice(Class::Failure, Topic::Attention)], now).await?;
    store.prune_daily(Duration::from_hours(24), now).await?;
    Ok(runs)
}

fn database() -> Vec<u8> {
    let dir = written(include_str!("made_by_0001.sql"));
    drop(Store::own(dir.path()).unwrap());
    std::fs::read(dir.path().join(DATABASE)).unwrap()
}

/// A folder that is one user's alone: in another, what is no database is none of ours.
fn private_folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    dir
}

#[tokio::test]
async fn a_file_cut_short_is_an_error_that_names_it() {
    let whole = database();
    let pages = whole.len() / 4096;
    for length in (1..pages).map(|page| page * 4096).chain([1, 99, 100, 511, 4095, 4097]) {
        let dir = private_folder();
        std::fs::write(dir.path().join(DATABASE), &whole[..length]).unwrap();
        let error = use_all(dir.path()).await.expect_err(&format!("{length} of {} bytes", whole.len()));
        assert!(matches!(error, StoreError::Unusable { .. }), "{length}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(DATABASE) && text.contains("restore it from a copy"), "{length}: {text}");
    }
}

#[tokio::test]
async fn random_bytes_anywhere_are_an_error_or_change_nothing_that_is_read() {
    let (whole, mut dice) = (database(), Dice(7));
    let mut refused = 0;
    for round in 0..150 {
        let mut bytes = whole.clone();
        let (from, length) = (dice.below(bytes.len()), 1 + dice.below([4, 64, 4096, 40_000][round % 4]));
        for byte in bytes.iter_mut().skip(from).take(length) {
            *byte = u8::try_from(dice.below(256)).unwrap();
        }
        let dir = private_folder();
        std::fs::write(dir.path().join(DATABASE), &bytes).unwrap();
        if let Err(error) = use_all(dir.path()).await {
            refused += 1;
            let text = error.to_string();
            let says = ["restore it from a copy", "upgrade lastgood"];
            assert!(says.iter().any(|words| text.contains(words)), "round {round}, {length} bytes at {from}: {text}");
        }
    }
    assert!(refused > 50, "{refused} of 150");
}

#[tokio::test]
async fn garbage_in_the_write_ahead_log_loses_at_most_what_was_in_it() {
    let (whole, mut dice) = (database(), Dice(11));
    for round in 0..40 {
        let dir = tempfile::tempdir().unwrap();
        let (file, log) = (dir.path().join(DATABASE), dir.path().join("lastgood.db-wal"));
        std::fs::write(&file, &whole).unwrap();
        // A log as kill -9 leaves it: written, and never brought into the database.
        let store = Store::own(dir.path()).unwrap();
        for second in 0..5 {
            store.add_notices(vec![notice(Class::Failure, Topic::Attention)], at(second)).await.unwrap();
        }
        let mut bytes = std::fs::read(&log).unwrap();
        drop(store);
        let from = dice.below(bytes.len());
        match round % 4 {
            0 => bytes.truncate(from),
            1 => bytes.extend((0..5000).map(|_| u8::try_from(dice.below(256)).unwrap())),
            _ => bytes.iter_mut().skip(from).for_each(|byte| *byte = u8::try_from(dice.below(256)).unwrap()),
        }
        std::fs::write(&file, &whole).unwrap();
        std::fs::write(&log, &bytes).unwrap();
        assert_eq!(use_all(dir.path()).await.unwrap(), 12, "round {round}");
    }
}

#[tokio::test]
async fn a_state_that_says_less_than_a_state_says_is_an_error() {
    let dir = written(include_str!("made_by_0001.sql"));
    rusqlite::Connection::open(dir.path().join(DATABASE)).unwrap().execute_batch("DROP TABLE notice").unwrap();
    let error = use_all(dir.path()).await.unwrap_err().to_string();
    assert!(error.contains(DATABASE) && error.contains("restore it from a copy"), "{error}");
}

#[tokio::test]
async fn a_run_that_cannot_be_read_is_set_aside_and_shown_and_stops_nothing() {
    for (change, words) in [
        ("UPDATE event SET body = '{\"unheard_of\":1}' WHERE run = 12", "cannot be read"),
        ("UPDATE event SET body = 'x' WHERE run = 12", "cannot be read"),
        ("UPDATE run SET kind = 'tape' WHERE id = 12", "cannot be read"),
        ("DELETE FROM event WHERE run = 12 AND seq = 0", "cannot follow what is before it"),
    ] {
        let dir = written(include_str!("made_by_0001.sql"));
        rusqlite::Connection::open(dir.path().join(DATABASE)).unwrap().execute_batch(change).unwrap();
        assert_eq!(use_all(dir.path()).await.expect(change), 12);
        let store = Store::own(dir.path()).unwrap();
        let before = store.history(None, 1).await.unwrap().remove(0);
        assert_eq!((before.summary.run, before.summary.outcome.as_str()), (12, "running"), "{change}");
        let told = store.set_unreadable_aside(at(0)).await.unwrap();
        assert!(told.len() == 1 && told[0].to_string().contains(words), "{change}: {told:?}");
        let after = store.history(None, 1).await.unwrap().remove(0);
        assert_eq!(after.summary.outcome.as_str(), "unknown", "{change}");
        assert!(after.summary.error.unwrap().contains("was set aside"), "{change}");
        assert!(store.set_unreadable_aside(at(1)).await.unwrap().is_empty(), "once");
        assert_eq!(store.incidents().await.unwrap().len(), 3, "{change}");
    }
}

#[tokio::test]
async fn an_empty_memory_is_in_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("state");
    let store = Store::beside_or_empty(&absent).unwrap();
    assert!(store.history(None, 9).await.unwrap().is_empty());
    let memory = store.memory(place(), at(0)).await.unwrap();
    assert_eq!(memory, Memory::default());
    assert!(!absent.exists(), "nothing was made");
}
