//! PURE: which of the API's endpoints a request goes to, and how it ended, for those who count requests.

use std::time::Duration;

use http::Method;

/// An endpoint of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Endpoint {
    /// The account's servers.
    Servers,
    /// One server.
    Server,
    /// Backups, of the account or of one server.
    Backups,
    /// Snapshots, of the account or of one server.
    Snapshots,
    /// A new restore point.
    Create,
    /// The delete of a restore point.
    Delete,
    /// The start or stop of a server.
    Power,
    /// The restore of a server.
    Restore,
    /// The token's owner.
    Account,
}

impl Endpoint {
    /// The endpoint of a request with this method, below the API's base.
    pub(super) fn of(method: &Method, segments: &[&str]) -> Self {
        match (method, segments) {
            (&Method::POST, [_, _, "restore"]) => Self::Restore,
            (&Method::POST, [_, _, "power"]) => Self::Power,
            (&Method::DELETE, _) => Self::Delete,
            (&Method::POST, _) => Self::Create,
            (_, ["servers"]) => Self::Servers,
            (_, ["servers", ..]) => Self::Server,
            (_, ["backups", ..]) => Self::Backups,
            (_, ["snapshots", ..]) => Self::Snapshots,
            _ => Self::Account,
        }
    }

    /// The word in metrics.
    #[must_use]
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Servers => "servers",
            Self::Server => "server",
            Self::Backups => "backups",
            Self::Snapshots => "snapshots",
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Power => "power",
            Self::Restore => "restore",
            Self::Account => "account",
        }
    }
}

/// A request that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndedRequest {
    /// Where it went.
    pub(crate) endpoint: Endpoint,
    /// The status of its answer; `None` when there was no complete answer.
    pub(crate) status: Option<u16>,
    /// From sending it to the end of its answer.
    pub(crate) took: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_of_the_client_has_its_endpoint() {
        for (method, segments, word) in [
            (Method::GET, &["servers"][..], "servers"),
            (Method::GET, &["servers", "12345"], "server"),
            // The provider may give a server any id.
            (Method::GET, &["servers", "restore"], "server"),
            (Method::GET, &["backups"], "backups"),
            (Method::GET, &["snapshots"], "snapshots"),
            (Method::GET, &["account", "me"], "account"),
            (Method::POST, &["backups"], "create"),
            (Method::POST, &["snapshots"], "create"),
            (Method::DELETE, &["snapshots", "801"], "delete"),
            (Method::POST, &["servers", "12345", "power"], "power"),
            (Method::POST, &["servers", "12345", "restore"], "restore"),
            (Method::POST, &["snapshots", "801", "restore"], "restore"),
        ] {
            assert_eq!(Endpoint::of(&method, segments).word(), word, "{method} {segments:?}");
        }
    }
}
