//! Reads a list completely or not at all: every page, agreeing with `count`, each id once.
//!
//! `next` is followed only to the same origin and path; otherwise pages are requested by number. A list that changes
//! while it is read is read again, at most three times. Reading ends within five minutes, and as soon as a list has
//! more entries than it counts, brings nothing new, or is larger than any account's list can be.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use url::Url;

use crate::policy::inventory::Server;
use crate::provider::api_object::ApiObject;
use crate::provider::client::{ApiCall, Client};
use crate::provider::convert;
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::fields::Fields;
use crate::provider::link::LIST_BYTES;
use crate::provider::listing::{EntryReader, Listing, MOST_ENTRIES};
use crate::provider::page::{NextPage, PageError};
use crate::provider::reading::{ListPage, MemoryBudget, ReadMore, Reading, Unsteady};
use crate::provider::retry;
use crate::provider::text::Masks;

/// The most entries that the provider gives on a page.
pub(crate) const PAGE_SIZE: u64 = 100;

/// The most time for a complete list, including repeated readings.
const WHOLE: Duration = Duration::from_mins(5);

/// The most memory, in bytes, for an account's list of servers, and for its restore points, so that no answer makes the
/// process grow by more than 128 MB, including its body.
const SERVERS_BYTES: usize = 24 * 1024 * 1024;
pub(crate) const POINTS_BYTES: usize = 88 * 1024 * 1024;

/// The most bytes of a page that is read in parallel with others.
const PAGE_BYTES: usize = 2 * 1024 * 1024;

/// How often a changing list is read at most.
const READINGS: usize = 3;

/// How many pages are read at the same time.
const PARALLEL: usize = 8;

/// How many pages are read at the same time as the first.
const AT_ONCE: usize = 16;

/// How the pages after the first are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    InTurn,
    /// In parallel, once the first says how many there are.
    Together,
    /// In parallel with the first, of a list that had this many pages the last time.
    AtOnce(u64),
}

impl Client {
    /// All servers of the account. If there are doubts, missing servers may still exist.
    ///
    /// # Errors
    /// Any `ProviderError`; an incomplete list is an error.
    pub async fn servers(&self) -> Result<Listing<Server>, ProviderError> {
        let convert = |entry: &ApiObject, _, masks: &Masks| convert::listed_server(entry, masks).map(Some);
        let call = self.read(&["servers"], "listing the servers")?;
        self.list(&call, Order::Together, &EntryReader { convert: &convert, fields: false, bytes: SERVERS_BYTES }).await
    }

    /// All servers of the account, each with the provider's own fields.
    ///
    /// # Errors
    /// As `servers`.
    pub async fn server_records(&self) -> Result<Listing<(Server, Fields)>, ProviderError> {
        let convert = |entry: &ApiObject, fields, masks: &Masks| {
            let server = convert::listed_server(entry, masks)?;
            Ok(Some((server, Fields::new(fields, masks))))
        };
        let call = self.read(&["servers"], "listing the servers")?;
        self.list(&call, Order::Together, &EntryReader { convert: &convert, fields: true, bytes: SERVERS_BYTES }).await
    }

    /// How many entries a list has, from a request for a single one; `None` if the provider does not say.
    pub(crate) async fn count(&self, call: ApiCall) -> Result<Option<u64>, ProviderError> {
        let call = call.with_query("page_size", "1");
        let reader: EntryReader<'_, ()> =
            EntryReader { convert: &|_, _, _| Ok(None), fields: false, bytes: SERVERS_BYTES };
        Ok(self.page(&call, &reader, &MemoryBudget::new(SERVERS_BYTES)).await?.count)
    }

    /// The complete list at `call`.
    pub(crate) async fn list<T: Send>(
        &self,
        call: &ApiCall,
        order: Order,
        reader: &EntryReader<'_, T>,
    ) -> Result<Listing<T>, ProviderError> {
        self.within_limit(call, self.list_steadily(call, order, reader)).await
    }

    /// The result of `reading`, unless it takes longer than a list may.
    pub(crate) async fn within_limit<T>(
        &self,
        call: &ApiCall,
        reading: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        match tokio::time::timeout(WHOLE, reading).await {
            Ok(read) => read,
            Err(_) => {
                let text = format!("it was not read within {} minutes", WHOLE.as_secs() / 60);
                Err(call.failed(ErrorKind::Unsteady(text)))
            }
        }
    }

