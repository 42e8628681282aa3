//! PURE: the words of a digest, with the worst first and slots as boxes.

use crate::policy::inventory::Kind;
use crate::report::content::blocks::{Block, Content, Row, Slot, Tone};
use crate::report::content::context::MailContext;
use crate::report::content::scope::NAMES;
use crate::report::digest::{
    DigestFacts, DigestHold, DigestPolicy, DigestServer, DigestSlots, DigestState, FormerPoints, RunCounts,
};
use crate::report::text::{between, change, count, names, plain, size, span};

/// At most this many servers of a policy are shown in full, the worst first.
const ROWS: usize = 40;

/// One box per slot: ours first, then foreign, then free.
fn boxes(slots: DigestSlots) -> Vec<Slot> {
    let own = std::iter::repeat_n(Slot::Own, slots.own);
    let foreign = std::iter::repeat_n(Slot::Foreign, slots.foreign);
    let free = slots.limit.saturating_sub(slots.own + slots.foreign);
    own.chain(foreign).chain(std::iter::repeat_n(Slot::Free, free)).take(60).collect()
}

fn slot_words(slots: DigestSlots) -> String {
    let free = slots.limit.saturating_sub(slots.own + slots.foreign);
    let foreign = if slots.foreign > 0 { format!(", {} foreign", slots.foreign) } else { String::new() };
    let held = if slots.held > 0 { format!(", {} held", slots.held) } else { String::new() };
    format!("{} of {} slots ours{foreign}{held}, {free} free", slots.own, slots.limit)
}

const fn word(state: DigestState) -> &'static str {
    match state {
        DigestState::Failing => "failing",
        DigestState::Stale => "stale",
        DigestState::Never => "never completed",
        DigestState::Running => "running",
        DigestState::Ok => "ok",
    }
}

const fn tone(state: DigestState) -> Tone {
    match state {
        DigestState::Failing | DigestState::Stale => Tone::Bad,
        DigestState::Never => Tone::Warn,
        DigestState::Running => Tone::Plain,
        DigestState::Ok => Tone::Good,
    }
}

/// The words for a digest.
pub(super) fn compose(facts: &DigestFacts, context: &MailContext) -> Content {
    let all: Vec<&DigestServer> = facts.policies.iter().flat_map(|policy| &policy.servers).collect();
    let worst = all.iter().map(|one| tone(one.state)).min().unwrap_or(Tone::Plain);
    let summary = summary(&all);
    let oldest = all.iter().filter_map(|one| one.last_good.as_ref()).map(|good| good.created_at).min();
    let age = oldest.map(|oldest| format!(", oldest last good {} ago", span(between(oldest, context.now))));
    let subject = format!("digest: {summary}{}", age.unwrap_or_default());
    let mut content = context.content(worst, subject, summary);
    content.preheader = runs_words(&facts.runs);
    content.blocks.push(Block::Facts(head_facts(facts, context)));
    for policy in &facts.policies {
        content.blocks.extend(policy_blocks(policy, context));
    }
    if !all.is_empty() {
        content.blocks.push(Block::Legend);
    }
    content.blocks.extend(rest_blocks(facts, context));
    content.blocks.push(Block::Commands(vec!["lastgood status".to_owned()]));
    content
}

