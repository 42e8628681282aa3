//! The restore points as last listed and as first seen: what the planner is handed as `Memory`.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::journal::notice::{Good, Notice, Topic};
use crate::policy::inventory::{Id, Inventory, Kind, PointStatus, RestorePoint, newest_first};
use crate::policy::mark::Token;
use crate::policy::memory::{Memory, Origin, PointText, RememberedPoint, Unlisted};
use crate::policy::owner::{Owner, owner};
use crate::policy::policy::PolicyName;
use crate::store::notices::{close_incidents, insert_notice};
use crate::store::runs::longest_lead;
use crate::store::tokens::{carried, given_up_tokens, open_tokens, tokens};
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, read, time};
use crate::store::vanished::{self, Shown, forget, shown};
use crate::store::{Store, StoreError};

/// How long a delete that was accepted counts as under way.
const DELETE_LASTS: Duration = Duration::from_hours(1);

/// Whose memory is asked for.
#[derive(Clone, Debug)]
pub struct Place {
    /// The server.
    pub server: Id,
    /// The kind.
    pub kind: Kind,
    /// The policy, whose evictions are counted.
    pub policy: PolicyName,
    /// How long a list may lag behind what was accepted.
    pub settle: Duration,
}

/// A restore point as last listed.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The provider's key.
    pub id: Id,
    /// When the provider began it.
    pub created_at: Option<Timestamp>,
    /// `completed` and so on.
    pub status: Option<String>,
    /// Its size in MB.
    pub size_mb: Option<u64>,
    /// The policy whose it is, where it is ours.
    pub policy: Option<String>,
}

impl Store {
    /// What is remembered of a server and kind.
    ///
    /// # Errors
    /// What the database says.
    pub async fn memory(&self, place: Place, at: Timestamp) -> Result<Memory, StoreError> {
        self.transact(move |tx| memory(tx, &place, None, at)).await
    }

    /// The same, with those tokens alone that these points carry or that take a slot: a server may have had thousands.
    ///
    /// # Errors
    /// What the database says.
    pub async fn memory_for(&self, place: Place, points: &[RestorePoint], at: Timestamp) -> Result<Memory, StoreError> {
        let listed = (carried(points), shown(points));
        self.transact(move |tx| memory(tx, &place, Some(&listed), at)).await
    }

