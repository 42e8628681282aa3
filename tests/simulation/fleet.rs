//! The fleet and its policy file: servers of nine sorts, and a file that a person changes now and then.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use lastgood::seams::config::diagnostic::render;
use lastgood::seams::config::{Config, Environment, parse};
use lastgood::seams::policy::inventory::{Kind, Server, ServerId, ServerRef, ServerStatus};
use lastgood::seams::policy::keep::{Count, KeepMode, KeepRule};
use lastgood::seams::policy::policy::{Policy, Prune};
use lastgood::simulator::{self, ServerSpec};

use crate::invariants::{CheckedPolicy, Facts, Grain, KeepFacts};

/// The sorts of servers: what a name begins with. In a small fleet one of each, so that every server proves something.
const SMALL: [(&str, usize); 15] = [
    ("daily", 1),
    ("late", 1),
    ("full", 1),
    ("snap", 1),
    ("brim", 1),
    ("stop", 1),
    ("hourly", 1),
    ("all", 1),
    ("midnight", 1),
    ("twice", 1),
    ("final", 1),
    ("splayed", 1),
    ("weekly", 1),
    ("none", 1),
    ("monthly", 1),
];
/// In a large one how many of a thousand: 502 of them have a daily policy or a denser one.
const LARGE: [(&str, usize); 15] = [
    ("daily", 110),
    ("late", 40),
    ("full", 60),
    ("snap", 60),
    ("brim", 30),
    ("stop", 40),
    ("hourly", 2),
    ("all", 30),
    ("midnight", 40),
    ("twice", 10),
    ("final", 40),
    ("splayed", 40),
    ("weekly", 170),
    ("none", 30),
    ("monthly", 298),
];

/// The zones whose midnights matter.
pub const ZONES: [&str; 3] = ["Europe/Istanbul", "UTC", "America/New_York"];

/// What a person changes in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Knobs {
    /// The hour of the policy `daily`.
    pub hour: u8,
    /// How many points the policy `full` keeps.
    pub full: u8,
    /// Whether there is a policy of weekly snapshots for the daily servers, too.
    pub extra: bool,
    /// Whether the policies `full` and `late` have other names, and these were their former ones.
    pub renamed: bool,
}

/// The policies that a person renames, each with its two names.
const RENAMED: [(&str, &str); 2] = [("full", "filled"), ("late", "belated")];

/// The name that a policy had at first, by whichever of its two it is called.
pub fn first_policy_name(policy: &str) -> &str {
    RENAMED.iter().find(|(_, second)| *second == policy).map_or(policy, |(first, _)| first)
}

/// Whether this many servers are a large fleet.
pub const fn is_large(count: usize) -> bool {
    count >= 100
}

/// The servers of the account.
pub fn servers(count: usize) -> Vec<ServerSpec> {
    let large = is_large(count);
    (0..count)
        .map(|number| ServerSpec::named(1_000 + number as i64, &format!("{}-{number:04}", sort(large, number))))
        .collect()
}

/// The sort of a server: the shares are met within every thousand, and nearly within every hundred.
pub fn sort(large: bool, number: usize) -> &'static str {
    let sorts = if large { &LARGE } else { &SMALL };
    let all: usize = sorts.iter().map(|(_, share)| share).sum();
    let mut place = if large { number * 617 % all } else { number % all };
    for (sort, share) in sorts {
        if place < *share {
            return sort;
        }
        place -= share;
    }
    unreachable!("the place is below the sum of the shares")
}

/// The name that a server had at first: what is renamed gets something behind a dot.
pub fn first_name(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The policy file as text.
pub fn text(knobs: Knobs, large: bool) -> String {
    let Knobs { hour, full, extra, renamed } = knobs;
    let [(full_now, full_before), (late_now, late_before)] =
        RENAMED.map(|(first, second)| if renamed { (second, first) } else { (first, second) });
    // To write one for hundreds of servers takes a moment.
    let digest = if large { "0 8 * * 1" } else { "0 8 * * *" };
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

[policy.{full_now}]                 # fills its slots: one is evicted for every new one
formerly = ["{full_before}"]
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

[policy.{late_now}]                 # planned on one day, made on the next
kind = "snapshot"
servers = ["late-*"]
schedule = "59 23 * * *"
splay = "0s"
keep = {{ daily = 4 }}
formerly = ["{late_before}"]
reserve = 1
stop_server = true

[policy.brim]
kind = "snapshot"
servers = ["brim-*"]
schedule = "59 23 * * *"
splay = "0s"
keep = {{ daily = 5 }}

[policy.final]
kind = "backup"
servers = ["final-*"]
schedule = "59 59 23 * * *"
timezone = "America/New_York"
splay = "0s"
keep = {{ daily = 7 }}

[policy.midnight]
kind = "backup"
servers = ["midnight-*"]
schedule = "@daily"
timezone = "UTC"
splay = "0s"
keep = {{ daily = 7 }}
stop_server = true

[policy.midnight_too]
kind = "snapshot"
servers = ["midnight-*"]
schedule = "0 12 * * 0"
splay = "1h"
max_age = "9d"
keep = {{ last = 2 }}

[policy.splayed]
kind = "backup"
servers = ["splayed-*"]
schedule = "0 22 * * *"
keep = {{ daily = 5, weekly = 3 }}

[policy.hourly]
kind = "snapshot"
servers = ["hourly-*"]
schedule = "59 * * * *"
splay = "0s"
keep = {{ hourly = 4 }}
reserve = 1
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

[report.ops]
to = ["ops@example.com"]
digest = "{digest}"
"#
    )
}

