//! What the provider's account must look like after a command.

use serde_json::Value;

use crate::support::host::Host;

pub fn server_status(host: &Host, server: &str) -> String {
    let state = host.provider.state();
    let servers = state["servers"].as_array().unwrap();
    let found = servers.iter().find(|one| one["spec"]["name"] == server).unwrap();
    found["status"].as_str().unwrap().to_owned()
}

/// Waits until the server runs again: the provider takes a moment to start it.
#[track_caller]
pub fn runs_again(host: &Host, server: &str, context: &str) {
    let seen = (0..2000).map(|_| server_status(host, server)).find(|status| status == "active");
    assert!(seen.is_some(), "{context}: {server} is not running: {}", server_status(host, server));
}

pub fn points_of(host: &Host, server: &str) -> Vec<String> {
    let state = host.provider.state();
    let of = |point: &&Value| point["server_name"] == server;
    let mut ids: Vec<String> =
        state["snapshots"].as_array().unwrap().iter().filter(of).map(|point| point["id"].to_string()).collect();
    ids.sort();
    ids
}

/// Our points at the provider are those that the journal created and did not delete: nothing lost, nothing doubled.
#[track_caller]
pub fn every_point_is_in_the_history(host: &Host, server: &str, flags: &[&str]) -> Value {
    let history = host.run(&[&["history", "--json", "--limit", "1000"], flags].concat()).ends_with(0).json();
    let runs = history["runs"].as_array().unwrap();
    let ids = |value: &Value| value.as_array().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
    let deleted: Vec<String> = runs.iter().flat_map(|run| ids(&run["deleted"])).collect();
    let made = runs.iter().filter(|run| !run["created"].is_null()).map(|run| run["created"].to_string());
    let mut left: Vec<String> = made.filter(|id| !deleted.contains(id)).collect();
    left.sort();
    assert_eq!(points_of(host, server), left, "{history:#}");
    history
}
