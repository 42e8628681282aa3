//! PURE: what people should know besides failed and stale policies: brakes, missed due times, servers that are gone or
//! do not start, a second lastgood, a refused reload. Notices with the same headline are grouped.

use crate::journal::debt::release_command;
use crate::journal::notice::{Fact, FoundServer, LatestDue, MissedDueTimes, Notice, Topic};
use crate::policy::inventory::PointId;
use crate::policy::name::PolicyName;
use crate::report::content::blocks::{Block, Content, Tone};
use crate::report::content::context::{MailContext, word};
use crate::report::content::not_started;
use crate::report::content::scope::{NAMES, commands, history_of, quoted, scope, scope_facts, the_rest};
use crate::report::message_data::{MailKind, TimedNotice};
use crate::report::text::{between, count, plain, span};

/// At most this many notices with the same headline are shown in full.
const EACH: usize = 30;

/// The words for notices of one kind.
pub(super) fn compose(all: &[TimedNotice], context: &MailContext) -> Content {
    let groups = by_headline(all);
    let bad = all.iter().any(|one| MailKind::of(&one.notice.fact) == MailKind::NotStarted);
    let (tag, tone) = if bad { ("FAILED", Tone::Bad) } else { ("WARNING", Tone::Warn) };
    let first = groups.first().map(title).unwrap_or_default();
    let subject = match groups.len() {
        0 | 1 => format!("{tag} {first}"),
        number => format!("{tag} {first}, and {} more", number - 1),
    };
    let mut content = context.content(tone, subject, first);
    content.preheader = all.first().map(|one| text(&one.notice, context)).unwrap_or_default();
    for (index, group) in groups.iter().enumerate() {
        if index > 0 {
            content.blocks.push(Block::Heading(title(group)));
        }
        content.blocks.extend(group.1.iter().take(EACH).flat_map(|one| blocks(&one.notice, context)));
        content.blocks.extend(the_rest(group.1.iter().skip(EACH).copied()));
    }
    content.blocks.push(commands(all.iter().flat_map(|one| commands_for(&one.notice))));
    content
}

/// Notices by headline, in the order in which each headline first appears.
fn by_headline(all: &[TimedNotice]) -> Vec<(String, Vec<&TimedNotice>)> {
    let mut groups: Vec<(String, Vec<&TimedNotice>)> = Vec::new();
    for one in all {
        let headline = headline(&one.notice);
        match groups.iter_mut().find(|(known, _)| *known == headline) {
            Some((_, members)) => members.push(one),
            None => groups.push((headline, vec![one])),
        }
    }
    groups
}

fn title((headline, members): &(String, Vec<&TimedNotice>)) -> String {
    let scope = scope(members.iter().map(|one| &one.notice));
    if scope.is_empty() { headline.clone() } else { format!("{scope}: {headline}") }
}

/// What happened, in a few words that similar notices share.
fn headline(notice: &Notice) -> String {
    let kind = word(notice.kind);
    let words = match &notice.fact {
        Fact::Missed(_) => "due times were missed",
        Fact::ClockCorrected { .. } => "the clock was wrong",
        Fact::ServerGone { .. } => "gone from the account",
        Fact::ServerNotStarted(_) => "not seen running since lastgood stopped it",
        Fact::ServerListDoubtful { .. } => "the list of the account's servers is doubtful",
        Fact::ServerListUnreadable { .. } => "the account's servers cannot be listed",
        Fact::NewJournal { .. } => "the journal is new, holds are lost",
        Fact::SecondLastgood { .. } => "a second lastgood may be running, deletes are stopped",
        Fact::Braked { .. } => "something looks wrong, deletes wait for you",
        Fact::MoreToDelete { .. } => "more to delete than one run may",
        Fact::Stuck { .. } => return format!("a {kind} is stuck"),
        Fact::DatedInFuture { .. } => return format!("a {kind} is dated in the future"),
        Fact::LeftOver { .. } => return format!("a {kind} appeared that may be ours"),
        Fact::CommandCutOff { .. } => "a command was cut off",
        Fact::ReloadRefused { .. } => "the changed policy file was refused",
        Fact::Overfilled { .. } => "the policies need more slots than there are",
        Fact::General { topic, .. } => general(*topic),
        // These have mails of their own.
        Fact::Failed(_) | Fact::Succeeded(_) | Fact::Recovered(_) | Fact::Stale(_) => "notice",
    };
    words.to_owned()
}

/// The headline of a notice that was stored as text.
const fn general(topic: Topic) -> &'static str {
    match topic {
        Topic::Missed => "due times were missed",
        Topic::ServerGone => "gone from the account",
        Topic::NewJournal => "the journal is new, holds are lost",
        Topic::SecondLastgood => "a second lastgood may be running, deletes are stopped",
        Topic::Brake => "something looks wrong, deletes wait for you",
        Topic::Attention => "needs attention",
        Topic::Clock => "the clock was wrong",
        Topic::Reload => "the changed policy file was refused",
        Topic::Overfilled => "the policies need more slots than there are",
        Topic::ServerStopped => "not seen running since lastgood stopped it",
        Topic::Run | Topic::Stale => "notice",
    }
}

