//! The brakes that hold on servers, until what they are about is over or a person accepts it; and what each policy
//! kept when it last looked, so that a changed file is seen.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::journal::notice::{Notice, Topic};
use crate::policy::brake::{Brake, BrakeCause, DetectedBrakes, LastListed, PointIdentity, StoredBrake};
use crate::policy::conditions::{RetentionRecord, RetentionRecords};
use crate::policy::inventory::{Id, Inventory, Kind, PointStatus, ReadProof, RestorePoint, Server, ServerRef};
use crate::policy::memory::{Memory, Origin, PointText};
use crate::policy::policy::PolicyName;
use crate::policy::retention_change::RetentionUpdate;
use crate::store::notices::{close_incidents, insert_notice};
use crate::store::points::Place;
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, read, time};
use crate::store::{Store, StoreError};

/// What an inventory says of the brakes, to be written before the inventory is.
#[derive(Clone, Debug)]
pub struct Signs {
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
    /// What tells of the new ones.
    pub notices: Vec<Notice>,
}

impl Store {
    /// Writes new brakes with what tells of them, and takes away those that are over.
    ///
    /// # Errors
    /// What the database says.
    pub async fn brake(&self, signs: Signs, at: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| {
            let server = json(&signs.server.id)?;
            for number in &signs.brakes.over {
                tx.execute("DELETE FROM brake WHERE id = ?1", [number])?;
            }
            for brake in &signs.brakes.new {
                tx.execute(
                    "INSERT INTO brake (server, kind, cause, policy, body, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT (server, kind, cause, policy) DO UPDATE SET body = ?5, accepted_at = NULL",
                    params![
                        server,
                        signs.kind.word(),
                        brake.cause.word(),
                        brake.policy.as_deref().unwrap_or_default(),
                        json(brake)?,
                        nanos(at)
                    ],
                )?;
            }
            let kind = signs.kind.word();
            for former in &signs.retention.taken_over {
                tx.execute(
                    "DELETE FROM retention WHERE server = ?1 AND kind = ?2 AND policy = ?3",
                    params![server, kind, former.as_str()],
                )?;
            }
            for (policy, RetentionRecord { words, conditions }) in &signs.retention.words {
                tx.execute(
                    "INSERT INTO retention (server, kind, policy, words, conditions) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (server, kind, policy) DO UPDATE SET words = ?4, conditions = ?5",
                    params![server, kind, policy.as_str(), words, conditions],
                )?;
            }
            close_when_released(tx, &signs.server, at)?;
            signs.notices.iter().try_for_each(|notice| insert_notice(tx, notice, at))
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
            let mut all = true;
            for StoredBrake { number, brake: shown, .. } in shown {
                let row: Option<(String, String)> = tx
                    .query_row("SELECT kind, body FROM brake WHERE id = ?1", [number], |row| {
                        Ok((row.get(0)?, row.get(1)?))
                    })
                    .optional()?;
                let Some((kind, body)) = row else { continue };
                let brake: Brake = read(&body)?;
                if brake.points != shown.points {
                    all = false;
                    continue;
                }
                match brake.cause {
                    // What these are about lasts: the same must not brake again.
                    BrakeCause::Small | BrakeCause::Clock => {
                        tx.execute("UPDATE brake SET accepted_at = ?2 WHERE id = ?1", params![number, nanos(at)])?;
                        continue;
                    }
                    BrakeCause::SecondLastgood => {
                        for about in &brake.points {
                            tx.execute(
                                "UPDATE point SET origin = ?4 WHERE server = ?1 AND kind = ?2 AND id = ?3",
                                params![json(&server.id)?, kind, json(&about.id)?, json(&Origin::First)?],
                            )?;
                        }
                        close_incidents(tx, Some(&server), None, Topic::SecondLastgood, at)?;
                    }
                    BrakeCause::Gone | BrakeCause::Shorter | BrakeCause::Retention => {}
                }
                tx.execute("DELETE FROM brake WHERE id = ?1", [number])?;
            }
            close_when_released(tx, &server, at)?;
            Ok(all)
        })
        .await
    }

    /// The brakes that hold on a server, accepted ones left out.
    ///
    /// # Errors
    /// What the database says.
    pub async fn brakes(&self, server: Id) -> Result<Vec<StoredBrake>, StoreError> {
        self.transact(move |tx| Ok(held(tx, &server)?.into_iter().filter(|held| !held.accepted).collect())).await
    }

    /// What each policy kept when it last looked, by server and kind.
    ///
    /// # Errors
    /// What the database says.
    pub async fn retentions(&self) -> Result<HashMap<(Id, Kind), RetentionRecords>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare_cached("SELECT server, kind, policy, words, conditions FROM retention")?;
            let mut rows = query.query([])?;
            let mut all: HashMap<(Id, Kind), RetentionRecords> = HashMap::new();
            while let Some(row) = rows.next()? {
                let key = (read(&row.get::<_, String>(0)?)?, read(&format!("\"{}\"", row.get::<_, String>(1)?))?);
                let looked = RetentionRecord { words: row.get(3)?, conditions: row.get(4)? };
                all.entry(key).or_default().insert(row.get(2)?, looked);
            }
            Ok(all)
        })
        .await
    }

    /// The last inventory as it is remembered: each point with the text that it first had. It decides no delete.
    ///
    /// # Errors
    /// What the database says.
    pub async fn last_inventory(&self, server: Server, kind: Kind) -> Result<Option<Inventory>, StoreError> {
        self.transact(move |tx| last_inventory(tx, server.reference, kind)).await
    }

    /// Writes that a point is about to be deleted by hand, so that it is not missed; or, without a time, that it is
    /// not.
    ///
    /// # Errors
    /// What the database says.
    pub async fn mean_to_delete(
        &self,
        server: Id,
        kind: Kind,
        id: Id,
        at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.transact(move |tx| mean_to_delete(tx, &server, kind, (&id, at))).await
    }
}

