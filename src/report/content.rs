//! PURE: facts become words. What a message says is decided here, how it looks in `render`. A subject states the
//! matter alone; every failure says when the last good restore point was made.

use crate::report::content::blocks::Content;
use crate::report::content::bounded::bounded;
use crate::report::content::frame::Frame;
use crate::report::matter::{MailKind, Matter};
use crate::report::text::{plain, shortened};

mod attention;
pub mod blocks;
mod bounded;
mod cluster;
mod digest;
mod failed;
pub mod frame;
mod good_news;
mod not_started;
mod place;
mod stale;

/// The longest subject: phones show far less, mail servers take far more.
const LONGEST_SUBJECT: usize = 180;

/// The words for a matter.
#[must_use]
pub fn compose(matter: &Matter, frame: &Frame) -> Content {
    let mut content = match matter {
        Matter::Notices(MailKind::Failed, all) => failed::compose(all, frame),
        Matter::Notices(MailKind::Stale, all) => stale::compose(all, frame),
        Matter::Notices(MailKind::Recovered, all) => good_news::recovered(all, frame),
        Matter::Notices(MailKind::Succeeded, all) => good_news::succeeded(all, frame),
        Matter::Notices(MailKind::NotStarted | MailKind::Attention, all) => attention::compose(all, frame),
        Matter::Digest(facts) => digest::compose(facts, frame),
    };
    content.subject = shortened(&plain(&format!("[lastgood] {}", content.subject)), LONGEST_SUBJECT);
    content.blocks = bounded(content.blocks);
    content
}

#[cfg(test)]
mod tests;
