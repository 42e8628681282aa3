//! What keeps a slot from being emptied and a person can end: holds and `protect`. With the words that say how.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::inventory::{Id, Kind, ServerRef};

/// What a person can end when there is no room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotBlocker {
    /// A hold on the whole server.
    Server {
        /// The server.
        server: ServerRef,
        /// The words of the person.
        reason: String,
        /// Until when; `None`: until it is released.
        until: Option<Timestamp>,
    },
    /// A hold on a point.
    Point {
        /// The point.
        id: Id,
        /// The words of the person.
        reason: String,
        /// Until when; `None`: until it is released.
        until: Option<Timestamp>,
    },
    /// A pattern of `protect`.
    Protected {
        /// The point that it keeps.
        id: Id,
        /// The pattern.
        pattern: String,
    },
}

impl SlotBlocker {
    /// What is in the way, and how it ends.
    #[must_use]
    pub fn explanation(&self, kind: Kind) -> String {
        let until = |until: &Option<Timestamp>| {
            until.map_or_else(|| "until it is released".to_owned(), |until| format!("until {until}"))
        };
        match self {
            Self::Server { server, reason, until: end } => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                let name = if server.name.chars().all(plain) { server.name.clone() } else { server.id.to_string() };
                let until = until(end);
                format!(
                    "the server is on hold ({reason}; {until}): `lastgood release server {name}` lets points go again"
                )
            }
            Self::Point { id, reason, until: end } => {
                let until = until(end);
                format!("{kind} {id} is on hold ({reason}; {until}): `lastgood release {kind} {id}` ends that")
            }
            Self::Protected { id, pattern } => format!("{kind} {id} is protected by \"{pattern}\""),
        }
    }
}
