//! `lastgood restore`: restores a server from a restore point after the user typed the server's name, and watches until
//! it is back.

use clap::Parser;

use crate::cli::delete::{KindArg, failure, find};
use crate::cli::error::CommandError;
use crate::cli::output;
use crate::cli::setup::{Setup, ask};
use crate::exit_code::ExitCode;
use crate::policy::inventory::PointId;
use crate::policy::inventory::{Kind, PointStatus, RestorePoint};
use crate::run::by_hand::{self, CutOff};

/// Restore a server from a restore point.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  lastgood restore backup 502")]
pub struct RestoreArgs {
    /// The kind of restore point
    kind: KindArg,
    /// The provider's id
    id: String,
    /// Do not ask for the server's name
    #[arg(long)]
    yes: bool,
    /// Restore even if an earlier restore was cut off and may have been carried out
    #[arg(long)]
    again: bool,
}

/// Restores the server and watches until it is back.
///
/// # Errors
/// When the point is unknown or not completed, the name is not typed, or the provider refuses.
pub(crate) async fn run(setup: &Setup, args: RestoreArgs) -> anyhow::Result<ExitCode> {
    let mut context = setup.open_read_only().await?;
    let (kind, id) = (Kind::from(args.kind), PointId::from(args.id.as_str()));
    let point = find(&context, kind, &id).await?;
    if point.status != PointStatus::Completed {
        return Err(CommandError::usage(format!(
            "{kind} {id} is {}: only a completed one can be restored",
            point.status
        ))
        .into());
    }
    let before = by_hand::cut_off(&context.world, &point).await.map_err(failure)?;
    let Some(again) = ask_person(setup, &args, &point, before.as_ref())? else {
        output::note("nothing was restored");
        return Ok(ExitCode::Usage);
    };
    context.create_state()?;
    let say = |text: String| output::note(&output::printable(&text));
    by_hand::restore(&context.world, &point, again, &say).await.map_err(failure)?;
    let name = output::printable(&point.server.name);
    output::line(&format!("{name} is back, restored from {} {} of {}", point.kind, point.id, point.created_at));
    Ok(ExitCode::Done)
}

/// Says what an earlier command left and what will be lost, and asks. `None` if the person says no; otherwise whether
/// to restore even if an earlier restore may have been carried out.
fn ask_person(
    setup: &Setup,
    args: &RestoreArgs,
    point: &RestorePoint,
    before: Option<&CutOff>,
) -> anyhow::Result<Option<bool>> {
    let twice = before.is_some_and(|before| before.needs_again(point)) && !args.again;
    if twice && args.yes {
        // It is refused once we have the lease: until then somebody else may settle what was left.
        return Ok(Some(false));
    }
    if let Some(before) = before {
        output::note(&output::printable(&before.to_string()));
        if before.is_watched(point) {
            let name = output::printable(&point.server.name);
            output::note(&format!("nothing is sent again: watching {name} until it is back"));
            return Ok(Some(false));
        }
    }
    say_what_is_lost(setup, point);
    if args.yes {
        return Ok(Some(args.again));
    }
    if ask("Type the server's name to continue: ")? != point.server.name {
        output::note("that is not its name");
        return Ok(None);
    }
    if twice && ask("It may have been restored already. Type `again` to restore it anyway: ")? != "again" {
        return Ok(None);
    }
    Ok(Some(args.again || twice))
}

fn say_what_is_lost(setup: &Setup, point: &RestorePoint) {
    let name = output::printable(&point.server.name);
    let age = output::span(point.created_at.duration_until(setup.clock.now()).as_secs());
    output::note(&format!(
        "{name} will be stopped and all data on it overwritten with {} {} of {} ({age} old).\nEverything written on \
         {name} since then is lost. This cannot be undone.",
        point.kind, point.id, point.created_at
    ));
}
