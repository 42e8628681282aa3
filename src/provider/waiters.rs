//! Who waits for a list of a kind, and which of them a look serves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::policy::inventory::{Inventory, Server};
use crate::policy::looks::{AccountSize, shared_look};
use crate::provider::error::ProviderError;

/// What a look showed, when it began, and whether it was one at the whole account.
#[derive(Clone, Debug)]
pub(super) struct Looked {
    pub(super) began: Instant,
    pub(super) at_account: bool,
    pub(super) result: Result<Inventory, ProviderError>,
}

/// When a waiter can use a look.
#[derive(Clone, Copy, Debug)]
pub(super) struct WaitTimes {
    /// A look that began before this is of no use.
    pub(super) since: Instant,
    /// From when it looks by itself.
    pub(super) due: Instant,
    /// How long it waits for others to share its look.
    pub(super) until: Instant,
    /// Whether it waits for those, too, that have announced themselves.
    pub(super) for_announced: bool,
}

#[derive(Debug)]
struct Waiter {
    server: Server,
    times: WaitTimes,
    looked: Option<Looked>,
}

/// Those who wait for lists of one kind.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    /// Held by the waiter that is looking.
    pub(super) looking: tokio::sync::Mutex<()>,
    pub(super) looked: Notify,
    state: Mutex<WaitState>,
}

/// Those who wait, and what is known about the account's list.
#[derive(Debug, Default)]
pub(super) struct WaitState {
    next_ticket: u64,
    waiters: BTreeMap<u64, Waiter>,
    /// How many have announced that they will wait soon.
    announced: usize,
    /// The size of the account's list, and when it was read or counted.
    pub(super) account: Option<(AccountSize, Instant)>,
    /// Whether the account's list changed while it was read last.
    pub(super) is_unsteady: bool,
}

impl Waiters {
    pub(super) fn lock(&self) -> MutexGuard<'_, WaitState> {
        self.state.lock().expect("no code panics while it holds the waiters")
    }

    /// Locks during an unwinding, too: a poisoned lock must not panic while another panic unwinds.
    fn if_sound(&self, change: impl FnOnce(&mut WaitState)) {
        if let Ok(mut state) = self.state.lock() {
            change(&mut state);
        }
    }
}

impl WaitState {
    /// When to look, as things stand.
    pub(super) fn look_at(&self) -> Option<Instant> {
        let open = || self.waiters.values().filter(|waiter| waiter.looked.is_none()).map(|waiter| waiter.times);
        let others_come = self.announced > 0 && open().any(|times| times.for_announced);
        shared_look(open().map(|times| (times.due, times.until)), others_come)
    }

    /// The servers whose waiters are due, each once.
    pub(super) fn due(&self, now: Instant) -> Vec<Server> {
        let waiting = self.waiters.values().filter(|waiter| waiter.times.due <= now && waiter.looked.is_none());
        let mut due: Vec<&Server> = waiting.map(|waiter| &waiter.server).collect();
        due.sort_by(|a, b| a.reference.id.cmp(&b.reference.id));
        due.dedup_by(|a, b| a.reference.id == b.reference.id);
        due.into_iter().cloned().collect()
    }

    /// Whether anyone else could use a look that begins now.
    pub(super) fn has_others(&self, now: Instant) -> bool {
        self.waiters
            .values()
            .any(|waiter| waiter.times.since <= now && now < waiter.times.due && waiter.looked.is_none())
    }

    /// Gives a look's result to the waiters that may use it and have none yet.
    pub(super) fn give(
        &mut self,
        (began, at_account): (Instant, bool),
        of: impl Fn(&Server, Instant) -> Option<Result<Inventory, ProviderError>>,
    ) {
        let open = |waiter: &&mut Waiter| waiter.times.since <= began && waiter.looked.is_none();
        for waiter in self.waiters.values_mut().filter(open) {
            let result = of(&waiter.server, waiter.times.due);
            waiter.looked = result.map(|result| Looked { began, at_account, result });
        }
    }
}

/// The entry of one waiter; removed when dropped.
pub(super) struct WaitTicket<'a> {
    waiters: &'a Waiters,
    ticket: u64,
}

impl<'a> WaitTicket<'a> {
    pub(super) fn new(waiters: &'a Waiters, server: &Server, times: WaitTimes) -> Self {
        let mut state = waiters.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiters.insert(ticket, Waiter { server: server.clone(), times, looked: None });
        Self { waiters, ticket }
    }

    pub(super) fn take(&self) -> Option<Looked> {
        self.waiters.lock().waiters.get_mut(&self.ticket).and_then(|waiter| waiter.looked.take())
    }
}

impl Drop for WaitTicket<'_> {
    fn drop(&mut self) {
        self.waiters.if_sound(|state| {
            state.waiters.remove(&self.ticket);
        });
    }
}

/// Somebody will ask for a shared look soon; withdrawn when dropped.
#[derive(Debug)]
pub(crate) struct Announcement(Arc<Waiters>);

impl Announcement {
    pub(super) fn new(waiters: &Arc<Waiters>) -> Self {
        waiters.lock().announced += 1;
        Self(Arc::clone(waiters))
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        self.0.if_sound(|state| state.announced -= 1);
    }
}
