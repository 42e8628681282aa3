//! The state of a run and its one transition function.
//!
//! `RunState::apply` takes the next event or refuses it; nothing else changes a state. Applied in order, the events of a
//! run give the state that it had when the last of them was written.

use jiff::Timestamp;

use crate::journal::event::{Act, Answer, Event, Failure, Found, Outcome, RunKey, Sight, Terms};
use crate::policy::guard::Guard;
use crate::policy::inventory::PointId;
use crate::policy::plan::Plan;

pub(crate) use crate::journal::step::{CreatedPoint, PointProgress, Step, StepState};

/// A run, as its events describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunState {
    /// The server, policy and due time.
    pub key: RunKey,
    /// When it was recorded.
    pub opened_at: Timestamp,
    /// The number of the current or last attempt; 0 before the first.
    pub attempt: u32,
    /// The plan of this attempt.
    pub plan: Option<Plan>,
    /// The policy settings this attempt runs under.
    pub terms: Option<Terms>,
    /// Every step of every attempt.
    pub steps: Vec<Step>,
    /// The index of this attempt's first step.
    pub attempt_from: usize,
    /// Whether the server was found stopped, by a person.
    pub found_stopped: bool,
    /// The point that this attempt created.
    pub created: Option<CreatedPoint>,
    /// The most deletes of the run: the highest number of its plans.
    pub max_deletes: u32,
    /// A second point of the same create.
    pub duplicate: Option<(PointId, Timestamp)>,
    /// Points whose planned delete a guard refused at the last moment.
    pub spared: Vec<PointId>,
    /// The last point that this plan or the one before it meant to evict, and the guard that refused.
    pub refused_eviction: Option<(PointId, Guard)>,
    /// How often the run has planned again because an eviction was refused.
    pub replans: u32,
    /// The end of the last bucket that the run waited for, in this attempt or an earlier one.
    pub postponed: Option<Timestamp>,
    /// Whether it is still waiting for it.
    pub waits_for_bucket: bool,
    /// Evicted points that are known to be gone.
    pub gone: Vec<PointId>,
    /// Whether a server that we stopped was seen stopped, and has been neither started nor seen running since.
    pub seen_stopped: bool,
    /// Whether we stopped (or may have stopped) the server and have not seen it running since.
    pub owes_start: bool,
    /// Whether that server ran, or was asked to start, between the request for the point and its completion.
    pub started_early: bool,
    /// Why this attempt failed.
    pub failure: Option<Failure>,
    /// When the next attempt is due.
    pub retry_at: Option<Timestamp>,
    /// How it ended.
    pub ended: Option<(Outcome, Option<String>, Timestamp)>,
}

/// An event that is not legal in this state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal holds an event that cannot follow what is before it: {0}")]
pub struct IllegalEvent(pub String);

impl RunState {
    /// A run that was just recorded.
    #[must_use]
    pub const fn opened(key: RunKey, opened_at: Timestamp) -> Self {
        Self {
            key,
            opened_at,
            attempt: 0,
            plan: None,
            terms: None,
            steps: Vec::new(),
            attempt_from: 0,
            found_stopped: false,
            created: None,
            max_deletes: 0,
            duplicate: None,
            spared: Vec::new(),
            refused_eviction: None,
            replans: 0,
            postponed: None,
            waits_for_bucket: false,
            gone: Vec::new(),
            seen_stopped: false,
            owes_start: false,
            started_early: false,
            failure: None,
            retry_at: None,
            ended: None,
        }
    }

    /// The state after all these events.
    ///
    /// # Errors
    /// The first event that is not legal.
    pub fn replay<'a>(
        key: RunKey,
        opened_at: Timestamp,
        events: impl IntoIterator<Item = (Timestamp, &'a Event)>,
    ) -> Result<Self, IllegalEvent> {
        let mut state = Self::opened(key, opened_at);
        for (at, event) in events {
            state.apply(event, at)?;
        }
        Ok(state)
    }

