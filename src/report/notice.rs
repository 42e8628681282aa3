//! PURE: what a person should know besides failures: brakes, missed due times, servers that are gone, a second
//! lastgood, a reload that was refused. Data here, worded here; notices of one sort are told together.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::inventory::{Id, Kind, ServerRef};
use crate::report::content::{Block, Content, Frame, NAMES, Tone, commands, place, place_facts, the_rest};
use crate::report::facts::{Class, Good};
use crate::report::text::{between, count, plain, span};

/// So many notices of a sort are told one by one.
const EACH: usize = 30;

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// A new journal found points of ours: holds are gone, deletes are braked.
    NewJournal {
        /// How many own points it found.
        points: usize,
        /// On how many servers.
        servers: usize,
    },
    /// A point carries our mark that this journal neither made nor saw at first: a second lastgood uses the account.
    SecondLastgood {
        /// Where; deletes there have stopped.
        server: ServerRef,
        /// The points.
        ids: Vec<Id>,
    },
    /// A server is no longer in the account's list.
    ServerGone {
        /// Which.
        server: ServerRef,
        /// The policies that were for it.
        policies: Vec<String>,
        /// Its last good point, which is never pruned.
        last_good: Option<Good>,
    },
    /// Due times passed without a run.
    Missed {
        /// Where.
        server: ServerRef,
        /// Of which policy.
        policy: String,
        /// Which, oldest first.
        dues: Vec<Timestamp>,
        /// When one run makes up for them; `None` when none does.
        caught_up: Option<Timestamp>,
        /// The next due time.
        next: Option<Timestamp>,
    },
    /// A server that we stopped does not run again.
    NotStarted {
        /// Which.
        server: ServerRef,
        /// For which policy it was stopped.
        policy: String,
        /// Since when it stands still.
        since: Timestamp,
        /// Why the start failed.
        cause: String,
    },
    /// A point has been in progress for longer than `stuck_after`.
    Stuck {
        /// Where.
        server: ServerRef,
        /// Of which policy.
        policy: String,
        /// What it is.
        kind: Kind,
        /// The point.
        id: Id,
        /// Since when.
        since: Timestamp,
    },
    /// A changed policy file was refused; the old one stays.
    ReloadRefused {
        /// Which file.
        file: String,
        /// What is wrong with it.
        errors: Vec<String>,
    },
    /// A brake kept points that retention would have deleted.
    BrakeKept {
        /// Where.
        server: ServerRef,
        /// Of which policy.
        policy: String,
        /// What they are.
        kind: Kind,
        /// The points that stayed.
        ids: Vec<Id>,
        /// The most deletes of one run.
        limit: u32,
    },
    /// A matter of another sort.
    Other {
        /// Where, if on one server.
        server: Option<ServerRef>,
        /// Of which policy, if of one.
        policy: Option<String>,
        /// What the subject says.
        headline: String,
        /// What it means and what to do.
        text: String,
    },
}

impl Notice {
    /// A server that we stopped and that does not run is a failure, the rest are warnings.
    #[must_use]
    pub fn class(&self) -> Class {
        if matches!(self, Self::NotStarted { .. }) { Class::Failure } else { Class::Warning }
    }

    fn server(&self) -> Option<&ServerRef> {
        match self {
            Self::NewJournal { .. } | Self::ReloadRefused { .. } => None,
            Self::Other { server, .. } => server.as_ref(),
            Self::SecondLastgood { server, .. }
            | Self::ServerGone { server, .. }
            | Self::Missed { server, .. }
            | Self::NotStarted { server, .. }
            | Self::Stuck { server, .. }
            | Self::BrakeKept { server, .. } => Some(server),
        }
    }

    fn policy(&self) -> Option<&str> {
        match self {
            Self::Missed { policy, .. }
            | Self::NotStarted { policy, .. }
            | Self::Stuck { policy, .. }
            | Self::BrakeKept { policy, .. } => Some(policy),
            Self::Other { policy, .. } => policy.as_deref(),
            _ => None,
        }
    }

    /// What notices of one sort have in common, in a few words.
    fn sort(&self) -> String {
        match self {
            Self::NewJournal { .. } => "a new journal found own restore points, holds are gone".to_owned(),
            Self::SecondLastgood { .. } => "a second lastgood uses this account, deletes stopped".to_owned(),
            Self::ServerGone { .. } => "gone from the account".to_owned(),
            Self::Missed { .. } => "due times were missed".to_owned(),
            Self::NotStarted { .. } => "stopped by us and not started again".to_owned(),
            Self::Stuck { kind, .. } => format!("a {kind} is stuck"),
            Self::ReloadRefused { .. } => "the changed policy file is refused, the old one stays".to_owned(),
            Self::BrakeKept { .. } => "a brake kept points from being deleted".to_owned(),
            Self::Other { headline, .. } => plain(headline),
        }
    }

