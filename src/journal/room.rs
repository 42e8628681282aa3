//! Whether a point can be created now: only if a list without doubts shows a free slot.

use crate::journal::event::Failure;
use crate::journal::state::RunState;
use crate::policy::evidence::PlanRequest;
use crate::policy::inventory::Inventory;
use crate::policy::plan::PlanRefusal;
use crate::policy::planner;

/// Whether to check for room before the stop: a server is not stopped for a point that cannot be created. One that we
/// have already stopped needs no check.
#[must_use]
pub(crate) fn comes_before_stop(state: &RunState) -> bool {
    !state.owes_start
}

/// Why the attempt fails if the list is doubtful; `None` if it is not.
#[must_use]
pub(crate) fn doubtful(inventory: &Inventory) -> Option<Failure> {
    let doubt = inventory.doubt_about_room()?;
    Some(Failure { error: PlanRefusal::Doubt(doubt).to_string(), last: false })
}

/// Why the attempt fails if the list shows no free slot; `None` if it shows one.
#[must_use]
pub(crate) fn no_room(state: &RunState, request: &PlanRequest<'_>) -> Option<Failure> {
    (request.room() == 0).then(|| {
        let refusal = planner::no_room(request, Some(state.why_no_room()));
        Failure { error: refusal.to_string(), last: true }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::event::{Act, Event};
    use crate::journal::samples::{at, began, inventory, list_point, nightly, run_after};
    use crate::policy::evidence::Evidence;
    use crate::policy::inventory::Kind;
    use crate::policy::memory::Memory;
    use crate::policy::policy::Policy;

    #[test]
    fn a_point_needs_a_free_slot_and_the_want_of_one_ends_the_run() {
        let (policy, memory) = (Policy::removed(nightly(), Kind::Snapshot), Memory::default());
        for (case, points, reserve, fails) in [
            ("a free slot", 1, 0, false),
            ("no free slot", 2, 0, true),
            ("a free slot that is kept for people", 1, 2, true),
        ] {
            let inventory = inventory((0..points).map(|id| list_point(id, at(id), "a person's")).collect());
            let evidence =
                Evidence { at: at(60), instance: "main", policy: &policy, inventory: &inventory, memory: &memory };
            let (limit, others, now) = (2, &[], at(60));
            let request = PlanRequest { evidence, limit, reserve, others, spent: 0, now, waited_for: None };
            let failure = no_room(&run_after(&began()), &request);
            assert_eq!(failure.as_ref().map(|failure| failure.last), fails.then_some(true), "{case}");
            let because = "a slot that was free is taken now";
            assert!(failure.is_none_or(|failure| failure.error.contains(because)), "{case}");
        }
    }

    #[test]
    fn nothing_is_created_by_a_doubtful_list_and_the_next_one_may_be_better() {
        let mut list = inventory(Vec::new());
        assert_eq!(doubtful(&list), None);
        list.doubts.push("one entry cannot be read".to_owned());
        assert!(!doubtful(&list).unwrap().last);
    }

    #[test]
    fn room_is_looked_for_until_the_server_is_stopped() {
        let stopped = vec![Event::Intended { step: 1, act: Act::StopServer }];
        assert!(comes_before_stop(&run_after(&began())));
        assert!(!comes_before_stop(&run_after(&[began(), stopped].concat())));
    }
}
