//! `lastgood accept`: a person has looked at what stopped the deletes, and lets them go on. Works beside the daemon.

use clap::Parser;
use serde_json::{Value, json};

use crate::cli::delete::busy;
use crate::cli::output;
use crate::cli::plan;
use crate::cli::setup::{Choice, Opened, Setup, ask};
use crate::exit_code::ExitCode;
use crate::journal::errand::Command;
use crate::policy::brake::{Brake, StoredBrake};
use crate::policy::inventory::ServerRef;
use crate::policy::plan::Plan;
use crate::run::{Inspection, Lease, Task, take_stock};

/// Let deletes go on that a brake has stopped.
#[derive(Debug, Parser)]
#[command(
    after_help = "Example:\n  lastgood plan --server web-server-01      # shows the brake, and what goes once it is off\n  \
                        lastgood accept --server web-server-01 --policy nightly"
)]
pub struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Shows the plans that a brake is on, asks, and takes the brakes off.
///
/// # Errors
/// When the policy file, the state or the provider's list cannot be read, or a run is at work on a server.
pub async fn run(setup: &Setup, args: Args) -> anyhow::Result<ExitCode> {
    let opened = setup.open_beside().await?;
    let mut accepted: Vec<(ServerRef, String, Brake)> = Vec::new();
    let mut refused = false;
    for task in opened.tasks(&args.choice)? {
        let server = &task.server.reference;
        let seen = look(&opened, &task).await?;
        match accept(setup, &opened, &task, (seen, &args)).await? {
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
        output::line("no brake is on: nothing to accept");
    }
    Ok(if refused { ExitCode::Usage } else { ExitCode::Done })
}

/// The server as it is now, written down, so that each brake has its number. A run on it would see another list.
async fn look(opened: &Opened, task: &Task) -> anyhow::Result<Inspection> {
    let server = &task.server.reference;
    let command = Command::Accept { server: server.id.clone() };
    let Some(lease) = Lease::try_beside(&opened.world, &server.id, command).await? else {
        return Err(busy(server).into());
    };
    let seen = take_stock(&opened.world, task).await;
    lease.end().await?;
    Ok(seen??)
}

/// The brakes that were taken off; `None` when the person said no.
async fn accept(
    setup: &Setup,
    opened: &Opened,
    task: &Task,
    (seen, args): (Inspection, &Args),
) -> anyhow::Result<Option<Vec<Brake>>> {
    let (world, now) = (&opened.world, setup.clock.now());
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
        output::line("Once this is accepted, the next run would do this:");
        plan::show(&released.plan(world, task, 0));
    }
    let name = output::shown(&task.server.reference.name);
    if !args.yes
        && !ask(&format!("Let deletes of {} on {name} go on? [y/N] ", task.policy.name))?.eq_ignore_ascii_case("y")
    {
        output::note("nothing was accepted");
        return Ok(None);
    }
    if !world.store.accept(task.server.reference.clone(), held, now).await? {
        output::note(&format!(
            "more was seen on {name} since this was shown, and is not accepted: `lastgood plan` shows it"
        ));
        return Ok(None);
    }
    if !args.json {
        output::line(&format!("accepted: deletes of {} on {name} go on with the next run", task.policy.name));
    }
    Ok(Some(shown.brakes))
}
