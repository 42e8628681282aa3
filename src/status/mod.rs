//! How the installation is doing: one `Status` value, which `status`, `/status.json`, `/metrics` and the page show, and the
//! listener that serves the last three.

mod answer;
mod histogram;
mod host;
mod metrics;
mod page;
mod process_counters;
mod process_usage;
mod server;
mod shared;
mod source;
mod value;

pub(crate) use answer::Site;
#[cfg(test)]
pub(crate) use page::html as page_html;
pub(crate) use page::{
    KindFacts, OverviewFacts, PageFacts, PageListing, PageRequest, PlanFacts, PointFacts, ServerFacts, ServerPageFacts,
    first_day,
};
pub(crate) use process_counters::ProcessCounters;
pub(crate) use server::Listener;
pub(crate) use source::{CheckEvaluator, StatusSource, TakePage, TakeStatus};
pub(crate) use value::{
    DebtStatus, IncidentStatus, Level, OpenRuns, OutboxStatus, PolicyFacts, PolicyFileStatus, PolicyState,
    PolicyStatus, Status, policy_state,
};
