//! The command line, one file per command. Commands start things and print; they decide nothing.

pub(crate) mod accept;
pub(crate) mod check;
mod completions;
pub(crate) mod daemon;
pub(crate) mod delete;
pub(crate) mod demo;
pub(crate) mod error;
mod health;
pub(crate) mod history;
pub(crate) mod hold;
mod init;
pub(crate) mod list;
mod log;
mod man;
pub(crate) mod output;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod restore;
pub(crate) mod retention;
pub(crate) mod run;
pub(crate) mod schedule;
mod schema;
pub(crate) mod setup;
pub(crate) mod simulator;
pub(crate) mod status;
pub(crate) mod world;

use std::path::PathBuf;
use std::process::ExitCode as ProcessExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::cli::setup::Setup;

/// Keeps backups and snapshots of VPS.org servers by policy.
#[derive(Debug, Parser)]
#[command(name = "lastgood", version, max_term_width = 100)]
pub struct Cli {
    /// The policy file [default: /etc/lastgood/policy.toml, then ./policy.toml]
    #[arg(long, global = true, value_name = "FILE", env = "LASTGOOD_CONFIG")]
    pub config: Option<PathBuf>,
    /// The form of the log, which goes to standard error; LASTGOOD_LOG says what is logged
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: log::LogFormat,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Whether the command was given its `--json`.
    #[arg(skip)]
    json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask the account what is there, and write a first policy file
    Init(Box<init::InitArgs>),
    /// Check the policy file and show what it means
    Check(check::CheckArgs),
    /// Show what a run would do now, and why; changes nothing
    Plan(plan::PlanArgs),
    /// Create and prune restore points now, in the foreground
    Run(run::RunArgs),
    /// Run the service, which follows the schedules
    Daemon(daemon::DaemonArgs),
    /// Show the last good point of every policy; the exit code is for monitoring
    Status(status::StatusArgs),
    /// Say whether the daemon works, for a container's health check
    Health(health::HealthArgs),
    /// List what the provider has
    List(list::ListArgs),
    /// Delete one restore point by hand
    Delete(delete::DeleteArgs),
    /// Restore a server from a restore point
    Restore(restore::RestoreArgs),
    /// Protect a restore point, or everything on a server, from being deleted
    Hold(hold::HoldArgs),
    /// Remove a hold
    Release(hold::ReleaseArgs),
    /// Release a brake, so that deletes continue
    Accept(accept::AcceptArgs),
    /// Show past runs with their steps
    History(history::HistoryArgs),
    /// Show the next due times of a schedule
    Schedule(schedule::ScheduleArgs),
    /// Show which of a list of times a set of retention rules keeps, and why
    Retention(retention::RetentionArgs),
    /// Print a JSON Schema of the policy file, for editors
    Schema(schema::SchemaArgs),
    /// Print the completions of a shell
    Completions(completions::CompletionsArgs),
    /// Write the manual pages into a folder
    Man(man::ManArgs),
    /// See it work in about a minute, on the built-in simulator
    Demo(demo::DemoArgs),
    /// Serve a simulated provider API on loopback
    Simulator(Box<simulator::SimulatorArgs>),
}

impl Command {
    /// The name of the list in its JSON document, which is empty if the command fails. `None` if it has no list, or
    /// writes the document of a failure itself.
    fn list_in_document(&self) -> Option<&'static str> {
        match self {
            Self::Check(_) => Some("findings"),
            Self::Plan(_) => Some("plans"),
            Self::Run(args) => Some(if args.dry_run { "plans" } else { "runs" }),
            Self::List(args) => Some(args.what.plural()),
            Self::Accept(_) => Some("accepted"),
            Self::History(_) => Some("runs"),
            _ => None,
        }
    }
}

/// Whether the command that was typed has a flag `--json`, and was given it.
fn wants_json(matches: &ArgMatches) -> bool {
    let given = matches!(matches.try_get_one("json"), Ok(Some(true)));
    given || matches.subcommand().is_some_and(|(_, below)| wants_json(below))
}

