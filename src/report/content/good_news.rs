//! PURE: recoveries and successes. A recovery says how long the incident lasted and which due times were lost.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::journal::notice::{Fact, Recovered, Recovery, SucceededRun};
use crate::report::content::blocks::{Block, Content, Row, Tone};
use crate::report::content::context::{MailContext, delete_cause, word};
use crate::report::content::scope::{ROWS, commands, headline, history_of, scope, scope_facts, the_rest, title_of};
use crate::report::message_data::TimedNotice;
use crate::report::text::{between, count, plain, size, span};

/// At most this many lost due times are listed.
const DUE_TIMES: usize = 20;

/// The words for incidents that ended.
pub(super) fn recovered(all: &[TimedNotice], context: &MailContext) -> Content {
    let scope = scope(all.iter().map(|one| &one.notice));
    let incidents = || all.iter().filter_map(|one| Some((one, recovery(one)?)));
    let longest = incidents().map(|(one, it)| lasted(one, it)).max().unwrap_or_default();
    let up_to = if all.len() > 1 { "up to " } else { "" };
    // Only an incident of a policy can lose due times.
    let of_policies = incidents().any(|(one, _)| one.notice.policy.is_some());
    let lost: usize = incidents().map(|(_, it)| it.lost.len()).sum();
    let lost = of_policies.then(|| format!("{} lost", count(lost, "due time")));
    let in_brackets = lost.as_ref().map(|lost| format!(" ({lost})")).unwrap_or_default();
    let now = if scope.is_empty() { all.first().and_then(now) } else { None };
    let what = now.map(|now| format!(": {now}")).unwrap_or_default();
    let subject = format!("{} after {up_to}{}{in_brackets}{what}", headline("RECOVERED", &scope), span(longest));
    let title = if scope.is_empty() { now.unwrap_or("Recovered").to_owned() } else { format!("{scope} recovered") };
    let mut content = context.content(Tone::Good, subject, title);
    let lost = lost.map(|lost| format!("; {lost}")).unwrap_or_default();
    content.preheader = format!("It lasted {up_to}{}{lost}", span(longest));
    for (one, it) in incidents().take(ROWS) {
        content.blocks.push(Block::Facts(recovery_facts(one, it, context)));
    }
    content.blocks.extend(the_rest(all.iter().skip(ROWS)));
    content.blocks.push(commands(all.iter().map(|one| history_of(&one.notice))));
    content
}

fn recovery(one: &TimedNotice) -> Option<&Recovered> {
    match &one.notice.fact {
        Fact::Recovered(recovered) => Some(recovered),
        _ => None,
    }
}

fn since(one: &TimedNotice, recovered: &Recovered) -> Timestamp {
    recovered.since.unwrap_or(one.at)
}

fn lasted(one: &TimedNotice, recovered: &Recovered) -> Duration {
    between(since(one, recovered), one.at)
}

/// The situation now, unless a new point is all there is to say.
fn now(one: &TimedNotice) -> Option<&'static str> {
    match recovery(one)?.by {
        Recovery::PointMade | Recovery::Of(_) => None,
        Recovery::ServerRuns => Some("The server is running again"),
        Recovery::StoppedServerGone => Some(
            "The server has been missing from the account's lists for 24 hours: it is gone, and no start is owed to it",
        ),
        Recovery::StartReleased => Some("Somebody ran `lastgood release debt` for the server: it is left as it is"),
        Recovery::ServersListed => Some("The account's servers can be listed again"),
        Recovery::Reloaded => Some("The policy file was reloaded and is in force"),
    }
}

fn recovery_facts(one: &TimedNotice, recovered: &Recovered, context: &MailContext) -> Vec<(String, String)> {
    let notice = &one.notice;
    let mut facts = scope_facts(notice);
    let (since, span) = (since(one, recovered), span(lasted(one, recovered)));
    facts.push(("Lasted".to_owned(), format!("{span}, {} to {}", context.moment(since), context.moment(one.at))));
    facts.extend(recovered.was.as_ref().map(|was| ("It was".to_owned(), plain(was))));
    facts.extend(now(one).map(|now| ("Now".to_owned(), now.to_owned())));
    if notice.policy.is_some() {
        facts.push(("Last good".to_owned(), context.last_good(recovered.last_good.as_ref(), notice.kind)));
        facts.push(("Due times lost".to_owned(), lost(&recovered.lost, context)));
    }
    facts
}

fn lost(all: &[Timestamp], context: &MailContext) -> String {
    let shown: Vec<String> = all.iter().take(DUE_TIMES).map(|at| context.due(*at)).collect();
    let more = all.len().saturating_sub(shown.len());
    match (shown.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The words for runs that created their points.
pub(super) fn succeeded(all: &[TimedNotice], context: &MailContext) -> Content {
    let scope = scope(all.iter().map(|one| &one.notice));
    let runs = || all.iter().filter_map(|one| Some((one, run_of(one)?)));
    let deleted: usize = runs().map(|(_, run)| run.deleted.len()).sum();
    let made = match all {
        [one] => {
            let id = run_of(one).and_then(|run| run.made.as_ref()).map(|id| format!(" {id}")).unwrap_or_default();
            format!("{}{id} created", word(one.notice.kind))
        }
        several => format!("{} created", count(several.len(), "restore point")),
    };
    let subject = format!("{}: {made}, {deleted} deleted", headline("SUCCEEDED", &scope));
    let mut content = context.content(Tone::Good, subject, format!("{scope}: {made}"));
    content.preheader = format!("{made}, {deleted} deleted");
    content.blocks.push(Block::Rows(runs().take(ROWS).map(|(one, run)| row(one, run, context)).collect()));
    content.blocks.extend(the_rest(all.iter().skip(ROWS)));
    content
}

fn run_of(one: &TimedNotice) -> Option<&SucceededRun> {
    match &one.notice.fact {
        Fact::Succeeded(run) => Some(run),
        _ => None,
    }
}

fn row(one: &TimedNotice, run: &SucceededRun, context: &MailContext) -> Row {
    let kind = word(one.notice.kind);
    let made = run.made.as_ref().or_else(|| run.last_good.as_ref().map(|good| &good.id));
    let id = made.map(|id| format!(" {id}")).unwrap_or_default();
    let dated = run.last_good.as_ref().filter(|good| Some(&good.id) == made);
    let dated = dated.map(|good| format!(" of {}", context.past(good.created_at))).unwrap_or_default();
    let size = run.size_mb.map(|megabytes| format!(", {}", size(megabytes))).unwrap_or_default();
    let mut lines = vec![format!("{kind}{id}{dated}{size}")];
    if run.started_early {
        lines.push(format!("The server was started before the {kind} was seen to be completed"));
    }
    let mut by_cause: BTreeMap<Option<&str>, Vec<String>> = BTreeMap::new();
    for point in &run.deleted {
        by_cause.entry(point.cause.map(delete_cause)).or_default().push(point.id.to_string());
    }
    lines.extend(by_cause.into_iter().map(|(cause, ids)| {
        let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
        format!("Deleted{cause}: {}", ids.join(", "))
    }));
    lines.extend(run.given_up.iter().map(|one| format!("{kind} {} was {}", one.id, one.why)));
    let title = title_of(one.notice.server.as_ref(), one.notice.policy.as_deref().unwrap_or_default());
    Row { title, state: "created".to_owned(), tone: Tone::Good, slots: vec![], lines }
}
