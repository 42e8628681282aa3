//! What the daemon reads at a start and at a reload: the policy file and the token.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lastgood::seams::config::Config;

use crate::fleet::{self, Knobs};
use crate::life::TOKEN;

/// The policy file as it is now.
pub struct PolicyFile {
    pub knobs: Knobs,
    /// Whether it has a typing error.
    pub bad: bool,
    /// The token that the provider requires, once the file has it, too.
    pub token: String,
    large: bool,
    /// Reading a file takes longer than a day of the simulation.
    read: BTreeMap<Knobs, Config>,
}

impl PolicyFile {
    /// A file of a small or large fleet.
    pub fn new(knobs: Knobs, large: bool) -> Self {
        Self { knobs, bad: false, token: TOKEN.to_owned(), large, read: BTreeMap::new() }
    }

    pub fn config(&mut self, at: Timestamp) -> Config {
        let (knobs, large) = (self.knobs, self.large);
        self.read.entry(knobs).or_insert_with(|| fleet::config(knobs, large, at)).clone()
    }
}
