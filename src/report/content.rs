//! PURE: the facts of a mail become its subject and its sections. What is said is decided here, how it looks in
//! `render`. A subject tells the matter alone; every failure says when the last good restore point was made.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::policy::inventory::{Kind, ServerRef};
use crate::report::content::cluster::{clusters, in_short};
use crate::report::facts::{Affected, Good, Matter, Next, Stale};
use crate::report::text::{between, count, future, moment, names, past, plain, shortened, span};
use crate::report::{digest, notice};

mod bounded;
mod cluster;
mod well;

/// The longest subject: phones show far less, mail servers take far more.
const LONGEST_SUBJECT: usize = 180;
/// So many servers are told of one by one; the others by name.
const ROWS: usize = 50;
/// So many names are written out where there is no more to say than the name.
pub(crate) const NAMES: usize = 200;

/// When, where and for whom a mail is written.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The moment from which ages are counted.
    pub now: Timestamp,
    /// The zone in which the report's readers live.
    pub timezone: TimeZone,
    /// The `provider.instance` that writes.
    pub instance: String,
}

/// A mail without a shape: what is said, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Content {
    /// Begins `[lastgood] FAILED`, `STALE`, `RECOVERED`, `SUCCEEDED`, `WARNING` or `digest`. One line.
    pub subject: String,
    /// What a list of mails shows after the subject.
    pub preheader: String,
    /// The headline.
    pub title: String,
    /// How bad it is.
    pub tone: Tone,
    /// The sections.
    pub blocks: Vec<Block>,
    /// Who wrote it and in which zone its times are.
    pub footer: String,
}

/// How bad something is: a colour in HTML, a word in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Somebody has to act.
    Bad,
    /// Somebody should look.
    Warn,
    /// All is well.
    Good,
    /// Neither.
    Plain,
}

/// A section of a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", content = "it", rename_all = "snake_case")]
pub enum Block {
    /// A heading for what follows.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// Somebody else's words, as the provider's.
    Quote(String),
    /// Labels with their values.
    Facts(Vec<(String, String)>),
    /// A list.
    Items(Vec<String>),
    /// One thing after another, each with its lines.
    Rows(Vec<Row>),
    /// What the boxes of slots mean.
    Legend,
    /// Commands to type.
    Commands(Vec<String>),
}

/// One thing of many: a server, a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name.
    pub title: String,
    /// A word on its state, empty for none.
    pub state: String,
    /// How bad that state is.
    pub tone: Tone,
    /// Its slots; empty where slots are not the matter.
    pub slots: Vec<Slot>,
    /// What is said about it.
    pub lines: Vec<String>,
}

/// A box in the picture of a server's slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// Taken by a point of ours.
    Own,
    /// Taken by a point of somebody else.
    Foreign,
    /// Free.
    Free,
}

/// The words for a matter.
#[must_use]
pub fn compose(matter: &Matter, frame: &Frame) -> Content {
    let mut content = match matter {
        Matter::Failed(all) => failed(all, frame),
        Matter::Stale(all) => stale(all, frame),
        Matter::Recovered(all) => well::recovered(all, frame),
        Matter::Succeeded(all) => well::succeeded(all, frame),
        Matter::Notices(all) => notice::compose(all, frame),
        Matter::Digest(facts) => digest::compose(facts, frame),
    };
    content.subject = shortened(&plain(&format!("[lastgood] {}", content.subject)), LONGEST_SUBJECT);
    content.blocks = bounded::bounded(content.blocks);
    content
}

impl Frame {
    pub(crate) fn content(&self, tone: Tone, subject: String, title: String) -> Content {
        let zone = self.timezone.iana_name().unwrap_or("the zone of each time");
        let footer = format!(
            "Written by lastgood, instance {}, at {}. Times are in {zone}.",
            self.instance,
            moment(self.now, &self.timezone)
        );
        Content { subject, preheader: String::new(), title, tone, blocks: Vec::new(), footer }
    }

    pub(crate) fn past(&self, at: Timestamp) -> String {
        past(at, self.now, &self.timezone)
    }

    pub(crate) fn future(&self, at: Timestamp) -> String {
        future(at, self.now, &self.timezone)
    }

    pub(crate) fn moment(&self, at: Timestamp) -> String {
        moment(at, &self.timezone)
    }

    pub(crate) fn last_good(&self, good: Option<&Good>, kind: Option<Kind>) -> String {
        match good {
            Some(good) => format!("{}, {} {}", self.past(good.created_at), word(kind), good.id),
            None => format!("none: there is no completed {} of this policy to go back to", word(kind)),
        }
    }

