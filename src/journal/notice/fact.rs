//! The facts that are reported, as data. Each is created where it happens and becomes words only in `sentence` and in
//! mails. Their JSON outlives versions: fields are added, never renamed.

use crate::policy::name::PolicyName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::journal::notice::run::{FailedRun, Good, SucceededRun};
use crate::journal::notice::topic::{Class, Topic};
use crate::policy::brake::Brake;
use crate::policy::inventory::{Kind, PointId, ServerRef, ServerStatus};
use crate::policy::schedule::Lost;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A run ended without a good point, or could not continue.
    Failed(FailedRun),
    /// A run made its point and carried out its plan.
    Succeeded(SucceededRun),
    /// An incident is over.
    Recovered(Recovered),
    /// The last good point is older than `max_age`.
    Stale(StalePolicy),
    /// Due times passed without a run.
    Missed(MissedDueTimes),
    /// The last handled due time was in the future because a clock was wrong.
    ClockCorrected {
        /// What it was.
        handled: Timestamp,
        /// What it is now.
        corrected: Timestamp,
    },
    /// The account's lists no longer show a server that policies are for.
    ServerGone {
        /// These policies.
        policies: Vec<PolicyName>,
    },
    /// A server that we stopped was not seen running since.
    ServerNotStarted(NotStarted),
    /// The account's list of servers cannot be fully read, or is not proved to be complete.
    ServerListDoubtful {
        /// Why.
        doubt: String,
    },
    /// The account's servers cannot be listed.
    ServerListUnreadable {
        /// Whether an earlier list is stored and used meanwhile.
        stored: bool,
        /// What the provider, or the connection, said.
        error: String,
    },
    /// A new journal found points with our mark: holds are gone, and deletes keep to the brake.
    NewJournal {
        /// How many.
        points: u32,
    },
    /// A point carries our mark, but the journal does not know it: deletes on the server are stopped.
    SecondLastgood {
        /// The point.
        id: PointId,
    },
    /// Something looks wrong: deletes wait for a person.
    Braked {
        /// What looks wrong, at least one thing.
        brakes: Vec<Brake>,
    },
    /// Retention would delete more than one run may.
    MoreToDelete {
        /// How many points are kept for that reason.
        left: u32,
        /// The most deletes of one run.
        max_deletes: u32,
    },
    /// A point is still in progress after `stuck_after`.
    Stuck {
        /// The point.
        id: PointId,
        /// When the provider began it.
        created_at: Option<Timestamp>,
        /// `stuck_after`, in seconds.
        stuck_after_seconds: u64,
    },
    /// A point is dated in the future: it is kept and not counted.
    DatedInFuture {
        /// The point.
        id: PointId,
        /// Its date.
        created_at: Option<Timestamp>,
    },
    /// A point appeared that may be ours, after its create was sent again. No retention rule frees its slot.
    LeftOver {
        /// The point.
        id: PointId,
        /// When the provider began it.
        created_at: Timestamp,
    },
    /// A command (`delete`, `restore`) was killed while its request was in progress.
    CommandCutOff {
        /// The command without `lastgood`: `restore backup 7`.
        command: String,
        /// Whether the provider had accepted its request.
        accepted: bool,
        /// How the server was found afterwards.
        server: FoundServer,
    },
    /// A changed policy file was refused; the previous one stays in force.
    ReloadRefused {
        /// What is wrong with it, as `check` shows it.
        errors: String,
    },
    /// The counts of a server's policies no longer fit its slots.
    Overfilled {
        /// The server.
        over: ServerRef,
        /// The sum: `nightly 6 + second 6 + reserve 0 = 12 > 10 backups`.
        sum: String,
    },
    /// A fact that is known only in words, as notices of versions before this model are.
    General {
        /// Its class.
        class: Class,
        /// Its topic.
        topic: Topic,
        /// The text.
        text: String,
    },
}

/// The end of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// What ended it.
    pub by: Recovery,
    /// When it opened; unknown in some notices of earlier versions.
    pub since: Option<Timestamp>,
    /// The last sentence about it, where one is known.
    pub was: Option<String>,
    /// Due times that produced no restore point, oldest first.
    pub lost: Vec<Timestamp>,
    /// The point that is good again.
    pub last_good: Option<Good>,
}

/// What ended an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// A run made its point again.
    PointMade,
    /// A server that we stopped runs again.
    ServerRuns,
    /// A server that we stopped was missing from complete lists for 24 hours.
    StoppedServerGone,
    /// A person released the start that was owed to a server.
    StartReleased,
    /// The account's servers can be listed again.
    ServersListed,
    /// The policy file was reloaded.
    Reloaded,
    /// Known only by its topic, in notices of earlier versions.
    Of(Topic),
}

