//! What a list of restore points changes.

use super::*;
use crate::policy::inventory::{Inventory, ReadProof};
use crate::policy::memory::Memory;

fn list(points: Vec<RestorePoint>) -> Inventory {
    Inventory {
        server: server(),
        kind: Kind::Snapshot,
        points,
        read_at: at(200),
        provider_time: None,
        proof: ReadProof::OnePage,
        doubts: Vec::new(),
    }
}

/// What is remembered about these points after earlier lists.
fn memory(points: &[KnownPoint]) -> Memory {
    let mut memory = Memory { seen_before: true, ..Memory::default() };
    recall(points, "nightly", (Duration::from_secs(60), at(200)), &mut memory);
    memory
}

fn changes_with(memory: &Memory, points: &[KnownPoint], inventory: &Inventory) -> Vec<Change> {
    let settle = Duration::from_secs(60);
    listed(&Before { points, memory, instance: "main", policy: &nightly(), settle }, inventory)
}

fn changes(points: &[KnownPoint], listed: Vec<RestorePoint>) -> Vec<Change> {
    changes_with(&memory(points), points, &list(listed))
}

fn remembered(point: KnownPoint) -> Change {
    Change::PointRemembered(Box::new(KnownPoint { seen_at: Some(at(200)), ..point }))
}

fn vanished(number: i64) -> Change {
    let (created_at, first_text) = (at(number), PointText::of(&listed_point(number)));
    Change::PointVanished(Box::new(Vanished { id: id(number), created_at, first_text, origin: Origin::First }))
}

fn again(numbers: &[i64]) -> Change {
    Change::PointsSeenAgain(numbers.iter().copied().map(id).collect())
}

fn made(number: i64, second: i64) -> KnownPoint {
    KnownPoint {
        policy: Some("nightly".parse().unwrap()),
        made_at: Some(at(second)),
        token: Some(mark(number).token),
        ..KnownPoint::new(id(number), Origin::Made("nightly".parse().unwrap()))
    }
}

