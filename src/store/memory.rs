//! What is remembered about a server and kind, in the planner's form (`Memory`), and the lists that add to it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::journal::effects::{self, Before, EvictionCount, KnownPoint, longest_lead, recall, recall_vanished};
use crate::journal::notice::Notice;
use crate::policy::inventory::{Inventory, RestorePoint};
use crate::policy::mark::{Token, tokens_of};
use crate::policy::memory::Memory;
use crate::store::changes::{eviction_count, write_all};
use crate::store::notices::insert_notice;
use crate::store::point_rows::{Shown, is_seen_before, known_points, vanished_points};
use crate::store::points::MemoryKey;
use crate::store::runs::latest_leads;
use crate::store::scope::Scope;
use crate::store::tokens::{given_up_into_memory, tokens_into_memory, unsettled_into_memory};
use crate::store::transaction::Transaction;
use crate::store::value::ServerKind;
use crate::store::{Store, StoreError, brake_rows, holds};

impl Store {
    /// What is remembered about a server and kind.
    ///
    /// # Errors
    /// When the database fails.
    #[cfg(test)]
    pub async fn memory(&self, key: MemoryKey, at: Timestamp) -> Result<Memory, StoreError> {
        self.transact(move |tx| Ok(memory(tx, &key, None, at)?.0)).await
    }

    /// The same, with only the tokens that these points carry or that take a slot: a server may have had thousands.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn memory_for(
        &self,
        key: MemoryKey,
        points: &[RestorePoint],
        at: Timestamp,
    ) -> Result<Memory, StoreError> {
        let shown = ShownPoints::of(points);
        self.transact(move |tx| Ok(memory(tx, &key, Some(&shown), at)?.0)).await
    }

    /// Records what a list shows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_list(&self, inventory: Inventory, instance: String, key: MemoryKey) -> Result<(), StoreError> {
        self.transact(move |tx| see(tx, &inventory, &instance, &key)).await
    }

    /// Records what the list behind a plan shows, and the notices about it, in one transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_list_with_notices(
        &self,
        inventory: Inventory,
        instance: String,
        key: MemoryKey,
        notices: Vec<Notice>,
    ) -> Result<(), StoreError> {
        self.transact(move |tx| {
            see(tx, &inventory, &instance, &key)?;
            let scope = scope(tx, &inventory, &key);
            write_all(&scope, &effects::reported(&notices, &key.policy))?;
            notices.iter().try_for_each(|notice| insert_notice(tx, notice, inventory.read_at))
        })
        .await
    }
}

fn scope<'a>(tx: &'a Transaction<'a>, inventory: &'a Inventory, key: &'a MemoryKey) -> Scope<'a> {
    Scope { tx, server: &inventory.server, kind: key.kind, policy: Some(&key.policy), run: None, at: inventory.read_at }
}

fn see(tx: &Transaction<'_>, inventory: &Inventory, instance: &str, key: &MemoryKey) -> Result<(), StoreError> {
    let (memory, points) = memory(tx, key, Some(&ShownPoints::of(&inventory.points)), inventory.read_at)?;
    let (policy, settle) = (&key.policy, key.settle);
    let before = Before { points: &points, memory: &memory, instance, policy, settle };
    write_all(&scope(tx, inventory, key), &effects::listed(&before, inventory))
}

/// The tokens that listed points carry, and the identity of these points.
struct ShownPoints {
    tokens: BTreeSet<Token>,
    points: Shown,
}

impl ShownPoints {
    fn of(points: &[RestorePoint]) -> Self {
        Self {
            tokens: points.iter().flat_map(|point| tokens_of(point.name.as_deref(), &point.description)).collect(),
            points: points.iter().map(|point| (point.id.clone(), point.created_at)).collect(),
        }
    }
}

/// What is remembered, and the points in it. With `listed`, only the tokens that listed points carry or that take a
/// slot; otherwise all of them.
fn memory(
    tx: &Transaction<'_>,
    key: &MemoryKey,
    listed: Option<&ShownPoints>,
    at: Timestamp,
) -> Result<(Memory, Vec<KnownPoint>), StoreError> {
    let of = &ServerKind::of(&key.server, key.kind)?;
    let policy = key.policy.as_str();
    let mut memory = Memory {
        seen_before: is_seen_before(tx, of)?,
        evicted_since_completed: EvictionCount::evicted(eviction_count(tx, of, policy)?, key.kind),
        longest_lead: longest_lead(latest_leads(tx, &of.server)?),
        ..Memory::default()
    };
    let points = known_points(tx, of)?;
    recall(&points, policy, (key.settle, at), &mut memory);
    if let Some(listed) = listed {
        recall_vanished(vanished_points(tx, of, &listed.points)?, &mut memory);
    }
    unsettled_into_memory(tx, of, (key.settle, at), &mut memory)?;
    tokens_into_memory(tx, of, listed.map(|listed| &listed.tokens), &mut memory)?;
    if memory.awaits_new_point() {
        given_up_into_memory(tx, of, policy, &mut memory)?;
    }
    holds::into_memory(tx, of, at, &mut memory)?;
    brake_rows::into_memory(tx, of, &mut memory)?;
    Ok((memory, points))
}
