//! What the page shows: the status, and of the servers that are shown every restore point with what the next run would
//! do with it, and how the last days went. By the last inventories: the provider is not asked.

use jiff::Timestamp;

use crate::account::fleet;
use crate::account::survey::survey;
use crate::config::Config;
use crate::policy::evidence::{Evidence, PlanRequest};
use crate::policy::inventory::{Inventory, Kind, RestorePoint, Server, ServerRef, ServerStatus, newest_first};
use crate::policy::memory::Memory;
use crate::policy::name::PolicyName;
use crate::policy::owner::Owner;
use crate::policy::plan::{Action, Plan};
use crate::policy::planner;
use crate::policy::policy::Policy;
use crate::policy::slots::Slots;
use crate::policy::task::Task;
use crate::status::{
    KindFacts, OverviewFacts, PageFacts, PageListing, PageRequest, PlanFacts, PointFacts, ServerFacts, ServerPageFacts,
    first_day,
};
use crate::store::points::MemoryKey;
use crate::store::{Store, StoreError};

/// This many runs of a server are shown.
const RUNS: u32 = 30;
/// This many incidents of a server are shown.
const INCIDENTS: u32 = 50;

/// What a page shows; `None` where there is no such server.
///
/// # Errors
/// What the state says.
pub(crate) async fn page_facts(
    config: &Config,
    store: &Store,
    request: PageRequest,
    now: Timestamp,
) -> Result<Option<PageFacts>, StoreError> {
    let source = PageSource { config, store, now };
    match request {
        PageRequest::Overview(filter) => {
            let survey = survey(config, store, now).await?;
            let listing = PageListing::of(&survey.status, &survey.exempt, filter);
            let servers = source.servers(&listing.servers()).await?;
            Ok(Some(PageFacts::Overview(Box::new(OverviewFacts { status: survey.status, listing, servers }))))
        }
        PageRequest::Server(key) => source.server_page(key).await,
    }
}

struct PageSource<'a> {
    config: &'a Config,
    store: &'a Store,
    now: Timestamp,
}