/// What it means and what to do.
fn text(notice: &Notice, context: &MailContext) -> String {
    let kind = word(notice.kind);
    match &notice.fact {
        Fact::Missed(missed) => missed_due_times(missed, context),
        Fact::ServerNotStarted(it) => not_started::text(it, notice.server.as_ref(), context),
        Fact::ClockCorrected { handled, corrected } => format!(
            "The last handled due time was {}, in the future. It was corrected to {}; no due time runs twice.",
            context.due(*handled),
            context.due(*corrected)
        ),
        Fact::ServerGone { policies } => format!(
            "The account no longer lists it. Policies: {}. None of its points is pruned. Remove it from the policy \
             file if it is meant to be gone.",
            policies.iter().map(PolicyName::as_str).collect::<Vec<_>>().join(", ")
        ),
        Fact::Stuck { id, created_at, stuck_after_seconds } => {
            let since =
                created_at.map(|at| format!(" since {}, for {}", context.moment(at), span(between(at, context.now))));
            let limit = span(std::time::Duration::from_secs(*stuck_after_seconds));
            format!(
                "{} has been in progress{}, which is longer than {limit} (stuck_after). The next run looks at it \
                 again, and it is never deleted while in progress; ask the provider if this persists.",
                point(kind, id),
                since.unwrap_or_default()
            )
        }
        Fact::DatedInFuture { id, created_at } => {
            let dated = created_at.map(|at| format!(" {}", context.moment(at))).unwrap_or_default();
            format!("{} is dated{dated}, in the future. It is kept but not counted.", point(kind, id))
        }
        Fact::MoreToDelete { left, max_deletes } => format!(
            "A run may delete at most {max_deletes}. {} that retention drops stayed and will be deleted by the next \
             runs; raise max_deletes to delete more at once.",
            count(usize::try_from(*left).unwrap_or(usize::MAX), &format!("more {kind}"))
        ),
        Fact::LeftOver { id, created_at } => format!(
            "The answer to a create was lost, so it was sent again and created a good {kind}. Since then {kind} {id} of \
             {} has appeared, with no text that says whose it is. Look at it, and delete it if nobody needs it: it \
             takes a slot that retention never frees.",
            context.moment(*created_at)
        ),
        Fact::CommandCutOff { command, accepted, server } => cut_off(command, *accepted, server),
        Fact::Braked { .. } => {
            "Deletes wait until somebody has looked: `lastgood plan` shows more, `lastgood accept` lets them continue."
                .into()
        }
        Fact::ReloadRefused { .. } => {
            "The previous file stays in force. Fix the new one, then reload again. It was refused because of:"
                .to_owned()
        }
        _ => full_stop(capital(&notice.to_string())),
    }
}

fn capital(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn full_stop(sentence: String) -> String {
    if sentence.ends_with(['.', '!', '?', '…']) { sentence } else { sentence + "." }
}

/// A point at the beginning of a sentence.
fn point(kind: &str, id: &PointId) -> String {
    capital(&format!("{kind} {id}"))
}

fn missed_due_times(missed: &MissedDueTimes, context: &MailContext) -> String {
    let mut words = Vec::new();
    if let LatestDue::Skipped(due) = missed.latest {
        words.push(format!("Skipped: {}. The previous run was still in progress.", context.due(due)));
    }
    match &missed.lost {
        Some(lost) if lost.count == 1 => words.push(format!("Missed: {}.", context.due(lost.last))),
        Some(lost) => words.push(format!(
            "Missed: {}, from {} to {}.",
            count(usize::try_from(lost.count).unwrap_or(usize::MAX), "due time"),
            context.due(lost.first),
            context.due(lost.last)
        )),
        None => {}
    }
    match missed.latest {
        LatestDue::CaughtUp(due) => {
            words.push(format!("One run makes up for them now, the one due {}.", context.due(due)))
        }
        LatestDue::TooOld => {
            words.push("No run makes up for them: the latest was longer ago than catch_up.".to_owned());
        }
        LatestDue::Skipped(_) => {}
    }
    words.extend(missed.next.map(|at| format!("Next due time: {}.", context.future(at))));
    words.join(" ")
}

fn cut_off(command: &str, accepted: bool, server: &FoundServer) -> String {
    let what = if accepted { "after the provider accepted it" } else { "and it is unknown whether it was carried out" };
    let server = match server {
        FoundServer::Reads(status) => format!("The server reads {status} now."),
        FoundServer::Unreadable { error } => format!("The server cannot be read: {}.", plain(error)),
    };
    let look = match command.split(' ').next() {
        _ if accepted => "Look at the server.",
        Some("restore") => "Look at the server, and run the command again if it was not restored.",
        Some("delete") => "`lastgood list` shows whether the point is still there.",
        _ => "`lastgood plan` shows what is there.",
    };
    format!("`lastgood {command}` was cut off, {what}. {server} {look}")
}

fn blocks(notice: &Notice, context: &MailContext) -> Vec<Block> {
    let facts = scope_facts(notice);
    let mut blocks = Vec::new();
    if !facts.is_empty() {
        blocks.push(Block::Facts(facts));
    }
    let lines = |lines: Vec<String>| (!lines.is_empty()).then_some(Block::Items(lines));
    match &notice.fact {
        Fact::Braked { brakes } => {
            blocks.extend(lines(brakes.iter().map(|brake| capital(&brake.to_string())).collect()));
            blocks.push(Block::Text(text(notice, context)));
        }
        Fact::ReloadRefused { errors } => {
            blocks.push(Block::Text(text(notice, context)));
            // A line that only points at the one above it means nothing here.
            let says = |line: &&str| line.chars().any(|c| !" |^-".contains(c));
            blocks.extend(lines(errors.lines().filter(says).take(NAMES).map(str::to_owned).collect()));
        }
        _ => blocks.push(Block::Text(text(notice, context))),
    }
    blocks
}

fn commands_for(notice: &Notice) -> Vec<String> {
    match (&notice.fact, &notice.server) {
        (Fact::Braked { .. }, Some(server)) => vec![format!("lastgood plan --server {}", quoted(&server.name))],
        (Fact::ServerNotStarted(_), Some(server)) => vec![history_of(notice), release_command(server)],
        (Fact::ReloadRefused { .. }, _) => vec!["lastgood check".to_owned()],
        _ => vec![history_of(notice)],
    }
}