/// The file, validated.
pub fn config(knobs: Knobs, large: bool, at: Timestamp) -> Config {
    let source = text(knobs, large);
    let environment = Environment { api_token: Some(token()), ..Environment::default() };
    let (config, diagnostics) = parse(&source, Path::new("/nowhere"), &environment, at);
    config.unwrap_or_else(|| panic!("{}", render(&diagnostics, &source, "policy.toml", false)))
}

fn token() -> lastgood::seams::config::secret::Secret {
    lastgood::seams::config::secret::Secret::new("vps_year")
}

/// The policies of every server by its first name, as the file has them.
pub fn policies(config: &Config, servers: &[ServerSpec]) -> BTreeMap<String, Vec<Arc<Policy>>> {
    servers.iter().map(|spec| (first_name(&name(spec)).to_owned(), config.policies_for(&server(spec)))).collect()
}

/// The server as the program knows it.
pub fn server(spec: &ServerSpec) -> Server {
    let id = ServerId::Number(spec.id.expect("every server has an id here"));
    let name = name(spec);
    let keys = vec![id.to_string(), name.clone()];
    Server { reference: ServerRef { id, name }, keys, status: ServerStatus::Active }
}

fn name(spec: &ServerSpec) -> String {
    spec.name.clone().expect("every server has a name here")
}

/// What the checker must know of the file.
pub fn facts(facts: &mut Facts, policies: &BTreeMap<String, Vec<Arc<Policy>>>, specs: &[ServerSpec], depth: bool) {
    facts.policies.clear();
    for server in specs.iter().map(name) {
        let policies = &policies[first_name(&server)];
        for policy in policies {
            let texts = |all: Vec<String>| all;
            let mut known = CheckedPolicy::new(kind(policy.kind));
            known.min_keep = policy.min_keep as usize;
            known.max_deletes = policy.max_deletes.map(|most| most as usize);
            known.reserve =
                policies.iter().filter(|it| it.kind == policy.kind).map(|it| it.reserve).max().unwrap_or(0) as usize;
            known.prune_all = policy.prune == Prune::All;
            known.prune_none = policy.prune == Prune::None;
            known.stop_server = policy.stop_server;
            known.protect = texts(policy.protect.iter().map(ToString::to_string).collect());
            known.formerly = texts(policy.formerly.iter().map(ToString::to_string).collect());
            known.keep = depth.then(|| keeps(policy));
            facts.add(&server, policy.name.as_str(), known);
        }
    }
}

fn keeps(policy: &Policy) -> KeepFacts {
    let grain = |rule| match rule {
        KeepRule::Last => Grain::Last,
        KeepRule::Hourly => Grain::Hourly,
        KeepRule::Daily => Grain::Daily,
        KeepRule::Weekly => Grain::Weekly,
        KeepRule::Monthly => Grain::Monthly,
        KeepRule::Yearly => Grain::Yearly,
    };
    let counts = policy.keep.counts.iter().filter_map(|(rule, count)| match count {
        Count::Number(0) | Count::All => None,
        Count::Number(count) => Some((grain(*rule), *count as usize)),
    });
    let union = policy.keep_mode == KeepMode::Union;
    KeepFacts { counts: counts.collect(), union, zone: policy.timezone.clone() }
}

/// The simulator's word for a kind.
pub fn kind(kind: Kind) -> simulator::PointKind {
    match kind {
        Kind::Backup => simulator::PointKind::Backup,
        Kind::Snapshot => simulator::PointKind::Snapshot,
    }
}
