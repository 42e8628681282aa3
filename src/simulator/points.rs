//! Creates, deletes and adds restore points, with the provider's limits and refusals.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::account::{Account, PendingChange};
use super::options::PointSpec;
use super::point::{BackupType, Point, PointKind};
use super::random::scramble;
use super::record::{Cause, ChangeKind};

/// A refusal, worded as by the provider.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ApiRefusal {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl ApiRefusal {
    pub(super) fn detail(status: u16, text: impl Into<String>) -> Self {
        Self { status, body: json!({ "detail": text.into() }) }
    }

    pub(super) fn field(field: &str, text: impl Into<String>) -> Self {
        Self { status: 400, body: json!({ field: [text.into()] }) }
    }

    pub(super) fn not_found() -> Self {
        Self::detail(404, "Not found.")
    }
}

/// What happens to a new point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointFate {
    /// It completes.
    #[default]
    Completes,
    /// It stays `in_progress` forever.
    NeverFinishes,
    /// It becomes `failed`.
    Fails,
    /// It disappears.
    Vanishes,
}

/// How a new point differs from the request, by a fault of the provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Altered {
    /// What happens to it.
    pub fate: PointFate,
    /// After how long; `Options::completion` if absent.
    pub after_seconds: Option<f64>,
    /// Another name than requested.
    pub name: Option<String>,
    /// Another description than requested.
    pub description: Option<String>,
    /// The description is cut to this many characters.
    pub truncate: Option<usize>,
    /// A first status other than `in_progress`.
    pub status: Option<String>,
    /// How far in the future (or past) it claims to be created.
    pub created_in_seconds: i64,
    /// Its size once completed.
    pub size_mb: Option<u64>,
    /// How long it is missing from lists; `Options::list_lag` if absent.
    pub list_lag_seconds: Option<f64>,
}

/// A request to create a point.
#[derive(Clone, Debug)]
pub(super) struct NewPoint {
    pub(super) kind: PointKind,
    pub(super) server: usize,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) altered: Altered,
}

impl Account {
    /// Creates a point as the API does, or refuses.
    pub(super) fn create(&mut self, now: Timestamp, new: NewPoint, cause: Cause) -> Result<Point, ApiRefusal> {
        let NewPoint { kind, server, name, description, altered } = new;
        if self.servers[server].status == "restoring" {
            return Err(ApiRefusal::detail(400, "The server is being restored."));
        }
        let (used, limit) = (self.used_on(kind, server), self.options.slots(kind));
        if used >= limit {
            let word = if kind == PointKind::Backup { "Backup" } else { "Snapshot" };
            let text = format!("{word} limit reached ({used} of {limit}). Delete an existing one first.");
            return Err(ApiRefusal::detail(400, text));
        }
        let description = altered.description.clone().unwrap_or(description);
        let truncate = altered.truncate.or(self.options.truncate_description).unwrap_or(usize::MAX);
        let lag = seconds(altered.list_lag_seconds).unwrap_or(self.options.list_lag);
        let created_at = later(self.shown(now), SignedDuration::from_secs(altered.created_in_seconds));
        let point = Point {
            kind,
            id: 0,
            server,
            backup_type: BackupType::Manual,
            name: altered.name.clone().unwrap_or(name),
            description: description.chars().take(truncate).collect(),
            status: altered.status.clone().unwrap_or_else(|| "in_progress".to_owned()),
            size_mb: None,
            created_at,
            expires_at: None,
            listed: lag.is_zero(),
            deleting: false,
            final_size_mb: altered.size_mb.unwrap_or(0),
            serial: 0,
        };
        let mut point = self.insert(now, point, cause);
        if altered.size_mb == Some(0) {
            point = self.make_empty(&point);
        }
        if !lag.is_zero() {
            self.schedule(now + lag, PendingChange::Listed { kind, id: point.id, serial: point.serial });
        }
        self.schedule_fate(now, &point, altered.fate, seconds(altered.after_seconds));
        Ok(point)
    }

    fn make_empty(&mut self, point: &Point) -> Point {
        let stored = self.tables[point.kind as usize].points.get_mut(&point.id).expect("it was just put there");
        stored.final_size_mb = 0;
        stored.clone()
    }

    fn schedule_fate(&mut self, now: Timestamp, point: &Point, fate: PointFate, after: Option<Duration>) {
        let (kind, id, serial) = (point.kind, point.id, point.serial);
        let spread = self.options.completion_spread.as_secs_f64() * ((scramble(serial) % 1_000) as f64 / 1_000.0);
        let after = after.unwrap_or(self.options.completion + Duration::from_secs_f64(spread));
        let due = match fate {
            PointFate::Completes => PendingChange::Completed { kind, id, serial },
            PointFate::Fails => PendingChange::Failed { kind, id, serial },
            PointFate::Vanishes => PendingChange::Vanished { kind, id, serial },
            PointFate::NeverFinishes => return,
        };
        self.schedule(now + after, due);
        self.advance_to(now);
    }

