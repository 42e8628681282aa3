//! `[defaults]`, `[policy.NAME]` and `[server.NAME.POLICY]`: each policy with everything it inherits.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use toml::de::DeValue;

use crate::config::diagnostic::Diagnostic;
use crate::config::duration;
use crate::config::keys::POLICY;
use crate::config::mask::excerpt;
use crate::config::reader::{Findings, SpannedValue, TableReader};
use crate::config::settings::Override;
use crate::config::values;
use crate::policy::inventory::Kind;
use crate::policy::keep::{Count, Keep, KeepMode};
use crate::policy::name::PolicyName;
use crate::policy::policy::{Policy, Prune};
use crate::policy::schedule::Schedule;
use crate::policy::selector::{Pattern, Selector};

/// The keys of one table; `None` for those that are not set there.
#[derive(Clone, Debug, Default)]
pub(super) struct PolicyKeys {
    kind: Option<Kind>,
    servers: Option<Vec<Selector>>,
    exclude: Option<Vec<Selector>>,
    /// The expressions, parsed again once the zone is known.
    schedule: Option<Vec<String>>,
    keep: Option<Keep>,
    keep_mode: Option<KeepMode>,
    timezone: Option<TimeZone>,
    splay: Option<Duration>,
    min_keep: Option<u32>,
    max_deletes: Option<u32>,
    reserve: Option<u32>,
    protect: Option<Vec<Pattern>>,
    prune: Option<Prune>,
    formerly: Option<Vec<PolicyName>>,
    stuck_after: Option<Duration>,
    retries: Option<u32>,
    retry_after: Option<Duration>,
    catch_up: Option<Duration>,
    max_age: Option<Duration>,
    stop_server: Option<bool>,
    report: Option<Vec<String>>,
    enabled: Option<bool>,
    /// Keys that are set but wrong or misspelt: these have been reported and do not count as missing.
    broken: Vec<&'static str>,
}

impl PolicyKeys {
    /// Reads the keys of a table.
    pub(super) fn read(reader: TableReader<'_>) -> Self {
        let kinds = [("backup", Kind::Backup), ("snapshot", Kind::Snapshot)];
        let modes = [("sequential", KeepMode::Sequential), ("union", KeepMode::Union)];
        let prunes = [("own", Prune::Own), ("all", Prune::All), ("none", Prune::None)];
        let mut keys = Self {
            kind: reader.choice("kind", &kinds),
            servers: values::selectors(&reader, "servers"),
            exclude: values::selectors(&reader, "exclude"),
            timezone: reader.parsed("timezone", values::zone),
            keep: values::keep(&reader),
            keep_mode: reader.choice("keep_mode", &modes),
            splay: reader.duration("splay", duration::duration),
            min_keep: reader.number("min_keep"),
            max_deletes: reader.number("max_deletes"),
            reserve: reader.number("reserve"),
            protect: reader.texts("protect").map(|all| all.iter().map(|(text, _)| Pattern::new(text)).collect()),
            prune: reader.choice("prune", &prunes),
            stuck_after: reader.duration("stuck_after", duration::positive),
            retries: reader.number("retries"),
            retry_after: reader.duration("retry_after", duration::duration),
            catch_up: reader.duration("catch_up", duration::duration),
            max_age: reader.duration("max_age", duration::positive),
            stop_server: reader.flag("stop_server"),
            report: reader.texts("report").map(|all| all.iter().map(|(text, _)| (*text).to_owned()).collect()),
            enabled: reader.flag("enabled"),
            ..Self::default()
        };
        keys.formerly = names(&reader);
        // The zone affects the due times, not whether the expression is valid.
        let zone = keys.timezone.clone().unwrap_or(TimeZone::UTC);
        keys.schedule = values::schedule(&reader, "schedule", &zone)
            .map(|schedule| schedule.expressions().into_iter().map(str::to_owned).collect());
        for key in ["kind", "servers", "schedule", "keep"] {
            let read = match key {
                "kind" => keys.kind.is_some(),
                "servers" => keys.servers.is_some(),
                "schedule" => keys.schedule.is_some(),
                _ => keys.keep.is_some(),
            };
            if !read && !reader.lacks(key) {
                keys.broken.push(key);
            }
        }
        reader.finish();
        keys
    }

