//! What a page shows, as data.

use jiff::Timestamp;

use crate::journal::summary::RunHistory;
use crate::policy::inventory::{Kind, PointId, PointStatus, Server};
use crate::policy::name::PolicyName;
use crate::policy::owner::Owner;
use crate::policy::plan::Reason;
use crate::policy::slots::Slots;
use crate::status::page::listing::PageListing;
use crate::status::value::Status;
use crate::store::daily_outcomes::DailyOutcome;
use crate::store::server_incidents::ServerIncident;

/// What a page shows.
#[derive(Clone, Debug)]
pub(crate) enum PageFacts {
    /// The page of all servers.
    Overview(Box<OverviewFacts>),
    /// The page of one server.
    Server(Box<ServerPageFacts>),
}

/// The page of all servers.
#[derive(Clone, Debug)]
pub(crate) struct OverviewFacts {
    /// The status of the installation.
    pub(crate) status: Status,
    /// The servers that are shown.
    pub(crate) listing: PageListing,
    /// Their facts, in the order of the listing.
    pub(crate) servers: Vec<ServerFacts>,
}

/// The page of one server.
#[derive(Clone, Debug)]
pub(crate) struct ServerPageFacts {
    /// The status of the installation, with the policies and debts of this server alone.
    pub(crate) status: Status,
    /// The server.
    pub(crate) facts: ServerFacts,
    /// Since when the account's list no longer shows it.
    pub(crate) gone_at: Option<Timestamp>,
    /// Its incidents: the open ones first, each group newest first.
    pub(crate) incidents: Vec<ServerIncident>,
    /// Its runs, newest first.
    pub(crate) runs: Vec<RunHistory>,
}

/// What is shown of a server beside its status.
#[derive(Clone, Debug)]
pub(crate) struct ServerFacts {
    /// The server.
    pub(crate) server: Server,
    /// Its restore points, for each kind that it has or that a policy makes.
    pub(crate) kinds: Vec<KindFacts>,
    /// How its runs went, since the first day that is shown.
    pub(crate) days: Vec<DailyOutcome>,
}

/// The restore points of one kind on a server, by the last inventory.
#[derive(Clone, Debug)]
pub(crate) struct KindFacts {
    /// The kind.
    pub(crate) kind: Kind,
    /// The slots.
    pub(crate) slots: Slots,
    /// When the inventory was read; `None` before the first one.
    pub(crate) read_at: Option<Timestamp>,
    /// The points, newest first; automatic backups are among them.
    pub(crate) points: Vec<PointFacts>,
    /// What the next run of each policy would do; empty where no policy applies.
    pub(crate) plans: Vec<PlanFacts>,
}

/// A restore point, and what the policy that decides about it says.
#[derive(Clone, Debug)]
pub(crate) struct PointFacts {
    /// The provider's key.
    pub(crate) id: PointId,
    /// When the provider began it.
    pub(crate) created_at: Timestamp,
    /// Its status.
    pub(crate) status: PointStatus,
    /// Its size in MB, where known.
    pub(crate) size_mb: Option<u64>,
    /// Its name, or its description where it has none.
    pub(crate) text: String,
    /// Whether the provider's plan created it. It takes no slot then.
    pub(crate) automatic: bool,
    /// Whose it is.
    pub(crate) owner: Owner,
    /// Whether a person holds it.
    pub(crate) held: bool,
    /// Whether the next run would delete it.
    pub(crate) goes: bool,
    /// Why it is kept or deleted.
    pub(crate) why: Vec<Reason>,
}

/// What the next run of a policy would do.
#[derive(Clone, Debug)]
pub(crate) struct PlanFacts {
    /// The policy.
    pub(crate) policy: PolicyName,
    /// The points that it would delete, in order.
    pub(crate) deletes: Vec<PointId>,
    /// Why it would create nothing, if so.
    pub(crate) refused: Option<String>,
    /// Brakes in force, and what else it would report.
    pub(crate) notes: Vec<String>,
}
