//! The parts of a policy file, as text.

/// Mails are written to files.
pub const MAIL_TO_FILES: &str =
    "[smtp]\ntransport = \"file\"\ndir = \"mail\"\nfrom = \"lastgood <backup@example.com>\"\n";

/// The provider at this origin (`http://HOST:PORT`) with more of its keys, and the state beside the file.
pub fn provider(origin: &str, more: &str) -> String {
    let more = lines(more);
    format!(
        "[provider]\nurl = \"{origin}/api/v1\"\ntoken_file = \"token\"\nrequests_per_second = 1000\n{more}[state]\n\
         dir = \"state\"\n"
    )
}

/// A policy for every server that keeps the last two points and does not retry, with more of its keys.
pub fn policy(name: &str, kind: &str, schedule: &str, more: &str) -> String {
    let more = lines(more);
    format!(
        "[policy.{name}]\nkind = \"{kind}\"\nservers = [\"*\"]\nschedule = \"{schedule}\"\nkeep = {{ last = 2 }}\n\
         retries = 0\n{more}"
    )
}

/// The report of the person on call, with more of its keys.
pub fn oncall(more: &str) -> String {
    format!("[report.oncall]\nto = [\"oncall@example.com\"]\n{}", lines(more))
}

/// Whole lines, or nothing.
fn lines(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{text}\n") }
}
