//! The exit codes that scripts and monitoring rely on. They are a contract: see the table in the README.

use std::process::ExitCode as ProcessExitCode;

/// How a command ended, as a shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// What was asked is done.
    Done = 0,
    /// A fault of lastgood itself.
    Bug = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The policy file is missing, unreadable or invalid.
    PolicyFile = 3,
    /// The provider cannot be reached, or refuses the token or the request.
    Provider = 4,
    /// The run ended, and some of it failed.
    RunFailed = 5,
    /// Another lastgood holds the state folder.
    Locked = 6,
    /// The state folder cannot be used.
    State = 7,
}

impl From<ExitCode> for ProcessExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// The exit codes of `lastgood status`, which follow Nagios instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Nagios {
    /// Everything is as the policies say.
    Ok = 0,
    /// Somebody should look.
    Warning = 1,
    /// A server has no good restore point of late, or stands still because of us.
    Critical = 2,
    /// The state could not be read.
    Unknown = 3,
}

impl From<Nagios> for ProcessExitCode {
    fn from(code: Nagios) -> Self {
        Self::from(code as u8)
    }
}
