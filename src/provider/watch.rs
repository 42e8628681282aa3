//! Waits for restore points: decides when to look next (pure), and shares one look among all waiters.
//!
//! There is no background task. The first waiter to wake looks for all; if its look is dropped, the next waiter takes
//! over. A look only shows that points are there; deletes need an inventory of their own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::policy::inventory::{Inventory, Kind, Server};
use crate::provider::client::Client;
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::lists::PAGE_SIZE;

/// The longest pause between two looks, even for a point that is long overdue.
const LONGEST: Duration = Duration::from_secs(600);

/// How old the account's count may be when it is used to choose the cheaper look.
const COUNT_AGE: Duration = Duration::from_secs(600);

/// How many servers' lists are read at the same time.
const PARALLEL: usize = 8;

/// How long to wait until the next look, `elapsed` after the point was requested, when points usually take `usual`.
/// Never shorter than `poll`.
///
/// Without a usual time, a quarter of the elapsed time, which bounds the delay. With one: at a quarter, at a half and
/// shortly before it, often around it, and rarely when the point is far overdue.
#[must_use]
pub(super) fn next_look(elapsed: Duration, usual: Option<Duration>, poll: Duration) -> Duration {
    let growing = elapsed / 4;
    let wait = match usual.filter(|usual| !usual.is_zero()) {
        None => growing,
        Some(usual) => {
            let near = usual * 4 / 5;
            if elapsed < near {
                // Doubles from a quarter of the usual time on, but not past the time when the point is likely to be
                // there.
                elapsed.max(usual / 4).min(near - elapsed)
            } else if elapsed < usual * 3 / 2 {
                usual / 20
            } else {
                growing
            }
        }
    };
    wait.min(LONGEST).max(poll)
}

/// Which lists a look reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LookScope {
    /// The list of the whole account.
    Account,
    /// The list of each server that is waited for.
    Servers,
}

/// The scope with fewer requests. An account of unknown size is not read as a whole.
#[must_use]
pub(super) fn cheaper(waiting_servers: usize, account_points: Option<u64>, page_size: u64) -> LookScope {
    let pages = account_points.map(|points| points.div_ceil(page_size.max(1)).max(1));
    if pages.is_some_and(|pages| pages < waiting_servers as u64) { LookScope::Account } else { LookScope::Servers }
}

/// The pace at which one waiting run looks.
#[derive(Clone, Copy, Debug)]
pub struct WatchPace {
    /// When the point was requested, in tokio's time.
    began: Instant,
    usual: Option<Duration>,
    /// When the latest look began whose result was used.
    seen: Option<Instant>,
}

impl WatchPace {
    /// A pace for a point that was requested `elapsed` ago (more than zero after a restart) and usually takes `usual`.
    #[must_use]
    pub fn new(elapsed: Duration, usual: Option<Duration>) -> Self {
        let now = Instant::now();
        Self { began: now.checked_sub(elapsed).unwrap_or(now), usual, seen: None }
    }

    /// The time since the point was requested.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Lists that many runs wait for together. Clones share the looks.
#[derive(Clone, Debug)]
pub struct Watch {
    client: Client,
    kinds: Arc<[PerKind; 2]>,
}

#[derive(Debug, Default)]
struct PerKind {
    /// Held by the waiter that is looking.
    looking: tokio::sync::Mutex<()>,
    looked: Notify,
    state: Mutex<WatchState>,
}

#[derive(Debug, Default)]
struct WatchState {
    next_ticket: u64,
    waiters: BTreeMap<u64, Waiter>,
    /// The number of entries of the account's list, and when it was counted.
    count: Option<(u64, Instant)>,
}

#[derive(Debug)]
struct Waiter {
    server: Server,
    since: Instant,
    due: Instant,
    /// The first look that began at or after `since`.
    result: Option<TimedLook>,
}

type TimedLook = (Instant, Result<Inventory, ProviderError>);

impl Watch {
    /// A watch over the client's lists.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, kinds: Arc::default() }
    }

    /// The next look at this pace; earlier if another waiter looks first.
    ///
    /// # Errors
    /// The look's `ProviderError`. After a retryable one, the caller decides whether to wait on.
    pub async fn next(&self, server: &Server, kind: Kind, pace: &mut WatchPace) -> Result<Inventory, ProviderError> {
        let poll = self.client.poll();
        let now = Instant::now();
        let due = now + next_look(now - pace.began, pace.usual, poll);
        let since = pace.seen.map_or(now, |seen| (seen + poll).max(now));
        let (began, result) = self.seen_after(server, kind, since, due).await;
        pace.seen = Some(began);
        result
    }

    /// The result of a look that begins at or after `since`. Looks at `due` if nobody else has by then.
    ///
    /// # Errors
    /// The look's `ProviderError`.
    pub async fn inventory_after(
        &self,
        server: &Server,
        kind: Kind,
        since: Instant,
        due: Instant,
    ) -> Result<Inventory, ProviderError> {
        self.seen_after(server, kind, since, due).await.1
    }

