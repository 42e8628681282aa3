//! Properties of every plan, tested with random lists.

use super::*;
use crate::policy::counted::counts;
use crate::policy::retention::{self, Candidate};

fn any_point(id: i64) -> impl Strategy<Value = RestorePoint> {
    let what = prop_oneof![4 => Just(0), 1 => Just(1), 1 => Just(2), 1 => Just(3)];
    let status = prop_oneof![
        6 => Just(PointStatus::Completed),
        1 => Just(PointStatus::Failed),
        1 => Just(PointStatus::InProgress),
        1 => Just(PointStatus::Other("odd".to_owned()))
    ];
    (what, status, -40_i64..90_000, any::<bool>()).prop_map(move |(what, status, minutes, automatic)| {
        let base = match what {
            0 => ours(id),
            1 => foreign(id),
            2 => of_policy(id, "weekly"),
            _ => RestorePoint { description: mark(id, "nightly", "other").description(), ..foreign(id) },
        };
        let created_at = now() - SignedDuration::from_mins(minutes);
        RestorePoint { status, created_at, automatic: automatic && what == 1, ..base }
    })
}

fn any_case() -> impl Strategy<Value = Case> {
    let points = (1..=8_i64).map(any_point).collect::<Vec<_>>();
    let numbers = (1_u32..6, 0_usize..9, 0_u32..3, 1_u32..4, proptest::option::of(0_u32..5));
    let odd = (any::<bool>(), 0_u32..2, 0_i64..30, 0_i64..30, 0_u32..8);
    (points, numbers, odd).prop_map(|(mut points, (last, used, reserve, min_keep, max_deletes), odd)| {
        points.truncate(used);
        points.sort_by_key(|point| std::cmp::Reverse(point.created_at));
        let mut case = case(last, points);
        let (all, evicted_before, held, deleting, rule) = odd;
        case.policy.prune = if all { Prune::All } else { Prune::Own };
        if rule < 2 {
            case.policy.keep = Keep {
                counts: vec![(KeepRule::Daily, Count::Number(last)), (KeepRule::Weekly, Count::Number(rule))],
                ..Keep::default()
            };
        }
        (case.policy.min_keep, case.policy.max_deletes, case.reserve) = (min_keep, max_deletes, reserve);
        case.memory.holds.insert(PointId::Number(held), "held".to_owned());
        case.memory.deleting.insert(PointId::Number(deleting));
        case.memory.evicted_since_completed = evicted_before;
        case.limit = 8;
        case
    })
}

/// The case after the plan is carried out.
fn applied(case: Case, plan: &Plan) -> Case {
    let Case { policy, mut inventory, mut memory, limit, reserve, others, spent } = case;
    inventory.points.retain(|point| !plan.actions.iter().filter_map(Action::as_delete).any(|it| it.id == point.id));
    let made = RestorePoint { id: PointId::Number(99), created_at: now(), ..ours(0) };
    memory.points.insert(
        made.id.clone(),
        RememberedPoint {
            created_at: Some(now()),
            text: Some(PointText::of(&made)),
            origin: Origin::Made("nightly".parse().unwrap()),
        },
    );
    inventory.points.insert(0, made);
    memory.evicted_since_completed = 0;
    Case { policy, inventory, memory, limit, reserve, others, spent }
}

proptest! {
    #[test]
    fn nothing_is_deleted_that_a_guard_names_and_every_point_has_one_decision(case in any_case()) {
        let plan = case.plan();
        let guards = case.guards();
        prop_assert_eq!(plan.points.len(), case.inventory.points.len());
        for delete in plan.actions.iter().filter_map(Action::as_delete) {
            let point = case.inventory.find(&delete.id).unwrap();
            prop_assert_eq!(guards.refuses(point), None);
            prop_assert_eq!(point.created_at, delete.created_at);
            let decision = plan.points.iter().find(|decision| decision.id == delete.id).unwrap();
            prop_assert!(!decision.keep && !decision.why.is_empty());
        }
        for decision in &plan.points {
            let goes = plan.actions.iter().filter_map(Action::as_delete).any(|delete| delete.id == decision.id);
            prop_assert_eq!(goes, !decision.keep, "{:?}", decision);
        }
    }

    #[test]
    fn evictions_come_first_then_one_create_then_prunes(case in any_case()) {
        let plan = case.plan();
        let creates = plan.actions.iter().filter(|action| matches!(action, Action::Create(_))).count();
        prop_assert_eq!(creates, usize::from(plan.refused.is_none()));
        if plan.refused.is_some() {
            prop_assert!(plan.actions.is_empty());
        }
        let completed = plan.evictions().filter(|delete| delete.completed).count();
        prop_assert!(completed <= usize::from(case.memory.evicted_since_completed == 0));
        if plan.slots.room(case.memory.reserve_now(case.reserve)) > 0 {
            prop_assert_eq!(plan.evictions().count(), 0, "a slot is free");
        }
        let deletes = plan.actions.iter().filter_map(Action::as_delete).count();
        prop_assert!(deletes <= plan.max_deletes as usize);
    }

    #[test]
    fn slots_are_never_exceeded_and_a_good_point_is_there_throughout(case in any_case()) {
        let plan = case.plan();
        if plan.refused.is_none() {
            let used = case.inventory.manual().count() - plan.evictions().count() + 1;
            prop_assert!(used <= case.limit as usize);
            let good = |point: &&RestorePoint| {
                point.status == PointStatus::Completed && !case.memory.deleting.contains(&point.id)
            };
            let before = case.inventory.manual().filter(good).count();
            let left = case.inventory.manual().filter(good).filter(|point| {
                !plan.evictions().any(|delete| delete.id == point.id)
            });
            prop_assert!(before == 0 || left.count() > 0, "good before gone");
        }
    }

    #[test]
    fn after_a_plan_retention_drops_nothing_more_but_what_a_brake_kept(case in any_case()) {
        let mut case = case;
        case.policy.max_deletes = Some(99);
        let plan = case.plan();
        if plan.refused.is_none() {
            let then = applied(case, &plan);
            let (evidence, guards) = (then.evidence(), then.guards());
            let counted: Vec<&RestorePoint> =
                evidence.inventory.points.iter().filter(|point| counts(&evidence, point)).collect();
            let candidates: Vec<Candidate> = counted.iter().map(|point| Candidate::of(point)).collect();
            let verdicts = retention::decide(
                &candidates, &then.policy.keep, then.policy.keep_mode, &then.policy.timezone).unwrap();
            let remaining = counted.len();
            for (point, kept) in counted.iter().zip(verdicts.kept()) {
                let kept = kept || guards.refuses(point).is_some();
                prop_assert!(kept || remaining <= then.policy.min_keep as usize, "{:?}", point);
            }
        }
    }

    #[test]
    fn the_order_of_the_list_does_not_matter(case in any_case(), turn in 0_usize..8) {
        let plan = case.plan();
        let mut turned = case;
        if !turned.inventory.points.is_empty() {
            let turn = turn % turned.inventory.points.len();
            turned.inventory.points.rotate_left(turn);
            turned.inventory.points.reverse();
        }
        let other = turned.plan();
        prop_assert_eq!(&plan.actions, &other.actions);
        prop_assert_eq!(plan.refused.is_some(), other.refused.is_some());
    }
}
