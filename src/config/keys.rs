//! Every key of the policy file, once. The reader takes names, bounds and defaults from here, and `reference` builds
//! the tables of docs/policy.md from it.

use crate::config::key_spec::DefaultValue::{Depends, Is, Nothing, Required};
use crate::config::key_spec::{DefaultValue, KeySpec, TableSpec, TextForm, ValueKind};

const MANY: u32 = 10_000;

const fn key(name: &'static str, takes: ValueKind, default: DefaultValue, words: &'static str) -> KeySpec {
    KeySpec { name, takes, default, words }
}

/// The file itself.
pub(super) static FILE_KEYS: TableSpec = TableSpec {
    heading: "",
    keys: &[
        key("provider", ValueKind::Table(&PROVIDER), Nothing, "the account at the provider"),
        key("state", ValueKind::Table(&STATE), Nothing, "where lastgood stores what it has done"),
        key(
            "defaults",
            ValueKind::Table(&POLICY),
            Nothing,
            "any key of a policy; policies inherit it; reports inherit its `timezone`",
        ),
        key("policy", ValueKind::Named(&POLICY), Nothing, "what to create, when, and what to keep"),
        key(
            "server",
            ValueKind::OfServers(&POLICY),
            Nothing,
            "what differs on one server, or a policy of that server only",
        ),
        key("smtp", ValueKind::Table(&SMTP), Nothing, "how mail is sent"),
        key("report", ValueKind::Named(&REPORT), Nothing, "who receives which reports"),
        key("status", ValueKind::Table(&STATUS), Nothing, "the page, and servers that need no policy"),
    ],
};

/// `[provider]`.
pub(super) static PROVIDER: TableSpec = TableSpec {
    heading: "[provider]",
    keys: &[
        key(
            "url",
            ValueKind::Text(TextForm::ProviderUrl),
            Is("\"https://admin.vps.org/api/v1\""),
            "the API; the variable VPS_API_URL overrides it",
        ),
        key(
            "instance",
            ValueKind::Text(TextForm::Name),
            Is("\"main\""),
            "part of every mark: two lastgoods on one account need different names",
        ),
        key(
            "token_file",
            ValueKind::Text(TextForm::SecretFile),
            Depends("the systemd credential `vps-api-token`, else the variable VPS_API_TOKEN"),
            "the file that holds the API token and nothing else",
        ),
        key("timeout", ValueKind::DurationAboveZero, Is("\"30s\""), "the time limit for one request"),
        key("requests_per_second", ValueKind::Number(1, 1000), Is("5"), "the rate limit for all requests together"),
        key(
            "parallel_runs",
            ValueKind::Number(1, MANY),
            Is("8"),
            "restore points being created at once, across all servers",
        ),
        key("poll", ValueKind::DurationAboveZero, Is("\"15s\""), "the shortest time between two reads of a list"),
        key("settle", ValueKind::Duration, Is("\"60s\""), "how long a list may lag behind an accepted request"),
        key("slots", ValueKind::Table(&SLOTS), Nothing, "the provider's limits per server"),
        key("ca_file", ValueKind::Text(TextForm::Path), Nothing, "your own certificate authority (PEM)"),
    ],
};

/// `provider.slots`.
pub(super) static SLOTS: TableSpec = TableSpec {
    heading: "provider.slots",
    keys: &[
        key("backup", ValueKind::Number(0, MANY), Is("10"), "manual backups per server"),
        key("snapshot", ValueKind::Number(0, MANY), Is("5"), "snapshots per server"),
    ],
};

/// `[state]`.
pub(super) static STATE: TableSpec = TableSpec {
    heading: "[state]",
    keys: &[
        key(
            "dir",
            ValueKind::Text(TextForm::Path),
            Depends("`/var/lib/lastgood`, else the XDG state folder"),
            "the state folder; `$STATE_DIRECTORY`, which systemd sets, comes first",
        ),
        key("keep", ValueKind::DurationOfDays, Is("\"400d\""), "how long finished runs are remembered; at least a day"),
    ],
};