    /// What it means and what to do.
    fn text(&self, frame: &Frame) -> String {
        match self {
            Self::NewJournal { points, servers } => format!(
                "The state folder is new, but {} on {} carry our mark. They are ours again. Holds that people had placed \
                 are gone: place them again with `lastgood hold`. Until you have looked, each run deletes only what its \
                 brake allows.",
                count(*points, "restore point"),
                count(*servers, "server")
            ),
            Self::SecondLastgood { ids, .. } => format!(
                "{} carry our mark, but this journal neither made them nor saw them at first: {}. Give each lastgood \
                 on the account its own provider.instance. Nothing is deleted on this server until then.",
                count(ids.len(), "restore point"),
                listed(ids)
            ),
            Self::ServerGone { policies, last_good, .. } => format!(
                "The account no longer lists it. Policies: {}. Last good: {}. Its points are never pruned. Take it out \
                 of the policy file if that was meant.",
                if policies.is_empty() { "none".to_owned() } else { policies.join(", ") },
                last_good.as_ref().map_or_else(|| "none".to_owned(), |good| frame.past(good.created_at))
            ),
            Self::Missed { dues, caught_up, next, .. } => missed(dues, *caught_up, *next, frame),
            Self::NotStarted { policy, since, cause, .. } => format!(
                "lastgood stopped it for {policy} and has not been able to start it since {}: {}. It goes on trying. \
                 Start the server in the provider's panel if it is needed now.",
                frame.past(*since),
                plain(cause)
            ),
            Self::Stuck { kind, id, since, .. } => format!(
                "{kind} {id} has been in progress since {}, for {}. It is looked at again at the next run and never \
                 deleted while in progress; ask the provider if it stays.",
                frame.moment(*since),
                span(between(*since, frame.now))
            ),
            Self::ReloadRefused { file, errors } => format!(
                "{file} has {}. lastgood goes on with the file as it was before. `lastgood check` shows them in place.",
                count(errors.len(), "error")
            ),
            Self::BrakeKept { kind, ids, limit, .. } => format!(
                "A run may delete {limit} at most. {} that retention would drop stayed: {}. The next runs go on with \
                 them; max_deletes raises the limit.",
                count(ids.len(), kind.word()),
                listed(ids)
            ),
            Self::Other { text, .. } => text.clone(),
        }
    }

    fn command(&self) -> String {
        match self {
            Self::ReloadRefused { file, .. } => format!("lastgood check --config {}", quoted(file)),
            Self::NewJournal { .. } => "lastgood list backups".to_owned(),
            _ => self.server().map_or_else(
                || "lastgood status".to_owned(),
                |one| format!("lastgood history --server {}", quoted(&one.name)),
            ),
        }
    }
}

/// A word as a shell takes it: names from outside may hold anything.
#[must_use]
pub fn quoted(word: &str) -> String {
    let word = plain(word);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:/@%+=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

fn listed(ids: &[Id]) -> String {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    crate::report::text::names(texts.iter().map(String::as_str), 20)
}

fn missed(dues: &[Timestamp], caught_up: Option<Timestamp>, next: Option<Timestamp>, frame: &Frame) -> String {
    let shown: Vec<String> = dues.iter().take(10).map(|due| frame.moment(*due)).collect();
    let more = dues.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let made_up = caught_up.map_or_else(
        || "No run makes up for it.".to_owned(),
        |at| format!("One run makes up for it, {}.", frame.future(at)),
    );
    let next = next.map(|at| format!(" Next due time: {}.", frame.future(at))).unwrap_or_default();
    format!("Missed: {}{more}. {made_up}{next}", shown.join(", "))
}

/// Notices in the order of their first of a sort.
fn by_sort(all: &[Notice]) -> Vec<(String, Vec<&Notice>)> {
    let mut sorts: Vec<(String, Vec<&Notice>)> = Vec::new();
    for notice in all {
        let sort = notice.sort();
        match sorts.iter_mut().find(|(known, _)| *known == sort) {
            Some((_, members)) => members.push(notice),
            None => sorts.push((sort, vec![notice])),
        }
    }
    sorts
}

/// The words for notices of one class.
pub(crate) fn compose(all: &[Notice], frame: &Frame) -> Content {
    let sorts = by_sort(all);
    let bad = all.iter().any(|notice| notice.class() == Class::Failure);
    let (tag, tone) = if bad { ("FAILED", Tone::Bad) } else { ("WARNING", Tone::Warn) };
    let headline = |(sort, members): &(String, Vec<&Notice>)| {
        let place = place(members.iter().map(|notice| (notice.policy(), notice.server())));
        if place.is_empty() { sort.clone() } else { format!("{place}: {sort}") }
    };
    let first = sorts.first().map(headline).unwrap_or_default();
    let subject = match sorts.len() {
        0 | 1 => format!("{tag} {first}"),
        number => format!("{tag} {first}, and {} more", count(number - 1, "matter")),
    };
    let mut content = frame.content(tone, subject, first.clone());
    content.preheader = all.first().map(|notice| notice.text(frame)).unwrap_or_default();
    for (index, (sort, members)) in sorts.iter().enumerate() {
        if index > 0 {
            content.blocks.push(Block::Heading(headline(&(sort.clone(), members.clone()))));
        }
        content.blocks.extend(members.iter().take(EACH).flat_map(|notice| told(notice, frame)));
        content.blocks.extend(the_rest(members.iter().skip(EACH).map(|notice| notice.server())));
    }
    let command: Vec<String> = all.iter().map(Notice::command).collect();
    content.blocks.push(Block::Commands(commands(command.iter().map(String::as_str))));
    content
}

fn told(notice: &Notice, frame: &Frame) -> Vec<Block> {
    let kind = match notice {
        Notice::Stuck { kind, .. } | Notice::BrakeKept { kind, .. } => Some(*kind),
        _ => None,
    };
    let facts = place_facts(notice.server(), notice.policy(), kind);
    let mut blocks = Vec::new();
    if !facts.is_empty() {
        blocks.push(Block::Facts(facts));
    }
    blocks.push(Block::Text(notice.text(frame)));
    if let Notice::ReloadRefused { errors, .. } = notice {
        blocks.push(Block::Items(errors.iter().take(NAMES).cloned().collect()));
    }
    blocks
}
