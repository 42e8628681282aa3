//! PURE: a server that lastgood stopped and that has not been seen running since.

use crate::journal::debt::release_command;
use crate::journal::notice::{NotStarted, StartProblem};
use crate::policy::inventory::ServerRef;
use crate::report::content::context::MailContext;
use crate::report::text::plain;

/// What it means and what to do.
pub(super) fn text(not_started: &NotStarted, server: Option<&ServerRef>, context: &MailContext) -> String {
    let asked = if not_started.problem == StartProblem::MayStillStop { "asked it to stop" } else { "stopped it" };
    let what = not_started.stopped_for.as_ref();
    let what =
        what.map_or_else(|| " for a restore point".to_owned(), |it| format!(" for a {} of {}", it.kind, it.policy));
    let since = not_started.since.map(|at| format!(" at {}", context.past(at))).unwrap_or_default();
    let release =
        server.map(|server| format!("; `{}` leaves it as it is", release_command(server))).unwrap_or_default();
    format!(
        "lastgood {asked}{what}{since}. {} Start the server in the provider's panel if it is needed now{release}.",
        problem(&not_started.problem)
    )
}

fn problem(problem: &StartProblem) -> String {
    match problem {
        StartProblem::Failed { error } => {
            format!("It could not be started again yet: {}. lastgood keeps trying.", plain(error))
        }
        StartProblem::Asked { again: false } => "It reads stopped. lastgood is starting it.".to_owned(),
        StartProblem::Asked { again: true } => "It still reads stopped. lastgood is starting it again.".to_owned(),
        StartProblem::AskedBeforeExit => {
            "It reads stopped. lastgood is starting it before it shuts down.".to_owned()
        }
        StartProblem::NotSeenRunning { seen } => {
            format!("It has not been seen running since: {}. lastgood keeps watching it.", plain(seen))
        }
        StartProblem::MayStillStop => {
            "It reads active, so it is not known yet whether it will stop. lastgood watches it, and starts it if it goes \
             down.".to_owned()
        }
        StartProblem::Missing => {
            "It is missing from the account's lists. lastgood looks for it, and starts it when it is listed as \
             stopped.".to_owned()
        }
    }
}