/// Writes, or takes back, that we mean to delete a point.
pub(super) fn mean_to_delete(
    tx: &Transaction<'_>,
    server: &Id,
    kind: Kind,
    (id, at): (&Id, Option<Timestamp>),
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE point SET asked_gone = ?4 WHERE server = ?1 AND kind = ?2 AND id = ?3",
        params![json(server)?, kind.word(), json(id)?, at.map(nanos)],
    )?;
    Ok(())
}

/// Fills in what the brakes are judged by.
pub(super) fn into_memory(tx: &Transaction<'_>, place: &Place, memory: &mut Memory) -> Result<(), StoreError> {
    memory.brakes = held(tx, &place.server)?;
    let mut query =
        tx.prepare_cached("SELECT policy, words, conditions FROM retention WHERE server = ?1 AND kind = ?2")?;
    let looked = query.query_map(params![json(&place.server)?, place.kind.word()], |row| {
        Ok((row.get(0)?, RetentionRecord { words: row.get(1)?, conditions: row.get(2)? }))
    })?;
    memory.retention = looked.collect::<Result<_, _>>()?;
    let mut query = tx.prepare_cached(
        "SELECT id, created_at, status, policy FROM point WHERE server = ?1 AND kind = ?2 AND automatic = 0
         AND seen_at IS NOT NULL AND created_at IS NOT NULL AND deleting IS NULL AND asked_gone IS NULL",
    )?;
    let mut rows = query.query(params![json(&place.server)?, place.kind.word()])?;
    while let Some(row) = rows.next()? {
        let about = PointIdentity { id: read(&row.get::<_, String>(0)?)?, created_at: time(row.get(1)?) };
        let completed = row.get::<_, Option<String>>(2)?.as_deref() == Some("completed");
        let ours = row.get::<_, Option<String>>(3)?.is_some();
        memory.listed.push(LastListed { about, good: completed && ours });
    }
    Ok(())
}

fn held(tx: &Transaction<'_>, server: &Id) -> Result<Vec<StoredBrake>, StoreError> {
    let mut query = tx.prepare_cached("SELECT id, kind, body, accepted_at FROM brake WHERE server = ?1 ORDER BY id")?;
    let mut rows = query.query([json(server)?])?;
    let mut held = Vec::new();
    while let Some(row) = rows.next()? {
        held.push(StoredBrake {
            number: row.get(0)?,
            kind: read(&format!("\"{}\"", row.get::<_, String>(1)?))?,
            brake: read(&row.get::<_, String>(2)?)?,
            accepted: row.get::<_, Option<i64>>(3)?.is_some(),
        });
    }
    Ok(held)
}

/// The server's incident is over when no brake holds there any more.
fn close_when_released(tx: &Transaction<'_>, server: &ServerRef, at: Timestamp) -> Result<(), StoreError> {
    if held(tx, &server.id)?.iter().all(|held| held.accepted) {
        close_incidents(tx, Some(server), None, Topic::Brake, at)?;
    }
    Ok(())
}

fn last_inventory(tx: &Transaction<'_>, server: ServerRef, kind: Kind) -> Result<Option<Inventory>, StoreError> {
    let key = json(&server.id)?;
    let read_at: Option<i64> = tx
        .query_row("SELECT last_at FROM inventory WHERE server = ?1 AND kind = ?2", params![key, kind.word()], |row| {
            row.get(0)
        })
        .optional()?;
    let Some(read_at) = read_at else { return Ok(None) };
    let mut query = tx.prepare_cached(
        "SELECT id, created_at, first_text, status, size_mb, automatic FROM point
         WHERE server = ?1 AND kind = ?2 AND created_at IS NOT NULL AND first_text IS NOT NULL AND status IS NOT NULL",
    )?;
    let mut rows = query.query(params![key, kind.word()])?;
    let mut points = Vec::new();
    while let Some(row) = rows.next()? {
        let text: PointText = read(&row.get::<_, String>(2)?)?;
        points.push(RestorePoint {
            id: read(&row.get::<_, String>(0)?)?,
            kind,
            server: server.clone(),
            automatic: row.get(5)?,
            status: status(&row.get::<_, String>(3)?),
            size_mb: row.get::<_, Option<i64>>(4)?.and_then(|size| u64::try_from(size).ok()),
            created_at: time(row.get(1)?),
            expires_at: None,
            name: text.name,
            description: text.description,
        });
    }
    let (proof, doubts, provider_time) = (ReadProof::OnePage, Vec::new(), None);
    Ok(Some(Inventory { server, kind, points, read_at: time(read_at), provider_time, proof, doubts }))
}

fn status(word: &str) -> PointStatus {
    match word {
        "in_progress" => PointStatus::InProgress,
        "completed" => PointStatus::Completed,
        "failed" => PointStatus::Failed,
        other => PointStatus::Other(other.to_owned()),
    }
}
