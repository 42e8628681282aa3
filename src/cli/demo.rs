//! `lastgood demo`: the main job in a minute, on the simulator.

use clap::Parser;

use crate::exit_code::ExitCode;

/// Show the whole thing in a minute, on the built-in simulator.
#[derive(Debug, Parser)]
pub struct Args {}

/// Placeholder.
///
/// # Errors
/// Never.
pub async fn run(_args: Args) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::Done)
}
