//! The settings of the policy file that runs need. A reload replaces them, for runs in progress too, so they are read
//! when they are used and not kept.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::policy::inventory::Kind;

/// The settings that runs need.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `provider.instance`.
    pub instance: String,
    /// `provider.slots`.
    pub slots: BTreeMap<Kind, u32>,
    /// How long lists may lag behind accepted calls.
    pub settle: Duration,
    /// The shortest time between two looks at a list.
    pub poll: Duration,
    /// How long one request may take.
    pub timeout: Duration,
}

impl Settings {
    /// The number of slots of a server.
    #[must_use]
    pub fn limit(&self, kind: Kind) -> u32 {
        self.slots.get(&kind).copied().unwrap_or_default()
    }
}

/// The settings in force. Clones share them.
#[derive(Clone, Debug)]
pub struct LiveSettings(Arc<RwLock<Arc<Settings>>>);

impl From<Settings> for LiveSettings {
    fn from(settings: Settings) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(settings))))
    }
}

impl LiveSettings {
    /// The settings in force now.
    #[must_use]
    pub fn now(&self) -> Arc<Settings> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts these into force, for all clones.
    pub fn exchange(&self, settings: Settings) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// Changes some of them.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = (*self.now()).clone();
        change(&mut settings);
        self.exchange(settings);
    }
}
