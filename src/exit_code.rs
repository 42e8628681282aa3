//! The exit codes that scripts and monitoring rely on. They are a contract, listed in the README.

use std::process::ExitCode as ProcessExitCode;

/// How a command ended, as a shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// The command did what it was asked to do.
    Done = 0,
    /// A bug in lastgood.
    Bug = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The policy file is missing, unreadable or invalid.
    PolicyFile = 3,
    /// The provider cannot be reached, or refused the token or the request.
    Provider = 4,
    /// The run ended with failures.
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
    /// A server has no recent good restore point, or is stopped because of lastgood.
    Critical = 2,
    /// The policy file or the state could not be read.
    Unknown = 3,
}

impl From<Nagios> for ProcessExitCode {
    fn from(code: Nagios) -> Self {
        Self::from(code as u8)
    }
}
