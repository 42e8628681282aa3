//! Finds out what became of a call whose answer was lost, from the provider's list, for as long as it may lag.

use tokio::time::Instant;

use crate::journal::event::{Act, Event, Found};
use crate::journal::state::{Step, StepState};
use crate::policy::inventory::{Id, Inventory, RestorePoint, ServerStatus, newest_first};
use crate::policy::mark::{Mark, Token, is_beginning, tokens_of};
use crate::policy::owner::Owner;
use crate::run::drive::Drive;
use crate::run::make::carries;
use crate::run::take::Inspection;
use crate::run::{RunError, words};

/// A create whose answer was lost.
struct Sent<'a> {
    number: u32,
    step: &'a Step,
    mark: &'a Mark,
    /// The points that were listed before.
    listed: &'a [Id],
}

impl Drive<'_> {
    /// Writes what became of the step, once that is known or cannot be known.
    pub(super) async fn settle(&mut self, number: u32) -> Result<(), RunError> {
        let step = self.run.state.steps[number as usize - 1].clone();
        self.say(format!("finding out what became of the {} whose answer was lost", step.act.word()));
        // An intent without an answer may have been on its way for as long as one request may take; it was sent before a
        // reload that shortens that.
        let sent_with = self.world.settings().timeout;
        // A clock that is set back must not make this last longer than the time itself.
        let began = Instant::now();
        loop {
            let settings = self.world.settings();
            let is_unanswered = step.state == StepState::Intended;
            let unanswered = if is_unanswered { sent_with.max(settings.timeout) } else { std::time::Duration::ZERO };
            let until = step.at + settings.settle + unanswered;
            let waited = began.elapsed() >= settings.settle + unanswered;
            let settled = self.world.clock.now() >= until || waited;
            let found = match &step.act {
                Act::Create { .. } => self.settle_create(settled).await?,
                Act::Delete { id, created_at, .. } => {
                    let still =
                        |inventory: &Inventory| inventory.find(id).is_some_and(|point| point.created_at == *created_at);
                    self.read().await?.and_then(|inventory| match still(&inventory) {
                        false => Some(Found::Done { id: None }),
                        true => settled.then_some(Found::NotDone),
                    })
                }
                Act::StopServer => self.settle_power(false, settled).await?,
                Act::StartServer => self.settle_power(true, settled).await?,
            };
            if let Some(found) = found {
                self.fresh = None;
                return self.write(Event::Settled { step: number, found }).await;
            }
            let overdue = self.since(step.at).saturating_sub(self.world.settings().settle + unanswered);
            if overdue.max(began.elapsed()) > self.stuck_after() {
                let why = "the provider could not be asked what became of it".to_owned();
                return self.write(Event::Settled { step: number, found: Found::Undecided { why } }).await;
            }
            self.world.pause(self.world.settings().poll).await?;
        }
    }

    /// A whole and certain list, or `None` when there is none now.
    async fn read(&mut self) -> Result<Option<Inventory>, RunError> {
        self.fresh = None;
        match self.inspection().await? {
            Ok(seen) if seen.inventory.doubt().is_none() => Ok(Some(seen.inventory)),
            Ok(_) => Ok(None),
            Err(error) => {
                self.say(words(&error));
                Ok(None)
            }
        }
    }

    async fn settle_create(&mut self, settled: bool) -> Result<Option<Found>, RunError> {
        let Some(inventory) = self.read().await? else { return Ok(None) };
        let Some((mark, listed)) = self.run.state.asked() else { return Ok(None) };
        let mut ours: Vec<&RestorePoint> =
            inventory.manual().filter(|point| is_of_create(point, mark, listed)).collect();
        // If two turn up, the older one is adopted; the wait for it finds the other.
        ours.sort_by(|a, b| newest_first((b.created_at, &b.id), (a.created_at, &a.id)));
        if let Some(point) = ours.first() {
            return Ok(Some(Found::Done { id: Some(point.id.clone()) }));
        }
        if !settled {
            return Ok(None);
        }
        let nameless = inventory.manual().find(|point| !listed.contains(&point.id) && is_nameless(point, mark));
        Ok(Some(match nameless {
            Some(point) => Found::Undecided { why: format!("{} and run the policy again", look_at(point)) },
            None => Found::NotDone,
        }))
    }

    /// Ends the run as unknown when a point has turned up that may be of a create that was given up, and nothing tells.
    /// Asked before anything more is made for the same due time.
    pub(super) fn undecided(&self, seen: &Inspection) -> Option<Event> {
        self.creates().filter(|create| create.step.state == StepState::NotDone).find_map(|create| {
            let point = self.may_be_of(&create, seen)?;
            let why = format!("{} and run the policy again", look_at(point));
            Some(Event::Settled { step: create.number, found: Found::Undecided { why } })
        })
    }

    /// The point that may be of a create whose answer was lost and that was sent again, or given up, since.
    pub(super) fn left_over<'a>(&self, seen: &'a Inspection) -> Option<&'a RestorePoint> {
        let replaced = |create: &Sent<'_>| {
            create.step.state == StepState::NotDone || self.sent_again(&create.mark.token).is_some()
        };
        self.creates().filter(replaced).find_map(|create| self.may_be_of(&create, seen))
    }

    /// Whether there may be a point that is left over.
    pub(super) fn was_sent_again(&self) -> bool {
        self.creates().next().is_some() && self.run.state.steps.iter().filter(|step| step.act.is_create()).count() > 1
    }

    /// What was listed before a create was first sent, if it was sent more than once.
    pub(super) fn sent_again(&self, token: &Token) -> Option<&[Id]> {
        let mut sent = self.run.state.steps.iter().filter_map(|step| match &step.act {
            Act::Create { mark, listed } if mark.token == *token => Some(listed.as_slice()),
            _ => None,
        });
        let first = sent.next()?;
        sent.next().map(|_| first)
    }

    /// The creates of the whole run whose answer was lost.
    fn creates(&self) -> impl Iterator<Item = Sent<'_>> {
        self.run.state.steps.iter().zip(1_u32..).filter(|(step, _)| step.answer_was_lost).filter_map(
            |(step, number)| match &step.act {
                Act::Create { mark, listed } => Some(Sent { number, step, mark, listed }),
                _ => None,
            },
        )
    }

    fn may_be_of<'a>(&self, create: &Sent<'_>, seen: &'a Inspection) -> Option<&'a RestorePoint> {
        let evidence = seen.evidence(self.world, self.task);
        let may_be_it = |point: &&RestorePoint| {
            !create.listed.contains(&point.id)
                && is_nameless(point, create.mark)
                && evidence.owner(point) == Owner::Person
        };
        seen.inventory.manual().find(may_be_it)
    }

    async fn settle_power(&self, up: bool, settled: bool) -> Result<Option<Found>, RunError> {
        let asked = self.world.client.server(&self.task.server.reference.id);
        let Ok(server) = self.world.unless_stopped(asked).await? else { return Ok(None) };
        let runs = server.status == ServerStatus::Active;
        Ok(if runs == up {
            Some(Found::Done { id: None })
        } else if settled {
            Some(Found::NotDone)
        } else {
            None
        })
    }
}

