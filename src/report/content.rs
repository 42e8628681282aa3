//! PURE: turns facts into words. This module decides what a message says, `render` how it looks. A subject states only
//! what happened; every failure says when the last good restore point was created.

use crate::report::content::blocks::Content;
use crate::report::content::bounded::bounded;
use crate::report::content::context::MailContext;
use crate::report::message_data::{MailKind, MessageData};
use crate::report::text::{plain, shortened};

mod attention;
pub(crate) mod blocks;
mod bounded;
mod cluster;
pub(crate) mod context;
mod digest;
mod failed;
mod good_news;
mod not_started;
mod scope;
mod stale;

/// The longest subject: phones show much less, mail servers accept much more.
const LONGEST_SUBJECT: usize = 180;

/// The words for a message.
#[must_use]
pub fn compose(data: &MessageData, context: &MailContext) -> Content {
    let mut content = match data {
        MessageData::Notices(MailKind::Failed, all) => failed::compose(all, context),
        MessageData::Notices(MailKind::Stale, all) => stale::compose(all, context),
        MessageData::Notices(MailKind::Recovered, all) => good_news::recovered(all, context),
        MessageData::Notices(MailKind::Succeeded, all) => good_news::succeeded(all, context),
        MessageData::Notices(MailKind::NotStarted | MailKind::Attention, all) => attention::compose(all, context),
        MessageData::Digest(facts) => digest::compose(facts, context),
    };
    content.subject = shortened(&plain(&format!("[lastgood] {}", content.subject)), LONGEST_SUBJECT);
    content.blocks = bounded(content.blocks);
    content
}

#[cfg(test)]
mod tests;
