//! Brakes: they stop deletes on a server until what they are about is over or a person accepts it. With them goes what
//! each policy kept when it last looked, so that a changed file is noticed.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::journal::effects::{accepted, braked};
use crate::journal::notice::Notice;
use crate::policy::brake::{DetectedBrakes, StoredBrake};
use crate::policy::conditions::RetentionRecords;
use crate::policy::inventory::{Id, Kind, ServerRef};
use crate::policy::policy::PolicyName;
use crate::policy::retention_change::RetentionUpdate;
use crate::store::changes::write_all;
use crate::store::notices::insert_notice;
use crate::store::scope::Scope;
use crate::store::value::json;
use crate::store::{Store, StoreError, brake_rows};

/// What an inventory says of the brakes, to be written before the inventory is.
#[derive(Clone, Debug)]
pub struct BrakeUpdate {
    /// The server.
    pub server: ServerRef,
    /// The kind of restore point.
    pub kind: Kind,
    /// The policy that looked.
    pub policy: PolicyName,
    /// What was detected.
    pub brakes: DetectedBrakes,
    /// What policies of the server and kind keep by now, where that is to be remembered.
    pub retention: RetentionUpdate,
    /// What reports the new ones.
    pub notices: Vec<Notice>,
}

impl Store {
    /// Writes new brakes with what reports them, and removes those that are over.
    ///
    /// # Errors
    /// What the database says.
    pub async fn brake(&self, update: BrakeUpdate, at: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| {
            let stored = brake_rows::stored(tx, &json(&update.server.id)?)?;
            let changes = braked(&stored, &update.brakes, &update.retention, update.kind);
            let (server, kind, policy) = (&update.server, update.kind, update.policy.as_str());
            write_all(&Scope { tx, server, kind, policy, run: None, at }, &changes)?;
            update.notices.iter().try_for_each(|notice| insert_notice(tx, notice, at))
        })
        .await
    }

    /// A person has looked at these brakes of a server: deletes go on. Points of an unknown origin are ours from now on.
    /// One that has come to be about other points since is not accepted. Returns whether all were.
    ///
    /// # Errors
    /// What the database says.
    pub async fn accept(&self, server: ServerRef, shown: Vec<StoredBrake>, at: Timestamp) -> Result<bool, StoreError> {
        self.transact(move |tx| {
            let (changes, all) = accepted(&brake_rows::stored(tx, &json(&server.id)?)?, &shown);
            // Each change names its own kind.
            let (kind, policy) = (Kind::Backup, "");
            write_all(&Scope { tx, server: &server, kind, policy, run: None, at }, &changes)?;
            Ok(all)
        })
        .await
    }

    /// The brakes in force on a server, accepted ones left out.
    ///
    /// # Errors
    /// What the database says.
    pub async fn brakes(&self, server: Id) -> Result<Vec<StoredBrake>, StoreError> {
        self.transact(move |tx| {
            let stored = brake_rows::stored(tx, &json(&server)?)?;
            Ok(stored.into_iter().filter(|brake| !brake.accepted).collect())
        })
        .await
    }

    /// What each policy kept when it last looked, by server and kind.
    ///
    /// # Errors
    /// What the database says.
    pub async fn retentions(&self) -> Result<HashMap<(Id, Kind), RetentionRecords>, StoreError> {
        self.transact(brake_rows::retentions).await
    }
}
