//! The fleet and its policy file: servers of nine sorts, and a file that a person changes now and then.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use lastgood::config::diagnostic::render;
use lastgood::config::{Config, Environment, parse};
use lastgood::policy::inventory::{Id, Kind, Server, ServerRef, ServerStatus};
use lastgood::policy::policy::{Policy, Prune};
use lastgood::simulator::{self, ServerSpec};

use crate::truth::{Facts, PolicyFacts};

/// The sorts of servers: what a name begins with, and how many of a hundred there are in a small fleet, whose every
/// server must tell something.
const SMALL: [(&str, usize); 9] = [
    ("daily", 34),
    ("full", 12),
    ("snap", 14),
    ("stop", 10),
    ("all", 8),
    ("twice", 8),
    ("weekly", 8),
    ("none", 3),
    ("monthly", 3),
];
/// The same in a large one, most of whose servers are backed up by the week or the month.
const LARGE: [(&str, usize); 9] = [
    ("daily", 4),
    ("full", 3),
    ("snap", 3),
    ("stop", 2),
    ("all", 2),
    ("twice", 1),
    ("weekly", 38),
    ("none", 9),
    ("monthly", 38),
];

/// What a person changes in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Knobs {
    /// The hour of the policy `daily`.
    pub hour: u8,
    /// How many points the policy `full` keeps.
    pub full: u8,
    /// Whether there is a policy of weekly snapshots for the daily servers, too.
    pub extra: bool,
}

/// The servers of the account.
pub fn servers(count: usize) -> Vec<ServerSpec> {
    let sorts = if count < 100 { &SMALL } else { &LARGE };
    (0..count)
        .map(|number| ServerSpec::named(1_000 + number as i64, &format!("{}-{number:04}", sort(sorts, number))))
        .collect()
}

/// The sort of a server: the shares are met within every hundred, and nearly within every ten.
fn sort(sorts: &[(&'static str, usize)], number: usize) -> &'static str {
    let mut place = number * 37 % 100;
    for (sort, share) in sorts {
        if place < *share {
            return sort;
        }
        place -= share;
    }
    unreachable!("the shares make a hundred")
}

/// The policy file as text.
pub fn text(knobs: Knobs) -> String {
    let Knobs { hour, full, extra } = knobs;
    let extra = if extra {
        "[policy.extra]\nkind = \"snapshot\"\nservers = [\"daily-*\"]\nschedule = \"15 12 * * 3\"\nmax_age = \"9d\"\nkeep = { last = 2 }\n"
    } else {
        ""
    };
    format!(
        r#"
[provider]
url = "http://127.0.0.1:9/api/v1"
instance = "year"
requests_per_second = 50
parallel_runs = 64
poll = "60s"

[state]
keep = "30d"

[defaults]
timezone = "Europe/Istanbul"
splay = "4h"
max_age = "50h"                     # given, since to work it out takes long in a debug build

[policy.daily]
kind = "backup"
servers = ["daily-*"]
schedule = "30 {hour} * * *"
keep = {{ daily = 4, weekly = 3 }}
reserve = 1

[policy.full]                       # fills its slots: one is evicted for every new one
kind = "backup"
servers = ["full-*"]
schedule = "0 5 * * *"
keep = {{ last = {full} }}

[policy.snap]
kind = "snapshot"
servers = ["snap-*"]
schedule = "10 2 * * *"
timezone = "America/New_York"
keep = {{ last = 3, weekly = 1 }}
keep_mode = "union"
min_keep = 2
reserve = 1

[policy.stop]
kind = "snapshot"
servers = ["stop-*"]
schedule = "0 22 * * *"
keep = {{ last = 5 }}
stop_server = true

[policy.all]
kind = "backup"
servers = ["all-*"]
schedule = "20 14 * * *"
keep = {{ daily = 3, weekly = 2 }}
prune = "all"
protect = ["keep*"]

[policy.often]
kind = "snapshot"
servers = ["twice-*"]
schedule = "0 */12 * * *"
keep = {{ last = 3 }}
retry_after = "5m"

[policy.beside]
kind = "backup"
servers = ["twice-*"]
max_age = "9d"
schedule = "0 7 * * 1"
keep = {{ last = 2, monthly = 2 }}
formerly = ["monday"]

[policy.weekly]
kind = "backup"
servers = ["weekly-*"]
max_age = "9d"
schedule = "45 16 * * 6"
keep = {{ weekly = 4, monthly = 6 }}
catch_up = "1d"

[policy.none]
kind = "backup"
servers = ["none-*"]
max_age = "9d"
schedule = "0 9 * * 2"
prune = "none"
stop_server = true

[policy.monthly]
kind = "snapshot"
servers = ["monthly-*"]
max_age = "40d"
schedule = "0 6 1 * *"
keep = {{ last = 1, monthly = 3 }}
{extra}
[smtp]
host = "127.0.0.1"
tls = "none"
from = "lastgood <backup@example.com>"

[report.oncall]
to = ["oncall@example.com"]
"#
    )
}

/// The file, validated.
pub fn config(knobs: Knobs, at: Timestamp) -> Config {
    let source = text(knobs);
    let environment = Environment { api_token: Some(token()), ..Environment::default() };
    let (config, diagnostics) = parse(&source, Path::new("/nowhere"), &environment, at);
    config.unwrap_or_else(|| panic!("{}", render(&diagnostics, &source, "policy.toml", false)))
}

fn token() -> lastgood::config::secret::Secret {
    lastgood::config::secret::Secret::new("vps_year")
}

/// The policies of every server by its name, as the file has them.
pub fn policies(config: &Config, servers: &[ServerSpec]) -> BTreeMap<String, Vec<Arc<Policy>>> {
    servers.iter().map(|spec| (name(spec), config.policies_for(&server(spec)))).collect()
}

/// The server as the program knows it.
pub fn server(spec: &ServerSpec) -> Server {
    let id = Id::Number(spec.id.expect("every server has an id here"));
    let name = name(spec);
    let keys = vec![id.to_string(), name.clone()];
    Server { reference: ServerRef { id, name }, keys, status: ServerStatus::Active }
}

fn name(spec: &ServerSpec) -> String {
    spec.name.clone().expect("every server has a name here")
}

/// What the checker must know of the file.
pub fn facts(facts: &mut Facts, policies: &BTreeMap<String, Vec<Arc<Policy>>>) {
    facts.policies.clear();
    for (server, policies) in policies {
        for policy in policies {
            let texts = |all: Vec<String>| all;
            let mut known = PolicyFacts::new(kind(policy.kind));
            known.min_keep = policy.min_keep as usize;
            known.max_deletes = policy.max_deletes.map(|most| most as usize);
            known.reserve =
                policies.iter().filter(|it| it.kind == policy.kind).map(|it| it.reserve).max().unwrap_or(0) as usize;
            known.prune_all = policy.prune == Prune::All;
            known.prune_none = policy.prune == Prune::None;
            known.stop_server = policy.stop_server;
            known.protect = texts(policy.protect.iter().map(ToString::to_string).collect());
            known.formerly = texts(policy.formerly.iter().map(ToString::to_string).collect());
            facts.add(server, policy.name.as_str(), known);
        }
    }
}

/// The simulator's word for a kind.
pub fn kind(kind: Kind) -> simulator::Kind {
    match kind {
        Kind::Backup => simulator::Kind::Backup,
        Kind::Snapshot => simulator::Kind::Snapshot,
    }
}
