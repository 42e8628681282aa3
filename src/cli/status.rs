//! `lastgood status`: the last good point and its age, per server and policy; the exit code is for monitoring.

use std::path::Path;

use clap::Parser;

use crate::account::{file_in_force, survey};
use crate::cli::error::{self, CommandError};
use crate::cli::output;
use crate::cli::setup::Setup;
use crate::config::{LoadError, parse, state_dir};
use crate::exit_code::{ExitCode, Nagios};
use crate::status::{Level, Status};
use crate::store::Store;

/// Show the last good point of every policy; the exit code is for monitoring.
#[derive(Debug, Parser)]
#[command(after_help = "Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown.\n\nExample:\n  lastgood status --json")]
pub struct StatusArgs {
    /// One JSON document on standard output
    #[arg(long)]
    json: bool,
    /// Print nothing
    #[arg(long)]
    quiet: bool,
}

/// Prints the status. Reads only the state, never asks the provider. The exit code is 3 if the file or the state cannot
/// be read.
///
/// # Errors
/// When the output cannot be written as JSON.
pub(crate) async fn run(setup: &Setup, args: StatusArgs) -> anyhow::Result<Nagios> {
    match status(setup).await {
        Ok(status) => {
            if args.json {
                output::json(&status)?;
            } else if !args.quiet {
                show(&status);
            }
            Ok(match status.level {
                Level::Ok => Nagios::Ok,
                Level::Warning => Nagios::Warning,
                Level::Critical => Nagios::Critical,
            })
        }
        Err(error) => {
            if args.json {
                let text = error::text_of(&error);
                output::json(&serde_json::json!({ "level": "unknown", "policies": [], "error": text }))?;
            }
            output::note(&format!("lastgood: {}", error::text_of(&error)));
            Ok(Nagios::Unknown)
        }
    }
}

async fn status(setup: &Setup) -> anyhow::Result<Status> {
    let now = setup.clock.now();
    let (path, loaded) = setup.try_load()?;
    let (config, refused) = match loaded {
        Ok(loaded) => (loaded.config, None),
        // The daemon continues with the file that was last in force, so show that one.
        Err(LoadError::Invalid { name, source_text, diagnostics }) => {
            let folder = path.parent().unwrap_or(Path::new(""));
            let in_force = last_in_force(&state_dir(&source_text, folder, &setup.environment)).await;
            let config = in_force.and_then(|text| parse(&text, folder, &setup.environment, now).0);
            let error = LoadError::Invalid { name, source_text, diagnostics };
            match config {
                Some(config) => (config, Some(error)),
                None => return Err(CommandError::new(ExitCode::PolicyFile, error.to_string()).into()),
            }
        }
        Err(error) => return Err(CommandError::new(ExitCode::PolicyFile, error.to_string()).into()),
    };
    let store =
        Store::beside(&config.state_dir).map_err(|error| CommandError::new(ExitCode::State, error.to_string()))?;
    let mut status = survey(&config, &store, now).await?.status;
    if refused.is_some() {
        let text = format!(
            "the policy file {} is invalid (`lastgood check` says why): this status is based on the file last in force",
            path.display()
        );
        status.warnings.push(text);
        status.level = status.level.max(Level::Warning);
    }
    Ok(status)
}

/// The text of the file that was last in force here.
async fn last_in_force(dir: &Path) -> Option<String> {
    file_in_force(&Store::beside(dir).ok()?).await.ok()?
}

fn show(status: &Status) {
    let level = match status.level {
        Level::Ok => "OK",
        Level::Warning => "WARNING",
        Level::Critical => "CRITICAL",
    };
    output::line(&format!(
        "{level} · {} on servers · {}",
        output::count(status.policies.len(), "policy", "policies"),
        output::count(status.incidents.len(), "incident", "incidents")
    ));
    let rows = status.policies.iter().map(|one| {
        let slots = one.slots;
        [
            one.server.name.clone(),
            one.policy.to_string(),
            one.state.word().to_owned(),
            one.last_good
                .as_ref()
                .map_or_else(|| "none yet".to_owned(), |good| format!("{} of {}", good.id, good.created_at)),
            one.age_seconds.map_or_else(|| "-".to_owned(), output::span),
            one.next_due.map_or_else(|| "-".to_owned(), |due| due.to_string()),
            format!("{}/{} {}", slots.used, slots.limit, one.kind.plural()),
        ]
    });
    if !status.policies.is_empty() {
        output::line(&output::table(["server", "policy", "state", "last good", "age", "next due", "slots"], rows));
    }
    for incident in &status.incidents {
        let server = incident.server.as_ref().map(|server| format!(" {}", server.name)).unwrap_or_default();
        let policy = incident.policy.as_ref().map(|policy| format!(" {policy}")).unwrap_or_default();
        let text =
            format!("incident since {}{server}{policy}: {}", output::to_the_second(incident.since), incident.text);
        output::line(&output::printable(&text));
    }
    for debt in &status.debts {
        let (name, since) = (output::printable(&debt.server.name), output::to_the_second(debt.since));
        let by = debt.run.map_or_else(
            || format!("lastgood is watching it; `lastgood release debt {}` leaves it as it is", debt.server.id),
            |run| format!("run {run} stopped it for its restore point"),
        );
        output::line(&format!("to be started since {since}: {name}: {by}"));
    }
    if !status.unprotected.is_empty() {
        let names: Vec<String> = status.unprotected.iter().map(|server| server.name.clone()).collect();
        output::line(&output::printable(&format!("unprotected: {}", names.join(", "))));
    }
    if status.outbox.waiting > 0 {
        let waiting = usize::try_from(status.outbox.waiting).unwrap_or(usize::MAX);
        output::line(&format!("waiting to be sent: {}", output::count(waiting, "mail", "mails")));
    }
    for warning in &status.warnings {
        output::line(&format!("warning: {}", output::printable(warning)));
    }
}
