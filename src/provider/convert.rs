//! Converts the provider's objects into our types. What cannot be read is reported, never guessed.
//!
//! Text from outside is cleaned here, once. An id that cleaning would change counts as unreadable, so that every id is
//! exactly the provider's and no two ids become the same.

use crate::policy::inventory::{Kind, PointId, PointStatus, RestorePoint, Server, ServerId, ServerRef, ServerStatus};
use crate::provider::api_object::{ApiObject, Names, Reference};
use crate::provider::text::Masks;
use crate::provider::wire::Scalar;

/// What an object says about its server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NamedServer {
    pub(crate) id: Option<ServerId>,
    pub(crate) uuid: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) hostname: Option<String>,
}

/// A restore point with everything that it says about its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedPoint {
    pub(crate) point: RestorePoint,
    pub(crate) named: NamedServer,
}

/// Whether a restore point belongs to the requested server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belongs {
    Yes,
    /// Only the names match, and names need not be unique.
    ByNameAlone,
    No,
}

/// A server. `Err` says what is missing.
pub(crate) fn server(entry: &ApiObject, masks: &Masks) -> Result<Server, String> {
    let named = named(&entry.names, masks);
    let reference = named.reference().ok_or("it has neither id nor uuid")?;
    let mut keys: Vec<String> = Vec::new();
    let texts = [named.id.map(|id| id.to_string()), named.uuid, named.name, named.hostname];
    for key in texts.into_iter().flatten() {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let status = server_status(&word(&entry.status, masks).unwrap_or_else(|| "unknown".to_owned()));
    Ok(Server { reference, keys, status })
}

/// A server as an entry of the account's list. Each name and key that is given must be readable: if one were treated as
/// missing, the server would look like another one, or like one that is gone.
pub(crate) fn listed_server(entry: &ApiObject, masks: &Masks) -> Result<Server, String> {
    let names = &entry.names;
    let is_given = |value: &Scalar| !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty());
    let fields = [
        ("id", &names.id, id::<ServerId>(&names.id, masks).is_some()),
        ("uuid", &names.uuid, uuid(&names.uuid, masks).is_some()),
        ("name", &names.name, names.name.text().is_some()),
        ("hostname", &names.hostname, names.hostname.text().is_some()),
    ];
    let read = match fields.into_iter().find(|(_, value, is_read)| is_given(value) && !is_read) {
        Some((key, value, _)) => Err(masks.clean(&format!("its {key} is {value}"))),
        None => server(entry, masks),
    };
    read.map_err(|why| match named(names, masks).texts().next() {
        Some(text) => format!("the entry of server {text} cannot be read: {why}"),
        None => format!("an entry cannot be read: {why}"),
    })
}

/// The status for the provider's word.
pub(crate) fn server_status(word: &str) -> ServerStatus {
    match word.to_ascii_lowercase().as_str() {
        "active" | "running" => ServerStatus::Active,
        "stopped" | "off" => ServerStatus::Stopped,
        "suspended" => ServerStatus::Suspended,
        _ => ServerStatus::Other(word.to_owned()),
    }
}

/// A restore point. `Err` says what is missing: id, server, status and `created_at` must be readable.
///
/// A backup is automatic if its type is anything but `manual`, or if it has no type and expires.
pub(crate) fn point(kind: Kind, entry: &ApiObject, masks: &Masks) -> Result<ListedPoint, String> {
    let id = point_id(entry, masks).ok_or("it has no readable id")?;
    let lacks = |what: &str| format!("{kind} {id} has no readable {what}");
    let named = server_of(entry, masks);
    let server = named.reference().or_else(|| named.by_name()).ok_or_else(|| lacks("server"))?;
    let status = word(&entry.status, masks).map(|word| point_status(&word)).ok_or_else(|| lacks("status"))?;
    let created_at = entry.created_at.time().ok_or_else(|| lacks("created_at"))?;
    let automatic = kind == Kind::Backup
        && match &entry.backup_type {
            Scalar::Null => !entry.expires_at.is_null(),
            given => !given.text().ok_or_else(|| lacks("backup_type"))?.eq_ignore_ascii_case("manual"),
        };
    let point = RestorePoint {
        kind,
        server,
        automatic,
        status,
        size_mb: entry.size_mb.megabytes(),
        created_at,
        expires_at: entry.expires_at.time(),
        name: word(&entry.names.name, masks),
        description: masks.clean(entry.description.as_str().unwrap_or_default()),
        id,
    };
    Ok(ListedPoint { point, named })
}

