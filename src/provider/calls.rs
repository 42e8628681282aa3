//! All calls other than lists: the account, one server, and the writes.
//!
//! A write that fails with `outcome_unknown` may have been carried out; the list shows whether it was.

use http::Method;
use serde_json::Value;

use crate::policy::inventory::{Kind, PointId, RestorePoint, Server, ServerId, ServerStatus};
use crate::provider::api_object::ApiObject;
use crate::provider::client::{BeforeSend, Client, segment};
use crate::provider::error::ProviderError;
use crate::provider::{bounded, convert, wire};

/// The token's owner and permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// The account's mail address; empty if the provider gives none.
    pub email: String,
    /// The token's name.
    pub token_name: String,
    /// `servers:*`, `servers:read`, `*:*`.
    pub permissions: Vec<String>,
}

impl TokenInfo {
    /// Whether a permission covers this action on this resource (such as `servers`, `write`).
    #[must_use]
    pub fn may(&self, resource: &str, action: &str) -> bool {
        self.permissions.iter().any(|permission| {
            let (of, what) = permission.split_once(':').unwrap_or((permission, "*"));
            (of == "*" || of == resource) && (what == "*" || what == action)
        })
    }
}

/// A request for a new restore point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateRequest {
    /// The server.
    pub server: ServerId,
    /// Backup or snapshot.
    pub kind: Kind,
    /// A snapshot's name: letters, digits, `-` and `_`. Not sent for a backup.
    pub name: Option<String>,
    /// The description.
    pub description: String,
}

/// A create that the provider accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The new point's id; `None` if the answer does not contain it. Then the list must be searched for the mark.
    pub id: Option<PointId>,
    /// The new point, if the answer contains a readable one.
    pub point: Option<RestorePoint>,
}

/// The result of a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The provider accepted it. The point keeps its slot until the list no longer shows it.
    Accepted,
    /// The provider does not know the point (404). Only the list shows for certain that it is gone.
    AlreadyGone,
}

/// A power action. There is deliberately no hard stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Start it.
    Start,
    /// Shut it down cleanly.
    Stop,
}

/// A restore that the provider has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreStarted {
    /// The provider's message.
    pub message: Option<String>,
    /// The server's new status (`restoring`), if the answer contains it.
    pub server_status: Option<ServerStatus>,
}

impl Client {
    /// The token's owner and permissions. Any valid token may ask.
    ///
    /// # Errors
    /// Any `ProviderError`; 401 means that the token is not, or no longer, valid.
    pub async fn token_info(&self) -> Result<TokenInfo, ProviderError> {
        let call = self.read(&["account", "me"], "reading the account")?;
        let (value, answer) = self.json(&call).await?;
        let part = |key: &str| value.get(key).filter(|part| part.is_object());
        let (account, token) = (part("account"), part("token"));
        if account.is_none() && token.is_none() {
            return Err(call.failed(self.not_understood(&answer, "it describes no account")));
        }
        let masks = &self.link().masks;
        let word = |value: &Value| convert::word(&value.into(), masks);
        let text = |part: Option<&Value>, key: &str| part.and_then(|part| word(part.get(key)?)).unwrap_or_default();
        let permissions = token.and_then(|token| token.get("permissions")?.as_array());
        Ok(TokenInfo {
            email: text(account, "email"),
            token_name: text(token, "name"),
            permissions: permissions.into_iter().flatten().filter_map(word).collect(),
        })
    }

    /// One server in its current state.
    ///
    /// # Errors
    /// Any `ProviderError`; 404 when there is no such server.
    pub async fn server(&self, id: &ServerId) -> Result<Server, ProviderError> {
        let call = self.read(&["servers", &segment(id)], format!("reading server {id}"))?;
        let (value, answer) = self.json(&call).await?;
        let masks = &self.link().masks;
        described(&value, "server")
            .ok_or_else(|| "it describes no server".to_owned())
            .and_then(|entry| convert::server(&entry, masks))
            .map_err(|what| call.failed(self.not_understood(&answer, &what)))
    }

