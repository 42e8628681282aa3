//! Every key of the policy file, once. The reader takes names, bounds and defaults from here, and `reference` makes the
//! tables of docs/policy.md.

use crate::config::key::Preset::{Depends, Is, Nothing, Required};
use crate::config::key::{Key, Preset, Table, Takes};

const MANY: u32 = 10_000;
const NAME: &str = "1 to 32 letters, digits, `-` and `_`";
const SELECTORS: &str = "names with `*` and `?`, hostnames, ids, uuids; `*` is every server";
const SCHEDULE: &str = "cron expressions";
const FILE: &str = "a path, relative to this file";

const fn key(name: &'static str, takes: Takes, default: Preset, words: &'static str) -> Key {
    Key { name, takes, default, words }
}

/// The file itself.
pub static FILE_KEYS: Table = Table {
    heading: "",
    keys: &[
        key("provider", Takes::Table(&PROVIDER), Nothing, "the account at the provider"),
        key("state", Takes::Table(&STATE), Nothing, "where lastgood remembers what it did"),
        key(
            "defaults",
            Takes::Table(&POLICY),
            Nothing,
            "any key of a policy; policies inherit it, and reports its `timezone`",
        ),
        key("policy", Takes::Named(&POLICY), Nothing, "what is made when and what is kept"),
        key("server", Takes::Named(&POLICY), Nothing, "what differs on one server, or a policy of that server alone"),
        key("smtp", Takes::Table(&SMTP), Nothing, "how mail is sent"),
        key("report", Takes::Named(&REPORT), Nothing, "who is told what"),
        key("status", Takes::Table(&STATUS), Nothing, "the page, and servers that need no policy"),
    ],
};

/// `[provider]`.
pub static PROVIDER: Table = Table {
    heading: "[provider]",
    keys: &[
        key(
            "url",
            Takes::Text("an https address; http to loopback only"),
            Is("\"https://admin.vps.org/api/v1\""),
            "the API; the variable VPS_API_URL overrides it",
        ),
        key(
            "instance",
            Takes::Text(NAME),
            Is("\"main\""),
            "part of every mark: two lastgoods on one account need two names",
        ),
        key(
            "token_file",
            Takes::Text(FILE),
            Depends("the systemd credential `vps-api-token`, else the variable VPS_API_TOKEN"),
            "the file that holds the API token and nothing else",
        ),
        key("timeout", Takes::DurationAboveZero, Is("\"30s\""), "the longest that one request may take"),
        key("requests_per_second", Takes::Number(1, 1000), Is("5"), "the rate of everything that lastgood sends"),
        key("parallel_runs", Takes::Number(1, MANY), Is("8"), "restore points being made at once, over all servers"),
        key("poll", Takes::DurationAboveZero, Is("\"15s\""), "the shortest time between two looks at a list"),
        key("settle", Takes::Duration, Is("\"60s\""), "how long a list may lag behind what was accepted"),
        key("slots", Takes::Table(&SLOTS), Nothing, "what the provider's plan allows a server"),
        key("ca_file", Takes::Text(FILE), Nothing, "a certificate authority of your own (PEM)"),
    ],
};

/// `provider.slots`.
pub static SLOTS: Table = Table {
    heading: "provider.slots",
    keys: &[
        key("backup", Takes::Number(0, MANY), Is("10"), "manual backups a server"),
        key("snapshot", Takes::Number(0, MANY), Is("5"), "snapshots a server"),
    ],
};

/// `[state]`.
pub static STATE: Table = Table {
    heading: "[state]",
    keys: &[
        key(
            "dir",
            Takes::Text(FILE),
            Depends("`/var/lib/lastgood`, else the XDG state folder"),
            "the state folder; `$STATE_DIRECTORY`, which systemd sets, comes first",
        ),
        key("keep", Takes::DurationOfDays, Is("\"400d\""), "how long ended runs are remembered; a day at least"),
    ],
};

