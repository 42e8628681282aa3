//! Brings a state that an earlier version wrote into the form that this one reads.

use std::cmp::Ordering;
use std::fs::{File, TryLockError};
use std::path::Path;

use rusqlite::{Connection, Row};

use crate::store::StoreError;
use crate::store::earlier_rules::rules_of_words;
use crate::store::folder::{LOCK, StateFolder};
use crate::store::value::json;

/// The first version that stores the rules of a policy as JSON.
const RULES_AS_JSON: usize = 3;
/// Numbered from 1. A released one is never changed.
pub(super) const MIGRATIONS: &[&str] =
    &[include_str!("migrations/0001.sql"), include_str!("migrations/0002.sql"), include_str!("migrations/0003.sql")];

/// The owner's lock, if the state is of an older version and has no running owner; `None` if there is nothing to migrate.
pub(super) fn no_older_owner(
    connection: &Connection,
    dir: &Path,
    folder: &StateFolder,
) -> Result<Option<File>, StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).expect("few migrations");
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found == 0 || found >= known {
        return Ok(None);
    }
    let lock = folder.open(LOCK)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Err(StoreError::Older { dir: dir.to_owned(), found, known }),
        Err(TryLockError::Error(source)) => Err(StoreError::Folder { dir: dir.to_owned(), source }),
    }
}

/// Refuses a state that another version has written.
pub(super) fn same_version(connection: &Connection, dir: &Path) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).expect("few migrations");
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match found.cmp(&known) {
        Ordering::Less => Err(StoreError::Older { dir: dir.to_owned(), found, known }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(StoreError::Newer { dir: dir.to_owned(), found, known }),
    }
}

/// Runs the migrations that the state lacks, in one transaction.
pub(super) fn migrate(connection: &mut Connection, dir: &Path) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).expect("few migrations");
    let version = |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get(0));
    let newer = |found| StoreError::Newer { dir: dir.to_owned(), found, known };
    // Checked first without a write lock, so that a command that only reads need not wait for one.
    let found: i64 = version(connection)?;
    if found == known {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = version(&transaction)?;
    if found > known {
        return Err(newer(found));
    }
    let done = usize::try_from(found).map_err(|_| StoreError::Value(format!("user_version {found}")))?;
    for (migration, number) in MIGRATIONS.iter().zip(1..).skip(done) {
        transaction.execute_batch(migration)?;
        if number == RULES_AS_JSON {
            rules_as_json(&transaction)?;
        }
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

/// Rewrites the rules that an earlier version stored as text into JSON. Text that cannot be read is left alone and
/// counts as changed.
fn rules_as_json(connection: &Connection) -> Result<(), StoreError> {
    let mut query = connection.prepare("SELECT server, kind, policy, rules FROM retention")?;
    let mut write =
        connection.prepare("UPDATE retention SET rules = ?4 WHERE server = ?1 AND kind = ?2 AND policy = ?3")?;
    let row =
        |row: &Row<'_>| Ok::<(String, String, String, String), _>((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let rows: Vec<_> = query.query_map([], row)?.collect::<Result<_, _>>()?;
    for (server, kind, policy, words) in rows {
        if let Some(rules) = rules_of_words(&words) {
            write.execute((server, kind, policy, json(&rules)?))?;
        }
    }
    Ok(())
}
