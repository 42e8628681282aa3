//! Progress messages of a run, for the person who watches.

use crate::policy::inventory::ServerRef;
use crate::policy::name::PolicyName;

/// The text while a run reads its server's list.
pub(crate) const READING: &str = "reading the list";

/// A progress message.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The run.
    pub run: i64,
    /// The server.
    pub server: ServerRef,
    /// The policy.
    pub policy: PolicyName,
    /// What is going on, in a few words.
    pub text: String,
    /// Whether the run is over.
    pub over: bool,
}
