//! `lastgood restore`: restores a server from a restore point, after its name was typed, and watches until it is back.

use std::time::Duration;

use clap::Parser;
use tokio::time::Instant;

use crate::cli::delete::{KindWord, busy, find, say_what_was_cut_off};
use crate::cli::failure::Failure;
use crate::cli::hold::id_of;
use crate::cli::output;
use crate::cli::setup::{Opened, Setup, ask};
use crate::exit_code::ExitCode;
use crate::policy::inventory::{Kind, PointStatus, RestorePoint, ServerStatus};
use crate::provider::ProviderError;
use crate::run::Lease;

/// How long a restore may take before the watch ends: the provider says 5 to 15 minutes.
const TAKES: Duration = Duration::from_hours(2);

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
    let opened = setup.open_beside().await?;
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
    let errand = format!("restore {kind} {id}");
    let Some(lease) = Lease::try_beside(&opened.world, &point.server.id, &errand).await? else {
        return Err(busy(&point.server).into());
    };
    say_what_was_cut_off(&lease);
    let again = lease.cut_off() == Some(errand.as_str());
    let watched = restore(&opened, &point, again).await;
    lease.end().await?;
    watched
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

/// Whether the server shows the restore that an earlier command has asked for: it is watched then, and not asked for
/// a second time. Looks for as long as that request may be on its way.
async fn is_being_restored(opened: &Opened, point: &RestorePoint) -> anyhow::Result<bool> {
    let (world, began) = (&opened.world, Instant::now());
    while began.elapsed() < world.settings.settle + world.settings.timeout {
        let server = world.client.server(&point.server.id).await?;
        if matches!(server.status, ServerStatus::Other(_)) {
            return Ok(true);
        }
        world.pause(world.settings.poll).await?;
    }
    Ok(false)
}

/// `again` after a command like this one was cut off.
async fn restore(opened: &Opened, point: &RestorePoint, again: bool) -> anyhow::Result<ExitCode> {
    let begun = again && is_being_restored(opened, point).await?;
    let lost = if begun {
        output::note("the restore is under way: it is watched");
        None
    } else {
        ask_for(opened, point).await?
    };
    watch(opened, point, begun, lost).await
}

/// Sends it, once. What is returned is why nobody can tell whether it was begun.
async fn ask_for(opened: &Opened, point: &RestorePoint) -> anyhow::Result<Option<ProviderError>> {
    let world = &opened.world;
    match world.client.restore(point.kind, &point.server.id, &point.id).await {
        Ok(started) => {
            output::note(&started.message.map_or_else(|| "accepted".to_owned(), |text| output::shown(&text)));
            Ok(None)
        }
        Err(error) if error.outcome_unknown() => {
            output::note(&format!("lastgood: the answer was lost, so the server is watched: {error}"));
            Ok(Some(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// Looks at the server until it is back. After a lost answer only what the server shows proves that it was begun.
async fn watch(
    opened: &Opened,
    point: &RestorePoint,
    mut began: bool,
    lost: Option<ProviderError>,
) -> anyhow::Result<ExitCode> {
    let name = output::shown(&point.server.name);
    let world = &opened.world;
    let asked = world.clock.now();
    let mut last = String::new();
    loop {
        let look = world.client.server(&point.server.id).await;
        let waited = Duration::try_from(asked.duration_until(world.clock.now())).unwrap_or_default();
        // A server that shows no sign of the restore within `settle` was quicker than our looks.
        let settled = waited > world.settings.settle;
        // A lease that is kept holds up every run of the server, so no watch may last for ever.
        if let Err(error) = &look
            && ((settled && error.is_refusal()) || waited > TAKES)
        {
            let text = format!(
                "how the restore of {name} goes on cannot be seen: look at the server in the provider's panel ({error})"
            );
            return Err(Failure::new(ExitCode::Provider, text).into());
        }
        if let Ok(server) = look {
            let status = server.status.to_string();
            if status != last {
                output::note(&format!("{name}: {}", output::shown(&status)));
            }
            last = status;
            let active = server.status == ServerStatus::Active;
            // A stopped server may have been so before.
            let at_it = matches!(server.status, ServerStatus::Other(_));
            began |= if lost.is_some() { at_it } else { settled || !active };
            if let Some(error) = lost.as_ref().filter(|_| settled && !began) {
                let text = format!(
                    "whether the restore of {name} was begun cannot be told; nothing was sent again: look at the server in \
                     the provider's panel, and ask again if it was not ({error})"
                );
                return Err(Failure::new(ExitCode::Provider, text).into());
            }
            if began && server.status == ServerStatus::Active {
                output::line(&format!(
                    "{name} is back, restored from {} {} of {}",
                    point.kind, point.id, point.created_at
                ));
                return Ok(ExitCode::Done);
            }
            if waited > TAKES {
                break;
            }
        }
        world.pause(world.settings.poll).await?;
    }
    let text = format!("{name} is still {last} after {} min: look at it in the provider's panel", TAKES.as_secs() / 60);
    Err(Failure::new(ExitCode::Provider, text).into())
}
