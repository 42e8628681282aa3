//! How an event of a run changes the debt to its server.

use crate::journal::debt::{Debt, DebtKind, Look, OwedStart, Start, StopEvidence, Streak, Verdict, observe};
use crate::journal::notice::Recovery;

/// What a run does or sees that the debt to its server depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DebtEvent {
    /// The run is about to stop the server and is in charge of starting it: the debt is opened, or starts over.
    StopIntended {
        /// The step.
        step: u32,
    },
    /// The stop was certainly not carried out.
    StopRefused {
        /// The step.
        step: u32,
    },
    /// A start is about to be sent.
    StartIntended,
    /// The start was answered.
    StartAnswered(Start),
    /// The run takes over starting the server.
    TakenOver,
    /// The run will not start the server for now.
    Left,
    /// The server was seen stopped.
    SeenStopped,
    /// The server was seen running.
    SeenRunning,
}

/// What becomes of a debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DebtChange {
    /// The run is in charge of it.
    InCharge,
    /// This is known now.
    Evidence(StopEvidence),
    /// The run is no longer in charge of it.
    Left,
    /// It is over, which is reported to those who were told about the debt.
    Ended(Recovery),
    /// It was never owed: its incident is closed without a report.
    Void,
}

/// The debt that a stop opens, where `known` is the open one. A stop of a server that is owed a start begins the next round:
/// nothing of what was known before holds. It stays the debt of the run that opened it.
#[must_use]
pub(crate) fn debt_opened(known: Option<Debt>, opened: Debt) -> Debt {
    let Some(known) = known else { return opened };
    let round = known.start().round + 1;
    let what = DebtKind::Start(OwedStart { round, ..*opened.start() });
    Debt { server: opened.server, what, ..known }
}

/// How an event of a run changes the open debt to its server; nothing if the event does not concern it.
#[must_use]
pub(crate) fn debt_after(debt: &Debt, run: i64, event: &DebtEvent) -> Option<DebtChange> {
    let OwedStart { round, evidence, .. } = *debt.start();
    match event {
        DebtEvent::StopRefused { step } => {
            let opened_it = debt.run == Some(run) && debt.step == Some(*step) && round == 1;
            Some(if opened_it { DebtChange::Void } else { DebtChange::Left })
        }
        DebtEvent::StartIntended => Some(DebtChange::Evidence(evidence.start_sent())),
        DebtEvent::StartAnswered(start) => Some(DebtChange::Evidence(evidence.start_answered(*start))),
        DebtEvent::SeenStopped => Some(DebtChange::Evidence(StopEvidence { seen_down: true, ..evidence })),
        DebtEvent::SeenRunning => {
            let (.., verdict) = observe(evidence, Streak::default(), Look::Running, None);
            (verdict == Verdict::Paid).then_some(DebtChange::Ended(Recovery::ServerRuns))
        }
        DebtEvent::TakenOver => Some(DebtChange::InCharge),
        DebtEvent::StopIntended { .. } | DebtEvent::Left => None,
    }
}
