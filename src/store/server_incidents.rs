//! The incidents of one server, past ones too.

use jiff::Timestamp;
use rusqlite::params;

use crate::policy::inventory::ServerId;
use crate::store::value::{json, time};
use crate::store::{Store, StoreError};

/// An incident of a server, open or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerIncident {
    /// The policy, where there is one.
    pub(crate) policy: Option<String>,
    /// What it is about, in the word that is stored.
    pub(crate) topic: String,
    /// The last sentence about it.
    pub(crate) text: String,
    /// Since when.
    pub(crate) opened_at: Timestamp,
    /// Until when; `None` while it is open.
    pub(crate) closed_at: Option<Timestamp>,
}

impl Store {
    /// The last incidents of a server, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn incidents_of(&self, server: ServerId, limit: u32) -> Result<Vec<ServerIncident>, StoreError> {
        self.transact(move |tx| {
            let mut query = tx.prepare_cached(
                "SELECT policy, topic, text, opened_at, closed_at FROM incident WHERE server = ?1
                 ORDER BY closed_at IS NOT NULL, opened_at DESC, id DESC LIMIT ?2",
            )?;
            let mut rows = query.query(params![json(&server)?, limit])?;
            let mut incidents = Vec::new();
            while let Some(row) = rows.next()? {
                incidents.push(ServerIncident {
                    policy: Some(row.get::<_, String>(0)?).filter(|policy| !policy.is_empty()),
                    topic: row.get(1)?,
                    text: row.get(2)?,
                    opened_at: time(row.get(3)?),
                    closed_at: row.get::<_, Option<i64>>(4)?.map(time),
                });
            }
            Ok(incidents)
        })
        .await
    }
}
