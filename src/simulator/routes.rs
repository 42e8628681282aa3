//! The provider's endpoints. Each handler asks the account and shows its answer; what goes wrong on purpose is
//! decided before and after, in `turnstile`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router, middleware};
use serde_json::Value;

use super::account::Account;
use super::effects::Effect;
use super::paging::Wish;
use super::point::Kind;
use super::points::{Altered, Refusal, Wanted, word_of};
use super::provider::Simulator;
use super::record::Cause;
use super::turnstile::{Visit, pass};
use super::{answers, control};

type Asked = Extension<Arc<Visit>>;
type Outcome = Result<(StatusCode, Json<Value>), Refused>;

/// A refusal as a response.
pub(super) struct Refused(Refusal);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        answers::refusal(&self.0)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl Simulator {
    /// The API and the control endpoint as a service.
    pub fn router(&self) -> Router {
        let api = Router::new()
            .merge(of_kind("/api/v1/backups/", Kind::Backup))
            .merge(of_kind("/api/v1/snapshots/", Kind::Snapshot))
            .route("/api/v1/snapshots/{id}/restore/", post(restore_snapshot))
            .route("/api/v1/servers/", get(servers))
            .route("/api/v1/servers/{key}/", get(one_server))
            .route("/api/v1/servers/{key}/power/", post(power))
            .route("/api/v1/servers/{key}/restore/", post(restore_backup))
            .route("/api/v1/servers/{key}/backup/", post(labelled_backup))
            .route("/api/v1/servers/{key}/snapshot/", post(labelled_snapshot))
            .route("/api/v1/account/me/", get(me))
            .fallback(unknown)
            .method_not_allowed_fallback(not_allowed)
            .layer(middleware::from_fn_with_state(self.clone(), pass));
        Router::new().nest("/_control", control::router()).merge(api).with_state(self.clone())
    }
}

/// List, create and delete are the same for both kinds.
fn of_kind(path: &str, kind: Kind) -> Router<Simulator> {
    let list = move |simulator: State<Simulator>, asked: Asked| async move { list(&simulator, &asked, kind) };
    let create = move |simulator: State<Simulator>, asked: Asked| async move { create(&simulator, &asked, kind) };
    let remove = move |simulator: State<Simulator>, asked: Asked, Path(id): Path<String>| async move {
        remove(&simulator, &asked, kind, &id)
    };
    Router::new().route(path, get(list).post(create)).route(&format!("{path}{{id}}/"), delete(remove))
}

async fn unknown() -> Refused {
    Refused(Refusal::not_found())
}

async fn not_allowed(method: axum::http::Method) -> Refused {
    Refused(Refusal::detail(405, format!("Method \"{method}\" not allowed.")))
}

fn ok(value: Value) -> Outcome {
    Ok((StatusCode::OK, Json(value)))
}

fn list(simulator: &Simulator, asked: &Visit, kind: Kind) -> Outcome {
    let now = simulator.now();
    let wish = Wish { url: &asked.url, query: &asked.query, fault: asked.effect.as_ref(), now };
    ok(simulator.look(|inner| inner.account.list_points(kind, &wish))?)
}

fn create(simulator: &Simulator, asked: &Visit, kind: Kind) -> Outcome {
    let field = |name: &str| asked.body.get(name).filter(|value| !value.is_null());
    let server = field("server_id").ok_or_else(|| Refusal::field("server_id", "This field is required."))?;
    let key = word_of(server);
    let description = text(field("description"), "description")?.unwrap_or_default();
    let name = match kind {
        Kind::Backup => String::new(),
        Kind::Snapshot => snapshot_name(field("name"))?,
    };
    simulator.look(|inner| {
        let place = inner.account.keyed(&key);
        let is_key = key.parse::<i64>().is_ok() || key.len() == 36;
        let place = match place {
            Some(place) => place,
            None if is_key => return Err(Refusal::not_found().into()),
            None => return Err(Refusal::field("server_id", "A valid integer is required.").into()),
        };
        let wanted = Wanted { kind, server: place, name, description, altered: altered(asked) };
        let point = inner.account.create(simulator.now(), wanted, Cause::client(asked.seq))?;
        Ok((StatusCode::CREATED, Json(inner.account.show_created(&point))))
    })
}

fn altered(asked: &Visit) -> Altered {
    match &asked.effect {
        Some(Effect::CreateAs(altered)) => altered.clone(),
        _ => Altered::default(),
    }
}

fn text(value: Option<&Value>, field: &str) -> Result<Option<String>, Refusal> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(Refusal::field(field, "Not a valid string.")),
    }
}

