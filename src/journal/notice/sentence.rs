//! Every notice in one sentence: for the log, for `status` and for the text of an incident. `report` writes longer
//! texts for mails.

use std::fmt;

use jiff::Timestamp;

use crate::journal::debt::release_command;
use crate::journal::notice::Notice;
use crate::journal::notice::fact::{
    Fact, FoundServer, LatestDue, MissedDueTimes, NotStarted, Recovered, Recovery, StalePolicy, StartProblem,
};
use crate::journal::notice::run::{FailedRun, RunProblem, SucceededRun};
use crate::policy::brake::Brake;
use crate::policy::inventory::{Kind, PointId, ServerRef};
use crate::policy::plan::Note;
use crate::policy::schedule::Lost;

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.map_or("restore point", Kind::word);
        match &self.fact {
            Fact::Failed(run) => failed(f, run, kind),
            Fact::Succeeded(run) => succeeded(f, run, kind),
            Fact::Recovered(recovered) => recovery(f, recovered),
            Fact::Stale(stale) => no_recent_point(f, stale, kind),
            Fact::Missed(missed) => missed_due_times(f, missed),
            Fact::ClockCorrected { handled, corrected } => write!(
                f,
                "the last handled due time was {handled}, in the future: a clock was wrong. It is corrected to {corrected}"
            ),
            Fact::ServerGone { .. } => gone(f, self.server.as_ref()),
            Fact::ServerNotStarted(not_started) => not_running(f, not_started, self.server.as_ref()),
            Fact::ServerListDoubtful { doubt } => list_doubtful(f, doubt),
            Fact::ServerListUnreadable { stored, error } => {
                let meanwhile = if *stored { "the stored list is used" } else { "no list is stored" };
                write!(f, "the account's servers cannot be listed, {meanwhile}: {error}")
            }
            Fact::Braked { brakes } => braked(f, brakes),
            Fact::NewJournal { points } => Note::NewJournal(*points).fmt(f),
            Fact::SecondLastgood { id } => Note::Stray(id.clone()).fmt(f),
            Fact::MoreToDelete { left, max_deletes } => Note::Braked { left: *left, max_deletes: *max_deletes }.fmt(f),
            Fact::Stuck { id, .. } => Note::Stuck(id.clone()).fmt(f),
            Fact::DatedInFuture { id, .. } => Note::Future(id.clone()).fmt(f),
            Fact::LeftOver { id, created_at } => left_over(f, kind, id, *created_at),
            Fact::CommandCutOff { command, accepted, server } => {
                write!(f, "`lastgood {command}`")?;
                if let Some(on) = &self.server {
                    write!(f, " on {on}")?;
                }
                cut_off(f, command, *accepted, server)
            }
            Fact::ReloadRefused { errors } => {
                write!(f, "the policy file was reloaded and refused; the previous one stays in force: {errors}")
            }
            Fact::Overfilled { over, sum } => write!(f, "the policies of {over} need more slots than it has: {sum}"),
            Fact::General { text, .. } => f.write_str(text),
        }
    }
}

fn failed(f: &mut fmt::Formatter<'_>, run: &FailedRun, kind: &str) -> fmt::Result {
    match &run.problem {
        RunProblem::Failed { error } | RunProblem::Unknown { error } => f.write_str(error),
        RunProblem::CutOff { error } => {
            write!(f, "the run was interrupted by a bug in lastgood and will be resumed after a pause: {error}")
        }
        RunProblem::Unreadable { error } => {
            write!(
                f,
                "the journal of this run cannot be read and was set aside: {error}; it is not resumed. Whether its {kind} \
                 was created is unknown: look at the list"
            )?;
            run.run.map_or(Ok(()), |run| write!(f, " (run {run})"))
        }
    }
}

fn succeeded(f: &mut fmt::Formatter<'_>, run: &SucceededRun, kind: &str) -> fmt::Result {
    let Some(made) = &run.made else { return f.write_str("succeeded") };
    write!(f, "created {kind} {made}")?;
    if run.started_early {
        f.write_str("; the server was started before the point was seen to be completed")?;
    }
    run.given_up.iter().try_for_each(|one| write!(f, "; {kind} {} was {}", one.id, one.why))
}

fn recovery(f: &mut fmt::Formatter<'_>, recovered: &Recovered) -> fmt::Result {
    let what = match recovered.by {
        Recovery::PointMade => "restore points are created again",
        Recovery::ServerRuns => "the server runs again",
        Recovery::StoppedServerGone => {
            "the server has been missing from the account's lists for 24 hours: it is gone, and no start is owed to it any more"
        }
        Recovery::StartReleased => "`lastgood release debt` was given for the server: it is left as it is",
        Recovery::ServersListed => "the account's servers can be listed again",
        Recovery::Reloaded => "the policy file was reloaded and is in force",
        Recovery::Of(_) => return f.write_str(recovered.was.as_deref().unwrap_or("it is over")),
    };
    match &recovered.was {
        Some(was) => write!(f, "{what}; previously: {was}"),
        None => f.write_str(what),
    }
}