/// `[policy.NAME]`, `[defaults]` and `[server.NAME.POLICY]`.
pub(super) static POLICY: TableSpec = TableSpec {
    heading: "[policy.NAME]",
    keys: &[
        key(
            "kind",
            ValueKind::Choice(&["backup", "snapshot"]),
            Required,
            "what it creates: backups (separate storage) or snapshots (quick, same storage)",
        ),
        key("servers", ValueKind::Texts(TextForm::Server), Required, "the servers that the policy applies to"),
        key("exclude", ValueKind::Texts(TextForm::Server), Nothing, "of those, the ones to leave out"),
        key(
            "schedule",
            ValueKind::Texts(TextForm::Schedule),
            Required,
            "when to create one: 5 fields, 6 with seconds first, or @hourly, @daily, @weekly, @monthly",
        ),
        key("keep", ValueKind::Table(&KEEP), Depends("required, except with `prune = \"none\"`"), "what to keep"),
        key(
            "timezone",
            ValueKind::Text(TextForm::Zone),
            Is("\"UTC\""),
            "the zone of the schedule and of the days in `keep`",
        ),
        key(
            "keep_mode",
            ValueKind::Choice(&["sequential", "union"]),
            Is("\"sequential\""),
            "whether the rules apply in turn and add up, or a point stays if any rule keeps it",
        ),
        key("splay", ValueKind::Duration, Is("\"0s\""), "delays each server by its own fixed amount within this span"),
        key("min_keep", ValueKind::Number(0, MANY), Is("1"), "the fewest completed points that deletes may leave"),
        key(
            "max_deletes",
            ValueKind::Number(0, MANY),
            Depends("what the new point displaces, plus one"),
            "the most deletes in one run",
        ),
        key("reserve", ValueKind::Number(0, MANY), Is("0"), "slots of this kind left free for people"),
        key(
            "protect",
            ValueKind::Texts(TextForm::Pattern),
            Nothing,
            "names or descriptions of points that are never deleted and do not count",
        ),
        key(
            "prune",
            ValueKind::Choice(&["own", "all", "none"]),
            Is("\"own\""),
            "whose points it deletes: its own, unmarked ones too, or none",
        ),
        key(
            "formerly",
            ValueKind::Texts(TextForm::Name),
            Nothing,
            "earlier names of this policy: points under them are its own",
        ),
        key(
            "stuck_after",
            ValueKind::DurationAboveZero,
            Is("\"2h\""),
            "a restore point in progress for longer than this is stuck",
        ),
        key("retries", ValueKind::Number(0, 100), Is("2"), "how often a failed run is retried"),
        key("retry_after", ValueKind::Duration, Is("\"15m\""), "how long after each failure"),
        key(
            "catch_up",
            ValueKind::Duration,
            Is("\"12h\""),
            "a due time missed by at most this is caught up, once; `0s`: never",
        ),
        key(
            "max_age",
            ValueKind::DurationAboveZero,
            Depends("the longest gap between due times + `splay` + `stuck_after`"),
            "a last good point older than this is stale",
        ),
        key("stop_server", ValueKind::Flag, Is("false"), "stop the server, create the point, start it again"),
        key(
            "report",
            ValueKind::Texts(TextForm::ReportName),
            Depends("every report with `on`"),
            "the reports that cover this policy",
        ),
        key("enabled", ValueKind::Flag, Is("true"), "whether its schedule is followed"),
    ],
};

/// `keep` of a policy.
pub(super) static KEEP: TableSpec = TableSpec {
    heading: "keep",
    keys: &[
        key("last", ValueKind::Number(0, MANY), Nothing, "the newest points"),
        key("hourly", ValueKind::Number(0, MANY), Nothing, "the newest point of each of this many hours"),
        key("daily", ValueKind::Number(0, MANY), Nothing, "of each of this many days"),
        key("weekly", ValueKind::Number(0, MANY), Nothing, "of each of this many ISO weeks"),
        key("monthly", ValueKind::Number(0, MANY), Nothing, "of each of this many months"),
        key("yearly", ValueKind::Number(0, MANY), Nothing, "of each of this many years"),
        key(
            "within",
            ValueKind::DurationAboveZero,
            Nothing,
            "everything younger than this, measured from the newest point",
        ),
    ],
};

