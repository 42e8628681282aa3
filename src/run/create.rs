//! Requests the new restore point: only when a fresh, complete list shows a free slot and, if the server was stopped for
//! the point, while it is still stopped.

use crate::journal::adopt::{LatePoint, answer_to_create, find_late_point, mark_of_next_create};
use crate::journal::answer::answer_of;
use crate::journal::event::{Act, Event};
use crate::journal::power::ServerPower;
use crate::journal::room::{doubtful, no_room};
use crate::policy::inventory::{Kind, PointId};
use crate::policy::mark::Token;
use crate::provider::CreateRequest;
use crate::run::active_run::ActiveRun;
use crate::run::answer::reply_of;
use crate::run::{Inspection, RunError};

impl ActiveRun<'_> {
    /// Requests the point, unless the point of an earlier create has appeared or there is no room.
    pub(super) async fn create(&mut self) -> Result<(), RunError> {
        match self.power_before_create().await? {
            ServerPower::Off => {}
            // The next step is to stop it again.
            ServerPower::On => return Ok(()),
            ServerPower::Unknown(failure) => return self.fail(failure).await,
        }
        let seen = match self.inspection().await {
            Ok(seen) => seen,
            Err(error) => return self.fail_by(&error.by_provider()?).await,
        };
        if let Some(failure) = doubtful(&seen.inventory) {
            return self.fail(failure).await;
        }
        if let Some(late) = find_late_point(&self.run.state, &seen.evidence(self.world, self.task)) {
            return self.write(late.into_event()).await;
        }
        if !self.has_room(&seen).await? {
            return Ok(());
        }
        self.request_point(&seen).await
    }

    /// Whether a fresh list shows a free slot. If not, records that the attempt failed.
    pub(super) async fn finds_room(&mut self) -> Result<bool, RunError> {
        let seen = match self.inspection().await {
            Ok(seen) => seen,
            Err(error) => return self.fail_by(&error.by_provider()?).await.map(|()| false),
        };
        let late = find_late_point(&self.run.state, &seen.evidence(self.world, self.task));
        let has_room = matches!(late, Some(LatePoint::Ours { .. })) || self.has_room(&seen).await?;
        self.fresh = Some(seen);
        Ok(has_room)
    }

    /// Whether this list shows a free slot. If not, records that the attempt failed.
    async fn has_room(&mut self, seen: &Inspection) -> Result<bool, RunError> {
        match no_room(&self.run.state, &seen.request(self.world, self.task, 0)) {
            Some(failure) => self.fail(failure).await.map(|()| false),
            None => Ok(true),
        }
    }

    async fn request_point(&mut self, seen: &Inspection) -> Result<(), RunError> {
        let kind = self.task.policy.kind;
        let tokens = std::iter::repeat_with(|| Token::from_random(self.world.random.bits()));
        let settings = self.world.settings();
        let mark = mark_of_next_create(&self.run.state, &settings.instance, (&seen.inventory, &seen.memory), tokens);
        let request = CreateRequest {
            server: self.task.server.reference.id.clone(),
            kind,
            name: (kind == Kind::Snapshot).then(|| mark.name()),
            description: mark.description(),
        };
        let step = self.next_step();
        let listed: Vec<PointId> = seen.inventory.points.iter().map(|point| point.id.clone()).collect();
        self.write(Event::Intended { step, act: Act::Create { mark, listed: listed.clone() } }).await?;
        self.say(format!("requesting a new {kind}"));
        let answer = self.world.answer(self.world.client.create(&request)).await;
        let answer = answer_of(reply_of(answer), |created| answer_to_create(kind, created.id, &listed));
        self.write(Event::Answered { step, answer }).await
    }
}