impl PageSource<'_> {
    async fn server_page(&self, key: String) -> Result<Option<PageFacts>, StoreError> {
        let Some(known) = self.store.server_with_key(key).await? else { return Ok(None) };
        let reference = known.server.reference.clone();
        let mut status = survey(self.config, self.store, self.now).await?.status;
        let servers = self.servers(&[&reference]).await?;
        let Some(facts) = servers.into_iter().next() else { return Ok(None) };
        status.policies.retain(|policy| policy.server.id == reference.id);
        status.debts.retain(|debt| debt.server.id == reference.id);
        let incidents = self.store.incidents_of(reference.id.clone(), INCIDENTS).await?;
        let runs = self.store.history(Some(reference.id), RUNS).await?;
        let gone_at = known.gone_at;
        Ok(Some(PageFacts::Server(Box::new(ServerPageFacts { status, facts, gone_at, incidents, runs }))))
    }

    /// The facts of these servers, in their order.
    async fn servers(&self, shown: &[&ServerRef]) -> Result<Vec<ServerFacts>, StoreError> {
        let ids = shown.iter().map(|server| server.id.clone()).collect();
        let days = self.store.daily_outcomes(ids, first_day(self.now)).await?;
        let mut all = Vec::with_capacity(shown.len());
        for (reference, days) in shown.iter().zip(days) {
            let known = self.store.server_with_key(reference.id.to_string()).await?;
            let server = known.map_or_else(|| unlisted(reference), |known| known.server);
            let tasks = fleet::tasks_of_server(self.config, &server);
            let mut kinds = Vec::new();
            for kind in Kind::ALL {
                kinds.extend(self.kind(&server, kind, &tasks).await?);
            }
            all.push(ServerFacts { server, kinds, days });
        }
        Ok(all)
    }

    /// The points of one kind; `None` where there are none and no policy makes any.
    async fn kind(&self, server: &Server, kind: Kind, tasks: &[Task]) -> Result<Option<KindFacts>, StoreError> {
        let mut tasks: Vec<&Task> = tasks.iter().filter(|task| task.policy.kind == kind).collect();
        let limit = self.config.provider.slots.of(kind);
        let Some(inventory) = self.last_inventory(server, kind).await? else {
            let slots = Slots { limit, ..Slots::default() };
            let none = KindFacts { kind, slots, read_at: None, points: Vec::new(), plans: Vec::new() };
            return Ok((!tasks.is_empty()).then_some(none));
        };
        if tasks.is_empty() && inventory.points.is_empty() {
            return Ok(None);
        }
        let nobody = nobodys_task(server, kind);
        let is_protected = !tasks.is_empty();
        if !is_protected {
            tasks.push(&nobody);
        }
        let mut planned = Vec::with_capacity(tasks.len());
        for task in tasks {
            planned.push(self.planned(task, &inventory, limit).await?);
        }
        let points = inventory.points.iter().map(|point| self.point(point, &inventory, &planned)).collect();
        let slots = planned.first().map_or_else(Slots::default, |first| first.plan.slots);
        let plans = if is_protected { planned.iter().map(|one| plan_facts(&one.plan)).collect() } else { Vec::new() };
        Ok(Some(KindFacts { kind, slots, read_at: Some(inventory.read_at), points, plans }))
    }

    /// The last inventory, newest first, less the points whose delete was accepted since.
    async fn last_inventory(&self, server: &Server, kind: Kind) -> Result<Option<Inventory>, StoreError> {
        let Some(mut inventory) = self.store.last_inventory(server.clone(), kind).await? else { return Ok(None) };
        let listed = self.store.listed(server.reference.id.clone(), kind).await?;
        inventory.points.retain(|point| point.automatic || listed.iter().any(|listed| listed.id == point.id));
        inventory.points.sort_by(|a, b| newest_first((a.created_at, &a.id), (b.created_at, &b.id)));
        Ok(Some(inventory))
    }

    /// What the next run would do, by this inventory.
    async fn planned<'a>(&self, task: &'a Task, inventory: &Inventory, limit: u32) -> Result<Planned<'a>, StoreError> {
        let policy = &task.policy;
        let key = MemoryKey {
            server: task.server.reference.id.clone(),
            kind: policy.kind,
            policy: policy.name.clone(),
            settle: self.config.provider.settle,
        };
        let memory = self.store.memory_for(key, &inventory.points, self.now).await?;
        // The new point will be of that day and hour, not of this one.
        let due = task.due_times().next_after(self.now).unwrap_or(self.now);
        let evidence = self.evidence(policy, inventory, &memory);
        let (reserve, others) = (task.reserve, &task.others);
        let request = PlanRequest { evidence, limit, reserve, others, spent: 0, now: due, waited_for: None };
        let mut plan = planner::plan(&request);
        if plan.wait_until.is_some() {
            plan = planner::plan(&PlanRequest { waited_for: plan.wait_until, ..request });
        }
        Ok(Planned { policy, memory, plan })
    }

    fn evidence<'a>(&'a self, policy: &'a Policy, inventory: &'a Inventory, memory: &'a Memory) -> Evidence<'a> {
        Evidence { at: self.now, instance: &self.config.provider.instance, policy, inventory, memory }
    }

    /// A point, with the decision of the policy that decides about it.
    fn point(&self, point: &RestorePoint, inventory: &Inventory, planned: &[Planned<'_>]) -> PointFacts {
        let evidence = |one: &Planned<'_>| self.evidence(one.policy, inventory, &one.memory).not_ours_to_delete(point);
        let owner = |one: &Planned<'_>| self.evidence(one.policy, inventory, &one.memory).owner(point);
        let first = planned.first();
        let owner = first.map_or(Owner::Person, owner);
        let owns = |one: &&Planned<'_>| matches!(&owner, Owner::Ours(name) if one.policy.answers_to(name));
        let decides = planned.iter().find(owns);
        let decides = decides.or_else(|| planned.iter().find(|one| evidence(one).is_none())).or(first);
        let decision = decides.and_then(|one| one.plan.points.iter().find(|decision| decision.id == point.id));
        let deletes = |plan: &Plan| plan.actions.iter().filter_map(Action::as_delete).any(|it| it.id == point.id);
        PointFacts {
            id: point.id.clone(),
            created_at: point.created_at,
            status: point.status.clone(),
            size_mb: point.size_mb,
            text: point.name.clone().unwrap_or_else(|| point.description.clone()),
            automatic: point.automatic,
            owner,
            held: first.is_some_and(|one| one.memory.holds.contains_key(&point.id)),
            goes: planned.iter().any(|one| deletes(&one.plan)),
            why: decision.map(|decision| decision.why.clone()).unwrap_or_default(),
        }
    }
}

/// What the next run of a policy would do, and what that is based on.
struct Planned<'a> {
    policy: &'a Policy,
    memory: Memory,
    plan: Plan,
}

/// What a plan says beside its decisions.
fn plan_facts(plan: &Plan) -> PlanFacts {
    let deletes = plan.actions.iter().filter_map(Action::as_delete).map(|delete| delete.id.clone());
    PlanFacts {
        policy: plan.policy.clone(),
        deletes: deletes.collect(),
        refused: plan.refused.as_ref().map(ToString::to_string),
        notes: plan.brakes.iter().map(ToString::to_string).chain(plan.notes.iter().map(ToString::to_string)).collect(),
    }
}

/// A server that the list no longer shows.
fn unlisted(reference: &ServerRef) -> Server {
    Server { reference: reference.clone(), keys: Vec::new(), status: ServerStatus::Other("unlisted".to_owned()) }
}

/// Stands in where no policy applies: it deletes nothing, and says of each point whose it is.
fn nobodys_task(server: &Server, kind: Kind) -> Task {
    let name = PolicyName::new("none").expect("it is a name");
    Task {
        server: server.clone(),
        policy: std::sync::Arc::new(Policy::removed(name, kind)),
        reserve: 0,
        others: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
