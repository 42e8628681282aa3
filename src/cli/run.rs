//! `lastgood run`: creates and prunes now, in the foreground, with progress and with retries like the daemon's.

use std::collections::HashMap;
use std::time::Duration;

use clap::Parser;
use jiff::Timestamp;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinHandle, JoinSet};

use crate::account::{self, mail_settings};
use crate::cli::output;
use crate::cli::plan::show_plans;
use crate::cli::progress;
use crate::cli::setup::{CommandContext, Selection, Setup};
use crate::config::Config;
use crate::exit_code::ExitCode;
use crate::journal::debt::Debt;
use crate::journal::event::RunKey;
use crate::journal::summary::{RunStatus, RunSummary};
use crate::policy::task::Task;
use crate::report::pipeline::{compose_due, send_due};
use crate::run::{RunError, drive, until_paid, watch_debts};
use crate::store::runs::{Recorded, Run};
use crate::store::{Store, StoreError};

/// Create and prune restore points now, in the foreground.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  lastgood run --policy nightly --server web-server-01")]
pub struct RunArgs {
    #[command(flatten)]
    selection: Selection,
    /// Only show what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Drives the selected runs to their end and delivers their mails.
///
/// # Errors
/// When the policy file, the state or the account cannot be read.
pub(crate) async fn run(setup: &Setup, args: RunArgs) -> anyhow::Result<ExitCode> {
    if args.dry_run {
        let context = setup.open_read_only().await?;
        return show_plans(setup, &context, &args.selection, args.json).await;
    }
    let mut context = setup.open_owner().await?;
    context.world.store.drop_leases_of_owner().await?;
    let tasks = context.tasks(&args.selection)?;
    for notice in context.world.store.set_unreadable_aside(context.world.clock.now()).await? {
        output::note(&format!("lastgood: {}", output::printable(&notice.to_string())));
    }
    let watch = tokio::spawn(watch_debts(context.world.clone()));
    let (sender, shown) = progress::start();
    context.world.progress = Some(sender);
    context.world.in_force.set(&account::tasks(&context.config, &context.servers));
    let mut runs = Vec::new();
    for run in context.world.store.unfinished().await? {
        runs.push((account::task_of_run(&context.config, &context.servers, &run), run));
    }
    for task in tasks {
        runs.extend(record(&context, task).await?);
    }
    let summaries = drive_all(&context, runs).await;
    context.world.progress = None;
    let owed = pay_debts(&context, watch).await;
    // Send the mail even if a run could not be recorded to its end.
    let mails = deliver_mails(&context, if summaries.is_ok() { MAILS_TAKE } else { MAILS_OF_A_STOP_TAKE }).await;
    shown.await?;
    let (summaries, owed) = (summaries?, owed?);
    if let Err(reason) = mails {
        output::note(&format!("lastgood: mails are waiting in the outbox: {reason}"));
    }
    if args.json {
        output::json(&json!({ "runs": summaries }))?;
    } else {
        summaries.iter().for_each(show);
    }
    owed.iter().for_each(|debt| output::note(&still_owed(debt)));
    // A skipped run is not a failure.
    let good =
        owed.is_empty() && summaries.iter().all(|run| matches!(run.outcome, RunStatus::Succeeded | RunStatus::Skipped));
    Ok(if good { ExitCode::Done } else { ExitCode::RunFailed })
}

/// Sends what waits, until `limit` has passed or the process is told to stop. A message that is interrupted is sent
/// again with the same Message-ID.
async fn deliver_mails(context: &CommandContext, limit: Duration) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let mut terminate = signal(SignalKind::terminate()).map_err(text)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(text)?;
    let delivered = send_mails_now(&context.world.store, &context.config, context.world.clock.now());
    tokio::select! {
        biased;
        _ = terminate.recv() => Err("lastgood was asked to end".to_owned()),
        _ = interrupt.recv() => Err("lastgood was asked to end".to_owned()),
        delivered = tokio::time::timeout(limit, delivered) => match delivered {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the mail server took longer than {} s", limit.as_secs())),
        },
    }
}

/// Composes and sends everything now, without waiting for groups to close. What a server refuses waits in the outbox.
///
/// # Errors
/// When the state fails, or a mail cannot be composed.
pub(super) async fn send_mails_now(store: &Store, config: &Config, now: Timestamp) -> anyhow::Result<()> {
    let Some(pipeline) = mail_settings(config)? else { return Ok(()) };
    compose_due(store, &pipeline, now, true).await?;
    send_due(store, &pipeline.senders, now).await?;
    Ok(())
}

async fn record(context: &CommandContext, task: Task) -> anyhow::Result<Option<(Task, Run)>> {
    let key = RunKey {
        server: task.server.reference.clone(),
        policy: task.policy.name.clone(),
        kind: task.policy.kind,
        due: None,
    };
    Ok(match context.world.store.open_run(key, context.world.clock.now()).await? {
        Recorded::New(run) => Some((task, *run)),
        Recorded::Before => None,
    })
}