    /// These keys, with those of `below` where they are not set here.
    pub(super) fn over(&self, below: &Self) -> Self {
        fn first<T: Clone>(own: &Option<T>, below: &Option<T>) -> Option<T> {
            own.as_ref().or(below.as_ref()).cloned()
        }
        let broken = self.broken.iter().chain(&below.broken).copied().collect();
        Self {
            kind: first(&self.kind, &below.kind),
            servers: first(&self.servers, &below.servers),
            exclude: first(&self.exclude, &below.exclude),
            schedule: first(&self.schedule, &below.schedule),
            keep: first(&self.keep, &below.keep),
            keep_mode: first(&self.keep_mode, &below.keep_mode),
            timezone: first(&self.timezone, &below.timezone),
            splay: first(&self.splay, &below.splay),
            min_keep: first(&self.min_keep, &below.min_keep),
            max_deletes: first(&self.max_deletes, &below.max_deletes),
            reserve: first(&self.reserve, &below.reserve),
            protect: first(&self.protect, &below.protect),
            prune: first(&self.prune, &below.prune),
            formerly: first(&self.formerly, &below.formerly),
            stuck_after: first(&self.stuck_after, &below.stuck_after),
            retries: first(&self.retries, &below.retries),
            retry_after: first(&self.retry_after, &below.retry_after),
            catch_up: first(&self.catch_up, &below.catch_up),
            max_age: first(&self.max_age, &below.max_age),
            stop_server: first(&self.stop_server, &below.stop_server),
            report: first(&self.report, &below.report),
            enabled: first(&self.enabled, &below.enabled),
            broken,
        }
    }

    /// The zone of `[defaults]`, which reports inherit.
    pub(super) fn zone(&self) -> Option<TimeZone> {
        self.timezone.clone()
    }
}

fn names(reader: &TableReader<'_>) -> Option<Vec<PolicyName>> {
    let texts = reader.texts("formerly")?;
    let mut names = Vec::new();
    for (text, value) in texts {
        match PolicyName::new(text) {
            Some(name) => names.push(name),
            None => {
                let message = format!(
                    "`{}` contains \"{}\", which is not a valid policy name",
                    reader.path("formerly"),
                    text.escape_debug()
                );
                reader.wrong("formerly", value, message, "use 1 to 32 letters, digits, `-` and `_`");
            }
        }
    }
    Some(names)
}

/// The position of a policy in the file.
#[derive(Clone, Debug)]
pub(super) struct FilePosition {
    /// `policy.nightly` or `server."web-1".nightly`.
    pub name: String,
    /// The position of the table.
    pub span: Range<usize>,
    /// The positions of the values in it.
    values: BTreeMap<String, Range<usize>>,
}

impl FilePosition {
    fn of(reader: &TableReader<'_>, span: Range<usize>) -> Self {
        let values = reader.entries().map(|(key, _, value)| (key.to_owned(), value.span())).collect();
        Self { name: reader.name.clone(), span, values }
    }

    /// The position of a key's value, or of the table if the value is inherited.
    pub(super) fn of_key(&self, key: &str) -> Range<usize> {
        self.values.get(key).unwrap_or(&self.span).clone()
    }
}

/// A policy with its position.
pub(super) type Placed = (Arc<Policy>, FilePosition);

/// What `[policy]` and `[server]` hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Policies {
    /// Every policy of the file.
    pub base: Vec<Placed>,
    /// Every table of a server.
    pub overrides: Vec<(Override, FilePosition)>,
}

/// Reads `[policy]` and `[server]`.
pub(super) fn read(root: &TableReader<'_>, defaults: &PolicyKeys, at: Timestamp) -> Policies {
    let mut policies = Policies::default();
    let mut keys: Vec<(String, PolicyKeys)> = Vec::new();
    if let Some(tables) = root.table("policy") {
        for (name, span, value) in tables.entries() {
            if is_key_of_a_policy(&tables, name, value) {
                continue;
            }
            let Some(reader) = tables.below(name, value) else { continue };
            let position = FilePosition::of(&reader, span);
            let findings = reader.findings();
            let own = PolicyKeys::read(reader).over(defaults);
            if let Some(name) = policy_name(name, &position, findings) {
                policies.base.push((Arc::new(build(&name, &own, &position, findings, at)), position));
                keys.push((name.to_string(), own));
            }
        }
    }
    if let Some(servers) = root.table("server") {
        for (server, _, value) in servers.entries() {
            let Some(tables) = servers.below(server, value) else { continue };
            for (name, span, value) in tables.entries() {
                if is_key_of_a_policy(&tables, name, value) {
                    continue;
                }
                let base = keys.iter().find(|(other, _)| other == name).map(|(_, keys)| keys);
                let inherited = Inherited { defaults, base, at };
                policies.overrides.extend(of_server(&tables, server, (name, span, value), &inherited));
            }
        }
    }
    // The parser sorts tables by name; people expect the order of the file.
    policies.base.sort_by_key(|(_, position)| position.span.start);
    policies.overrides.sort_by_key(|(_, position)| position.span.start);
    policies
}

