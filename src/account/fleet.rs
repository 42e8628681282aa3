//! Which policy applies to which server: the policy file, applied to the account's list of servers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Config;
use crate::policy::inventory::{Kind, Server, ServerStatus};
use crate::policy::policy::Policy;
use crate::policy::task::Task;
use crate::store::runs::Run;

/// Every enabled policy on every server that it applies to.
#[must_use]
pub fn tasks(config: &Config, servers: &[Server]) -> Vec<Task> {
    servers.iter().flat_map(|server| tasks_of_server(config, server)).collect()
}

/// Every enabled policy of one server.
#[must_use]
pub(crate) fn tasks_of_server(config: &Config, server: &Server) -> Vec<Task> {
    let policies: Vec<_> = config.policies_for(server).into_iter().filter(|policy| policy.enabled).collect();
    let mut reserve: BTreeMap<Kind, u32> = BTreeMap::new();
    for policy in &policies {
        let largest = reserve.entry(policy.kind).or_default();
        *largest = policy.reserve.max(*largest);
    }
    let task = |policy: &Arc<Policy>| {
        let reserve = reserve.get(&policy.kind).copied().unwrap_or_default();
        let others = policies.iter().filter(|other| other.kind == policy.kind && other.name != policy.name);
        Task { server: server.clone(), policy: Arc::clone(policy), reserve, others: others.cloned().collect() }
    };
    policies.iter().map(task).collect()
}

/// The servers without any enabled policy, except those that `unprotected_ok` names.
#[must_use]
pub(crate) fn unprotected<'a>(config: &Config, servers: &'a [Server]) -> Vec<&'a Server> {
    let is_unprotected =
        |server: &&Server| tasks_of_server(config, server).is_empty() && !needs_no_policy(config, server);
    servers.iter().filter(is_unprotected).collect()
}

/// Whether `unprotected_ok` names the server.
pub(super) fn needs_no_policy(config: &Config, server: &Server) -> bool {
    config.status.unprotected_ok.iter().any(|selector| selector.matches(server))
}

/// Whether both lists show the same servers under the same names, so that the same policies apply to them.
#[must_use]
pub(crate) fn same_servers(known: &[Server], listed: &[Server]) -> bool {
    let same = |(a, b): (&Server, &Server)| a.reference == b.reference && a.keys == b.keys;
    known.len() == listed.len() && known.iter().zip(listed).all(same)
}

/// The task of a run that was interrupted. A policy that has left the file deletes nothing any more.
#[must_use]
pub fn task_of_run(config: &Config, servers: &[Server], run: &Run) -> Task {
    let key = &run.state.key;
    let server = servers.iter().find(|server| server.reference.id == key.server.id).cloned();
    let server = server.unwrap_or_else(|| Server {
        reference: key.server.clone(),
        keys: vec![key.server.id.to_string(), key.server.name.clone()],
        status: ServerStatus::Other("unlisted".to_owned()),
    });
    // The same name with another kind is another policy.
    let is_it = |task: &Task| task.policy.name == key.policy && task.policy.kind == key.kind;
    let task = tasks_of_server(config, &server).into_iter().find(is_it);
    task.unwrap_or_else(|| Task {
        policy: Arc::new(Policy::removed(key.policy.clone(), key.kind)),
        server,
        reserve: 0,
        others: Vec::new(),
    })
}
