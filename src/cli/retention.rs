//! `lastgood retention`: which of a list of times a set of rules keeps, and why. Reads no clock, deletes nothing.

mod keep_text;

#[cfg(test)]
mod tests;

use std::io::{Read, Write};
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::cli::schedule::zone_named;
use crate::exit_code::ExitCode;
use crate::policy::inventory::PointId;
use crate::policy::keep::{Keep, KeepMode};
use crate::policy::retention::{Candidate, KeepVerdict, decide};

/// The rules that a person wrote, as a policy file writes them: `daily = 4, weekly = 3`. Refuses what only this command
/// takes, and counts that no server has the slots for.
pub(super) fn policy_rules(text: &str, slots: u32) -> Result<String, String> {
    keep_text::for_policy_file(&keep_text::parse(text)?, slots)
}

/// How many invalid lines are shown before the rest is only counted.
const INVALID_LINES_SHOWN: usize = 20;

/// Show which times a set of rules keeps, and why.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  lastgood retention --keep \"last=2,daily=4,within=14d\" times.txt")]
pub struct RetentionArgs {
    /// The rules: last, hourly, daily, weekly, monthly, yearly (a number or `all`); within, `within_hourly` to
    /// `within_yearly` (a period like 14d or 1y2m3d3h, m is months).
    #[arg(long, value_name = "RULES")]
    pub keep: String,
    /// Whether the rules apply in turn and add up, or overlap as in restic.
    #[arg(long, value_name = "MODE", default_value = "sequential", value_parser = ["sequential", "union"])]
    pub mode: String,
    /// The zone whose wall clock cuts days and weeks.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub timezone: String,
    /// One JSON document instead of text.
    #[arg(long)]
    pub json: bool,
    /// A file with one RFC 3339 time per line; `-` is standard input. Blank lines and lines with # are ignored.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// A time as it was written, and the point that it stands for.
struct ListedTime {
    text: String,
    point: Candidate,
}

struct RetentionInput {
    lines: Vec<ListedTime>,
    keep: Keep,
    mode: KeepMode,
    zone: TimeZone,
}

/// Prints a verdict for each time, newest first. Errors in the arguments or the file go to `stderr` (and with `--json`
/// into the document, as `error`) and return `ExitCode::Usage`.
///
/// # Errors
/// When the output cannot be written.
pub(crate) fn run(
    args: &RetentionArgs,
    stdin: &mut impl Read,
    stdout: &mut impl Write,
    stderr: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let answer = read(args, stdin).and_then(|input| {
        let points: Vec<Candidate> = input.lines.iter().map(|line| line.point.clone()).collect();
        let decided = decide(&points, &input.keep, input.mode, &input.zone);
        let verdicts = decided.map_err(|error| format!("--keep: {error}"))?.explained();
        let mut reported: Vec<(ListedTime, KeepVerdict)> = input.lines.into_iter().zip(verdicts).collect();
        reported.sort_by(|(a, _), (b, _)| b.point.cmp(&a.point));
        Ok(reported)
    });
    match answer {
        Ok(reported) => {
            if args.json {
                print_json(&reported, stdout)?
            } else {
                print_text(&reported, stdout)?
            }
            Ok(ExitCode::Done)
        }
        Err(problem) => {
            writeln!(stderr, "error: {problem}")?;
            if args.json {
                writeln!(stdout, "{:#}", json!({ "points": [], "error": problem }))?;
            }
            Ok(ExitCode::Usage)
        }
    }
}

fn print_json(reported: &[(ListedTime, KeepVerdict)], stdout: &mut impl Write) -> std::io::Result<()> {
    let points = reported.iter().map(|(line, verdict)| {
        let why: Vec<String> = verdict.why.iter().map(ToString::to_string).collect();
        json!({ "time": line.text, "keep": verdict.keep, "why": why })
    });
    writeln!(stdout, "{:#}", json!({ "points": points.collect::<Vec<_>>() }))
}

fn print_text(reported: &[(ListedTime, KeepVerdict)], stdout: &mut impl Write) -> std::io::Result<()> {
    let width = reported.iter().map(|(line, _)| line.text.chars().count()).max().unwrap_or_default();
    for (line, verdict) in reported {
        let word = if verdict.keep { "keep" } else { "drop" };
        let why: Vec<String> = verdict.why.iter().map(ToString::to_string).collect();
        writeln!(stdout, "{word}  {:width$}  {}", line.text, why.join("; "))?;
    }
    let kept = reported.iter().filter(|(_, verdict)| verdict.keep).count();
    writeln!(stdout, "{kept} kept, {} dropped", reported.len() - kept)
}

fn read(args: &RetentionArgs, stdin: &mut impl Read) -> Result<RetentionInput, String> {
    let keep = keep_text::parse(&args.keep).map_err(|problem| format!("--keep: {problem}"))?;
    let mode = if args.mode == "union" { KeepMode::Union } else { KeepMode::Sequential };
    let zone = zone_named(&args.timezone)?;
    let mut bytes = Vec::new();
    let name = args.file.display().to_string();
    let read = if name == "-" { stdin.read_to_end(&mut bytes).map(|_| bytes) } else { std::fs::read(&args.file) };
    let bytes = read.map_err(|error| format!("{} cannot be read: {error}", name.escape_debug()))?;
    let lines = lines(&bytes)?;
    Ok(RetentionInput { lines, keep, mode, zone })
}

/// The times in a text, without blank lines and lines that begin with `#`.
fn lines(bytes: &[u8]) -> Result<Vec<ListedTime>, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines = Vec::new();
    let mut wrong = Vec::new();
    for (line, number) in bytes.split(|&byte| byte == b'\n').zip(1_i64..) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match text.parse::<Timestamp>() {
            // Of equal times the later line counts as the newer point, as the larger id does.
            Ok(at) => {
                let point = Candidate { at, due: None, id: Some(PointId::Number(number)) };
                lines.push(ListedTime { text: text.to_owned(), point });
            }
            Err(_) => wrong.push((number, text.escape_debug().to_string())),
        }
    }
    if wrong.is_empty() {
        return Ok(lines);
    }
    let mut reported: Vec<String> = wrong
        .iter()
        .take(INVALID_LINES_SHOWN)
        .map(|(number, text)| format!("line {number}: `{}` is not a time like 2026-11-21T02:30:00Z", shortened(text)))
        .collect();
    if wrong.len() > INVALID_LINES_SHOWN {
        reported.push(format!("and {} more lines", wrong.len() - INVALID_LINES_SHOWN));
    }
    Err(reported.join("\n"))
}

/// At most 60 characters of a line, which may contain anything.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
