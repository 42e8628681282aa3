//! The provider's own fields of an entry, for `list --json`: as given, except for size limits and cleaned texts.

use std::fmt;

use serde_json::{Map, Value};

use crate::provider::text::Masks;

/// The fields of one server, backup or snapshot in the provider's order. Stored as compact JSON, because lists are
/// long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields(Box<str>);

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Fields {
    /// The fields, with every name and text cleaned.
    pub(crate) fn new(fields: Map<String, Value>, masks: &Masks) -> Self {
        Self(Value::Object(cleaned(fields, masks)).to_string().into())
    }

    /// The fields as JSON.
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

fn cleaned(fields: Map<String, Value>, masks: &Masks) -> Map<String, Value> {
    fields.into_iter().map(|(key, value)| (masks.clean(&key), clean(value, masks))).collect()
}

fn clean(value: Value, masks: &Masks) -> Value {
    match value {
        Value::String(text) => masks.clean(&text).into(),
        Value::Array(items) => items.into_iter().map(|item| clean(item, masks)).collect(),
        Value::Object(fields) => cleaned(fields, masks).into(),
        other => other,
    }
}
