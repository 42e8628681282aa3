//! A list is read whole or not at all: every page, `count` agreeing, each id once.
//!
//! `next` is followed only to the same origin and path; with another, the list is read on by page number. A list that
//! changes while it is read is read again, three times at most.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use crate::policy::inventory::Server;
use crate::provider::client::{Call, Client};
use crate::provider::convert;
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::retry;
use crate::provider::wire::{self, Fields, Next, Page};

/// The most entries that the provider gives on a page.
pub(crate) const PAGE_SIZE: u64 = 100;

/// A list with more pages than this is taken for one that never ends.
const MOST_PAGES: u64 = 10_000;

/// Entries that cannot be read are named one by one up to here.
const MOST_DOUBTS: usize = 5;

/// How often a list that changes is read.
const READINGS: usize = 3;

/// Pages that are read at the same time.
const PARALLEL: usize = 8;

/// A whole list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing<T> {
    /// The entries, each once, in the provider's order.
    pub items: Vec<T>,
    /// What could not be proved or read, in words. Empty when all is well.
    pub doubts: Vec<String>,
    /// When the list was asked for, by our clock.
    pub read_at: Timestamp,
    /// The provider's own time (`Date` of the first page), where it gave one.
    pub provider_time: Option<Timestamp>,
    /// In how many pages it came.
    pub pages: u64,
}

/// Whether the pages after the first are read one after the other or together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    InTurn,
    Together,
}

impl Client {
    /// All servers of the account. With doubts, nothing is known of the servers that it lacks.
    ///
    /// # Errors
    /// Any `ProviderError`; a list that is not whole is an error.
    pub async fn servers(&self) -> Result<Listing<Server>, ProviderError> {
        Ok(self.server_records().await?.map(|(server, _)| server))
    }

    /// All servers of the account, each with the provider's own fields.
    ///
    /// # Errors
    /// As `servers`.
    pub async fn server_records(&self) -> Result<Listing<(Server, Fields)>, ProviderError> {
        let call = self.read(&["servers"], "listing the servers")?;
        let listing = self.list(&call, Order::Together).await?;
        Ok(listing.read(|fields| match convert::listed_server(&fields) {
            Ok(server) => Ok((server, fields)),
            Err(why) => Err(self.tidy(&why)),
        }))
    }

    /// How many entries a list has, by one request for a single one; `None` when the provider does not say.
    pub(crate) async fn count(&self, call: Call) -> Result<Option<u64>, ProviderError> {
        let call = call.with_query("page_size", "1");
        Ok(self.page(&call).await?.0.count)
    }

    /// The whole list at `call`.
    pub(crate) async fn list(&self, call: &Call, mut order: Order) -> Result<Listing<Fields>, ProviderError> {
        let mut reading = 0;
        loop {
            let outcome = self.list_once(call, order).await?;
            reading += 1;
            let Err(unsteady) = outcome.check() else { return Ok(outcome.listing()) };
            if reading == READINGS {
                return match unsteady {
                    // The same entries twice, and none missing: what there is is known, but no delete trusts it.
                    Unsteady::Twice => Ok(outcome.listing()),
                    Unsteady::Count { got, count } => Err(call.failed(ErrorKind::Incomplete { got, count })),
                    Unsteady::Changed(what) => Err(call.failed(ErrorKind::Unsteady(what))),
                };
            }
            order = Order::InTurn;
            tokio::time::sleep(retry::PAUSES[reading - 1]).await;
        }
    }

    async fn list_once(&self, call: &Call, order: Order) -> Result<Reading, ProviderError> {
        let read_at = self.now();
        let first_call = call.page(None);
        let (first, provider_time) = self.page(&first_call).await?;
        let mut reading = Reading::new(read_at, provider_time, first.count);
        let size = first.results.len() as u64;
        let numbered = matches!(&first.next, Next::At(next) if is_page_two(&first_call.url, next));
        let pages = first.count.filter(|_| size > 0).map(|count| count.div_ceil(size));
        let next = first.next;
        reading.take(first.results, first.count);
        match pages {
            Some(pages) if order == Order::Together && numbered && (2..=MOST_PAGES).contains(&pages) => {
                self.rest_together(call, pages, &mut reading).await?;
            }
            _ => self.rest_in_turn(call, next, first_call.url, &mut reading).await?,
        }
        Ok(reading)
    }

