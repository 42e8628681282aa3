//! What a person (or a test) does to the account behind the client's back, and the endpoint for it: `/_control/`,
//! for loopback only, without a token. It is no part of the provider's API.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::account::{Account, Kind};
use super::faults::Rule;
use super::options::{PointSpec, ServerSpec};
use super::points::{Refusal, word_of};
use super::record::{Cause, ChangeKind};
use super::{Inner, Simulator};

/// Something a person does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// Makes a point; limits are not looked at.
    CreatePoint(PointSpec),
    /// Deletes a point at once.
    DeletePoint(Pick),
    /// Changes a point.
    EditPoint(Edit),
    /// Adds a server.
    AddServer(ServerSpec),
    /// Removes a server.
    RemoveServer {
        /// By any of its keys and names.
        server: Value,
    },
    /// Renames a server: its `name`, its `hostname`, or both if it has both.
    RenameServer {
        /// By any of its keys and names.
        server: Value,
        /// The new name.
        name: String,
    },
    /// Puts a server into a status at once.
    SetStatus {
        /// By any of its keys and names.
        server: Value,
        /// `stopped`, `suspended` …
        status: String,
    },
}

/// One point: by id, or the newest or oldest manual one of a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pick {
    /// Backup or snapshot.
    pub kind: Kind,
    /// As clients see it.
    #[serde(default)]
    pub id: Option<Value>,
    /// Where `id` is absent: by any of its keys and names.
    #[serde(default)]
    pub server: Option<Value>,
    /// Where `id` is absent: the oldest in place of the newest.
    #[serde(default)]
    pub oldest: bool,
}

/// A change of a point; what is absent stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// Which.
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
    /// Does it; the answer is what it was done to.
    pub(super) fn act(&mut self, now: Timestamp, act: &Act) -> Result<Value, Refusal> {
        match act {
            Act::CreatePoint(spec) => {
                let made = self.put(now, spec);
                if made.is_empty() {
                    return Err(Refusal::detail(404, "No such server."));
                }
                Ok(json!(made.iter().map(|point| self.show_point(point)).collect::<Vec<_>>()))
            }
            Act::DeletePoint(pick) => {
                let which = self.picked(pick)?;
                self.remove(now, which, ChangeKind::PointGone, Cause::PERSON);
                Ok(Value::Null)
            }
            Act::EditPoint(edit) => self.edit(now, edit),
            Act::AddServer(spec) => {
                let place = self.add_server(now, spec.clone());
                Ok(self.show_server(place, true))
            }
            Act::RemoveServer { server } => {
                let place = self.person_means(server)?;
                self.remove_server(now, place);
                Ok(Value::Null)
            }
            Act::RenameServer { server, name } => {
                let place = self.person_means(server)?;
                self.rename_server(now, place, name);
                Ok(self.show_server(place, true))
            }
            Act::SetStatus { server, status } => {
                let place = self.person_means(server)?;
                self.set_status(now, place, status, Cause::PERSON);
                Ok(self.show_server(place, true))
            }
        }
    }

    fn person_means(&self, word: &Value) -> Result<usize, Refusal> {
        self.called(&word_of(word)).ok_or_else(|| Refusal::detail(404, format!("No server is called {word}.")))
    }

    fn picked(&self, pick: &Pick) -> Result<(Kind, i64), Refusal> {
        let nothing = || Refusal::detail(404, "No such point.");
        if let Some(id) = &pick.id {
            let id = self.true_id(&word_of(id)).filter(|id| self.point(pick.kind, *id).is_some());
            return id.map(|id| (pick.kind, id)).ok_or_else(nothing);
        }
        let place = self.person_means(pick.server.as_ref().unwrap_or(&Value::Null))?;
        let mut points: Vec<_> = self.on(pick.kind, place).filter(|point| point.takes_slot()).collect();
        points.sort_by_key(|point| (point.created_at, point.serial));
        let point = if pick.oldest { points.first() } else { points.last() };
        point.map(|point| (pick.kind, point.id)).ok_or_else(nothing)
    }

    fn edit(&mut self, now: Timestamp, edit: &Edit) -> Result<Value, Refusal> {
        let (kind, id) = self.picked(&edit.pick)?;
        let point = self.shelves[kind as usize].points.get_mut(&id).ok_or_else(Refusal::not_found)?;
        let edit = edit.clone();
        point.name = edit.name.unwrap_or_else(|| point.name.clone());
        point.description = edit.description.unwrap_or_else(|| point.description.clone());
        point.status = edit.status.unwrap_or_else(|| point.status.clone());
        point.created_at = edit.created_at.unwrap_or(point.created_at);
        point.size_mb = edit.size_mb.or(point.size_mb);
        let point = point.clone();
        self.note(now, ChangeKind::PointEdited, &point, Cause::PERSON);
        Ok(self.show_point(&point))
    }

    fn rename_server(&mut self, now: Timestamp, place: usize, name: &str) {
        let spec = &mut self.servers[place].spec;
        let from = spec.name.clone().or_else(|| spec.hostname.clone());
        for field in [&mut spec.name, &mut spec.hostname].into_iter().flatten() {
            *field = name.to_owned();
        }
        let detail = json!({ "renamed": { "from": from, "to": name } });
        self.note_server(now, ChangeKind::ServerChanged, place, Cause::PERSON, detail);
    }
}

