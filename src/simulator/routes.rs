//! The provider's endpoints. Each handler calls the account and returns its answer. Faults are applied before and
//! after, in `middleware`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router, middleware};
use serde_json::Value;

use super::account::Account;
use super::effects::Effect;
use super::middleware::{RequestContext, handle};
use super::paging::ListQuery;
use super::point::PointKind;
use super::points::{Altered, ApiRefusal, NewPoint, word_of};
use super::provider::Simulator;
use super::record::Cause;
use super::{answers, control};

type Context = Extension<Arc<RequestContext>>;
type ApiResponse = Result<(StatusCode, Json<Value>), Refused>;

/// A refusal as a response.
pub(super) struct Refused(ApiRefusal);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        answers::refusal(&self.0)
    }
}

impl From<ApiRefusal> for Refused {
    fn from(refusal: ApiRefusal) -> Self {
        Self(refusal)
    }
}

impl Simulator {
    /// The API and the control endpoint as a service.
    pub fn router(&self) -> Router {
        let api = Router::new()
            .merge(of_kind("/api/v1/backups/", PointKind::Backup))
            .merge(of_kind("/api/v1/snapshots/", PointKind::Snapshot))
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
            .layer(middleware::from_fn_with_state(self.clone(), handle));
        Router::new().nest("/_control", control::router()).merge(api).with_state(self.clone())
    }
}

/// List, create and delete, which are the same for both kinds.
fn of_kind(path: &str, kind: PointKind) -> Router<Simulator> {
    let list = move |simulator: State<Simulator>, context: Context| async move { list(&simulator, &context, kind) };
    let create = move |simulator: State<Simulator>, context: Context| async move { create(&simulator, &context, kind) };
    let remove = move |simulator: State<Simulator>, context: Context, Path(id): Path<String>| async move {
        remove(&simulator, &context, kind, &id)
    };
    Router::new().route(path, get(list).post(create)).route(&format!("{path}{{id}}/"), delete(remove))
}

async fn unknown() -> Refused {
    Refused(ApiRefusal::not_found())
}

async fn not_allowed(method: axum::http::Method) -> Refused {
    Refused(ApiRefusal::detail(405, format!("Method \"{method}\" not allowed.")))
}

fn ok(value: Value) -> ApiResponse {
    Ok((StatusCode::OK, Json(value)))
}

fn list(simulator: &Simulator, context: &RequestContext, kind: PointKind) -> ApiResponse {
    let now = simulator.now();
    let query = ListQuery { url: &context.url, pairs: &context.query, fault: context.effect.as_ref(), now };
    ok(simulator.with_state(|state| state.account.list_points(kind, &query))?)
}

fn create(simulator: &Simulator, context: &RequestContext, kind: PointKind) -> ApiResponse {
    let field = |name: &str| context.body.get(name).filter(|value| !value.is_null());
    let server = field("server_id").ok_or_else(|| ApiRefusal::field("server_id", "This field is required."))?;
    let key = word_of(server);
    let description = text(field("description"), "description")?.unwrap_or_default();
    let name = match kind {
        PointKind::Backup => String::new(),
        PointKind::Snapshot => snapshot_name(field("name"))?,
    };
    simulator.with_state(|state| {
        let index = state.account.find_server_by_key(&key);
        let is_key = key.parse::<i64>().is_ok() || key.len() == 36;
        let index = match index {
            Some(index) => index,
            None if is_key => return Err(ApiRefusal::not_found().into()),
            None => return Err(ApiRefusal::field("server_id", "A valid integer is required.").into()),
        };
        let new = NewPoint { kind, server: index, name, description, altered: altered(context) };
        let point = state.account.create(simulator.now(), new, Cause::client(context.seq))?;
        Ok((StatusCode::CREATED, Json(state.account.show_created(&point))))
    })
}

fn altered(context: &RequestContext) -> Altered {
    match &context.effect {
        Some(Effect::CreateAs(altered)) => altered.clone(),
        _ => Altered::default(),
    }
}

fn text(value: Option<&Value>, field: &str) -> Result<Option<String>, ApiRefusal> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(ApiRefusal::field(field, "Not a valid string.")),
    }
}

fn snapshot_name(value: Option<&Value>) -> Result<String, ApiRefusal> {
    let name = text(value, "name")?.ok_or_else(|| ApiRefusal::field("name", "This field is required."))?;
    if name.is_empty() {
        return Err(ApiRefusal::field("name", "This field may not be blank."));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        let rule = "Enter a valid name consisting of letters, numbers, underscores or hyphens.";
        return Err(ApiRefusal::field("name", rule));
    }
    if name.len() > 255 {
        return Err(ApiRefusal::field("name", "Ensure this field has no more than 255 characters."));
    }
    Ok(name)
}

