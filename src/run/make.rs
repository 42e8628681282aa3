//! Asks for the new restore point, and waits until it is completed.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::journal::event::{Act, Answer, Event, Found, Sight};
use crate::journal::state::{Step, StepState};
use crate::policy::guard::Guard;
use crate::policy::inventory::{Id, Inventory, PointStatus, RestorePoint, newest_first};
use crate::policy::mark::{Mark, Token, moment_by_hand, tokens_of};
use crate::policy::plan::PlanRefusal;
use crate::policy::planner::no_room;
use crate::policy::slots::Slots;
use crate::provider::{CreateRequest, ProviderError, WatchPace};
use crate::run::drive::Drive;
use crate::run::power::Standing;
use crate::run::settle::{is_of_create, is_of_step};
use crate::run::take::Inspection;
use crate::run::{CUT_OFF, RunError, words};

/// How a call that changes something ended, for the journal.
pub(super) fn answer_of(error: &ProviderError) -> Answer {
    if error.outcome_unknown() {
        Answer::Unknown { error: words(error) }
    } else {
        Answer::Refused { error: words(error), last: error.is_refusal() && error.status() != Some(409) }
    }
}

impl Drive<'_> {
    /// Room first: the create is sent only when a fresh, complete list shows a free slot; and, if the server was stopped
    /// for it, when the server stands still yet.
    pub(super) async fn create(&mut self) -> Result<(), RunError> {
        match self.standing().await? {
            Standing::Still => {}
            // What comes next is to stop it again.
            Standing::Runs => return Ok(()),
            Standing::Unknown { error, last } => return self.fail(error, last).await,
        }
        let seen = match self.inspection().await? {
            Ok(seen) => seen,
            Err(error) => return self.fail_by(&error).await,
        };
        if let Some(doubt) = seen.inventory.doubt() {
            return self.fail(PlanRefusal::Doubt(doubt).to_string(), false).await;
        }
        if let Some(id) = self.turned_up(&seen.inventory) {
            let (step, id) = id;
            return self.write(Event::Settled { step, found: Found::Done { id: Some(id) } }).await;
        }
        if let Some(undecided) = self.undecided(&seen) {
            return self.write(undecided).await;
        }
        if !self.has_room(&seen).await? {
            return Ok(());
        }
        self.ask(&seen).await
    }

    /// Whether a fresh list shows a free slot; if not, the attempt has failed.
    pub(super) async fn finds_room(&mut self) -> Result<bool, RunError> {
        let seen = match self.inspection().await? {
            Ok(seen) => seen,
            Err(error) => return self.fail_by(&error).await.map(|()| false),
        };
        let has_room = self.turned_up(&seen.inventory).is_some() || self.has_room(&seen).await?;
        self.fresh = Some(seen);
        Ok(has_room)
    }

    /// Whether this list shows a free slot; if not, the attempt has failed.
    async fn has_room(&mut self, seen: &Inspection) -> Result<bool, RunError> {
        let request = seen.request(self.world, self.task, 0);
        if self.slots(seen).room(seen.memory.reserve_now(request.reserve)) > 0 {
            return Ok(true);
        }
        let refusal = no_room(&request, Some(self.why_no_room())).to_string();
        self.fail(refusal, true).await?;
        Ok(false)
    }

    /// Why a slot that the plan counted on is not there, and what ends that beside what is always said.
    fn why_no_room(&self) -> String {
        let Some((id, guard)) = &self.run.state.made_no_room else {
            return "a slot that was free is taken now".to_owned();
        };
        let kind = self.task.policy.kind;
        let what_to_do = match guard {
            Guard::Brake(_) => "; `lastgood accept` lets deletes go on",
            Guard::MaxDeletes(_) => "; raise max_deletes",
            Guard::NotInForce => "; put it back",
            Guard::KeptNow(_) => "; the next run plans by that",
            _ => "",
        };
        format!("{kind} {id} was to make room and stays: {guard}{what_to_do}")
    }

    /// The slots as a list shows them.
    pub(super) fn slots(&self, seen: &Inspection) -> Slots {
        let limit = self.world.settings().limit(self.task.policy.kind);
        Slots::count(limit, &self.world.settings().instance, &seen.inventory, &seen.memory)
    }

    /// The point of a create that was taken for lost, or was given up by an earlier attempt when no list showed it, if
    /// the list shows it after all: with the number of the step. Asking again would make a second one for the same due
    /// time.
    pub(super) fn turned_up(&self, inventory: &Inventory) -> Option<(u32, Id)> {
        let state = &self.run.state;
        let given_up = |step: &Step, number: u32| match step.state {
            StepState::NotDone => step.answer_was_lost,
            StepState::Done => number as usize <= state.attempt_from,
            _ => false,
        };
        let is_going = |point: &RestorePoint| state.deleted().any(|id| *id == point.id);
        state.steps.iter().zip(1_u32..).filter(|(step, number)| given_up(step, *number)).find_map(|(step, number)| {
            let is_it = |point: &&RestorePoint| {
                is_of_step(point, step) && point.status != PointStatus::Failed && !is_going(point)
            };
            let older = inventory.manual().filter(is_it).min_by_key(|point| (point.created_at, point.id.clone()));
            older.map(|point| (number, point.id.clone()))
        })
    }

    /// What is seen, as if this create had made nothing yet.
    pub(super) fn without_made_by(&self, step: u32, seen: &Inspection) -> Inspection {
        let mut other = seen.clone();
        let step = &self.run.state.steps[step as usize - 1];
        other.inventory.points.retain(|point| !is_of_step(point, step));
        other
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
        let listed: Vec<Id> = seen.inventory.points.iter().map(|point| point.id.clone()).collect();
        self.write(Event::Intended { step, act: Act::Create { mark, listed: listed.clone() } }).await?;
        self.say(format!("asking for a new {kind}"));
        let answer = match self.world.answer(self.world.client.create(&request)).await {
            Some(Ok(created)) => match created.id {
                // Whoever made that one, this create did not: the list tells whether it has made another.
                Some(id) if listed.contains(&id) => {
                    Answer::Unknown { error: format!("the provider answered with {kind} {id}, which was there before") }
                }
                Some(id) => Answer::Accepted { id: Some(id) },
                None => Answer::Unknown { error: "the provider accepted it and named no id".to_owned() },
            },
            Some(Err(error)) => answer_of(&error),
            None => Answer::Unknown { error: CUT_OFF.to_owned() },
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
        Mark {
            token: token.expect("the source of tokens never ends"),
            instance: self.world.settings().instance.clone(),
            policy: key.policy.to_string(),
            due: key.due.unwrap_or_else(|| moment_by_hand(self.run.state.opened_at)),
        }
    }

    /// Looks at the lists, together with all other waiting runs, until the point is completed, has failed, is gone or
    /// is stuck.
    pub(super) async fn await_point(&mut self, id: &Id) -> Result<(), RunError> {
        let asked = self.asked_at();
        let usual = self.usual().await?;
        let mut pace = WatchPace::new(self.since(asked), usual);
        let mut missing_since = None;
        // After a crash or an outage it may have been completed long ago: it is looked at before it is judged.
        let mut taken_up = self.since(asked) > self.world.settings().poll;
        let mut looked = false;
        let mut unread = Unread::new();
        loop {
            if looked && self.since(asked) >= self.stuck_after() {
                return self.stuck(id).await;
            }
            let kind = self.task.policy.kind;
            let look = async {
                if std::mem::take(&mut taken_up) {
                    let now = Instant::now();
                    return self.world.watch.inventory_after(&self.task.server, kind, now, now).await;
                }
                self.world.watch.next(&self.task.server, kind, &mut pace).await
            };
            // A list that cannot be read now may be read later: the point is no worse for it.
            let inventory = match self.world.unless_stopped(look).await? {
                Ok(inventory) => inventory,
                Err(error) if self.is_unread_for_too_long(&mut unread, &error) => return self.unseen(id, &error).await,
                Err(_) => {
                    self.world.pause(self.world.settings().poll).await?;
                    continue;
                }
            };
            looked = true;
            unread = Unread::new();
            if let Some(event) = self.double(&inventory, id) {
                return self.write(event).await;
            }
            match inventory.find(id) {
                Some(point) => {
                    missing_since = None;
                    if let Some(sight) = sight(point) {
                        return self.seen_made(sight, inventory).await;
                    }
                    self.wait_for(format!("waiting for {kind} {id}: {}", point.status));
                }
                // A list may lag, and may be wrong once: only what is missing for `settle` is gone.
                None => {
                    let since = *missing_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= self.world.settings().settle && self.is_gone(id).await? {
                        return self.write(Event::Seen(Sight::Gone(id.clone()))).await;
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
        self.world.pause(self.world.settings().poll).await?;
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

    /// Whether a list was refused for `settle`, or could not be read for `stuck_after`.
    fn is_unread_for_too_long(&self, unread: &mut Unread, error: &ProviderError) -> bool {
        let refused = error.is_refusal().then(|| unread.refused_since.unwrap_or_else(Instant::now));
        unread.refused_since = refused;
        unread.began.elapsed() >= self.stuck_after()
            || refused.is_some_and(|since| since.elapsed() >= self.world.settings().settle)
    }

    async fn unseen(&mut self, id: &Id, error: &ProviderError) -> Result<(), RunError> {
        let kind = self.task.policy.kind;
        let error = format!(
            "{kind} {id} was asked for, and no list can be read to see what becomes of it: {}; it is looked at again at \
             the next run",
            words(error)
        );
        self.fail(error, true).await
    }

    /// A second point with our token: the older one is adopted, the younger one goes later.
    fn double(&self, inventory: &Inventory, id: &Id) -> Option<Event> {
        if self.run.state.duplicate.is_some() {
            return None;
        }
        let state = &self.run.state;
        let made = state.made.as_ref()?;
        let Act::Create { mark, .. } = &state.steps[made.step].act else { return None };
        // A beginning of our text counts where the create was sent again.
        let sent_again = self.sent_again(&mark.token);
        let is_twin = |point: &&RestorePoint| match sent_again {
            Some(listed) => is_of_create(point, mark, listed),
            None => carries(point, &mark.token),
        };
        let mut twins: Vec<&RestorePoint> = inventory.manual().filter(is_twin).collect();
        twins.sort_by(|a, b| newest_first((b.created_at, &b.id), (a.created_at, &a.id)));
        let [older, younger, ..] = twins.as_slice() else { return None };
        if older.id != *id && younger.id != *id {
            return None;
        }
        // A beginning of our text is enough to adopt a point, and never to delete one.
        let was_made = |point: &RestorePoint| state.steps.iter().any(|step| step.made.as_ref() == Some(&point.id));
        if !carries(younger, &mark.token) && !was_made(younger) {
            return None;
        }
        let (id, created_at, adopted) = (younger.id.clone(), younger.created_at, older.id.clone());
        Some(Event::Seen(Sight::Duplicate { id, created_at, adopted }))
    }

    /// When the create was first asked for: by this attempt, or by the one whose point turned up late.
    pub(super) fn asked_at(&self) -> Timestamp {
        if let Some(made) = &self.run.state.made {
            return self.run.state.steps[made.step].intended_at.min(self.first_asked());
        }
        self.first_asked()
    }

    fn first_asked(&self) -> Timestamp {
        let create = self.run.state.current_steps().iter().find(|step| step.act.is_create());
        create.map_or_else(|| self.world.clock.now(), |step| step.intended_at)
    }

    /// The time passed since, whatever has become of the clock.
    pub(super) fn since(&self, at: Timestamp) -> Duration {
        self.ages.since(at, self.world.clock.now())
    }

    /// The median of the last makings.
    async fn usual(&self) -> Result<Option<Duration>, RunError> {
        let key = &self.run.state.key;
        let mut last = self.world.store.usual_durations(key.server.id.clone(), key.policy.clone(), key.kind).await?;
        last.sort_unstable();
        Ok(last.get(last.len() / 2).copied())
    }
}

/// For how long no list could be read. A server that was stopped for its point must not stand still for as long as that
/// lasts; what is refused will be refused again.
struct Unread {
    began: Instant,
    refused_since: Option<Instant>,
}

impl Unread {
    fn new() -> Self {
        Self { began: Instant::now(), refused_since: None }
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
    tokens_of(point.name.as_deref(), &point.description).any(|carried| carried == *token)
}