fn snapshot_name(value: Option<&Value>) -> Result<String, Refusal> {
    let name = text(value, "name")?.ok_or_else(|| Refusal::field("name", "This field is required."))?;
    if name.is_empty() {
        return Err(Refusal::field("name", "This field may not be blank."));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        let rule = "Enter a valid name consisting of letters, numbers, underscores or hyphens.";
        return Err(Refusal::field("name", rule));
    }
    if name.len() > 255 {
        return Err(Refusal::field("name", "Ensure this field has no more than 255 characters."));
    }
    Ok(name)
}

fn remove(simulator: &Simulator, asked: &Visit, kind: Kind, id: &str) -> Result<StatusCode, Refused> {
    simulator.look(|inner| {
        let id = inner.account.true_id(id).ok_or_else(Refusal::not_found)?;
        inner.account.delete(simulator.now(), (kind, id), Cause::client(asked.seq))?;
        Ok(StatusCode::NO_CONTENT)
    })
}

async fn restore_snapshot(State(simulator): State<Simulator>, asked: Asked, Path(id): Path<String>) -> Outcome {
    restore(&simulator, &asked, Kind::Snapshot, |_| Ok(id))
}

async fn restore_backup(State(simulator): State<Simulator>, asked: Asked, Path(key): Path<String>) -> Outcome {
    restore(&simulator, &asked, Kind::Backup, |account| {
        let place = account.keyed(&key).ok_or_else(Refusal::not_found)?;
        let id = asked.body.get("backup_id").filter(|value| !value.is_null()).map(word_of);
        let id = id.ok_or_else(|| Refusal::field("backup_id", "This field is required."))?;
        let point = account.true_id(&id).and_then(|id| account.point(Kind::Backup, id));
        if point.is_some_and(|point| point.server != place) {
            return Err(Refusal::field("backup_id", "This backup does not belong to the server."));
        }
        Ok(id)
    })
}

fn restore(
    simulator: &Simulator,
    asked: &Visit,
    kind: Kind,
    id: impl FnOnce(&Account) -> Result<String, Refusal>,
) -> Outcome {
    simulator.look(|inner| {
        let id = id(&inner.account)?;
        let id = inner.account.true_id(&id).ok_or_else(Refusal::not_found)?;
        inner.account.restore(simulator.now(), (kind, id), Cause::client(asked.seq))?;
        let point = inner.account.point(kind, id).ok_or_else(Refusal::not_found)?;
        ok(inner.account.show_restore(point))
    })
}

async fn servers(State(simulator): State<Simulator>, asked: Asked) -> Outcome {
    let now = simulator.now();
    let wish = Wish { url: &asked.url, query: &asked.query, fault: asked.effect.as_ref(), now };
    ok(simulator.look(|inner| inner.account.list_servers(&wish))?)
}

async fn one_server(State(simulator): State<Simulator>, Path(key): Path<String>) -> Outcome {
    simulator.look(|inner| {
        let place = inner.account.keyed(&key).ok_or_else(Refusal::not_found)?;
        ok(inner.account.show_server(place, true))
    })
}

async fn power(State(simulator): State<Simulator>, asked: Asked, Path(key): Path<String>) -> Outcome {
    let action = text(asked.body.get("action"), "action")?;
    simulator.look(|inner| {
        let place = inner.account.keyed(&key).ok_or_else(Refusal::not_found)?;
        let action = action.ok_or_else(|| Refusal::field("action", "This field is required."))?;
        inner.account.power(simulator.now(), place, &action, Cause::client(asked.seq))?;
        ok(inner.account.show_power(place, &action))
    })
}

async fn labelled_backup(State(simulator): State<Simulator>, asked: Asked, Path(key): Path<String>) -> Outcome {
    labelled(&simulator, &asked, Kind::Backup, &key)
}

async fn labelled_snapshot(State(simulator): State<Simulator>, asked: Asked, Path(key): Path<String>) -> Outcome {
    labelled(&simulator, &asked, Kind::Snapshot, &key)
}

/// The paths that only the provider's own clients know: `{"label"}`, or no body at all.
fn labelled(simulator: &Simulator, asked: &Visit, kind: Kind, key: &str) -> Outcome {
    let label = text(asked.body.get("label").filter(|value| !value.is_null()), "label")?;
    simulator.look(|inner| {
        let server = inner.account.keyed(key).ok_or_else(Refusal::not_found)?;
        let label = label.unwrap_or_default();
        let (name, description) = match kind {
            Kind::Backup => (String::new(), label),
            Kind::Snapshot if label.is_empty() => ("snapshot".to_owned(), label),
            Kind::Snapshot => {
                let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
                (label.chars().map(allowed).collect(), label)
            }
        };
        let wanted = Wanted { kind, server, name, description, altered: altered(asked) };
        let point = inner.account.create(simulator.now(), wanted, Cause::client(asked.seq))?;
        Ok((StatusCode::CREATED, Json(inner.account.show_created(&point))))
    })
}

async fn me(State(simulator): State<Simulator>) -> Outcome {
    ok(simulator.look(|inner| inner.account.show_account()))
}
