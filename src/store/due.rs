//! How far the due times of each policy on each server have been handled.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::journal::effects::{FormerName, Increment, follow};
use crate::journal::event::RunKey;
use crate::journal::notice::Notice;
use crate::policy::inventory::{Kind, ServerId};
use crate::policy::name::PolicyName;
use crate::store::counters;
use crate::store::notices::insert_notice;
use crate::store::runs::{Run, open, skip};
use crate::store::value::{json, read, time};
use crate::store::{Store, StoreError, due_rows};

/// How far a policy on a server has been handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handled {
    /// The last due time that was opened or skipped; at first the moment the policy was first seen.
    pub handled: Timestamp,
    /// When the policy was first seen on the server.
    pub first_at: Timestamp,
    /// Whether it was reported as stale.
    pub stale_reported: bool,
}

/// A policy on a server whose due times are followed.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The server.
    pub server: ServerId,
    /// The policy.
    pub policy: PolicyName,
    /// Its kind: a policy whose kind changes counts as another policy.
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
    /// Why it is skipped; `None` if its run is performed.
    pub passed_over: Option<String>,
    /// The notices stored with it.
    pub notices: Vec<Notice>,
}

/// A last handled due time that was in the future.
#[derive(Clone, Debug)]
pub struct ClockCorrection {
    /// The server.
    pub server: ServerId,
    /// The policy.
    pub policy: PolicyName,
    /// The last handled due time from now on.
    pub to: Timestamp,
    /// The notice about it.
    pub notice: Notice,
}

impl Store {
    /// Records everything that is due at one moment, in one transaction: the due times with their notices, the end of
    /// those that are skipped, and corrected times that were in the future. Returns the run of each opening that must
    /// be performed. A due time that already has a run gets no other one, and its notices are dropped.
    ///
    /// # Errors
    /// When the database fails; nothing is written then.
    pub async fn record_due(
        &self,
        openings: Vec<Opening>,
        corrections: Vec<ClockCorrection>,
        at: Timestamp,
    ) -> Result<Vec<Option<Run>>, StoreError> {
        self.transact(move |tx| {
            for one in &corrections {
                due_rows::set_handled(tx, &json(&one.server)?, one.policy.as_str(), one.to)?;
                insert_notice(tx, &one.notice, at)?;
            }
            let mut runs = Vec::with_capacity(openings.len());
            for opening in openings {
                let Some(run) = open(tx, opening.key, at)? else {
                    runs.push(None);
                    continue;
                };
                opening.notices.iter().try_for_each(|notice| insert_notice(tx, notice, at))?;
                counters::add(tx, opening.notices.iter().filter_map(Increment::missed))?;
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
    /// When the database fails.
    pub async fn handled(&self, followed: Vec<Followed>, at: Timestamp) -> Result<Vec<Handled>, StoreError> {
        self.transact(move |tx| {
            let mut all = Vec::with_capacity(followed.len());
            for one in &followed {
                let (server, policy) = (json(&one.server)?, one.policy.as_str());
                let known = due_rows::find(tx, &server, policy)?;
                let mut former = Vec::new();
                for name in &one.formerly {
                    let Some(known) = due_rows::find(tx, &server, name.policy.as_str())? else { continue };
                    former.push(FormerName { known, schedule: name.schedule.clone(), later: name.later });
                    // The row belongs to the new name from now on; if the old name comes back, it starts there.
                    due_rows::forget(tx, &server, name.policy.as_str())?;
                }
                let now = follow(known.as_ref(), &former, (&one.schedule, one.kind), at);
                all.push(Handled { handled: now.handled, first_at: now.first_at, stale_reported: now.stale_reported });
                if known.is_none_or(|known| known != now) {
                    due_rows::write(tx, &server, policy, &now)?;
                }
            }
            Ok(all)
        })
        .await
    }

    /// How far a policy on a server has been handled, without starting to follow it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn peek_handled(&self, server: ServerId, policy: PolicyName) -> Result<Option<Handled>, StoreError> {
        Ok(self.handled_everywhere().await?.remove(&(server, policy.to_string())))
    }

    /// How far every policy that is or was followed has been handled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn handled_everywhere(&self) -> Result<HashMap<(ServerId, String), Handled>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare_cached("SELECT server, policy, handled, first_at, stale FROM due_time")?;
            let mut rows = query.query([])?;
            let mut everywhere = HashMap::new();
            while let Some(row) = rows.next()? {
                let (handled, first_at) = (time(row.get(2)?), time(row.get(3)?));
                let handled = Handled { handled, first_at, stale_reported: row.get(4)? };
                everywhere.insert((read(&row.get::<_, String>(0)?)?, row.get(1)?), handled);
            }
            Ok(everywhere)
        })
        .await
    }
}
