//! The values on the wire, read tolerantly: nulls are fine, ids are integers or texts. What a missing field means is
//! decided in `convert` (objects) and `lists` (completeness).

use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::policy::inventory::{PointId, ServerId};

/// The most bytes read of one text.
pub(crate) const TEXT_BYTES: usize = 64 * 1024;

/// The most bytes of a text after cleaning.
pub(crate) const TEXT_BYTES_KEPT: usize = 4 * crate::policy::text::LONGEST;

/// A field's value, reduced to what this API needs. A missing field is null.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Scalar {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    /// Too large for an id.
    Large(u64),
    Float(f64),
    Text(String),
    /// `a list` or `an object`.
    Other(&'static str),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Large(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl From<&Value> for Scalar {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(whole), _) => Self::Int(whole),
                (None, Some(large)) => Self::Large(large),
                (None, None) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(_) => Self::Other("a list"),
            Value::Object(_) => Self::Other("an object"),
        }
    }
}

impl Scalar {
    pub(crate) fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// The text, blank or not.
    pub(crate) fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A non-blank text, trimmed.
    pub(crate) fn text(&self) -> Option<&str> {
        self.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    /// An RFC 3339 time.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        crate::provider::time::rfc3339(self.text()?)
    }

    /// A whole number of MB from an integer, a fraction or a text; `None` if it makes no sense.
    pub(crate) fn megabytes(&self) -> Option<u64> {
        let number = match self {
            Self::Int(whole) => return u64::try_from(*whole).ok(),
            Self::Large(whole) => return Some(*whole),
            Self::Float(number) => *number,
            _ => self.text()?.parse().ok()?,
        };
        // Beyond 2^53 an f64 is not exact, and no disk is that large.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was just checked")]
        (0.0..9_007_199_254_740_992.0).contains(&number).then_some(number as u64)
    }

    /// How many bytes are kept if it is a text.
    pub(crate) fn bytes(&self) -> usize {
        self.as_str().map_or(0, |text| text.len().min(TEXT_BYTES_KEPT))
    }
}

/// The text, cut to `TEXT_BYTES`.
pub(crate) fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES)]
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// Reads any value.
pub(crate) struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(value).map_or(Scalar::Large(value), Scalar::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(beginning(value).to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other("an object"))
    }
}

/// The body of `POST /backups/` and `POST /snapshots/`.
#[derive(Debug, Serialize)]
pub(crate) struct Create<'a> {
    pub(crate) server_id: &'a ServerId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    pub(crate) description: &'a str,
}

/// The body of `POST /servers/{id}/restore/`.
#[derive(Debug, Serialize)]
pub(crate) struct RestoreBackup<'a> {
    pub(crate) backup_id: &'a PointId,
}

/// The body of `POST /servers/{id}/power/`.
#[derive(Debug, Serialize)]
pub(crate) struct PowerAction {
    pub(crate) action: &'static str,
}
