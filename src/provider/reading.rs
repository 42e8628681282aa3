//! A list while it is read page by page, before it is known to be complete, and the limit on what is kept.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::policy::inventory::PointId;
use crate::provider::api_object::{ApiObject, Element};
use crate::provider::bounded::bytes_of;
use crate::provider::convert;
use crate::provider::listing::{EntryReader, Listing, MOST_ENTRIES};
use crate::provider::page::{self, NextPage, PageError};
use crate::provider::text::Masks;

/// This many unreadable entries are described one by one; the others are only counted.
pub(crate) const MOST_DOUBTS: usize = 5;

/// The memory of an entry besides its texts and its struct: its id in the set of ids seen.
const ENTRY_BYTES: usize = 120;

/// How many more bytes of a list may be kept. Clones share the budget.
#[derive(Clone, Debug)]
pub(crate) struct MemoryBudget(Arc<AtomicUsize>);

impl MemoryBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken.is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Unreadable entries: descriptions of the first ones, and a count of the rest.
#[derive(Debug, Default)]
struct Doubts {
    texts: Vec<String>,
    more: usize,
}

impl Doubts {
    fn add(&mut self, text: impl FnOnce() -> String) {
        if self.texts.len() < MOST_DOUBTS { self.texts.push(text()) } else { self.more += 1 }
    }

    fn append(&mut self, other: Self) {
        other.texts.into_iter().for_each(|text| self.add(|| text));
        self.more += other.more;
    }

    fn into_texts(self) -> Vec<String> {
        let mut texts = self.texts;
        if self.more > 0 {
            texts.push(format!("and {} more that cannot be read", self.more));
        }
        texts
    }
}

/// One page with its entries.
#[derive(Debug)]
pub(crate) struct ListPage<T> {
    pub(crate) count: Option<u64>,
    pub(crate) next: NextPage,
    pub(crate) provider_time: Option<Timestamp>,
    /// The number of its entries.
    pub(crate) entries: usize,
    /// The size of its body.
    pub(crate) bytes: usize,
    items: Vec<T>,
    /// The id of each of `items`.
    ids: Vec<PointId>,
    /// The ids of unreadable and unwanted entries.
    others: Vec<PointId>,
    /// Entries that are not objects or have no id.
    nameless: u64,
    doubts: Doubts,
}

impl<T> ListPage<T> {
    /// Reads the page.
    pub(crate) fn read(
        body: &[u8],
        reader: &EntryReader<'_, T>,
        masks: &Masks,
        memory: &MemoryBudget,
    ) -> Result<Self, PageError> {
        let mut page = Self {
            count: None,
            next: NextPage::None,
            provider_time: None,
            entries: 0,
            bytes: body.len(),
            items: Vec::new(),
            ids: Vec::new(),
            others: Vec::new(),
            nameless: 0,
            doubts: Doubts::default(),
        };
        let mut taken = 0;
        let head = page::read(body, reader.fields, &mut |element| {
            page.entries += 1;
            if page.entries > MOST_ENTRIES {
                return Err(format!("it has more than {MOST_ENTRIES} entries"));
            }
            let bytes = element.as_ref().map_or(0, |(entry, fields)| weight::<T>(entry, fields));
            if !memory.take(bytes) {
                return Err(format!("its entries take more than {} MB", reader.bytes / (1024 * 1024)));
            }
            taken += bytes;
            page.add(element, reader, masks);
            Ok(())
        });
        match head {
            Ok(head) => Ok(Self { count: head.count, next: head.next, ..page }),
            Err(unread) => {
                memory.give_back(taken);
                Err(unread)
            }
        }
    }

    fn add(&mut self, element: Element, reader: &EntryReader<'_, T>, masks: &Masks) {
        let Some((entry, fields)) = element else {
            self.nameless += 1;
            return;
        };
        let id = convert::point_id(&entry, masks);
        match (id, (reader.convert)(&entry, fields, masks)) {
            (Some(id), Ok(Some(item))) => {
                self.items.push(item);
                self.ids.push(id);
            }
            (Some(id), Ok(None)) => self.others.push(id),
            (Some(id), Err(why)) => {
                self.others.push(id);
                self.doubts.add(|| masks.tidy(&why));
            }
            (None, read) => {
                self.nameless += 1;
                let why = read.err().unwrap_or_else(|| "an entry has no readable id".to_owned());
                self.doubts.add(|| masks.tidy(&why));
            }
        }
    }
}

