//! `lastgood check`: validates the policy file and shows what it means.

use clap::Parser;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::account::unprotected;
use crate::cli::error::CommandError;
use crate::cli::output;
use crate::cli::setup::Setup;
use crate::config::diagnostic::{Diagnostic, Located, Severity, render};
use crate::config::{Config, LoadError, Loaded, find, load};
use crate::exit_code::ExitCode;
use crate::policy::inventory::{Kind, Server};
use crate::policy::policy::Policy;
use crate::policy::slot_sum::{SlotFit, SlotSum};

/// How many due times are shown for each policy.
const SHOWN: usize = 3;

/// Check the policy file and show what it means.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  lastgood check --config config/example.toml")]
pub struct CheckArgs {
    /// Also try the token, its permissions, and that each named server exists
    #[arg(long)]
    online: bool,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// What the provider says about the account.
struct AccountCheck {
    email: String,
    token: String,
    servers: Vec<Server>,
    problems: Vec<String>,
}

/// Prints every policy with its next due times, and the slots that the policies need.
///
/// # Errors
/// With exit code 3 if the file is invalid; with 4 if the provider cannot be reached or refuses.
pub(crate) async fn run(setup: &Setup, args: CheckArgs) -> anyhow::Result<ExitCode> {
    let now = setup.clock.now();
    let bad = |error: LoadError| CommandError::new(ExitCode::PolicyFile, error.to_string());
    let found = find(setup.file.as_deref()).map_err(bad)?;
    let loaded = match load(&found, &setup.environment, now) {
        Ok(loaded) => with_unread_secrets(loaded),
        Err(error) if args.json => {
            output::json(&invalid_to_json(&error))?;
            output::note(&format!("lastgood: {error}"));
            return Ok(ExitCode::PolicyFile);
        }
        Err(error) => return Err(bad(error).into()),
    };
    let online = if args.online { Some(check_account(setup, &loaded.config, now).await?) } else { None };
    if args.json {
        output::json(&to_json(&loaded, online.as_ref(), now))?;
    } else {
        if !loaded.warnings.is_empty() {
            output::note(render(&loaded.warnings, &loaded.source, &loaded.name, false).trim_end());
        }
        show(&loaded, now);
        online.iter().for_each(|online| show_online(&loaded.config, online, now));
    }
    let refused = online.is_some_and(|online| !online.problems.is_empty());
    Ok(if refused { ExitCode::PolicyFile } else { ExitCode::Done })
}

/// Adds warnings about secrets that cannot be read: the file is valid without them, but nothing works.
fn with_unread_secrets(mut loaded: Loaded) -> Loaded {
    let password = loaded.config.smtp.as_ref().and_then(|smtp| smtp.password.as_ref());
    let secrets = [Some(&loaded.config.provider.token), password].into_iter().flatten();
    let unread: Vec<_> = secrets.filter_map(|secret| secret.read().err()).collect();
    loaded.warnings.extend(unread.into_iter().map(|error| Diagnostic::warning(error.to_string())));
    loaded
}

fn every_policy(config: &Config) -> Vec<(String, &Policy)> {
    let base = config.policies.iter().map(|policy| (policy.name.to_string(), policy.as_ref()));
    let of_servers =
        config.overrides.iter().map(|one| (format!("{} on {}", one.policy.name, one.selector), one.policy.as_ref()));
    base.chain(of_servers).collect()
}

fn due_times(policy: &Policy, now: Timestamp) -> Vec<String> {
    let zoned = |at: Timestamp| at.to_zoned(policy.timezone.clone());
    policy
        .schedule
        .iter_after(now)
        .take(SHOWN)
        .map(|at| zoned(at).strftime("%a %Y-%m-%d %H:%M:%S %:z").to_string())
        .collect()
}

fn show(loaded: &Loaded, now: Timestamp) {
    let config = &loaded.config;
    for (name, policy) in every_policy(config) {
        let servers: Vec<String> = policy.servers.iter().map(ToString::to_string).collect();
        let off = if policy.enabled { "" } else { " (disabled)" };
        output::line(&format!("{name}{off}: {} of {}", policy.kind.plural(), output::printable(&servers.join(", "))));
        output::line(&format!(
            "    schedule  {} ({})",
            policy.schedule.expressions().join(" | "),
            policy.timezone.iana_name().unwrap_or("UTC")
        ));
        for time in due_times(policy, now) {
            output::line(&format!("    due       {time}"));
        }
    }
    let sums = config.slot_sums(now);
    if !sums.is_empty() {
        output::line("slots per server:");
        let rows = sums.iter().map(|sum| [format!("    {}", sum.servers), in_words(&sum.proof)]);
        output::line(&output::table(["    servers", "what the policies need"], rows));
    }
    if let Some(address) = config.status.listen {
        output::line(&format!("the daemon serves the status at http://{address}/"));
    }
    let warnings = loaded.warnings.iter().filter(|one| one.severity == Severity::Warning).count();
    let suffix =
        if warnings == 0 { String::new() } else { format!(", {}", output::count(warnings, "warning", "warnings")) };
    output::line(&format!(
        "{}: valid, {}{suffix}",
        loaded.name,
        output::count(every_policy(config).len(), "policy", "policies")
    ));
}

/// A sum, and what it means if no slot is left.
fn in_words(proof: &SlotSum) -> String {
    let fills = if proof.fit() == SlotFit::Fills { ": one is deleted before the new one is created" } else { "" };
    format!("{proof}{fills}")
}

fn most(policy: &Policy, now: Timestamp) -> Option<u32> {
    let prunes = policy.prune != crate::policy::policy::Prune::None;
    prunes
        .then(|| crate::policy::retention::upper_bound(&policy.keep, policy.keep_mode, &policy.schedule, now))
        .flatten()
}

async fn check_account(setup: &Setup, config: &Config, now: Timestamp) -> anyhow::Result<AccountCheck> {
    let client = setup.client_of(config)?;
    let account = client.token_info().await?;
    let listing = client.servers().await?;
    let servers = listing.items;
    let doubt = |doubt: &String| format!("the list of the account's servers is doubtful: {doubt}");
    let mut problems: Vec<String> = listing.doubts.iter().map(doubt).collect();
    if !account.may("servers", "write") {
        let permissions = account.permissions.join(", ");
        problems.push(format!("the token may not write (its permissions: {permissions}): create one with servers:*"));
    }
    problems
        .extend(config.unmatched(&servers).iter().map(ToString::to_string).filter(|text| !text.contains(['*', '?'])));
    problems.extend(config.overfilled(&servers, now).iter().map(ToString::to_string));
    Ok(AccountCheck { email: account.email, token: account.token_name, servers, problems })
}

fn show_online(config: &Config, online: &AccountCheck, now: Timestamp) {
    let (email, token) = (output::printable(&online.email), output::printable(&online.token));
    output::line(&format!(
        "account {email}, token {token}, {}",
        output::count(online.servers.len(), "server", "servers")
    ));
    let rows = online.servers.iter().flat_map(|server| {
        Kind::ALL.map(|kind| (server, kind)).into_iter().filter_map(|(server, kind)| {
            let proof = config.proof(server, kind, now);
            (!proof.shares.is_empty()).then(|| [server.reference.name.clone(), kind.to_string(), in_words(&proof)])
        })
    });
    output::line(&output::table(["server", "kind", "slots"], rows));
    for server in unprotected(config, &online.servers) {
        output::line(&format!("unprotected: {}", output::printable(&server.reference.name)));
    }
    let unmatched = config.unmatched(&online.servers);
    for text in unmatched.iter().map(ToString::to_string).filter(|text| !online.problems.contains(text)) {
        output::line(&format!("warning: {}", output::printable(&text)));
    }
    for problem in &online.problems {
        output::line(&format!("error: {}", output::printable(problem)));
    }
}

fn to_json(loaded: &Loaded, online: Option<&AccountCheck>, now: Timestamp) -> Value {
    let policies = every_policy(&loaded.config).into_iter().map(|(name, policy)| {
        let servers: Vec<String> = policy.servers.iter().map(ToString::to_string).collect();
        let due: Vec<Timestamp> = policy.schedule.iter_after(now).take(SHOWN).collect();
        json!({
            "policy": policy.name, "shown": name, "kind": policy.kind, "servers": servers, "due": due,
            "most": most(policy, now), "max_age_seconds": policy.max_age.as_secs(), "enabled": policy.enabled,
        })
    });
    let policies: Vec<Value> = policies.collect();
    let findings: Vec<Located> = loaded.warnings.iter().map(|one| one.located(&loaded.source)).collect();
    let servers = online.map(|online| {
        let servers = online.servers.iter().map(|server| {
            let slots = Kind::ALL
                .map(|kind| json!({ "kind": kind, "sum": loaded.config.proof(server, kind, now).to_string() }));
            json!({ "server": server.reference, "slots": slots })
        });
        servers.collect::<Vec<_>>()
    });
    let sums = loaded.config.slot_sums(now);
    let slots = sums.iter().map(|sum| {
        let (proof, fills) = (&sum.proof, sum.proof.fit() == SlotFit::Fills);
        json!({
            "servers": sum.servers.to_string(), "kind": proof.kind, "sum": proof.sum(), "limit": proof.limit,
            "one_goes_first": fills, "text": proof.to_string(),
        })
    });
    json!({
        "file": loaded.name, "valid": true, "policies": policies, "slots": slots.collect::<Vec<_>>(), "findings": findings, "servers": servers,
        "status": { "listen": loaded.config.status.listen },
        "problems": online.map(|online| online.problems.clone()),
    })
}

fn invalid_to_json(error: &LoadError) -> Value {
    match error {
        LoadError::Invalid { name, source_text, diagnostics } => {
            let findings: Vec<Located> = diagnostics.iter().map(|one| one.located(source_text)).collect();
            json!({ "file": name, "valid": false, "findings": findings })
        }
        other => json!({ "valid": false, "findings": [], "error": other.to_string() }),
    }
}