/// A restore point's `id`, or else its `uuid`.
pub(crate) fn point_id(entry: &ApiObject, masks: &Masks) -> Option<PointId> {
    id(&entry.names.id, masks).or_else(|| uuid(&entry.names.uuid, masks).map(PointId::Text))
}

/// Only the documented words are known. Any other is kept as given, and such a point is never deleted.
fn point_status(word: &str) -> PointStatus {
    match word.to_ascii_lowercase().as_str() {
        "in_progress" => PointStatus::InProgress,
        "completed" => PointStatus::Completed,
        "failed" => PointStatus::Failed,
        _ => PointStatus::Other(word.to_owned()),
    }
}

/// A non-blank text, cleaned.
pub(crate) fn word(value: &Scalar, masks: &Masks) -> Option<String> {
    value.text().map(|text| masks.clean(text))
}

/// An id that cleaning does not change.
fn id<Key: From<i64> + From<String>>(value: &Scalar, masks: &Masks) -> Option<Key> {
    match value {
        Scalar::Int(number) => Some((*number).into()),
        _ => uuid(value, masks).map(Into::into),
    }
}

fn uuid(value: &Scalar, masks: &Masks) -> Option<String> {
    value.text().filter(|text| masks.clean(text) == *text).map(str::to_owned)
}

fn named(names: &Names, masks: &Masks) -> NamedServer {
    NamedServer {
        id: id(&names.id, masks),
        uuid: uuid(&names.uuid, masks),
        name: word(&names.name, masks),
        hostname: word(&names.hostname, masks),
    }
}

/// From `server`: `{"id", "name"}`, `{"uuid", "hostname"}`, or a bare id or uuid; else from `server_id`.
fn server_of(entry: &ApiObject, masks: &Masks) -> NamedServer {
    let bare = match &entry.server {
        Some(Reference::Names(names)) => return named(names, masks),
        Some(Reference::Bare(value)) if !value.is_null() => value,
        _ => &entry.server_id,
    };
    NamedServer { id: id(bare, masks), name: word(bare, masks), ..NamedServer::default() }
}

impl NamedServer {
    fn reference(&self) -> Option<ServerRef> {
        let id = self.id.clone().or_else(|| self.uuid.clone().map(ServerId::Text))?;
        let name = self.name.clone().or_else(|| self.hostname.clone()).unwrap_or_else(|| id.to_string());
        Some(ServerRef { id, name })
    }

    /// A reference to a server that has a name but no id.
    fn by_name(&self) -> Option<ServerRef> {
        let name = self.name.clone().or_else(|| self.hostname.clone())?;
        Some(ServerRef { id: ServerId::Text(name.clone()), name })
    }

    /// Every text under which the server may be looked up.
    pub(crate) fn texts(&self) -> impl Iterator<Item = String> {
        let id = self.id.as_ref().map(ToString::to_string);
        [id, self.uuid.clone(), self.name.clone(), self.hostname.clone()].into_iter().flatten()
    }

    /// Whether this is `server`. Ids and uuids decide; names only if no ids can be compared.
    pub(crate) fn belongs_to(&self, server: &Server) -> Belongs {
        let own = &server.reference.id;
        let is_key = |text: &str| {
            text == own.to_string() || (text != server.reference.name && server.keys.iter().any(|key| key == text))
        };
        let ids = [self.id.as_ref().map(ToString::to_string), self.uuid.clone()];
        let number = |id: &ServerId| match id {
            ServerId::Number(number) => Some(*number),
            ServerId::Text(text) => text.parse().ok(),
        };
        if let (Some(theirs), Some(ours)) = (self.id.as_ref().and_then(number), number(own)) {
            return if theirs == ours { Belongs::Yes } else { Belongs::No };
        }
        if ids.iter().flatten().any(|text| is_key(text)) {
            return Belongs::Yes;
        }
        // A bare text may be a name as well as a uuid, so it does not count as a different uuid.
        let bare = self.uuid.is_none() && self.name.as_deref() == ids[0].as_deref();
        let text_id = matches!(self.id, Some(ServerId::Text(_))) && !bare;
        if matches!(own, ServerId::Text(_)) && (text_id || self.uuid.is_some()) {
            return Belongs::No;
        }
        let mut names = [&self.name, &self.hostname].into_iter().flatten();
        if names.any(|name| server.keys.contains(name)) { Belongs::ByNameAlone } else { Belongs::No }
    }
}
