//! From the provider's objects to our words. What cannot be read is told in words, never guessed.

use crate::policy::inventory::{Id, Kind, PointStatus, RestorePoint, Server, ServerRef, ServerStatus};
use crate::provider::wire::{self, Fields};

/// What an object says of the server that it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NamedServer {
    pub(crate) id: Option<Id>,
    pub(crate) uuid: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) hostname: Option<String>,
}

/// A restore point with everything that it says of its server, for comparing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) point: RestorePoint,
    pub(crate) named: NamedServer,
}

/// Whether a restore point is of the server that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belongs {
    Yes,
    /// Only the names agree, and names need not be unique.
    ByNameAlone,
    No,
}

/// A server, from the account's list or from its own page. `Err` says what is missing.
pub(crate) fn server(fields: &Fields) -> Result<Server, String> {
    let named = named(fields);
    let reference = named.reference().ok_or("it has neither id nor uuid")?;
    let mut keys: Vec<String> = Vec::new();
    let texts = [named.id.map(|id| id.to_string()), named.uuid, named.name, named.hostname];
    for key in texts.into_iter().flatten() {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let status = server_status(wire::text(fields.get("status")).unwrap_or("unknown"));
    Ok(Server { reference, keys, status })
}

/// A server as an entry of the account's list. What tells servers apart and what selectors match must be readable where
/// it is given: taken for missing, it would make the server look like another one, or like one that is gone.
pub(crate) fn listed_server(fields: &Fields) -> Result<Server, String> {
    let is_given =
        |value: &&serde_json::Value| !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty());
    let given = |key: &str| fields.get(key).filter(is_given);
    let unread = |key: &&str| match *key {
        "id" => given(key).is_some() && wire::id(given(key)).is_none(),
        _ => given(key).is_some() && wire::text(given(key)).is_none(),
    };
    let read = match ["id", "uuid", "name", "hostname"].into_iter().find(unread) {
        Some(key) => Err(format!("its {key} is {}", fields[key])),
        None => server(fields),
    };
    read.map_err(|why| {
        let named = named(fields);
        match named.texts().next() {
            Some(text) => format!("the entry of server {text} cannot be read: {why}"),
            None => format!("an entry cannot be read: {why}: {}", serde_json::Value::from(fields.clone())),
        }
    })
}

/// The word that the provider uses, in ours where we know it.
pub(crate) fn server_status(word: &str) -> ServerStatus {
    match word.trim().to_ascii_lowercase().as_str() {
        "active" | "running" => ServerStatus::Active,
        "stopped" | "off" => ServerStatus::Stopped,
        "suspended" => ServerStatus::Suspended,
        _ => ServerStatus::Other(word.trim().to_owned()),
    }
}

/// A restore point. `Err` says what is missing: id, server, status and `created_at` must be readable.
///
/// A backup is automatic when its type is any word but `manual`; without a type, when it expires by itself.
pub(crate) fn point(kind: Kind, fields: &Fields) -> Result<Listed, String> {
    let id = point_id(fields).ok_or("it has no readable id")?;
    let lacks = |what: &str| format!("{kind} {id} has no readable {what}");
    let named = server_of(fields);
    let server = named.reference().or_else(|| named.by_name()).ok_or_else(|| lacks("server"))?;
    let status = wire::text(fields.get("status")).map(point_status).ok_or_else(|| lacks("status"))?;
    let created_at = wire::time(fields.get("created_at")).ok_or_else(|| lacks("created_at"))?;
    let expires = fields.get("expires_at").is_some_and(|value| !value.is_null());
    let automatic = kind == Kind::Backup
        && match fields.get("backup_type") {
            None | Some(serde_json::Value::Null) => expires,
            given => !wire::text(given).ok_or_else(|| lacks("backup_type"))?.eq_ignore_ascii_case("manual"),
        };
    let point = RestorePoint {
        kind,
        server,
        automatic,
        status,
        size_mb: wire::megabytes(fields.get("size_mb")),
        created_at,
        expires_at: wire::time(fields.get("expires_at")),
        name: wire::text(fields.get("name")).map(str::to_owned),
        description: fields.get("description").and_then(|value| value.as_str()).unwrap_or_default().to_owned(),
        id,
    };
    Ok(Listed { point, named })
}

