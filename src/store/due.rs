//! How far the due times of each policy on each server have been handled.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Row, params};

use crate::journal::effects::{Count, FollowedPolicy, FormerName, follow};
use crate::journal::event::RunKey;
use crate::journal::notice::Notice;
use crate::policy::inventory::{Id, Kind};
use crate::policy::policy::PolicyName;
use crate::store::counters;
use crate::store::notices::insert_notice;
use crate::store::runs::{Run, open, skip};
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, read, read_word, time};
use crate::store::{Store, StoreError};

/// How far a policy on a server has been handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handled {
    /// The last due time that was opened or skipped; at first the moment the policy was first seen.
    pub handled: Timestamp,
    /// When the policy was first seen on the server.
    pub first_at: Timestamp,
    /// Whether it was reported as stale.
    pub stale_told: bool,
}

/// A policy on a server whose due times are followed.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The server.
    pub server: Id,
    /// The policy.
    pub policy: PolicyName,
    /// Its kind: of another kind it is another policy.
    pub kind: Kind,
    /// The schedule, zone and splay in words. If this text changes, due times start over from now.
    pub schedule: String,
    /// The names that the policy had before.
    pub formerly: Vec<FollowedBefore>,
}

/// A name under which a policy on a server may have been followed before.
#[derive(Clone, Debug)]
pub struct FollowedBefore {
    /// The name.
    pub policy: PolicyName,
    /// The schedule, zone and splay in words that the policy would have under it.
    pub schedule: String,
    /// How much later the policy is due under its present name.
    pub later: SignedDuration,
}

/// A due time that gets a run, or is skipped.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The server, the policy and the due time.
    pub key: RunKey,
    /// Why it is skipped; `None` where its run is driven.
    pub passed_over: Option<String>,
    /// What is reported with it.
    pub notices: Vec<Notice>,
}

/// A last handled due time that was in the future.
#[derive(Clone, Debug)]
pub struct PutRight {
    /// The server.
    pub server: Id,
    /// The policy.
    pub policy: PolicyName,
    /// The last handled due time from now on.
    pub to: Timestamp,
    /// What is reported of it.
    pub notice: Notice,
}

impl Store {
    /// Everything that is due at a moment, in one transaction: records the due times, ends those that are skipped, corrects
    /// what was in the future, and reports. Returns the run of each opening that is to be driven; a due time that already
    /// has a run is not reported and gets none.
    ///
    /// # Errors
    /// What the database says; nothing of it is written then.
    pub async fn take_up(
        &self,
        openings: Vec<Opening>,
        put_right: Vec<PutRight>,
        at: Timestamp,
    ) -> Result<Vec<Option<Run>>, StoreError> {
        self.transact(move |tx| {
            for one in &put_right {
                set_handled(tx, &one.server, &one.policy, one.to)?;
                insert_notice(tx, &one.notice, at)?;
            }
            let mut runs = Vec::with_capacity(openings.len());
            for opening in openings {
                let Some(run) = open(tx, opening.key, at)? else {
                    runs.push(None);
                    continue;
                };
                opening.notices.iter().try_for_each(|notice| insert_notice(tx, notice, at))?;
                counters::add(tx, opening.notices.iter().filter_map(Count::missed))?;
                match opening.passed_over {
                    Some(error) => {
                        skip(tx, run, error, at)?;
                        runs.push(None);
                    }
                    None => runs.push(Some(run)),
                }
            }
            Ok(runs)
        })
        .await
    }

    /// How far each of these has been handled. One that is new, or has a changed schedule, starts from `at`; one that was
    /// renamed continues.
    ///
    /// # Errors
    /// What the database says.
    pub async fn handled(&self, followed: Vec<Followed>, at: Timestamp) -> Result<Vec<Handled>, StoreError> {
        self.transact(move |tx| {
            let mut read = tx.prepare_cached(
                "SELECT schedule, handled, first_at, stale, kind FROM due_time WHERE server = ?1 AND policy = ?2",
            )?;
            let mut write = tx.prepare_cached(
                "INSERT OR REPLACE INTO due_time (server, policy, schedule, handled, first_at, stale, kind)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            let mut all = Vec::with_capacity(followed.len());
            for one in &followed {
                let (server, policy) = (json(&one.server)?, one.policy.as_str());
                let mut rows = read.query(params![server, policy])?;
                let known = rows.next()?.map(followed_policy).transpose()?;
                drop(rows);
                let mut former = Vec::new();
                for name in &one.formerly {
                    let mut rows = read.query(params![server, name.policy.as_str()])?;
                    let Some(known) = rows.next()?.map(followed_policy).transpose()? else { continue };
                    former.push(FormerName { known, schedule: name.schedule.clone(), later: name.later });
                    // What it says is the new name's from now on: if that name comes back, it begins there.
                    tx.execute(
                        "DELETE FROM due_time WHERE server = ?1 AND policy = ?2",
                        params![server, name.policy.as_str()],
                    )?;
                }
                let now = follow(known.as_ref(), &former, (&one.schedule, one.kind), at);
                let handled = Handled { handled: now.handled, first_at: now.first_at, stale_told: now.stale_told };
                if known.is_none_or(|known| known != now) {
                    let kind = now.kind.map(Kind::word);
                    let (handled, first_at) = (nanos(now.handled), nanos(now.first_at));
                    write.execute(params![server, policy, now.schedule, handled, first_at, now.stale_told, kind])?;
                }
                all.push(handled);
            }
            Ok(all)
        })
        .await
    }

    /// How far a policy on a server has been handled, without starting to follow it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn peek_handled(&self, server: Id, policy: PolicyName) -> Result<Option<Handled>, StoreError> {
        Ok(self.handled_everywhere().await?.remove(&(server, policy.to_string())))
    }

    /// How far everything has been handled that is or was followed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn handled_everywhere(&self) -> Result<HashMap<(Id, String), Handled>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare_cached("SELECT server, policy, handled, first_at, stale FROM due_time")?;
            let mut rows = query.query([])?;
            let mut everywhere = HashMap::new();
            while let Some(row) = rows.next()? {
                let (handled, first_at) = (time(row.get(2)?), time(row.get(3)?));
                let handled = Handled { handled, first_at, stale_told: row.get(4)? };
                everywhere.insert((read(&row.get::<_, String>(0)?)?, row.get(1)?), handled);
            }
            Ok(everywhere)
        })
        .await
    }
}

/// From the columns schedule, handled, first_at, stale and kind.
fn followed_policy(row: &Row<'_>) -> Result<FollowedPolicy, StoreError> {
    Ok(FollowedPolicy {
        schedule: row.get(0)?,
        handled: time(row.get(1)?),
        first_at: time(row.get(2)?),
        stale_told: row.get(3)?,
        kind: row.get::<_, Option<String>>(4)?.as_deref().map(read_word).transpose()?,
    })
}

fn set_handled(tx: &Transaction<'_>, server: &Id, policy: &PolicyName, to: Timestamp) -> Result<(), StoreError> {
    let mut set = tx.prepare_cached("UPDATE due_time SET handled = ?3 WHERE server = ?1 AND policy = ?2")?;
    set.execute(params![json(server)?, policy.as_str(), nanos(to)])?;
    Ok(())
}
