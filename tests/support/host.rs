//! A host with lastgood: a folder with a policy file, and a provider in a process of its own.

use std::path::PathBuf;
use std::process::Command;

use super::folder::Folder;
use super::policy_text::{MAIL_TO_FILES, oncall, policy, provider};
use super::program::{Done, TOKEN};
use super::provider_control::Provider;

/// Pauses that suit a provider that answers at once.
const SHORT_PAUSES: &str = "poll = \"50ms\"\nsettle = \"500ms\"";

/// A host.
pub struct Host {
    pub folder: Folder,
    pub provider: Provider,
}

impl Host {
    /// A provider with these flags, and a policy of hourly snapshots that keeps the last two.
    pub fn new(flags: &[&str]) -> Self {
        Self::with_provider(Provider::start(flags))
    }

    /// The same with this provider.
    pub fn with_provider(provider: Provider) -> Self {
        let host = Self { folder: Folder::new(), provider };
        host.write_private("token", TOKEN);
        let policies = policy("hourly", "snapshot", "0 * * * *", "");
        host.write_private("policy.toml", &host.policy_text(&(policies + MAIL_TO_FILES + &oncall(""))));
        host
    }

    /// A policy file for this provider that ends in these lines.
    pub fn policy_text(&self, lines: &str) -> String {
        provider(&self.provider.origin, SHORT_PAUSES) + lines
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    /// Writes a file that only its owner may read.
    pub fn write_private(&self, name: &str, text: &str) {
        self.folder.write_private(name, text);
    }

    /// The program in the folder, with a bare environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.folder.command(arguments)
    }

    /// Runs the program to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Done {
        self.folder.run(arguments)
    }
}
