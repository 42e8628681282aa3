//! People and their habits: they make, rename and delete points, hold some, stop servers, and one of them reads the
//! mails and clears away every day what the program must not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use lastgood::seams::policy::inventory::{Kind, PointId};
use lastgood::seams::store::Store;
use lastgood::seams::store::holds::{Hold, HoldTarget};
use lastgood::simulator::{self, Account, BackupType, Edit, PersonAction, Pick, Point, PointSpec, Simulator};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::json;

use crate::figures::Figures;
use crate::invariants::Facts;

/// The people of the account.
#[derive(Debug)]
pub struct People {
    random: StdRng,
    /// Servers that a person stopped, and when it is started again.
    stopped: BTreeMap<String, Timestamp>,
    /// Points on hold, until a person releases them.
    held: Vec<(Kind, i64, Timestamp)>,
}

impl People {
    pub fn new(random: StdRng) -> Self {
        Self { random, stopped: BTreeMap::new(), held: Vec::new() }
    }

    /// Somebody does something.
    pub fn act(&mut self, simulator: &Simulator, now: Timestamp, figures: &mut Figures) {
        let act = simulator.with_account(|account| self.something(account, now));
        let Some((name, act)) = act else { return };
        if let PersonAction::SetStatus { server, .. } = &act {
            let hours = self.random.random_range(1..20);
            self.stopped
                .insert(server.as_str().unwrap_or_default().to_owned(), now + SignedDuration::from_hours(hours));
        }
        if simulator.act(&act).is_ok() {
            figures.event(name);
        }
    }

    fn something(&mut self, account: &Account, now: Timestamp) -> Option<(&'static str, PersonAction)> {
        let servers: Vec<_> = account.servers().iter().filter(|server| !server.removed).collect();
        let server = servers.choose(&mut self.random)?;
        let name = server.name();
        let kind =
            if self.random.random_bool(0.5) { simulator::PointKind::Backup } else { simulator::PointKind::Snapshot };
        let old = |point: &&&Point| {
            point.backup_type == BackupType::Manual
                && point.status == "completed"
                && point.created_at.duration_until(now) > SignedDuration::from_hours(20)
        };
        let points = account.points_of(kind, name);
        let old: Vec<&&Point> = points.iter().filter(old).collect();
        match self.random.random_range(0..10) {
            0..4 => {
                // Where ours fill every slot, people know that a point of theirs is in the way.
                let fits = account.used(kind, name) < account.options().slots(kind);
                let dares =
                    !["full", "stop", "brim"].iter().any(|sort| name.starts_with(sort)) || self.random.random_bool(0.1);
                let words = ["made by a person", "keep this one", "before the upgrade"].choose(&mut self.random)?;
                let spec = PointSpec { description: (*words).to_owned(), ..PointSpec::aged(kind, name, 0) };
                (fits && dares).then_some(("points made by people", PersonAction::CreatePoint(spec)))
            }
            4..7 => {
                let point = old.choose(&mut self.random)?;
                let pick = pick(point);
                let description = Some("mine now: do not delete".to_owned());
                let edit = Edit { pick, name: None, description, status: None, created_at: None, size_mb: None };
                Some(("points renamed by people", PersonAction::EditPoint(edit)))
            }
            7..9 => Some(("points deleted by people", PersonAction::DeletePoint(pick(old.choose(&mut self.random)?)))),
            _ => {
                let status = "stopped".to_owned();
                let act = PersonAction::SetStatus { server: json!(name), status };
                (server.status == "active" && !self.stopped.contains_key(name))
                    .then_some(("servers stopped by people", act))
            }
        }
    }

    /// Whether a hold is about to be released.
    pub fn releases(&self, now: Timestamp) -> bool {
        self.held.iter().any(|(_, _, until)| *until <= now)
    }

    /// A server has another name.
    pub fn renamed(&mut self, from: &str, to: &str) {
        if let Some(until) = self.stopped.remove(from) {
            self.stopped.insert(to.to_owned(), until);
        }
    }

