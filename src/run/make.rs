//! Asks for the new restore point, and waits until it is completed.

use std::time::Duration;

use jiff::{Timestamp, Unit};

use crate::journal::event::{Act, Answer, Event, Found, Sight};
use crate::policy::guard::{Slots, names_of_foreign};
use crate::policy::inventory::{Id, Inventory, PointStatus, RestorePoint};
use crate::policy::mark::{Mark, Token, token_of_name};
use crate::policy::plan::Refusal;
use crate::provider::{CreateRequest, Pace, ProviderError};
use crate::run::drive::Drive;
use crate::run::take::Inspection;
use crate::run::{RunError, words};

/// How a call that changes something ended, for the journal.
pub(super) fn answer_of(error: &ProviderError) -> Answer {
    if error.outcome_unknown() {
        Answer::Unknown { error: words(error) }
    } else {
        Answer::Refused { error: words(error), last: error.is_refusal() && error.status() != Some(409) }
    }
}

impl Drive<'_> {
    /// Room first: the create is sent only when a fresh, complete list shows a free slot.
    pub(super) async fn create(&mut self) -> Result<(), RunError> {
        let seen = match self.inspection().await? {
            Ok(seen) => seen,
            Err(error) => return self.fail_by(&error).await,
        };
        if let Some(doubt) = seen.inventory.doubt() {
            return self.fail(Refusal::Doubt(doubt).to_string(), false).await;
        }
        if let Some(id) = self.turned_up(&seen.inventory) {
            let step = self.next_step() - 1;
            return self.write(Event::Settled { step, found: Found::Done { id: Some(id) } }).await;
        }
        let kind = self.task.policy.kind;
        let limit = self.world.settings.limit(kind);
        let slots = Slots::count(limit, &self.world.settings.instance, &seen.inventory, &seen.memory);
        if slots.room(self.task.reserve) == 0 {
            let foreign = names_of_foreign(&seen.ground(self.world, self.task));
            let because = Some("a slot that was free is taken now".to_owned());
            let refusal = Refusal::NoRoom { slots, kind, reserve: self.task.reserve, foreign, because };
            return self.fail(refusal.to_string(), true).await;
        }
        self.ask(&seen).await
    }

    /// The point of a create that was taken for lost, if the list shows it after all.
    fn turned_up(&self, inventory: &Inventory) -> Option<Id> {
        let (mark, listed) = self.run.state.asked()?;
        let last = self.run.state.steps.last()?;
        let is_it = |point: &&RestorePoint| carries(point, &mark.token) && !listed.contains(&point.id);
        let create = matches!(last.act, Act::Create { .. }) && last.answer_was_lost;
        inventory.points.iter().filter(is_it).map(|point| point.id.clone()).next().filter(|_| create)
    }

    async fn ask(&mut self, seen: &Inspection) -> Result<(), RunError> {
        let kind = self.task.policy.kind;
        let mark = self.mark(seen);
        let request = CreateRequest {
            server: self.task.server.reference.id.clone(),
            kind,
            name: (kind == crate::policy::inventory::Kind::Snapshot).then(|| mark.name()),
            description: mark.description(),
        };
        let step = self.next_step();
        let listed = seen.inventory.points.iter().map(|point| point.id.clone()).collect();
        self.write(Event::Intended { step, act: Act::Create { mark, listed } }).await?;
        self.say(format!("asking for a new {kind}"));
        let answer = match self.world.client.create(&request).await {
            Ok(created) => match created.id {
                Some(id) => Answer::Accepted { id: Some(id) },
                None => Answer::Unknown { error: "the provider accepted it and named no id".to_owned() },
            },
            Err(error) => answer_of(&error),
        };
        self.write(Event::Answered { step, answer }).await
    }

    /// The mark of the next create: the same one when it is sent again, since its answer was lost.
    fn mark(&self, seen: &Inspection) -> Mark {
        if let Some(mark) = self.run.state.mark() {
            return mark.clone();
        }
        let key = &self.run.state.key;
        // A token that is in use would make another point look like a twin of the new one.
        let token = std::iter::repeat_with(|| Token::from_random(self.world.random.bits())).find(|token| {
            !seen.memory.tokens.contains_key(token) && !seen.inventory.points.iter().any(|point| carries(point, token))
        });
        let by_hand = self.run.state.opened_at.round(Unit::Millisecond).unwrap_or(self.run.state.opened_at);
        Mark {
            token: token.expect("the source of tokens never ends"),
            instance: self.world.settings.instance.clone(),
            policy: key.policy.to_string(),
            due: key.due.unwrap_or(by_hand),
        }
    }

    /// Looks at the lists, together with all other waiting runs, until the point is completed, has failed, is gone or
    /// is stuck.
    pub(super) async fn await_point(&mut self, id: &Id) -> Result<(), RunError> {
        let asked = self.asked_at();
        let usual = self.usual().await?;
        let mut pace = Pace::new(self.since(asked), usual);
        let mut seen_once = false;
        loop {
            if self.since(asked) >= self.stuck_after() {
                return self.stuck(id).await;
            }
            let kind = self.task.policy.kind;
            let look = self.world.watch.next(&self.task.server, kind, &mut pace);
            // A list that cannot be read now may be read later: the point is no worse for it.
            let Ok(inventory) = self.world.unless_stopped(look).await? else {
                self.world.pause(self.world.settings.poll).await?;
                continue;
            };
            if let Some(event) = self.double(&inventory, id) {
                return self.write(event).await;
            }
            match inventory.find(id) {
                Some(point) => {
                    seen_once = true;
                    if let Some(sight) = sight(point) {
                        return self.seen_made(sight, inventory).await;
                    }
                    self.wait_for(format!("waiting for {kind} {id}: {}", point.status));
                }
                None => {
                    let overdue = self.since(asked) > self.world.settings.settle + self.world.settings.poll;
                    if (seen_once || overdue) && self.is_gone(id).await? {
                        return self.fail(format!("{kind} {id} was being made and is no longer listed"), false).await;
                    }
                }
            }
        }
    }

    async fn seen_made(&mut self, sight: Sight, inventory: Inventory) -> Result<(), RunError> {
        self.say(match &sight {
            Sight::Completed { .. } => "completed".to_owned(),
            _ => "the provider could not make it".to_owned(),
        });
        self.write(Event::Seen(sight)).await?;
        let proven = inventory.doubt().is_none();
        let seen = crate::run::take::with_memory(self.world, self.task, inventory).await?;
        let seen = self.remembered(seen).await?;
        self.fresh = Some(seen).filter(|_| proven);
        Ok(())
    }

    /// A list of this server alone confirms that a point is not there.
    async fn is_gone(&mut self, id: &Id) -> Result<bool, RunError> {
        self.fresh = None;
        let gone = match self.inspection().await? {
            Ok(seen) => seen.inventory.doubt().is_none() && seen.inventory.find(id).is_none(),
            Err(_) => false,
        };
        self.world.pause(self.world.settings.poll).await?;
        Ok(gone)
    }

    async fn stuck(&mut self, id: &Id) -> Result<(), RunError> {
        let (kind, after) = (self.task.policy.kind, self.stuck_after().as_secs());
        let error = format!(
            "{kind} {id} is stuck: still in progress {after} s after it was asked for; it is left alone and looked at \
             again at the next run"
        );
        self.fail(error, true).await
    }

    /// A second point with our token: the older one is adopted, the younger one goes later.
    fn double(&self, inventory: &Inventory, id: &Id) -> Option<Event> {
        if self.run.state.duplicate.is_some() {
            return None;
        }
        let (mark, listed) = self.run.state.asked()?;
        let is_twin = |point: &&RestorePoint| carries(point, &mark.token) && !listed.contains(&point.id);
        let mut twins: Vec<&RestorePoint> = inventory.points.iter().filter(is_twin).collect();
        twins.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        let [older, younger, ..] = twins.as_slice() else { return None };
        if older.id != *id && younger.id != *id {
            return None;
        }
        let (id, created_at, adopted) = (younger.id.clone(), younger.created_at, older.id.clone());
        Some(Event::Seen(Sight::Duplicate { id, created_at, adopted }))
    }

    /// When the create was first asked for.
    pub(super) fn asked_at(&self) -> Timestamp {
        let create = self.run.state.current_steps().iter().find(|step| matches!(step.act, Act::Create { .. }));
        create.map_or(self.run.state.opened_at, |step| step.intended_at)
    }

    /// The time passed since; nothing when the clock was set back.
    pub(super) fn since(&self, at: Timestamp) -> Duration {
        Duration::try_from(at.duration_until(self.world.clock.now())).unwrap_or_default()
    }

    /// The median of the last makings.
    async fn usual(&self) -> Result<Option<Duration>, RunError> {
        let key = &self.run.state.key;
        let mut last = self.world.store.usual_durations(key.server.id.clone(), key.policy.clone()).await?;
        last.sort_unstable();
        Ok(last.get(last.len() / 2).copied())
    }
}

fn sight(point: &RestorePoint) -> Option<Sight> {
    let created_at = point.created_at;
    match point.status {
        PointStatus::Completed => Some(Sight::Completed { created_at, size_mb: point.size_mb }),
        PointStatus::Failed => Some(Sight::PointFailed { created_at }),
        PointStatus::InProgress | PointStatus::Other(_) => None,
    }
}

/// Whether a point's text carries this token.
pub(super) fn carries(point: &RestorePoint, token: &Token) -> bool {
    let named = point.name.as_deref().and_then(token_of_name);
    let described = Mark::parse(&point.description).map(|mark| mark.token);
    named.as_ref() == Some(token) || described.as_ref() == Some(token)
}
