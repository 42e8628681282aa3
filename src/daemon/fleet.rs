//! Which policies are for which servers: the file, applied to the account's list.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::policy::inventory::{Kind, Server};
use crate::run::Task;

/// Every enabled policy on every server that it is for.
#[must_use]
pub fn tasks(config: &Config, servers: &[Server]) -> Vec<Task> {
    servers.iter().flat_map(|server| tasks_of(config, server)).collect()
}

/// Every enabled policy of one server.
#[must_use]
pub fn tasks_of(config: &Config, server: &Server) -> Vec<Task> {
    let policies: Vec<_> = config.policies_for(server).into_iter().filter(|policy| policy.enabled).collect();
    let mut reserve: BTreeMap<Kind, u32> = BTreeMap::new();
    for policy in &policies {
        let largest = reserve.entry(policy.kind).or_default();
        *largest = policy.reserve.max(*largest);
    }
    let task = |policy: std::sync::Arc<crate::policy::policy::Policy>| {
        let reserve = reserve.get(&policy.kind).copied().unwrap_or_default();
        Task { server: server.clone(), policy, reserve }
    };
    policies.into_iter().map(task).collect()
}

/// The servers that no enabled policy is for, those that need none left out.
#[must_use]
pub fn unprotected<'a>(config: &Config, servers: &'a [Server]) -> Vec<&'a Server> {
    let needs_none = |server: &Server| config.status.unprotected_ok.iter().any(|selector| selector.matches(server));
    servers.iter().filter(|server| tasks_of(config, server).is_empty() && !needs_none(server)).collect()
}
