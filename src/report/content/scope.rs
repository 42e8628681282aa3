//! PURE: which policies and servers a message is about, and the commands to look closer.

use std::collections::BTreeSet;

use crate::journal::notice::Notice;
use crate::policy::inventory::ServerRef;
use crate::report::content::blocks::Block;
use crate::report::message_data::TimedNotice;
use crate::report::text::{count, names, plain, shortened};

/// At most this many servers are shown in full; the others by name.
pub(super) const ROWS: usize = 50;
/// At most this many names are listed.
pub(super) const NAMES: usize = 200;

/// `nightly on web-server-01`, `nightly on 100 servers`, `2 policies on web-server-01`; empty without either.
pub(super) fn scope<'a>(all: impl Iterator<Item = &'a Notice>) -> String {
    let (mut policies, mut servers) = (BTreeSet::new(), BTreeSet::new());
    for notice in all {
        policies.extend(notice.policy.as_deref());
        servers.extend(notice.server.as_ref());
    }
    let what = match policies.len() {
        0 => None,
        1 => policies.first().map(|name| (*name).to_owned()),
        number => Some(format!("{number} policies")),
    };
    let on = match servers.len() {
        0 => None,
        1 => servers.first().map(|server| shortened(&plain(&server.name), 64)),
        number => Some(count(number, "server")),
    };
    match (what, on) {
        (Some(what), Some(on)) => format!("{what} on {on}"),
        (one, other) => one.or(other).unwrap_or_default(),
    }
}

/// The tag of a subject and the scope, where there is one.
pub(super) fn headline(tag: &str, scope: &str) -> String {
    if scope.is_empty() { tag.to_owned() } else { format!("{tag} {scope}") }
}

/// The server and the policy, with their labels.
pub(super) fn scope_facts(notice: &Notice) -> Vec<(String, String)> {
    let server = notice.server.as_ref();
    let server = server.map(|server| ("Server".to_owned(), format!("{} (id {})", server.name, server.id)));
    let policy = notice.policy.as_ref().map(|name| {
        let of_kind = |kind: crate::policy::inventory::Kind| format!("{name} ({})", kind.plural());
        ("Policy".to_owned(), notice.kind.map_or_else(|| name.to_string(), of_kind))
    });
    server.into_iter().chain(policy).collect()
}

/// The title of a row: the server, and the policy if it is not the same for all.
pub(super) fn title_of(server: Option<&ServerRef>, policy: &str) -> String {
    let server = server.map_or("", |server| server.name.as_str());
    match (server, policy) {
        ("", policy) => policy.to_owned(),
        (server, "") => server.to_owned(),
        (server, policy) => format!("{server}, {policy}"),
    }
}

/// Those that are not shown in full, by the names of their servers.
pub(super) fn the_rest<'a>(rest: impl Iterator<Item = &'a TimedNotice>) -> Option<Block> {
    let rest: Vec<&str> = rest.filter_map(|one| one.notice.server.as_ref()).map(|one| one.name.as_str()).collect();
    (!rest.is_empty()).then(|| Block::Text(format!("And {} more: {}", rest.len(), names(rest.iter().copied(), NAMES))))
}

/// A single command as it is; for several, the overview and the first two.
pub(super) fn commands(all: impl Iterator<Item = String>) -> Block {
    let all: BTreeSet<String> = all.collect();
    let overview = (all.len() > 1).then(|| "lastgood status".to_owned());
    let few = if all.len() > 1 { 2 } else { 1 };
    Block::Commands(overview.into_iter().chain(all.into_iter().take(few)).collect())
}

/// The command that shows the runs on a notice's server, or the overview if there is none.
pub(super) fn history_of(notice: &Notice) -> String {
    notice.server.as_ref().map_or_else(
        || "lastgood status".to_owned(),
        |server| format!("lastgood history --server {}", quoted(&server.name)),
    )
}

/// A word quoted for a shell: names from outside may contain anything.
pub(super) fn quoted(word: &str) -> String {
    let word = plain(word);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:/@%+=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
