//! The page of all servers, in words.

use serde::Serialize;

use crate::policy::inventory::ServerRef;
use crate::status::page::day_strip::{DayStrip, day_strip};
use crate::status::page::facts::{OverviewFacts, ServerFacts};
use crate::status::page::listing::{Filter, ListedServer, PAGE, PageListing, ServerCondition};
use crate::status::page::request::{link, server_path};
use crate::status::page::slot_boxes::{LEGEND, LegendEntry, SlotBoxes, slot_boxes};
use crate::status::page::words::{ago, ahead, count, grouped, moment, shortened, span};
use crate::status::value::{DebtStatus, IncidentStatus, Level, PolicyState, PolicyStatus, Status};

/// At most this many incidents, and as many warnings, are shown: a large account may have thousands.
const ITEMS: usize = 25;
/// At most this much of a text from elsewhere.
const TEXT: usize = 300;

/// The page of all servers.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    title: String,
    at: String,
    level: &'static str,
    summary: String,
    facts: Vec<SummaryLine>,
    incidents: Vec<IncidentItem>,
    more_incidents: Option<String>,
    warnings: Vec<String>,
    more_warnings: Option<String>,
    states: Vec<StateLink>,
    filter: FilterForm,
    servers: Vec<ServerRows>,
    legend: [LegendEntry; 15],
    pages: Pages,
}

/// A line of the summary.
#[derive(Debug, Serialize)]
pub(super) struct SummaryLine {
    name: &'static str,
    text: String,
    is_bad: bool,
}

/// A server, as a link to its page.
#[derive(Debug, Serialize)]
pub(super) struct ServerLink {
    name: String,
    path: String,
}

impl ServerLink {
    fn of(server: &ServerRef) -> Self {
        Self { name: server.name.clone(), path: server_path(&server.id.to_string()) }
    }
}

#[derive(Debug, Serialize)]
struct IncidentItem {
    since: String,
    ago: String,
    server: Option<ServerLink>,
    policy: Option<String>,
    topic: String,
    text: String,
}

/// A state, how many servers are in it, and where they are shown.
#[derive(Debug, Serialize)]
struct StateLink {
    word: &'static str,
    meaning: &'static str,
    tone: &'static str,
    count: String,
    path: String,
    is_current: bool,
}

#[derive(Debug, Serialize)]
struct FilterForm {
    text: String,
    state: Option<&'static str>,
    is_set: bool,
}

/// A server with its policies.
#[derive(Debug, Serialize)]
struct ServerRows {
    server: ServerLink,
    id: String,
    incidents: Option<String>,
    note: Option<&'static str>,
    policies: Vec<PolicyRow>,
    /// Slots of kinds that no policy of the server makes.
    others: Vec<OtherSlots>,
}

#[derive(Debug, Serialize)]
struct OtherSlots {
    kind: &'static str,
    slots: SlotBoxes,
}

/// A policy on a server.
#[derive(Debug, Serialize)]
pub(super) struct PolicyRow {
    policy: String,
    kind: &'static str,
    state: &'static str,
    tone: &'static str,
    age: Option<String>,
    created: Option<String>,
    next: Option<String>,
    next_in: String,
    slots: Option<SlotBoxes>,
    /// The policy whose row has the boxes.
    slots_with: Option<String>,
    days: DayStrip,
    limit: String,
}

#[derive(Debug, Serialize)]
struct Pages {
    shown: String,
    of: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

/// The colour of a state.
const fn tone(state: ServerCondition) -> &'static str {
    match state {
        ServerCondition::Failing | ServerCondition::Stale => "bad",
        ServerCondition::Incident | ServerCondition::Never | ServerCondition::Unprotected => "warn",
        ServerCondition::Running => "busy",
        ServerCondition::Ok => "good",
        ServerCondition::Exempt => "soft",
    }
}

const fn policy_tone(state: PolicyState) -> &'static str {
    match state {
        PolicyState::Failing | PolicyState::Stale => "bad",
        PolicyState::Never => "warn",
        PolicyState::Running => "busy",
        PolicyState::Ok => "good",
    }
}

const fn meaning(state: ServerCondition) -> &'static str {
    match state {
        ServerCondition::Failing => "failing",
        ServerCondition::Stale => "stale",
        ServerCondition::Incident => "with an incident",
        ServerCondition::Never => "never completed",
        ServerCondition::Unprotected => "unprotected",
        ServerCondition::Running => "running",
        ServerCondition::Ok => "ok",
        ServerCondition::Exempt => "need no policy",
    }
}

/// The word for a level, which is also its class.
pub(super) const fn level_word(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Warning => "warning",
        Level::Critical => "critical",
    }
}

