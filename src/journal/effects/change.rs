//! What an event or an inventory changes in the state besides the run itself, as data. The store writes each of these
//! unchanged.

use std::time::Duration;

use jiff::Timestamp;

use crate::journal::effects::debt::DebtEvent;
use crate::journal::effects::known_point::{KnownPoint, Vanished};
use crate::journal::event::Outcome;
use crate::journal::notice::{Good, Topic};
use crate::policy::brake::Brake;
use crate::policy::conditions::RetentionRecord;
use crate::policy::inventory::{Kind, PointId};
use crate::policy::looks::Took;
use crate::policy::mark::Token;
use crate::policy::name::PolicyName;

/// One change. Its server and time are those of the event or list that caused it, as are its run, policy and kind
/// unless it names its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A create with this token is about to be sent: it takes a slot until its outcome is known.
    TokenOpened {
        /// The token.
        token: Token,
        /// The policy in its mark.
        policy: PolicyName,
    },
    /// What became of the create with this token.
    TokenSettled {
        /// The token.
        token: Token,
        /// What is known about it.
        state: TokenState,
    },
    /// The provider has made a point for the run's policy. What is remembered about an earlier point with the same id
    /// is considered first: see `point_created`.
    PointCreated {
        /// The provider's key.
        point: PointId,
        /// The token in its mark, if the run knows it.
        token: Option<Token>,
    },
    /// A point is known to be gone: see `point_gone`.
    PointGone(PointId),
    /// Since when we have intended to delete the point; without a time, we do not.
    DeleteIntended {
        /// The point.
        point: PointId,
        /// When the intent was written.
        since: Option<Timestamp>,
    },
    /// The provider has accepted the point's delete, or no longer had the point. It stays remembered until it is
    /// missing from a list: if it were forgotten while still listed, it would look like a second lastgood's.
    DeleteAccepted(PointId),
    /// Replaces what is remembered about the point.
    PointRemembered(Box<KnownPoint>),
    /// Nothing is remembered about the point any more.
    PointForgotten(PointId),
    /// The point is missing from a list, and we did not delete it. How it looked at first is kept separately.
    PointVanished(Box<Vanished>),
    /// A list shows these points unchanged.
    PointsSeenAgain(Vec<PointId>),
    /// A complete list was read, perhaps the first one.
    InventoryRead,
    /// A person has confirmed that a point of unknown origin is ours.
    PointAccepted {
        /// The kind of point.
        kind: Kind,
        /// The provider's key.
        point: PointId,
    },
    /// One more point of the run's policy was evicted.
    PointEvicted,
    /// A point of the policy was completed since the last eviction: from now on evictions count from zero.
    EvictionsReplaced {
        /// The policy.
        policy: PolicyName,
    },
    /// How long it took from the run's plan to its accepted create. The longest time per run counts.
    LeadMeasured(Duration),
    /// How long the run's point took from its create to completed.
    CreationMeasured(Took),
    /// The run is over.
    RunEnded(Outcome),
    /// The run cannot be read back: it is over, and what became of it is unknown.
    RunSetAside,
    /// The policy has a good point again, so that it may be reported as stale again later.
    NoLongerStale,
    /// The incident of a topic that is the server's and no policy's is closed.
    ServerIncidentClosed(Topic),
    /// The server's incidents of this topic are closed without a report.
    IncidentsClosed {
        /// Only those of this policy; `None` means those of every policy.
        policy: Option<PolicyName>,
        /// The topic.
        topic: Topic,
    },
    /// The incidents that a good point ends are closed, with a report if there were any: see `recovered`.
    PolicyRecovered {
        /// The reports that get the run's success.
        reports: Vec<String>,
        /// The last good point now.
        last_good: Option<Good>,
    },
    /// Something happened that the debt to the server depends on.
    Debt(DebtEvent),
    /// A brake is set, or is about more points than before; nobody has accepted it.
    BrakeSet {
        /// The kind of restore point that it stops deletes of.
        kind: Kind,
        /// The brake.
        brake: Box<Brake>,
    },
    /// A person has accepted the brake with this number; it stays stored as long as its condition lasts.
    BrakeAccepted(i64),
    /// The brake with this number is over.
    BrakeReleased(i64),
    /// What a policy keeps now.
    RetentionRemembered {
        /// The kind of restore point.
        kind: Kind,
        /// The policy.
        policy: PolicyName,
        /// What it keeps.
        looked: Box<RetentionRecord>,
    },
    /// Another policy has taken over what was kept under this name.
    RetentionForgotten {
        /// The kind of restore point.
        kind: Kind,
        /// The former name.
        policy: PolicyName,
    },
}

/// What is known about the create that a token was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenState {
    /// It was sent, or is about to be; the outcome is not known yet.
    Open,
    /// It made a point.
    Made,
    /// It made none, as far as is known.
    NotMade,
    /// The outcome cannot be determined.
    Undecided,
}

impl TokenState {
    const ALL: [Self; 4] = [Self::Open, Self::Made, Self::NotMade, Self::Undecided];

    /// The word in the state.
    #[must_use]
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Made => "made",
            Self::NotMade => "not_made",
            Self::Undecided => "undecided",
        }
    }

    /// Whether a create that was sent at that time still takes a slot although no list shows its point. If its outcome
    /// cannot be determined, it does so for as long as lists may lag.
    #[must_use]
    pub(crate) fn takes_slot(self, sent_at: Timestamp, settle: Duration, at: Timestamp) -> bool {
        match self {
            Self::Open => true,
            Self::Undecided => sent_at + settle > at,
            Self::Made | Self::NotMade => false,
        }
    }

    /// The state that has this word.
    #[must_use]
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// Whether a create that made no point, as far as is known, counts as given up: none that its policy sent later has made
/// one.
#[must_use]
pub(crate) fn is_given_up(sent_at: Timestamp, last_made: Option<Timestamp>) -> bool {
    last_made.is_none_or(|made| sent_at > made)
}
