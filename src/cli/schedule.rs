//! `lastgood schedule`: the next due times of any expression. Needs no policy file and reads no clock (`now` is given).

#[cfg(test)]
mod tests;

use std::io::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::exit_code::ExitCode;
use crate::policy::schedule::{ClockChange, Schedule};

/// Show the next due times of a schedule.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  lastgood schedule \"30 2 * * *\" --timezone Europe/Istanbul --count 3")]
pub struct ScheduleArgs {
    /// Cron expressions, each in quotes: 5 fields, 6 with seconds first, or @hourly, @daily, @weekly, @monthly.
    #[arg(value_name = "EXPR", required = true)]
    pub expressions: Vec<String>,
    /// The zone of the schedule.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub timezone: String,
    /// Show times after this moment (RFC 3339, or a date); by default after now.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// How many times to show.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: u32,
    /// One JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Prints the due times after `--from`, or after `now`. Errors in the arguments go to `stderr` (and with `--json` into
/// the document, as `error`) and return `ExitCode::Usage`.
///
/// # Errors
/// When the output cannot be written.
pub(crate) fn run(
    args: &ScheduleArgs,
    now: Timestamp,
    stdout: &mut impl Write,
    stderr: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let (schedule, from) = match read(args, now) {
        Ok(read) => read,
        Err(problem) => {
            writeln!(stderr, "error: {problem}")?;
            if args.json {
                writeln!(stdout, "{:#}", json!({ "times": [], "error": problem }))?;
            }
            return Ok(ExitCode::Usage);
        }
    };
    let count = usize::try_from(args.count).unwrap_or(usize::MAX);
    let due = schedule.iter_after(from).take(count);
    let with_offset = |t: Timestamp| t.display_with_offset(schedule.zone().to_offset(t)).to_string();
    if args.json {
        let times: Vec<String> = due.map(with_offset).collect();
        writeln!(stdout, "{:#}", json!({ "times": times }))?;
        return Ok(ExitCode::Done);
    }
    for t in due {
        let weekday = schedule.zone().to_datetime(t).strftime("%a");
        let note = schedule.clock_change_at(t).map(clock_change_note).unwrap_or_default();
        writeln!(stdout, "{weekday} {}{note}", with_offset(t))?;
    }
    Ok(ExitCode::Done)
}

fn read(args: &ScheduleArgs, now: Timestamp) -> Result<(Schedule, Timestamp), String> {
    let zone = zone_named(&args.timezone)?;
    let from = match &args.from {
        None => now,
        Some(text) => moment(text, &zone).map_err(|problem| format!("--from: {problem}"))?,
    };
    let texts: Vec<&str> = args.expressions.iter().map(String::as_str).collect();
    let schedule = Schedule::parse(&texts, zone).map_err(|error| {
        let unquoted = texts.len() >= 5 && texts.iter().all(|text| !text.trim().contains(' '));
        let hint = if unquoted { " (put the whole expression in quotes)" } else { "" };
        format!("{error}{hint}")
    })?;
    Ok((schedule, from))
}

/// A moment that a person wrote. Without an offset it is wall-clock time in the zone; a date alone is its midnight.
pub(super) fn moment(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    let text = text.trim();
    let wall_clock = || zone.to_timestamp(text.parse::<jiff::civil::DateTime>().ok()?).ok();
    text.parse().ok().or_else(wall_clock).ok_or_else(|| {
        let text = text.escape_debug();
        format!("`{text}` is not a time; write it like 2026-11-21T02:30:00Z or with an offset, as in +03:00")
    })
}

/// What a clock change did, for people.
fn clock_change_note(change: ClockChange) -> String {
    match change {
        ClockChange::Moved { from } => {
            format!(
                "  ({} does not exist on that day: the clock goes forward, and this is the end of the gap)",
                from.time()
            )
        }
        ClockChange::FirstOfTwo => {
            "  (the clock shows this time twice: this is the first, and the only run)".to_owned()
        }
        ClockChange::BothOfTwo => "  (the clock shows this time twice: an interval runs both times)".to_owned(),
    }
}

/// The zone with this IANA name, or an error with the nearest name that exists.
pub(super) fn zone_named(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name.trim()).map_err(|_| {
        let wanted = name.to_ascii_lowercase();
        let known: Vec<String> = jiff::tz::db().available().map(|known| known.to_string()).collect();
        // A city alone (`Istanbul`) should match its zone.
        let distance = |known: &String| {
            let known = known.to_ascii_lowercase();
            let city = known.rsplit('/').next().unwrap_or_default();
            let of_city = strsim::damerau_levenshtein(city, &wanted);
            (of_city.min(strsim::damerau_levenshtein(&known, &wanted)), !known.contains('/'))
        };
        let nearest = known.iter().min_by_key(|known| distance(known)).filter(|known| distance(known).0 <= 3);
        let hint = nearest.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
        format!("`{}` is not an IANA zone name like Europe/Istanbul{hint}", name.escape_debug())
    })
}
