//! Which servers a page shows: the worst first, as far as they pass the filter, a hundred at a time.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Range;

use jiff::Timestamp;

use crate::policy::inventory::{ServerId, ServerRef};
use crate::status::value::{PolicyState, PolicyStatus, Status};

/// Servers on one page.
pub(super) const PAGE: usize = 100;

/// How a server is doing. The order is that of the page: the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServerCondition {
    /// The last run of a policy failed.
    Failing,
    /// The last good point of a policy is too old.
    Stale,
    /// An incident of the server is open.
    Incident,
    /// A policy has never completed a point.
    Never,
    /// No policy applies to it.
    Unprotected,
    /// A run is in progress.
    Running,
    /// Every policy has a recent good point.
    Ok,
    /// No policy applies to it, and it needs none.
    Exempt,
}

impl ServerCondition {
    /// Every state, the worst first.
    pub(super) const ALL: [Self; 8] = [
        Self::Failing,
        Self::Stale,
        Self::Incident,
        Self::Never,
        Self::Unprotected,
        Self::Running,
        Self::Ok,
        Self::Exempt,
    ];

    /// The word in a query.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Stale => "stale",
            Self::Incident => "incident",
            Self::Never => "never",
            Self::Unprotected => "unprotected",
            Self::Running => "running",
            Self::Ok => "ok",
            Self::Exempt => "exempt",
        }
    }

    const fn of_policy(state: PolicyState) -> Self {
        match state {
            PolicyState::Ok => Self::Ok,
            PolicyState::Running => Self::Running,
            PolicyState::Failing => Self::Failing,
            PolicyState::Stale => Self::Stale,
            PolicyState::Never => Self::Never,
        }
    }
}

/// What servers must have in common to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// This is in the name or id of the server, or in the name of one of its policies, in whatever case.
    pub(super) text: String,
    /// The server is in this state; one with several policies may be in several.
    pub(super) state: Option<ServerCondition>,
    /// Which page, counted from 1. Beyond the last one, the last one is meant.
    pub(super) page: usize,
}

/// A server that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedServer {
    /// The server.
    pub(super) server: ServerRef,
    /// Which policies of the status are those on it.
    pub(super) policies: Range<usize>,
    /// The worst of its states.
    pub(super) worst: ServerCondition,
    /// How many incidents of it are open.
    pub(super) incidents: usize,
}

/// The servers of one page.
#[derive(Clone, Debug)]
pub(crate) struct PageListing {
    /// What was asked for, with the page that is shown.
    pub(super) filter: Filter,
    /// How many servers there are.
    pub(super) total: usize,
    /// How many of them are in each state, in the order of `ServerCondition::ALL`.
    pub(super) counts: [usize; 8],
    /// How many pass the filter.
    pub(super) matched: usize,
    /// How many pages they fill; at least one.
    pub(super) pages: usize,
    /// Those on this page.
    pub(super) shown: Vec<ListedServer>,
}

/// A server that may be shown.
struct ServerCandidate<'a> {
    server: &'a ServerRef,
    policies: Range<usize>,
    /// One bit for each state that it is in.
    states: u16,
    worst: ServerCondition,
    /// The oldest last good point of its policies; a policy without one counts as older than all.
    oldest: Option<Timestamp>,
    incidents: usize,
}

impl PageListing {
    /// The servers of the status and those that need no policy, as far as they pass the filter.
    pub(crate) fn of(status: &Status, exempt: &[ServerRef], filter: Filter) -> Self {
        let candidates = candidates(status, exempt);
        let mut counts = [0; 8];
        for candidate in &candidates {
            for (count, state) in counts.iter_mut().zip(ServerCondition::ALL) {
                *count += usize::from(candidate.is_in(state));
            }
        }
        let total = candidates.len();
        let text = filter.text.to_lowercase();
        let contains = |name: &str| name.to_lowercase().contains(&text);
        let mut passed: Vec<ServerCandidate<'_>> = candidates.into_iter().collect();
        passed.retain(|candidate| {
            let of_policy = |policy: &PolicyStatus| contains(&policy.policy);
            filter.state.is_none_or(|state| candidate.is_in(state))
                && (text.is_empty()
                    || contains(&candidate.server.name)
                    || contains(&candidate.server.id.to_string())
                    || status.policies[candidate.policies.clone()].iter().any(of_policy))
        });
        passed.sort_by(ServerCandidate::worse_first);
        let matched = passed.len();
        let pages = matched.div_ceil(PAGE).max(1);
        let page = filter.page.clamp(1, pages);
        let shown = passed.into_iter().skip((page - 1) * PAGE).take(PAGE).map(ServerCandidate::listed).collect();
        Self { filter: Filter { page, ..filter }, total, counts, matched, pages, shown }
    }

