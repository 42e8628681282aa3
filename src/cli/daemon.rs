//! `lastgood daemon`: the service. The only file of `cli` that uses `daemon`.

use std::sync::Arc;

use clap::Parser;

use crate::cli::error::CommandError;
use crate::cli::setup::{CommandContext, Setup};
use crate::cli::world::run_settings;
use crate::daemon::{NewConfig, ReloadConfig, Service, ServiceError, Signals, run_in_process};
use crate::exit_code::ExitCode;

/// Run the service, which follows the schedules.
#[derive(Debug, Parser)]
#[command(
    after_help = "Example:\n  lastgood daemon --config /etc/lastgood/policy.toml\n\nSIGHUP reloads the policy file; SIGTERM shuts the service down cleanly."
)]
pub struct DaemonArgs {}

/// Runs until SIGTERM.
///
/// # Errors
/// When the policy file or the state cannot be used.
pub(crate) async fn run(setup: &Setup, _args: DaemonArgs) -> anyhow::Result<ExitCode> {
    // Before anything is read: with a slow file or disk, a SIGTERM must not kill the process.
    let mut signals = Signals::install()?;
    let files = setup.clone();
    let opening = async { tokio::task::spawn_blocking(move || files.open_daemon()).await? };
    let Some(context) = signals.unless_ended(opening).await else { return Ok(ExitCode::Done) };
    serve(setup, context?, signals, std::future::pending()).await?;
    Ok(ExitCode::Done)
}

/// Runs the service until `end` completes, for the demo.
///
/// # Errors
/// When it cannot start, or the state fails.
pub(super) async fn serve_until(
    setup: &Setup,
    context: CommandContext,
    end: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    serve(setup, context, Signals::install()?, end).await
}

async fn serve(
    setup: &Setup,
    context: CommandContext,
    signals: Signals,
    end: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let setup = setup.clone();
    let reload_config: ReloadConfig = Arc::new(move || {
        let (config, client) = setup.read_file_and_client().map_err(|error| format!("{error:#}"))?;
        Ok(NewConfig { settings: run_settings(&config), config, client })
    });
    let service = Service::new(context.world, context.stop, context.config, reload_config);
    run_in_process(service, signals, end).await.map_err(|error| match error {
        // The cause decides the exit code, not where it was noticed.
        ServiceError::Store(error) => error.into(),
        error @ ServiceError::Listen(_) => CommandError::new(ExitCode::PolicyFile, error.to_string()).into(),
        error @ ServiceError::Start(_) => error.into(),
    })
}
