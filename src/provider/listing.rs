//! A whole list, and how its entries are read.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::provider::api_object::ApiObject;
use crate::provider::text::Masks;

/// The most entries of any list: at 5 requests a second no more can be read within `WHOLE`, 1,500 pages of 100.
pub(crate) const MOST_ENTRIES: usize = 150_000;

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
    /// How many entries it had, those that cannot be read or were not wanted included.
    pub entries: u64,
}

/// What an entry is read as: `None` when it is not wanted, `Err` in words when it cannot be read.
pub(crate) type Convert<'a, T> =
    &'a (dyn Fn(&ApiObject, Map<String, Value>, &Masks) -> Result<Option<T>, String> + Send + Sync);

/// How the entries of a list are read.
pub(crate) struct EntryReader<'a, T> {
    pub(crate) convert: Convert<'a, T>,
    /// Whether all fields are wanted.
    pub(crate) fields: bool,
    /// The most memory of what is kept.
    pub(crate) bytes: usize,
}
