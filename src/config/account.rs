//! What depends on the account's servers: which policies a server has, which selectors match nothing, and where slots
//! are too few.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::settings::Config;
use crate::config::slot_sums::{SelectorSlots, prove, sums};

use crate::policy::inventory::{Kind, Server, ServerRef};
use crate::policy::policy::Policy;
use crate::policy::slot_sum::SlotSum;

/// A server whose policies need more slots than it has.
#[derive(Clone, Debug)]
pub struct Overfill {
    /// The server.
    pub server: ServerRef,
    /// The sum.
    pub proof: SlotSum,
}

impl fmt::Display for Overfill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the policies of {} need more slots than it has: {}", self.server, self.proof)
    }
}

/// Something in the file that applies to no server of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched(String);

impl fmt::Display for Unmatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Config {
    /// The policies of a server, each as it applies there, including disabled ones. If several tables name the server,
    /// the one whose key comes first among id, uuid, name, hostname applies.
    #[must_use]
    pub fn policies_for(&self, server: &Server) -> Vec<Arc<Policy>> {
        let rank = |key: &str| server.keys.iter().position(|other| other == key);
        let mut tables: Vec<_> = self
            .overrides
            .iter()
            .filter(|one| one.selector.matches(server))
            .map(|one| (rank(&one.selector.to_string()), one))
            .collect();
        tables.sort_by_key(|(rank, _)| *rank);
        let base = self.policies.iter().filter(|policy| {
            policy.servers.iter().any(|selector| selector.matches(server))
                && !policy.exclude.iter().any(|selector| selector.matches(server))
        });
        let mut policies: Vec<Arc<Policy>> = base
            .map(|policy| {
                let table = tables.iter().find(|(_, one)| one.policy.name == policy.name);
                Arc::clone(table.map_or(policy, |(_, one)| &one.policy))
            })
            .collect();
        for (_, one) in tables.iter().filter(|(_, one)| one.own) {
            if !policies.iter().any(|policy| policy.name == one.policy.name) {
                policies.push(Arc::clone(&one.policy));
            }
        }
        policies
    }

    /// What applies to no server of the account.
    #[must_use]
    pub fn unmatched(&self, servers: &[Server]) -> Vec<Unmatched> {
        let mut unmatched = Vec::new();
        for policy in &self.policies {
            for selector in &policy.servers {
                if !servers.iter().any(|server| selector.matches(server)) {
                    unmatched.push(Unmatched(format!(
                        "policy `{}`: no server of the account matches `{selector}`",
                        policy.name
                    )));
                }
            }
        }
        for one in &self.overrides {
            let name = &one.policy.name;
            let applies = |server: &Server| {
                one.selector.matches(server) && self.policies_for(server).iter().any(|policy| policy.name == *name)
            };
            if !servers.iter().any(applies) {
                let text = format!(
                    "[server.{}.{name}] applies to no server: `{name}` does not cover it, or it does not exist",
                    one.selector
                );
                unmatched.push(Unmatched(text));
            }
        }
        unmatched
    }

    /// The slots that the policies need, by the selectors in the file alone.
    #[must_use]
    pub fn slot_sums(&self, at: Timestamp) -> Vec<SelectorSlots> {
        sums(
            &self.policies.iter().collect::<Vec<_>>(),
            &self.overrides.iter().collect::<Vec<_>>(),
            self.provider.slots,
            at,
        )
    }

    /// The servers whose policies need more slots than they have.
    #[must_use]
    pub fn overfilled(&self, servers: &[Server], at: Timestamp) -> Vec<Overfill> {
        let all = servers.iter().flat_map(|server| Kind::ALL.map(|kind| (server, kind)));
        all.map(|(server, kind)| (server, self.proof(server, kind, at)))
            .filter(|(_, proof)| proof.overfills())
            .map(|(server, proof)| Overfill { server: server.reference.clone(), proof })
            .collect()
    }

    /// The sum of a server's slots of a kind.
    #[must_use]
    pub fn proof(&self, server: &Server, kind: Kind, at: Timestamp) -> SlotSum {
        let policies = self.policies_for(server);
        let of_kind: Vec<&Policy> = policies
            .iter()
            .map(AsRef::as_ref)
            .filter(|policy: &&Policy| policy.kind == kind && policy.enabled)
            .collect();
        prove(kind, &of_kind, self.provider.slots, at)
    }
}