/// Reports a key in place of a policy's name: `[policy]` instead of `[policy.nightly]`.
fn is_key_of_a_policy(tables: &TableReader<'_>, name: &str, value: &SpannedValue<'_>) -> bool {
    let is_key = match value.get_ref() {
        // A policy may be called `keep`; without kind and schedule it is a policy's retention.
        DeValue::Table(table) => name == "keep" && !["kind", "schedule"].iter().any(|key| table.contains_key(*key)),
        _ => true,
    };
    if is_key {
        let message = format!("`{}` is in place of a policy", tables.path(&excerpt(name)));
        let help =
            format!("[{0}] holds one table per policy: write [{0}.nightly] above the policy's keys", tables.name);
        tables.wrong(name, value, message, help);
    }
    is_key
}

struct Inherited<'k> {
    defaults: &'k PolicyKeys,
    base: Option<&'k PolicyKeys>,
    at: Timestamp,
}

fn of_server<'a>(
    tables: &TableReader<'a>,
    server: &str,
    (name, span, value): (&str, Range<usize>, &'a SpannedValue<'a>),
    inherited: &Inherited<'_>,
) -> Option<(Override, FilePosition)> {
    let reader = tables.below(name, value)?;
    let position = FilePosition::of(&reader, span);
    let findings = reader.findings();
    for key in ["servers", "exclude"] {
        if let Some((_, _, value)) = reader.entries().find(|(other, ..)| *other == key) {
            let message = format!("`{}` selects servers, but this table is for one server", reader.path(key));
            let help = format!("remove `{key}`; select servers in [policy.{name}]");
            findings.push(Diagnostic::error(message).at(reader.path(key), value.span()).help(help));
        }
    }
    let name = policy_name(name, &position, findings)?;
    let mut keys = PolicyKeys::read(reader).over(inherited.base.unwrap_or(inherited.defaults));
    let selector = Selector::Exact(server.to_owned());
    let own = inherited.base.is_none();
    if own {
        keys.servers = Some(vec![selector.clone()]);
        keys.exclude = None;
    }
    let policy = Arc::new(build(&name, &keys, &position, findings, inherited.at));
    Some((Override { selector, policy, own }, position))
}

fn policy_name(name: &str, position: &FilePosition, findings: &Findings) -> Option<PolicyName> {
    let parsed = PolicyName::new(name);
    if parsed.is_none() {
        let message = format!("\"{}\" is not a valid policy name", name.escape_debug());
        let help = "use 1 to 32 letters, digits, `-` and `_`: the name is part of every mark";
        findings.push(Diagnostic::error(message).at(&position.name, position.span.clone()).help(help));
    }
    parsed
}

