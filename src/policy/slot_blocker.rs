//! What keeps a slot taken and a person can end: holds and `protect`, with a text that says how.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::inventory::{Kind, PointId, ServerRef};

/// Something that keeps a slot taken and that a person can end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotBlocker {
    /// A hold on the whole server.
    Server {
        /// The server.
        server: ServerRef,
        /// The person's reason.
        reason: String,
        /// When it ends; `None` means when it is released.
        until: Option<Timestamp>,
    },
    /// A hold on a point.
    Point {
        /// The point.
        id: PointId,
        /// The person's reason.
        reason: String,
        /// When it ends; `None` means when it is released.
        until: Option<Timestamp>,
    },
    /// A pattern of `protect`.
    Protected {
        /// The point that it keeps.
        id: PointId,
        /// The pattern.
        pattern: String,
    },
}

impl SlotBlocker {
    /// What keeps the slot taken, and how to end it.
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
                    "the server is on hold ({reason}; {until}): `lastgood release server {name}` allows deletes again"
                )
            }
            Self::Point { id, reason, until: end } => {
                let until = until(end);
                format!("{kind} {id} is on hold ({reason}; {until}): `lastgood release {kind} {id}` ends the hold")
            }
            Self::Protected { id, pattern } => format!("{kind} {id} is protected by \"{pattern}\""),
        }
    }
}