    /// Requests a restore point. It is complete once a list says so.
    ///
    /// # Errors
    /// Any `ProviderError`. With `outcome_unknown`, the point may exist or be in progress.
    pub async fn create(&self, request: &CreateRequest) -> Result<Created, ProviderError> {
        let CreateRequest { server, kind, name, description } = request;
        let doing = format!("creating a {kind} of server {server}");
        let name = name.as_deref().filter(|_| *kind == Kind::Snapshot);
        let body = wire::Create { server_id: server, name, description };
        let call = self.call(Method::POST, &[kind.plural()], doing)?.with_json(&body);
        let (value, _) = self.json(&call).await?;
        let (entry, masks) = (described(&value, kind.word()), &self.link().masks);
        Ok(Created {
            id: entry.as_ref().and_then(|entry| convert::point_id(entry, masks)),
            point: entry.and_then(|entry| convert::point(*kind, &entry, masks).ok()).map(|listed| listed.point),
        })
    }

    /// Deletes a restore point permanently.
    ///
    /// # Errors
    /// Any `ProviderError` except 404, which is `AlreadyGone`.
    pub async fn delete(&self, kind: Kind, id: &PointId) -> Result<Deleted, ProviderError> {
        self.delete_if(kind, id, &|| Box::pin(std::future::ready(Ok(())))).await
    }

    /// As `delete`, if `before_send` still allows it when the call is about to be sent: after the rate limiter, and
    /// after each pause that the provider asked for.
    ///
    /// # Errors
    /// As `delete`; `ErrorKind::Withheld` when it was not sent.
    pub async fn delete_if(
        &self,
        kind: Kind,
        id: &PointId,
        before_send: &BeforeSend<'_>,
    ) -> Result<Deleted, ProviderError> {
        let call = self.call(Method::DELETE, &[kind.plural(), &segment(id)], format!("deleting {kind} {id}"))?;
        match self.send_if(&call, before_send).await {
            // An HTML page does not come from the provider's API, whatever its status.
            Ok(answer) if is_page(&answer.body) => Err(call.failed(self.not_understood(&answer, "it is not JSON"))),
            Ok(_) => Ok(Deleted::Accepted),
            Err(error) if error.status() == Some(404) => Ok(Deleted::AlreadyGone),
            Err(error) => Err(error),
        }
    }

    /// Starts or stops a server. Done once its status says so.
    ///
    /// # Errors
    /// Any `ProviderError`.
    pub async fn power(&self, server: &ServerId, power: Power) -> Result<(), ProviderError> {
        let (action, doing) = match power {
            Power::Start => ("start", "starting"),
            Power::Stop => ("stop", "stopping"),
        };
        let call = self
            .call(Method::POST, &["servers", &segment(server), "power"], format!("{doing} server {server}"))?
            .with_json(&wire::PowerAction { action });
        let answer = self.send(&call).await?;
        if is_page(&answer.body) {
            return Err(call.failed(self.not_understood(&answer, "it is not JSON")));
        }
        Ok(())
    }

    /// Overwrites a server with one of its restore points.
    ///
    /// # Errors Any `ProviderError`. With `outcome_unknown`, the restore may have started; it must not be sent again
    /// without a check.
    pub async fn restore(
        &self,
        kind: Kind,
        server: &ServerId,
        point: &PointId,
    ) -> Result<RestoreStarted, ProviderError> {
        let doing = format!("restoring server {server} from {kind} {point}");
        let call = match kind {
            Kind::Backup => self
                .call(Method::POST, &["servers", &segment(server), "restore"], doing)?
                .with_json(&wire::RestoreBackup { backup_id: point }),
            Kind::Snapshot => self.call(Method::POST, &["snapshots", &segment(point), "restore"], doing)?,
        };
        let answer = self.send(&call).await?;
        if is_page(&answer.body) {
            return Err(call.failed(self.not_understood(&answer, "it is not JSON")));
        }
        let value = bounded::answer(&answer.body).unwrap_or_default();
        let status = value.pointer("/server/status").and_then(|word| convert::word(&word.into(), &self.link().masks));
        Ok(RestoreStarted {
            message: value
                .get("message")
                .and_then(Value::as_str)
                .map(|words| self.tidy(words))
                .filter(|it| !it.is_empty()),
            server_status: status.map(|word| convert::server_status(&word)),
        })
    }
}

/// The object in an answer: the answer itself, or its field `word`.
fn described(value: &Value, word: &str) -> Option<ApiObject> {
    let fields = value.as_object()?;
    if fields.contains_key("id") || fields.contains_key("uuid") {
        return Some(ApiObject::of(fields));
    }
    Some(ApiObject::of(fields.get(word).and_then(Value::as_object).unwrap_or(fields)))
}

/// Whether a body is neither empty nor JSON.
fn is_page(body: &[u8]) -> bool {
    !body.iter().all(u8::is_ascii_whitespace) && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err()
}
