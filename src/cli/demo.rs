//! `lastgood demo`: shows the main features in about a minute, on the built-in simulator, in a folder of its own.
//!
//! Everything shown is real: the policy file is read and validated, the service follows it over HTTP, and the mails are
//! composed and written as usual. Nothing outside the folder and loopback is touched, and nothing is left running.

mod interrupt;
mod mails;
mod sandbox;
mod script;

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::cli::daemon::serve_until;
use crate::cli::demo::interrupt::Interrupt;
use crate::cli::demo::sandbox::Sandbox;
use crate::cli::list::show_points;
use crate::cli::output::{line, printable};
use crate::cli::plan::show_plans;
use crate::cli::run::send_mails_now;
use crate::cli::setup::{CommandContext, Selection, Setup};
use crate::clock::Clock;
use crate::config::Environment;
use crate::exit_code::ExitCode;
use crate::policy::inventory::Kind;
use crate::run::{Progress, READING};

/// See it work in about a minute, on the built-in simulator.
#[derive(Debug, Parser)]
#[command(
    after_help = "Needs no policy file and no token, and touches no real server. Ctrl-C ends it.\n\nExample:\n  lastgood demo"
)]
pub struct DemoArgs {}

/// Runs the demo. The folder stays, because it holds the mails.
///
/// # Errors
/// When the folder cannot be created, or loopback cannot be listened on.
pub(crate) async fn run(_args: DemoArgs) -> anyhow::Result<ExitCode> {
    let interrupt = Interrupt::install()?;
    let clock = Clock::System;
    let sandbox = Sandbox::build(&clock).await?;
    let shown = show(&sandbox, &interrupt, clock).await;
    sandbox.close().await?;
    shown?;
    if interrupt.is_requested() {
        line(&format!("\nstopped; nothing is left running. The folder stays: {}", sandbox.folder.display()));
    }
    Ok(ExitCode::Done)
}

async fn show(sandbox: &Sandbox, interrupt: &Interrupt, clock: Clock) -> anyhow::Result<()> {
    let setup = Setup { file: Some(sandbox.policy.clone()), environment: Environment::default(), clock };
    introduce(sandbox);
    interrupt.pause(Duration::from_secs(3)).await;
    before(&setup).await?;
    interrupt.pause(Duration::from_secs(3)).await;
    if !interrupt.is_requested() {
        follow(sandbox, &setup, interrupt).await?;
    }
    if !interrupt.is_requested() {
        after(sandbox, &setup).await?;
    }
    Ok(())
}

fn heading(text: &str) {
    line(&format!("\n=== {text}\n"));
}

fn introduce(sandbox: &Sandbox) {
    heading("The setup");
    line(&format!(
        "A simulated provider with three servers runs on {}: the same API, the same limits\n(10 backups and 5 snapshots \
         per server), but a new point is ready in 1.5 seconds.\nEverything is in {}. Its policy file:\n",
        sandbox.url,
        sandbox.folder.display()
    ));
    sandbox.text.lines().for_each(|text| line(&format!("    {text}")));
}

async fn before(setup: &Setup) -> anyhow::Result<()> {
    let context = setup.open_read_only().await?;
    heading("The restore points before");
    show_all(&context).await?;
    line(
        "\"own\" points were created by an earlier lastgood and are recognized by the mark in their text. \"foreign\"\n\
         points are people's: they take slots, and no policy deletes them. All snapshots of web-server-03 are foreign.",
    );
    heading("The plan: what a run would do now, with the reason for every point (lastgood plan)");
    let selection = Selection { policy: Some("frequent".to_owned()), server: None };
    show_plans(setup, &context, &selection, false).await?;
    line(
        "The notes say that the journal is new but points of ours exist already, so any holds on them are lost.\n\
         A mail will say so too, once.",
    );
    Ok(())
}

async fn show_all(context: &CommandContext) -> anyhow::Result<()> {
    for kind in Kind::ALL {
        line(&format!("{}:", kind.plural()));
        show_points(context, kind).await?;
        line("");
    }
    Ok(())
}

/// The service follows the schedules while the script runs.
async fn follow(sandbox: &Sandbox, setup: &Setup, interrupt: &Interrupt) -> anyhow::Result<()> {
    heading("The service follows the schedules, at high speed (lastgood daemon)");
    let mut context = setup.open_daemon()?;
    let (sender, receiver) = unbounded_channel();
    context.world.progress = Some(sender);
    let (store, config) = (context.world.store.clone(), Arc::clone(&context.config));
    let progress = tokio::spawn(print_progress(receiver, setup.clock.now(), setup.clock.clone()));
    let end = async {
        tokio::select! {
            () = script::run(sandbox, interrupt) => {}
            () = interrupt.requested() => {}
        }
    };
    let ended = serve_until(setup, context, end).await;
    progress.await?;
    ended?;
    // Sends the mail that the shutdown of the service interrupted.
    send_mails_now(&store, &config, setup.clock.now()).await?;
    Ok(())
}

/// Prints a line for each step of a run, with the seconds since the start.
async fn print_progress(mut steps: UnboundedReceiver<Progress>, start: Timestamp, clock: Clock) {
    let mut last = std::collections::HashMap::new();
    while let Some(step) = steps.recv().await {
        // Skip repeated steps (the list was read without a change), and the reading of lists.
        let known = last.insert(step.run, step.text.clone()).as_ref() == Some(&step.text);
        if known || step.text == READING {
            continue;
        }
        let text = short(&step.text);
        let seconds = start.duration_until(clock.now()).as_secs();
        line(&format!("{seconds:>4} s  {}  {:<8}  {}", printable(&step.server.name), step.policy, printable(&text)));
    }
}

/// The beginning of a text; the mail has all of it.
fn short(text: &str) -> String {
    match text.char_indices().nth(90) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

async fn after(sandbox: &Sandbox, setup: &Setup) -> anyhow::Result<()> {
    let context = setup.open_read_only().await?;
    heading("The restore points after");
    show_all(&context).await?;
    line(&sandbox.tally());
    heading("The mails");
    let subjects = context.world.store.subjects().await?;
    for mail in mails::read(&sandbox.mails, &subjects)? {
        line(&format!("  {}\n      {}", printable(&mail.subject), mail.file.display()));
    }
    heading("What to try next");
    let policy = sandbox.policy.display();
    line(&format!(
        "  lastgood history --config {policy}   every run with its steps\n  lastgood status --config {policy}    \
         what monitoring sees\n  lastgood simulator --help   a simulated provider to try things on, including faults\n  \
         lastgood check --online     checks your policy file against your account\n\nThe simulator is stopped and \
         nothing is left running. After you have read the mails: rm -r {}",
        sandbox.folder.display()
    ));
    Ok(())
}