/// What a person is told of a point that may be ours.
pub(super) fn look_at(point: &RestorePoint) -> String {
    format!(
        "the answer to the create was lost, and {} {} of {} has turned up without any text that tells whose it is: look \
         at it, delete it if nobody needs it,",
        point.kind, point.id, point.created_at
    )
}

/// Whether a point is a create's. The token proves it though its id was another point's before; a mere beginning of our
/// text does not.
pub(super) fn is_of_create(point: &RestorePoint, mark: &Mark, listed: &[Id]) -> bool {
    carries(point, &mark.token) || (!listed.contains(&point.id) && is_beginning_of(point, mark))
}

/// Whether a point is of this step: a create's by its text, or a new one that has the id that the answer named and no
/// text that would make it another's, for an id may come again.
pub(super) fn is_of_step(point: &RestorePoint, step: &Step) -> bool {
    let Act::Create { mark, listed } = &step.act else { return false };
    let was_answered =
        || step.made.as_ref() == Some(&point.id) && !listed.contains(&point.id) && is_nameless(point, mark);
    is_of_create(point, mark, listed) || was_answered()
}

/// Whether a new point carries a beginning of our text that is long enough.
fn is_beginning_of(point: &RestorePoint, mark: &Mark) -> bool {
    // Another token is somebody else's, however alike the beginning.
    tokens_of(point.name.as_deref(), &point.description).next().is_none()
        && (is_beginning(&point.description, &mark.description())
            || point.name.as_deref().is_some_and(|name| is_beginning(name, &mark.name())))
}

/// Whether nothing on a point tells whose it is. A name alone does not: the provider may have changed ours.
fn is_nameless(point: &RestorePoint, mark: &Mark) -> bool {
    point.description.trim().is_empty()
        // Too little of ours to prove it, and enough that it may be.
        || mark.description().starts_with(&point.description)
        || (is_shortened(&point.description) && point.name.as_deref().is_none_or(is_shortened))
}

/// A text too short to be told from a beginning of ours.
fn is_shortened(text: &str) -> bool {
    text.starts_with("lg-") || "lg-".starts_with(text)
}
