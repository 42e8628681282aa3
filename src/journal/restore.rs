//! What the status of a server says about its restore: how to begin one that an earlier command may have begun, when it
//! is over, and when its outcome is unknown; and when a server whose command was cut off is at rest.

use std::time::Duration;

use crate::journal::answer::FailedCall;
use crate::journal::errand::{Errand, ManualCommand};
use crate::journal::notice::FoundServer;
use crate::policy::inventory::ServerStatus;

/// How long a restore is watched at most; the provider says that one takes 5 to 15 minutes.
const TAKES: Duration = Duration::from_hours(2);

/// How a restore begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestoreBegin {
    /// The earlier command's restore was accepted: it is in progress.
    Watch,
    /// The earlier command's restore may be in progress: the server is looked at first, for as long as the request may
    /// be in flight.
    LookFirst,
    /// It is requested.
    Request,
}

/// How to begin a restore on a server where an earlier command with this errand was cut off.
#[must_use]
pub(crate) fn how_to_begin(ours: &ManualCommand, before: Option<&Errand>) -> RestoreBegin {
    match before.filter(|before| before.command == *ours) {
        Some(Errand { accepted: true, .. }) => RestoreBegin::Watch,
        Some(Errand { accepted: false, .. }) => RestoreBegin::LookFirst,
        None => RestoreBegin::Request,
    }
}

/// Whether a server with this status may be restoring. A stopped one may have been stopped before.
#[must_use]
pub(crate) fn may_be_restoring(status: &ServerStatus) -> bool {
    matches!(status, ServerStatus::Other(_))
}

/// A restore that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RestoreWatch {
    /// Whether the server has shown that it is restoring.
    pub begun: bool,
    /// The outcome of its request while the answer is lost: only the server's status proves that the restore began.
    pub lost: Option<String>,
}

/// What a look at the server of a restore means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RestoreStep {
    /// It continues.
    Wait,
    /// It did begin, although the answer was lost.
    BegunAfterAll,
    /// The server is back.
    Back,
    /// The outcome is unknown; in words, with what to do.
    Unsure(String),
}

impl RestoreWatch {
    /// What a look at the server means, this long after the restore was requested. If the server never shows that it is
    /// restoring within `settle`, the restore was quicker than our looks.
    #[must_use]
    pub(crate) fn look(
        &mut self,
        name: &str,
        status: &ServerStatus,
        waited: Duration,
        settle: Duration,
    ) -> RestoreStep {
        let is_settled = waited > settle;
        let is_active = *status == ServerStatus::Active;
        self.begun |= if self.lost.is_some() { may_be_restoring(status) } else { is_settled || !is_active };
        if self.begun && self.lost.take().is_some() {
            return RestoreStep::BegunAfterAll;
        }
        if let Some(error) = self.lost.as_ref().filter(|_| is_settled) {
            return RestoreStep::Unsure(format!(
                "it is unknown whether the restore of {name} began; nothing was sent again: look at the server in \
                 the provider's panel, and ask again if it was not ({error})"
            ));
        }
        if self.begun && is_active {
            return RestoreStep::Back;
        }
        if waited > TAKES {
            let minutes = TAKES.as_secs() / 60;
            return RestoreStep::Unsure(format!(
                "{name} is still {status} after {minutes} min: look at it in the provider's panel"
            ));
        }
        RestoreStep::Wait
    }
}

/// Why a restore whose server cannot be read is no longer watched; `None` while it is. Its lease blocks every run on
/// the server, so a watch always ends.
#[must_use]
pub(crate) fn unseen(name: &str, failed: &FailedCall, waited: Duration, settle: Duration) -> Option<String> {
    let error = &failed.error;
    ((waited > settle && failed.is_refused()) || waited > TAKES).then(|| {
        format!(
            "the progress of the restore of {name} cannot be seen: look at the server in the provider's panel ({error})"
        )
    })
}

