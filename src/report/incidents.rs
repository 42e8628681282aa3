//! PURE: which facts are told together. What happens within `group_wait` of the first untold fact of its sort is one
//! mail. Groups close by the time handed in; a clock that was set back closes them rather than leaving them open.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use jiff::Timestamp;

use crate::policy::inventory::ServerRef;
use crate::report::facts::{Affected, Class, Fact, Matter};

/// A fact that a report has not told yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The event's key in the store; larger is later.
    pub event_id: i64,
    /// When it happened.
    pub at: Timestamp,
    /// The incident that it belongs to, if any.
    pub incident: Option<i64>,
    /// What happened.
    pub fact: Fact,
}

/// Facts that make one mail, now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What sort of facts they are.
    pub class: Class,
    /// The events that this mail tells, ascending.
    pub event_ids: Vec<i64>,
    /// The incidents among them, ascending, each once: their threads, when mails come to have threads.
    pub incidents: Vec<i64>,
    /// When the first of them happened.
    pub opened_at: Timestamp,
    /// What the mail is about.
    pub matter: Matter,
}

/// The groups that close now, the earliest first. With `flush` all close: the process ends, or runs by hand.
#[must_use]
pub fn groups(pending: &[Pending], group_wait: Duration, now: Timestamp, flush: bool) -> Vec<Group> {
    let mut closed: Vec<Group> = windows(pending, group_wait)
        .into_iter()
        .filter(|window| flush || closes_at(window, group_wait) <= now || began_after(window, now))
        .filter_map(|window| group(&window))
        .collect();
    closed.sort_by(|a, b| (a.opened_at, &a.event_ids).cmp(&(b.opened_at, &b.event_ids)));
    closed
}

/// When the next group closes, if any is open: the moment to call `groups` again.
#[must_use]
pub fn next_close(pending: &[Pending], group_wait: Duration) -> Option<Timestamp> {
    windows(pending, group_wait).iter().map(|window| closes_at(window, group_wait)).min()
}

type Window<'a> = Vec<&'a Pending>;

/// Facts of one sort, cut wherever one comes `group_wait` or more after the first of its window.
fn windows(pending: &[Pending], group_wait: Duration) -> Vec<Window<'_>> {
    let mut by_sort: BTreeMap<(Class, bool), Window<'_>> = BTreeMap::new();
    for one in pending {
        // A notice may be as bad as a failed run, but is another mail: the two are told in different words.
        by_sort.entry((one.fact.class(), matches!(one.fact, Fact::Notice(_)))).or_default().push(one);
    }
    let mut windows: Vec<Window<'_>> = Vec::new();
    for mut sort in by_sort.into_values() {
        sort.sort_by_key(|one| (one.at, one.event_id));
        let mut window: Window<'_> = Vec::new();
        for one in sort {
            if window.first().is_some_and(|first| one.at >= later(first.at, group_wait)) {
                windows.push(std::mem::take(&mut window));
            }
            window.push(one);
        }
        windows.push(window);
    }
    windows
}

fn closes_at(window: &Window<'_>, group_wait: Duration) -> Timestamp {
    window.first().map_or(Timestamp::MAX, |first| later(first.at, group_wait))
}

fn began_after(window: &Window<'_>, now: Timestamp) -> bool {
    window.first().is_some_and(|first| first.at > now)
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn group(window: &Window<'_>) -> Option<Group> {
    let first = window.first()?;
    let mut event_ids: Vec<i64> = window.iter().map(|one| one.event_id).collect();
    event_ids.sort_unstable();
    let mut incidents: Vec<i64> = window.iter().filter_map(|one| one.incident).collect();
    incidents.sort_unstable();
    incidents.dedup();
    let matter = matter(&first.fact, window);
    Some(Group { class: first.fact.class(), event_ids, incidents, opened_at: first.at, matter })
}

fn matter(first: &Fact, window: &Window<'_>) -> Matter {
    let facts = || window.iter().map(|one| one.fact.clone());
    match first {
        Fact::Failed(_) => {
            let failed = facts().filter_map(|fact| if let Fact::Failed(it) = fact { Some(it) } else { None });
            Matter::Failed(latest(failed, |it| it))
        }
        Fact::Stale(_) => {
            let stale = facts().filter_map(|fact| if let Fact::Stale(it) = fact { Some(it) } else { None });
            Matter::Stale(latest(stale, |it| &mut it.affected))
        }
        Fact::Recovered(_) => Matter::Recovered(
            facts().filter_map(|fact| if let Fact::Recovered(it) = fact { Some(it) } else { None }).collect(),
        ),
        Fact::Succeeded(_) => Matter::Succeeded(
            facts().filter_map(|fact| if let Fact::Succeeded(it) = fact { Some(it) } else { None }).collect(),
        ),
        Fact::Notice(_) => Matter::Notices(
            facts().filter_map(|fact| if let Fact::Notice(it) = fact { Some(it) } else { None }).collect(),
        ),
    }
}

/// The last of each policy and server: a run that fails again within the window has one thing to say. What the
/// earlier ones did is said with it, as a mail hides no delete.
fn latest<T>(all: impl Iterator<Item = T>, affected: impl Fn(&mut T) -> &mut Affected) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    let mut places: BTreeMap<(String, Option<ServerRef>), usize> = BTreeMap::new();
    for mut one in all {
        let about = affected(&mut one);
        let Some(policy) = about.policy.clone() else {
            kept.push(one);
            continue;
        };
        match places.entry((policy, about.server.clone())) {
            Entry::Occupied(place) => {
                let known = &mut kept[*place.get()];
                let earlier = std::mem::take(&mut affected(known).done);
                about.done.splice(0..0, earlier);
                *known = one;
            }
            Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(one);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests;
