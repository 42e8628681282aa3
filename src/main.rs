//! Parses the command line, starts the log, dispatches, and ends with the command's exit code.
fn main() {}
