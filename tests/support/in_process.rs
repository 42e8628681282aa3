//! The client over a simulator in this process: no socket, no real time.

use std::time::Duration;

use axum::Router;
use lastgood::seams::clock::Clock;
use lastgood::seams::provider::{Client, ClientSettings};

/// A client whose requests are handed to the router.
pub fn client(clock: &Clock, router: Router, token: &str) -> Client {
    let settings = ClientSettings {
        // Nothing is sent there.
        url: "http://127.0.0.1:9/api/v1".to_owned(),
        token: token.to_owned().into(),
        timeout: Duration::from_secs(30),
        requests_per_second: 1000,
        poll: Duration::from_secs(1),
        ca_file: None,
    };
    Client::in_process(settings, clock.clone(), router).expect("the settings are valid")
}

/// A temporary folder, in memory where there is such a place: these tests write many thousand times and survive no crash
/// of the machine.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder can be made")
}