    /// Accepts the delete of a point.
    pub(super) fn delete(&mut self, now: Timestamp, which: (PointKind, i64), cause: Cause) -> Result<(), ApiRefusal> {
        let (linger, word) = (self.options.delete, self.options.deleting_word.clone());
        let (kind, id) = which;
        let point = self.tables[kind as usize].points.get_mut(&id).filter(|point| !point.deleting);
        let point = point.ok_or_else(ApiRefusal::not_found)?;
        // The record shows the point as it was when it was deleted.
        let before = point.clone();
        point.deleting = true;
        if let Some(word) = word {
            point.status = word;
        }
        self.record_point(now, ChangeKind::PointDeleted, &before, cause);
        self.schedule(now + linger, PendingChange::Gone { kind, id, serial: before.serial });
        self.advance_to(now);
        Ok(())
    }

    /// Adds points, ignoring the limits: at the start, or as a person. Returns them.
    pub(super) fn add_points(&mut self, now: Timestamp, spec: &PointSpec) -> Vec<Point> {
        let indices: Vec<usize> = match &spec.server {
            None => (0..self.servers.len()).filter(|index| !self.servers[*index].removed).collect(),
            Some(word) => self.find_server(&word_of(word)).into_iter().collect(),
        };
        indices.into_iter().map(|index| self.add_point_to(now, index, spec)).collect()
    }

    fn add_point_to(&mut self, now: Timestamp, server: usize, spec: &PointSpec) -> Point {
        let status = spec.status.clone().unwrap_or_else(|| "completed".to_owned());
        let moment = spec.created_at.unwrap_or_else(|| self.shown(now));
        let created_at = later(moment, SignedDuration::from_secs(-spec.age_seconds));
        let backup_type = spec.backup_type.unwrap_or(BackupType::Manual);
        let automatic = backup_type == BackupType::Automatic;
        let name = match spec.kind {
            PointKind::Backup => String::new(),
            PointKind::Snapshot => spec.name.clone().unwrap_or_else(|| "before-upgrade".to_owned()),
        };
        let point = Point {
            kind: spec.kind,
            id: 0,
            server,
            backup_type,
            name,
            description: spec.description.clone(),
            size_mb: spec.size_mb.filter(|_| status == "completed"),
            created_at,
            expires_at: automatic.then(|| later(created_at, SignedDuration::from_hours(30 * 24))),
            listed: true,
            deleting: false,
            final_size_mb: spec.size_mb.unwrap_or(0),
            serial: 0,
            status,
        };
        let point = self.insert(now, point, if automatic { Cause::PROVIDER } else { Cause::PERSON });
        if point.status == "in_progress" {
            self.schedule_fate(now, &point, PointFate::Completes, None);
        }
        if let Some(at) = point.expires_at {
            self.schedule(at, PendingChange::Gone { kind: point.kind, id: point.id, serial: point.serial });
        }
        point
    }

    /// Adds the plan's automatic backups: one a day at 3 a.m.
    pub(super) fn add_automatic_backups(&mut self, now: Timestamp) {
        let day = 24 * 3600;
        let three = (now.as_second() - 3 * 3600).div_euclid(day) * day + 3 * 3600;
        for back in (0..i64::from(self.options.automatic_backups)).rev() {
            let spec = PointSpec {
                backup_type: Some(BackupType::Automatic),
                server: None,
                description: "Automatic daily backup".to_owned(),
                created_at: Timestamp::from_second(three - back * day).ok(),
                ..PointSpec::aged(PointKind::Backup, "", 0)
            };
            self.add_points(now, &spec);
        }
    }

    /// The true id for an id as clients write it, if it is well-formed.
    pub(super) fn true_id(&self, text: &str) -> Option<i64> {
        if !self.options.uuid_points {
            return text.parse().ok();
        }
        let digits = text.strip_prefix(POINT_UUID)?;
        if digits.len() == 12 { digits.parse().ok() } else { None }
    }

    /// The id as clients see it.
    pub(super) fn shown_id(&self, point: &Point) -> Value {
        if self.options.uuid_points { json!(format!("{POINT_UUID}{:012}", point.id)) } else { json!(point.id) }
    }
}

const POINT_UUID: &str = "b7d1e0aa-52c4-4f0e-9a31-";

/// The text of a key that may be a JSON number or a string.
pub(super) fn word_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The moment, moved by `by`; unchanged at the end of the calendar.
pub(super) fn later(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.checked_add(by).unwrap_or(moment)
}

/// A number of seconds as a duration; `None` if invalid.
pub(super) fn seconds(number: Option<f64>) -> Option<Duration> {
    Duration::try_from_secs_f64(number?).ok()
}
