//! The counters of the state: added to in the transaction of the event that is counted, and never pruned.

use rusqlite::params;

use crate::journal::effects::{Counter, Increment};
use crate::store::transaction::Transaction;
use crate::store::{Store, StoreError};

/// A counter as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CounterValue {
    /// What it counts.
    pub(crate) counter: Counter,
    /// The policy, or the channel of a message.
    pub(crate) subject: String,
    /// The outcome, the cause or the result; empty for a counter that has none.
    pub(crate) detail: String,
    /// How many so far.
    pub(crate) value: u64,
}

impl Store {
    /// Every counter that something was added to.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn counters(&self) -> Result<Vec<CounterValue>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare_cached("SELECT name, subject, detail, value FROM counter")?;
            let mut rows = query.query([])?;
            let mut counters = Vec::new();
            while let Some(row) = rows.next()? {
                let Some(counter) = Counter::of_word(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?) else {
                    continue;
                };
                let value = u64::try_from(row.get::<_, i64>(3)?).unwrap_or_default();
                counters.push(CounterValue { counter, subject: row.get(1)?, detail: row.get(2)?, value });
            }
            Ok(counters)
        })
        .await
    }
}

/// Adds to the counters.
pub(super) fn add(tx: &Transaction<'_>, counts: impl IntoIterator<Item = Increment>) -> Result<(), StoreError> {
    for count in counts {
        tx.execute(
            "INSERT INTO counter (name, subject, detail, value) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (name, subject, detail) DO UPDATE SET value = value + ?4",
            params![count.counter.word(), count.subject, count.detail, count.by],
        )?;
    }
    Ok(())
}