    /// Takes note of an inventory: new points with their first text, and which are gone. A point that we made and the
    /// list does not show yet stays until `settle` has passed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn see(&self, inventory: Inventory, instance: String, place: Place) -> Result<(), StoreError> {
        self.transact(move |tx| see(tx, &inventory, &instance, &place)).await
    }

    /// Takes note of the inventory that a plan was made from. What it gives cause to tell is written with it; what it
    /// gives no cause for any more is closed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn remember(
        &self,
        inventory: Inventory,
        instance: String,
        place: Place,
        notices: Vec<Notice>,
    ) -> Result<(), StoreError> {
        self.transact(move |tx| {
            see(tx, &inventory, &instance, &place)?;
            for topic in [Topic::SecondLastgood, Topic::Attention, Topic::NewJournal] {
                if !notices.iter().any(|notice| notice.topic() == topic) {
                    let policy = Some(place.policy.as_str());
                    close_incidents(tx, Some(&inventory.server), policy, topic, inventory.read_at)?;
                }
            }
            notices.iter().try_for_each(|notice| insert_notice(tx, notice, inventory.read_at))
        })
        .await
    }

    /// The newest completed point of a policy on a server, by the last inventory.
    ///
    /// # Errors
    /// What the database says.
    pub async fn last_good(&self, server: Id, kind: Kind, names: Vec<String>) -> Result<Option<Good>, StoreError> {
        self.transact(move |tx| newest_good(tx, &server, kind, &names)).await
    }

    /// The same for many at once, in their order.
    ///
    /// # Errors
    /// What the database says.
    pub async fn last_goods(&self, of: Vec<(Id, Kind, Vec<String>)>) -> Result<Vec<Option<Good>>, StoreError> {
        self.transact(move |tx| of.iter().map(|(server, kind, names)| newest_good(tx, server, *kind, names)).collect())
            .await
    }

    /// The points of a server and kind as last listed, less those whose delete was accepted since.
    ///
    /// # Errors
    /// What the database says.
    pub async fn listed(&self, server: Id, kind: Kind) -> Result<Vec<Listed>, StoreError> {
        self.transact(move |tx| listed(tx, &server, kind)).await
    }

    /// The points of all servers and kinds as last listed, less those whose delete was accepted since.
    ///
    /// # Errors
    /// What the database says.
    pub async fn listed_everywhere(&self) -> Result<HashMap<(Id, Kind), Vec<Listed>>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare_cached(
                "SELECT id, created_at, status, size_mb, policy, server, kind FROM point
                 WHERE automatic = 0 AND (deleting IS NULL OR seen_at > deleting)",
            )?;
            let mut rows = query.query([])?;
            let mut everywhere: HashMap<(Id, Kind), Vec<Listed>> = HashMap::new();
            while let Some(row) = rows.next()? {
                let server = read(&row.get::<_, String>(5)?)?;
                let kind = read(&format!("\"{}\"", row.get::<_, String>(6)?))?;
                everywhere.entry((server, kind)).or_default().push(one_listed(row)?);
            }
            Ok(everywhere)
        })
        .await
    }

    /// The server that the last inventories show a point on.
    ///
    /// # Errors
    /// What the database says.
    pub async fn server_of_point(&self, kind: Kind, id: Id) -> Result<Option<(Id, bool)>, StoreError> {
        self.transact(move |tx| {
            let found = tx
                .query_row(
                    "SELECT server, automatic FROM point WHERE kind = ?1 AND id = ?2",
                    params![kind.word(), json(&id)?],
                    |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)),
                )
                .optional()?;
            found.map(|(server, automatic)| Ok((read(&server)?, automatic))).transpose()
        })
        .await
    }
}

fn see(tx: &Transaction<'_>, inventory: &Inventory, instance: &str, place: &Place) -> Result<(), StoreError> {
    let listed = (carried(&inventory.points), shown(&inventory.points));
    let memory = memory(tx, place, Some(&listed), inventory.read_at)?;
    let (server, kind) = (json(&place.server)?, place.kind.word());
    let at = nanos(inventory.read_at);
    for point in &inventory.points {
        if let Some(token) = memory.given_up_on(point).filter(|_| point.status == PointStatus::Completed) {
            turned_up(tx, (&server, kind), &token, place.policy.as_str())?;
        }
        note(tx, &server, point, &owner(point, instance, &memory), &memory, at)?;
    }
    let settled = at.saturating_sub(i64::try_from(place.settle.as_nanos()).unwrap_or(i64::MAX));
    // What a doubtful list lacks may be there all the same, and it does not count as the first one either.
    if inventory.doubt().is_none() {
        let lacks =
            "server = ?1 AND kind = ?2 AND (seen_at IS NULL OR seen_at != ?3) AND (made_at IS NULL OR made_at < ?4)";
        forget(tx, lacks, params![server, kind, at, settled], inventory.read_at)?;
        tx.execute(
            "INSERT INTO inventory (server, kind, first_at, last_at) VALUES (?1, ?2, ?3, ?3)
             ON CONFLICT (server, kind) DO UPDATE SET last_at = ?3",
            params![server, kind, at],
        )?;
    }
    Ok(())
}

