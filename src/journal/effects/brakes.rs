//! What a list and a person's `accept` change about brakes, and which incidents are over once a list was read.

use crate::journal::effects::change::Change;
use crate::journal::notice::{Notice, Topic};
use crate::policy::brake::{BrakeCause, DetectedBrakes, StoredBrake};
use crate::policy::conditions::RetentionRecord;
use crate::policy::inventory::Kind;
use crate::policy::name::PolicyName;
use crate::policy::retention_change::RetentionUpdate;

/// What the detected brakes of a kind change, given those that are stored for the server.
#[must_use]
pub(crate) fn braked(
    stored: &[StoredBrake],
    detected: &DetectedBrakes,
    retention: &RetentionUpdate,
    kind: Kind,
) -> Vec<Change> {
    let mut changes: Vec<Change> = detected.over.iter().copied().map(Change::BrakeReleased).collect();
    changes.extend(detected.new.iter().map(|brake| Change::BrakeSet { kind, brake: Box::new(brake.clone()) }));
    let former = retention.taken_over.iter().cloned();
    changes.extend(former.map(|policy| Change::RetentionForgotten { kind, policy }));
    changes.extend(retention.looked.iter().map(|(policy, looked): &(_, RetentionRecord)| {
        let (policy, looked) = (policy.clone(), Box::new(looked.clone()));
        Change::RetentionRemembered { kind, policy, looked }
    }));
    let waits = |brake: &&StoredBrake| !brake.accepted && !detected.over.contains(&brake.number);
    if detected.new.is_empty() && !stored.iter().any(|brake| waits(&brake)) {
        changes.push(incident_over(Topic::Brake));
    }
    changes
}

/// What changes when a person accepts the brakes that were `shown`, given those stored for the server: deletes resume.
/// A brake that has since come to cover other points is not accepted; the result is then false.
#[must_use]
pub(crate) fn accepted(stored: &[StoredBrake], shown: &[StoredBrake]) -> (Vec<Change>, bool) {
    let mut changes = Vec::new();
    let mut all = true;
    let mut waiting: Vec<i64> = stored.iter().filter(|brake| !brake.accepted).map(|brake| brake.number).collect();
    for shown in shown {
        let Some(now) = stored.iter().find(|stored| stored.number == shown.number) else { continue };
        if now.brake.points != shown.brake.points {
            all = false;
            continue;
        }
        waiting.retain(|number| *number != now.number);
        match now.brake.cause {
            // Their conditions last, and must not set the same brake again.
            BrakeCause::Small | BrakeCause::Clock => {
                changes.push(Change::BrakeAccepted(now.number));
                continue;
            }
            BrakeCause::SecondLastgood => {
                let points = now.brake.points.iter().map(|about| about.id.clone());
                changes.extend(points.map(|point| Change::PointAccepted { kind: now.kind, point }));
                changes.push(incident_over(Topic::SecondLastgood));
            }
            BrakeCause::Gone | BrakeCause::Shorter | BrakeCause::Retention => {}
        }
        changes.push(Change::BrakeReleased(now.number));
    }
    if waiting.is_empty() {
        changes.push(incident_over(Topic::Brake));
    }
    (changes, all)
}

/// The incidents of a policy that an inspection closes: those that it does not report again.
#[must_use]
pub(crate) fn reported(notices: &[Notice], policy: &PolicyName) -> Vec<Change> {
    let topics = [Topic::SecondLastgood, Topic::Attention, Topic::NewJournal];
    let over = topics.into_iter().filter(|topic| !notices.iter().any(|notice| notice.topic() == *topic));
    over.map(|topic| Change::IncidentsClosed { policy: Some(policy.clone()), topic }).collect()
}

fn incident_over(topic: Topic) -> Change {
    Change::IncidentsClosed { policy: None, topic }
}
