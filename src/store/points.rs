//! The restore points as last listed, for what is shown and reported.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::journal::notice::Good;
use crate::policy::inventory::{Id, Inventory, Kind, ReadProof, RestorePoint, Server, ServerRef, newest_first};
use crate::policy::policy::PolicyName;
use crate::store::point_rows::known_points;
use crate::store::transaction::Transaction;
use crate::store::value::{ServerKind, json, read, read_word, time};
use crate::store::{Store, StoreError};

/// Whose memory is asked for.
#[derive(Clone, Debug)]
pub struct MemoryKey {
    /// The server.
    pub server: Id,
    /// The kind.
    pub kind: Kind,
    /// The policy whose evictions are counted.
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
            // The table is ordered by server and kind, so that each key is read once and not once a point.
            let (mut server, mut kind, mut points) = (String::new(), String::new(), Vec::new());
            while let Some(row) = rows.next()? {
                let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str()?);
                if text(5)? != server || text(6)? != kind {
                    add(&mut everywhere, (&server, &kind), std::mem::take(&mut points))?;
                    (server, kind) = (text(5)?.to_owned(), text(6)?.to_owned());
                }
                points.push(one_listed(row)?);
            }
            add(&mut everywhere, (&server, &kind), points)?;
            Ok(everywhere)
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

fn last_inventory(tx: &Transaction<'_>, server: ServerRef, kind: Kind) -> Result<Option<Inventory>, StoreError> {
    let of = ServerKind::of(&server.id, kind)?;
    let sql = "SELECT last_at FROM inventory WHERE server = ?1 AND kind = ?2";
    let read_at: Option<i64> = tx.query_row(sql, params![of.server, of.kind], |row| row.get(0)).optional()?;
    let Some(read_at) = read_at else { return Ok(None) };
    let mut points = Vec::new();
    for point in known_points(tx, &of)? {
        if let (Some(created_at), Some(text), Some(status)) = (point.created_at, point.first_text, point.status) {
            points.push(RestorePoint {
                id: point.id,
                kind,
                server: server.clone(),
                automatic: point.automatic,
                status,
                size_mb: point.size_mb,
                created_at,
                expires_at: None,
                name: text.name,
                description: text.description,
            });
        }
    }
    let (proof, doubts, provider_time) = (ReadProof::OnePage, Vec::new(), None);
    Ok(Some(Inventory { server, kind, points, read_at: time(read_at), provider_time, proof, doubts }))
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

/// Adds the points of a server and kind, as the columns hold these.
fn add(
    everywhere: &mut HashMap<(Id, Kind), Vec<Listed>>,
    (server, kind): (&str, &str),
    points: Vec<Listed>,
) -> Result<(), StoreError> {
    if !points.is_empty() {
        everywhere.entry((read(server)?, read_word(kind)?)).or_default().extend(points);
    }
    Ok(())
}

/// From the columns id, created_at, status, size_mb and policy.
fn one_listed(row: &rusqlite::Row<'_>) -> Result<Listed, StoreError> {
    Ok(Listed {
        id: read(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?,
        created_at: row.get::<_, Option<i64>>(1)?.map(time),
        status: row.get(2)?,
        size_mb: row.get::<_, Option<i64>>(3)?.and_then(|size| u64::try_from(size).ok()),
        policy: row.get(4)?,
    })
}