fn no_recent_point(f: &mut fmt::Formatter<'_>, stale: &StalePolicy, kind: &str) -> fmt::Result {
    match &stale.last_good {
        Some(good) => write!(f, "the last good {kind} is {} of {}", good.id, good.created_at),
        None => write!(f, "no {kind} was ever completed"),
    }
}

fn missed_due_times(f: &mut fmt::Formatter<'_>, missed: &MissedDueTimes) -> fmt::Result {
    match (&missed.latest, &missed.lost) {
        (LatestDue::Skipped(due), lost) => {
            write!(f, "the due time {due} was skipped: the run before it was still in progress")?;
            if let Some(lost) = lost {
                f.write_str("; before it, ")?;
                lost_due_times(f, lost)?;
            }
            Ok(())
        }
        (latest, Some(lost)) => {
            lost_due_times(f, lost)?;
            match latest {
                LatestDue::CaughtUp(due) => write!(f, "; the latest, {due}, is being caught up now"),
                _ => f.write_str("; none is caught up: the latest is older than catch_up"),
            }
        }
        (_, None) => f.write_str("due times were missed"),
    }
}

fn lost_due_times(f: &mut fmt::Formatter<'_>, lost: &Lost) -> fmt::Result {
    if lost.count == 1 {
        write!(f, "the due time {} was missed", lost.last)
    } else {
        write!(f, "{} due times were missed, from {} to {}", lost.count, lost.first, lost.last)
    }
}

fn gone(f: &mut fmt::Formatter<'_>, server: Option<&ServerRef>) -> fmt::Result {
    f.write_str("server ")?;
    if let Some(server) = server {
        write!(f, "{} ({}) ", server.name, server.id)?;
    }
    f.write_str(
        "is no longer listed by the provider: none of its points are pruned; if it was removed on purpose, remove it from \
         the policy file",
    )
}

fn not_running(f: &mut fmt::Formatter<'_>, not_started: &NotStarted, server: Option<&ServerRef>) -> fmt::Result {
    let what = not_started.stopped_for.as_ref().map_or("restore point", |what| what.kind.word());
    let asked = if not_started.problem == StartProblem::MayStillStop { "asked to stop" } else { "stopped" };
    write!(f, "the server was {asked} for its {what}")?;
    if let Some(what) = &not_started.stopped_for {
        write!(f, " (policy {})", what.policy)?;
    }
    match &not_started.problem {
        StartProblem::Failed { error } => write!(f, " and could not be started again yet: {error}"),
        StartProblem::Asked { again } => {
            write!(f, ", and it reads stopped: it is asked{} to start", if *again { " again" } else { "" })
        }
        StartProblem::AskedBeforeExit => f.write_str(": it is asked to start before the process ends"),
        StartProblem::NotSeenRunning { seen } => write!(f, " and was not seen running again since: {seen}"),
        StartProblem::MayStillStop => f.write_str(
            " and reads active: it is not known yet whether it will stop, so it is watched, and started if it goes down",
        ),
        StartProblem::Missing => f.write_str(
            ", and it is missing from the account's lists now: it is looked for, and started when it is listed as stopped",
        ),
    }?;
    server.map_or(Ok(()), |server| write!(f, "; `{}` leaves it as it is", release_command(server)))
}

fn list_doubtful(f: &mut fmt::Formatter<'_>, doubt: &str) -> fmt::Result {
    write!(
        f,
        "the list of the account's servers is doubtful: {doubt}; a server that is missing from it still counts as present, \
         and a new one that cannot be read is not followed"
    )
}

fn braked(f: &mut fmt::Formatter<'_>, brakes: &[Brake]) -> fmt::Result {
    for brake in brakes {
        write!(f, "{brake}; ")?;
    }
    f.write_str("`lastgood plan` shows more, `lastgood accept` lets deletes continue")
}

fn left_over(f: &mut fmt::Formatter<'_>, kind: &str, id: &PointId, created_at: Timestamp) -> fmt::Result {
    write!(
        f,
        "the answer to the create was lost, and {kind} {id} of {created_at} has appeared without any text that shows \
         whose it is: look at it, and delete it if nobody needs it, since the create was sent again and made a good point"
    )
}

fn cut_off(f: &mut fmt::Formatter<'_>, command: &str, accepted: bool, server: &FoundServer) -> fmt::Result {
    f.write_str(if accepted {
        " was cut off after the provider had accepted it. "
    } else {
        " was cut off, and it is unknown whether it was carried out. "
    })?;
    match server {
        FoundServer::Reads(status) => write!(f, "The server is {status} now: "),
        FoundServer::Unreadable { error } => write!(f, "The server cannot be read ({error}): "),
    }?;
    f.write_str(match command.split(' ').next() {
        _ if accepted => "look at it",
        Some("restore") => "look at it, and run the command again if it was not restored",
        Some("delete") => "`lastgood list` shows whether the point is still there",
        _ => "`lastgood plan` shows what is there",
    })
}