/// Writes what a list shows of a point.
fn note(
    tx: &Transaction<'_>,
    server: &str,
    point: &RestorePoint,
    owner: &Owner,
    memory: &Memory,
    at: i64,
) -> Result<(), StoreError> {
    let (kind, id, created_at) = (point.kind.word(), json(&point.id)?, nanos(point.created_at));
    // One that was listed before and then was not keeps the text and the origin that it had.
    let known = memory.points.get(&point.id).filter(|known| known.created_at.is_none_or(|at| at == point.created_at));
    let text = json(known.and_then(|known| known.text.as_ref()).unwrap_or(&PointText::of(point)))?;
    let policy = match owner {
        Owner::Ours(policy) => Some(policy.as_str()),
        _ => None,
    };
    if point.status == PointStatus::Completed
        && let Some(policy) = policy
    {
        completed_at_last(tx, (server, kind, &id), policy)?;
    }
    // The id of a point that is gone may come again for another point.
    let another = "server = ?1 AND kind = ?2 AND id = ?3 AND created_at IS NOT NULL AND created_at != ?4";
    forget(tx, another, params![server, kind, id, created_at], time(at))?;
    let origin = match (known, owner, memory.seen_before) {
        (Some(known), ..) => known.origin.clone(),
        (None, Owner::Ours(policy), true) => Origin::Made(policy.clone()),
        (None, _, false) => Origin::First,
        (None, _, true) => Origin::Later,
    };
    tx.execute(
        "INSERT INTO point (server, kind, id, created_at, first_text, origin, policy, status, size_mb, automatic, seen_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (server, kind, id) DO UPDATE SET created_at = ?4, first_text = coalesce(first_text, ?5),
         policy = ?7, status = ?8, size_mb = ?9, automatic = ?10, seen_at = ?11",
        params![
            server,
            kind,
            id,
            created_at,
            text,
            json(&origin)?,
            policy,
            point.status.to_string(),
            point.size_mb.map(|size| i64::try_from(size).unwrap_or(i64::MAX)),
            point.automatic,
            at
        ],
    )?;
    Ok(())
}

/// A point that its run has given up is completed after all: what was evicted for it has its new point.
fn completed_at_last(
    tx: &Transaction<'_>,
    (server, kind, id): (&str, &str, &str),
    policy: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM evicted WHERE server = ?1 AND policy = ?4 AND coalesce(kind, ?2) = ?2 AND EXISTS (SELECT 1 FROM point WHERE server = ?1
         AND kind = ?2 AND id = ?3 AND made_at IS NOT NULL AND coalesce(status, '') != 'completed')",
        params![server, kind, id, policy],
    )?;
    Ok(())
}

/// A point that no list showed for as long as its run waited is there after all, and completed.
fn turned_up(
    tx: &Transaction<'_>,
    (server, kind): (&str, &str),
    token: &Token,
    policy: &str,
) -> Result<(), StoreError> {
    tx.execute("UPDATE token SET state = 'made' WHERE token = ?1", [token.as_str()])?;
    tx.execute(
        "DELETE FROM evicted WHERE server = ?1 AND policy = ?2 AND coalesce(kind, ?3) = ?3",
        [server, policy, kind],
    )?;
    Ok(())
}

/// With `listed`, the tokens that are on listed points or take a slot; without, all of them.
fn memory(
    tx: &Transaction<'_>,
    place: &Place,
    listed: Option<&(BTreeSet<Token>, Shown)>,
    at: Timestamp,
) -> Result<Memory, StoreError> {
    let (server, kind) = (json(&place.server)?, place.kind.word());
    let mut memory = Memory {
        seen_before: tx
            .query_row("SELECT 1 FROM inventory WHERE server = ?1 AND kind = ?2", params![server, kind], |_| Ok(()))
            .optional()?
            .is_some(),
        evicted_since_completed: tx
            .query_row(
                "SELECT count FROM evicted WHERE server = ?1 AND policy = ?2 AND coalesce(kind, ?3) = ?3",
                params![server, place.policy.as_str(), kind],
                |row| row.get(0),
            )
            .optional()?
            .unwrap_or(0),
        longest_lead: longest_lead(tx, &server)?,
        ..Memory::default()
    };
    points(tx, place, at, &mut memory)?;
    if let Some((_, shown)) = listed {
        vanished::into_memory(tx, place, shown, &mut memory)?;
    }
    open_tokens(tx, place, at, &mut memory)?;
    tokens(tx, place, listed.map(|(carried, _)| carried), &mut memory)?;
    if memory.evicted_since_completed > 0 {
        given_up_tokens(tx, place, &mut memory)?;
    }
    crate::store::holds::into_memory(tx, place, at, &mut memory)?;
    crate::store::brakes::into_memory(tx, place, &mut memory)?;
    Ok(memory)
}

