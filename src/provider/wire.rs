//! What goes over the wire, read with tolerance: unknown fields and nulls are fine, ids are integers or texts.
//!
//! Nothing here decides what a missing field means; that is `convert` (things) and `lists` (completeness).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::policy::inventory::Id;

/// An object as the provider gave it, its fields in its order.
pub type Fields = Map<String, Value>;

/// One page of a list.
#[derive(Debug, PartialEq)]
pub(crate) struct Page {
    /// The number of all matches, where the provider says it in a way that can be read.
    pub(crate) count: Option<u64>,
    /// Where the next page is.
    pub(crate) next: Next,
    /// The entries.
    pub(crate) results: Vec<Value>,
}

/// What a page says about the page after it.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// There is none.
    None,
    /// There is one, at this address.
    At(String),
    /// There is one, and its address cannot be read.
    Unreadable,
}

/// A page from an answer's body: `{"count", "results"}`, the same with `next`, or a bare array.
pub(crate) fn page(value: Value) -> Result<Page, &'static str> {
    match value {
        Value::Array(results) => Ok(Page { count: None, next: Next::None, results }),
        Value::Object(mut fields) => {
            let Some(Value::Array(results)) = fields.remove("results") else {
                return Err("a list was expected, and it has no \"results\"");
            };
            let next = match fields.remove("next") {
                None | Some(Value::Null) => Next::None,
                Some(Value::String(text)) if text.trim().is_empty() => Next::None,
                Some(Value::String(text)) => Next::At(text),
                Some(_) => Next::Unreadable,
            };
            Ok(Page { count: fields.get("count").and_then(Value::as_u64), next, results })
        }
        _ => Err("a list was expected"),
    }
}

/// An id: an integer or a text that is not empty.
pub(crate) fn id(value: Option<&Value>) -> Option<Id> {
    match value? {
        Value::Number(number) => number.as_i64().map(Id::Number),
        Value::String(_) => text(value).map(|text| Id::Text(text.to_owned())),
        _ => None,
    }
}

/// A text that is not blank, without the white space around it.
pub(crate) fn text(value: Option<&Value>) -> Option<&str> {
    value?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// An RFC 3339 time: with or without fractions, in UTC or with an offset.
pub(crate) fn time(value: Option<&Value>) -> Option<Timestamp> {
    text(value)?.parse().ok()
}

/// A whole number of MB from an integer, a fraction or a text; nothing when it makes no sense.
pub(crate) fn megabytes(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    if let Some(whole) = value.as_u64() {
        return Some(whole);
    }
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    // 2^53: beyond it a fraction says nothing, and no disk is that large.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was just checked")]
    (0.0..9_007_199_254_740_992.0).contains(&number).then_some(number as u64)
}

/// The answer of `GET /account/me/`.
#[derive(Debug, Deserialize)]
pub(crate) struct Me {
    #[serde(default)]
    pub(crate) account: Fields,
    #[serde(default)]
    pub(crate) token: Fields,
}

/// The body of `POST /backups/` and `POST /snapshots/`.
#[derive(Debug, Serialize)]
pub(crate) struct Create<'a> {
    pub(crate) server_id: &'a Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    pub(crate) description: &'a str,
}

/// The body of `POST /servers/{id}/restore/`.
#[derive(Debug, Serialize)]
pub(crate) struct RestoreBackup<'a> {
    pub(crate) backup_id: &'a Id,
}

/// The body of `POST /servers/{id}/power/`.
#[derive(Debug, Serialize)]
pub(crate) struct PowerAction {
    pub(crate) action: &'static str,
}
