//! The page of one server, in words.

use jiff::Timestamp;
use serde::Serialize;

use crate::journal::summary::{RunHistory, RunStatus};
use crate::policy::owner::Owner;
use crate::status::page::facts::{KindFacts, PointFacts, ServerPageFacts};
use crate::status::page::overview::{PolicyRow, at, debts, level_word, policy_rows, topic};
use crate::status::page::slot_boxes::{LEGEND, LegendEntry, SlotBox, SlotBoxes, SlotState, slot_boxes};
use crate::status::page::words::{ago, moment, shortened, size, span};
use crate::store::server_incidents::ServerIncident;

/// At most this much of a text from elsewhere.
const TEXT: usize = 600;

/// The page of one server.
#[derive(Debug, Serialize)]
pub(super) struct ServerPage {
    title: String,
    at: String,
    level: &'static str,
    name: String,
    id: String,
    power: String,
    gone: Option<String>,
    debts: Vec<String>,
    policies: Vec<PolicyRow>,
    kinds: Vec<KindSection>,
    runs: Vec<RunRow>,
    incidents: Vec<IncidentRow>,
    legend: [LegendEntry; 15],
}

/// The points of one kind.
#[derive(Debug, Serialize)]
struct KindSection {
    kind: &'static str,
    heading: String,
    slots: SlotBoxes,
    read: Option<String>,
    notes: Vec<String>,
    points: Vec<PointTableRow>,
}

#[derive(Debug, Serialize)]
struct PointTableRow {
    id: String,
    created: String,
    ago: String,
    size: String,
    status: String,
    whose: String,
    text: Option<String>,
    drawn: Option<SlotBox>,
    verdict: &'static str,
    tone: &'static str,
    why: Vec<String>,
}

#[derive(Debug, Serialize)]
struct RunRow {
    run: i64,
    policy: String,
    due: Option<String>,
    started: String,
    took: String,
    outcome: String,
    tone: &'static str,
    created: Option<String>,
    deleted: Vec<String>,
    error: Option<String>,
    attempts: u32,
}

#[derive(Debug, Serialize)]
struct IncidentRow {
    since: String,
    until: Option<String>,
    lasted: String,
    policy: Option<String>,
    topic: String,
    text: String,
}

/// The words of the page.
pub(super) fn server_page(facts: &ServerPageFacts) -> ServerPage {
    let ServerPageFacts { status, facts: of_server, gone_at, incidents, runs } = facts;
    let reference = &of_server.server.reference;
    ServerPage {
        title: reference.name.clone(),
        at: at(status),
        level: level_word(status.level),
        name: reference.name.clone(),
        id: reference.id.to_string(),
        power: of_server.server.status.to_string(),
        gone: gone_at.map(moment),
        debts: debts(status),
        policies: policy_rows(&status.policies, of_server, status),
        kinds: of_server.kinds.iter().map(|kind| section(kind, status.at)).collect(),
        runs: runs.iter().map(|run| run_row(run, status.at)).collect(),
        incidents: incidents.iter().map(|incident| incident_row(incident, status.at)).collect(),
        legend: LEGEND,
    }
}

fn section(kind: &KindFacts, now: Timestamp) -> KindSection {
    let word = kind.kind.plural();
    let heading = word[..1].to_uppercase() + &word[1..];
    let refused = kind.plans.iter().filter_map(|plan| {
        plan.refused.as_ref().map(|refused| format!("The next run of {} would create nothing: {refused}", plan.policy))
    });
    let notes = kind.plans.iter().flat_map(|plan| plan.notes.iter().map(|note| format!("{}: {note}", plan.policy)));
    KindSection {
        kind: word,
        heading,
        slots: slot_boxes(kind),
        read: kind.read_at.map(|read_at| ago(read_at, now)),
        notes: refused.chain(notes).map(|note| shortened(&note, TEXT)).collect(),
        points: kind.points.iter().map(|point| point_row(point, now)).collect(),
    }
}

fn point_row(point: &PointFacts, now: Timestamp) -> PointTableRow {
    let slot = SlotState::of(point);
    let (verdict, tone) = match slot {
        _ if point.automatic => ("not ours", "soft"),
        SlotState::Goes => ("goes next", "bad"),
        SlotState::InProgress => ("in progress", "busy"),
        SlotState::Failed => ("failed", "bad"),
        SlotState::Foreign => ("foreign", "warn"),
        SlotState::Held => ("on hold", "busy"),
        SlotState::Protected => ("protected", "busy"),
        _ => ("kept", "good"),
    };
    PointTableRow {
        id: point.id.to_string(),
        created: moment(point.created_at),
        ago: ago(point.created_at, now),
        size: point.size_mb.map_or_else(|| "–".to_owned(), size),
        status: point.status.to_string().replace('_', " "),
        whose: match &point.owner {
            _ if point.automatic => "the provider's plan".to_owned(),
            Owner::Ours(policy) | Owner::Stray(policy) => policy.to_string(),
            Owner::OtherInstance => "another lastgood".to_owned(),
            Owner::Changed | Owner::Person => "a person".to_owned(),
        },
        text: (!point.automatic && !point.owner.is_own() && !point.text.is_empty()).then(|| point.text.clone()),
        drawn: (!point.automatic).then(|| slot.drawn()),
        verdict,
        tone,
        why: point.why.iter().map(|why| shortened(&why.to_string(), TEXT)).collect(),
    }
}

fn run_row(run: &RunHistory, now: Timestamp) -> RunRow {
    let summary = &run.summary;
    RunRow {
        run: summary.run,
        policy: summary.policy.to_string(),
        due: summary.due.map(moment),
        started: moment(run.started),
        took: span(run.started.duration_until(run.ended.unwrap_or(now)).as_secs()),
        outcome: summary.outcome.to_string(),
        tone: match summary.outcome {
            RunStatus::Succeeded => "good",
            RunStatus::Running => "busy",
            RunStatus::Skipped => "warn",
            RunStatus::Failed | RunStatus::Unknown => "bad",
        },
        created: summary.created.as_ref().map(ToString::to_string),
        deleted: summary.deleted.iter().map(ToString::to_string).collect(),
        error: summary.error.as_deref().map(|error| shortened(error, TEXT)),
        attempts: summary.attempts,
    }
}

fn incident_row(incident: &ServerIncident, now: Timestamp) -> IncidentRow {
    let until = incident.closed_at.unwrap_or(now);
    IncidentRow {
        since: moment(incident.opened_at),
        until: incident.closed_at.map(moment),
        lasted: span(incident.opened_at.duration_until(until).as_secs()),
        policy: incident.policy.clone(),
        topic: topic(&incident.topic),
        text: shortened(&incident.text, TEXT),
    }
}
