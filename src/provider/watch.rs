//! Waits for restore points, and shares one look among all waiters. `policy::looks` decides when to look and where.
//!
//! There is no background task. The first waiter to wake looks for all; if its look is dropped, the next waiter takes
//! over. A look only shows that points are there; deletes need an inventory of their own.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use crate::policy::inventory::{Inventory, Kind, Server};
use crate::policy::looks::{AccountSize, LookScope, UsualTime, cheaper, next_look};
use crate::provider::client::Client;
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::lists::PAGE_SIZE;
use crate::provider::waiters::{Announcement, Looked, WaitTicket, WaitTimes, Waiters};

/// How old the account's count may be when it is used to choose the cheaper look.
const COUNT_AGE: Duration = Duration::from_secs(600);

/// How many servers' lists are read at the same time.
const PARALLEL: usize = 8;

/// The pace at which one waiting run looks.
#[derive(Clone, Copy, Debug)]
pub struct WatchPace {
    /// When the point was requested, in tokio's time.
    began: Instant,
    usual: Option<UsualTime>,
    /// When the latest look began whose result was used.
    seen: Option<Instant>,
    /// When the look before it began.
    seen_before: Option<Instant>,
}

impl WatchPace {
    /// A pace for a point that was requested `elapsed` ago (more than zero after a restart) and usually takes `usual`.
    #[must_use]
    pub fn new(elapsed: Duration, usual: Option<UsualTime>) -> Self {
        let now = Instant::now();
        Self { began: now.checked_sub(elapsed).unwrap_or(now), usual, seen: None, seen_before: None }
    }

    /// How long after its request the point was looked at before the latest look; `None` without such a look.
    #[must_use]
    pub(crate) fn in_progress_for(&self) -> Option<Duration> {
        self.seen_before.map(|seen| seen.saturating_duration_since(self.began))
    }
}

/// Lists that many runs wait for together. Clones share the looks.
#[derive(Clone, Debug)]
pub struct Watch {
    client: Client,
    kinds: [Arc<Waiters>; 2],
}

