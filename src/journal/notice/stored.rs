//! How notices are read back. In earlier versions a notice was a class, a topic and a sentence with a few optional
//! fields. A database may still contain some, and they are mailed with everything that they contain.

use jiff::Timestamp;
use serde::Deserialize;

use crate::journal::notice::fact::{Fact, Recovered, Recovery, StalePolicy};
use crate::journal::notice::run::{DeletedPoint, FailedRun, Good, RunProblem, SucceededRun};
use crate::journal::notice::topic::{Class, Topic};
use crate::policy::inventory::{Kind, PointId, ServerRef};
use crate::policy::name::PolicyName;

/// A notice as it is stored, in either form.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Stored {
    Data(Data),
    Flat(Flat),
}

/// A notice with its fact as data.
#[derive(Deserialize)]
pub(super) struct Data {
    pub server: Option<ServerRef>,
    pub policy: Option<PolicyName>,
    pub kind: Option<Kind>,
    pub reports: Vec<String>,
    pub fact: Fact,
}

/// A notice of an earlier version.
#[derive(Deserialize)]
pub(super) struct Flat {
    class: Class,
    topic: Topic,
    server: Option<ServerRef>,
    policy: Option<PolicyName>,
    kind: Option<Kind>,
    text: String,
    last_good: Option<Good>,
    next: Option<Timestamp>,
    since: Option<Timestamp>,
    lost: Vec<Timestamp>,
    // Version one of the database had none of these three.
    #[serde(default)]
    made: Option<PointId>,
    #[serde(default)]
    deleted: Vec<PointId>,
    #[serde(default)]
    size_mb: Option<u64>,
    reports: Vec<String>,
}

impl From<Stored> for Data {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Data(data) => data,
            Stored::Flat(flat) => {
                let (server, policy) = (flat.server.clone(), flat.policy.clone());
                let (kind, reports) = (flat.kind, flat.reports.clone());
                Self { server, policy, kind, reports, fact: flat.fact() }
            }
        }
    }
}

impl Flat {
    fn fact(self) -> Fact {
        let Self { class, topic, text, last_good, next, since, lost, made, deleted, size_mb, .. } = self;
        let deleted = deleted.into_iter().map(|id| DeletedPoint { id, cause: None }).collect();
        match (class, topic) {
            (Class::Failure, Topic::Run) => Fact::Failed(FailedRun {
                run: None,
                due: None,
                tries: None,
                problem: RunProblem::Failed { error: text },
                last_good,
                next,
                made,
                deleted,
            }),
            (Class::Success, _) => Fact::Succeeded(SucceededRun {
                run: None,
                due: None,
                made: made.or_else(|| last_good.as_ref().map(|good| good.id.clone())),
                size_mb,
                last_good,
                next,
                deleted,
                started_early: false,
                given_up: Vec::new(),
            }),
            (Class::Recovery, topic) => {
                let by = if topic == Topic::Run { Recovery::PointMade } else { Recovery::Of(topic) };
                Fact::Recovered(Recovered { by, since, was: Some(text), lost, last_good })
            }
            (Class::Stale, _) => {
                Fact::Stale(StalePolicy { last_good, since, max_age_seconds: None, cause: Some(text), next })
            }
            (class, topic) => Fact::General { class, topic, text },
        }
    }
}
