//! PURE: policies whose last good restore point is older than their limit.

use std::time::Duration;

use crate::journal::notice::{Fact, StalePolicy};
use crate::report::content::blocks::{Block, Content, Tone};
use crate::report::content::context::MailContext;
use crate::report::content::failed::{facts_of, preheader};
use crate::report::content::scope::{ROWS, commands, headline, history_of, scope, the_rest};
use crate::report::message_data::TimedNotice;
use crate::report::text::{between, plain, span};

/// The words for stale policies.
pub(super) fn compose(all: &[TimedNotice], context: &MailContext) -> Content {
    let scope = scope(all.iter().map(|one| &one.notice));
    let good = |one: &TimedNotice| one.notice.fact.last_good().map(|good| good.created_at);
    let without = all.iter().filter(|one| good(one).is_none()).count();
    let age = all.iter().filter_map(good).min().map(|oldest| span(between(oldest, context.now)));
    let short = match (all, age, without) {
        ([one], Some(age), _) => format!("last good {age} ago{}", in_brackets(one)),
        ([one], None, _) => format!("no good restore point{}", in_brackets(one)),
        (_, Some(age), 0) => format!("oldest last good {age} ago"),
        (_, Some(age), without) => format!("{without} without any good restore point, oldest last good {age} ago"),
        (_, None, _) => "no good restore points".to_owned(),
    };
    let mut content = context.content(
        Tone::Bad,
        format!("{}: {short}", headline("STALE", &scope)),
        format!("{scope}: the last good restore point is too old"),
    );
    content.preheader = preheader(all, context);
    for one in all.iter().take(ROWS) {
        let mut facts = facts_of(one, context);
        facts.extend(limit(one).map(|limit| ("Limit".to_owned(), limit)));
        let cause = stale(one).and_then(|stale| stale.cause.as_deref());
        facts.extend(cause.map(|cause| ("Cause".to_owned(), plain(cause))));
        content.blocks.push(Block::Facts(facts));
    }
    content.blocks.extend(the_rest(all.iter().skip(ROWS)));
    content.blocks.push(commands(all.iter().map(|one| history_of(&one.notice))));
    content
}

fn stale(one: &TimedNotice) -> Option<&StalePolicy> {
    match &one.notice.fact {
        Fact::Stale(stale) => Some(stale),
        _ => None,
    }
}

/// The policy's `max_age`.
fn limit(one: &TimedNotice) -> Option<String> {
    Some(span(Duration::from_secs(stale(one)?.max_age_seconds?)))
}

fn in_brackets(one: &TimedNotice) -> String {
    limit(one).map(|limit| format!(" (limit {limit})")).unwrap_or_default()
}