    async fn seen_after(&self, server: &Server, kind: Kind, since: Instant, due: Instant) -> TimedLook {
        let of_kind = self.of(kind);
        let ticket =
            WaitTicket::new(of_kind, Waiter { server: server.clone(), since, due: due.max(since), result: None });
        loop {
            let looked = of_kind.looked.notified();
            tokio::pin!(looked);
            // Registered before the result is checked, so that no look is missed in between.
            looked.as_mut().enable();
            if let Some(seen) = ticket.result() {
                return seen;
            }
            let sleep = tokio::time::sleep_until(due.max(since));
            tokio::select! {
                biased;
                () = looked => {}
                () = sleep => {
                    let _turn = of_kind.looking.lock().await;
                    // While we waited for our turn, another waiter may have looked for us.
                    if let Some(seen) = ticket.result() {
                        return seen;
                    }
                    self.look_for_all(kind).await;
                    of_kind.looked.notify_waiters();
                }
            }
        }
    }

    /// One look for all waiters that are due. Others share it if that costs no further request.
    async fn look_for_all(&self, kind: Kind) {
        let of_kind = self.of(kind);
        let began = Instant::now();
        let (due, others) = {
            let state = of_kind.lock();
            (state.due(began), state.others(began))
        };
        // Waiters that are not due yet count as one more: the account's list saves them a look of their own.
        let waiting = due.len() + usize::from(others);
        let count = if waiting > 1 { self.count(kind, began).await } else { None };
        if cheaper(waiting, count, PAGE_SIZE) == LookScope::Account {
            let answer = self.client.all_points(kind).await;
            let mut state = of_kind.lock();
            match answer {
                Ok(points) => {
                    state.count = Some((points.entries(), began));
                    state.give(began, |waiter| Some(Ok(points.inventory_of(&waiter.server))));
                    return;
                }
                // A large list may change all the time or be too large. Single servers' lists are short.
                Err(error) if is_list_error(&error.kind) => {}
                Err(error) => {
                    state.give(began, |waiter| (waiter.due <= began).then(|| Err(error.clone())));
                    return;
                }
            }
        }
        let mut answers = stream::iter(due)
            .map(|server| async move {
                let answer = self.client.read_once(&server, kind).await;
                (server, answer)
            })
            .buffer_unordered(PARALLEL);
        while let Some((server, answer)) = answers.next().await {
            let same = |waiter: &Waiter| waiter.server.reference.id == server.reference.id;
            of_kind.lock().give(began, |waiter| same(waiter).then(|| answer.clone()));
            of_kind.looked.notify_waiters();
        }
    }

    async fn count(&self, kind: Kind, now: Instant) -> Option<u64> {
        let known = self.of(kind).lock().count;
        if let Some((count, at)) = known
            && now.saturating_duration_since(at) < COUNT_AGE
        {
            return Some(count);
        }
        // Errors are ignored here: the look itself reports them.
        let count = self.client.count_points(kind).await.ok().flatten()?;
        self.of(kind).lock().count = Some((count, now));
        Some(count)
    }

    fn of(&self, kind: Kind) -> &PerKind {
        match kind {
            Kind::Backup => &self.kinds[0],
            Kind::Snapshot => &self.kinds[1],
        }
    }
}

impl PerKind {
    fn lock(&self) -> MutexGuard<'_, WatchState> {
        self.state.lock().expect("no code panics while it holds the waiters")
    }
}

impl WatchState {
    /// The servers whose waiters are due, each once.
    fn due(&self, now: Instant) -> Vec<Server> {
        let mut due: Vec<&Server> = Vec::new();
        let waiting = self.waiters.values().filter(|waiter| waiter.due <= now && waiter.result.is_none());
        due.extend(waiting.map(|waiter| &waiter.server));
        due.sort_by(|a, b| a.reference.id.cmp(&b.reference.id));
        due.dedup_by(|a, b| a.reference.id == b.reference.id);
        due.into_iter().cloned().collect()
    }

    /// Whether anyone else could use a look that begins now.
    fn others(&self, now: Instant) -> bool {
        self.waiters.values().any(|waiter| waiter.since <= now && now < waiter.due && waiter.result.is_none())
    }

    /// Gives a look's result to the waiters that may use it and have none yet.
    fn give(&mut self, began: Instant, of: impl Fn(&Waiter) -> Option<Result<Inventory, ProviderError>>) {
        for waiter in self.waiters.values_mut().filter(|waiter| waiter.since <= began && waiter.result.is_none()) {
            waiter.result = of(waiter).map(|outcome| (began, outcome));
        }
    }
}

/// Whether the list is at fault, rather than the connection or the provider.
fn is_list_error(kind: &ErrorKind) -> bool {
    use ErrorKind::{Excess, Incomplete, TooLarge, Unsteady};
    matches!(kind, Incomplete { .. } | Unsteady(_) | Excess(_) | TooLarge { .. })
}

/// The entry of one waiter; removed when dropped.
struct WaitTicket<'a> {
    of_kind: &'a PerKind,
    ticket: u64,
}

impl<'a> WaitTicket<'a> {
    fn new(of_kind: &'a PerKind, waiter: Waiter) -> Self {
        let mut state = of_kind.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiters.insert(ticket, waiter);
        Self { of_kind, ticket }
    }

    fn result(&self) -> Option<TimedLook> {
        self.of_kind.lock().waiters.get_mut(&self.ticket).and_then(|waiter| waiter.result.take())
    }
}

impl Drop for WaitTicket<'_> {
    fn drop(&mut self) {
        // Not `lock()`: a poisoned lock must not panic while another panic unwinds.
        if let Ok(mut state) = self.of_kind.state.lock() {
            state.waiters.remove(&self.ticket);
        }
    }
}
