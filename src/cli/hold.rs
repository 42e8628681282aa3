//! `lastgood hold` and `lastgood release`: a person's instruction that a point, or everything on a server, must stay.

use clap::{Parser, Subcommand};
use jiff::Timestamp;

use crate::account::tasks_of_server;
use crate::cli::error::CommandError;
use crate::cli::output;
use crate::cli::schedule::moment;
use crate::cli::setup::Setup;
use crate::exit_code::ExitCode;
use crate::policy::evidence::{Evidence, PlanRequest};
use crate::policy::hold_cost::of_point;
use crate::policy::inventory::{Kind, PointId, ServerRef};
use crate::store::Store;
use crate::store::holds::{Hold, HoldTarget};
use crate::store::points::MemoryKey;

/// Protect a restore point, or everything on a server, from being deleted.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  lastgood hold backup 502 --reason \"before the migration\" --until 2027-01-01T00:00:00Z\n  lastgood hold server db-server-01 --reason \"audit\""
)]
pub struct HoldArgs {
    #[command(subcommand)]
    what: HoldArg,
    /// Why, for others who look at it later
    #[arg(long, value_name = "R", default_value = "no reason given", global = true)]
    reason: String,
    /// Until when (RFC 3339, or a date for midnight UTC); by default until it is released
    #[arg(long, value_name = "T", global = true, value_parser = in_utc)]
    until: Option<Timestamp>,
}

/// Remove a hold, or cancel the start that is owed to a server.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  lastgood release backup 502\n  lastgood release debt web-server-01")]
pub struct ReleaseArgs {
    #[command(subcommand)]
    what: ReleaseArg,
    /// Why, for the log
    #[arg(long, value_name = "R", global = true)]
    reason: Option<String>,
}

#[derive(Debug, Subcommand)]
enum HoldArg {
    /// A backup, by its id
    Backup {
        /// The provider's id
        id: String,
    },
    /// A snapshot, by its id
    Snapshot {
        /// The provider's id
        id: String,
    },
    /// Everything on a server
    Server {
        /// Its id, uuid, name or hostname
        name: String,
    },
}

#[derive(Debug, Subcommand)]
enum ReleaseArg {
    #[command(flatten)]
    Hold(HoldArg),
    /// The start owed to a server that lastgood stopped: the server is left as it is
    Debt {
        /// Its id, uuid, name or hostname
        server: String,
    },
}

fn in_utc(text: &str) -> Result<Timestamp, String> {
    moment(text, &jiff::tz::TimeZone::UTC)
}

/// Places a hold. Works while the daemon runs.
///
/// # Errors
/// When neither the last inventory nor the provider knows the id, or it is an automatic backup.
pub(crate) async fn hold(setup: &Setup, args: HoldArgs) -> anyhow::Result<ExitCode> {
    let now = setup.clock.now();
    if args.until.is_some_and(|until| until <= now) {
        return Err(CommandError::usage("--until is in the past: give a future time, or leave it out").into());
    }
    // Refuse an unknown id before a state is created for it.
    let what = held(setup, &setup.state_read_only()?, &args.what).await?;
    let words = in_words(&what);
    let store = setup.state_beside_or_new()?;
    let costs = costs(setup, &store, &what).await.unwrap_or_default();
    store.hold(Hold { what, reason: args.reason.clone(), since: now, until: args.until }).await?;
    let until = args.until.map_or_else(|| "until it is released".to_owned(), |until| format!("until {until}"));
    output::line(&format!("{words} is on hold {until}: {}", output::printable(&args.reason)));
    costs.iter().for_each(|cost| output::line(cost));
    Ok(ExitCode::Done)
}

/// What the hold will cost, by the last inventories and the policy file; `None` if they do not say.
async fn costs(setup: &Setup, store: &Store, what: &HoldTarget) -> Option<Vec<String>> {
    let config = setup.load().ok()?.config;
    let server = match what {
        HoldTarget::Server(server) => server.id.clone(),
        HoldTarget::Point(kind, id) => store.server_of_point(*kind, id.clone()).await.ok().flatten()?.0,
    };
    let known = store.servers().await.ok()?.into_iter().find(|known| known.server.reference.id == server)?.server;
    let mut costs = Vec::new();
    for task in tasks_of_server(&config, &known) {
        let (kind, at) = (task.policy.kind, setup.clock.now());
        let Some(inventory) = store.last_inventory(known.clone(), kind).await.ok()? else { continue };
        let (policy, settle) = (task.policy.name.clone(), config.provider.settle);
        let place = MemoryKey { server: server.clone(), kind, policy, settle };
        let memory = store.memory_for(place, &inventory.points, at).await.ok()?;
        let instance = &config.provider.instance;
        let evidence = Evidence { at, instance, policy: &task.policy, inventory: &inventory, memory: &memory };
        let limit = config.provider.slots.of(kind);
        let request = PlanRequest {
            evidence,
            limit,
            reserve: task.reserve,
            others: &task.others,
            spent: 0,
            now: at,
            waited_for: None,
        };
        match what {
            HoldTarget::Point(of, id) if *of == kind => {
                costs.extend(of_point(&request, id).map(|cost| cost.to_string()))
            }
            HoldTarget::Point(..) => {}
            HoldTarget::Server(server) => {
                let room = request.slots().room(task.reserve);
                costs.push(format!(
                    "policy {}: nothing is deleted on {}; there is room for {room} more {}, then its runs fail until \
                     this hold ends",
                    task.policy.name,
                    output::printable(&server.name),
                    kind.plural()
                ));
            }
        }
    }
    Some(costs)
}

