//! A complete list, and how its entries are read.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::provider::api_object::ApiObject;
use crate::provider::text::Masks;

/// The most entries of any list: 1,500 pages of 100, all that 5 requests a second can read within the time limit.
pub(crate) const MOST_ENTRIES: usize = 150_000;

/// A complete list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing<T> {
    /// The entries, each once, in the provider's order.
    pub items: Vec<T>,
    /// What could not be verified or read. Empty if everything was.
    pub doubts: Vec<String>,
    /// When the list was requested, by our clock.
    pub read_at: Timestamp,
    /// The provider's time (`Date` of the first page), if it gave one.
    pub provider_time: Option<Timestamp>,
    /// How many pages it had.
    pub pages: u64,
    /// How many entries it had, including unreadable and unwanted ones.
    pub entries: u64,
}

/// Converts an entry: `None` if it is not wanted, `Err` says why it cannot be read.
pub(crate) type Convert<'a, T> =
    &'a (dyn Fn(&ApiObject, Map<String, Value>, &Masks) -> Result<Option<T>, String> + Send + Sync);

/// How the entries of a list are read.
pub(crate) struct EntryReader<'a, T> {
    pub(crate) convert: Convert<'a, T>,
    /// Whether to keep all fields.
    pub(crate) fields: bool,
    /// The most memory for what is kept, in bytes.
    pub(crate) bytes: usize,
}
