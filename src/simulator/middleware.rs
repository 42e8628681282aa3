//! The middleware for every API request: the record, the rate limit, the faults, the token. Only then does the request
//! reach the account, and its answer passes through here again.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::account::Account;
use super::answers::{self, LostAnswer};
use super::call::Call;
use super::effects::{Effect, StatusEffect};
use super::faults::{FaultMatch, IncomingRequest};
use super::paging::{named_server, pairs};
use super::person::PersonAction;
use super::point::PointKind;
use super::points::ApiRefusal;
use super::provider::{Simulator, SimulatorState};
use super::record::{Request as Recorded, What};

/// The prefix of all API paths.
pub const BASE: &str = "/api/v1";

/// The largest request body that is read.
const LARGEST_BODY: usize = 1 << 20;

/// A request on its way to its handler.
#[derive(Debug)]
pub(super) struct RequestContext {
    /// Its number in the record.
    pub(super) seq: u64,
    /// `http://host/api/v1/backups/`.
    pub(super) url: String,
    pub(super) query: Vec<(String, String)>,
    /// The request body; an empty body becomes an empty object.
    pub(super) body: Value,
    pub(super) effect: Option<Effect>,
}

/// Handles a request, applying faults.
pub(super) async fn handle(State(simulator): State<Simulator>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST_BODY).await else {
        return answers::refusal(&ApiRefusal::detail(413, "Request body too large."));
    };
    let Some((context, faults)) = simulator.enter(&parts, &bytes) else {
        return answers::lost(LostAnswer::Refused);
    };
    let latency = simulator.with_state(|state| state.account.options.latency);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let effect = context.effect.clone();
    let seq = context.seq;
    let real = if effect.as_ref().is_none_or(Effect::carries_out) {
        let response = match simulator.check_token(&parts) {
            Err(refusal) => answers::refusal(&refusal),
            Ok(()) => match body_of(&parts.headers, &bytes) {
                Err(refusal) => answers::refusal(&refusal),
                Ok(()) => {
                    let mut request = Request::from_parts(parts, Body::empty());
                    request.extensions_mut().insert(Arc::new(context));
                    next.run(request).await
                }
            },
        };
        simulator.carried_out(seq, response.status().as_u16());
        response
    } else {
        ().into_response()
    };
    simulator.act_all(&faults.after);
    let now = simulator.with_state(|state| state.account.shown(simulator.now()));
    let mut response = match effect {
        Some(effect) => answers::apply_effect(&effect, real, now).await,
        None => real,
    };
    if LostAnswer::of(&response).is_none() {
        simulator.answered(seq, response.status().as_u16());
    }
    let date = answers::http_date(simulator.with_state(|state| state.account.shown(simulator.now())));
    if let Ok(date) = HeaderValue::from_str(&date) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

fn body_of(headers: &HeaderMap, bytes: &Bytes) -> Result<(), ApiRefusal> {
    if bytes.is_empty() {
        return Ok(());
    }
    let json = headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if !json {
        return Err(ApiRefusal::detail(415, "Unsupported media type in request."));
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(_)) => Ok(()),
        Ok(_) => Err(ApiRefusal::detail(400, "Invalid data. Expected a dictionary.")),
        Err(error) => Err(ApiRefusal::detail(400, format!("JSON parse error - {error}"))),
    }
}

impl Simulator {
    /// Records the request and decides which faults apply; `None` if connections are refused.
    fn enter(&self, parts: &axum::http::request::Parts, bytes: &Bytes) -> Option<(RequestContext, FaultMatch)> {
        let now = self.now();
        let path = parts.uri.path();
        let query = parts.uri.query().unwrap_or_default();
        let body: Value = serde_json::from_slice(bytes).unwrap_or_else(|_| json!({}));
        let pairs = pairs(query);
        let mut guard = self.lock();
        let state = &mut *guard;
        state.account.advance_to(now);
        if state.refuse_until.is_some_and(|until| now < until) {
            return None;
        }
        let short = path.strip_prefix(BASE).unwrap_or(path);
        let (call, kind, server) = state.account.classify(&parts.method, short, named_server(&pairs, &body));
        let (method, path_text, query_text) = (parts.method.to_string(), short.to_owned(), query.to_owned());
        let incoming = IncomingRequest { method, path: path_text, query: query_text, call, kind, server };
        let faults = state.faults_for(now, &incoming);
        for act in &faults.before {
            // The action may no longer be possible. Then it changes nothing.
            let _ = state.account.act(now, act);
        }
        let seq = state.record_request(now, incoming, &body, &faults);
        let origin = state.account.options.next_origin.clone().unwrap_or_else(|| origin_of(parts));
        let url = format!("{origin}{path}");
        Some((RequestContext { seq, url, query: pairs, body, effect: faults.effect.clone() }, faults))
    }

