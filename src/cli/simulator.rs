//! `lastgood simulator`: serves a simulated provider API on loopback until it is interrupted. Prints its URL and token
//! as soon as it listens.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::error::CommandError;
use crate::cli::output;
use crate::clock::Clock;
use crate::exit_code::ExitCode;
use crate::simulator::{Options, RetryAfter, Rule, ServerSpec, Simulator, Style, serve};

/// Serve a simulated provider API on loopback, with faults
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lastgood simulator --port 8080 --servers 3 --paged\n  lastgood simulator --port 0 \
                  --fault '{\"call\":\"create\",\"times\":1,\"effect\":{\"do\":\"reset\",\"carried_out\":true}}'\n\n\
                  While it runs, http://127.0.0.1:PORT/_control/ accepts: GET state, GET record, GET|POST|DELETE \
                  faults,\nPOST act, POST points, POST points/delete, POST points/edit, POST servers, POST \
                  clock-skew, POST options, POST refuse."
)]
pub struct SimulatorArgs {
    /// The port on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// A JSON file with any of the simulator's options; the flags below override it
    #[arg(long, value_name = "FILE")]
    pub options: Option<PathBuf>,
    /// How many servers the account has, named web-server-01 and so on
    #[arg(long, value_name = "N")]
    pub servers: Option<usize>,
    /// Servers have `uuid` and `hostname`
    #[arg(long, conflicts_with = "both")]
    pub uuid: bool,
    /// Servers have `id`, `uuid`, `name` and `hostname`
    #[arg(long)]
    pub both: bool,
    /// Lists come in pages
    #[arg(long)]
    pub paged: bool,
    /// The only valid token; by default every token that begins with vps_
    #[arg(long)]
    pub token: Option<String>,
    /// A permission of the token, such as servers:read
    #[arg(long = "permission", value_name = "PERMISSION")]
    pub permissions: Vec<String>,
    /// Manual backups that each server may have
    #[arg(long, value_name = "N")]
    pub backup_slots: Option<usize>,
    /// Snapshots that each server may have
    #[arg(long, value_name = "N")]
    pub snapshot_slots: Option<usize>,
    /// Automatic backups that each server has at start
    #[arg(long, value_name = "N")]
    pub automatic: Option<u32>,
    /// How long things take
    #[command(flatten)]
    pub timing: TimingArgs,
    /// What differs from the documented provider
    #[command(flatten)]
    pub oddities: OddityArgs,
    /// A fault rule as JSON; may be repeated
    #[arg(long = "fault", value_name = "JSON", value_parser = rule)]
    pub faults: Vec<Rule>,
    /// The seed for everything random
    #[arg(long)]
    pub seed: Option<u64>,
}

/// How long things take.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TimingArgs {
    /// How long a new point is in progress, such as 500ms or 3m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub completion: Option<Duration>,
    /// How long a start or a stop takes
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub power: Option<Duration>,
    /// How long a stop takes instead of --power, while the server still shows active
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub slow_shutdown: Option<Duration>,
    /// How long a restore takes
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub restore: Option<Duration>,
    /// How long a deleted point stays listed and keeps its slot
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub delete: Option<Duration>,
    /// How long a new point is missing from lists
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub list_lag: Option<Duration>,
    /// How long every answer takes
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub latency: Option<Duration>,
    /// Requests per second above which the answer is 429
    #[arg(long, value_name = "N")]
    pub rate_limit: Option<f64>,
    /// The form of Retry-After in those answers
    #[arg(long, value_name = "FORM", value_parser = ["seconds", "date", "none"])]
    pub retry_after: Option<String>,
}