/// How much memory an entry takes.
fn weight<T>(entry: &ApiObject, fields: &Map<String, Value>) -> usize {
    size_of::<T>() + ENTRY_BYTES + entry.bytes() * 3 / 2 + bytes_of(fields)
}

/// Whether there may be more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadMore {
    Yes,
    No,
}

/// The part of a list read so far.
pub(crate) struct Reading<T> {
    pub(crate) pages: u64,
    /// How much more may be kept.
    pub(crate) memory: MemoryBudget,
    read_at: Timestamp,
    provider_time: Option<Timestamp>,
    count: Option<u64>,
    items: Vec<T>,
    ids: HashSet<PointId>,
    nameless: u64,
    twice: u64,
    changed: Option<String>,
    doubts: Doubts,
}

/// Why a list must be read again.
pub(crate) enum Unsteady {
    Twice,
    Count { got: u64, count: u64 },
    Changed(String),
}

impl<T> Reading<T> {
    /// Starts with the first page.
    pub(crate) fn new(read_at: Timestamp, first: ListPage<T>, memory: MemoryBudget) -> Self {
        let mut reading = Self {
            pages: 0,
            memory,
            read_at,
            provider_time: first.provider_time,
            count: first.count,
            items: Vec::new(),
            ids: HashSet::new(),
            nameless: 0,
            twice: 0,
            changed: None,
            doubts: Doubts::default(),
        };
        reading.add_page(first);
        reading
    }

    /// Records that the list changed while it was read.
    pub(crate) fn change(&mut self, what: &str) {
        self.changed = Some(what.to_owned());
    }

    /// Whether the list may have more entries than were read.
    pub(crate) fn may_have_more(&self) -> bool {
        self.count.is_none_or(|count| self.entries() + self.twice <= count)
    }

    /// The entries so far, each once.
    fn entries(&self) -> u64 {
        self.ids.len() as u64 + self.nameless
    }

    /// Adds a page. Reading stops when a page brings nothing new or there are more entries than the list counts,
    /// because such a list may never end.
    pub(crate) fn add_page(&mut self, page: ListPage<T>) -> ReadMore {
        self.pages += 1;
        if let (Some(now), Some(before)) = (page.count, self.count)
            && now != before
        {
            self.change("its count changed from page to page");
        }
        let before = self.entries();
        self.nameless += page.nameless;
        self.doubts.append(page.doubts);
        for id in page.others {
            self.twice += u64::from(!self.ids.insert(id));
        }
        let (mut items, mut ids) = (page.items, page.ids.into_iter());
        items.retain(|_| {
            let is_new = ids.next().is_some_and(|id| self.ids.insert(id));
            self.twice += u64::from(!is_new);
            is_new
        });
        // Avoids copying a list in one page.
        if self.items.is_empty() {
            self.items = items
        } else {
            self.items.append(&mut items)
        }
        if page.entries == 0 {
            // A page without entries ends the list, whatever `next` says. The count decides whether it is complete.
            return ReadMore::No;
        }
        if self.entries() == before {
            self.change("one of its pages brought nothing new");
            return ReadMore::No;
        }
        if self.may_have_more() { ReadMore::Yes } else { ReadMore::No }
    }

    /// Checks that it is complete and each entry came once.
    pub(crate) fn check(&self) -> Result<(), Unsteady> {
        let got = self.entries();
        if let Some(count) = self.count.filter(|count| *count != got) {
            return Err(Unsteady::Count { got, count });
        }
        if let Some(what) = &self.changed {
            return Err(Unsteady::Changed(what.clone()));
        }
        if self.twice > 0 { Err(Unsteady::Twice) } else { Ok(()) }
    }

    pub(crate) fn listing(self) -> Listing<T> {
        let entries = self.entries();
        let mut doubts = Vec::new();
        if self.count.is_none() {
            doubts.push("the list has no count, so nothing shows that it is complete".to_owned());
        }
        if self.nameless > 0 {
            doubts.push(format!("{} entries of the list have no id", self.nameless));
        }
        if self.twice > 0 {
            doubts.push(format!("{} entries of the list came twice", self.twice));
        }
        doubts.extend(self.doubts.into_texts());
        let Self { items, read_at, provider_time, pages, .. } = self;
        Listing { items, doubts, read_at, provider_time, pages, entries }
    }
}