#[test]
fn what_is_listed_as_before_is_one_change_and_what_is_not_is_one_each() {
    let (one, two) = (known_point(1), known_point(2));
    let read = || Change::InventoryRead;
    let shrunk = RestorePoint { size_mb: Some(1), ..listed_point(2) };
    let person = RestorePoint { description: "by hand".to_owned(), ..listed_point(3) };
    let of_person = KnownPoint {
        first_text: Some(PointText::of(&person)),
        policy: None,
        ..KnownPoint { origin: Origin::Later, ..known_point(3) }
    };
    let accepted = KnownPoint { delete_accepted_at: Some(at(150)), ..one.clone() };
    let never_seen = KnownPoint { first_text: None, ..one.clone() };
    let ours = made(9, 190);
    let seen_ours = KnownPoint { made_at: ours.made_at, token: ours.token.clone(), ..known_point(9) };
    let seen_ours = KnownPoint { origin: ours.origin.clone(), ..seen_ours };
    let replaced = || Change::EvictionsReplaced { policy: "nightly".parse().unwrap() };
    let other = RestorePoint { created_at: at(77), ..listed_point(1) };
    let is_other = KnownPoint { created_at: Some(at(77)), policy: None, origin: Origin::Later, ..one.clone() };
    type Row = (&'static str, Vec<KnownPoint>, Vec<RestorePoint>, Vec<Change>);
    let table: Vec<Row> = vec![
        ("nothing", vec![], vec![], vec![read()]),
        (
            "as before",
            vec![one.clone(), two.clone()],
            vec![listed_point(1), listed_point(2)],
            vec![again(&[1, 2]), read()],
        ),
        (
            "one has another size",
            vec![one.clone(), two.clone()],
            vec![listed_point(1), shrunk],
            vec![remembered(KnownPoint { size_mb: Some(1), ..two }), again(&[1]), read()],
        ),
        ("a person made one", vec![], vec![person], vec![remembered(of_person), read()]),
        ("one is gone", vec![one.clone()], vec![], vec![vanished(1), Change::PointForgotten(id(1)), read()]),
        (
            "one that we have deleted is gone: it does not come back",
            vec![accepted],
            vec![],
            vec![Change::PointForgotten(id(1)), read()],
        ),
        ("one without a text is gone", vec![never_seen], vec![], vec![Change::PointForgotten(id(1)), read()]),
        ("ours is not listed yet", vec![ours.clone()], vec![], vec![read()]),
        ("ours is not listed for too long", vec![made(9, 139)], vec![], vec![Change::PointForgotten(id(9)), read()]),
        (
            "ours is listed at last, and completed",
            vec![ours],
            vec![listed_point(9)],
            vec![replaced(), remembered(seen_ours), read()],
        ),
        ("an id came again for another point", vec![one], vec![other], vec![vanished(1), remembered(is_other), read()]),
    ];
    for (name, known, listed, expected) in table {
        assert_eq!(changes(&known, listed), expected, "{name}");
    }
}

#[test]
fn the_first_list_proves_marks_and_a_later_one_does_not() {
    for (seen_before, origin, policy) in [(false, Origin::First, Some("nightly")), (true, Origin::Later, None)] {
        let memory = Memory { seen_before, ..Memory::default() };
        let point = KnownPoint { origin, policy: policy.map(|name| name.parse().unwrap()), ..known_point(1) };
        let expected = [remembered(point), Change::InventoryRead];
        assert_eq!(changes_with(&memory, &[], &list(vec![listed_point(1)])), expected);
    }
}

#[test]
fn a_doubtful_list_forgets_nothing_and_counts_as_none() {
    let known = [known_point(1), known_point(2)];
    let mut doubtful = list(vec![listed_point(1)]);
    doubtful.doubts.push("entry 2".to_owned());
    assert_eq!(changes_with(&memory(&known), &known, &doubtful), [again(&[1])]);
}

#[test]
fn a_point_that_was_given_up_counts_once_it_is_listed_as_completed() {
    let token = mark(9).token;
    let mut memory = Memory { seen_before: true, ..Memory::default() };
    memory.tokens.insert(token.clone(), "nightly".parse().unwrap());
    memory.given_up.insert(token.clone());
    let made = Change::TokenSettled { token, state: TokenState::Made };
    let replaced = Change::EvictionsReplaced { policy: "nightly".parse().unwrap() };
    let running = RestorePoint { status: PointStatus::InProgress, ..listed_point(9) };
    for (point, expected) in [(running, vec![]), (listed_point(9), vec![made, replaced])] {
        let changes = changes_with(&memory, &[], &list(vec![point]));
        assert_eq!(changes[..changes.len() - 2], expected);
    }
}

#[test]
fn a_point_that_comes_back_keeps_the_text_that_it_first_had() {
    let changed = RestorePoint { description: "keep!".to_owned(), ..listed_point(1) };
    let mut memory = memory(&[]);
    let (created_at, first_text) = (at(1), PointText::of(&listed_point(1)));
    recall_vanished(vec![Vanished { id: id(1), created_at, first_text, origin: Origin::First }], &mut memory);
    let expected = [remembered(KnownPoint { policy: None, ..known_point(1) }), Change::InventoryRead];
    assert_eq!(changes_with(&memory, &[], &list(vec![changed])), expected);
}

#[test]
fn a_new_point_takes_over_the_id_of_an_earlier_one() {
    let new = Change::PointRemembered(Box::new(made(1, 5)));
    let token = mark(1).token;
    let created = |known: Option<&KnownPoint>| point_created(known, (&id(1), Some(&token)), &nightly(), at(5));
    assert_eq!(created(None), std::slice::from_ref(&new));
    assert_eq!(created(Some(&known_point(1))), [vanished(1), new]);
}

#[test]
fn what_the_planner_gets_to_know_about_a_point() {
    let told = |point: &KnownPoint, second: i64| {
        let mut memory = Memory::default();
        recall(std::slice::from_ref(point), "nightly", (Duration::from_secs(60), at(second)), &mut memory);
        let listed: Vec<bool> = memory.listed.iter().map(|last| last.good).collect();
        (memory.deleting.len(), memory.not_gone.len(), memory.unfinished.len(), memory.unlisted.len(), listed)
    };
    let deleted = KnownPoint { delete_accepted_at: Some(at(200)), ..known_point(1) };
    let intended = KnownPoint { delete_intended_at: Some(at(200)), ..known_point(1) };
    let automatic = KnownPoint { automatic: true, ..known_point(1) };
    let running = KnownPoint { status: Some(PointStatus::InProgress), ..known_point(1) };
    let others = KnownPoint { policy: None, ..known_point(1) };
    for (name, point, second, expected) in [
        ("a good one", known_point(1), 200, (0, 0, 0, 0, vec![true])),
        ("one of somebody else", others, 200, (0, 0, 0, 0, vec![false])),
        ("one in progress", running, 200, (0, 0, 0, 0, vec![false])),
        ("one of the provider's plan is not missed", automatic, 200, (0, 0, 0, 0, vec![])),
        ("one that we intend to delete is not missed", intended, 201, (0, 0, 0, 0, vec![])),
        ("one that is being deleted", deleted.clone(), 3799, (1, 0, 0, 0, vec![])),
        ("one whose delete may be sent again", deleted, 3800, (0, 1, 0, 0, vec![])),
        ("one that we made, and the list may lag", made(9, 200), 259, (0, 0, 1, 1, vec![])),
        ("one that we made, and the list would show it", made(9, 200), 260, (0, 0, 1, 0, vec![])),
    ] {
        assert_eq!(told(&point, second), expected, "{name}");
    }
}
