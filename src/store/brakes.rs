//! Brakes: they stop deletes on a server until their condition is over or a person accepts it; and what each policy
//! kept when it last inspected a server, so that a changed file is noticed.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::journal::effects::{accepted, braked};
use crate::journal::notice::Notice;
use crate::policy::brake::{DetectedBrakes, StoredBrake};
use crate::policy::conditions::RetentionRecords;
use crate::policy::inventory::{Kind, ServerId, ServerRef};
use crate::policy::name::PolicyName;
use crate::policy::retention_change::RetentionUpdate;
use crate::store::changes::write_all;
use crate::store::notices::insert_notice;
use crate::store::scope::Scope;
use crate::store::value::json;
use crate::store::{Store, StoreError, brake_rows};

/// What an inventory changes about the brakes. To be written before the inventory is.
#[derive(Clone, Debug)]
pub struct BrakeUpdate {
    /// The server.
    pub server: ServerRef,
    /// The kind of restore point.
    pub kind: Kind,
    /// The policy whose run read the inventory.
    pub policy: PolicyName,
    /// What was detected.
    pub brakes: DetectedBrakes,
    /// What policies of the server and kind keep now, if that must be remembered.
    pub retention: RetentionUpdate,
    /// The notices about the new ones.
    pub notices: Vec<Notice>,
}

impl Store {
    /// Writes new brakes with their notices, and removes those that are over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn brake(&self, update: BrakeUpdate, at: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| {
            let stored = brake_rows::stored(tx, &json(&update.server.id)?)?;
            let changes = braked(&stored, &update.brakes, &update.retention, update.kind);
            let (server, kind, policy) = (&update.server, update.kind, Some(&update.policy));
            write_all(&Scope { tx, server, kind, policy, run: None, at }, &changes)?;
            update.notices.iter().try_for_each(|notice| insert_notice(tx, notice, at))
        })
        .await
    }

    /// A person accepts these brakes of a server: deletes resume, and points of unknown origin are ours from now on. A
    /// brake that has since come to cover other points is not accepted. Returns whether all were accepted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accept(&self, server: ServerRef, shown: Vec<StoredBrake>, at: Timestamp) -> Result<bool, StoreError> {
        self.transact(move |tx| {
            let (changes, all) = accepted(&brake_rows::stored(tx, &json(&server.id)?)?, &shown);
            // Each change has its own kind.
            let (kind, policy) = (Kind::Backup, None);
            write_all(&Scope { tx, server: &server, kind, policy, run: None, at }, &changes)?;
            Ok(all)
        })
        .await
    }

    /// The brakes in force on a server, without accepted ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn brakes(&self, server: ServerId) -> Result<Vec<StoredBrake>, StoreError> {
        self.transact(move |tx| {
            let stored = brake_rows::stored(tx, &json(&server)?)?;
            Ok(stored.into_iter().filter(|brake| !brake.accepted).collect())
        })
        .await
    }

    /// What each policy kept when it last inspected a server, by server and kind.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retentions(&self) -> Result<HashMap<(ServerId, Kind), RetentionRecords>, StoreError> {
        self.transact(brake_rows::retentions).await
    }
}
