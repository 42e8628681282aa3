//! PURE: facts become words. What a message says is decided here, how it looks in `render`. A subject states the
//! matter alone; every failure says when the last good restore point was made.

use crate::report::content::blocks::Content;
use crate::report::content::bounded::bounded;
use crate::report::content::context::MailContext;
use crate::report::message_data::{MailKind, MessageData};
use crate::report::text::{plain, shortened};

mod attention;
pub mod blocks;
mod bounded;
mod cluster;
pub mod context;
mod digest;
mod failed;
mod good_news;
mod not_started;
mod scope;
mod stale;

/// The longest subject: phones show far less, mail servers take far more.
const LONGEST_SUBJECT: usize = 180;

/// The words for a data.
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
