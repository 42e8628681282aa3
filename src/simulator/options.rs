//! How a simulated provider behaves: its servers, limits, speeds and oddities. Every default follows the documented
//! API; every field can be given as JSON (durations in seconds).

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::point::{BackupType, PointKind};

/// How a simulated provider behaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The account's servers at the start.
    pub servers: Vec<ServerSpec>,
    /// Points that exist at the start and are not ours.
    pub foreign: Vec<PointSpec>,
    /// How many automatic backups each server has at the start, one a day, each kept for 30 days.
    pub automatic_backups: u32,
    /// The only valid token; `None` accepts every one that begins with `vps_`.
    pub token: Option<String>,
    /// What the token may do: `servers:read` does not allow writes.
    pub permissions: Vec<String>,
    /// How many manual backups a server may have.
    pub backup_slots: usize,
    /// How many snapshots a server may have.
    pub snapshot_slots: usize,
    /// How long a new point is `in_progress`.
    #[serde(with = "seconds")]
    pub completion: Duration,
    /// Up to this much is added to `completion`, a fixed amount for each point.
    #[serde(with = "seconds")]
    pub completion_spread: Duration,
    /// How long a start or a stop takes.
    #[serde(with = "seconds")]
    pub power: Duration,
    /// If not zero, how long a stop takes instead of `power`. The server shows `active` until it is `stopped`.
    #[serde(with = "seconds")]
    pub slow_shutdown: Duration,
    /// A start sent while the server shuts down is accepted but has no effect.
    pub start_ignored_while_stopping: bool,
    /// How long a server is `restoring`.
    #[serde(with = "seconds")]
    pub restore: Duration,
    /// How long a deleted point stays in the list and keeps its slot.
    #[serde(with = "seconds")]
    pub delete: Duration,
    /// The status of a point being deleted; `None` leaves it unchanged.
    pub deleting_word: Option<String>,
    /// How long a new point is missing from the lists.
    #[serde(with = "seconds")]
    pub list_lag: Duration,
    /// How long every answer takes.
    #[serde(with = "seconds")]
    pub latency: Duration,
    /// Lists are paged, as the provider's own clients expect; otherwise complete, as documented.
    pub paged: bool,
    /// The page size if the query has no `page_size`.
    pub page_size: usize,
    /// The largest `page_size` that is honoured.
    pub max_page_size: usize,
    /// A wrong scheme and host for `next` and `previous`: `https://backend.internal:8000`.
    pub next_origin: Option<String>,
    /// `server_id` and `backup_type` are ignored in lists.
    pub ignore_filters: bool,
    /// Lists are in an arbitrary order, the same each time.
    pub unordered: bool,
    /// Descriptions are cut to this many characters.
    pub truncate_description: Option<usize>,
    /// Times have microseconds and an offset.
    pub fractions: bool,
    /// Objects have undocumented fields.
    pub extra_fields: bool,
    /// What a point's `server` looks like.
    pub server_reference: ServerReference,
    /// Points have uuids instead of integer ids.
    pub uuid_points: bool,
    /// A new point gets the id of one that is gone.
    pub reuse_ids: bool,
    /// More requests than this per second are answered with 429.
    pub requests_per_second: Option<f64>,
    /// The `Retry-After` of those answers.
    pub retry_after: Option<RetryAfter>,
    /// How far the provider's clock (`Date`, `created_at`) is ahead, in seconds.
    pub clock_skew_seconds: i64,
    /// The seed for all randomness.
    pub seed: u64,
    /// Whether reads are recorded, too. A long simulation may not want them.
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
    /// The defaults, with `count` servers from `web-server-01` on.
    #[must_use]
    pub fn with_servers(count: usize, style: Style) -> Self {
        Self { servers: ServerSpec::numbered(count, style), ..Self::default() }
    }

    /// The limit of a kind on one server.
    #[must_use]
    pub fn slots(&self, kind: PointKind) -> usize {
        match kind {
            PointKind::Backup => self.backup_slots,
            PointKind::Snapshot => self.snapshot_slots,
        }
    }
}

/// Which of its two object formats the provider uses.
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

/// The form of the `server` field of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerReference {
    /// The same keys as the server itself: `{id, name}`, `{uuid, hostname}` or all four.
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
    /// The uuid key.
    pub uuid: Option<String>,
    /// The documented name.
    pub name: Option<String>,
    /// The name shown by the provider's own clients.
    pub hostname: Option<String>,
    /// `active` if absent.
    pub status: Option<String>,
    /// `Istanbul` if absent.
    pub location: Option<String>,
}

impl ServerSpec {
    /// A server with an integer id and a name.
    #[must_use]
    pub fn named(id: i64, name: &str) -> Self {
        Self { id: Some(id), name: Some(name.to_owned()), ..Self::default() }
    }

    /// `web-server-01`, `web-server-02` and so on: ids from 12345, uuids that end in the same number.
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

/// A point added to the account, at the start or by a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointSpec {
    /// Backup or snapshot.
    pub kind: PointKind,
    /// The server by id, uuid, name or hostname; `null` means every server.
    #[serde(default)]
    pub server: Option<Value>,
    /// A backup's type; `manual` if absent.
    #[serde(default)]
    pub backup_type: Option<BackupType>,
    /// A snapshot's name.
    #[serde(default)]
    pub name: Option<String>,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// `completed` if absent; `in_progress` completes after `Options::completion`.
    #[serde(default)]
    pub status: Option<String>,
    /// Now, if absent.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// Subtracted from `created_at` (or now). May be negative.
    #[serde(default)]
    pub age_seconds: i64,
    /// Generated if absent.
    #[serde(default)]
    pub size_mb: Option<u64>,
}

impl PointSpec {
    /// A completed manual point of this age on a server given by any key.
    #[must_use]
    pub fn aged(kind: PointKind, server: &str, age_seconds: i64) -> Self {
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

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(|error| D::Error::custom(format!("{seconds} seconds: {error}")))
    }
}
