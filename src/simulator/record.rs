//! The record that tests check rules against: every request with its answer, and every change of the account with its
//! cause, in order. Entries never change, except that a request's answer is filled in later. Contains no tokens.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::point::{Point, PointKind};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Counts up from 1 without gaps.
    pub seq: u64,
    /// The simulator's time, without skew.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// A request or a change.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A request came in.
    Request(Request),
    /// The account changed.
    Change(AccountChange),
}

/// A request and its result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Request {
    /// `GET` and so on.
    pub method: String,
    /// The path below the base: `/backups/501/`.
    pub path: String,
    /// As sent, without the question mark.
    pub query: String,
    /// The JSON that was sent, or null.
    pub body: Value,
    /// The name of the server that it concerns, if any.
    pub server: Option<String>,
    /// The names of the fault rules that applied.
    pub faults: Vec<String>,
    /// Whether the request reached the account, which may have refused it.
    pub carried_out: bool,
    /// The status of the account's answer, no matter what the client saw.
    pub account_status: Option<u16>,
    /// The status sent to the client; `None` when no answer was sent.
    pub status: Option<u16>,
}

/// Who caused a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A client of the API.
    Client,
    /// A person, through the control endpoint or a `meanwhile` rule.
    Person,
    /// The provider: time passing, or a fault.
    Provider,
}

/// Who caused a change, and by which request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Who.
    pub by: By,
    /// The request's `seq`.
    pub request: Option<u64>,
}

impl Cause {
    /// Time passing, or a fault.
    pub const PROVIDER: Self = Self { by: By::Provider, request: None };
    /// A person.
    pub const PERSON: Self = Self { by: By::Person, request: None };

    /// A request of the API.
    #[must_use]
    pub const fn client(request: u64) -> Self {
        Self { by: By::Client, request: Some(request) }
    }
}

/// The kinds of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A point was created.
    PointCreated,
    /// A point became `completed`.
    PointCompleted,
    /// A point became `failed`.
    PointFailed,
    /// A delete was accepted; the point may still be listed.
    PointDeleted,
    /// A deleted or expired point left the account, and its slot is free.
    PointGone,
    /// A point disappeared by itself.
    PointVanished,
    /// A person changed a point's text or status.
    PointEdited,
    /// A server's status changed: `detail` is `{"from", "to"}`.
    ServerStatus,
    /// A restore began; `point` is its source.
    RestoreStarted,
    /// A server was added, removed or renamed; `detail` says which.
    ServerChanged,
}

/// A change of the account.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccountChange {
    /// What changed.
    pub change: ChangeKind,
    /// The server's name (or hostname).
    pub server: String,
    /// Backup or snapshot, when a point changed.
    pub kind: Option<PointKind>,
    /// The point's id as clients see it.
    pub id: Option<Value>,
    /// The point right after the change, or right before it if it was removed.
    pub point: Option<Point>,
    /// The slots taken on the server for that kind after the change.
    pub used: Option<usize>,
    /// Who caused it.
    pub by: By,
    /// The `seq` of the request that caused it.
    pub request: Option<u64>,
    /// Further details, or null.
    pub detail: Value,
}

/// The entries so far.
#[derive(Clone, Debug, Default)]
pub struct Record {
    entries: Vec<Entry>,
    taken: u64,
}

impl Record {
    /// Appends and returns the number of the entry.
    pub(super) fn push(&mut self, at: Timestamp, what: What) -> u64 {
        let seq = self.last() + 1;
        self.entries.push(Entry { seq, at, what });
        seq
    }

    /// The number of the newest entry.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.taken + self.entries.len() as u64
    }

    /// The entries that have not been taken.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The requests among the entries.
    pub fn requests(&self) -> impl Iterator<Item = &Request> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            What::Request(request) => Some(request),
            What::Change(_) => None,
        })
    }

    /// The changes among the entries.
    pub fn changes(&self) -> impl Iterator<Item = &AccountChange> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            What::Change(change) => Some(change),
            What::Request(_) => None,
        })
    }

    /// Takes all entries; numbering continues. Keeps the memory of a long simulation small.
    pub(super) fn take(&mut self) -> Vec<Entry> {
        self.taken = self.last();
        std::mem::take(&mut self.entries)
    }

    /// The request with that number, if it is still here.
    pub(super) fn request_mut(&mut self, seq: u64) -> Option<&mut Request> {
        let index = usize::try_from(seq.checked_sub(self.taken + 1)?).ok()?;
        match &mut self.entries.get_mut(index)?.what {
            What::Request(request) => Some(request),
            What::Change(_) => None,
        }
    }
}