    /// The servers that are shown.
    pub(crate) fn servers(&self) -> Vec<&ServerRef> {
        self.shown.iter().map(|one| &one.server).collect()
    }
}

fn candidates<'a>(status: &'a Status, exempt: &'a [ServerRef]) -> Vec<ServerCandidate<'a>> {
    let mut incidents: HashMap<&ServerId, usize> = HashMap::new();
    for server in status.incidents.iter().filter_map(|incident| incident.server.as_ref()) {
        *incidents.entry(&server.id).or_default() += 1;
    }
    let mut candidates = Vec::new();
    // A status has the policies of a server one after the other.
    for policies in status.policies.chunk_by(|one, other| one.server.id == other.server.id) {
        let begin = candidates.last().map_or(0, |last: &ServerCandidate<'_>| last.policies.end);
        let states = policies.iter().map(|policy| ServerCondition::of_policy(policy.state));
        let mut candidate = ServerCandidate::new(&policies[0].server, states, &incidents);
        candidate.policies = begin..begin + policies.len();
        candidate.oldest =
            policies.iter().map(|policy| policy.last_good.as_ref().map(|good| good.created_at)).min().flatten();
        candidates.push(candidate);
    }
    let end = status.policies.len();
    let without = [(&status.unprotected[..], ServerCondition::Unprotected), (exempt, ServerCondition::Exempt)];
    for (servers, state) in without {
        let candidate =
            |server| ServerCandidate { policies: end..end, ..ServerCandidate::new(server, [state], &incidents) };
        candidates.extend(servers.iter().map(candidate));
    }
    candidates
}

impl<'a> ServerCandidate<'a> {
    fn new(
        server: &'a ServerRef,
        states: impl IntoIterator<Item = ServerCondition>,
        incidents: &HashMap<&ServerId, usize>,
    ) -> Self {
        let incidents = incidents.get(&server.id).copied().unwrap_or_default();
        let open = (incidents > 0).then_some(ServerCondition::Incident);
        let (mut bits, mut worst) = (0, ServerCondition::Exempt);
        for state in states.into_iter().chain(open) {
            bits |= 1 << state as u16;
            worst = worst.min(state);
        }
        Self { server, policies: 0..0, states: bits, worst, oldest: None, incidents }
    }

    const fn is_in(&self, state: ServerCondition) -> bool {
        self.states & (1 << state as u16) != 0
    }

    /// The worse state first. Among those that are in a bad one, the older last good point; then by name.
    fn worse_first(&self, other: &Self) -> Ordering {
        let age = |one: &Self| if one.worst <= ServerCondition::Never { one.oldest } else { None };
        (self.worst, age(self))
            .cmp(&(other.worst, age(other)))
            .then_with(|| by_name(&self.server.name, &other.server.name))
            .then_with(|| self.server.id.cmp(&other.server.id))
    }

    fn listed(self) -> ListedServer {
        let Self { server, policies, worst, incidents, .. } = self;
        ListedServer { server: server.clone(), policies, worst, incidents }
    }
}

/// Orders names as people do: `web-2` before `web-10`.
fn by_name(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (head_a, digits_a, rest_a) = head(a);
        let (head_b, digits_b, rest_b) = head(b);
        let (number_a, number_b) = (digits_a.trim_start_matches('0'), digits_b.trim_start_matches('0'));
        let order = head_a.cmp(head_b).then(number_a.len().cmp(&number_b.len())).then(number_a.cmp(number_b));
        if order != Ordering::Equal || (rest_a.is_empty() && rest_b.is_empty()) {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
}

/// What comes before the first digits, those, and the rest.
fn head(text: &str) -> (&str, &str, &str) {
    let is_digit = |c: char| c.is_ascii_digit();
    let (head, tail) = text.split_at(text.find(is_digit).unwrap_or(text.len()));
    let (digits, rest) = tail.split_at(tail.find(|c| !is_digit(c)).unwrap_or(tail.len()));
    (head, digits, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_as_people_do() {
        let mut names = ["web-10", "web-2", "web", "db-1", "web-02", "web-2a", "", "9", "10"];
        names.sort_by(|a, b| by_name(a, b));
        assert_eq!(names, ["", "9", "10", "db-1", "web", "web-2", "web-02", "web-2a", "web-10"]);
    }
}
