//! Power actions and restores: accepted at once, completed later.

use jiff::Timestamp;
use serde_json::json;

use super::account::{Account, PendingChange, ServerState};
use super::options::ServerSpec;
use super::point::PointKind;
use super::points::ApiRefusal;
use super::record::{Cause, ChangeKind};

impl Account {
    /// Adds a server without points. Returns its index.
    pub(super) fn add_server(&mut self, now: Timestamp, spec: ServerSpec) -> usize {
        let status = spec.status.clone().unwrap_or_else(|| "active".to_owned());
        let server =
            ServerState { spec, status, shows: None, removed: false, since: now, restored_from: None, turn: 0 };
        self.servers.push(server);
        let index = self.servers.len() - 1;
        self.record_server(now, ChangeKind::ServerChanged, index, Cause::PERSON, json!("added"));
        index
    }

    /// Removes a server. Its snapshots are removed, too (same infrastructure); its backups stay.
    pub(super) fn remove_server(&mut self, now: Timestamp, server: usize) {
        let ids: Vec<i64> = self.points_on(PointKind::Snapshot, server).map(|point| point.id).collect();
        for id in ids {
            self.remove(now, (PointKind::Snapshot, id), ChangeKind::PointVanished, Cause::PROVIDER);
        }
        self.servers[server].removed = true;
        self.record_server(now, ChangeKind::ServerChanged, server, Cause::PERSON, json!("removed"));
    }

    /// Sets the status of a server and voids its pending changes.
    pub(super) fn set_status(&mut self, now: Timestamp, server: usize, word: &str, cause: Cause) {
        let it = &mut self.servers[server];
        it.turn += 1;
        it.shows = None;
        if it.status == word {
            return;
        }
        let from = std::mem::replace(&mut it.status, word.to_owned());
        it.since = now;
        self.record_server(now, ChangeKind::ServerStatus, server, cause, json!({ "from": from, "to": word }));
    }

    fn change_status_over_time(&mut self, now: Timestamp, server: usize, words: (&str, &str), cause: Cause) {
        self.set_status(now, server, words.0, cause);
        let turn = self.servers[server].turn;
        let slow = words.0 == "stopping" && !self.options.slow_shutdown.is_zero();
        let takes = match words.0 {
            "restoring" => self.options.restore,
            "stopping" if slow => self.options.slow_shutdown,
            _ => self.options.power,
        };
        if slow {
            self.servers[server].shows = Some("active".to_owned());
        }
        self.schedule(now + takes, PendingChange::Status { server, turn, word: words.1.to_owned() });
        self.advance_to(now);
    }

    /// Accepts a power action. The server reaches its new status later.
    pub(super) fn power(
        &mut self,
        now: Timestamp,
        server: usize,
        action: &str,
        cause: Cause,
    ) -> Result<(), ApiRefusal> {
        if !["start", "stop", "restart", "hard_stop"].contains(&action) {
            return Err(ApiRefusal::field("action", format!("\"{action}\" is not a valid choice.")));
        }
        let status = self.servers[server].status.clone();
        match (action, status.as_str()) {
            (_, "suspended" | "restoring") => {
                return Err(ApiRefusal::detail(400, format!("The server is {status}.")));
            }
            ("start", "active" | "starting") | ("stop", "stopped" | "stopping") => {}
            ("start", "stopping") if self.options.start_ignored_while_stopping => {}
            ("start", _) => self.change_status_over_time(now, server, ("starting", "active"), cause),
            ("stop", _) => self.change_status_over_time(now, server, ("stopping", "stopped"), cause),
            ("restart", _) => self.change_status_over_time(now, server, ("restarting", "active"), cause),
            _ => self.set_status(now, server, "stopped", cause),
        }
        Ok(())
    }

    /// Accepts a restore: the server is `restoring` for a while, then `active`, no matter what it was before.
    pub(super) fn restore(&mut self, now: Timestamp, which: (PointKind, i64), cause: Cause) -> Result<(), ApiRefusal> {
        let (kind, id) = which;
        let point = self.point(kind, id).filter(|point| !point.deleting).cloned().ok_or_else(ApiRefusal::not_found)?;
        if point.status != "completed" {
            return Err(ApiRefusal::detail(400, format!("It cannot be restored while it is {}.", point.status)));
        }
        let server = point.server;
        if self.servers[server].removed {
            return Err(ApiRefusal::not_found());
        }
        let status = self.servers[server].status.clone();
        if !["active", "stopped"].contains(&status.as_str()) {
            return Err(ApiRefusal::detail(400, format!("The server cannot be restored while it is {status}.")));
        }
        self.servers[server].restored_from = Some((kind, id));
        self.record_point(now, ChangeKind::RestoreStarted, &point, cause);
        self.change_status_over_time(now, server, ("restoring", "active"), cause);
        Ok(())
    }
}
