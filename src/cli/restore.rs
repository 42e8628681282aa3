//! `lastgood restore`: restores a server from a restore point, after its name was typed, and watches until it is back.

use clap::Parser;

use crate::cli::delete::{KindWord, failure, find};
use crate::cli::failure::Failure;
use crate::cli::hold::id_of;
use crate::cli::output;
use crate::cli::setup::{Setup, ask};
use crate::exit_code::ExitCode;
use crate::policy::inventory::{Kind, PointStatus, RestorePoint};
use crate::run::by_hand;

/// Restore a server from a restore point.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  lastgood restore backup 502")]
pub struct Args {
    /// What it is
    kind: KindWord,
    /// The provider's id
    id: String,
    /// Do not ask for the server's name
    #[arg(long)]
    yes: bool,
}

/// Restores the server and watches until it is back.
///
/// # Errors
/// When the point is unknown or not completed, the name is not typed, or the provider refuses.
pub async fn run(setup: &Setup, args: Args) -> anyhow::Result<ExitCode> {
    let mut opened = setup.open_to_look().await?;
    let (kind, id) = (Kind::from(args.kind), id_of(&args.id));
    let point = find(&opened, kind, &id).await?;
    if point.status != PointStatus::Completed {
        return Err(
            Failure::usage(format!("{kind} {id} is {}: only a completed one can be restored", point.status)).into()
        );
    }
    say_what_is_lost(setup, &point);
    if !args.yes && ask("Type the server's name to go on: ")? != point.server.name {
        output::note("that is not its name: nothing was restored");
        return Ok(ExitCode::Usage);
    }
    opened.keep_state()?;
    let say = |text: String| output::note(&output::shown(&text));
    by_hand::restore(&opened.world, &point, &say).await.map_err(failure)?;
    let name = output::shown(&point.server.name);
    output::line(&format!("{name} is back, restored from {} {} of {}", point.kind, point.id, point.created_at));
    Ok(ExitCode::Done)
}

fn say_what_is_lost(setup: &Setup, point: &RestorePoint) {
    let name = output::shown(&point.server.name);
    let age = output::span(point.created_at.duration_until(setup.clock.now()).as_secs());
    output::note(&format!(
        "{name} will be stopped and all data on it overwritten with {} {} of {} ({age} old).\nEverything written on \
         {name} since then is lost. This cannot be undone.",
        point.kind, point.id, point.created_at
    ));
}