/// `[smtp]`.
pub(super) static SMTP: TableSpec = TableSpec {
    heading: "[smtp]",
    keys: &[
        key(
            "transport",
            ValueKind::Choice(&["smtp", "file"]),
            Is("\"smtp\""),
            "`file` writes mails as .eml files into `dir`",
        ),
        key(
            "dir",
            ValueKind::Text(TextForm::Path),
            Depends("required with `transport = \"file\"`"),
            "the folder for these files",
        ),
        key(
            "host",
            ValueKind::Text(TextForm::MailHost),
            Depends("required, except with `transport = \"file\"`"),
            "the mail server",
        ),
        key(
            "tls",
            ValueKind::Choice(&["starttls", "tls", "none"]),
            Is("\"starttls\""),
            "how the connection is encrypted; `none` is for loopback only",
        ),
        key("port", ValueKind::Number(1, 65_535), Depends("by `tls`: 587, 465, 25"), "the mail server's port"),
        key("username", ValueKind::Text(TextForm::Filled), Nothing, "the login, if one is needed"),
        key(
            "password_file",
            ValueKind::Text(TextForm::SecretFile),
            Depends("the systemd credential `smtp-password`"),
            "the file that holds the password and nothing else",
        ),
        key("from", ValueKind::Text(TextForm::MailAddress), Required, "the sender"),
        key("ca_file", ValueKind::Text(TextForm::Path), Nothing, "your own certificate authority (PEM)"),
    ],
};

/// `[report.NAME]`.
pub(super) static REPORT: TableSpec = TableSpec {
    heading: "[report.NAME]",
    keys: &[
        key("to", ValueKind::Texts(TextForm::MailAddress), Required, "who gets it"),
        key(
            "on",
            ValueKind::Choices(&["failure", "stale", "recovery", "success"]),
            Depends("`failure`, `stale` and `recovery`; nothing with `digest`"),
            "what it reports",
        ),
        key("group_wait", ValueKind::Duration, Is("\"2m\""), "events within this time share one mail"),
        key("repeat", ValueKind::Duration, Is("\"6h\""), "how often an incident that lasts is reported again"),
        key("digest", ValueKind::Texts(TextForm::Schedule), Nothing, "when a digest of every policy is sent"),
        key(
            "timezone",
            ValueKind::Text(TextForm::Zone),
            Depends("the `timezone` of [defaults]"),
            "the zone of its times",
        ),
    ],
};

/// `[status]`.
pub(super) static STATUS: TableSpec = TableSpec {
    heading: "[status]",
    keys: &[
        key(
            "listen",
            ValueKind::Text(TextForm::SocketAddress),
            Nothing,
            "where the page, /healthz, /metrics and /status.json are served; no listener without it",
        ),
        key(
            "allow_remote",
            ValueKind::Flag,
            Is("false"),
            "allows `listen` an address beyond loopback; whoever can connect there can read the status",
        ),
        key(
            "hosts",
            ValueKind::Texts(TextForm::HostName),
            Nothing,
            "the names under which the listener is asked (the Host header), besides `localhost` and IP addresses",
        ),
        key("unprotected_ok", ValueKind::Texts(TextForm::Server), Nothing, "servers that need no policy"),
    ],
};

/// Every table, in the order of the reference.
pub(super) static TABLES: [&TableSpec; 9] =
    [&FILE_KEYS, &PROVIDER, &SLOTS, &STATE, &POLICY, &KEEP, &SMTP, &REPORT, &STATUS];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_default_is_a_value_that_its_key_takes() {
        for table in TABLES {
            for key in table.keys {
                let Is(value) = key.default else { continue };
                let name = format!("{} {}", table.heading, key.name);
                match key.takes {
                    ValueKind::Duration => drop(table.duration(key.name)),
                    ValueKind::DurationAboveZero => assert!(!table.duration(key.name).is_zero(), "{name}"),
                    ValueKind::DurationOfDays => {
                        assert!(table.duration(key.name) >= Duration::from_hours(24), "{name}")
                    }
                    ValueKind::Number(least, most) => {
                        assert!((least..=most).contains(&table.number(key.name)), "{name}")
                    }
                    ValueKind::Flag => assert!(["true", "false"].contains(&value), "{name}"),
                    ValueKind::Choice(words) => assert!(words.contains(&table.text(key.name)), "{name}"),
                    ValueKind::Text(_) => assert!(value.starts_with('"') && value.ends_with('"'), "{name}"),
                    _ => panic!("{name}: a default of this kind is never read"),
                }
            }
        }
    }

    #[test]
    fn no_key_is_in_a_table_twice() {
        for table in TABLES {
            for (index, key) in table.keys.iter().enumerate() {
                assert!(!table.keys[..index].iter().any(|other| other.name == key.name), "{}", key.name);
                assert!(!key.words.is_empty() && !key.words.ends_with('.'), "{}", key.name);
            }
        }
    }
}
