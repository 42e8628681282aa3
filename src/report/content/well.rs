//! PURE: what is told when all is well: recoveries and successes. A recovery says how long it lasted and which due
//! times were lost.

use super::{Block, Content, Frame, ROWS, Row, Tone, commands, headline, place, place_facts, the_rest, title_of};
use crate::report::facts::{Recovery, Success};
use crate::report::text::{between, count, due, plain, size, span};

/// Incidents that ended.
pub(super) fn recovered(all: &[Recovery], frame: &Frame) -> Content {
    let place = place(all.iter().map(|one| (one.policy.as_deref(), one.server.as_ref())));
    let longest = all.iter().map(|one| between(one.since, one.at)).max().unwrap_or_default();
    let lost: usize = all.iter().map(|one| one.lost.len()).sum();
    let up_to = if all.len() > 1 { "up to " } else { "" };
    let subject =
        format!("{} after {up_to}{} ({} lost)", headline("RECOVERED", &place), span(longest), count(lost, "due time"));
    let title = if place.is_empty() { "It is well again".to_owned() } else { format!("{place} is well again") };
    let mut content = frame.content(Tone::Good, subject, title);
    content.preheader = format!("It lasted {up_to}{}; {} lost", span(longest), count(lost, "due time"));
    for one in all.iter().take(ROWS) {
        content.blocks.push(Block::Facts(recovery_facts(one, frame)));
    }
    content.blocks.extend(the_rest(all.iter().skip(ROWS).map(|one| one.server.as_ref())));
    content.blocks.push(Block::Commands(commands(all.iter().map(|one| one.command.as_str()))));
    content
}

fn recovery_facts(one: &Recovery, frame: &Frame) -> Vec<(String, String)> {
    let mut facts = place_facts(one.server.as_ref(), one.policy.as_deref(), one.kind);
    let lasted = span(between(one.since, one.at));
    facts.push(("Lasted".to_owned(), format!("{lasted}, {} to {}", frame.moment(one.since), frame.moment(one.at))));
    facts.push(("It was".to_owned(), plain(&one.cause)));
    if one.policy.is_some() {
        facts.push(("Last good".to_owned(), frame.last_good(one.last_good.as_ref(), one.kind)));
    }
    let lost: Vec<String> = one.lost.iter().take(20).map(|at| due(*at, &frame.timezone)).collect();
    let more = one.lost.len().saturating_sub(lost.len());
    let words = match (lost.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => lost.join(", "),
        (false, more) => format!("{} and {more} more", lost.join(", ")),
    };
    facts.push(("Due times lost".to_owned(), words));
    facts
}

/// Runs that did what they should.
pub(super) fn succeeded(all: &[Success], frame: &Frame) -> Content {
    let place = place(all.iter().map(|one| (Some(one.policy.as_str()), Some(&one.server))));
    let deleted: usize = all.iter().map(|one| one.deleted.len()).sum();
    let made = match all {
        [one] => format!("{} {} made", one.kind, one.made.id),
        several => format!("{} made", count(several.len(), "restore point")),
    };
    let subject = format!("{}: {made}, {deleted} deleted", headline("SUCCEEDED", &place));
    let mut content = frame.content(Tone::Good, subject, format!("{place}: {made}"));
    content.preheader = format!("{made}, {deleted} deleted");
    let row = |one: &Success| {
        let size = one.size_mb.map(|megabytes| format!(", {}", size(megabytes))).unwrap_or_default();
        let mut lines = vec![format!("{} {} of {}{size}", one.kind, one.made.id, frame.past(one.made.created_at))];
        if !one.deleted.is_empty() {
            let ids: Vec<String> = one.deleted.iter().map(ToString::to_string).collect();
            lines.push(format!("Deleted by retention: {}", ids.join(", ")));
        }
        let title = title_of(Some(&one.server), &one.policy);
        Row { title, state: "made".to_owned(), tone: Tone::Good, slots: vec![], lines }
    };
    content.blocks.push(Block::Rows(all.iter().take(ROWS).map(row).collect()));
    content.blocks.extend(the_rest(all.iter().skip(ROWS).map(|one| Some(&one.server))));
    content
}