/// What differs from the documented provider.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct OddityArgs {
    /// Lists ignore server_id and backup_type
    #[arg(long)]
    pub ignore_filters: bool,
    /// A wrong scheme and host in next, such as `https://backend.internal`
    #[arg(long, value_name = "ORIGIN")]
    pub next_origin: Option<String>,
    /// Descriptions are cut to this many characters
    #[arg(long, value_name = "N")]
    pub truncate_description: Option<usize>,
    /// Times have fractions of a second and an offset
    #[arg(long)]
    pub fractions: bool,
    /// Lists are in no order
    #[arg(long)]
    pub unordered: bool,
    /// Objects have undocumented fields
    #[arg(long)]
    pub extra_fields: bool,
    /// Points have uuids instead of integer ids
    #[arg(long)]
    pub uuid_points: bool,
    /// Ids of deleted points are reused
    #[arg(long)]
    pub reuse_ids: bool,
    /// A start sent while a server shuts down is accepted and has no effect
    #[arg(long)]
    pub start_ignored_while_stopping: bool,
    /// How far the provider's clock is ahead, in seconds
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub clock_skew: Option<i64>,
}

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
/// The options cannot be read, the port is taken, or serving fails.
pub(crate) async fn run(args: SimulatorArgs) -> anyhow::Result<ExitCode> {
    let options = options(&args)?;
    let token = options.token.clone().unwrap_or_else(|| "vps_simulator".to_owned());
    let simulator = Simulator::new(options, Arc::new(|| Clock::System.now()));
    args.faults.into_iter().for_each(|rule| simulator.add_fault(rule));
    let taken = |error: std::io::Error| {
        let text = format!(
            "port {} on 127.0.0.1 cannot be listened on ({error}): use another --port; 0 picks a free one",
            args.port
        );
        CommandError::usage(text)
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await.map_err(taken)?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be waited for")?;
    let port = listener.local_addr().context("the port cannot be read")?.port();
    // The reader may close the pipe once it has the URL: the simulator continues.
    output::line(&format!("listening on http://127.0.0.1:{port}/api/v1\ntoken {token}"));
    let interrupted = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    serve(listener, simulator, interrupted).await.context("the simulator stopped serving")?;
    Ok(ExitCode::Done)
}

fn options(args: &SimulatorArgs) -> anyhow::Result<Options> {
    let mut options = match &args.options {
        None => Options::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("the options file {} cannot be read", path.display()))?;
            serde_json::from_str(&text).with_context(|| {
                format!("the options file {} does not hold options of the simulator", path.display())
            })?
        }
    };
    if args.servers.is_some() || args.uuid || args.both {
        let style = match (args.uuid, args.both) {
            (true, _) => Style::Uuid,
            (_, true) => Style::Both,
            _ => Style::Integer,
        };
        options.servers = ServerSpec::numbered(args.servers.unwrap_or(options.servers.len()), style);
    }
    if !args.permissions.is_empty() {
        options.permissions.clone_from(&args.permissions);
    }
    options.paged |= args.paged;
    options.token = args.token.clone().or(options.token);
    put(&mut options.backup_slots, args.backup_slots);
    put(&mut options.snapshot_slots, args.snapshot_slots);
    put(&mut options.automatic_backups, args.automatic);
    put(&mut options.seed, args.seed);
    set_timing(&mut options, &args.timing);
    set_oddities(&mut options, &args.oddities);
    Ok(options)
}

fn set_timing(options: &mut Options, timing: &TimingArgs) {
    put(&mut options.completion, timing.completion);
    put(&mut options.power, timing.power);
    put(&mut options.slow_shutdown, timing.slow_shutdown);
    put(&mut options.restore, timing.restore);
    put(&mut options.delete, timing.delete);
    put(&mut options.list_lag, timing.list_lag);
    put(&mut options.latency, timing.latency);
    options.requests_per_second = timing.rate_limit.or(options.requests_per_second);
    match timing.retry_after.as_deref() {
        Some("seconds") => options.retry_after = Some(RetryAfter::Seconds(1)),
        Some("date") => options.retry_after = Some(RetryAfter::Date(1)),
        Some(_) => options.retry_after = None,
        None => {}
    }
}

fn set_oddities(options: &mut Options, oddities: &OddityArgs) {
    options.ignore_filters |= oddities.ignore_filters;
    options.fractions |= oddities.fractions;
    options.unordered |= oddities.unordered;
    options.extra_fields |= oddities.extra_fields;
    options.uuid_points |= oddities.uuid_points;
    options.reuse_ids |= oddities.reuse_ids;
    options.start_ignored_while_stopping |= oddities.start_ignored_while_stopping;
    options.next_origin = oddities.next_origin.clone().or_else(|| options.next_origin.take());
    options.truncate_description = oddities.truncate_description.or(options.truncate_description);
    put(&mut options.clock_skew_seconds, oddities.clock_skew);
}

fn put<T>(option: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *option = value;
    }
}

fn rule(text: &str) -> Result<Rule, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "write a duration like 50ms, 90s, 30m, 26h or 14d".to_owned())?;
    let factor_ms = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("a duration must end in ms, s, m, h or d".to_owned()),
    };
    number.checked_mul(factor_ms).map(Duration::from_millis).ok_or_else(|| "that is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct SimulatorCommand {
        #[command(flatten)]
        args: SimulatorArgs,
    }

    fn read(words: &[&str]) -> anyhow::Result<Options> {
        let line = SimulatorCommand::try_parse_from(std::iter::once(&"simulator").chain(words))?;
        options(&line.args)
    }

    #[test]
    fn flags_become_options() {
        let options =
            read(&["--servers", "45", "--uuid", "--paged", "--completion", "500ms", "--retry-after", "none"]).unwrap();
        assert_eq!(options.servers.len(), 45);
        assert!(options.servers[0].id.is_none() && options.paged);
        assert_eq!(options.completion, Duration::from_millis(500));
        assert_eq!(options.retry_after, None);
    }

    #[test]
    fn a_rule_or_a_duration_that_makes_no_sense_is_refused() {
        for words in [
            ["--fault", r#"{"effect":{"do":"explode"}}"#],
            ["--completion", "soon"],
            ["--completion", "5"],
            ["--completion", "99999999999999999d"],
        ] {
            assert!(read(&words).is_err(), "{words:?}");
        }
    }
}