    fn next(&self, next: Option<&Next>) -> Option<String> {
        Some(match next? {
            Next::Retry { at, retry, of } => format!("tried again {}, retry {retry} of {of}", self.future(*at)),
            Next::Due(at) => format!("nothing before the next due time, {}", self.future(*at)),
            Next::Person(what) => format!("nothing until a person acts: {what}"),
        })
    }
}

pub(crate) fn word(kind: Option<Kind>) -> &'static str {
    kind.map_or("restore point", Kind::word)
}

/// `nightly on web-server-01`, `nightly on 100 servers`, `2 policies on web-server-01`; empty without both.
pub(crate) fn place<'a>(all: impl Iterator<Item = (Option<&'a str>, Option<&'a ServerRef>)>) -> String {
    let (mut policies, mut servers) = (BTreeSet::new(), BTreeSet::new());
    for (policy, server) in all {
        policies.extend(policy);
        servers.extend(server);
    }
    let what = match policies.len() {
        0 => None,
        1 => policies.first().map(|name| (*name).to_owned()),
        number => Some(format!("{number} policies")),
    };
    let whose = match servers.len() {
        0 => None,
        1 => servers.first().map(|server| shortened(&plain(&server.name), 64)),
        number => Some(count(number, "server")),
    };
    match (what, whose) {
        (Some(what), Some(whose)) => format!("{what} on {whose}"),
        (one, other) => one.or(other).unwrap_or_default(),
    }
}

fn headline(tag: &str, place: &str) -> String {
    if place.is_empty() { tag.to_owned() } else { format!("{tag} {place}") }
}

fn failed(all: &[Affected], frame: &Frame) -> Content {
    let place = place(all.iter().map(|one| (one.policy.as_deref(), one.server.as_ref())));
    let clusters = clusters(all);
    let causes: Vec<String> = match clusters.as_slice() {
        [only] => vec![shortened(in_short(&only.cause), 120)],
        several => {
            several.iter().map(|one| format!("{}× {}", one.all.len(), shortened(in_short(&one.cause), 48))).collect()
        }
    };
    let subject = format!("{}: {}", headline("FAILED", &place), causes.join("; "));
    let title = if place.is_empty() { "Something failed".to_owned() } else { format!("{place} failed") };
    let mut content = frame.content(Tone::Bad, subject, title);
    content.preheader = preheader(all, frame);
    for cluster in &clusters {
        if clusters.len() > 1 {
            content.blocks.push(Block::Heading(count(cluster.all.len(), "failure")));
        }
        content.blocks.push(Block::Quote(cluster.cause.clone()));
        content.blocks.extend(match cluster.all.as_slice() {
            [only] => vec![Block::Facts(facts_of(only, frame))],
            several => rows_of(several, &cluster.cause, frame),
        });
    }
    content.blocks.push(Block::Commands(commands(all.iter().map(|one| one.command.as_str()))));
    content
}

fn preheader(all: &[Affected], frame: &Frame) -> String {
    let without = all.iter().filter(|one| one.last_good.is_none()).count();
    let oldest = all.iter().filter_map(|one| one.last_good.as_ref()).map(|good| good.created_at).min();
    match (oldest, without) {
        (Some(oldest), 0) => format!("Last good: {}", frame.past(oldest)),
        (Some(oldest), _) => {
            format!("{without} without any good restore point; oldest last good: {}", frame.past(oldest))
        }
        (None, _) => "There is no good restore point to go back to".to_owned(),
    }
}

fn facts_of(one: &Affected, frame: &Frame) -> Vec<(String, String)> {
    let mut facts = place_facts(one.server.as_ref(), one.policy.as_deref(), one.kind);
    facts.push(("When".to_owned(), frame.past(one.at)));
    // A matter without a policy has no restore point of its own to go back to.
    if one.policy.is_some() || one.last_good.is_some() {
        facts.push(("Last good".to_owned(), frame.last_good(one.last_good.as_ref(), one.kind)));
    }
    if !one.done.is_empty() {
        facts.push(("Done before".to_owned(), one.done.join("; ")));
    }
    facts.extend(frame.next(one.next.as_ref()).map(|next| ("Next".to_owned(), next)));
    facts
}

pub(crate) fn place_facts(
    server: Option<&ServerRef>,
    policy: Option<&str>,
    kind: Option<Kind>,
) -> Vec<(String, String)> {
    let server = server.map(|server| ("Server".to_owned(), format!("{} (id {})", server.name, server.id)));
    let policy = policy.map(|name| {
        ("Policy".to_owned(), kind.map_or_else(|| name.to_owned(), |kind| format!("{name} ({})", kind.plural())))
    });
    server.into_iter().chain(policy).collect()
}