    /// Every few minutes: servers that were stopped long enough are started, holds that are over released.
    pub async fn go_on(&mut self, simulator: &Simulator, store: &Store, facts: &mut Facts, now: Timestamp) {
        self.stopped.retain(|server, until| {
            let over = *until <= now;
            if over && simulator.with_account(|account| account.server(server).is_some_and(|it| it.status == "stopped"))
            {
                // It may have left the account.
                let _ = simulator.act(&PersonAction::SetStatus { server: json!(server), status: "active".to_owned() });
            }
            !over
        });
        for (kind, id, _) in self.held.extract_if(.., |(_, _, until)| *until <= now) {
            facts.held.remove(&(crate::fleet::kind(kind), id.to_string()));
            store.release(HoldTarget::Point(kind, PointId::Number(id))).await.expect("the state can be written");
        }
    }

    /// Somebody holds a point of ours for some days.
    pub async fn hold(&mut self, simulator: &Simulator, store: &Store, facts: &mut Facts, now: Timestamp) -> bool {
        let kind = if self.random.random_bool(0.5) { Kind::Backup } else { Kind::Snapshot };
        // Where one is being made the others are about to be judged.
        let in_a_run = self.random.random_bool(0.7);
        let id = simulator.with_account(|account| {
            let manual =
                |point: &&Point| point.takes_slot() && !point.deleting && !account.servers()[point.server].removed;
            let all: Vec<&Point> = account.points(crate::fleet::kind(kind)).filter(manual).collect();
            let busy: BTreeSet<usize> =
                all.iter().filter(|point| point.status == "in_progress").map(|point| point.server).collect();
            let fits = |point: &&&Point| point.status == "completed" && (!in_a_run || busy.contains(&point.server));
            let ids: Vec<i64> = all.iter().filter(fits).map(|point| point.id).collect();
            ids.choose(&mut self.random).copied()
        });
        let Some(id) = id else { return false };
        let until = now + SignedDuration::from_hours(self.random.random_range(10..200));
        let what = HoldTarget::Point(kind, PointId::Number(id));
        store
            .hold(Hold { what, reason: "a test".to_owned(), since: now, until: None })
            .await
            .expect("it can be written");
        facts.held.insert((crate::fleet::kind(kind), id.to_string()));
        self.held.push((kind, id, until));
        true
    }

    /// Having looked at what stopped the deletes, the one on call accepts it.
    pub async fn accept(&self, store: &Store, specs: &[simulator::ServerSpec], now: Timestamp, figures: &mut Figures) {
        for server in specs.iter().map(|spec| crate::fleet::server(spec).reference) {
            let held = store.brakes(server.id.clone()).await.expect("the brakes can be read");
            if !held.is_empty() {
                store.accept(server, held, now).await.expect("the state can be written");
                figures.event("brakes accepted by people");
            }
        }
    }

    /// What the one on call does every day, having read the mails.
    pub fn clear_away(&mut self, simulator: &Simulator, now: Timestamp, extra: bool, figures: &mut Figures) {
        let picks = simulator.with_account(|account| {
            let mut picks = Vec::new();
            for kind in [simulator::PointKind::Backup, simulator::PointKind::Snapshot] {
                let manual = account.points(kind).filter(|point| point.takes_slot() && !point.deleting);
                picks.extend(manual.filter(|point| in_the_way(account, point, now, extra)).map(pick));
            }
            picks.extend(account.servers().iter().filter(|server| server.name().starts_with("none")).flat_map(
                |server| {
                    let points = account.points_of(simulator::PointKind::Backup, server.name());
                    let manual: Vec<&&Point> = points.iter().filter(|point| point.takes_slot()).collect();
                    manual.iter().take(manual.len().saturating_sub(7)).map(|point| pick(point)).collect::<Vec<_>>()
                },
            ));
            picks
        });
        for pick in picks {
            if simulator.act(&PersonAction::DeletePoint(pick)).is_ok() {
                figures.event("points cleared away by people");
            }
        }
    }
}

fn pick(point: &Point) -> Pick {
    Pick { kind: point.kind, id: Some(json!(point.id)), server: None, oldest: false }
}

/// Stuck points, people's points of long ago (of days ago where every slot is needed), and those of a policy that is
/// no longer in the file.
fn in_the_way(account: &Account, point: &Point, now: Timestamp, extra: bool) -> bool {
    let age = point.created_at.duration_until(now);
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    if point.status != "completed" {
        return age > SignedDuration::from_hours(12);
    }
    let server = account.servers()[point.server].name();
    let tight = ["full", "stop", "brim", "weekly"].iter().any(|sort| server.starts_with(sort));
    if !point.description.starts_with("lg-") {
        return age > if tight { days(1) } else { days(15) };
    }
    !extra && point.description.contains(" extra ") && age > days(20)
}
