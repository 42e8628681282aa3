//! `lastgood list`: what the provider has, marked as own, foreign or held.

use clap::{Parser, ValueEnum};
use serde_json::Value;

use crate::account::tasks_of_server;
use crate::cli::output;
use crate::cli::setup::{CommandContext, Setup};
use crate::exit_code::ExitCode;
use crate::policy::inventory::{Kind, RestorePoint, Server};
use crate::policy::name::PolicyName;
use crate::policy::owner::owner;
use crate::provider::{BackupTypeFilter, Fields};
use crate::store::holds::HoldTarget;
use crate::store::points::MemoryKey;

/// Longer lists are shown as several tables.
const TABLE_ROWS: usize = 5_000;

/// List what the provider has.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  lastgood list backups --server web-server-01 --type manual")]
pub struct ListArgs {
    /// What to list
    pub what: ListedKind,
    /// Only those of this server (id, uuid, name or hostname)
    #[arg(long, value_name = "S")]
    server: Option<String>,
    /// Only backups of this type
    #[arg(long = "type", value_name = "TYPE")]
    backup_type: Option<BackupTypeArg>,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListedKind {
    /// The account's servers.
    Servers,
    /// Backups, including automatic ones.
    Backups,
    /// Snapshots.
    Snapshots,
}

impl ListedKind {
    /// The plural word.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Servers => "servers",
            Self::Backups => "backups",
            Self::Snapshots => "snapshots",
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BackupTypeArg {
    Manual,
    Automatic,
}

/// A point with its owner, and the provider's own fields.
struct PointRow {
    point: RestorePoint,
    fields: Fields,
    own: bool,
    held: bool,
}

/// Prints the list.
///
/// # Errors
/// When the policy file, the state or the provider's list cannot be read.
pub(crate) async fn run(setup: &Setup, args: ListArgs) -> anyhow::Result<ExitCode> {
    let context = setup.open_read_only().await?;
    let kind = match args.what {
        ListedKind::Servers => return servers(&context, &args).await,
        ListedKind::Backups => Kind::Backup,
        ListedKind::Snapshots => Kind::Snapshot,
    };
    let server = args.server.as_deref().map(|text| context.server(text)).transpose()?;
    let wanted = args.backup_type.filter(|_| kind == Kind::Backup).map(|word| match word {
        BackupTypeArg::Manual => BackupTypeFilter::Manual,
        BackupTypeArg::Automatic => BackupTypeFilter::Automatic,
    });
    let rows = rows(&context, kind, server, wanted).await?;
    if args.json {
        output::json_list(kind.plural(), rows.iter().map(|row| to_json(&row.fields, row.own, row.held)))?;
    } else {
        show(&rows);
    }
    Ok(ExitCode::Done)
}

/// Prints all points of a kind, for people.
///
/// # Errors
/// When the state or the provider's list cannot be read.
pub(crate) async fn show_points(context: &CommandContext, kind: Kind) -> anyhow::Result<()> {
    show(&rows(context, kind, None, None).await?);
    Ok(())
}

/// The points with their owners: server by server, newest first.
async fn rows(
    context: &CommandContext,
    kind: Kind,
    server: Option<&Server>,
    wanted: Option<BackupTypeFilter>,
) -> anyhow::Result<Vec<PointRow>> {
    let listing = context.world.client.records(kind, server, wanted).await?;
    warn(&listing.doubts);
    let mut listed = listing.items;
    listed.sort_by(|(a, _), (b, _)| (&a.server, b.created_at).cmp(&(&b.server, a.created_at)));
    // The list may be long: copy nothing.
    let (points, fields): (Vec<RestorePoint>, Vec<Fields>) = listed.into_iter().unzip();
    let instance = context.world.settings().instance.clone();
    let mut owners = Vec::with_capacity(points.len());
    for of_server in points.chunk_by(|a, b| a.server == b.server) {
        let place = place(context, &of_server[0]);
        let memory = context.world.store.memory_for(place, of_server, context.world.clock.now()).await?;
        owners.extend(of_server.iter().map(|point| {
            let own = !point.automatic && owner(point, &instance, &memory).is_own();
            (own, memory.holds.contains_key(&point.id) || memory.server_hold.is_some())
        }));
    }
    let rows = points.into_iter().zip(fields).zip(owners);
    Ok(rows.map(|((point, fields), (own, held))| PointRow { point, fields, own, held }).collect())
}

fn place(context: &CommandContext, point: &RestorePoint) -> MemoryKey {
    MemoryKey {
        server: point.server.id.clone(),
        kind: point.kind,
        policy: PolicyName::new("list").expect("the word has the form of a name"),
        settle: context.world.settings().settle,
    }
}

/// Reports entries that this command cannot show.
fn warn(doubts: &[String]) {
    for doubt in doubts {
        output::note(&format!("warning: {}", output::printable(doubt)));
    }
}

/// The provider's own fields, with ours.
fn to_json(fields: &Fields, own: bool, held: bool) -> Value {
    let mut fields = fields.to_map();
    fields.insert("own".to_owned(), Value::Bool(own));
    fields.insert("held".to_owned(), Value::Bool(held));
    Value::Object(fields)
}

fn show(rows: &[PointRow]) {
    // A table is laid out as a whole, which takes many times the memory of its content.
    if rows.is_empty() {
        show_table(rows);
    }
    rows.chunks(TABLE_ROWS).for_each(show_table);
}

fn show_table(rows: &[PointRow]) {
    let cells = rows.iter().map(|row| {
        let point = &row.point;
        let owner = match (point.automatic, row.own) {
            (true, _) => "automatic",
            (false, true) => "own",
            (false, false) => "foreign",
        };
        [
            point.id.to_string(),
            point.server.name.clone(),
            point.created_at.to_string(),
            point.status.to_string(),
            point.size_mb.map_or_else(|| "-".to_owned(), |size| format!("{size} MB")),
            owner.to_owned(),
            if row.held { "held" } else { "" }.to_owned(),
            point.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| point.description.clone()),
        ]
    });
    output::line(&output::table(["id", "server", "created", "status", "size", "owner", "hold", "text"], cells));
}

async fn servers(context: &CommandContext, args: &ListArgs) -> anyhow::Result<ExitCode> {
    // Unreadable entries were reported when the account was read.
    let records = context.world.client.server_records().await?.items;
    let holds = context.world.store.holds(context.world.clock.now()).await?;
    let held = |server: &Server| holds.iter().any(|hold| hold.what == HoldTarget::Server(server.reference.clone()));
    if let Some(text) = &args.server {
        context.server(text)?;
    }
    let fits = |server: &Server| args.server.as_ref().is_none_or(|text| server.keys.contains(text));
    let records: Vec<_> = records.into_iter().filter(|(server, _)| fits(server)).collect();
    if args.json {
        let values = records.iter().map(|(server, fields)| {
            let own = !tasks_of_server(&context.config, server).is_empty();
            to_json(fields, own, held(server))
        });
        output::json_list("servers", values)?;
        return Ok(ExitCode::Done);
    }
    let cells = records.iter().map(|(server, _)| {
        let policies: Vec<String> =
            tasks_of_server(&context.config, server).iter().map(|task| task.policy.name.to_string()).collect();
        let policies = if policies.is_empty() { "unprotected".to_owned() } else { policies.join(", ") };
        let hold = if held(server) { "held" } else { "" };
        let (id, name) = (server.reference.id.to_string(), server.reference.name.clone());
        [id, name, server.status.to_string(), policies, hold.to_owned()]
    });
    output::line(&output::table(["id", "name", "status", "policies", "hold"], cells));
    Ok(ExitCode::Done)
}
