//! `lastgood history`: past runs with their steps and outcomes, unfinished ones too.

use clap::Parser;
use serde_json::json;

use crate::cli::output;
use crate::cli::setup::Setup;
use crate::exit_code::ExitCode;
use crate::journal::summary::RunHistory;

/// Show past runs with their steps.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  lastgood history --server web-server-01 --limit 5")]
pub struct HistoryArgs {
    /// Only runs of this server (id, uuid, name or hostname)
    #[arg(long, value_name = "S")]
    server: Option<String>,
    /// At most this many runs
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Prints the runs, newest first.
///
/// # Errors
/// When the policy file or the state cannot be read.
pub(crate) async fn run(setup: &Setup, args: HistoryArgs) -> anyhow::Result<ExitCode> {
    let store = setup.state_beside()?;
    let server = match &args.server {
        Some(text) => Some(setup.stored_server(&store, text).await?.reference.id),
        None => None,
    };
    let runs = store.history(server, args.limit).await?;
    if args.json {
        output::json(&json!({ "runs": runs }))?;
        return Ok(ExitCode::Done);
    }
    if runs.is_empty() {
        output::line("no runs yet");
    }
    for run in &runs {
        show(run);
    }
    Ok(ExitCode::Done)
}

fn show(run: &RunHistory) {
    let facts = &run.summary;
    let due = facts.due.map_or_else(|| "by hand".to_owned(), |due| format!("due {}", output::to_the_second(due)));
    let (name, started) = (output::printable(&facts.server.name), output::to_the_second(run.started));
    output::line(&format!("run {}  {}  {name}  {}  {due}  {started}", facts.run, facts.outcome, facts.policy));
    if let Some(error) = &facts.error {
        output::line(&format!("    {}", output::printable(error)));
    }
    for step in &run.steps {
        let id = step.id.as_ref().map(ToString::to_string).unwrap_or_default();
        let error = step.error.as_deref().map(|error| format!("  {}", output::printable(error))).unwrap_or_default();
        output::line(&format!("    {}  {:<6} {id}  {}{error}", output::to_the_second(step.at), step.act, step.state));
    }
}