/// Removes a hold.
///
/// # Errors
/// When there is none.
pub(crate) async fn release(setup: &Setup, args: ReleaseArgs) -> anyhow::Result<ExitCode> {
    let store = setup.state_beside()?;
    let what = match &args.what {
        ReleaseArg::Hold(HoldArg::Backup { id }) => HoldTarget::Point(Kind::Backup, id.as_str().into()),
        ReleaseArg::Hold(HoldArg::Snapshot { id }) => HoldTarget::Point(Kind::Snapshot, id.as_str().into()),
        ReleaseArg::Hold(HoldArg::Server { name }) => server(setup, &store, name).await?,
        ReleaseArg::Debt { server } => return release_debt(setup, &store, server, args.reason.as_deref()).await,
    };
    let words = in_words(&what);
    if !store.release(what).await? {
        return Err(CommandError::usage(format!("{words} is not on hold")).into());
    }
    tracing::info!(reason = args.reason, "{words} was released");
    output::line(&format!("{words} is no longer on hold"));
    Ok(ExitCode::Done)
}

async fn release_debt(setup: &Setup, store: &Store, text: &str, reason: Option<&str>) -> anyhow::Result<ExitCode> {
    let debts = store.debts().await?;
    let called = |server: &ServerRef| server.name == text || server.id.to_string() == text;
    // A server that has left the account, or was renamed, may still be owed a start.
    let id = match debts.into_iter().find(|debt| called(&debt.server)) {
        Some(debt) => debt.server.id,
        None => setup.stored_server(store, text).await?.reference.id,
    };
    let name = output::printable(text);
    let Some(debt) = store.release_debt(id, setup.clock.now()).await? else {
        let text =
            format!("nothing is owed to server {name}: lastgood has not stopped it, or has seen it running since");
        return Err(CommandError::usage(text).into());
    };
    tracing::info!(server = %debt.server, reason, "the debt to the server was released");
    output::line(&format!(
        "server {} is left as it is: lastgood will not start it",
        output::printable(&debt.server.name)
    ));
    Ok(ExitCode::Done)
}

async fn held(setup: &Setup, store: &Store, what: &HoldArg) -> anyhow::Result<HoldTarget> {
    let (kind, id) = match what {
        HoldArg::Backup { id } => (Kind::Backup, PointId::from(id.as_str())),
        HoldArg::Snapshot { id } => (Kind::Snapshot, id.as_str().into()),
        HoldArg::Server { name } => return server(setup, store, name).await,
    };
    let automatic = match store.server_of_point(kind, id.clone()).await? {
        Some((_, automatic)) => automatic,
        None => {
            let client = setup.client()?;
            let records = client.records(kind, None, None).await?.items;
            let found = records.iter().find(|(point, _)| point.id == id);
            let Some((point, _)) = found else {
                return Err(CommandError::usage(format!(
                    "there is no {kind} {id}: `lastgood list {}` shows them",
                    kind.plural()
                ))
                .into());
            };
            point.automatic
        }
    };
    if automatic {
        let text = format!("{kind} {id} is automatic: the provider deletes it by itself, and a hold would not keep it");
        return Err(CommandError::usage(text).into());
    }
    Ok(HoldTarget::Point(kind, id))
}

async fn server(setup: &Setup, store: &Store, name: &str) -> anyhow::Result<HoldTarget> {
    if let Ok(server) = setup.stored_server(store, name).await {
        return Ok(HoldTarget::Server(server.reference));
    }
    let listing = setup.client()?.servers().await?;
    let found = listing.items.into_iter().find(|server| server.keys.iter().any(|key| key == name));
    found.map(|server| HoldTarget::Server(server.reference)).ok_or_else(|| {
        let doubts: String = listing.doubts.iter().map(|doubt| format!(" ({})", output::printable(doubt))).collect();
        let shown = output::printable(name);
        CommandError::usage(format!("there is no server {shown}: `lastgood list servers` shows them{doubts}")).into()
    })
}

fn in_words(what: &HoldTarget) -> String {
    match what {
        HoldTarget::Point(kind, id) => format!("{kind} {id}"),
        HoldTarget::Server(server) => format!("server {}", output::printable(&server.name)),
    }
}
