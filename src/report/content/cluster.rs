//! PURE: groups failures with the same cause.

use std::collections::BTreeMap;

use crate::policy::inventory::ServerRef;
use crate::report::message_data::TimedNotice;
use crate::report::text::plain;

/// Failures with the same cause. Ids, tokens and the server's own name may differ within it.
pub(super) struct Cluster<'a> {
    /// In the provider's words.
    pub cause: String,
    /// The worst first.
    pub all: Vec<&'a TimedNotice>,
}

/// Groups failures by cause, the most frequent first.
pub(super) fn clusters(all: &[TimedNotice]) -> Vec<Cluster<'_>> {
    let mut by_key: BTreeMap<String, Cluster<'_>> = BTreeMap::new();
    for one in all {
        let cause = plain(&one.notice.to_string());
        by_key
            .entry(cause_key(&cause, one.notice.server.as_ref()))
            .or_insert_with(|| Cluster { cause, all: Vec::new() })
            .all
            .push(one);
    }
    let mut clusters: Vec<_> = by_key.into_values().collect();
    for cluster in &mut clusters {
        // Worst first: no good point at all, then the oldest.
        let good = |one: &TimedNotice| one.notice.fact.last_good().map(|good| good.created_at);
        cluster.all.sort_by_key(|one| (good(one), one.notice.server.clone()));
    }
    clusters.sort_by(|a, b| b.all.len().cmp(&a.all.len()).then_with(|| a.cause.cmp(&b.cause)));
    clusters
}

/// The first clause of a cause; the mail quotes all of it.
pub(super) fn in_short(cause: &str) -> &str {
    cause.split("; ").next().unwrap_or(cause)
}

/// A cause without what is specific to one server. Short numbers stay: `500` and `503` are different causes.
fn cause_key(cause: &str, server: Option<&ServerRef>) -> String {
    let cause = match server.map(|server| plain(&server.name)) {
        Some(name) if name.len() > 2 => cause.replace(&name, "#"),
        _ => cause.to_owned(),
    };
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == ':';
    let mut key = String::with_capacity(cause.len());
    for piece in cause.split_inclusive(|c: char| !is_part(c)) {
        let digits = piece.bytes().filter(u8::is_ascii_digit).count();
        if digits >= 4 {
            key.push('#');
            key.extend(piece.chars().last().filter(|last| !is_part(*last)));
        } else {
            key.push_str(piece);
        }
    }
    key
}