fn rows_of(all: &[&Affected], cause: &str, frame: &Frame) -> Vec<Block> {
    let several_policies = all.iter().any(|one| one.policy != all[0].policy);
    let same_next = all.iter().all(|one| one.next == all[0].next);
    let mut blocks = Vec::new();
    if let Some(next) = frame.next(all[0].next.as_ref()).filter(|_| same_next) {
        blocks.push(Block::Facts(vec![("Next".to_owned(), next)]));
    }
    let row = |one: &&Affected| {
        let mut lines = vec![format!("Last good: {}", frame.last_good(one.last_good.as_ref(), one.kind))];
        let own = plain(&one.cause);
        if own != *cause {
            lines.insert(0, own);
        }
        if !one.done.is_empty() {
            lines.push(format!("Done before: {}", one.done.join("; ")));
        }
        lines.extend(frame.next(one.next.as_ref()).filter(|_| !same_next).map(|next| format!("Next: {next}")));
        let policy = one.policy.as_deref().filter(|_| several_policies).unwrap_or_default();
        Row {
            title: title_of(one.server.as_ref(), policy),
            state: String::new(),
            tone: Tone::Bad,
            slots: vec![],
            lines,
        }
    };
    blocks.push(Block::Rows(all.iter().take(ROWS).map(row).collect()));
    blocks.extend(the_rest(all.iter().skip(ROWS).map(|one| one.server.as_ref())));
    blocks
}

fn title_of(server: Option<&ServerRef>, policy: &str) -> String {
    let server = server.map_or("", |server| server.name.as_str());
    match (server, policy) {
        ("", policy) => policy.to_owned(),
        (server, "") => server.to_owned(),
        (server, policy) => format!("{server}, {policy}"),
    }
}

/// Those for which there is no room in rows, by name.
pub(crate) fn the_rest<'a>(rest: impl Iterator<Item = Option<&'a ServerRef>>) -> Option<Block> {
    let rest: Vec<&str> = rest.flatten().map(|server| server.name.as_str()).collect();
    (!rest.is_empty()).then(|| Block::Text(format!("And {} more: {}", rest.len(), names(rest.iter().copied(), NAMES))))
}

/// One command as it is; for several the overview and the first two.
pub(crate) fn commands<'a>(all: impl Iterator<Item = &'a str>) -> Vec<String> {
    let all: BTreeSet<&str> = all.filter(|command| !command.is_empty()).collect();
    let overview = (all.len() > 1).then_some("lastgood status");
    let few = if all.len() > 1 { 2 } else { 1 };
    overview.into_iter().chain(all.into_iter().take(few)).map(str::to_owned).collect()
}

fn stale(all: &[Stale], frame: &Frame) -> Content {
    let place = place(all.iter().map(|one| (one.affected.policy.as_deref(), one.affected.server.as_ref())));
    let oldest = all.iter().filter_map(|one| one.affected.last_good.as_ref()).map(|good| good.created_at).min();
    let without = all.iter().filter(|one| one.affected.last_good.is_none()).count();
    let age = oldest.map(|oldest| span(between(oldest, frame.now)));
    let short = match (all, age, without) {
        ([one], Some(age), _) => format!("last good {age} ago (limit {})", span(one.max_age)),
        ([one], None, _) => format!("no good restore point (limit {})", span(one.max_age)),
        (_, Some(age), 0) => format!("oldest last good {age} ago"),
        (_, Some(age), without) => format!("{without} without any good restore point, oldest last good {age} ago"),
        (_, None, _) => "no good restore points".to_owned(),
    };
    let mut content = frame.content(
        Tone::Bad,
        format!("{}: {short}", headline("STALE", &place)),
        format!("{place}: the last good restore point is too old"),
    );
    let affected: Vec<Affected> = all.iter().map(|one| one.affected.clone()).collect();
    content.preheader = preheader(&affected, frame);
    for one in all.iter().take(ROWS) {
        let mut facts = facts_of(&one.affected, frame);
        facts.push(("Limit".to_owned(), span(one.max_age)));
        if !one.affected.cause.is_empty() {
            facts.push(("Cause".to_owned(), plain(&one.affected.cause)));
        }
        content.blocks.push(Block::Facts(facts));
    }
    content.blocks.extend(the_rest(all.iter().skip(ROWS).map(|one| one.affected.server.as_ref())));
    content.blocks.push(Block::Commands(commands(all.iter().map(|one| one.affected.command.as_str()))));
    content
}

#[cfg(test)]
mod tests;
