//! What a person (or a test) does to the account without the client.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::account::Account;
use super::options::{PointSpec, ServerSpec};
use super::point::PointKind;
use super::points::{ApiRefusal, word_of};
use super::record::{Cause, ChangeKind};

/// An action of a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum PersonAction {
    /// Creates a point, ignoring the limits.
    CreatePoint(PointSpec),
    /// Deletes a point at once.
    DeletePoint(Pick),
    /// Changes a point.
    EditPoint(Edit),
    /// Adds a server.
    AddServer(ServerSpec),
    /// Removes a server.
    RemoveServer {
        /// By any key or name.
        server: Value,
    },
    /// Renames a server: its `name`, its `hostname`, or both.
    RenameServer {
        /// By any key or name.
        server: Value,
        /// The new name.
        name: String,
    },
    /// Sets the status of a server at once.
    SetStatus {
        /// By any key or name.
        server: Value,
        /// `stopped`, `suspended` …
        status: String,
    },
}

/// One point: by id, or the newest or oldest manual one of a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pick {
    /// Backup or snapshot.
    pub kind: PointKind,
    /// The id that clients see.
    #[serde(default)]
    pub id: Option<Value>,
    /// If `id` is absent: the server by any key or name.
    #[serde(default)]
    pub server: Option<Value>,
    /// If `id` is absent: the oldest instead of the newest.
    #[serde(default)]
    pub oldest: bool,
}

/// A change of a point. Absent fields are unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// The point.
    #[serde(flatten)]
    pub pick: Pick,
    /// The new name.
    #[serde(default)]
    pub name: Option<String>,
    /// The new description.
    #[serde(default)]
    pub description: Option<String>,
    /// The new status.
    #[serde(default)]
    pub status: Option<String>,
    /// The new time.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// The new size.
    #[serde(default)]
    pub size_mb: Option<u64>,
}

impl Account {
    /// Performs the action. Returns the object as it is afterwards.
    pub(super) fn act(&mut self, now: Timestamp, act: &PersonAction) -> Result<Value, ApiRefusal> {
        match act {
            PersonAction::CreatePoint(spec) => {
                let made = self.add_points(now, spec);
                if made.is_empty() {
                    return Err(ApiRefusal::detail(404, "No such server."));
                }
                Ok(json!(made.iter().map(|point| self.show_point(point)).collect::<Vec<_>>()))
            }
            PersonAction::DeletePoint(pick) => {
                let which = self.picked(pick)?;
                self.remove(now, which, ChangeKind::PointGone, Cause::PERSON);
                Ok(Value::Null)
            }
            PersonAction::EditPoint(edit) => self.edit(now, edit),
            PersonAction::AddServer(spec) => {
                let index = self.add_server(now, spec.clone());
                Ok(self.show_server(index, true))
            }
            PersonAction::RemoveServer { server } => {
                let index = self.server_named_by(server)?;
                self.remove_server(now, index);
                Ok(Value::Null)
            }
            PersonAction::RenameServer { server, name } => {
                let index = self.server_named_by(server)?;
                self.rename_server(now, index, name);
                Ok(self.show_server(index, true))
            }
            PersonAction::SetStatus { server, status } => {
                let index = self.server_named_by(server)?;
                self.set_status(now, index, status, Cause::PERSON);
                Ok(self.show_server(index, true))
            }
        }
    }

    fn server_named_by(&self, word: &Value) -> Result<usize, ApiRefusal> {
        self.find_server(&word_of(word)).ok_or_else(|| ApiRefusal::detail(404, format!("No server is called {word}.")))
    }

    fn picked(&self, pick: &Pick) -> Result<(PointKind, i64), ApiRefusal> {
        let nothing = || ApiRefusal::detail(404, "No such point.");
        if let Some(id) = &pick.id {
            let id = self.true_id(&word_of(id)).filter(|id| self.point(pick.kind, *id).is_some());
            return id.map(|id| (pick.kind, id)).ok_or_else(nothing);
        }
        let index = self.server_named_by(pick.server.as_ref().unwrap_or(&Value::Null))?;
        let mut points: Vec<_> = self.points_on(pick.kind, index).filter(|point| point.takes_slot()).collect();
        points.sort_by_key(|point| (point.created_at, point.serial));
        let point = if pick.oldest { points.first() } else { points.last() };
        point.map(|point| (pick.kind, point.id)).ok_or_else(nothing)
    }

    fn edit(&mut self, now: Timestamp, edit: &Edit) -> Result<Value, ApiRefusal> {
        let (kind, id) = self.picked(&edit.pick)?;
        let point = self.tables[kind as usize].points.get_mut(&id).ok_or_else(ApiRefusal::not_found)?;
        let edit = edit.clone();
        point.name = edit.name.unwrap_or_else(|| point.name.clone());
        point.description = edit.description.unwrap_or_else(|| point.description.clone());
        point.status = edit.status.unwrap_or_else(|| point.status.clone());
        point.created_at = edit.created_at.unwrap_or(point.created_at);
        point.size_mb = edit.size_mb.or(point.size_mb);
        let point = point.clone();
        self.record_point(now, ChangeKind::PointEdited, &point, Cause::PERSON);
        Ok(self.show_point(&point))
    }

    fn rename_server(&mut self, now: Timestamp, index: usize, name: &str) {
        let spec = &mut self.servers[index].spec;
        let from = spec.name.clone().or_else(|| spec.hostname.clone());
        for field in [&mut spec.name, &mut spec.hostname].into_iter().flatten() {
            *field = name.to_owned();
        }
        let detail = json!({ "renamed": { "from": from, "to": name } });
        self.record_server(now, ChangeKind::ServerChanged, index, Cause::PERSON, detail);
    }
}
