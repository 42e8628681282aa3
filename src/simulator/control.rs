//! The control endpoint `/_control/`, through which people and tests change the simulated provider. For loopback only,
//! without a token. Not part of the provider's API.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::Rule;
use super::options::PointSpec;
use super::person::{Edit, PersonAction, Pick};
use super::points::seconds;
use super::provider::{Simulator, SimulatorState};

/// The control endpoint.
pub(super) fn router() -> Router<Simulator> {
    Router::new()
        .route("/state", get(|State(simulator): State<Simulator>| async move { Json(simulator.state_json()) }))
        .route("/record", get(|State(simulator): State<Simulator>| async move { Json(simulator.record_json()) }))
        .route("/faults", get(list_faults).post(add_faults).delete(clear_faults))
        .route(
            "/act",
            post(|State(simulator): State<Simulator>, Json(act): Json<PersonAction>| async move {
                answer(simulator.act(&act))
            }),
        )
        .route(
            "/points",
            post(|State(simulator): State<Simulator>, Json(spec): Json<PointSpec>| async move {
                answer(simulator.act(&PersonAction::CreatePoint(spec)))
            }),
        )
        .route(
            "/points/delete",
            post(|State(simulator): State<Simulator>, Json(pick): Json<Pick>| async move {
                answer(simulator.act(&PersonAction::DeletePoint(pick)))
            }),
        )
        .route(
            "/points/edit",
            post(|State(simulator): State<Simulator>, Json(edit): Json<Edit>| async move {
                answer(simulator.act(&PersonAction::EditPoint(edit)))
            }),
        )
        .route(
            "/servers",
            post(|State(simulator): State<Simulator>, Json(act): Json<PersonAction>| async move {
                answer(simulator.act(&act))
            }),
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
enum OneOrMany {
    Many(Vec<Rule>),
    One(Box<Rule>),
}

async fn add_faults(State(simulator): State<Simulator>, Json(rules): Json<Value>) -> Response {
    // Read in two steps, because errors of an untagged enum do not say what was wrong.
    let parsed = if rules.is_array() {
        serde_json::from_value(rules).map(OneOrMany::Many)
    } else {
        serde_json::from_value(rules).map(OneOrMany::One)
    };
    match parsed {
        Ok(OneOrMany::Many(many)) => many.into_iter().for_each(|rule| simulator.add_fault(rule)),
        Ok(OneOrMany::One(rule)) => simulator.add_fault(*rule),
        Err(error) => return answer(Err(json!({ "detail": error.to_string() }))),
    }
    (StatusCode::CREATED, Json(simulator.with_state(faults_json))).into_response()
}

async fn list_faults(State(simulator): State<Simulator>) -> Response {
    Json(simulator.with_state(faults_json)).into_response()
}

fn faults_json(state: &mut SimulatorState) -> Value {
    json!({ "faults": state.faults.0 })
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

/// Merges the given fields into the options. `servers` and `foreign` only matter at the start.
async fn set_options(State(simulator): State<Simulator>, Json(body): Json<Value>) -> Response {
    let mut whole = simulator.with_state(|state| serde_json::to_value(&state.account.options).unwrap_or_default());
    let (Value::Object(whole_fields), Value::Object(fields)) = (&mut whole, body) else {
        return answer(Err(json!({ "detail": "An object is required." })));
    };
    whole_fields.extend(fields);
    match serde_json::from_value(whole) {
        Ok(options) => {
            simulator.with_state(|state| state.account.options = options);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => answer(Err(json!({ "detail": error.to_string() }))),
    }
}

async fn refuse(State(simulator): State<Simulator>, Json(body): Json<Value>) -> Response {
    let duration = seconds(body.get("seconds").and_then(Value::as_f64));
    let Some(duration) = duration else {
        return answer(Err(json!({ "seconds": ["A number of seconds is required."] })));
    };
    simulator.refuse_for(duration);
    StatusCode::NO_CONTENT.into_response()
}
