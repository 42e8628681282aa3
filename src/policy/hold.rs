//! Holds: a person has said that a restore point, or everything on a server, must stay.

use jiff::Timestamp;

use crate::policy::guard::Guard;
use crate::policy::inventory::{Kind, PointId, ServerRef};
use crate::policy::memory::Memory;

/// What is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldTarget {
    /// One restore point.
    Point(Kind, PointId),
    /// Everything on a server.
    Server(ServerRef),
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// What is held.
    pub what: HoldTarget,
    /// The person's reason.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; `None` means until it is released.
    pub until: Option<Timestamp>,
}

impl Hold {
    /// Whether it is in force at a moment.
    #[must_use]
    pub fn is_in_force(&self, at: Timestamp) -> bool {
        self.until.is_none_or(|until| until > at)
    }

    fn guard(&self) -> Guard {
        match self.what {
            HoldTarget::Point(..) => Guard::Held(self.reason.clone()),
            HoldTarget::Server(_) => Guard::ServerHeld(self.reason.clone()),
        }
    }
}

/// The guard of the first of these holds that is in force: all are on one point or its server.
#[must_use]
pub(crate) fn guard_of(holds: &[Hold], at: Timestamp) -> Option<Guard> {
    holds.iter().find(|hold| hold.is_in_force(at)).map(Hold::guard)
}

/// Adds the holds that are in force to what is remembered of their server and kind.
pub(crate) fn recall_holds(holds: Vec<Hold>, at: Timestamp, memory: &mut Memory) {
    for hold in holds.into_iter().filter(|hold| hold.is_in_force(at)) {
        match hold.what {
            HoldTarget::Point(_, id) => {
                memory.hold_ends.extend(hold.until.map(|until| (id.clone(), until)));
                memory.holds.insert(id, hold.reason);
            }
            HoldTarget::Server(_) => {
                (memory.server_hold, memory.server_hold_until) = (Some(hold.reason), hold.until);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn on_point(id: i64, until: Option<i64>) -> Hold {
        let what = HoldTarget::Point(Kind::Backup, PointId::Number(id));
        Hold { what, reason: format!("audit of {id}"), since: at(0), until: until.map(at) }
    }

    fn on_server(until: Option<i64>) -> Hold {
        let what =
            HoldTarget::Server(ServerRef { id: crate::policy::inventory::ServerId::Number(1), name: "web".to_owned() });
        Hold { what, reason: "upgrade".to_owned(), since: at(0), until: until.map(at) }
    }

    #[test]
    fn the_first_hold_in_force_guards_the_point() {
        let (held, server_held) = (Guard::Held("audit of 5".to_owned()), Guard::ServerHeld("upgrade".to_owned()));
        for (case, holds, guard) in [
            ("none", vec![], None),
            ("without an end", vec![on_point(5, None)], Some(held.clone())),
            ("until later", vec![on_point(5, Some(11))], Some(held.clone())),
            ("until now", vec![on_point(5, Some(10))], None),
            ("on the server", vec![on_server(None)], Some(server_held.clone())),
            ("on both", vec![on_point(5, None), on_server(None)], Some(held)),
            ("on both, and one is over", vec![on_point(5, Some(9)), on_server(None)], Some(server_held)),
        ] {
            assert_eq!(guard_of(&holds, at(10)), guard, "{case}");
        }
    }

    #[test]
    fn what_is_over_is_not_remembered() {
        let mut memory = Memory::default();
        recall_holds(vec![on_point(5, Some(11)), on_point(6, None), on_point(7, Some(9))], at(10), &mut memory);
        assert_eq!(memory.holds.keys().collect::<Vec<_>>(), [&PointId::Number(5), &PointId::Number(6)]);
        assert_eq!(memory.hold_ends.get(&PointId::Number(5)), Some(&at(11)));
        assert_eq!(memory.server_hold, None);
        recall_holds(vec![on_server(Some(20))], at(10), &mut memory);
        assert_eq!((memory.server_hold.as_deref(), memory.server_hold_until), (Some("upgrade"), Some(at(20))));
    }
}