fn remove(simulator: &Simulator, context: &RequestContext, kind: PointKind, id: &str) -> Result<StatusCode, Refused> {
    simulator.with_state(|state| {
        let id = state.account.true_id(id).ok_or_else(ApiRefusal::not_found)?;
        state.account.delete(simulator.now(), (kind, id), Cause::client(context.seq))?;
        Ok(StatusCode::NO_CONTENT)
    })
}

async fn restore_snapshot(State(simulator): State<Simulator>, context: Context, Path(id): Path<String>) -> ApiResponse {
    restore(&simulator, &context, PointKind::Snapshot, |_| Ok(id))
}

async fn restore_backup(State(simulator): State<Simulator>, context: Context, Path(key): Path<String>) -> ApiResponse {
    restore(&simulator, &context, PointKind::Backup, |account| {
        let index = account.find_server_by_key(&key).ok_or_else(ApiRefusal::not_found)?;
        let id = context.body.get("backup_id").filter(|value| !value.is_null()).map(word_of);
        let id = id.ok_or_else(|| ApiRefusal::field("backup_id", "This field is required."))?;
        let point = account.true_id(&id).and_then(|id| account.point(PointKind::Backup, id));
        if point.is_some_and(|point| point.server != index) {
            return Err(ApiRefusal::field("backup_id", "This backup does not belong to the server."));
        }
        Ok(id)
    })
}

fn restore(
    simulator: &Simulator,
    context: &RequestContext,
    kind: PointKind,
    id: impl FnOnce(&Account) -> Result<String, ApiRefusal>,
) -> ApiResponse {
    simulator.with_state(|state| {
        let id = id(&state.account)?;
        let id = state.account.true_id(&id).ok_or_else(ApiRefusal::not_found)?;
        state.account.restore(simulator.now(), (kind, id), Cause::client(context.seq))?;
        let point = state.account.point(kind, id).ok_or_else(ApiRefusal::not_found)?;
        ok(state.account.show_restore(point))
    })
}

async fn servers(State(simulator): State<Simulator>, context: Context) -> ApiResponse {
    let now = simulator.now();
    let query = ListQuery { url: &context.url, pairs: &context.query, fault: context.effect.as_ref(), now };
    ok(simulator.with_state(|state| state.account.list_servers(&query))?)
}

async fn one_server(State(simulator): State<Simulator>, Path(key): Path<String>) -> ApiResponse {
    simulator.with_state(|state| {
        let index = state.account.find_server_by_key(&key).ok_or_else(ApiRefusal::not_found)?;
        ok(state.account.show_server(index, true))
    })
}

async fn power(State(simulator): State<Simulator>, context: Context, Path(key): Path<String>) -> ApiResponse {
    let action = text(context.body.get("action"), "action")?;
    simulator.with_state(|state| {
        let index = state.account.find_server_by_key(&key).ok_or_else(ApiRefusal::not_found)?;
        let action = action.ok_or_else(|| ApiRefusal::field("action", "This field is required."))?;
        state.account.power(simulator.now(), index, &action, Cause::client(context.seq))?;
        ok(state.account.show_power(index, &action))
    })
}

async fn labelled_backup(State(simulator): State<Simulator>, context: Context, Path(key): Path<String>) -> ApiResponse {
    labelled(&simulator, &context, PointKind::Backup, &key)
}

async fn labelled_snapshot(
    State(simulator): State<Simulator>,
    context: Context,
    Path(key): Path<String>,
) -> ApiResponse {
    labelled(&simulator, &context, PointKind::Snapshot, &key)
}

/// The paths that only the provider's own clients use. The body is `{"label"}` or empty.
fn labelled(simulator: &Simulator, context: &RequestContext, kind: PointKind, key: &str) -> ApiResponse {
    let label = text(context.body.get("label").filter(|value| !value.is_null()), "label")?;
    simulator.with_state(|state| {
        let server = state.account.find_server_by_key(key).ok_or_else(ApiRefusal::not_found)?;
        let label = label.unwrap_or_default();
        let (name, description) = match kind {
            PointKind::Backup => (String::new(), label),
            PointKind::Snapshot if label.is_empty() => ("snapshot".to_owned(), label),
            PointKind::Snapshot => {
                let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
                (label.chars().map(allowed).collect(), label)
            }
        };
        let new = NewPoint { kind, server, name, description, altered: altered(context) };
        let point = state.account.create(simulator.now(), new, Cause::client(context.seq))?;
        Ok((StatusCode::CREATED, Json(state.account.show_created(&point))))
    })
}

async fn me(State(simulator): State<Simulator>) -> ApiResponse {
    ok(simulator.with_state(|state| state.account.show_account()))
}
