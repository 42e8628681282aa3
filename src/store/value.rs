//! How our values are stored in columns: times as nanoseconds, keys and enums as JSON, words as they are.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::policy::inventory::{Kind, PointStatus, ServerId};
use crate::policy::name::PolicyName;
use crate::store::StoreError;

/// A server and kind, as stored in columns.
#[derive(Clone, Debug)]
pub(super) struct ServerKind {
    /// The server's key.
    pub server: String,
    /// The word of the kind.
    pub kind: &'static str,
}

impl ServerKind {
    /// The columns of a server and kind.
    pub(super) fn of(server: &ServerId, kind: Kind) -> Result<Self, StoreError> {
        Ok(Self { server: json(server)?, kind: kind.word() })
    }
}

/// Nanoseconds since 1970; times beyond the year 2262 are taken as its end.
pub(super) fn nanos(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(if at.as_second() > 0 { i64::MAX } else { i64::MIN })
}

/// The time that `nanos` wrote.
pub(super) fn time(nanos: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).expect("64 bits of nanoseconds lie within jiff's years")
}

/// Milliseconds, as a column holds a duration.
pub(super) fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// The duration that `milliseconds` wrote.
pub(super) fn duration(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
}

/// A value as JSON, for a column.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    Ok(serde_json::to_string(value)?)
}

/// A value from a column.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    Ok(serde_json::from_str(text)?)
}

/// The value that a column names with a bare word: a kind, a topic, a channel.
pub(super) fn read_word<T: DeserializeOwned>(word: &str) -> Result<T, StoreError> {
    Ok(T::deserialize(serde::de::value::StrDeserializer::<serde_json::Error>::new(word))?)
}

impl FromSql for PolicyName {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(FromSqlError::other)
    }
}

impl ToSql for PolicyName {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.as_str().to_sql()
    }
}

/// The status of a point that has this word.
pub(super) fn status_of_word(word: String) -> PointStatus {
    let known = [PointStatus::InProgress, PointStatus::Completed, PointStatus::Failed];
    known.into_iter().find(|status| status.to_string() == word).unwrap_or(PointStatus::Other(word))
}
