//! PURE: what an event of a run, a list of restore points or a person's decision changes in the state besides the run
//! itself. The store writes each `Change` and contains no rules.

mod brakes;
mod change;
mod count;
mod debt;
mod due;
mod evictions;
mod inventory;
mod known_point;
mod lead;
mod recovered;
mod servers;
mod set_aside;

pub(crate) use brakes::{accepted, braked, reported};
pub(crate) use change::{Change, TokenState, is_given_up};
pub(crate) use count::{Counter, DELETE_REASONS, Increment, MESSAGE_RESULTS, OUTCOMES, counts};
pub(crate) use debt::{DebtChange, DebtEvent, debt_after, debt_opened};
pub(crate) use due::{FollowedPolicy, FormerName, follow, handled_by};
pub(crate) use evictions::EvictionCount;
pub(crate) use inventory::{Before, listed, point_created, point_gone};
pub(crate) use known_point::{KnownPoint, Vanished, is_good, is_present, last_good, recall, recall_vanished};
pub(crate) use lead::{LEADS_THAT_COUNT, lead_of_run, longest_lead};
pub(crate) use recovered::{
    ENDED_BY_A_POINT, EndedRun, account_recovered, debt_ended, debt_report, errand_reported, is_news, policy_recovered,
};
pub(crate) use servers::{Absence, server_listed};
pub(crate) use set_aside::{UnreadableRun, report_of_set_aside, set_aside};

use jiff::Timestamp;

use crate::journal::debt::Start;
use crate::journal::event::{Act, Answer, DeleteReason, Event, Found, Outcome, Sight};
use crate::journal::notice::{Notice, Topic};
use crate::journal::state::RunState;
use crate::policy::inventory::PointId;
use crate::policy::looks::Took;
use crate::policy::mark::Token;

/// What the next event of a run changes besides the run, in the order in which it is written. `before` is the run
/// before the event, which must be legal for it; `reports` are the notices stored with it.
#[must_use]
pub(crate) fn effects(before: &RunState, event: &Event, at: Timestamp, reports: &[Notice]) -> Vec<Change> {
    match event {
        Event::Intended { step, act } => intended(*step, act, at),
        Event::Answered { step, answer } => match before.step(*step) {
            Some(known) => answered(before, (*step, &known.act), answer, at),
            None => Vec::new(),
        },
        Event::Settled { step, found } => match before.step(*step) {
            Some(known) => settled(before, &known.act, found, at),
            None => Vec::new(),
        },
        Event::FoundOwed => vec![Change::Debt(DebtEvent::TakenOver), Change::Debt(DebtEvent::SeenStopped)],
        Event::StartLeft => vec![Change::Debt(DebtEvent::Left)],
        Event::Seen(sight) => seen(before, sight, at),
        Event::Ended { outcome, .. } => ended(*outcome, reports),
        Event::Began { .. }
        | Event::Planned { .. }
        | Event::Postponed { .. }
        | Event::FoundStopped
        | Event::Spared { .. }
        | Event::Failed(_)
        | Event::Retrying { .. } => Vec::new(),
    }
}

fn intended(step: u32, act: &Act, at: Timestamp) -> Vec<Change> {
    vec![match act {
        Act::StopServer => Change::Debt(DebtEvent::StopIntended { step }),
        Act::StartServer => Change::Debt(DebtEvent::StartIntended),
        Act::Delete { id, .. } => Change::DeleteIntended { point: id.clone(), since: Some(at) },
        Act::Create { mark, .. } => Change::TokenOpened { token: mark.token.clone(), policy: mark.policy.clone() },
    }]
}

fn answered(before: &RunState, (step, act): (u32, &Act), answer: &Answer, at: Timestamp) -> Vec<Change> {
    match (act, answer) {
        (Act::Create { mark, .. }, Answer::Accepted { id }) => created(before, &mark.token, id.as_ref(), at),
        (Act::Create { mark, .. }, Answer::Refused { .. }) => vec![not_made(&mark.token)],
        (Act::Delete { id, cause, .. }, Answer::Accepted { .. } | Answer::AlreadyGone) => deleted(id, *cause),
        (Act::Delete { id, .. }, Answer::Refused { .. }) => vec![not_deleted(id)],
        (Act::StopServer, Answer::Refused { .. }) => vec![Change::Debt(DebtEvent::StopRefused { step })],
        (Act::StartServer, Answer::Accepted { .. } | Answer::AlreadyGone) => {
            vec![Change::Debt(DebtEvent::StartAnswered(Start::Accepted))]
        }
        (Act::StartServer, Answer::Refused { error, .. }) => {
            vec![Change::Debt(DebtEvent::StartAnswered(Start::refused(error)))]
        }
        // A lost answer changes nothing: the intent counts.
        (_, Answer::Unknown { .. })
        | (Act::Create { .. }, Answer::AlreadyGone)
        | (Act::StopServer, Answer::Accepted { .. } | Answer::AlreadyGone) => Vec::new(),
    }
}

