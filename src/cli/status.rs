//! `lastgood status`: per server and policy the last good point and its age; the exit code is for monitoring.

use clap::Parser;

use crate::cli::failure::{self, Failure};
use crate::cli::output;
use crate::cli::setup::Setup;
use crate::daemon::survey::survey;
use crate::exit_code::Nagios;
use crate::status::{Level, Status};
use crate::store::StoreError;

/// Show the last good point of every policy; the exit code is for monitoring.
#[derive(Debug, Parser)]
#[command(after_help = "Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown.\n\nExample:\n  lastgood status --json")]
pub struct Args {
    /// One JSON document on standard output
    #[arg(long)]
    json: bool,
    /// Print nothing
    #[arg(long)]
    quiet: bool,
}

/// Prints the status. Asks the state alone, never the provider.
///
/// # Errors
/// With exit code 3, when the file or the state cannot be read.
pub async fn run(setup: &Setup, args: Args) -> anyhow::Result<Nagios> {
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
                let text = failure::text_of(&error);
                output::json(&serde_json::json!({ "level": "unknown", "policies": [], "error": text }))?;
            }
            output::note(&format!("lastgood: {}", failure::text_of(&error)));
            Ok(Nagios::Unknown)
        }
    }
}

async fn status(setup: &Setup) -> anyhow::Result<Status> {
    let config = setup.load()?.config;
    let store = setup.state_beside().map_err(|error| match error.downcast::<StoreError>() {
        Ok(error) => anyhow::Error::from(Failure::new(crate::exit_code::ExitCode::State, error.to_string())),
        Err(error) => error,
    })?;
    Ok(survey(&config, &store, setup.clock.now()).await?.status)
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
            one.policy.clone(),
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
        let text = format!("incident since {}{server}{policy}: {}", incident.since, incident.text);
        output::line(&output::shown(&text));
    }
    if !status.unprotected.is_empty() {
        let names: Vec<String> = status.unprotected.iter().map(|server| server.name.clone()).collect();
        output::line(&output::shown(&format!("unprotected: {}", names.join(", "))));
    }
    if status.outbox.waiting > 0 {
        let waiting = usize::try_from(status.outbox.waiting).unwrap_or(usize::MAX);
        output::line(&format!("waiting to be sent: {}", output::count(waiting, "mail", "mails")));
    }
    for warning in &status.warnings {
        output::line(&format!("warning: {}", output::shown(warning)));
    }
}
