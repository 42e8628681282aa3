//! Due times: cron expressions in a zone, with clock changes, splay, and what is due or missed. Pure.

/// Placeholder until the schedule lands.
#[derive(Clone, Debug)]
pub struct Schedule;
