//! The page for people: `/`, and `/servers/ID` for each server. PURE: a request is read, what is to be shown is chosen,
//! and the facts become HTML without a script or anything from elsewhere.
//!
//! `facts` is what a page shows, `request` and `listing` choose it. `slot_boxes` and `day_strip` are the two drawings,
//! `overview` and `server` the two pages in words, `render` makes HTML of them.

mod day_strip;
mod facts;
mod listing;
mod overview;
mod render;
mod request;
mod server;
mod slot_boxes;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use day_strip::first_day;
pub(crate) use facts::{KindFacts, OverviewFacts, PageFacts, PlanFacts, PointFacts, ServerFacts, ServerPageFacts};
pub(crate) use listing::PageListing;
pub(super) use render::content_security_policy;
pub(crate) use render::html;
pub(crate) use request::PageRequest;