/// The control endpoint.
pub(super) fn router() -> Router<Simulator> {
    Router::new()
        .route("/state", get(|State(simulator): State<Simulator>| async move { Json(simulator.state_json()) }))
        .route("/record", get(|State(simulator): State<Simulator>| async move { Json(simulator.record_json()) }))
        .route("/faults", get(list_faults).post(add_faults).delete(clear_faults))
        .route(
            "/act",
            post(|State(simulator): State<Simulator>, Json(act): Json<Act>| async move { answer(simulator.act(&act)) }),
        )
        .route(
            "/points",
            post(|State(simulator): State<Simulator>, Json(spec): Json<PointSpec>| async move {
                answer(simulator.act(&Act::CreatePoint(spec)))
            }),
        )
        .route(
            "/points/delete",
            post(|State(simulator): State<Simulator>, Json(pick): Json<Pick>| async move {
                answer(simulator.act(&Act::DeletePoint(pick)))
            }),
        )
        .route(
            "/points/edit",
            post(|State(simulator): State<Simulator>, Json(edit): Json<Edit>| async move {
                answer(simulator.act(&Act::EditPoint(edit)))
            }),
        )
        .route(
            "/servers",
            post(|State(simulator): State<Simulator>, Json(act): Json<Act>| async move { answer(simulator.act(&act)) }),
        )
        .route("/clock-skew", post(clock_skew))
        .route("/options", post(set_options))
        .route("/refuse", post(refuse))
}

fn answer(outcome: Result<Value, Value>) -> Response {
    match outcome {
        Ok(value) => Json(value).into_response(),
        Err(value) => (StatusCode::UNPROCESSABLE_ENTITY, Json(value)).into_response(),
    }
}

/// One rule or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Rules {
    Many(Vec<Rule>),
    One(Box<Rule>),
}

async fn add_faults(State(simulator): State<Simulator>, Json(rules): Json<Value>) -> Response {
    // Read in two steps, because an untagged enum forgets what exactly was wrong.
    let parsed = if rules.is_array() {
        serde_json::from_value(rules).map(Rules::Many)
    } else {
        serde_json::from_value(rules).map(Rules::One)
    };
    match parsed {
        Ok(Rules::Many(many)) => many.into_iter().for_each(|rule| simulator.add_fault(rule)),
        Ok(Rules::One(rule)) => simulator.add_fault(*rule),
        Err(error) => return answer(Err(json!({ "detail": error.to_string() }))),
    }
    (StatusCode::CREATED, Json(simulator.look(faults_json))).into_response()
}

async fn list_faults(State(simulator): State<Simulator>) -> Response {
    Json(simulator.look(faults_json)).into_response()
}

fn faults_json(inner: &mut Inner) -> Value {
    json!({ "faults": inner.faults.0 })
}

async fn clear_faults(State(simulator): State<Simulator>) -> StatusCode {
    simulator.clear_faults();
    StatusCode::NO_CONTENT
}

async fn clock_skew(State(simulator): State<Simulator>, Json(body): Json<Value>) -> Response {
    let Some(seconds) = body.get("seconds").and_then(Value::as_i64) else {
        return answer(Err(json!({ "seconds": ["A whole number of seconds is required."] })));
    };
    simulator.set_clock_skew(seconds);
    Json(json!({ "seconds": seconds })).into_response()
}

/// Merges the given fields into the options; servers and foreign points are only looked at when it starts.
async fn set_options(State(simulator): State<Simulator>, Json(body): Json<Value>) -> Response {
    let mut whole = simulator.look(|inner| serde_json::to_value(&inner.account.options).unwrap_or_default());
    let (Value::Object(whole_fields), Value::Object(fields)) = (&mut whole, body) else {
        return answer(Err(json!({ "detail": "An object is required." })));
    };
    whole_fields.extend(fields);
    match serde_json::from_value(whole) {
        Ok(options) => {
            simulator.look(|inner| inner.account.options = options);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => answer(Err(json!({ "detail": error.to_string() }))),
    }
}

async fn refuse(State(simulator): State<Simulator>, Json(body): Json<Value>) -> Response {
    let seconds = super::points::seconds(body.get("seconds").and_then(Value::as_f64));
    let Some(duration) = seconds else {
        return answer(Err(json!({ "seconds": ["A number of seconds is required."] })));
    };
    simulator.refuse_for(duration);
    StatusCode::NO_CONTENT.into_response()
}