impl Cli {
    /// Parses the arguments of this process.
    ///
    /// # Errors
    /// The exit code if there is no command to run: after `--help`, `--version` or a usage error, which have been
    /// printed.
    pub fn of_process() -> Result<Self, ProcessExitCode> {
        let parsed = Self::command().try_get_matches().and_then(|matches| {
            let json = wants_json(&matches);
            Self::from_arg_matches(&matches).map(|cli| Self { json, ..cli })
        });
        parsed.map_err(|error| {
            let wrong = error.use_stderr();
            if wrong && std::env::args_os().any(|argument| argument == "--json") {
                let text = error.render().to_string();
                let document = serde_json::json!({ "error": text.trim().trim_start_matches("error: ") });
                // Standard output is one document even now. If it cannot be written, nothing can report that.
                let _ = output::json(&document);
            }
            // A closed pipe is not an error of ours.
            let _ = error.print();
            if wrong { crate::exit_code::ExitCode::Usage.into() } else { ProcessExitCode::SUCCESS }
        })
    }

    /// Starts the log, runs the command and returns its exit code.
    #[must_use]
    pub fn execute(self) -> ProcessExitCode {
        // Only the daemon logs more than errors, unless LASTGOOD_LOG says otherwise. What becomes of a run, a command
        // shows to the person who started it.
        let service = matches!(self.command, Command::Daemon(_));
        log::start(
            if service { "lastgood=info,warn" } else { "error,lastgood::run::progress=off" },
            self.log_format,
            service,
        );
        let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                output::note(&format!("lastgood: the system cannot start threads: {error}"));
                return crate::exit_code::ExitCode::Bug.into();
            }
        };
        let (json, list) = (self.json, self.command.list_in_document());
        let ended = runtime.block_on(dispatch(self));
        // A blocking read of the terminal must not delay the exit.
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        ended.unwrap_or_else(|error| {
            if json {
                error::print_document(&error, list);
            }
            error::report(&error)
        })
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<ProcessExitCode> {
    let setup = Setup::from_process(cli.config);
    Ok(match cli.command {
        Command::Init(args) => init::run(&setup, *args).await?.into(),
        Command::Check(args) => check::run(&setup, args).await?.into(),
        Command::Accept(args) => accept::run(&setup, args).await?.into(),
        Command::Plan(args) => plan::run(&setup, args).await?.into(),
        Command::Run(args) => run::run(&setup, args).await?.into(),
        Command::Daemon(args) => daemon::run(&setup, args).await?.into(),
        Command::Status(args) => return status::run(&setup, args).await.map(ProcessExitCode::from),
        Command::Health(args) => health::run(&setup, args).await?.into(),
        Command::List(args) => list::run(&setup, args).await?.into(),
        Command::Delete(args) => delete::run(&setup, args).await?.into(),
        Command::Restore(args) => restore::run(&setup, args).await?.into(),
        Command::Hold(args) => hold::hold(&setup, args).await?.into(),
        Command::Release(args) => hold::release(&setup, args).await?.into(),
        Command::History(args) => history::run(&setup, args).await?.into(),
        Command::Schedule(args) => {
            schedule::run(&args, setup.clock.now(), &mut std::io::stdout(), &mut std::io::stderr())?.into()
        }
        Command::Retention(args) => {
            retention::run(&args, &mut std::io::stdin(), &mut std::io::stdout(), &mut std::io::stderr())?.into()
        }
        Command::Schema(_) => schema::run()?.into(),
        Command::Completions(args) => completions::run(&args, Cli::command()).into(),
        Command::Man(args) => man::run(&args, Cli::command())?.into(),
        Command::Demo(args) => demo::run(args).await?.into(),
        Command::Simulator(args) => simulator::run(*args).await?.into(),
    })
}
