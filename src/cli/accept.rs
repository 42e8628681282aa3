//! `lastgood accept`: releases a brake after a person has looked at its cause. Works alongside the daemon.

use clap::Parser;
use serde_json::{Value, json};

use crate::cli::delete::busy;
use crate::cli::error::of_inspection;
use crate::cli::output;
use crate::cli::plan;
use crate::cli::setup::{CommandContext, Selection, Setup, ask};
use crate::exit_code::ExitCode;
use crate::journal::errand::ManualCommand;
use crate::policy::brake::{Brake, StoredBrake};
use crate::policy::inventory::ServerRef;
use crate::policy::plan::Plan;
use crate::run::{Inspection, Lease, Task, inspect_and_record};

/// Release a brake, so that deletes continue.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  lastgood plan --server web-server-01      # shows the brake and its cause\n  \
                        lastgood accept --server web-server-01 --policy nightly")]
pub struct AcceptArgs {
    #[command(flatten)]
    selection: Selection,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Shows the plans that a brake affects, asks, and releases the brakes.
///
/// # Errors
/// When the policy file, the state or the provider's list cannot be read, or a run is in progress on a server.
pub(crate) async fn run(setup: &Setup, args: AcceptArgs) -> anyhow::Result<ExitCode> {
    let context = setup.open_beside().await?;
    let mut accepted: Vec<(ServerRef, String, Brake)> = Vec::new();
    let mut refused = false;
    for task in context.tasks(&args.selection)? {
        let server = &task.server.reference;
        let seen = inspect(&context, &task).await?;
        match accept(setup, &context, &task, (seen, &args)).await? {
            Some(brakes) => {
                accepted.extend(brakes.into_iter().map(|brake| (server.clone(), task.policy.name.to_string(), brake)));
            }
            None => refused = true,
        }
    }
    if args.json {
        let shape = |(server, policy, brake): &(ServerRef, String, Brake)| json!({ "server": server, "policy": policy, "cause": brake.cause.word(), "text": brake.text });
        output::json(&json!({ "accepted": accepted.iter().map(shape).collect::<Vec<Value>>() }))?;
    } else if accepted.is_empty() && !refused {
        output::line("no brake is set: nothing to accept");
    }
    Ok(if refused { ExitCode::Usage } else { ExitCode::Done })
}

/// The server as it is now, stored so that each brake has its number. Takes the lease, because a run would change the
/// list.
async fn inspect(context: &CommandContext, task: &Task) -> anyhow::Result<Inspection> {
    let server = &task.server.reference;
    let command = ManualCommand::Accept { server: server.id.clone() };
    let Some(lease) = Lease::try_beside(&context.world, &server.id, command).await? else {
        return Err(busy(server).into());
    };
    let seen = inspect_and_record(&context.world, task).await;
    lease.end().await?;
    seen.map_err(of_inspection)
}

/// The brakes that were released; `None` if the person said no.
async fn accept(
    setup: &Setup,
    context: &CommandContext,
    task: &Task,
    (seen, args): (Inspection, &AcceptArgs),
) -> anyhow::Result<Option<Vec<Brake>>> {
    let (world, now) = (&context.world, setup.clock.now());
    let shown: Plan = seen.plan(world, task, 0);
    if shown.brakes.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let in_force = |held: &&StoredBrake| !held.accepted && shown.brakes.contains(&held.brake);
    let held: Vec<StoredBrake> = seen.memory.brakes.iter().filter(in_force).cloned().collect();
    let numbers: Vec<i64> = held.iter().map(|held| held.number).collect();
    let mut released = seen.clone();
    released.memory.release(&numbers);
    if !args.json {
        plan::show(&shown);
        output::line("Once accepted, the next run would do this:");
        plan::show(&released.plan(world, task, 0));
    }
    let name = output::printable(&task.server.reference.name);
    if !args.yes
        && !ask(&format!("Continue deletes of {} on {name}? [y/N] ", task.policy.name))?.eq_ignore_ascii_case("y")
    {
        output::note("nothing was accepted");
        return Ok(None);
    }
    if !world.store.accept(task.server.reference.clone(), held, now).await? {
        output::note(&format!(
            "something new was found on {name} since this was shown, so nothing was accepted: `lastgood plan` shows it"
        ));
        return Ok(None);
    }
    if !args.json {
        output::line(&format!("accepted: deletes of {} on {name} continue with the next run", task.policy.name));
    }
    Ok(Some(shown.brakes))
}