/// The words of the page.
pub(super) fn overview(facts: &OverviewFacts) -> Overview {
    let OverviewFacts { status, listing, servers } = facts;
    let more = |all: usize, what: &str| (all > ITEMS).then(|| format!("And {} more {what}.", grouped(all - ITEMS)));
    let summary = summary(listing);
    Overview {
        title: format!("{}: {summary}", level_word(status.level)),
        at: at(status),
        level: level_word(status.level),
        summary,
        facts: lines(status),
        incidents: incidents(status).take(ITEMS).map(|incident| item(incident, status)).collect(),
        more_incidents: more(status.incidents.len(), "incidents"),
        warnings: status.warnings.iter().take(ITEMS).map(|warning| shortened(warning, TEXT)).collect(),
        more_warnings: more(status.warnings.len(), "warnings"),
        states: states(listing),
        filter: FilterForm {
            text: listing.filter.text.clone(),
            state: listing.filter.state.map(ServerCondition::word),
            is_set: !listing.filter.text.is_empty() || listing.filter.state.is_some(),
        },
        servers: listing.shown.iter().zip(servers).map(|(shown, facts)| rows(shown, facts, status)).collect(),
        legend: LEGEND,
        pages: pages(listing),
    }
}

/// When the status was taken, to the second: whoever reloads sees that it moves.
pub(super) fn at(status: &Status) -> String {
    status.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// The worst in one line: `2 failing and 1 stale of 12 servers`. The links below it have the rest.
fn summary(listing: &PageListing) -> String {
    use ServerCondition::{Failing, Incident, Never, Stale, Unprotected};
    if listing.total == 0 {
        return "No server is known yet".to_owned();
    }
    let servers = count(listing.total, "server", "servers");
    let said = |states: &[ServerCondition]| {
        let counts = ServerCondition::ALL.into_iter().zip(listing.counts);
        let counts = counts.filter(|(state, number)| states.contains(state) && *number > 0);
        counts.map(|(state, number)| format!("{} {}", grouped(number), meaning(state))).collect::<Vec<_>>()
    };
    let worst =
        [said(&[Failing, Stale]), said(&[Incident, Never, Unprotected])].into_iter().find(|said| !said.is_empty());
    match worst.as_deref() {
        None => format!("{servers}, and none needs attention"),
        Some([one]) => format!("{one} of {servers}"),
        Some([first @ .., last]) => format!("{} and {last} of {servers}", first.join(", ")),
        Some([]) => servers,
    }
}

fn lines(status: &Status) -> Vec<SummaryLine> {
    let at = status.at;
    let mut facts = Vec::new();
    let mut add = |name, text, is_bad| facts.push(SummaryLine { name, text, is_bad });
    let due = status.policies.iter().filter_map(|policy| Some((policy.next_due?, policy))).min_by_key(|(due, _)| *due);
    if let Some((due, first)) = due {
        let same = status.policies.iter().filter(|policy| policy.next_due == Some(due)).count();
        let others = if same > 1 { format!(" and {} more", grouped(same - 1)) } else { String::new() };
        let text = format!("{}, {}: {} on {}{others}", ahead(due, at), moment(due), first.policy, first.server.name);
        add("Next due", text, false);
    }
    let runs = status.runs;
    let waiting = if runs.waiting > 0 { format!(", {} waiting", grouped(runs.waiting)) } else { String::new() };
    add("Runs", format!("{} in progress{waiting}", grouped(runs.active)), false);
    let outbox = status.outbox;
    if outbox.waiting > 0 || outbox.refused > 0 {
        let since =
            outbox.oldest.map(|oldest| format!(", the oldest for {}", span(oldest.duration_until(at).as_secs())));
        let refused = if outbox.refused > 0 { format!("; {} given up", outbox.refused) } else { String::new() };
        add("Mail", format!("{} waiting{}{refused}", outbox.waiting, since.unwrap_or_default()), true);
    }
    let file = status.policy_file;
    if let Some(loaded_at) = file.loaded_at {
        let refused = if file.refused { "; a later version was refused" } else { "" };
        add("Policy file", format!("in force since {}{refused}", moment(loaded_at)), file.refused);
    }
    for debt in &status.debts {
        add("To be started", owed(debt, status), true);
    }
    facts
}

/// What is owed to a server.
fn owed(debt: &DebtStatus, status: &Status) -> String {
    let by = debt.run.map_or_else(
        || format!("`lastgood release debt {}` leaves it as it is", debt.server.id),
        |run| format!("run {run} stopped it for its restore point"),
    );
    format!("{}, stopped {}; {by}", debt.server.name, ago(debt.since, status.at))
}

/// The lines of one server.
pub(super) fn debts(status: &Status) -> Vec<String> {
    status.debts.iter().map(|debt| owed(debt, status)).collect()
}

/// The open incidents: those of failing runs and stopped servers first, then the newest.
fn incidents(status: &Status) -> impl Iterator<Item = &IncidentStatus> {
    let mut all: Vec<&IncidentStatus> = status.incidents.iter().collect();
    let is_critical = |incident: &IncidentStatus| ["run", "server_stopped"].contains(&incident.topic.as_str());
    all.sort_by_key(|incident| (!is_critical(incident), std::cmp::Reverse(incident.since)));
    all.into_iter()
}

fn item(incident: &IncidentStatus, status: &Status) -> IncidentItem {
    IncidentItem {
        since: moment(incident.since),
        ago: ago(incident.since, status.at),
        server: incident.server.as_ref().map(ServerLink::of),
        policy: incident.policy.as_ref().map(ToString::to_string),
        topic: topic(&incident.topic),
        text: shortened(&incident.text, TEXT),
    }
}

/// The topic of an incident in words.
pub(super) fn topic(word: &str) -> String {
    match word {
        "run" => "Failing or stale".to_owned(),
        "missed" => "Missed due times".to_owned(),
        "server_stopped" => "Server not started".to_owned(),
        "attention" => "Needs attention".to_owned(),
        "reload" => "Policy file refused".to_owned(),
        "overfilled" => "More than fits the slots".to_owned(),
        _ => {
            let words = word.replace('_', " ");
            let mut letters = words.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        }
    }
}

fn states(listing: &PageListing) -> Vec<StateLink> {
    let current = listing.filter.state;
    let state_link = |state: Option<ServerCondition>, number: usize| StateLink {
        word: state.map_or("", ServerCondition::word),
        meaning: state.map_or("all", meaning),
        tone: state.map_or("soft", tone),
        count: grouped(number),
        path: link(&Filter { text: listing.filter.text.clone(), state, page: 1 }),
        is_current: state == current,
    };
    let counts = ServerCondition::ALL.into_iter().zip(listing.counts);
    let counts = counts.filter(|(state, number)| *number > 0 || Some(*state) == current);
    std::iter::once(state_link(None, listing.total))
        .chain(counts.map(|(state, number)| state_link(Some(state), number)))
        .collect()
}

fn rows(shown: &ListedServer, facts: &ServerFacts, status: &Status) -> ServerRows {
    let policies = &status.policies[shown.policies.clone()];
    let is_made = |kind: &str| policies.iter().any(|policy| policy.kind.word() == kind);
    let others = facts.kinds.iter().filter(|kind| !is_made(kind.kind.word()));
    ServerRows {
        server: ServerLink::of(&shown.server),
        id: shown.server.id.to_string(),
        incidents: (shown.incidents > 0).then(|| count(shown.incidents, "incident", "incidents")),
        note: match shown.worst {
            _ if !policies.is_empty() => None,
            ServerCondition::Exempt => Some("needs no policy"),
            _ => Some("unprotected: no policy applies"),
        },
        others: others.map(|kind| OtherSlots { kind: kind.kind.plural(), slots: slot_boxes(kind) }).collect(),
        policies: policy_rows(policies, facts, status),
    }
}

/// The rows of a server's policies. The boxes of a kind are in the row of the first policy that makes it.
pub(super) fn policy_rows(policies: &[PolicyStatus], facts: &ServerFacts, status: &Status) -> Vec<PolicyRow> {
    let first_of = |policy: &PolicyStatus| policies.iter().find(|other| other.kind == policy.kind);
    let row = |policy: &PolicyStatus| {
        let first = first_of(policy).map(|first| &first.policy);
        let is_first = first == Some(&policy.policy);
        let kind = facts.kinds.iter().find(|kind| kind.kind == policy.kind);
        PolicyRow {
            policy: policy.policy.to_string(),
            kind: policy.kind.plural(),
            state: policy.state.word(),
            tone: policy_tone(policy.state),
            age: policy.last_good.as_ref().map(|good| ago(good.created_at, status.at)),
            created: policy.last_good.as_ref().map(|good| moment(good.created_at)),
            next: policy.next_due.map(moment),
            next_in: policy.next_due.map_or_else(|| "never".to_owned(), |due| ahead(due, status.at)),
            slots: kind.filter(|_| is_first).map(slot_boxes),
            slots_with: first.filter(|_| !is_first).map(ToString::to_string),
            days: day_strip(&facts.days, &policy.policy, policy.kind),
            limit: span(i64::try_from(policy.max_age_seconds).unwrap_or(i64::MAX)),
        }
    };
    policies.iter().map(row).collect()
}

fn pages(listing: &PageListing) -> Pages {
    let page = listing.filter.page;
    let first = (page - 1) * PAGE + 1;
    let to = |page: usize| link(&Filter { page, ..listing.filter.clone() });
    Pages {
        shown: match listing.shown.len() {
            0 => "No server matches.".to_owned(),
            shown if listing.pages == 1 => count(shown, "server", "servers"),
            shown => format!(
                "{} to {} of {}",
                grouped(first),
                grouped(first + shown - 1),
                count(listing.matched, "server", "servers")
            ),
        },
        of: (listing.pages > 1).then(|| format!("Page {} of {}", grouped(page), grouped(listing.pages))),
        before: (page > 1).then(|| to(page - 1)),
        after: (page < listing.pages).then(|| to(page + 1)),
    }
}
