//! `lastgood delete`: deletes one restore point by hand, after asking. Works alongside the daemon.

use clap::{Parser, ValueEnum};

use crate::cli::error::CommandError;
use crate::cli::output;
use crate::cli::setup::{CommandContext, Setup, ask};
use crate::exit_code::ExitCode;
use crate::policy::evidence::describe;
use crate::policy::guard::Guard;
use crate::policy::inventory::{Kind, PointId, RestorePoint, ServerRef};
use crate::policy::permit;
use crate::provider::Deleted;
use crate::run::by_hand::{self, ByHandError};

/// Delete one restore point by hand.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  lastgood delete snapshot 801")]
pub struct DeleteArgs {
    /// The kind of restore point
    kind: KindArg,
    /// The provider's id
    id: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// The word for a kind on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum KindArg {
    /// A manual backup.
    Backup,
    /// A snapshot.
    Snapshot,
}

impl From<KindArg> for Kind {
    fn from(word: KindArg) -> Self {
        match word {
            KindArg::Backup => Self::Backup,
            KindArg::Snapshot => Self::Snapshot,
        }
    }
}

/// Deletes the point.
///
/// # Errors
/// When it is unknown, automatic, on hold or in progress, or a run is in progress on its server.
pub(crate) async fn run(setup: &Setup, args: DeleteArgs) -> anyhow::Result<ExitCode> {
    let mut context = setup.open_read_only().await?;
    let (kind, id) = (Kind::from(args.kind), PointId::from(args.id.as_str()));
    let point = find(&context, kind, &id).await?;
    refuse(&context, &point).await?;
    let what = output::printable(&describe(&point, kind));
    let about = format!("{what} of {}, created {}", output::printable(&point.server.name), point.created_at);
    if !args.yes && !ask(&format!("Delete {about}? There is no undo. [y/N] "))?.eq_ignore_ascii_case("y") {
        output::note("nothing was deleted");
        return Ok(ExitCode::Usage);
    }
    context.create_state()?;
    let say = |text: String| output::note(&output::printable(&text));
    match by_hand::delete(&context.world, &point, &say).await.map_err(failure)? {
        Deleted::Accepted => output::line(&format!("deleted {about}")),
        Deleted::AlreadyGone => output::line(&format!("already gone: {about}")),
    }
    Ok(ExitCode::Done)
}

/// The point that the provider lists under this id.
///
/// # Errors
/// When there is none, or the list cannot be read.
pub(crate) async fn find(context: &CommandContext, kind: Kind, id: &PointId) -> anyhow::Result<RestorePoint> {
    let records = context.world.client.records(kind, None, None).await?.items;
    let found = records.into_iter().map(|(point, _)| point).find(|point| point.id == *id);
    found.ok_or_else(|| {
        CommandError::usage(format!("there is no {kind} {id}: `lastgood list {}` shows them", kind.plural())).into()
    })
}

/// The error if a run is in progress on the server.
#[must_use]
pub(crate) fn busy(server: &ServerRef) -> CommandError {
    let text = ByHandError::Busy(server.name.clone()).to_string();
    CommandError::new(ExitCode::Locked, output::printable(&text))
}

/// The error with its exit code.
#[must_use]
pub(crate) fn failure(error: ByHandError) -> anyhow::Error {
    let text = output::printable(&error.to_string());
    match error {
        ByHandError::Store(error) => error.into(),
        ByHandError::Provider(error) => error.into(),
        ByHandError::Run(error) => error.into(),
        ByHandError::Busy(_) => CommandError::new(ExitCode::Locked, text).into(),
        ByHandError::Held(_) | ByHandError::CutOff(_) => CommandError::usage(text).into(),
        ByHandError::Unsure(_) => CommandError::new(ExitCode::Provider, text).into(),
    }
}

async fn refuse(context: &CommandContext, point: &RestorePoint) -> anyhow::Result<()> {
    let (kind, id) = (point.kind, &point.id);
    let now = context.world.clock.now();
    let hold = context.world.store.hold_on(point.server.id.clone(), kind, id.clone(), now).await?;
    let Err(guard) = permit::by_hand(point, hold) else { return Ok(()) };
    let text = match guard {
        Guard::Automatic => format!("{kind} {id} is automatic: lastgood never deletes it"),
        Guard::InProgress(status) => format!("{kind} {id} is still {status}: wait until it is finished"),
        Guard::Held(reason) | Guard::ServerHeld(reason) => {
            format!("{kind} {id} is on hold ({}): `lastgood release` it first", output::printable(&reason))
        }
        other => format!("{kind} {id} is not deleted: {}", output::printable(&other.to_string())),
    };
    Err(CommandError::usage(text).into())
}
