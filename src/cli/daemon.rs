//! `lastgood daemon`: the service.

use std::sync::Arc;

use clap::Parser;

use crate::cli::setup::Setup;
use crate::daemon::{Files, Service};
use crate::exit_code::ExitCode;

/// Follow the schedules (the service).
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  lastgood daemon --config /etc/lastgood/policy.toml\n\nSIGHUP reads the policy file again, SIGTERM ends the service in an orderly way.")]
pub struct Args {}

/// Runs until SIGTERM.
///
/// # Errors
/// When the policy file or the state cannot be used.
pub async fn run(setup: &Setup, _args: Args) -> anyhow::Result<ExitCode> {
    let opened = setup.open_daemon()?;
    let again = setup.clone();
    let files: Files = Arc::new(move || again.read_again().map_err(|error| format!("{error:#}")));
    Service::new(opened.world, opened.stop, opened.config, files).run().await?;
    Ok(ExitCode::Done)
}
