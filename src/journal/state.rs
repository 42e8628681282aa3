//! The state of a run and its one transition function.
//!
//! `RunState::apply` takes the next event or refuses it; nothing else changes a state. The list of a run's events,
//! applied in order, gives the state that the run had when the last of them was written.

use jiff::Timestamp;

use crate::journal::event::{Act, Answer, Event, Failure, Found, Outcome, RunKey, Sight, Terms};
use crate::policy::guard::Guard;
use crate::policy::inventory::Id;
use crate::policy::mark::Mark;
use crate::policy::plan::Plan;

pub use crate::journal::step::{Made, Progress, Step, StepState};

/// A run as its events tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunState {
    /// What it is about.
    pub key: RunKey,
    /// When it was recorded.
    pub opened_at: Timestamp,
    /// The attempt in progress or last made; 0 before the first plan.
    pub attempt: u32,
    /// The plan of this attempt.
    pub plan: Option<Plan>,
    /// The policy settings that this attempt runs under.
    pub terms: Option<Terms>,
    /// Every step of every attempt.
    pub steps: Vec<Step>,
    /// The step at which this attempt began.
    pub attempt_from: usize,
    /// The server was found not running.
    pub found_stopped: bool,
    /// The point that this attempt made.
    pub made: Option<Made>,
    /// The brake of the run: the highest of its plans.
    pub max_deletes: u32,
    /// A second point with the same token.
    pub duplicate: Option<(Id, Timestamp)>,
    /// Points that a guard kept at the last moment.
    pub spared: Vec<Id>,
    /// The last point that was to make room by this plan or the one before it, and the guard that kept it.
    pub made_no_room: Option<(Id, Guard)>,
    /// How often the run has planned again, since a point was kept that was to make room.
    pub replans: u32,
    /// The last bucket's end that the run waits or waited for, in this attempt or an earlier one.
    pub postponed: Option<Timestamp>,
    /// Whether it waits for it still.
    pub waits: bool,
    /// Points of evictions that were seen to be gone.
    pub gone: Vec<Id>,
    /// Whether a server that we stopped was seen stopped, and has been neither started nor seen running since.
    pub seen_stopped: bool,
    /// Whether we stopped (or may have stopped) the server and have not seen it run since.
    pub owes_start: bool,
    /// Whether that server ran, or was asked to start, after the point was asked for and before it was completed.
    pub started_early: bool,
    /// Why this attempt failed.
    pub failure: Option<Failure>,
    /// When the next attempt is due.
    pub retry_at: Option<Timestamp>,
    /// How it ended.
    pub ended: Option<(Outcome, Option<String>, Timestamp)>,
}