    /// The list at `call`, read only once, with the pages that it had the last time all at once; and whether it was steady
    /// meanwhile. What changed is a doubt, no error: enough to see what is there, but never to delete by.
    ///
    /// # Errors
    /// As `list`.
    pub(crate) async fn glance<T: Send>(
        &self,
        call: &ApiCall,
        pages: u64,
        reader: &EntryReader<'_, T>,
    ) -> Result<(Listing<T>, bool), ProviderError> {
        let link = self.link();
        let mut reading = self.within_limit(call, self.list_once(call, Order::AtOnce(pages), reader)).await?;
        if !Arc::ptr_eq(&link, &self.link()) {
            reading.change("the token or the URL was replaced while it was read");
        }
        let is_steady = reading.check().is_ok();
        let mut listing = reading.listing();
        if !is_steady {
            listing.doubts.push("the list changed while it was read".to_owned());
        }
        Ok((listing, is_steady))
    }

    async fn list_steadily<T: Send>(
        &self,
        call: &ApiCall,
        mut order: Order,
        reader: &EntryReader<'_, T>,
    ) -> Result<Listing<T>, ProviderError> {
        for reading in 1.. {
            let link = self.link();
            let mut outcome = self.list_once(call, order, reader).await?;
            if !Arc::ptr_eq(&link, &self.link()) {
                outcome.change("the token or the URL was replaced while it was read");
            }
            let Err(unsteady) = outcome.check() else { return Ok(outcome.listing()) };
            if reading == READINGS {
                return match unsteady {
                    // Some entries are repeated, but none is missing: good enough to show, but never to delete by.
                    Unsteady::Twice => Ok(outcome.listing()),
                    Unsteady::Count { got, count } => Err(call.failed(ErrorKind::Incomplete { got, count })),
                    Unsteady::Changed(what) => Err(call.failed(ErrorKind::Unsteady(what))),
                };
            }
            drop(outcome);
            order = Order::InTurn;
            tokio::time::sleep(retry::PAUSES[reading - 1]).await;
        }
        unreachable!("the last reading returns")
    }

    async fn list_once<T: Send>(
        &self,
        call: &ApiCall,
        order: Order,
        reader: &EntryReader<'_, T>,
    ) -> Result<Reading<T>, ProviderError> {
        let read_at = self.now();
        let first_call = call.page(None, LIST_BYTES);
        let memory = MemoryBudget::new(reader.bytes);
        let known_pages = if let Order::AtOnce(pages) = order { pages } else { 1 };
        let early = self.pages(call, 2..=known_pages, reader, &memory).buffered(AT_ONCE).collect();
        let (first, early): (_, Vec<_>) = tokio::join!(self.page(&first_call, reader, &memory), early);
        let first = first?;
        if let Some(count) = first.count.filter(|count| *count > MOST_ENTRIES as u64) {
            let text = format!("it counts {count} entries, and lists with more than {MOST_ENTRIES} are not read");
            return Err(call.failed(ErrorKind::Excess(text)));
        }
        let size = first.entries as u64;
        let numbered = matches!(&first.next, NextPage::At(next) if is_page_two(&first_call.url, next));
        let pages = first.count.filter(|_| size > 0).map(|count| count.div_ceil(size));
        let (next, is_small) = (first.next.clone(), first.bytes <= PAGE_BYTES / 2);
        let mut reading = Reading::new(read_at, first, memory);
        match pages {
            Some(pages) if order != Order::InTurn && numbered && is_small && pages >= 2 => {
                self.rest_together(call, (pages, early), reader, &mut reading).await?;
            }
            _ => self.rest_in_turn(call, (next, first_call.url), reader, &mut reading).await?,
        }
        Ok(reading)
    }