/// A restore point's `id`; its `uuid` where it has no `id`.
pub(crate) fn point_id(fields: &Fields) -> Option<Id> {
    wire::id(fields.get("id")).or_else(|| wire::text(fields.get("uuid")).map(|uuid| Id::Text(uuid.to_owned())))
}

/// Only the documented words mean something; every other is kept as it is, and such a point is never deleted.
fn point_status(word: &str) -> PointStatus {
    match word.trim().to_ascii_lowercase().as_str() {
        "in_progress" => PointStatus::InProgress,
        "completed" => PointStatus::Completed,
        "failed" => PointStatus::Failed,
        _ => PointStatus::Other(word.trim().to_owned()),
    }
}

fn named(fields: &Fields) -> NamedServer {
    let text = |key: &str| wire::text(fields.get(key)).map(str::to_owned);
    NamedServer { id: wire::id(fields.get("id")), uuid: text("uuid"), name: text("name"), hostname: text("hostname") }
}

/// `{"id", "name"}`, `{"uuid", "hostname"}`, a bare id or uuid; beside it `server_id`, where there is no `server`.
fn server_of(fields: &Fields) -> NamedServer {
    let value = fields.get("server").filter(|value| !value.is_null()).or_else(|| fields.get("server_id"));
    match value {
        Some(serde_json::Value::Object(fields)) => named(fields),
        bare => {
            let name = wire::text(bare).map(str::to_owned);
            NamedServer { id: wire::id(bare), name, ..NamedServer::default() }
        }
    }
}

impl NamedServer {
    fn reference(&self) -> Option<ServerRef> {
        let id = self.id.clone().or_else(|| self.uuid.clone().map(Id::Text))?;
        let name = self.name.clone().or_else(|| self.hostname.clone()).unwrap_or_else(|| id.to_string());
        Some(ServerRef { id, name })
    }

    /// A server that is named without any id.
    fn by_name(&self) -> Option<ServerRef> {
        let name = self.name.clone().or_else(|| self.hostname.clone())?;
        Some(ServerRef { id: Id::Text(name.clone()), name })
    }

    /// Every text under which the server may be looked up.
    pub(crate) fn texts(&self) -> impl Iterator<Item = String> {
        let id = self.id.as_ref().map(ToString::to_string);
        [id, self.uuid.clone(), self.name.clone(), self.hostname.clone()].into_iter().flatten()
    }

    /// Whether `server` is meant. Ids and uuids decide; names only where no id can be compared.
    pub(crate) fn belongs_to(&self, server: &Server) -> Belongs {
        let own = &server.reference.id;
        let is_key = |text: &str| {
            text == own.to_string() || (text != server.reference.name && server.keys.iter().any(|key| key == text))
        };
        let ids = [self.id.as_ref().map(ToString::to_string), self.uuid.clone()];
        let number = |id: &Id| match id {
            Id::Number(number) => Some(*number),
            Id::Text(text) => text.parse().ok(),
        };
        if let (Some(theirs), Some(ours)) = (self.id.as_ref().and_then(number), number(own)) {
            return if theirs == ours { Belongs::Yes } else { Belongs::No };
        }
        if ids.iter().flatten().any(|text| is_key(text)) {
            return Belongs::Yes;
        }
        // A bare text may be a name as well as a uuid, so it is no uuid that differs.
        let bare = self.uuid.is_none() && self.name.as_deref() == ids[0].as_deref();
        let text_id = matches!(self.id, Some(Id::Text(_))) && !bare;
        if matches!(own, Id::Text(_)) && (text_id || self.uuid.is_some()) {
            return Belongs::No;
        }
        let mut names = [&self.name, &self.hostname].into_iter().flatten();
        if names.any(|name| server.keys.contains(name)) { Belongs::ByNameAlone } else { Belongs::No }
    }
}
