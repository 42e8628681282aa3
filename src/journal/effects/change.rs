//! What an event or an inventory changes in the state besides the run itself, as data. The store writes each of these
//! as it stands.

use std::time::Duration;

use jiff::Timestamp;

use crate::journal::effects::debt::DebtEvent;
use crate::journal::effects::known_point::{KnownPoint, Vanished};
use crate::journal::event::Outcome;
use crate::journal::notice::{Good, Topic};
use crate::policy::brake::Brake;
use crate::policy::conditions::RetentionRecord;
use crate::policy::inventory::{Id, Kind};
use crate::policy::mark::Token;
use crate::policy::policy::PolicyName;

/// One change. The server and the moment are those of what it follows from, as are the run, the policy and the kind,
/// where a change does not name its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A create with this token is about to be sent: it takes a slot until its outcome is known.
    TokenOpened {
        /// The token.
        token: Token,
        /// The policy in its mark.
        policy: String,
    },
    /// What became of the create with this token.
    TokenSettled {
        /// The token.
        token: Token,
        /// What is known of it.
        state: TokenState,
    },
    /// The provider has made a point for the run's policy. What is remembered of an earlier point with the same id is
    /// looked at first: see `point_created`.
    PointCreated {
        /// The provider's key.
        point: Id,
        /// The token that its mark carries, where the run knows it.
        token: Option<Token>,
    },
    /// A point is known to be gone: see `point_gone`.
    PointGone(Id),
    /// We intend to delete the point since this moment; without one, we do not.
    DeleteIntended {
        /// The point.
        point: Id,
        /// When the intent was written.
        since: Option<Timestamp>,
    },
    /// The provider has accepted the point's delete, or no longer had it. It stays remembered until a list lacks it: a
    /// point that is forgotten while it is still listed would look like a second lastgood's.
    DeleteAccepted(Id),
    /// From now on this is what is remembered of the point.
    PointRemembered(Box<KnownPoint>),
    /// Nothing is remembered of the point any more.
    PointForgotten(Id),
    /// A list lacks the point without our doing. What was first seen of it is kept apart.
    PointVanished(Box<Vanished>),
    /// A list shows these points just as the one before it did.
    PointsSeenAgain(Vec<Id>),
    /// A complete list was read, the first one perhaps.
    InventoryRead,
    /// A point of unknown origin is ours, since a person said so.
    PointAccepted {
        /// The kind of point.
        kind: Kind,
        /// The provider's key.
        point: Id,
    },
    /// One more point of the run's policy was evicted.
    PointEvicted,
    /// A point of the policy was completed since the last eviction: from now on evictions count from zero.
    EvictionsReplaced {
        /// The policy.
        policy: String,
    },
    /// How long it took from the run's plan to its accepted create. The longest time of a run counts.
    LeadMeasured(Duration),
    /// How long the run's point took from its create to completed.
    CreationMeasured(Duration),
    /// The run is over.
    RunEnded(Outcome),
    /// The run cannot be read back: it is over, and what became of it is unknown.
    RunSetAside,
    /// The policy has a good point again, so that it may be reported as stale again later.
    NoLongerStale,
    /// The server's incidents of this topic are closed without a report.
    IncidentsClosed {
        /// Only those of this policy, an empty name standing for none; `None`: those of every policy.
        policy: Option<String>,
        /// The topic.
        topic: Topic,
    },
    /// The incidents that a good point ends are closed, with a report if there were any: see `recovered`.
    PolicyRecovered {
        /// The reports that tell of the run's success.
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
    /// A person has accepted the brake with this number; it stays stored, since what it is about lasts.
    BrakeAccepted(i64),
    /// The brake with this number is over.
    BrakeReleased(i64),
    /// What a policy keeps by now.
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

/// What is known of the create that a token was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It was sent, or is about to be; the outcome is not known yet.
    Open,
    /// It made a point.
    Made,
    /// It made none, as far as is known.
    NotMade,
    /// Nobody can tell.
    Undecided,
}

impl TokenState {
    const ALL: [Self; 4] = [Self::Open, Self::Made, Self::NotMade, Self::Undecided];

    /// The word in the state.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Made => "made",
            Self::NotMade => "not_made",
            Self::Undecided => "undecided",
        }
    }

    /// Whether a create that was sent then takes a slot at a moment, though no list shows its point: one that nobody can
    /// tell the outcome of does so for as long as a list may lag behind.
    #[must_use]
    pub fn takes_slot(self, sent_at: Timestamp, settle: Duration, at: Timestamp) -> bool {
        match self {
            Self::Open => true,
            Self::Undecided => sent_at + settle > at,
            Self::Made | Self::NotMade => false,
        }
    }

    /// The state that has this word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}
