//! PURE: decides which notices share a message: those within `group_wait` of the first pending notice of their kind.
//! Groups close by the time that is passed in; a clock that was set back closes them rather than keeping them open.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use jiff::Timestamp;

use crate::journal::notice::Notice;
use crate::policy::inventory::ServerRef;
use crate::policy::name::PolicyName;
use crate::report::message_data::{MailKind, MessageData, TimedNotice};

/// A notice that a report has not sent yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// The notice's key in the store; larger is later.
    pub id: i64,
    /// When it happened.
    pub at: Timestamp,
    /// The incident that it belongs to, if any.
    pub incident: Option<i64>,
    /// What happened.
    pub notice: Notice,
}

/// Notices that share a message that is due now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// Their keys, ascending.
    pub ids: Vec<i64>,
    /// Their incidents, ascending, each once.
    pub incidents: Vec<i64>,
    /// When the first of them happened.
    pub opened_at: Timestamp,
    /// What the message is about.
    pub data: MessageData,
}

/// The groups that close now, the earliest first. With `flush` all close, because the process ends or runs by hand.
#[must_use]
pub(crate) fn groups(pending: &[Pending], group_wait: Duration, now: Timestamp, flush: bool) -> Vec<Group> {
    let mut closed: Vec<Group> = windows(pending, group_wait)
        .into_iter()
        .filter(|(_, window)| flush || closes_at(window, group_wait) <= now || began_after(window, now))
        .filter_map(|(kind, window)| group(kind, &window))
        .collect();
    closed.sort_by(|a, b| (a.opened_at, &a.ids).cmp(&(b.opened_at, &b.ids)));
    closed
}

/// When the next open group closes: the moment to call `groups` again.
#[must_use]
pub(crate) fn next_close(pending: &[Pending], group_wait: Duration) -> Option<Timestamp> {
    windows(pending, group_wait).iter().map(|(_, window)| closes_at(window, group_wait)).min()
}

type Window<'a> = Vec<&'a Pending>;

/// Notices of one kind, split where one comes `group_wait` or more after the first of its window.
fn windows(pending: &[Pending], group_wait: Duration) -> Vec<(MailKind, Window<'_>)> {
    let mut by_kind: BTreeMap<MailKind, Window<'_>> = BTreeMap::new();
    for one in pending {
        by_kind.entry(MailKind::of(&one.notice.fact)).or_default().push(one);
    }
    let mut windows: Vec<(MailKind, Window<'_>)> = Vec::new();
    for (kind, mut all) in by_kind {
        all.sort_by_key(|one| (one.at, one.id));
        let mut window: Window<'_> = Vec::new();
        for one in all {
            if window.first().is_some_and(|first| one.at >= later(first.at, group_wait)) {
                windows.push((kind, std::mem::take(&mut window)));
            }
            window.push(one);
        }
        windows.push((kind, window));
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

fn group(kind: MailKind, window: &Window<'_>) -> Option<Group> {
    let opened_at = window.first()?.at;
    let mut ids: Vec<i64> = window.iter().map(|one| one.id).collect();
    ids.sort_unstable();
    let mut incidents: Vec<i64> = window.iter().filter_map(|one| one.incident).collect();
    incidents.sort_unstable();
    incidents.dedup();
    let all = window.iter().map(|one| TimedNotice::new(one.at, one.notice.clone()));
    let all = if matches!(kind, MailKind::Failed | MailKind::Stale) { latest(all) } else { all.collect() };
    Some(Group { ids, incidents, opened_at, data: MessageData::Notices(kind, all) })
}

/// The last notice of each policy and server: if a policy fails again within the window, only the last failure counts.
/// What its earlier runs did is shown with it, because a mail never hides a delete.
fn latest(all: impl Iterator<Item = TimedNotice>) -> Vec<TimedNotice> {
    let mut kept: Vec<TimedNotice> = Vec::new();
    let mut known: BTreeMap<(PolicyName, Option<ServerRef>), usize> = BTreeMap::new();
    for mut one in all {
        let Some(policy) = one.notice.policy.clone() else {
            kept.push(one);
            continue;
        };
        match known.entry((policy, one.notice.server.clone())) {
            Entry::Occupied(index) => {
                let earlier = &mut kept[*index.get()];
                one.replaced = std::mem::take(&mut earlier.replaced);
                one.replaced.push(std::mem::replace(&mut earlier.notice, one.notice.clone()));
                *earlier = one;
            }
            Entry::Vacant(entry) => {
                entry.insert(kept.len());
                kept.push(one);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests;
