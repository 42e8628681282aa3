//! What happens besides everyday faults. Each ingredient can be left out to find out which of them a defect needs: here,
//! or by `LASTGOOD_WITHOUT=midnights,depth` without a rebuild. Leaving one out also changes the random numbers.

use crate::events::LifeEvent;

/// Which ingredients are in.
#[derive(Clone, Copy, Debug)]
pub struct Ingredients {
    /// Runs that straddle the end of a bucket: looks at the second, stops of 90 s, latency, lost creates.
    pub midnights: bool,
    /// Shutdowns that take long and show `active`.
    pub slow_shutdowns: bool,
    /// Tokens that change, and a reload after.
    pub tokens: bool,
    /// Holds and releases.
    pub holds: bool,
    /// Servers that are added, renamed and removed.
    pub servers: bool,
    /// Policies that are renamed by `formerly`.
    pub formerly: bool,
    /// Digests.
    pub digests: bool,
    /// Our clock and the provider's are set.
    pub clocks: bool,
    /// The checker requires the depth that retention promises.
    pub depth: bool,
    /// The checker requires that no server is off for longer than necessary, and is started when it reads `stopped`.
    pub power: bool,
}

impl Ingredients {
    /// All but those that `LASTGOOD_WITHOUT` names.
    pub fn chosen() -> Self {
        let without = std::env::var("LASTGOOD_WITHOUT").unwrap_or_default();
        let with = |name: &str| !without.split(',').any(|it| it == name);
        Self {
            midnights: with("midnights"),
            slow_shutdowns: with("slow_shutdowns"),
            tokens: with("tokens"),
            holds: with("holds"),
            servers: with("servers"),
            formerly: with("formerly"),
            digests: with("digests"),
            clocks: with("clocks"),
            depth: with("depth"),
            power: with("power"),
        }
    }

    /// Whether an event may happen.
    pub const fn allow(&self, event: LifeEvent) -> bool {
        match event {
            LifeEvent::SlowShutdown => self.slow_shutdowns,
            LifeEvent::Pace | LifeEvent::LostAtMidnight => self.midnights,
            LifeEvent::NewToken | LifeEvent::TokenReload => self.tokens,
            LifeEvent::Hold => self.holds,
            LifeEvent::ServerComes | LifeEvent::ServerGoes | LifeEvent::ServerRenamed => self.servers,
            LifeEvent::Jump | LifeEvent::SkewedProvider => self.clocks,
            _ => true,
        }
    }
}