fn points(tx: &Transaction<'_>, place: &Place, at: Timestamp, memory: &mut Memory) -> Result<(), StoreError> {
    let mut query = tx.prepare_cached(
        "SELECT id, created_at, first_text, origin, deleting, seen_at, made_at, token, status, policy FROM point
         WHERE server = ?1 AND kind = ?2",
    )?;
    let mut rows = query.query(params![json(&place.server)?, place.kind.word()])?;
    while let Some(row) = rows.next()? {
        let id: Id = read(&row.get::<_, String>(0)?)?;
        let text: Option<String> = row.get(2)?;
        let remembered = RememberedPoint {
            created_at: row.get::<_, Option<i64>>(1)?.map(time),
            text: text.as_deref().map(read).transpose()?,
            origin: read(&row.get::<_, String>(3)?)?,
        };
        // A delete that was accepted and not carried out for an hour may be sent again.
        if let Some(deleted) = row.get::<_, Option<i64>>(4)? {
            let under_way = time(deleted) + DELETE_LASTS > at;
            let of = if under_way { &mut memory.deleting } else { &mut memory.not_gone };
            of.insert(id.clone());
        }
        let made: Option<i64> = row.get(6)?;
        let completed =
            row.get::<_, Option<String>>(8)?.is_some_and(|status| status == PointStatus::Completed.to_string());
        if made.is_some() && !completed && row.get::<_, Option<String>>(9)?.as_deref() == Some(place.policy.as_str()) {
            memory.unfinished.insert(id.clone());
        }
        let lagging = made.is_some_and(|made| time(made) + place.settle > at);
        let token = row.get::<_, Option<String>>(7)?.and_then(|token| Token::parse(&token));
        if let Some(token) = token
            && lagging
            && row.get::<_, Option<i64>>(5)?.is_none()
        {
            memory.unlisted.push(Unlisted { id: Some(id.clone()), token });
        }
        memory.points.insert(id, remembered);
    }
    Ok(())
}

pub(super) fn newest_good(
    tx: &Transaction<'_>,
    server: &Id,
    kind: Kind,
    names: &[String],
) -> Result<Option<Good>, StoreError> {
    let good = listed(tx, server, kind)?.into_iter().filter(|point| {
        point.status.as_deref() == Some("completed")
            && point.policy.as_ref().is_some_and(|policy| names.contains(policy))
    });
    let good = good.filter_map(|point| point.created_at.map(|created_at| Good { id: point.id, created_at }));
    Ok(good.min_by(|a, b| newest_first((a.created_at, &a.id), (b.created_at, &b.id))))
}

fn listed(tx: &Transaction<'_>, server: &Id, kind: Kind) -> Result<Vec<Listed>, StoreError> {
    let mut query = tx.prepare_cached(
        "SELECT id, created_at, status, size_mb, policy FROM point WHERE server = ?1 AND kind = ?2 AND automatic = 0
         AND (deleting IS NULL OR seen_at > deleting)",
    )?;
    let mut rows = query.query(params![json(server)?, kind.word()])?;
    let mut points = Vec::new();
    while let Some(row) = rows.next()? {
        points.push(one_listed(row)?);
    }
    Ok(points)
}

/// From the columns id, created_at, status, size_mb and policy.
fn one_listed(row: &rusqlite::Row<'_>) -> Result<Listed, StoreError> {
    Ok(Listed {
        id: read(&row.get::<_, String>(0)?)?,
        created_at: row.get::<_, Option<i64>>(1)?.map(time),
        status: row.get(2)?,
        size_mb: row.get::<_, Option<i64>>(3)?.and_then(|size| u64::try_from(size).ok()),
        policy: row.get(4)?,
    })
}
