//! How our values stand in columns: times as nanoseconds, keys and enums as JSON.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::StoreError;

/// Nanoseconds since 1970; times beyond the year 2262 are taken as its end.
pub fn nanos(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(if at.as_second() > 0 { i64::MAX } else { i64::MIN })
}

/// The time that `nanos` wrote.
pub fn time(nanos: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).expect("64 bits of nanoseconds lie within jiff's years")
}

/// JSON, as it stands in a column.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    Ok(serde_json::to_string(value)?)
}

/// A value out of a column.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    Ok(serde_json::from_str(text)?)
}