/// The server of a command that was cut off, once the request can no longer be in flight and, if it `restores`, the
/// server is neither restoring nor starting; `None` before that.
#[must_use]
pub(crate) fn at_rest(
    look: Result<&ServerStatus, &FailedCall>,
    restores: bool,
    (waited, on_its_way): (Duration, Duration),
) -> Option<FoundServer> {
    if waited < on_its_way {
        return None;
    }
    match look {
        Ok(status) if restores && may_be_restoring(status) && waited < TAKES => None,
        Ok(status) => Some(FoundServer::Reads(status.clone())),
        Err(failed) if failed.is_no_such_object() || waited >= TAKES => {
            Some(FoundServer::Unreadable { error: failed.error.clone() })
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::answer::CallFailure;
    use crate::journal::samples::{at, list_point};

    const MINUTE: Duration = Duration::from_mins(1);
    const ACTIVE: ServerStatus = ServerStatus::Active;
    const STOPPED: ServerStatus = ServerStatus::Stopped;

    fn restoring() -> ServerStatus {
        ServerStatus::Other("restoring".to_owned())
    }

    fn failed(how: CallFailure, status: Option<u16>) -> FailedCall {
        FailedCall { error: "no".to_owned(), status, how }
    }

    #[test]
    fn a_restore_that_was_cut_off_is_watched_or_looked_for_and_never_sent_blindly() {
        let (ours, other) = (list_point(7, at(0), ""), list_point(8, at(0), ""));
        let before = |point, accepted| Some(Errand { command: ManualCommand::restore(point), accepted });
        for (case, before, begin) in [
            ("nothing was cut off", None, RestoreBegin::Request),
            ("another one was", before(&other, true), RestoreBegin::Request),
            ("this one was, once accepted", before(&ours, true), RestoreBegin::Watch),
            ("this one was, before an answer", before(&ours, false), RestoreBegin::LookFirst),
        ] {
            assert_eq!(how_to_begin(&ManualCommand::restore(&ours), before.as_ref()), begin, "{case}");
        }
    }

    #[test]
    fn a_server_is_back_when_it_runs_after_it_was_seen_at_the_restore_or_had_its_time() {
        let (answered, lost) = (None, Some("no answer"));
        let unsure = |words: &str| RestoreStep::Unsure(words.to_owned());
        let untold = unsure(
            "it is unknown whether the restore of web began; nothing was sent again: look at the server in the \
             provider's panel, and ask again if it was not (no answer)",
        );
        for (case, begun, lost, status, minutes, expected) in [
            ("it has not begun yet", false, answered, ACTIVE, 1, RestoreStep::Wait),
            ("it was quicker than our looks", false, answered, ACTIVE, 2, RestoreStep::Back),
            ("it is being restored", false, answered, restoring(), 1, RestoreStep::Wait),
            ("it is back", true, answered, ACTIVE, 1, RestoreStep::Back),
            ("it is stopped meanwhile", true, answered, STOPPED, 60, RestoreStep::Wait),
            (
                "for too long",
                true,
                answered,
                STOPPED,
                121,
                unsure("web is still stopped after 120 min: look at it in the provider's panel"),
            ),
            ("the answer was lost, and it shows nothing", false, lost, ACTIVE, 1, RestoreStep::Wait),
            ("a stop proves nothing", false, lost, STOPPED, 1, RestoreStep::Wait),
            ("it has begun after all", false, lost, restoring(), 1, RestoreStep::BegunAfterAll),
            ("nobody can tell", false, lost, ACTIVE, 2, untold),
        ] {
            let mut watch = RestoreWatch { begun, lost: lost.map(str::to_owned) };
            assert_eq!(watch.look("web", &status, MINUTE * minutes, MINUTE), expected, "{case}");
        }
    }

    #[test]
    fn a_server_that_cannot_be_read_is_watched_for_two_hours_or_if_refused_for_settle() {
        for (case, how, minutes, ends) in [
            ("no answer", CallFailure::NotDone, 120, false),
            ("for too long", CallFailure::NotDone, 121, true),
            ("refused", CallFailure::Refused, 1, false),
            ("for longer than `settle`", CallFailure::Refused, 2, true),
        ] {
            assert_eq!(unseen("web", &failed(how, None), MINUTE * minutes, MINUTE).is_some(), ends, "{case}");
        }
    }

    #[test]
    fn a_server_is_at_rest_when_nothing_is_on_its_way_and_no_restore_in_progress() {
        let reads = |status: &ServerStatus| Some(FoundServer::Reads(status.clone()));
        let unreadable = || Some(FoundServer::Unreadable { error: "no".to_owned() });
        let (gone, no_answer) = (failed(CallFailure::Refused, Some(404)), failed(CallFailure::NotDone, None));
        for (case, look, restores, minutes, expected) in [
            ("it may be on its way", Ok(&ACTIVE), false, 1, None),
            ("it runs", Ok(&ACTIVE), true, 2, reads(&ACTIVE)),
            ("it is being restored", Ok(&restoring()), true, 2, None),
            ("for too long", Ok(&restoring()), true, 120, reads(&restoring())),
            ("that is nothing to a delete", Ok(&restoring()), false, 2, reads(&restoring())),
            ("it is gone", Err(&gone), true, 2, unreadable()),
            ("it cannot be read", Err(&no_answer), true, 2, None),
            ("for too long", Err(&no_answer), true, 120, unreadable()),
        ] {
            assert_eq!(at_rest(look, restores, (MINUTE * minutes, MINUTE * 2)), expected, "{case}");
        }
    }
}
