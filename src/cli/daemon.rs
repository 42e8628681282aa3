//! `lastgood daemon`: the service.

use std::sync::Arc;

use clap::Parser;

use crate::cli::setup::Setup;
use crate::daemon::{Files, Service, Signals};
use crate::exit_code::ExitCode;

/// Follow the schedules (the service).
#[derive(Debug, Parser)]
#[command(
    after_help = "Example:\n  lastgood daemon --config /etc/lastgood/policy.toml\n\nSIGHUP reads the policy file again, SIGTERM ends the service in an orderly way."
)]
pub struct Args {}

/// Runs until SIGTERM.
///
/// # Errors
/// When the policy file or the state cannot be used.
pub async fn run(setup: &Setup, _args: Args) -> anyhow::Result<ExitCode> {
    // Before anything is read: a file or a disk that is slow must not make a SIGTERM kill the process.
    let mut signals = Signals::install()?;
    let files = setup.clone();
    let opening = tokio::task::spawn_blocking(move || files.open_daemon());
    let Some(opened) = signals.unless_ended(opening).await else { return Ok(ExitCode::Done) };
    let opened = opened??;
    let again = setup.clone();
    let files: Files = Arc::new(move || again.read_again().map_err(|error| format!("{error:#}")));
    Service::new(opened.world, opened.stop, opened.config, files).run(signals).await?;
    Ok(ExitCode::Done)
}