    async fn rest_together(&self, call: &Call, pages: u64, reading: &mut Reading) -> Result<(), ProviderError> {
        let calls: Vec<Call> = (2..=pages).map(|number| call.page(Some(number))).collect();
        let reads = stream::iter(calls).map(async |call| self.page(&call).await);
        let answers: Result<Vec<(Page, _)>, ProviderError> = reads.buffered(PARALLEL).try_collect().await;
        let answers = match answers {
            // The list has become shorter than its first page said.
            Err(error) if error.status() == Some(404) => {
                reading.changed = Some("a page that was announced is gone".to_owned());
                return Ok(());
            }
            answers => answers?,
        };
        for (index, (page, _)) in answers.into_iter().enumerate() {
            if index + 2 == usize::try_from(pages).unwrap_or(usize::MAX) && page.next != Next::None {
                reading.changed = Some("there are more pages than its count makes".to_owned());
            }
            reading.take(page.results, page.count);
        }
        Ok(())
    }

    async fn rest_in_turn(
        &self,
        call: &Call,
        mut next: Next,
        mut at: Url,
        reading: &mut Reading,
    ) -> Result<(), ProviderError> {
        let mut seen = HashSet::from([at.clone()]);
        while next != Next::None {
            if reading.pages >= MOST_PAGES {
                return Err(call.failed(ErrorKind::Unsteady(format!("it has more than {MOST_PAGES} pages"))));
            }
            let url = follow(&at, &next).unwrap_or_else(|| call.page(Some(reading.pages + 1)).url);
            if !seen.insert(url.clone()) {
                return Err(call.failed(ErrorKind::Unsteady("its pages lead in a circle".to_owned())));
            }
            let here = Call { url: url.clone(), doing: call.doing.clone(), body: None, method: call.method.clone() };
            let page = match self.page(&here).await {
                Ok((page, _)) => page,
                Err(error) if error.status() == Some(404) => {
                    reading.changed = Some("a page that was announced is gone".to_owned());
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            let empty = page.results.is_empty();
            reading.take(page.results, page.count);
            // A page without entries ends the list, whatever it says; the count decides whether it is whole.
            next = if empty { Next::None } else { page.next };
            at = url;
        }
        Ok(())
    }

    async fn page(&self, call: &Call) -> Result<(Page, Option<Timestamp>), ProviderError> {
        let (value, answer) = self.json(call).await?;
        let page = wire::page(value).map_err(|what| call.failed(self.not_understood(&answer, what)))?;
        Ok((page, retry::date(&answer.headers)))
    }
}

impl Call {
    /// The same list, this page of it. The first is asked for without a number: plain lists know none.
    fn page(&self, number: Option<u64>) -> Self {
        let call = Self { method: self.method.clone(), url: self.url.clone(), doing: self.doing.clone(), body: None }
            .with_query("page_size", &PAGE_SIZE.to_string());
        match number {
            Some(number) => call.with_query("page", &number.to_string()),
            None => call,
        }
    }
}

/// The address of the next page, when it is on the same origin and path; relative ones are.
fn follow(at: &Url, next: &Next) -> Option<Url> {
    let Next::At(text) = next else { return None };
    let mut url = at.join(text.trim()).ok()?;
    url.set_fragment(None);
    let same = url.origin() == at.origin() && url.path() == at.path();
    (same && url.username().is_empty() && url.password().is_none()).then_some(url)
}

/// Whether `next` is the second page by number, so that the others can be asked for by number too.
fn is_page_two(at: &Url, next: &str) -> bool {
    at.join(next.trim()).is_ok_and(|url| url.query_pairs().any(|(key, value)| key == "page" && value == "2"))
}

/// What was read of a list, before it is known to be whole.
struct Reading {
    read_at: Timestamp,
    provider_time: Option<Timestamp>,
    count: Option<u64>,
    items: Vec<Fields>,
    ids: HashSet<String>,
    pages: u64,
    /// Entries that are no objects, or have no id to tell them apart by.
    nameless: u64,
    twice: u64,
    changed: Option<String>,
    doubts: Vec<String>,
}

/// Why a list must be read again.
enum Unsteady {
    Twice,
    Count { got: u64, count: u64 },
    Changed(String),
}

impl Reading {
    fn new(read_at: Timestamp, provider_time: Option<Timestamp>, count: Option<u64>) -> Self {
        let uncounted = "the list gives no count, so nothing shows that it is whole";
        Self {
            read_at,
            provider_time,
            count,
            items: Vec::new(),
            ids: HashSet::new(),
            pages: 0,
            nameless: 0,
            twice: 0,
            changed: None,
            doubts: count.is_none().then(|| uncounted.to_owned()).into_iter().collect(),
        }
    }

    fn take(&mut self, results: Vec<Value>, count: Option<u64>) {
        self.pages += 1;
        if let (Some(now), Some(before)) = (count, self.count)
            && now != before
        {
            self.changed = Some("its count changed from page to page".to_owned());
        }
        for value in results {
            let Value::Object(fields) = value else {
                self.nameless += 1;
                continue;
            };
            let id = wire::id(fields.get("id")).map(|id| format!("{id:?}"));
            match id.or_else(|| wire::text(fields.get("uuid")).map(str::to_owned)) {
                Some(id) => {
                    if self.ids.insert(id) {
                        self.items.push(fields);
                    } else {
                        self.twice += 1;
                    }
                }
                None => {
                    self.nameless += 1;
                    self.items.push(fields);
                }
            }
        }
    }

    fn check(&self) -> Result<(), Unsteady> {
        let got = self.ids.len() as u64 + self.nameless;
        if let Some(count) = self.count.filter(|count| *count != got) {
            return Err(Unsteady::Count { got, count });
        }
        if let Some(what) = &self.changed {
            return Err(Unsteady::Changed(what.clone()));
        }
        if self.twice > 0 { Err(Unsteady::Twice) } else { Ok(()) }
    }

    fn listing(self) -> Listing<Fields> {
        let mut doubts = self.doubts;
        if self.nameless > 0 {
            doubts.push(format!("{} entries of the list have no id", self.nameless));
        }
        if self.twice > 0 {
            doubts.push(format!("{} entries of the list came twice", self.twice));
        }
        let Self { items, read_at, provider_time, pages, .. } = self;
        Listing { items, doubts, read_at, provider_time, pages }
    }
}

impl<T> Listing<T> {
    /// The same list of something else.
    pub(crate) fn map<U>(self, convert: impl FnMut(T) -> U) -> Listing<U> {
        let Self { items, doubts, read_at, provider_time, pages } = self;
        Listing { items: items.into_iter().map(convert).collect(), doubts, read_at, provider_time, pages }
    }

    /// The same list of what its entries mean; those that mean nothing become doubts.
    pub(crate) fn read<U>(self, mut convert: impl FnMut(T) -> Result<U, String>) -> Listing<U> {
        let Self { items, mut doubts, read_at, provider_time, pages } = self;
        let (mut read, mut unread) = (Vec::with_capacity(items.len()), Vec::new());
        for item in items {
            match convert(item) {
                Ok(item) => read.push(item),
                Err(doubt) => unread.push(doubt),
            }
        }
        let more = unread.len().saturating_sub(MOST_DOUBTS);
        unread.truncate(MOST_DOUBTS);
        doubts.append(&mut unread);
        if more > 0 {
            doubts.push(format!("and {more} more that cannot be read"));
        }
        Listing { items: read, doubts, read_at, provider_time, pages }
    }
}
