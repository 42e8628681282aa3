//! Commits together what waits together: while one commit waits for the disk, transactions queue, and the next commit
//! serves them all.
//!
//! Each is still a transaction of its own: they are performed one after another, one that fails leaves no trace, and
//! none is answered before everything that it has read or written is on the disk.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::store::StoreError;
use crate::store::transaction::Transaction;

/// The most transactions of one commit, so that none waits long for the others.
const MOST: usize = 64;

/// The transactions that wait for the next commit.
#[derive(Default)]
pub(super) struct CommitQueue(Mutex<Queue>);

impl std::fmt::Debug for CommitQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommitQueue").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Box<dyn Job>>,
    /// Whether a thread performs what waits.
    is_served: bool,
}

/// The duty to perform what waits. Dropped before that, as when the runtime ends, it drops what waits.
pub(super) struct Duty {
    queue: Arc<CommitQueue>,
    /// Somebody else may have the duty by now.
    is_done: bool,
}

/// One transaction.
trait Job: Send {
    /// Performs it. What failed has left no trace.
    fn perform(&mut self, tx: &Transaction<'_>);
    /// Answers whoever waits for it. `commit` says why the commit failed, if it did.
    fn answer(self: Box<Self>, commit: Option<&rusqlite::Error>);
}

struct QueuedWork<T, F> {
    work: Option<F>,
    done: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl CommitQueue {
    /// Adds a transaction. Returns its answer, and whether the caller must have the queue served.
    pub(super) fn add<T, F>(&self, work: F) -> (oneshot::Receiver<Result<T, StoreError>>, bool)
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let mut queue = self.lock();
        queue.waiting.push_back(Box::new(QueuedWork { work: Some(work), done: None, answer }));
        (answered, !std::mem::replace(&mut queue.is_served, true))
    }

    /// The duty of the caller to whom `add` has given it.
    pub(super) fn duty(self: &Arc<Self>) -> Duty {
        Duty { queue: Arc::clone(self), is_done: false }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the next commit serves. Without any, nobody serves the queue from now on.
    fn next(&self) -> VecDeque<Box<dyn Job>> {
        let mut queue = self.lock();
        let count = queue.waiting.len().min(MOST);
        queue.is_served = count > 0;
        queue.waiting.drain(..count).collect()
    }
}

impl Duty {
    /// Performs everything that waits.
    pub(super) fn serve(mut self, connection: &Mutex<Connection>) {
        loop {
            let mut jobs = self.queue.next();
            if jobs.is_empty() {
                self.is_done = true;
                return;
            }
            // A transaction that panicked was rolled back, and must not stop the others.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            while !jobs.is_empty() {
                commit_together(&mut connection, &mut jobs);
            }
        }
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        if !self.is_done {
            let mut queue = self.queue.lock();
            queue.is_served = false;
            queue.waiting.clear();
        }
    }
}

/// Performs and commits the jobs; fewer if one of them ended the transaction of all.
fn commit_together(connection: &mut Connection, jobs: &mut VecDeque<Box<dyn Job>>) {
    let tx = match Transaction::begin(connection) {
        Ok(tx) => tx,
        Err(error) => return jobs.drain(..).for_each(|job| job.answer(Some(&error))),
    };
    let mut performed = Vec::with_capacity(jobs.len());
    while let Some(mut job) = jobs.pop_front() {
        job.perform(&tx);
        performed.push(job);
        // After some errors, such as a full disk, SQLite rolls back everything by itself.
        if tx.is_autocommit() {
            break;
        }
    }
    let ended = tx.is_autocommit();
    let commit = if ended { Err(rolled_back()) } else { tx.commit() };
    performed.into_iter().for_each(|job| job.answer(commit.as_ref().err()));
}

fn rolled_back() -> rusqlite::Error {
    let words = "another transaction of the same commit failed".to_owned();
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR), Some(words))
}

impl<T, F> Job for QueuedWork<T, F>
where
    T: Send,
    F: FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send,
{
    fn perform(&mut self, tx: &Transaction<'_>) {
        self.done = self.work.take().map(|work| without_trace_of_failure(tx, work));
    }

    fn answer(self: Box<Self>, commit: Option<&rusqlite::Error>) {
        let answer = match (self.done, commit) {
            (Some(Err(own)), _) => Err(own),
            (Some(Ok(value)), None) => Ok(value),
            (_, Some(error)) => Err(StoreError::Database(copy(error))),
            (None, None) => return,
        };
        // Whoever waited may be gone.
        let _ = self.answer.send(answer);
    }
}