impl Watch {
    /// A watch over the client's lists.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, kinds: Default::default() }
    }

    /// The next look at this pace; earlier if another waiter looks first.
    ///
    /// # Errors
    /// The look's `ProviderError`. After a retryable one, the caller decides whether to wait on.
    pub async fn next(&self, server: &Server, kind: Kind, pace: &mut WatchPace) -> Result<Inventory, ProviderError> {
        let poll = self.client.poll();
        let now = Instant::now();
        let window = next_look(now - pace.began, pace.usual, poll);
        let since = pace.seen.map_or(now, |seen| (seen + poll).max(now));
        let times = WaitTimes { since, due: now + window.from, until: now + window.until, for_announced: false };
        let looked = self.looked(server, kind, times, None).await;
        (pace.seen_before, pace.seen) = (pace.seen, Some(looked.began));
        looked.result
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
        self.looked(server, kind, WaitTimes { since, due, until: due, for_announced: false }, None).await.result
    }

    /// The result of a look that begins now, or after `poll` at most if others that have announced themselves share it.
    /// `None` if the account's list cannot be read. From now on the caller's own announcement counts as kept.
    ///
    /// # Errors
    /// The `ProviderError` of the server's own list.
    pub(crate) async fn together(
        &self,
        server: &Server,
        kind: Kind,
        announced: Option<Announcement>,
    ) -> Option<Result<Inventory, ProviderError>> {
        let now = Instant::now();
        let times = WaitTimes { since: now, due: now, until: now + self.client.poll(), for_announced: true };
        let looked = self.looked(server, kind, times, announced).await;
        Some(looked.result).filter(|result| !looked.at_account || result.is_ok())
    }

    /// Announces a call of `together`, which those who are there before then wait for.
    pub(crate) fn announce(&self, kind: Kind) -> Announcement {
        Announcement::new(self.of(kind))
    }

    async fn looked(&self, server: &Server, kind: Kind, times: WaitTimes, announced: Option<Announcement>) -> Looked {
        let of_kind = self.of(kind);
        let due = times.due.max(times.since);
        let times = WaitTimes { due, until: times.until.max(due), ..times };
        let ticket = WaitTicket::new(of_kind, server, times);
        drop(announced);
        loop {
            let looked = of_kind.looked.notified();
            tokio::pin!(looked);
            // Registered before the result is checked, so that no look is missed in between.
            looked.as_mut().enable();
            if let Some(looked) = ticket.take() {
                return looked;
            }
            let now = Instant::now();
            // At the moment that is right for all, one of them is woken by its own times.
            let at = of_kind.lock().look_at().unwrap_or(times.until).min(times.until);
            let sleep = tokio::time::sleep_until(if now < times.due { times.due } else { at });
            let turn = async {
                sleep.await;
                of_kind.looking.lock().await
            };
            tokio::select! {
                biased;
                () = looked => {}
                _turn = turn => {
                    // While we waited for our turn, another waiter may have looked for us.
                    if let Some(looked) = ticket.take() {
                        return looked;
                    }
                    if of_kind.lock().look_at().is_some_and(|at| at <= Instant::now()) {
                        self.look_for_all(kind).await;
                        of_kind.looked.notify_waiters();
                    }
                }
            }
        }
    }

    /// One look for all waiters that are due. Others share it if that costs no further request.
    async fn look_for_all(&self, kind: Kind) {
        let of_kind = self.of(kind);
        let began = Instant::now();
        let (due, others, is_unsteady) = {
            let mut state = of_kind.lock();
            (state.due(began), state.has_others(began), std::mem::take(&mut state.is_unsteady))
        };
        // Waiters that are not due yet count as one more: the account's list saves them a look of their own.
        let waiting = due.len() + usize::from(others);
        let account = if waiting > 1 && !is_unsteady { self.account_size(kind, began).await } else { None };
        if cheaper(waiting, account) == LookScope::Account && self.look_at_account(kind, began, account).await {
            return;
        }
        let mut answers = stream::iter(due)
            .map(|server| async move {
                let answer = self.client.read_once(&server, kind).await;
                (server, answer)
            })
            .buffer_unordered(PARALLEL);
        while let Some((server, answer)) = answers.next().await {
            let same = |other: &Server| other.reference.id == server.reference.id;
            of_kind.lock().give((began, false), |other, _| same(other).then(|| answer.clone()));
            of_kind.looked.notify_waiters();
        }
    }

    /// Looks at the list of the account. False if it cannot be read and the servers' lists may be.
    async fn look_at_account(&self, kind: Kind, began: Instant, account: Option<AccountSize>) -> bool {
        let answer = self.client.look_at_account(kind, account.map_or(1, |size| size.pages)).await;
        let mut state = self.of(kind).lock();
        match answer {
            Ok(look) => {
                state.account = Some((look.size, began));
                // What changes all the time is looked at in the servers' lists next time, so that nobody waits for ever.
                state.is_unsteady = !look.is_steady;
                state.give((began, true), |server, _| Some(Ok(look.points.inventory_of(server))));
                true
            }
            // A large list may be too large. Single servers' lists are short.
            Err(error) if is_list_error(&error.kind) => false,
            Err(error) => {
                state.give((began, true), |_, due| (due <= began).then(|| Err(error.clone())));
                true
            }
        }
    }

    async fn account_size(&self, kind: Kind, now: Instant) -> Option<AccountSize> {
        let known = self.of(kind).lock().account;
        if let Some((size, at)) = known
            && now.saturating_duration_since(at) < COUNT_AGE
        {
            return Some(size);
        }
        // Errors are ignored here: the look itself reports them.
        let entries = self.client.count_points(kind).await.ok().flatten()?;
        let size = AccountSize { pages: entries.div_ceil(PAGE_SIZE).max(1), entries };
        self.of(kind).lock().account = Some((size, now));
        Some(size)
    }

    fn of(&self, kind: Kind) -> &Arc<Waiters> {
        match kind {
            Kind::Backup => &self.kinds[0],
            Kind::Snapshot => &self.kinds[1],
        }
    }
}

/// Whether the list is at fault, rather than the connection or the provider.
fn is_list_error(kind: &ErrorKind) -> bool {
    use ErrorKind::{Excess, Incomplete, TooLarge, Unsteady};
    matches!(kind, Incomplete { .. } | Unsteady(_) | Excess(_) | TooLarge { .. })
}