    fn check_token(&self, parts: &axum::http::request::Parts) -> Result<(), ApiRefusal> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(header) = header else {
            return Err(ApiRefusal::detail(401, "Authentication credentials were not provided."));
        };
        let token = header.strip_prefix("Bearer ").unwrap_or_default();
        self.with_state(|state| {
            let options = &state.account.options;
            if !options.token.as_ref().map_or(token.starts_with("vps_"), |good| good == token) {
                return Err(ApiRefusal::detail(401, "Invalid token."));
            }
            let words: &[&str] =
                if parts.method == Method::GET { &["servers:*", "*:*", "servers:read"] } else { &["servers:*", "*:*"] };
            let may = options.permissions.iter().any(|permission| words.contains(&permission.as_str()));
            if may || parts.uri.path().ends_with("/account/me/") {
                Ok(())
            } else {
                Err(ApiRefusal::detail(403, "You do not have permission to perform this action."))
            }
        })
    }

    fn act_all(&self, acts: &[PersonAction]) {
        for act in acts {
            let _ = self.act(act);
        }
    }

    fn carried_out(&self, seq: u64, status: u16) {
        if let Some(request) = self.lock().account.record.request_mut(seq) {
            request.carried_out = true;
            request.account_status = Some(status);
        }
    }

    fn answered(&self, seq: u64, status: u16) {
        if let Some(request) = self.lock().account.record.request_mut(seq) {
            request.status = Some(status);
        }
    }
}

impl SimulatorState {
    fn faults_for(&mut self, now: Timestamp, incoming: &IncomingRequest) -> FaultMatch {
        let options = &self.account.options;
        if options.requests_per_second.is_some_and(|rate| !self.rate_limit.take(now, rate)) {
            let status = StatusEffect { retry_after: options.retry_after, ..StatusEffect::new(429) };
            let names = vec!["rate_limit".to_owned()];
            return FaultMatch { names, effect: Some(Effect::Status(status)), ..FaultMatch::default() };
        }
        self.faults.matching(now, incoming, &self.account, &mut self.random)
    }

    fn record_request(&mut self, now: Timestamp, incoming: IncomingRequest, body: &Value, faults: &FaultMatch) -> u64 {
        if incoming.method == "GET" && !self.account.options.record_reads {
            return 0;
        }
        let request = Recorded {
            server: incoming.server.map(|index| self.account.servers[index].name().to_owned()),
            method: incoming.method,
            path: incoming.path,
            query: incoming.query,
            body: if body.as_object().is_some_and(serde_json::Map::is_empty) { Value::Null } else { body.clone() },
            faults: faults.names.clone(),
            carried_out: false,
            account_status: None,
            status: None,
        };
        self.account.record.push(now, What::Request(request))
    }
}

impl Account {
    /// The call, the kind and the server of a request.
    fn classify(&self, method: &Method, path: &str, named: Option<String>) -> (Call, Option<PointKind>, Option<usize>) {
        let words: Vec<&str> = path.trim_matches('/').split('/').collect();
        let named = named.and_then(|key| self.find_server_by_key(&key));
        let kind = match words[0] {
            "backups" => Some(PointKind::Backup),
            "snapshots" => Some(PointKind::Snapshot),
            _ => None,
        };
        let of_point =
            |kind: PointKind, id: &str| self.true_id(id).and_then(|id| self.point(kind, id)).map(|point| point.server);
        match (method.as_str(), words.as_slice(), kind) {
            ("GET", [_], Some(kind)) => (Call::List, Some(kind), named),
            ("POST", [_], Some(kind)) => (Call::Create, Some(kind), named),
            ("DELETE", [_, id], Some(kind)) => (Call::Delete, Some(kind), of_point(kind, id)),
            ("POST", [_, id, "restore"], Some(kind)) => (Call::Restore, Some(kind), of_point(kind, id)),
            ("GET", ["servers"], _) => (Call::Servers, None, None),
            ("GET", ["servers", key], _) => (Call::Server, None, self.find_server_by_key(key)),
            ("POST", ["servers", key, "power"], _) => (Call::Power, None, self.find_server_by_key(key)),
            ("POST", ["servers", key, "restore"], _) => {
                (Call::Restore, Some(PointKind::Backup), self.find_server_by_key(key))
            }
            ("POST", ["servers", key, "backup"], _) => {
                (Call::Create, Some(PointKind::Backup), self.find_server_by_key(key))
            }
            ("POST", ["servers", key, "snapshot"], _) => {
                (Call::Create, Some(PointKind::Snapshot), self.find_server_by_key(key))
            }
            ("GET", ["account", "me"], _) => (Call::Account, None, None),
            _ => (Call::Unknown, None, None),
        }
    }
}

fn origin_of(parts: &axum::http::request::Parts) -> String {
    let in_header = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let in_uri = parts.uri.authority().map(axum::http::uri::Authority::as_str);
    let scheme = parts.uri.scheme_str().unwrap_or("http");
    format!("{scheme}://{}", in_header.or(in_uri).unwrap_or("simulator"))
}