fn settled(before: &RunState, act: &Act, found: &Found, at: Timestamp) -> Vec<Change> {
    match (act, found) {
        (Act::Create { mark, .. }, Found::Done { id }) => created(before, &mark.token, id.as_ref(), at),
        (Act::Create { mark, .. }, Found::NotDone) => vec![not_made(&mark.token)],
        (Act::Create { mark, .. }, Found::Undecided { .. }) => {
            vec![Change::TokenSettled { token: mark.token.clone(), state: TokenState::Undecided }]
        }
        (Act::Delete { id, cause, .. }, Found::Done { .. }) => deleted(id, *cause),
        (Act::Delete { id, .. }, Found::NotDone) => vec![not_deleted(id)],
        // The stop may still be carried out, whatever the server's status is now.
        (Act::StopServer, Found::NotDone) => vec![Change::Debt(DebtEvent::Left)],
        (Act::Delete { .. }, Found::Undecided { .. })
        | (Act::StopServer, Found::Done { .. } | Found::Undecided { .. })
        | (Act::StartServer, _) => Vec::new(),
    }
}

/// The point of a create exists.
fn created(before: &RunState, token: &Token, point: Option<&PointId>, at: Timestamp) -> Vec<Change> {
    let settled = Change::TokenSettled { token: token.clone(), state: TokenState::Made };
    let Some(point) = point else { return vec![settled] };
    let created = Change::PointCreated { point: point.clone(), token: Some(token.clone()) };
    // If the clock was set meanwhile, it does not say how long it took.
    let lead = |planned: Timestamp| std::time::Duration::try_from(planned.duration_until(at)).unwrap_or_default();
    let lead = before.plan.as_ref().map(|plan| Change::LeadMeasured(lead(plan.at)));
    [settled, created].into_iter().chain(lead).collect()
}

fn not_made(token: &Token) -> Change {
    Change::TokenSettled { token: token.clone(), state: TokenState::NotMade }
}

/// The delete of a point was carried out or will be.
fn deleted(point: &PointId, cause: DeleteReason) -> Vec<Change> {
    let evicted = (cause == DeleteReason::Eviction).then_some(Change::PointEvicted);
    std::iter::once(Change::DeleteAccepted(point.clone())).chain(evicted).collect()
}

fn not_deleted(point: &PointId) -> Change {
    Change::DeleteIntended { point: point.clone(), since: None }
}

fn seen(before: &RunState, sight: &Sight, at: Timestamp) -> Vec<Change> {
    match sight {
        Sight::Completed { in_progress_ms, .. } => {
            let policy = before.key.policy.clone();
            let at_most = before.creating_since().map(|since| since.duration_until(at).unsigned_abs());
            let at_least = in_progress_ms.map(std::time::Duration::from_millis).unwrap_or_default();
            let took = at_most.map(|at_most| Change::CreationMeasured(Took { at_least, at_most }));
            std::iter::once(Change::EvictionsReplaced { policy }).chain(took).collect()
        }
        Sight::Gone(id) => {
            // The new point counts as not made until a list shows it after all.
            let is_new = before.created.as_ref().is_some_and(|made| made.id == *id);
            let not_made = before.mark().filter(|_| is_new).map(|mark| not_made(&mark.token));
            std::iter::once(Change::PointGone(id.clone())).chain(not_made).collect()
        }
        Sight::Duplicate { id, adopted, .. } => {
            let token = before.mark().map(|mark| mark.token.clone());
            let created = |point: &PointId| Change::PointCreated { point: point.clone(), token: token.clone() };
            vec![created(adopted), created(id)]
        }
        Sight::ServerStopped => vec![Change::Debt(DebtEvent::SeenStopped)],
        Sight::ServerRunning => vec![Change::Debt(DebtEvent::Left), Change::Debt(DebtEvent::SeenRunning)],
        Sight::ServerGone => vec![Change::Debt(DebtEvent::Left)],
        Sight::PointFailed { .. } => Vec::new(),
    }
}

fn ended(outcome: Outcome, reports: &[Notice]) -> Vec<Change> {
    let mut changes = vec![Change::Debt(DebtEvent::Left), Change::RunEnded(outcome)];
    if outcome == Outcome::Succeeded {
        // The recovery goes to the reports that get the success, with the same last good point.
        let success = reports.first();
        let last_good = success.and_then(|notice| notice.fact.last_good().cloned());
        let reports = success.map(|notice| notice.reports.clone()).unwrap_or_default();
        changes.push(Change::NoLongerStale);
        // The wrong clock can do no more harm, and due times are in order again: there is nothing to report.
        changes.push(Change::IncidentsClosed { policy: None, topic: Topic::Clock });
        changes.push(Change::PolicyRecovered { reports, last_good });
    }
    changes
}

#[cfg(test)]
mod tests;
