//! PURE: failed runs, grouped by cause. Each says what its run did and when the last good restore point was created.

use crate::journal::notice::{Fact, FailedRun, Notice, Tries};
use crate::report::content::blocks::{Block, Content, Row, Tone};
use crate::report::content::cluster::{clusters, in_short};
use crate::report::content::context::{MailContext, delete_cause, word};
use crate::report::content::scope::{ROWS, commands, headline, history_of, scope, scope_facts, the_rest, title_of};
use crate::report::message_data::TimedNotice;
use crate::report::text::{count, plain, shortened};

/// The words for failed runs.
pub(super) fn compose(all: &[TimedNotice], context: &MailContext) -> Content {
    let scope = scope(all.iter().map(|one| &one.notice));
    let clusters = clusters(all);
    let causes: Vec<String> = match clusters.as_slice() {
        [only] => vec![shortened(in_short(&only.cause), 120)],
        several => {
            several.iter().map(|one| format!("{}× {}", one.all.len(), shortened(in_short(&one.cause), 48))).collect()
        }
    };
    let subject = format!("{}: {}", headline("FAILED", &scope), causes.join("; "));
    let title = if scope.is_empty() { "Something failed".to_owned() } else { format!("{scope} failed") };
    let mut content = context.content(Tone::Bad, subject, title);
    content.preheader = preheader(all, context);
    for cluster in &clusters {
        if clusters.len() > 1 {
            content.blocks.push(Block::Heading(count(cluster.all.len(), "failure")));
        }
        content.blocks.push(Block::Quote(cluster.cause.clone()));
        content.blocks.extend(match cluster.all.as_slice() {
            [only] => vec![Block::Facts(facts_of(only, context))],
            several => rows_of(several, &cluster.cause, context),
        });
    }
    content.blocks.push(commands(all.iter().map(|one| history_of(&one.notice))));
    content
}

/// When the last good points were created, for the preview of the mail.
pub(super) fn preheader(all: &[TimedNotice], context: &MailContext) -> String {
    let good = |one: &TimedNotice| one.notice.fact.last_good().map(|good| good.created_at);
    let without = all.iter().filter(|one| good(one).is_none()).count();
    match (all.iter().filter_map(good).min(), without) {
        (Some(oldest), 0) => format!("Last good: {}", context.past(oldest)),
        (Some(oldest), _) => {
            format!("{without} without any good restore point; oldest last good: {}", context.past(oldest))
        }
        (None, _) => "There is no good restore point".to_owned(),
    }
}

/// What is known about one failure, or of one stale policy.
pub(super) fn facts_of(one: &TimedNotice, context: &MailContext) -> Vec<(String, String)> {
    let notice = &one.notice;
    let mut facts = scope_facts(notice);
    facts.push(("When".to_owned(), context.past(one.at)));
    if let Some(due) = run_of(notice).and_then(|run| run.due) {
        facts.push(("Due time".to_owned(), context.due(due)));
    }
    facts.extend(run_of(notice).and_then(|run| run.tries).and_then(tries));
    // What belongs to no policy has no last good point of its own.
    if notice.policy.is_some() || notice.fact.last_good().is_some() {
        facts.push(("Last good".to_owned(), context.last_good(notice.fact.last_good(), notice.kind)));
    }
    let done = done(one);
    if !done.is_empty() {
        facts.push(("Done before".to_owned(), done.join("; ")));
    }
    facts.extend(next(notice, context).map(|next| ("Next".to_owned(), next)));
    facts
}

fn run_of(notice: &Notice) -> Option<&FailedRun> {
    match &notice.fact {
        Fact::Failed(run) => Some(run),
        _ => None,
    }
}

/// How often the run was tried, if retries are allowed.
fn tries(tries: Tries) -> Option<(String, String)> {
    let Tries { made, allowed } = tries;
    let ended = if made < allowed { "; it is not retried" } else { "" };
    (allowed > 1).then(|| ("Attempts".to_owned(), format!("{made} of {allowed}{ended}")))
}

/// What the failed runs did: a mail never hides a delete.
fn done(one: &TimedNotice) -> Vec<String> {
    let kind = word(one.notice.kind);
    let runs = one.replaced.iter().chain([&one.notice]).filter_map(run_of);
    let of_run = |run: &FailedRun| {
        let made = run.made.iter().map(|id| format!("requested {kind} {id}"));
        let deleted = run.deleted.iter().map(|point| {
            let cause = point.cause.map(|cause| format!(" ({})", delete_cause(cause))).unwrap_or_default();
            format!("deleted {kind} {}{cause}", point.id)
        });
        made.chain(deleted).collect::<Vec<_>>()
    };
    runs.flat_map(of_run).collect()
}

/// What happens next if nobody does anything.
fn next(notice: &Notice, context: &MailContext) -> Option<String> {
    let due = match &notice.fact {
        Fact::Failed(run) => run.next,
        Fact::Stale(stale) => stale.next,
        _ => None,
    };
    due.map(|at| format!("nothing before the next due time, {}", context.future(at)))
}

fn rows_of(all: &[&TimedNotice], cause: &str, context: &MailContext) -> Vec<Block> {
    let several_policies = all.iter().any(|one| one.notice.policy != all[0].notice.policy);
    let first_next = next(&all[0].notice, context);
    let same_next = all.iter().all(|one| next(&one.notice, context) == first_next);
    let mut blocks = Vec::new();
    if let Some(next) = first_next.filter(|_| same_next) {
        blocks.push(Block::Facts(vec![("Next".to_owned(), next)]));
    }
    let row = |one: &&TimedNotice| {
        let notice = &one.notice;
        let mut lines = vec![format!("Last good: {}", context.last_good(notice.fact.last_good(), notice.kind))];
        let own = plain(&notice.to_string());
        if own != *cause {
            lines.insert(0, own);
        }
        let done = done(one);
        if !done.is_empty() {
            lines.push(format!("Done before: {}", done.join("; ")));
        }
        lines.extend(next(notice, context).filter(|_| !same_next).map(|next| format!("Next: {next}")));
        let policy = notice.policy.as_deref().filter(|_| several_policies).unwrap_or_default();
        let title = title_of(notice.server.as_ref(), policy);
        Row { title, state: String::new(), tone: Tone::Bad, slots: vec![], lines }
    };
    blocks.push(Block::Rows(all.iter().take(ROWS).map(row).collect()));
    blocks.extend(the_rest(all.iter().skip(ROWS).copied()));
    blocks
}