/// Performs `work`, and undoes what it has done if it fails.
fn without_trace_of_failure<T>(
    tx: &Transaction<'_>,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    tx.execute("SAVEPOINT work", [])?;
    let done = catch_unwind(AssertUnwindSafe(|| work(tx)))
        .unwrap_or_else(|_| Err(StoreError::Value("a transaction was cut off: it panicked".to_owned())));
    let undo = if done.is_err() { "ROLLBACK TO work; RELEASE work" } else { "RELEASE work" };
    if !tx.is_autocommit()
        && let Err(error) = tx.execute_batch(undo)
    {
        // Nothing half done may be committed: all of this commit fails.
        tx.execute_batch("ROLLBACK")?;
        return done.and(Err(error.into()));
    }
    done
}

/// The same error once more, for each transaction of a commit that failed.
fn copy(error: &rusqlite::Error) -> rusqlite::Error {
    match error {
        rusqlite::Error::SqliteFailure(code, words) => rusqlite::Error::SqliteFailure(*code, words.clone()),
        other => {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ERROR);
            rusqlite::Error::SqliteFailure(code, Some(other.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Answered = oneshot::Receiver<Result<i64, StoreError>>;

    fn database() -> Mutex<Connection> {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE seen (number INTEGER PRIMARY KEY)").unwrap();
        Mutex::new(connection)
    }

    fn numbers(connection: &Mutex<Connection>) -> Vec<i64> {
        let connection = connection.lock().unwrap();
        let mut query = connection.prepare("SELECT number FROM seen ORDER BY number").unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Adds a number, and then does this.
    fn add(queue: &CommitQueue, number: i64, then: fn(&Transaction<'_>) -> Result<(), StoreError>) -> Answered {
        let added = queue.add(move |tx| {
            tx.execute("INSERT INTO seen VALUES (?1)", [number])?;
            then(tx)?;
            Ok(number)
        });
        added.0
    }

    fn fine(_: &Transaction<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    #[test]
    fn what_fails_or_panics_leaves_no_trace_and_the_others_are_committed() {
        let (queue, connection) = (Arc::new(CommitQueue::default()), database());
        let mut answers = [
            add(&queue, 1, fine),
            add(&queue, 2, |_| Err(StoreError::Value("no".to_owned()))),
            add(&queue, 3, |_| panic!("a bug")),
            add(&queue, 1, fine),
            add(&queue, 4, fine),
        ];
        queue.duty().serve(&connection);
        let went_well = answers.each_mut().map(|answer| answer.try_recv().unwrap().is_ok());
        assert_eq!(went_well, [true, false, false, false, true]);
        assert_eq!(numbers(&connection), [1, 4]);
    }

    #[test]
    fn one_that_ends_the_common_transaction_fails_only_those_before_it() {
        let (queue, connection) = (Arc::new(CommitQueue::default()), database());
        let mut answers = [
            add(&queue, 1, fine),
            // As SQLite does by itself when the disk is full.
            add(&queue, 2, |tx| {
                tx.execute_batch("ROLLBACK")?;
                Err(StoreError::Value("full".to_owned()))
            }),
            add(&queue, 3, fine),
        ];
        queue.duty().serve(&connection);
        let went_well = answers.each_mut().map(|answer| answer.try_recv().unwrap().is_ok());
        assert_eq!(went_well, [false, false, true]);
        assert_eq!(numbers(&connection), [3]);
    }

    #[test]
    fn a_commit_that_fails_is_the_error_of_each() {
        let (queue, connection) = (Arc::new(CommitQueue::default()), database());
        connection.lock().unwrap().pragma_update(None, "query_only", true).unwrap();
        let mut answers = [add(&queue, 1, fine), add(&queue, 2, fine)];
        queue.duty().serve(&connection);
        assert!(answers.each_mut().map(|answer| answer.try_recv().unwrap().is_err()).iter().all(|failed| *failed));
    }

    #[test]
    fn only_the_first_to_wait_must_serve_and_a_duty_that_is_given_up_is_free_again() {
        let (queue, connection) = (Arc::new(CommitQueue::default()), database());
        let is_first = || queue.add(|_| Ok(())).1;
        assert!(is_first() && !is_first());
        drop(queue.duty());
        assert!(is_first(), "the next one serves");
        queue.duty().serve(&connection);
        assert!(is_first());
    }
}
