//! The JSON of the provider's answers: field names, times and messages. Written by hand from the provider's
//! documentation, and deliberately not shared with the client.

use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::{Map, Value, json};

use super::account::{Account, ServerState};
use super::options::{ServerReference, ServerSpec};
use super::point::{BackupType, Point, PointKind};

impl Account {
    /// A point as in lists.
    pub(super) fn show_point(&self, point: &Point) -> Value {
        let mut shown = Map::new();
        shown.insert("id".to_owned(), self.shown_id(point));
        shown.insert("server".to_owned(), self.reference(&self.servers[point.server].spec));
        if point.kind == PointKind::Backup {
            let word = if point.backup_type == BackupType::Manual { "manual" } else { "automatic" };
            shown.insert("backup_type".to_owned(), json!(word));
        } else {
            shown.insert("name".to_owned(), json!(point.name));
        }
        shown.insert("status".to_owned(), json!(point.status));
        shown.insert("size_mb".to_owned(), json!(point.size_mb));
        shown.insert("created_at".to_owned(), self.time(point.created_at));
        if point.kind == PointKind::Backup {
            shown.insert("expires_at".to_owned(), point.expires_at.map_or(Value::Null, |at| self.time(at)));
        }
        shown.insert("description".to_owned(), json!(point.description));
        if self.options.extra_fields {
            shown.insert("region".to_owned(), json!({ "code": "ist1", "tier": null }));
            shown.insert("checksum".to_owned(), Value::Null);
        }
        Value::Object(shown)
    }

    /// The `server` field of a point.
    pub(super) fn reference(&self, spec: &ServerSpec) -> Value {
        let id = spec.id.map(Value::from);
        let key = || id.clone().or_else(|| spec.uuid.clone().map(Value::from)).unwrap_or_default();
        match self.options.server_reference {
            ServerReference::Bare => key(),
            ServerReference::IdAndName => json!({ "id": key(), "name": spec.name.as_ref().or(spec.hostname.as_ref()) }),
            ServerReference::AsListed => keys_of(spec).into(),
        }
    }

    /// A server as in lists, or with `detail` as returned alone.
    pub(super) fn show_server(&self, index: usize, detail: bool) -> Value {
        let server = &self.servers[index];
        let number = index + 1;
        let address = format!("203.0.{}.{}", 113 + number / 250, number % 250 + 1);
        let mut shown = keys_of(&server.spec);
        let location = server.spec.location.as_deref().unwrap_or("Istanbul");
        let created = self.time("2025-01-10T08:00:00Z".parse().expect("it is a timestamp"));
        shown.insert("status".to_owned(), json!(server.shown_status()));
        shown.insert("ip_address".to_owned(), json!(address));
        if server.spec.uuid.is_some() {
            shown.insert("ipv4_addresses".to_owned(), json!([address]));
            shown.insert("ipv6_addresses".to_owned(), json!([]));
            shown.insert("deployed".to_owned(), json!(true));
        }
        if detail && server.spec.id.is_none() {
            shown.insert("location".to_owned(), json!({ "id": 1, "name": location }));
            let plan = json!({ "ram": 4, "ram_unit": "GB", "cpu": 2, "disk_space": 80 });
            shown.insert("plan".to_owned(), plan);
            shown.insert("operating_system_version".to_owned(), json!({ "name": "Debian 12" }));
        } else if server.spec.id.is_none() {
            shown.insert("location_name".to_owned(), json!(location));
            shown.insert("plan_name".to_owned(), json!("4 GB"));
            shown.insert("os_name".to_owned(), json!("Debian 12"));
        } else {
            shown.insert("location".to_owned(), json!(location));
            shown.insert("plan".to_owned(), json!("4 GB"));
            shown.insert("os".to_owned(), json!("Debian 12"));
        }
        shown.insert("created_at".to_owned(), created);
        shown.insert("updated_at".to_owned(), self.time(self.shown(server.since)));
        if self.options.extra_fields {
            shown.insert("tags".to_owned(), json!(["a", null]));
        }
        Value::Object(shown)
    }

    /// The answer to a create: the point and a message.
    pub(super) fn show_created(&self, point: &Point) -> Value {
        let mut shown = self.show_point(point);
        let message = match point.kind {
            PointKind::Backup => "Backup creation started.",
            PointKind::Snapshot => "Snapshot creation started. This may take 3-10 minutes depending on server size.",
        };
        shown["message"] = json!(message);
        shown
    }

    /// The answer to an accepted restore.
    pub(super) fn show_restore(&self, point: &Point) -> Value {
        let server = &self.servers[point.server];
        let mut source = json!({ "id": self.shown_id(point), "created_at": self.time(point.created_at) });
        let word = if point.kind == PointKind::Backup { "backup" } else { "snapshot" };
        if point.kind == PointKind::Snapshot {
            source["name"] = json!(point.name);
        }
        let message = format!("Restoring the server from the {word}. This takes 5 to 15 minutes.");
        json!({ "status": "success", "message": message, word: source, "server": brief(server, "restoring") })
    }

    /// The answer to an accepted power action.
    pub(super) fn show_power(&self, index: usize, action: &str) -> Value {
        let server = &self.servers[index];
        let message = format!("Power action '{action}' was accepted.");
        json!({ "status": "success", "message": message, "server": brief(server, server.shown_status()) })
    }

    /// `GET /account/me/`.
    pub(super) fn show_account(&self) -> Value {
        json!({
            "account": {
                "email": "owner@example.com",
                "first_name": "Deniz",
                "last_name": "Yilmaz",
                "company_name": "Example Ltd",
                "created_at": self.time("2024-06-01T12:00:00Z".parse().expect("it is a timestamp")),
            },
            "token": { "name": "simulator", "permissions": self.options.permissions },
        })
    }

    /// A time in the format that the options define.
    pub(super) fn time(&self, at: Timestamp) -> Value {
        if self.options.fractions {
            let offset = Offset::constant(3);
            return json!(format!("{:.6}", at.display_with_offset(offset)));
        }
        json!(Timestamp::from_second(at.as_second()).unwrap_or(at).to_string())
    }
}

fn keys_of(spec: &ServerSpec) -> Map<String, Value> {
    let mut keys = Map::new();
    let fields = [("uuid", &spec.uuid), ("name", &spec.name), ("hostname", &spec.hostname)];
    if let Some(id) = spec.id {
        keys.insert("id".to_owned(), json!(id));
    }
    for (field, value) in fields {
        if let Some(value) = value {
            keys.insert(field.to_owned(), json!(value));
        }
    }
    keys
}

fn brief(server: &ServerState, status: &str) -> Value {
    let mut keys = keys_of(&server.spec);
    keys.insert("status".to_owned(), json!(status));
    Value::Object(keys)
}
