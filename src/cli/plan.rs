//! `lastgood plan`: what a run would do now, with the reason for every restore point. Changes nothing.

use clap::Parser;
use serde_json::{Value, json};

use crate::cli::error::of_inspection;
use crate::cli::output;
use crate::cli::setup::{Selection, Setup};
use crate::exit_code::ExitCode;
use crate::policy::plan::{Action, Plan};
use crate::run::inspect;

/// Show what a run would do now, and why; changes nothing.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  lastgood plan --policy nightly --server web-server-01")]
pub struct PlanArgs {
    #[command(flatten)]
    selection: Selection,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Prints the plans.
///
/// # Errors
/// When the policy file, the state or the provider's list cannot be read.
pub(crate) async fn run(setup: &Setup, args: PlanArgs) -> anyhow::Result<ExitCode> {
    let context = setup.open_read_only().await?;
    show_plans(setup, &context, &args.selection, args.json).await
}

/// Makes and prints the plans of the selected policies and servers.
///
/// # Errors
/// When the provider's list or the state cannot be read.
pub(crate) async fn show_plans(
    setup: &Setup,
    context: &crate::cli::setup::CommandContext,
    selection: &Selection,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let at = setup.clock.now();
    let mut plans = Vec::new();
    for task in context.tasks(selection)? {
        let seen = inspect(&context.world, &task).await.map_err(of_inspection)?;
        plans.push(seen.plan(&context.world, &task, 0));
    }
    if as_json {
        let plans: Vec<Value> = plans.iter().map(to_json).collect();
        output::json(&json!({ "at": at, "plans": plans }))?;
    } else {
        plans.iter().for_each(show);
    }
    Ok(ExitCode::Done)
}

/// The JSON of a plan: a contract.
#[must_use]
pub(crate) fn to_json(plan: &Plan) -> Value {
    let actions = plan.actions.iter().map(|action| match action {
        Action::Delete(delete) => json!({ "do": "delete", "id": delete.id, "why": delete.why.to_string() }),
        Action::Create(why) => json!({ "do": "create", "id": null, "why": why.to_string() }),
    });
    let points = plan.points.iter().map(|point| {
        let why: Vec<String> = point.why.iter().map(ToString::to_string).collect();
        json!({
            "id": point.id, "status": point.status.to_string(), "created_at": point.created_at, "own": point.own,
            "keep": point.keep, "why": why,
        })
    });
    json!({
        "server": plan.server,
        "policy": plan.policy,
        "kind": plan.kind,
        "slots": plan.slots,
        "actions": actions.collect::<Vec<_>>(),
        "points": points.collect::<Vec<_>>(),
        "refused": plan.refused.as_ref().map(ToString::to_string),
        "wait_until": plan.wait_until,
        "brakes": plan.brakes.iter().map(|brake| json!({ "cause": brake.cause.word(), "text": brake.text })).collect::<Vec<_>>(),
        "notes": plan.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// Prints a plan for people.
pub(crate) fn show(plan: &Plan) {
    let slots = plan.slots;
    output::line(&format!(
        "{} · {} · {} · {} of {} slots used ({} own, {} foreign, {} on hold)",
        output::printable(&plan.server.name),
        plan.policy,
        plan.kind,
        slots.used,
        slots.limit,
        slots.own,
        slots.foreign,
        slots.held
    ));
    let rows = plan.points.iter().map(|point| {
        let why: Vec<String> = point.why.iter().map(ToString::to_string).collect();
        [
            if point.keep { "  keep" } else { "  drop" }.to_owned(),
            point.id.to_string(),
            point.created_at.to_string(),
            point.status.to_string(),
            if point.own { "own" } else { "foreign" }.to_owned(),
            why.join("; "),
        ]
    });
    if !plan.points.is_empty() {
        output::line(&output::table(["  ", "id", "created", "status", "owner", "why"], rows));
    }
    for (number, action) in (1..).zip(&plan.actions) {
        output::line(&match action {
            Action::Delete(delete) => format!("  {number}. delete {} {}: {}", plan.kind, delete.id, delete.why),
            Action::Create(why) => format!("  {number}. create a new {}: {why}", plan.kind),
        });
    }
    if let Some(until) = &plan.wait_until {
        output::line(&format!(
            "  a run waits until {until}: which point makes room depends on the hour or day that ends then"
        ));
    }
    if let Some(refused) = &plan.refused {
        output::line(&format!("  nothing will be done: {}", output::printable(&refused.to_string())));
    }
    for brake in &plan.brakes {
        output::line(&format!("  brake: {}; `lastgood accept` releases it", output::printable(&brake.text)));
    }
    for note in &plan.notes {
        output::line(&format!("  note: {note}"));
    }
    output::line("");
}
