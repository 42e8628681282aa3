//! How a simulated provider behaves: its servers, limits, speeds and oddities. Everything has a default that
//! follows the documented API; every field can be given as JSON (durations in seconds).

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::point::{BackupType, Kind};

/// How a simulated provider behaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The account's servers at the start.
    pub servers: Vec<ServerSpec>,
    /// Points that exist at the start, made by strangers.
    pub foreign: Vec<PointSpec>,
    /// How many automatic backups each server has at the start, one a day, each kept for 30 days.
    pub automatic_backups: u32,
    /// The only token that is good; `None` takes every one that begins with `vps_`.
    pub token: Option<String>,
    /// What the token may do: `servers:read` allows no writing.
    pub permissions: Vec<String>,
    /// How many manual backups a server may have.
    pub backup_slots: usize,
    /// How many snapshots a server may have.
    pub snapshot_slots: usize,
    /// How long a new point is `in_progress`.
    #[serde(with = "seconds")]
    pub completion: Duration,
    /// Up to this much is added to `completion`, fixed for each point.
    #[serde(with = "seconds")]
    pub completion_spread: Duration,
    /// How long a start or a stop takes.
    #[serde(with = "seconds")]
    pub power: Duration,
    /// When not zero: how long a stop takes in place of `power`. The server shows `active` until it is `stopped`.
    #[serde(with = "seconds")]
    pub slow_shutdown: Duration,
    /// A start that is sent while the server shuts down is accepted and has no effect.
    pub start_ignored_while_stopping: bool,
    /// How long a server is `restoring`.
    #[serde(with = "seconds")]
    pub restore: Duration,
    /// How long a deleted point stays in the list and keeps its slot.
    #[serde(with = "seconds")]
    pub delete: Duration,
    /// The status of a point that is being deleted; `None` leaves the one it had.
    pub deleting_word: Option<String>,
    /// How long a new point is missing from the lists.
    #[serde(with = "seconds")]
    pub list_lag: Duration,
    /// How long every answer takes.
    #[serde(with = "seconds")]
    pub latency: Duration,
    /// Lists come in pages, as the provider's own clients expect; else whole, as documented.
    pub paged: bool,
    /// Items of a page when the query names no `page_size`.
    pub page_size: usize,
    /// The largest `page_size` that is respected.
    pub max_page_size: usize,
    /// The scheme and host of `next` and `previous`, when they are wrong: `https://backend.internal:8000`.
    pub next_origin: Option<String>,
    /// `server_id` and `backup_type` are ignored in lists.
    pub ignore_filters: bool,
    /// Lists are in no order at all (the same one each time).
    pub unordered: bool,
    /// Descriptions are cut to this many characters.
    pub truncate_description: Option<usize>,
    /// Times carry microseconds and an offset.
    pub fractions: bool,
    /// Objects carry undocumented fields.
    pub extra_fields: bool,
    /// What a point's `server` looks like.
    pub server_reference: ServerReference,
    /// Points have uuids in place of integer ids.
    pub uuid_points: bool,
    /// A new point takes the id of one that is gone.
    pub reuse_ids: bool,
    /// More requests than this in a second are answered 429.
    pub requests_per_second: Option<f64>,
    /// The `Retry-After` of those answers.
    pub retry_after: Option<RetryAfter>,
    /// How far the provider's clock (`Date`, `created_at`) is ahead, in seconds.
    pub clock_skew_seconds: i64,
    /// The seed of everything random.
    pub seed: u64,
    /// Requests that change nothing are recorded too. A long simulation may not want them.
    pub record_reads: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            servers: ServerSpec::numbered(3, Style::Integer),
            foreign: Vec::new(),
            automatic_backups: 0,
            token: None,
            permissions: vec!["servers:*".to_owned()],
            backup_slots: 10,
            snapshot_slots: 5,
            completion: Duration::from_secs(2),
            completion_spread: Duration::ZERO,
            power: Duration::from_secs(1),
            slow_shutdown: Duration::ZERO,
            start_ignored_while_stopping: false,
            restore: Duration::from_secs(3),
            delete: Duration::ZERO,
            deleting_word: None,
            list_lag: Duration::ZERO,
            latency: Duration::ZERO,
            paged: false,
            page_size: 20,
            max_page_size: 100,
            next_origin: None,
            ignore_filters: false,
            unordered: false,
            truncate_description: None,
            fractions: false,
            extra_fields: false,
            server_reference: ServerReference::AsListed,
            uuid_points: false,
            reuse_ids: false,
            requests_per_second: None,
            retry_after: Some(RetryAfter::Seconds(1)),
            clock_skew_seconds: 0,
            seed: 1,
            record_reads: true,
        }
    }
}

