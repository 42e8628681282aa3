//! How the runs of a server went, day by day.

use jiff::Timestamp;
use rusqlite::params;

use crate::journal::summary::RunStatus;
use crate::policy::inventory::{Kind, ServerId};
use crate::policy::name::PolicyName;
use crate::store::value::{json, nanos, read_word};
use crate::store::{Store, StoreError};

/// A day's runs of a policy on a server that went alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DailyOutcome {
    /// The policy.
    pub(crate) policy: PolicyName,
    /// The kind of restore point.
    pub(crate) kind: Kind,
    /// The day, counted in steps of 24 hours from the moment that was asked for.
    pub(crate) day: usize,
    /// How they ended, or that they have not.
    pub(crate) outcome: RunStatus,
}

impl Store {
    /// How the runs that were opened at `since` or later went, for each of these servers.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn daily_outcomes(
        &self,
        servers: Vec<ServerId>,
        since: Timestamp,
    ) -> Result<Vec<Vec<DailyOutcome>>, StoreError> {
        self.transact(move |tx| {
            let mut query = tx.prepare_cached(
                "SELECT DISTINCT policy, kind, (opened_at - ?2) / 86400000000000, outcome FROM run
                 WHERE server = ?1 AND opened_at >= ?2",
            )?;
            let mut all = Vec::with_capacity(servers.len());
            for server in &servers {
                let mut rows = query.query(params![json(server)?, nanos(since)])?;
                let mut days = Vec::new();
                while let Some(row) = rows.next()? {
                    let ended: Option<String> = row.get(3)?;
                    days.push(DailyOutcome {
                        policy: row.get(0)?,
                        kind: read_word(&row.get::<_, String>(1)?)?,
                        day: usize::try_from(row.get::<_, i64>(2)?).unwrap_or_default(),
                        outcome: ended.map_or(Ok(RunStatus::Running), |word| read_word(&word))?,
                    });
                }
                all.push(days);
            }
            Ok(all)
        })
        .await
    }
}
