//! `lastgood health`: whether a daemon works on the state, for a container's health check. A backup that fails is none of
//! its business: `status` and the metrics show that.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use jiff::Timestamp;
use serde_json::json;

use crate::cli::output;
use crate::cli::setup::Setup;
use crate::config::{policy_file_text, state_dir};
use crate::exit_code::ExitCode;
use crate::store::Store;
use crate::store::presence::{DAEMON, is_present};

/// A daemon that looked at what is due longer ago than this does not work. The state knows it to 20 seconds.
const SILENT: Duration = Duration::from_mins(1);

/// Say whether the daemon works; for a container's health check.
#[derive(Debug, Parser)]
#[command(after_help = "Exit codes: 0 it works, 2 it does not.\n\nExample:\n  lastgood health")]
pub struct HealthArgs {
    /// One JSON document on standard output
    #[arg(long)]
    json: bool,
}

/// Looks at the state alone; the policy file only says where it is, and need not be valid.
///
/// # Errors
/// When the output cannot be written as JSON.
pub(super) async fn run(setup: &Setup, args: HealthArgs) -> anyhow::Result<ExitCode> {
    let checked = check(&dir_of(setup), setup.clock.now()).await;
    if args.json {
        let why = checked.as_ref().err();
        output::json(&json!({ "ok": checked.is_ok(), "why": why }))?;
    }
    match checked {
        Ok(words) => {
            if !args.json {
                output::line(&words);
            }
            Ok(ExitCode::Done)
        }
        Err(why) => {
            output::note(&format!("lastgood: {why}"));
            Ok(ExitCode::Usage)
        }
    }
}

/// The state folder that the policy file names, or the default one where there is no file that can be read.
fn dir_of(setup: &Setup) -> PathBuf {
    let (text, folder) = policy_file_text(setup.file.as_deref()).unwrap_or_default();
    state_dir(&text, &folder, &setup.environment)
}

/// That a daemon works on the state in this folder, or why not.
async fn check(dir: &Path, now: Timestamp) -> Result<String, String> {
    if !is_present(dir, DAEMON) {
        return Err(format!("no daemon works on the state in {}", dir.display()));
    }
    let store = Store::reading(dir).map_err(|error| error.to_string())?;
    let last = store.last_evaluation().await.map_err(|error| error.to_string())?;
    let last = last.ok_or_else(|| "the daemon has not looked at what is due yet".to_owned())?;
    let age = last.duration_until(now);
    if age.unsigned_abs() <= SILENT {
        return Ok(format!("ok: the daemon looked at what is due {} s ago", age.as_secs().max(0)));
    }
    Err(if age.is_negative() {
        format!("the daemon looked at what is due at {last}, which is in the future: the clock was set back")
    } else {
        format!("the daemon has not looked at what is due for {} s, since {last}", age.as_secs())
    })
}