/// `[policy.NAME]`, `[defaults]` and `[server.NAME.POLICY]`.
pub static POLICY: Table = Table {
    heading: "[policy.NAME]",
    keys: &[
        key(
            "kind",
            Takes::Choice(&["backup", "snapshot"]),
            Required,
            "what it makes: a backup (separate storage) or a snapshot (quick, same storage)",
        ),
        key("servers", Takes::Texts(SELECTORS), Required, "the servers that it is for"),
        key("exclude", Takes::Texts(SELECTORS), Nothing, "of those, the ones that it is not for"),
        key(
            "schedule",
            Takes::Texts(SCHEDULE),
            Required,
            "when it makes one: 5 fields, 6 with seconds first, or @hourly, @daily, @weekly, @monthly",
        ),
        key("keep", Takes::Table(&KEEP), Depends("required, save with `prune = \"none\"`"), "what stays"),
        key(
            "timezone",
            Takes::Text("an IANA name"),
            Is("\"UTC\""),
            "the clock by which the schedule is read and days are cut",
        ),
        key(
            "keep_mode",
            Takes::Choice(&["sequential", "union"]),
            Is("\"sequential\""),
            "whether the rules take turns and add up, or a point stays if any rule keeps it",
        ),
        key(
            "splay",
            Takes::Duration,
            Is("\"0s\""),
            "each server starts at its own, always the same, moment in this span after the schedule",
        ),
        key("min_keep", Takes::Number(0, MANY), Is("1"), "never fewer completed points than this"),
        key(
            "max_deletes",
            Takes::Number(0, MANY),
            Depends("what the new point displaces, plus one"),
            "the most deletes in one run",
        ),
        key("reserve", Takes::Number(0, MANY), Is("0"), "slots of this kind that our points leave to people"),
        key(
            "protect",
            Takes::Texts("patterns with `*` and `?`"),
            Nothing,
            "names or descriptions of points that are never deleted and not counted",
        ),
        key(
            "prune",
            Takes::Choice(&["own", "all", "none"]),
            Is("\"own\""),
            "whose points it deletes: its own, unmarked ones too, or none",
        ),
        key("formerly", Takes::Texts(NAME), Nothing, "earlier names of this policy: their points are its own"),
        key("stuck_after", Takes::DurationAboveZero, Is("\"2h\""), "a restore point still in progress then is stuck"),
        key("retries", Takes::Number(0, 100), Is("2"), "how often a failed run is tried again"),
        key("retry_after", Takes::Duration, Is("\"15m\""), "how long after the failure"),
        key(
            "catch_up",
            Takes::Duration,
            Is("\"12h\""),
            "a due time missed by no more is made up for, once; `0s`: never",
        ),
        key(
            "max_age",
            Takes::DurationAboveZero,
            Depends("the longest gap between due times + `splay` + `stuck_after`"),
            "a last good point older than this is stale",
        ),
        key("stop_server", Takes::Flag, Is("false"), "stop the server, make the point, start it again"),
        key(
            "report",
            Takes::Texts("names of reports"),
            Depends("every report with `on`"),
            "the reports that are told of it",
        ),
        key("enabled", Takes::Flag, Is("true"), "whether its schedule is followed"),
    ],
};

/// `keep` of a policy.
pub static KEEP: Table = Table {
    heading: "keep",
    keys: &[
        key("last", Takes::Number(0, MANY), Nothing, "the newest points"),
        key("hourly", Takes::Number(0, MANY), Nothing, "the newest point of so many hours"),
        key("daily", Takes::Number(0, MANY), Nothing, "of so many days"),
        key("weekly", Takes::Number(0, MANY), Nothing, "of so many ISO weeks"),
        key("monthly", Takes::Number(0, MANY), Nothing, "of so many months"),
        key("yearly", Takes::Number(0, MANY), Nothing, "of so many years"),
        key(
            "within",
            Takes::DurationAboveZero,
            Nothing,
            "everything younger than this, measured from the newest point",
        ),
    ],
};

