//! The restore points as last listed, for display and reports.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::journal::effects;
use crate::journal::notice::Good;
use crate::policy::inventory::{
    Inventory, Kind, PointId, PointStatus, ReadProof, RestorePoint, Server, ServerId, ServerRef,
};
use crate::policy::name::PolicyName;
use crate::store::point_rows::known_points;
use crate::store::transaction::Transaction;
use crate::store::value::{ServerKind, json, read, read_word, status_of_word, time};
use crate::store::{Store, StoreError};

/// Which memory is meant.
#[derive(Clone, Debug)]
pub struct MemoryKey {
    /// The server.
    pub server: ServerId,
    /// The kind.
    pub kind: Kind,
    /// The policy whose evictions are counted.
    pub policy: PolicyName,
    /// How long lists may lag behind accepted calls.
    pub settle: Duration,
}

/// A restore point as last listed.
#[derive(Clone, Debug)]
pub struct StoredPoint {
    /// The provider's key.
    pub id: PointId,
    /// When the provider began it.
    pub created_at: Option<Timestamp>,
    /// How far it has come; `None` until a list has shown it.
    pub status: Option<PointStatus>,
    /// Its size in MB.
    pub size_mb: Option<u64>,
    /// Its policy, if it is ours.
    pub policy: Option<PolicyName>,
}

impl Store {
    /// The newest completed point of a policy on a server, according to the last inventory.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_good(
        &self,
        server: ServerId,
        kind: Kind,
        names: Vec<PolicyName>,
    ) -> Result<Option<Good>, StoreError> {
        self.transact(move |tx| newest_good(tx, &server, kind, &names)).await
    }

    /// The same for many at once, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_goods(
        &self,
        of: Vec<(ServerId, Kind, Vec<PolicyName>)>,
    ) -> Result<Vec<Option<Good>>, StoreError> {
        self.transact(move |tx| of.iter().map(|(server, kind, names)| newest_good(tx, server, *kind, names)).collect())
            .await
    }

    /// The points of a server and kind as last listed, without those whose delete was accepted since.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn listed(&self, server: ServerId, kind: Kind) -> Result<Vec<StoredPoint>, StoreError> {
        self.transact(move |tx| listed(tx, &server, kind)).await
    }

    /// The points of all servers and kinds as last listed, without those whose delete was accepted since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn listed_everywhere(&self) -> Result<HashMap<(ServerId, Kind), Vec<StoredPoint>>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare_cached(
                "SELECT id, created_at, status, size_mb, policy, deleting, seen_at, server, kind FROM point
                 WHERE automatic = 0",
            )?;
            let mut rows = query.query([])?;
            let mut everywhere: HashMap<(ServerId, Kind), Vec<StoredPoint>> = HashMap::new();
            // The table is ordered by server and kind, so that each key is read once and not once a point.
            let (mut server, mut kind, mut points) = (String::new(), String::new(), Vec::new());
            while let Some(row) = rows.next()? {
                let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str()?);
                if text(7)? != server || text(8)? != kind {
                    add(&mut everywhere, (&server, &kind), std::mem::take(&mut points))?;
                    (server, kind) = (text(7)?.to_owned(), text(8)?.to_owned());
                }
                points.extend(one_listed(row)?);
            }
            add(&mut everywhere, (&server, &kind), points)?;
            Ok(everywhere)
        })
        .await
    }

    /// The last inventory as remembered: each point with its first text. No delete is decided by it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_inventory(&self, server: Server, kind: Kind) -> Result<Option<Inventory>, StoreError> {
        self.transact(move |tx| last_inventory(tx, server.reference, kind)).await
    }

    /// The server that the last inventories show a point on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn server_of_point(&self, kind: Kind, id: PointId) -> Result<Option<(ServerId, bool)>, StoreError> {
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
    server: &ServerId,
    kind: Kind,
    names: &[PolicyName],
) -> Result<Option<Good>, StoreError> {
    let is_good = |point: &StoredPoint| {
        point.status.as_ref().is_some_and(|status| effects::is_good(status, point.policy.as_ref(), names))
    };
    let good = listed(tx, server, kind)?.into_iter().filter(is_good);
    let good = good.filter_map(|point| point.created_at.map(|created_at| Good { id: point.id, created_at }));
    Ok(effects::last_good(good))
}

fn listed(tx: &Transaction<'_>, server: &ServerId, kind: Kind) -> Result<Vec<StoredPoint>, StoreError> {
    let mut query = tx.prepare_cached(
        "SELECT id, created_at, status, size_mb, policy, deleting, seen_at FROM point
         WHERE server = ?1 AND kind = ?2 AND automatic = 0",
    )?;
    let mut rows = query.query(params![json(server)?, kind.word()])?;
    let mut points = Vec::new();
    while let Some(row) = rows.next()? {
        points.extend(one_listed(row)?);
    }
    Ok(points)
}

/// Adds the points of a server and kind, as the columns hold these.
fn add(
    everywhere: &mut HashMap<(ServerId, Kind), Vec<StoredPoint>>,
    (server, kind): (&str, &str),
    points: Vec<StoredPoint>,
) -> Result<(), StoreError> {
    if !points.is_empty() {
        everywhere.entry((read(server)?, read_word(kind)?)).or_default().extend(points);
    }
    Ok(())
}

/// From the columns id, created_at, status, size_mb, policy, deleting and seen_at; `None` for a point that is not there.
fn one_listed(row: &rusqlite::Row<'_>) -> Result<Option<StoredPoint>, StoreError> {
    let at = |column: usize| Ok::<_, StoreError>(row.get::<_, Option<i64>>(column)?.map(time));
    if !effects::is_present(at(5)?, at(6)?) {
        return Ok(None);
    }
    Ok(Some(StoredPoint {
        id: read(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?,
        created_at: at(1)?,
        status: row.get::<_, Option<String>>(2)?.map(status_of_word),
        size_mb: row.get::<_, Option<i64>>(3)?.and_then(|size| u64::try_from(size).ok()),
        policy: row.get(4)?,
    }))
}