    /// Reads the pages with these numbers, each when it is polled.
    fn pages<T: Send>(
        &self,
        call: &ApiCall,
        numbers: std::ops::RangeInclusive<u64>,
        reader: &EntryReader<'_, T>,
        memory: &MemoryBudget,
    ) -> impl futures_util::Stream<Item = impl Future<Output = Result<ListPage<T>, ProviderError>>> {
        let calls = stream::iter(numbers).map(|number| call.page(Some(number), PAGE_BYTES));
        calls.map(async move |call| self.page(&call, reader, memory).await)
    }

    /// Adds the pages after the first, the `early` ones of which were read already.
    async fn rest_together<T: Send>(
        &self,
        call: &ApiCall,
        (pages, early): (u64, Vec<Result<ListPage<T>, ProviderError>>),
        reader: &EntryReader<'_, T>,
        reading: &mut Reading<T>,
    ) -> Result<(), ProviderError> {
        let memory = reading.memory.clone();
        let rest = self.pages(call, 2 + early.len() as u64..=pages, reader, &memory).buffered(PARALLEL);
        let mut reads = std::pin::pin!(stream::iter(early).chain(rest));
        for number in 2..=pages {
            let page = match reads.try_next().await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                // The list has become shorter since its first page.
                Err(error) if error.status() == Some(404) => {
                    reading.change("a page that was announced is gone");
                    break;
                }
                Err(error) => return Err(error),
            };
            if number == pages && page.next != NextPage::None {
                reading.change("it has more pages than its count says");
            }
            if reading.add_page(page) == ReadMore::No {
                break;
            }
        }
        Ok(())
    }

    async fn rest_in_turn<T: Send>(
        &self,
        call: &ApiCall,
        (mut next, mut at): (NextPage, Url),
        reader: &EntryReader<'_, T>,
        reading: &mut Reading<T>,
    ) -> Result<(), ProviderError> {
        let mut seen = HashSet::from([at.clone()]);
        while next != NextPage::None && reading.may_have_more() {
            let url = follow(&at, &next).unwrap_or_else(|| call.page(Some(reading.pages + 1), LIST_BYTES).url);
            if !seen.insert(url.clone()) {
                return Err(call.failed(ErrorKind::Unsteady("its pages form a loop".to_owned())));
            }
            let here = ApiCall { url: url.clone(), most_bytes: LIST_BYTES, ..call.clone() };
            let page = match self.page(&here, reader, &reading.memory).await {
                Ok(page) => page,
                Err(error) if error.status() == Some(404) => {
                    reading.change("a page that was announced is gone");
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            next = page.next.clone();
            if reading.add_page(page) == ReadMore::No {
                return Ok(());
            }
            at = url;
        }
        Ok(())
    }

    async fn page<T: Send>(
        &self,
        call: &ApiCall,
        reader: &EntryReader<'_, T>,
        memory: &MemoryBudget,
    ) -> Result<ListPage<T>, ProviderError> {
        self.attempt(call, None, |answer| {
            let mut page =
                ListPage::read(&answer.body, reader, &self.link().masks, memory).map_err(|unread| match unread {
                    PageError::NotUnderstood(what) => self.not_understood(&answer, &what),
                    PageError::Excess(what) => ErrorKind::Excess(what),
                })?;
            page.provider_time = retry::date(&answer.headers);
            Ok(page)
        })
        .await
    }
}

impl ApiCall {
    /// A call for one page of the list. The first is requested without a number, because unpaged lists know none.
    fn page(&self, number: Option<u64>, most_bytes: usize) -> Self {
        let call = Self { most_bytes, ..self.clone() }.with_query("page_size", &PAGE_SIZE.to_string());
        match number {
            Some(number) => call.with_query("page", &number.to_string()),
            None => call,
        }
    }
}

/// The URL of the next page, if it has the same origin and path. It may be relative.
fn follow(at: &Url, next: &NextPage) -> Option<Url> {
    let NextPage::At(text) = next else { return None };
    let mut url = at.join(text.trim()).ok()?;
    url.set_fragment(None);
    let same = url.origin() == at.origin() && url.path() == at.path();
    (same && url.username().is_empty() && url.password().is_none()).then_some(url)
}

/// Whether `next` names the second page by number, so that the others can be requested by number, too.
fn is_page_two(at: &Url, next: &str) -> bool {
    at.join(next.trim()).is_ok_and(|url| url.query_pairs().any(|(key, value)| key == "page" && value == "2"))
}
