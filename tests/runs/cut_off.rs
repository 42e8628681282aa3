//! Cuts a future off, as a crash does: at one of its awaits, or once something has happened.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use crate::support::simulated_world::SimulatedWorld;

/// Drops the work at its await number `polls`; `None` when it was cut off.
pub async fn cut_off<T>(work: impl Future<Output = T>, polls: u32) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match work.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Drops the work at its first await after something has happened; `None` when it was cut off. Only then, so that the
/// answer to the request that made it happen is not written down.
pub async fn cut_off_when<T>(work: impl Future<Output = T>, happened: impl Fn() -> bool) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if happened() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// What a run is counted by.
#[derive(Clone, Copy, Debug)]
pub enum CountedBy {
    /// Transactions of the state, as another connection sees them.
    Writes,
    /// Requests that the provider has seen.
    Requests,
}

/// Drops the work at its first await after the `last`-th of them. How many there were, and whether it was cut off.
pub async fn cut_off_after<T>(
    work: impl Future<Output = T>,
    sim: &SimulatedWorld,
    what: CountedBy,
    last: usize,
) -> (usize, bool) {
    let state = rusqlite::Connection::open(sim.dir.path().join("lastgood.db")).unwrap();
    let version = || state.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0)).unwrap();
    let (mut work, mut before, mut seen) = (pin!(work), version(), 0);
    poll_fn(move |context| {
        let polled = work.as_mut().poll(context);
        match what {
            CountedBy::Writes => {
                let now = version();
                seen += usize::from(now != before);
                before = now;
            }
            CountedBy::Requests => seen = sim.simulator.with_account(|account| account.record().requests().count()),
        }
        match polled {
            Poll::Ready(_) => Poll::Ready((seen, false)),
            Poll::Pending if seen >= last => Poll::Ready((seen, true)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