/// `all 12 ok`, or the counts: `2 failing, 1 stale, 9 ok`.
fn summary(all: &[&DigestServer]) -> String {
    let of = |state: DigestState| all.iter().filter(|one| one.state == state).count();
    if all.is_empty() {
        return "no policy applies to any server".to_owned();
    }
    if of(DigestState::Ok) == all.len() {
        return format!("all {} ok", all.len());
    }
    [DigestState::Failing, DigestState::Stale, DigestState::Never, DigestState::Running, DigestState::Ok]
        .into_iter()
        .filter(|state| of(*state) > 0)
        .map(|state| format!("{} {}", of(state), word(state)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn runs_words(runs: &RunCounts) -> String {
    let mut words = vec![format!("{} succeeded", runs.succeeded), format!("{} failed", runs.failed)];
    let more = [(runs.unknown, "unknown"), (runs.skipped, "skipped"), (runs.missed, "missed")];
    words.extend(more.into_iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")));
    format!("Runs: {}", words.join(", "))
}

fn head_facts(facts: &DigestFacts, context: &MailContext) -> Vec<(String, String)> {
    let mut lines = vec![
        ("Since".to_owned(), context.past(facts.since)),
        ("Runs".to_owned(), runs_words(&facts.runs).trim_start_matches("Runs: ").to_owned()),
        ("Points".to_owned(), format!("{} created, {} deleted", facts.runs.made, facts.runs.deleted)),
    ];
    if facts.mails_waiting > 0 {
        lines.push(("Mails waiting".to_owned(), facts.mails_waiting.to_string()));
    }
    lines
}

fn policy_blocks(policy: &DigestPolicy, context: &MailContext) -> Vec<Block> {
    let heading = format!("{}: {} of {}", policy.name, policy.kind.plural(), count(policy.servers.len(), "server"));
    let mut blocks = vec![Block::Heading(heading)];
    if policy.servers.is_empty() {
        blocks.push(Block::Text("No server of the account matches this policy: it creates nothing.".to_owned()));
        return blocks;
    }
    let mut servers: Vec<&DigestServer> = policy.servers.iter().collect();
    servers.sort_by(|a, b| {
        let key = |one: &DigestServer| (one.state, one.last_good.as_ref().map(|good| good.created_at));
        key(a).cmp(&key(b)).then_with(|| a.server.name.cmp(&b.server.name))
    });
    blocks.push(Block::Rows(servers.iter().take(ROWS).map(|one| row(one, policy.kind, context)).collect()));
    let rest = servers.get(ROWS..).unwrap_or_default();
    if !rest.is_empty() {
        let oldest = rest.iter().filter_map(|one| one.last_good.as_ref()).map(|good| good.created_at).min();
        let age = oldest.map(|at| format!(", oldest last good {}", context.past(at))).unwrap_or_default();
        blocks.push(Block::Text(format!("And {} more: {}{age}.", rest.len(), summary(rest))));
    }
    blocks
}

fn row(one: &DigestServer, kind: Kind, context: &MailContext) -> Row {
    let good = match &one.last_good {
        Some(good) => format!("Last good: {}", context.past(good.created_at)),
        None => format!("Last good: none, no completed {kind} of this policy"),
    };
    let oldest = one.oldest.filter(|_| one.points > 1).map(|at| format!(", back to {}", context.moment(at)));
    let size = one.size_mb.map(|now| {
        let change = one.size_before_mb.map(|before| format!(" ({})", change(before, now))).unwrap_or_default();
        format!(", newest {}{change}", size(now))
    });
    let points =
        format!("{}{}{}", count(one.points, kind.word()), oldest.unwrap_or_default(), size.unwrap_or_default());
    let mut lines = vec![good, points, slot_words(one.slots)];
    lines.extend(one.next_due.map(|at| format!("Next: {}", context.future(at))));
    Row {
        title: one.server.name.clone(),
        state: word(one.state).to_owned(),
        tone: tone(one.state),
        slots: boxes(one.slots),
        lines,
    }
}

fn rest_blocks(facts: &DigestFacts, context: &MailContext) -> Vec<Block> {
    let mut blocks = Vec::new();
    if !facts.unprotected.is_empty() {
        let servers = count(facts.unprotected.len(), "server");
        blocks.push(Block::Heading(format!("{servers} without any policy")));
        blocks.push(Block::Text(names(facts.unprotected.iter().map(|server| server.name.as_str()), NAMES)));
    }
    if !facts.holds.is_empty() {
        blocks.push(Block::Heading("Holds that end soon or never".to_owned()));
        blocks.push(Block::Items(facts.holds.iter().map(|hold| hold_words(hold, context)).collect()));
    }
    if !facts.former.is_empty() {
        blocks.push(Block::Heading("Points of policies that are no longer in the file".to_owned()));
        let words = |one: &FormerPoints| {
            let points = count(one.points, one.kind.word());
            let slots = count(one.points, "slot");
            format!("{} on {}: {points}, taking {slots}", one.policy, one.server.name)
        };
        blocks.push(Block::Items(facts.former.iter().map(words).collect()));
        blocks.push(Block::Text(
            "They are never pruned. List the policy in another one's `formerly`, or delete them by hand.".to_owned(),
        ));
    }
    blocks
}

fn hold_words(hold: &DigestHold, context: &MailContext) -> String {
    let what = match (&hold.point, &hold.server) {
        (Some((kind, id)), Some(server)) => format!("{kind} {id} of {}", server.name),
        (Some((kind, id)), None) => format!("{kind} {id}"),
        (None, server) => format!("all of {}", server.as_ref().map_or("a server", |server| server.name.as_str())),
    };
    let reason = if hold.reason.is_empty() { "no reason given".to_owned() } else { plain(&hold.reason) };
    let until = hold.until.map_or_else(|| "never ends".to_owned(), |until| format!("ends {}", context.future(until)));
    format!("{what}: {until}; held since {}; {reason}", context.moment(hold.since))
}