async fn drive_all(context: &CommandContext, runs: Vec<(Task, Run)>) -> anyhow::Result<Vec<RunSummary>> {
    let mut driven = JoinSet::new();
    let mut of_task = HashMap::new();
    for (task, run) in runs {
        let (id, world) = (run.id, context.world.clone());
        let handle = driven.spawn(async move { drive(&world, &task, run).await });
        of_task.insert(handle.id(), id);
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut summaries = Vec::new();
    let (mut stopped, mut failed, mut cut_off) = (false, None, None);
    loop {
        tokio::select! {
            ended = driven.join_next() => match ended {
                None => break,
                Some(Ok(Ok(summary))) => summaries.push(summary),
                Some(Ok(Err(RunError::Stopped))) => stopped = true,
                // Let the others stop cleanly before the process ends: one of them may have stopped its server.
                Some(Ok(Err(RunError::Store(error)))) => {
                    context.stop.send_replace(true);
                    failed = failed.or(Some(error));
                }
                // A bug in one run must not end the others; its server's debt is settled without it.
                Some(Err(error)) => {
                    if let Some(run) = of_task.get(&error.id()) {
                        context.world.store.leave_charge(*run).await?;
                        context.world.leases.debts_changed().notify_one();
                    }
                    cut_off = Some(error);
                }
            },
            _ = terminate.recv() => { context.stop.send_replace(true); }
            _ = interrupt.recv() => { context.stop.send_replace(true); }
        }
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    if let Some(error) = cut_off {
        return Err(anyhow::Error::new(error)
            .context("a run was interrupted by a bug in lastgood; the next `lastgood run` or the daemon resumes it"));
    }
    if stopped {
        output::note("lastgood: stopped; the next `lastgood run` or the daemon resumes what is in progress");
        return Err(RunError::Stopped.into());
    }
    summaries.sort_by_key(|summary| summary.run);
    Ok(summaries)
}

/// Waits, for a limited time, until the servers that lastgood stopped are known to be running. Returns the debts that
/// remain.
async fn pay_debts(context: &CommandContext, watch: JoinHandle<Result<(), StoreError>>) -> anyhow::Result<Vec<Debt>> {
    let world = &context.world;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    if !world.stopping() {
        for debt in world.store.debts().await? {
            let name = output::printable(&debt.server.name);
            output::note(&format!("lastgood: waiting until {name}, which lastgood stopped, is running again"));
        }
    }
    {
        let paid = until_paid(world, PAID_WITHIN);
        tokio::pin!(paid);
        loop {
            tokio::select! {
                biased;
                paid = &mut paid => { paid?; break; }
                _ = terminate.recv() => { context.stop.send_replace(true); }
                _ = interrupt.recv() => { context.stop.send_replace(true); }
            }
        }
    }
    // Servers that read `stopped` now are started.
    context.stop.send_replace(true);
    let _ = tokio::time::timeout(WATCH_ENDS, watch).await;
    Ok(world.store.debts().await?)
}

fn still_owed(debt: &Debt) -> String {
    let (name, id) = (output::printable(&debt.server.name), &debt.server.id);
    format!(
        "lastgood: {name} was stopped by lastgood and is not known to be running again: look at it. The next `lastgood \
         run` or the daemon keeps watching it; `lastgood release debt {id}` leaves it as it is"
    )
}

/// Prints what was created and what it displaced.
fn show(run: &RunSummary) {
    let name = output::printable(&run.server.name);
    let made = run.created.as_ref().map(|id| format!(", created {} {id}", run.kind)).unwrap_or_default();
    let deleted: Vec<String> = run.deleted.iter().map(ToString::to_string).collect();
    let displaced = if deleted.is_empty() { String::new() } else { format!(", deleted {}", deleted.join(", ")) };
    let tries = if run.attempts > 1 { format!(", {} attempts", run.attempts) } else { String::new() };
    let error = run.error.as_deref().map(|error| format!(": {}", output::printable(error))).unwrap_or_default();
    output::line(&format!("{name} {}: {}{made}{displaced}{tries}{error}", run.policy, run.outcome));
}

/// How long the mails of a run may take before they are left to the daemon or the next run.
const MAILS_TAKE: Duration = Duration::from_mins(2);
/// The same if the run was told to stop.
const MAILS_OF_A_STOP_TAKE: Duration = Duration::from_secs(5);
/// How long to wait for servers that lastgood stopped when all runs are over: a little longer than the ten minutes
/// after which a running server counts as started.
const PAID_WITHIN: Duration = Duration::from_mins(12);
/// How long the task that watches them may take to end.
const WATCH_ENDS: Duration = Duration::from_millis(8_500);