/// Builds the policy. If a key is missing (reported here), use the result only for comparison.
fn build(name: &PolicyName, keys: &PolicyKeys, position: &FilePosition, findings: &Findings, at: Timestamp) -> Policy {
    let prune = keys.prune.unwrap_or_default();
    let missing = |key: &'static str, given: bool, example: &str| {
        if !given && !keys.broken.contains(&key) {
            let message = format!("policy `{name}` has no `{key}`");
            let help = format!("add {key} = {example} to [{}], or to [defaults]", position.name);
            findings.push(Diagnostic::error(message).at(&position.name, position.span.clone()).help(help));
        }
    };
    missing("kind", keys.kind.is_some(), "\"backup\" or \"snapshot\"");
    missing("servers", keys.servers.as_ref().is_some_and(|servers| !servers.is_empty()), "[\"web-*\"]");
    missing("schedule", keys.schedule.is_some(), "\"30 2 * * *\"");
    missing("keep", keys.keep.is_some() || prune == Prune::None, "{ daily = 4, weekly = 3 }");
    // What is missing was reported above. The rest is still compared with the other policies; a policy of unknown kind
    // or retention is left out of the sum of the slots.
    let timezone = keys.timezone.clone().unwrap_or(TimeZone::UTC);
    let expressions: Vec<&str> = keys.schedule.iter().flatten().map(String::as_str).collect();
    let schedule = Schedule::parse(&expressions, timezone.clone()).ok();
    let incomplete = schedule.is_none();
    let schedule = schedule.unwrap_or_else(|| Policy::removed(name.clone(), Kind::Backup).schedule);
    let keep = keys.keep.clone().or((prune == Prune::None).then(Keep::default));
    let sums = keys.kind.is_some() && keep.as_ref().is_some_and(|keep| !incomplete || keep.within.is_none());
    let splay = keys.splay.unwrap_or_else(|| POLICY.duration("splay"));
    let stuck_after = keys.stuck_after.unwrap_or_else(|| POLICY.duration("stuck_after"));
    let gap = schedule.longest_gap(at);
    let policy = Policy {
        name: name.clone(),
        kind: keys.kind.unwrap_or(Kind::Backup),
        servers: keys.servers.clone().unwrap_or_default(),
        exclude: keys.exclude.clone().unwrap_or_default(),
        keep: keep.unwrap_or_default(),
        keep_mode: keys.keep_mode.unwrap_or_default(),
        timezone,
        splay,
        min_keep: keys.min_keep.unwrap_or_else(|| POLICY.number("min_keep")),
        max_deletes: keys.max_deletes,
        reserve: keys.reserve.unwrap_or_else(|| POLICY.number("reserve")),
        protect: keys.protect.clone().unwrap_or_default(),
        prune,
        formerly: keys.formerly.clone().unwrap_or_default(),
        stuck_after,
        retries: keys.retries.unwrap_or_else(|| POLICY.number("retries")),
        retry_after: keys.retry_after.unwrap_or_else(|| POLICY.duration("retry_after")),
        catch_up: keys.catch_up.unwrap_or_else(|| POLICY.duration("catch_up")),
        max_age: keys.max_age.unwrap_or(gap + splay + stuck_after),
        stop_server: keys.stop_server.unwrap_or_else(|| POLICY.flag("stop_server")),
        report: keys.report.clone().unwrap_or_default(),
        enabled: sums && keys.enabled.unwrap_or_else(|| POLICY.flag("enabled")),
        schedule,
    };
    if sums && !incomplete {
        check_consistency(&policy, gap, position, findings, at);
    }
    policy
}

/// Finds values that are valid by themselves but not together.
fn check_consistency(policy: &Policy, gap: Duration, position: &FilePosition, findings: &Findings, at: Timestamp) {
    let name = &policy.name;
    let here = |diagnostic: Diagnostic, key: &str, help: String| {
        findings.push(diagnostic.at(format!("{}.{key}", position.name), position.of_key(key)).help(help));
    };
    if policy.max_age < gap {
        here(
            Diagnostic::warning(format!(
                "policy `{name}` becomes stale between two due times: `max_age` is shorter than the longest gap"
            )),
            "max_age",
            format!(
                "the longest gap in the coming year is {} h: set a longer max_age, or leave it out",
                gap.as_secs().div_ceil(3600)
            ),
        );
    }
    let shortest = shortest_gap(&policy.schedule, at);
    if !policy.splay.is_zero() && shortest.is_some_and(|gap| policy.splay >= gap) {
        here(
            Diagnostic::error(format!("policy `{name}`: `splay` reaches the next due time")),
            "splay",
            "set a splay shorter than the time between two due times".to_owned(),
        );
    }
    let counts: u32 =
        policy.keep.counts.iter().map(|(_, count)| if let Count::Number(number) = count { *number } else { 0 }).sum();
    if policy.keep.within.is_none() && policy.prune != Prune::None && policy.min_keep > counts {
        here(
            Diagnostic::error(format!(
                "policy `{name}`: `min_keep` is {}, but `keep` adds up to {counts}",
                policy.min_keep
            )),
            "min_keep",
            "keep more, or lower min_keep".to_owned(),
        );
    }
}

/// The shortest time between two of the next hundred due times.
fn shortest_gap(schedule: &Schedule, at: Timestamp) -> Option<Duration> {
    let times: Vec<Timestamp> = schedule.iter_after(at).take(100).collect();
    times.windows(2).map(|pair| pair[0].duration_until(pair[1]).unsigned_abs()).min()
}