/// An event that cannot follow the state.
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
            made: None,
            max_deletes: 0,
            duplicate: None,
            spared: Vec::new(),
            made_no_room: None,
            replans: 0,
            postponed: None,
            waits: false,
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
    /// The first event that cannot follow.
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

    /// The points that this run's accepted deletes were for.
    pub fn deleted(&self) -> impl Iterator<Item = &Id> {
        self.steps.iter().filter(|step| step.state == StepState::Done).filter_map(|step| match &step.act {
            Act::Delete { id, .. } => Some(id),
            _ => None,
        })
    }

    /// The mark of the create that this attempt asked for, and the points that were listed before it was first sent.
    #[must_use]
    pub fn asked(&self) -> Option<(&Mark, &[Id])> {
        self.current_steps().iter().find_map(|step| match &step.act {
            Act::Create { mark, listed } => Some((mark, listed.as_slice())),
            _ => None,
        })
    }

    /// The mark of the create that this attempt asked for.
    #[must_use]
    pub fn mark(&self) -> Option<&Mark> {
        self.asked().map(|(mark, _)| mark)
    }

    /// The step with this number.
    #[must_use]
    pub fn step(&self, number: u32) -> Option<&Step> {
        self.steps.get((number as usize).checked_sub(1)?)
    }

    /// The steps of the attempt in progress.
    #[must_use]
    pub fn current_steps(&self) -> &[Step] {
        &self.steps[self.attempt_from..]
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// When it cannot follow what is before it; the state is then as it was.
    pub fn apply(&mut self, event: &Event, at: Timestamp) -> Result<(), IllegalEvent> {
        self.refuse_if(event, self.ended.is_some(), "the run has ended")?;
        match event {
            Event::Began { attempt, terms } => self.began(event, *attempt, *terms),
            Event::Planned { plan } => {
                let wrong = self.attempt == 0 || self.plan.is_some() || self.failure.is_some();
                self.refuse_if(event, wrong, "an attempt that goes on has one plan")?;
                self.max_deletes = self.max_deletes.max(plan.max_deletes);
                self.plan = Some((**plan).clone());
                (self.waits, self.made_no_room) = (false, None);
                Ok(())
            }
            Event::Postponed { until } => self.postpone(event, *until),
            Event::FoundStopped => {
                self.refuse_if(event, self.owes_start, "we have stopped it").map(|()| self.found_stopped = true)
            }
            Event::FoundOwed => {
                self.refuse_if(event, self.owes_start, "this run is to start it already")?;
                self.refuse_if(event, self.attempt == 0, "no attempt has begun")?;
                self.owes_start = true;
                self.seen_stopped = true;
                Ok(())
            }
            Event::StartLeft => {
                self.refuse_if(event, !self.owes_start, "this run is not to start it")?;
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
                self.refuse_if(event, self.retry_at.is_some(), "it is to be tried again already")?;
                self.refuse_if(event, self.owes_start, "the server that we stopped was not started again")?;
                self.retry_at = Some(*at);
                Ok(())
            }
            Event::Ended { outcome, error } => {
                self.refuse_if(event, self.owes_start, "the server that we stopped was not started again")?;
                self.refuse_if(event, self.has_open_step(), "a step is not settled")?;
                let good = self.made.as_ref().is_some_and(|made| made.progress == Progress::Completed);
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
        self.refuse_if(event, attempt != self.attempt + 1, "attempts count one by one")?;
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
        self.refuse_if(event, step as usize != self.steps.len() + 1, "steps count one by one")?;
        self.refuse_if(event, self.has_open_step(), "the step before it is not settled")?;
        match act {
            Act::StartServer => {
                self.refuse_if(event, !self.owes_start, "we have not stopped the server")?;
                self.seen_stopped = false;
            }
            Act::Delete { .. } => self.refuse_if(event, self.plan.is_none(), "the attempt has no plan")?,
            Act::StopServer | Act::Create { .. } => {
                let planned = self.plan.as_ref().is_some_and(|plan| plan.refused.is_none());
                self.refuse_if(event, !planned, "no plan allows it")?;
                self.refuse_if(event, self.failure.is_some(), "the attempt has failed")?;
                self.refuse_if(event, self.made.is_some(), "this attempt has made its point")?;
            }
        }
        if *act == Act::StopServer {
            self.refuse_if(event, self.found_stopped, "the server was stopped already")?;
            self.owes_start = true;
        }
        if *act == Act::StartServer {
            // Before the point was asked for, this is a shutdown: the next start stops it once more.
            self.seen_stopped = false;
            self.started_early |= self.is_being_made();
        }
        if act.is_create() {
            self.started_early = false;
        }
        self.steps.push(Step::intended(act.clone(), at));
        Ok(())
    }

    /// Whether the point of this attempt was asked for, as far as is known, and is not completed.
    fn is_being_made(&self) -> bool {
        match &self.made {
            Some(made) => made.progress == Progress::Running,
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
        self.refuse_if(event, self.lacks_id(index, state, id.as_ref()), "a point that was made has an id")?;
        self.resolve(index, state, id, at);
        let step = &mut self.steps[index];
        step.error = error;
        step.answer_was_lost = matches!(answer, Answer::Unknown { .. });
        step.last = matches!(answer, Answer::Refused { last: true, .. });
        Ok(())
    }

    fn settled(&mut self, event: &Event, step: u32, found: &Found, at: Timestamp) -> Result<(), IllegalEvent> {
        let index = self.step_index(event, step)?;
        let known = &self.steps[index];
        // A point that turns up after all is the better knowledge: of a create whose answer was lost, or of one that an
        // earlier attempt gave up when no list showed it.
        let given_up = match known.state {
            StepState::NotDone => known.answer_was_lost,
            StepState::Done => known.act.is_create() && index < self.attempt_from,
            _ => false,
        };
        let late = given_up && self.made.is_none();
        let open = matches!(known.state, StepState::Intended | StepState::Unknown) || late;
        self.refuse_if(event, !open, "the step is settled")?;
        if let Found::Done { id } = found {
            self.refuse_if(
                event,
                self.lacks_id(index, StepState::Done, id.as_ref()),
                "a point that was made has an id",
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

    fn resolve(&mut self, index: usize, state: StepState, id: Option<Id>, at: Timestamp) {
        let step = &mut self.steps[index];
        step.state = state;
        step.at = at;
        match (&step.act, state, id) {
            (Act::Create { .. }, StepState::Done, Some(id)) => {
                step.made = Some(id.clone());
                self.made = Some(Made { id, step: index, created_at: None, progress: Progress::Running });
            }
            (Act::StopServer, StepState::NotDone, _) => self.owes_start = false,
            _ => {}
        }
    }

    fn lacks_id(&self, index: usize, state: StepState, id: Option<&Id>) -> bool {
        self.steps[index].act.is_create() && state == StepState::Done && id.is_none()
    }

    fn seen(&mut self, event: &Event, sight: &Sight) -> Result<(), IllegalEvent> {
        match sight {
            // The new point may have been given the id of an evicted one: while one is awaited, it is meant.
            Sight::Gone(id) => match &mut self.made {
                Some(made) if made.id == *id && made.progress == Progress::Running => {
                    made.progress = Progress::Vanished
                }
                Some(_) => return Err(illegal(event, "nothing is evicted any more")),
                None => self.gone.push(id.clone()),
            },
            Sight::ServerStopped => self.seen_stopped = true,
            Sight::ServerRunning | Sight::ServerGone => {
                self.started_early |= self.owes_start && self.is_being_made();
                self.owes_start = false;
                self.seen_stopped = false;
            }
            Sight::Completed { created_at, .. } | Sight::PointFailed { created_at } => {
                let made = self.made.as_mut().ok_or_else(|| illegal(event, "no point was made"))?;
                if made.progress != Progress::Running {
                    return Err(illegal(event, "the point is awaited no more"));
                }
                made.created_at = Some(*created_at);
                let completed = matches!(sight, Sight::Completed { .. });
                made.progress = if completed { Progress::Completed } else { Progress::Failed };
            }
            Sight::Duplicate { id, created_at, adopted } => {
                if self.duplicate.is_some() {
                    return Err(illegal(event, "a second point was seen before"));
                }
                let made = self.made.as_mut().ok_or_else(|| illegal(event, "no point was made"))?;
                made.id = adopted.clone();
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
