//! What is owed to servers. A debt opens in the same transaction as the intent to stop, and is settled by what looks at
//! the server prove: `journal::debt` decides, and it is written here. While a debt that no run is in charge of is open,
//! there is an incident.

use std::time::Duration;

use jiff::Timestamp;

use crate::journal::debt::{Debt, DebtKind, Look, OwedStart, Start, Streak, Verdict, observe};
use crate::journal::effects::{debt_report, is_news};
use crate::journal::notice::{NotStarted, Recovery};
use crate::policy::inventory::{ServerId, ServerRef};
use crate::store::debt_rows::{all, end, incident_text, last_report, leave, owed_start, take_if_free, write_evidence};
use crate::store::notices::insert_notice;
use crate::store::{Store, StoreError};

/// A look at a server that is owed a start.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The server.
    pub server: ServerId,
    /// The debt's round when the look began.
    pub round: i64,
    /// Its status then.
    pub look: Look,
    /// What this process saw before.
    pub streak: Streak,
    /// The time since the previous look.
    pub since_last: Option<Duration>,
}

/// What a look changed about a debt.
#[derive(Clone, Debug)]
pub enum Observed {
    /// It is open.
    Owed(Debt, Streak),
    /// This look has settled it.
    Paid,
    /// The server has been gone for so long that nothing is owed to it any more.
    Gone,
    /// There was none, or a newer stop invalidates the look.
    Nothing,
}

impl Store {
    /// Every open debt, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn debts(&self) -> Result<Vec<Debt>, StoreError> {
        self.transact(all).await
    }

    /// The start that is owed to a server.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn debt(&self, server: ServerId) -> Result<Option<Debt>, StoreError> {
        self.transact(move |tx| owed_start(tx, &server)).await
    }

    /// Writes what a look proves. If it settles the debt, the incident is closed, which is reported to those who were
    /// told about it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn observe_debt(&self, seen: Observation, at: Timestamp) -> Result<Observed, StoreError> {
        self.transact(move |tx| {
            let debt = owed_start(tx, &seen.server)?.filter(|debt| debt.start().round == seen.round);
            let Some(debt) = debt else { return Ok(Observed::Nothing) };
            let start = *debt.start();
            let (evidence, streak, verdict) = observe(start.evidence, seen.streak, seen.look, seen.since_last);
            match verdict {
                Verdict::Owed => {
                    // Usually a look shows the same as the previous one.
                    if evidence != start.evidence {
                        write_evidence(tx, &seen.server, evidence)?;
                    }
                    let what = DebtKind::Start(OwedStart { evidence, ..start });
                    Ok(Observed::Owed(Debt { what, ..debt }, streak))
                }
                Verdict::Paid => {
                    end(tx, &debt.server, Recovery::ServerRuns, at)?;
                    Ok(Observed::Paid)
                }
                Verdict::Gone => {
                    end(tx, &debt.server, Recovery::StoppedServerGone, at)?;
                    Ok(Observed::Gone)
                }
            }
        })
        .await
    }

    /// Records that a start is about to be sent, with the notice about it. False if nothing is owed any more, a run
    /// keeps the server stopped, or a newer stop was sent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start_intended(
        &self,
        debt: Debt,
        report: Option<NotStarted>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.transact(move |tx| {
            let is_unchanged = |now: &Debt| now.start().is_unchanged_since(debt.start());
            let Some(now) = owed_start(tx, &debt.server.id)?.filter(is_unchanged) else { return Ok(false) };
            write_evidence(tx, &debt.server.id, now.start().evidence.start_sent())?;
            if let Some(report) = report {
                let report = debt_report(&debt.server, last_report(tx, &debt.server)?, report);
                insert_notice(tx, &report, at)?;
            }
            Ok(true)
        })
        .await
    }

    /// Records the answer to a start.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start_answered(&self, server: ServerId, start: Start) -> Result<(), StoreError> {
        self.transact(move |tx| {
            let Some(debt) = owed_start(tx, &server)? else { return Ok(()) };
            write_evidence(tx, &server, debt.start().evidence.start_answered(start))
        })
        .await
    }

    /// Reports that a server is still owed a start, unless the last report said the same.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report_debt(&self, server: ServerRef, report: NotStarted, at: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| {
            let notice = debt_report(&server, last_report(tx, &server)?, report);
            if is_news(incident_text(tx, &server)?.as_deref(), &notice) {
                insert_notice(tx, &notice, at)
            } else {
                Ok(())
            }
        })
        .await
    }

    /// Whether the incident of a server's debt is open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_debt_reported(&self, server: ServerRef) -> Result<bool, StoreError> {
        self.transact(move |tx| Ok(incident_text(tx, &server)?.is_some())).await
    }

    /// From now on the open run will start the server, unless another one will.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_charge(&self, server: ServerId, run: i64) -> Result<(), StoreError> {
        self.transact(move |tx| take_if_free(tx, &server, run)).await
    }

    /// The run will not start its server for now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leave_charge(&self, run: i64) -> Result<(), StoreError> {
        self.transact(move |tx| leave(tx, run)).await
    }

    /// Removes what is owed to a server, at a person's request. Returns it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_debt(&self, server: ServerId, at: Timestamp) -> Result<Option<Debt>, StoreError> {
        self.transact(move |tx| {
            let Some(debt) = owed_start(tx, &server)? else { return Ok(None) };
            end(tx, &debt.server, Recovery::StartReleased, at)?;
            Ok(Some(debt))
        })
        .await
    }
}