impl Options {
    /// The defaults with `count` servers, `web-server-01` and on.
    #[must_use]
    pub fn with_servers(count: usize, style: Style) -> Self {
        Self { servers: ServerSpec::numbered(count, style), ..Self::default() }
    }

    /// The limit of a kind on one server.
    #[must_use]
    pub fn slots(&self, kind: Kind) -> usize {
        match kind {
            Kind::Backup => self.backup_slots,
            Kind::Snapshot => self.snapshot_slots,
        }
    }
}

/// Which of its two faces the provider shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// `id` and `name`, as documented.
    Integer,
    /// `uuid` and `hostname`, as the provider's own clients expect.
    Uuid,
    /// All four.
    Both,
}

/// What the `server` of a point looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerReference {
    /// With the keys that the server itself has: `{id, name}`, `{uuid, hostname}` or all four.
    AsListed,
    /// `{id, name}`, where a server without an integer id shows its uuid as `id`.
    IdAndName,
    /// The bare id or uuid.
    Bare,
}

/// The form of a `Retry-After` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// As a number of seconds.
    Seconds(u64),
    /// As an HTTP date this many seconds from now.
    Date(u64),
}

/// A server of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSpec {
    /// The integer key.
    pub id: Option<i64>,
    /// The other key.
    pub uuid: Option<String>,
    /// The documented name.
    pub name: Option<String>,
    /// The name that the provider's clients show.
    pub hostname: Option<String>,
    /// `active` when absent.
    pub status: Option<String>,
    /// `Istanbul` when absent.
    pub location: Option<String>,
}

impl ServerSpec {
    /// A server with an integer id and a name.
    #[must_use]
    pub fn named(id: i64, name: &str) -> Self {
        Self { id: Some(id), name: Some(name.to_owned()), ..Self::default() }
    }

    /// `web-server-01`, `web-server-02` and on: ids from 12345, uuids that end in the same number.
    #[must_use]
    pub fn numbered(count: usize, style: Style) -> Vec<Self> {
        (1_i64..)
            .take(count)
            .map(|number| {
                let name = format!("web-server-{number:02}");
                let id = 12_344 + number;
                let documented = style != Style::Uuid;
                let clients = style != Style::Integer;
                Self {
                    id: documented.then_some(id),
                    uuid: clients.then(|| format!("6f1c2a4e-90d3-4b7a-8c55-{id:012}")),
                    name: documented.then(|| name.clone()),
                    hostname: clients.then_some(name),
                    ..Self::default()
                }
            })
            .collect()
    }
}

/// A point that is put into the account, at the start or by a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointSpec {
    /// Backup or snapshot.
    pub kind: Kind,
    /// The server by id, uuid, name or hostname; `null` is every server.
    #[serde(default)]
    pub server: Option<Value>,
    /// A backup's type; `manual` when absent.
    #[serde(default)]
    pub backup_type: Option<BackupType>,
    /// A snapshot's name.
    #[serde(default)]
    pub name: Option<String>,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// `completed` when absent; `in_progress` completes after `Options::completion`.
    #[serde(default)]
    pub status: Option<String>,
    /// Now, when absent.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// Taken from `created_at` (or now): an age is often easier to say than a moment. May be negative.
    #[serde(default)]
    pub age_seconds: i64,
    /// Made up, when absent.
    #[serde(default)]
    pub size_mb: Option<u64>,
}

impl PointSpec {
    /// A completed manual point of that age on a server named by any of its keys.
    #[must_use]
    pub fn aged(kind: Kind, server: &str, age_seconds: i64) -> Self {
        Self {
            kind,
            server: Some(Value::from(server)),
            backup_type: None,
            name: None,
            description: "made by a person".to_owned(),
            status: None,
            created_at: None,
            age_seconds,
            size_mb: None,
        }
    }
}

/// A duration as a number of seconds.
pub(super) mod seconds {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(|error| D::Error::custom(format!("{seconds} seconds: {error}")))
    }
}
