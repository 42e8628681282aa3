//! `lastgood schema`: a JSON Schema of the policy file, for editors. Needs no policy file.

use crate::cli::output;
use crate::config::schema;
use crate::exit_code::ExitCode;

/// Print a JSON Schema (2020-12) of the policy file, for editors
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lastgood schema > lastgood.schema.json\n\nWith the first line `#:schema ./lastgood.schema.json` in the policy file, editors that use taplo complete and check it."
)]
pub struct SchemaArgs {}

/// Prints the schema.
///
/// # Errors
/// Never: it can be written as JSON.
pub(super) fn run() -> anyhow::Result<ExitCode> {
    output::json(&schema())?;
    Ok(ExitCode::Done)
}