    /// Applies the next event.
    ///
    /// # Errors
    /// When it cannot follow the events before it; the state is then unchanged.
    pub fn apply(&mut self, event: &Event, at: Timestamp) -> Result<(), IllegalEvent> {
        self.refuse_if(event, self.ended.is_some(), "the run has ended")?;
        match event {
            Event::Began { attempt, terms } => self.began(event, *attempt, *terms),
            Event::Planned { plan } => {
                let wrong = self.attempt == 0 || self.plan.is_some() || self.failure.is_some();
                self.refuse_if(event, wrong, "only an attempt that goes on is planned, and once")?;
                self.max_deletes = self.max_deletes.max(plan.max_deletes);
                self.plan = Some((**plan).clone());
                (self.waits_for_bucket, self.refused_eviction) = (false, None);
                Ok(())
            }
            Event::Postponed { until } => self.postpone(event, *until),
            Event::FoundStopped => {
                self.refuse_if(event, self.owes_start, "we stopped it").map(|()| self.found_stopped = true)
            }
            Event::FoundOwed => {
                self.refuse_if(event, self.owes_start, "this run has to start it already")?;
                self.refuse_if(event, self.attempt == 0, "no attempt has begun")?;
                self.owes_start = true;
                self.seen_stopped = true;
                Ok(())
            }
            Event::StartLeft => {
                self.refuse_if(event, !self.owes_start, "this run does not have to start it")?;
                self.refuse_if(event, self.has_open_step(), "a step is not settled")?;
                self.owes_start = false;
                self.seen_stopped = false;
                Ok(())
            }
            Event::Intended { step, act } => self.intended(event, *step, act, at),
            Event::Answered { step, answer } => self.answered(event, *step, answer, at),
            Event::Settled { step, found } => self.settled(event, *step, found, at),
            Event::Seen(sight) => self.seen(event, sight),
            Event::Spared { id, guard, replan } => self.spare(event, (id, guard), *replan),
            Event::Failed(failure) => {
                self.refuse_if(event, self.attempt == 0, "no attempt has begun")?;
                self.refuse_if(event, self.failure.is_some(), "the attempt has failed before")?;
                self.refuse_if(event, self.has_open_step(), "a step is not settled")?;
                self.failure = Some(failure.clone());
                Ok(())
            }
            Event::Retrying { at } => {
                self.refuse_if(event, self.failure.is_none(), "nothing has failed")?;
                self.refuse_if(event, self.retry_at.is_some(), "the next attempt is set already")?;
                self.refuse_if(event, self.owes_start, "the server that we stopped has not been started again")?;
                self.retry_at = Some(*at);
                Ok(())
            }
            Event::Ended { outcome, error } => {
                self.refuse_if(event, self.owes_start, "the server that we stopped has not been started again")?;
                self.refuse_if(event, self.has_open_step(), "a step is not settled")?;
                let created = self.created.as_ref();
                let good = created.is_some_and(|point| point.progress == PointProgress::Completed);
                self.refuse_if(event, *outcome == Outcome::Succeeded && !good, "no point was completed")?;
                self.ended = Some((*outcome, error.clone(), at));
                Ok(())
            }
        }
    }

    pub(super) fn refuse_if(&self, event: &Event, wrong: bool, why: &str) -> Result<(), IllegalEvent> {
        if wrong { Err(illegal(event, why)) } else { Ok(()) }
    }

    fn began(&mut self, event: &Event, attempt: u32, terms: Terms) -> Result<(), IllegalEvent> {
        self.refuse_if(event, attempt != self.attempt + 1, "attempts are numbered one by one")?;
        self.refuse_if(event, self.attempt > 0 && self.retry_at.is_none(), "the attempt before it is not over")?;
        let fresh = Self::opened(self.key.clone(), self.opened_at);
        let kept = std::mem::replace(self, fresh);
        self.attempt_from = kept.steps.len();
        self.steps = kept.steps;
        self.owes_start = kept.owes_start;
        self.max_deletes = kept.max_deletes;
        self.postponed = kept.postponed;
        self.replans = kept.replans;
        self.attempt = attempt;
        self.terms = Some(terms);
        Ok(())
    }

    fn intended(&mut self, event: &Event, step: u32, act: &Act, at: Timestamp) -> Result<(), IllegalEvent> {
        self.refuse_if(event, step as usize != self.steps.len() + 1, "steps are numbered one by one")?;
        self.refuse_if(event, self.has_open_step(), "the step before it is not settled")?;
        match act {
            Act::StartServer => {
                self.refuse_if(event, !self.owes_start, "we did not stop the server")?;
                self.seen_stopped = false;
            }
            Act::Delete { .. } => self.refuse_if(event, self.plan.is_none(), "the attempt has no plan")?,
            Act::StopServer | Act::Create { .. } => {
                let planned = self.plan.as_ref().is_some_and(|plan| plan.refused.is_none());
                self.refuse_if(event, !planned, "no plan allows it")?;
                self.refuse_if(event, self.failure.is_some(), "the attempt has failed")?;
                self.refuse_if(event, self.created.is_some(), "this attempt has created its point")?;
            }
        }
        if *act == Act::StopServer {
            self.refuse_if(event, self.found_stopped, "the server was stopped already")?;
            self.owes_start = true;
        }
        if *act == Act::StartServer {
            // Before the point was requested, this happens at a shutdown of the process: its next start stops the
            // server again.
            self.seen_stopped = false;
            self.started_early |= self.is_being_created();
        }
        if act.is_create() {
            self.started_early = false;
        }
        let state = StepState::Intended;
        let (error, answer_was_lost, last, created) = (None, false, false, None);
        self.steps.push(Step { act: act.clone(), intended_at: at, at, state, error, answer_was_lost, last, created });
        Ok(())
    }

    /// Whether the point of this attempt was requested, as far as is known, and is not completed.
    fn is_being_created(&self) -> bool {
        match &self.created {
            Some(created) => created.progress == PointProgress::Running,
            None => self.has_open_step() && self.steps.last().is_some_and(|last| last.act.is_create()),
        }
    }

    pub(super) fn has_open_step(&self) -> bool {
        self.steps.last().is_some_and(|last| matches!(last.state, StepState::Intended | StepState::Unknown))
    }