impl Recovery {
    /// The topic of the incidents that it ends.
    #[must_use]
    pub const fn topic(self) -> Topic {
        match self {
            Self::PointMade => Topic::Run,
            Self::ServerRuns | Self::StoppedServerGone | Self::StartReleased => Topic::ServerStopped,
            Self::ServersListed => Topic::Attention,
            Self::Reloaded => Topic::Reload,
            Self::Of(topic) => topic,
        }
    }
}

/// A policy on a server whose last good point is too old.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StalePolicy {
    /// The last good point; `None` if there is none yet.
    pub last_good: Option<Good>,
    /// Since when there is no newer one: its date, or when the policy was first seen on the server.
    pub since: Option<Timestamp>,
    /// The policy's `max_age` in seconds; unknown in notices of earlier versions.
    pub max_age_seconds: Option<u64>,
    /// The last sentence of the open incident of this policy and server: why its runs fail.
    pub cause: Option<String>,
    /// The next due time.
    pub next: Option<Timestamp>,
}

/// Due times that passed without a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedDueTimes {
    /// Those that were not checked in time.
    pub lost: Option<Lost>,
    /// What became of the latest due time.
    pub latest: LatestDue,
    /// The next due time.
    pub next: Option<Timestamp>,
}

/// What became of the latest due time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatestDue {
    /// A run makes up for it now.
    CaughtUp(Timestamp),
    /// It was skipped: the run before it was still in progress.
    Skipped(Timestamp),
    /// It is lost with the others: it was longer ago than `catch_up`.
    TooOld,
}

/// A server that we stopped and that was not seen running since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotStarted {
    /// Why it does not run, as far as is known.
    pub problem: StartProblem,
    /// What it was stopped for.
    pub stopped_for: Option<StoppedFor>,
    /// Since when the start is owed to it.
    pub since: Option<Timestamp>,
}

/// What a server was stopped for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedFor {
    /// The policy.
    pub policy: PolicyName,
    /// The kind of restore point.
    pub kind: Kind,
}

/// Why a server that we stopped does not run, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartProblem {
    /// It could not be started yet.
    Failed {
        /// Why.
        error: String,
    },
    /// It reads `stopped` and is asked to start.
    Asked {
        /// Whether this process has asked before.
        again: bool,
    },
    /// It reads `stopped` and is asked to start before the process ends.
    AskedBeforeExit,
    /// It was not seen running again.
    NotSeenRunning {
        /// How it is instead: `it is restoring now`.
        seen: String,
    },
    /// It was asked to stop and reads `active`: whether it will stop is not known yet.
    MayStillStop,
    /// It is missing from the account's lists.
    Missing,
}

/// How a server was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundServer {
    /// It reads this.
    Reads(ServerStatus),
    /// It cannot be read.
    Unreadable {
        /// What the provider, or the connection, said.
        error: String,
    },
}

impl Fact {
    /// Which reports carry it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Succeeded(_) => Class::Success,
            Self::Recovered(_) => Class::Recovery,
            Self::Stale(_) => Class::Stale,
            Self::General { class, .. } => *class,
            _ => Class::Failure,
        }
    }

    /// Which incident it belongs to.
    #[must_use]
    pub const fn topic(&self) -> Topic {
        match self {
            Self::Failed(_) | Self::Succeeded(_) => Topic::Run,
            Self::Recovered(recovered) => recovered.by.topic(),
            Self::Stale(_) => Topic::Stale,
            Self::Missed(_) => Topic::Missed,
            Self::ClockCorrected { .. } => Topic::Clock,
            Self::ServerGone { .. } => Topic::ServerGone,
            Self::ServerNotStarted(_) => Topic::ServerStopped,
            Self::NewJournal { .. } => Topic::NewJournal,
            Self::SecondLastgood { .. } => Topic::SecondLastgood,
            Self::Braked { .. } => Topic::Brake,
            Self::ServerListDoubtful { .. }
            | Self::ServerListUnreadable { .. }
            | Self::MoreToDelete { .. }
            | Self::Stuck { .. }
            | Self::DatedInFuture { .. }
            | Self::LeftOver { .. }
            | Self::CommandCutOff { .. } => Topic::Attention,
            Self::ReloadRefused { .. } => Topic::Reload,
            Self::Overfilled { .. } => Topic::Overfilled,
            Self::General { topic, .. } => *topic,
        }
    }

    /// The last good restore point, if the fact knows it.
    #[must_use]
    pub const fn last_good(&self) -> Option<&Good> {
        match self {
            Self::Failed(run) => run.last_good.as_ref(),
            Self::Succeeded(run) => run.last_good.as_ref(),
            Self::Recovered(recovered) => recovered.last_good.as_ref(),
            Self::Stale(stale) => stale.last_good.as_ref(),
            _ => None,
        }
    }
}
