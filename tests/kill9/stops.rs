//! `kill -9` at each request of a run, counted by an undisturbed run: before the provider sees it, after it has acted,
//! and while it is on its way.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cases::{Case, cases};
use crate::gate::{Moment, Stop};

/// How many programs run at once: they mostly wait.
const AT_ONCE: usize = 8;

/// Does the work for each item, a few at a time.
pub fn each<T: Sync>(all: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(one);
                }
            });
        }
    });
}

/// The requests of the case's run, undisturbed.
fn requests(case: &Case) -> Vec<String> {
    let host = case.host();
    host.record_due(case.kind);
    host.settle(None);
    let seen = host.gate.seen();
    case.check(&host, "undisturbed");
    seen
}

/// When to kill at each of these requests. For a read it makes no difference whether the provider has answered.
pub fn moments(requests: &[String]) -> Vec<Stop> {
    let mut stops = Vec::new();
    for (request, line) in (1..).zip(requests) {
        let moments: &[Moment] = if line.starts_with("GET") {
            &[Moment::Before]
        } else {
            &[Moment::Before, Moment::CarriedOut, Moment::OnItsWay]
        };
        // The moment after an answer is also a moment after a write: only `.ci/kill` has time for both.
        let answered = std::env::var_os("LASTGOOD_KILLS").map(|_| &Moment::Answered);
        stops.extend(moments.iter().chain(answered).map(|moment| Stop { request, moment: *moment }));
    }
    stops
}

fn killed_at(case: &Case, stop: Stop) {
    let host = case.host();
    host.record_due(case.kind);
    host.settle(Some(stop));
    host.settle(None);
    case.check(&host, &format!("killed at {stop:?}"));
}

#[test]
fn a_daemon_killed_at_any_request_of_a_run_ends_it_as_if_it_were_not() {
    let mut stops = Vec::new();
    let cases = cases();
    for case in &cases {
        let requests = requests(case);
        assert!(requests.len() >= 5, "{}: {requests:?}", case.name);
        stops.extend(moments(&requests).into_iter().map(|stop| (case, stop)));
    }
    each(&stops, |(case, stop)| killed_at(case, *stop));
}