    fn step_index(&self, event: &Event, step: u32) -> Result<usize, IllegalEvent> {
        let index = (step as usize).checked_sub(1).filter(|index| *index < self.steps.len());
        index.ok_or_else(|| illegal(event, "there is no such step"))
    }

    fn answered(&mut self, event: &Event, step: u32, answer: &Answer, at: Timestamp) -> Result<(), IllegalEvent> {
        let index = self.step_index(event, step)?;
        self.refuse_if(event, self.steps[index].state != StepState::Intended, "the step was answered before")?;
        let (state, error) = match answer {
            Answer::Accepted { .. } | Answer::AlreadyGone => (StepState::Done, None),
            Answer::Refused { error, .. } => (StepState::NotDone, Some(error.clone())),
            Answer::Unknown { error } => (StepState::Unknown, Some(error.clone())),
        };
        let id = if let Answer::Accepted { id } = answer { id.clone() } else { None };
        self.refuse_if(event, self.lacks_id(index, state, id.as_ref()), "a point that was created has an id")?;
        self.resolve(index, state, id, at);
        let step = &mut self.steps[index];
        step.error = error;
        step.answer_was_lost = matches!(answer, Answer::Unknown { .. });
        step.last = matches!(answer, Answer::Refused { last: true, .. });
        Ok(())
    }

    fn settled(&mut self, event: &Event, step: u32, found: &Found, at: Timestamp) -> Result<(), IllegalEvent> {
        let index = self.step_index(event, step)?;
        // A point that appears late corrects what was assumed.
        let is_late = self.gave_up(index) && self.created.is_none();
        let open = matches!(self.steps[index].state, StepState::Intended | StepState::Unknown) || is_late;
        self.refuse_if(event, !open, "the step is settled")?;
        if let Found::Done { id } = found {
            self.refuse_if(
                event,
                self.lacks_id(index, StepState::Done, id.as_ref()),
                "a point that was created has an id",
            )?;
        }
        self.steps[index].answer_was_lost = true;
        match found {
            Found::Done { id } => {
                self.resolve(index, StepState::Done, id.clone(), at);
            }
            Found::NotDone => self.resolve(index, StepState::NotDone, None, at),
            Found::Undecided { why } => {
                self.resolve(index, StepState::Undecided, None, at);
                self.steps[index].error = Some(why.clone());
            }
        }
        Ok(())
    }

    fn resolve(&mut self, index: usize, state: StepState, id: Option<PointId>, at: Timestamp) {
        let step = &mut self.steps[index];
        step.state = state;
        step.at = at;
        match (&step.act, state, id) {
            (Act::Create { .. }, StepState::Done, Some(id)) => {
                step.created = Some(id.clone());
                let progress = PointProgress::Running;
                self.created = Some(CreatedPoint { id, step: index, created_at: None, progress });
            }
            (Act::StopServer, StepState::NotDone, _) => self.owes_start = false,
            _ => {}
        }
    }

    fn lacks_id(&self, index: usize, state: StepState, id: Option<&PointId>) -> bool {
        self.steps[index].act.is_create() && state == StepState::Done && id.is_none()
    }

    fn seen(&mut self, event: &Event, sight: &Sight) -> Result<(), IllegalEvent> {
        match sight {
            // The provider may have reused the id of an evicted point: while a new point is awaited, the id means that
            // one.
            Sight::Gone(id) => match &mut self.created {
                Some(created) if created.id == *id && created.progress == PointProgress::Running => {
                    created.progress = PointProgress::Vanished;
                }
                Some(_) => return Err(illegal(event, "nothing is evicted any more")),
                None => self.gone.push(id.clone()),
            },
            Sight::ServerStopped => self.seen_stopped = true,
            Sight::ServerRunning | Sight::ServerGone => {
                self.started_early |= self.owes_start && self.is_being_created();
                self.owes_start = false;
                self.seen_stopped = false;
            }
            Sight::Completed { created_at, .. } | Sight::PointFailed { created_at } => {
                let created = self.created.as_mut().ok_or_else(|| illegal(event, "no point was created"))?;
                if created.progress != PointProgress::Running {
                    return Err(illegal(event, "the point is no longer awaited"));
                }
                created.created_at = Some(*created_at);
                let completed = matches!(sight, Sight::Completed { .. });
                created.progress = if completed { PointProgress::Completed } else { PointProgress::Failed };
            }
            Sight::Duplicate { id, created_at, adopted } => {
                if self.duplicate.is_some() {
                    return Err(illegal(event, "a second point was seen before"));
                }
                let created = self.created.as_mut().ok_or_else(|| illegal(event, "no point was created"))?;
                created.id = adopted.clone();
                self.duplicate = Some((id.clone(), *created_at));
            }
        }
        Ok(())
    }
}

fn illegal(event: &Event, why: &str) -> IllegalEvent {
    let shown = format!("{event:?}");
    let name: String = shown.chars().take_while(|c| c.is_alphanumeric()).collect();
    IllegalEvent(format!("{name}: {why}"))
}