/// `[smtp]`.
pub static SMTP: Table = Table {
    heading: "[smtp]",
    keys: &[
        key(
            "transport",
            Takes::Choice(&["smtp", "file"]),
            Is("\"smtp\""),
            "`file` writes mails as .eml files into `dir`",
        ),
        key("dir", Takes::Text(FILE), Depends("required with `transport = \"file\"`"), "the folder of these files"),
        key(
            "host",
            Takes::Text("a host name or address"),
            Depends("required, save with `transport = \"file\"`"),
            "the mail server",
        ),
        key(
            "tls",
            Takes::Choice(&["starttls", "tls", "none"]),
            Is("\"starttls\""),
            "how the connection is encrypted; `none` is for loopback only",
        ),
        key("port", Takes::Number(1, 65_535), Depends("by `tls`: 587, 465, 25"), "the mail server's port"),
        key("username", Takes::Text("a text"), Nothing, "the login, where one is needed"),
        key(
            "password_file",
            Takes::Text(FILE),
            Depends("the systemd credential `smtp-password`"),
            "the file that holds the password and nothing else",
        ),
        key("from", Takes::Text("a mail address"), Required, "the sender"),
        key("ca_file", Takes::Text(FILE), Nothing, "a certificate authority of your own (PEM)"),
    ],
};

/// `[report.NAME]`.
pub static REPORT: Table = Table {
    heading: "[report.NAME]",
    keys: &[
        key("to", Takes::Texts("mail addresses"), Required, "who gets it"),
        key(
            "on",
            Takes::Choices(&["failure", "stale", "recovery", "success"]),
            Depends("`failure`, `stale` and `recovery`; nothing with `digest`"),
            "what it reports",
        ),
        key("group_wait", Takes::Duration, Is("\"2m\""), "what happens within it is one mail"),
        key("repeat", Takes::Duration, Is("\"6h\""), "an incident that goes on is reported again"),
        key("digest", Takes::Texts(SCHEDULE), Nothing, "when a digest of every policy is sent"),
        key("timezone", Takes::Text("an IANA name"), Depends("the `timezone` of [defaults]"), "the zone of its times"),
    ],
};

/// `[status]`.
pub static STATUS: Table = Table {
    heading: "[status]",
    keys: &[
        key(
            "listen",
            Takes::Text("an address with a port"),
            Nothing,
            "where the page, /healthz, /metrics and /status.json are served; no listener without it",
        ),
        key("unprotected_ok", Takes::Texts(SELECTORS), Nothing, "servers that need no policy"),
    ],
};

/// Every table, in the order of the reference.
pub static TABLES: [&Table; 9] = [&FILE_KEYS, &PROVIDER, &SLOTS, &STATE, &POLICY, &KEEP, &SMTP, &REPORT, &STATUS];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_default_is_a_value_that_its_key_takes() {
        for table in TABLES {
            for key in table.keys {
                let Is(value) = key.default else { continue };
                let place = format!("{} {}", table.heading, key.name);
                match key.takes {
                    Takes::Duration => drop(table.duration(key.name)),
                    Takes::DurationAboveZero => assert!(!table.duration(key.name).is_zero(), "{place}"),
                    Takes::DurationOfDays => assert!(table.duration(key.name) >= Duration::from_hours(24), "{place}"),
                    Takes::Number(least, most) => assert!((least..=most).contains(&table.number(key.name)), "{place}"),
                    Takes::Flag => assert!(["true", "false"].contains(&value), "{place}"),
                    Takes::Choice(words) => assert!(words.contains(&table.text(key.name)), "{place}"),
                    Takes::Text(_) => assert!(value.starts_with('"') && value.ends_with('"'), "{place}"),
                    _ => panic!("{place}: a default of this kind is not read"),
                }
            }
        }
    }

    #[test]
    fn no_key_stands_twice_in_a_table() {
        for table in TABLES {
            for (index, key) in table.keys.iter().enumerate() {
                assert!(!table.keys[..index].iter().any(|other| other.name == key.name), "{}", key.name);
                assert!(!key.words.is_empty() && !key.words.ends_with('.'), "{}", key.name);
            }
        }
    }
}
