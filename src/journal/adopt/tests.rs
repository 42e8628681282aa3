//! Whose a new point is, one row a case. Our create carries the token `ourtoken`; point 1 was listed before it.

use super::*;
use crate::journal::samples::{at, began, inventory, list_point, mark, plan, run_after, terms};
use crate::policy::name::PolicyName;
use crate::policy::policy::Policy;

fn id(number: i64) -> PointId {
    PointId::Number(number)
}

fn ours() -> String {
    mark("ourtoken").description()
}

/// The first characters of our description.
fn cut(characters: usize) -> String {
    ours().chars().take(characters).collect()
}

fn point(number: i64, description: &str) -> RestorePoint {
    list_point(number, at(100 + number), description)
}

/// A point with our snapshot name as far as the provider left it.
fn named(number: i64, name: &str, description: &str) -> RestorePoint {
    RestorePoint { name: Some(name.to_owned()), ..point(number, description) }
}

fn failed(point: RestorePoint) -> RestorePoint {
    RestorePoint { status: PointStatus::Failed, ..point }
}

fn automatic(point: RestorePoint) -> RestorePoint {
    RestorePoint { automatic: true, ..point }
}

fn old() -> RestorePoint {
    point(1, "golden image")
}

fn create(step: u32, token: &str) -> Event {
    Event::Intended { step, act: Act::Create { mark: mark(token), listed: vec![id(1)] } }
}

fn lost(step: u32) -> Event {
    Event::Answered { step, answer: Answer::Unknown { error: "no answer".to_owned() } }
}

fn accepted(step: u32, point: i64) -> Event {
    Event::Answered { step, answer: Answer::Accepted { id: Some(id(point)) } }
}

fn settled(step: u32, found: Found) -> Event {
    Event::Settled { step, found }
}

/// A run that has planned, and what happened then.
fn run(then: Vec<Event>) -> RunState {
    run_after(&[began(), then].concat())
}

/// The attempt fails, and another one has its plan.
fn next_attempt() -> Vec<Event> {
    let failure = crate::journal::event::Failure { error: "no".to_owned(), last: false };
    vec![
        Event::Failed(failure),
        Event::Retrying { at: at(900) },
        Event::Began { attempt: 2, terms: terms(false) },
        Event::Planned { plan: Box::new(plan()) },
    ]
}

fn late_point(state: &RunState, points: Vec<RestorePoint>) -> Option<LatePoint> {
    let (inventory, memory) = (inventory(points), Memory::default());
    let policy = Policy::removed(PolicyName::new("nightly").unwrap(), Kind::Snapshot);
    let evidence = Evidence { at: at(60), instance: "main", policy: &policy, inventory: &inventory, memory: &memory };
    find_late_point(state, &evidence)
}

fn left_over(state: &RunState, points: Vec<RestorePoint>) -> Option<PointId> {
    let (inventory, memory) = (inventory(points), Memory::default());
    let policy = Policy::removed(PolicyName::new("nightly").unwrap(), Kind::Snapshot);
    let evidence = Evidence { at: at(60), instance: "main", policy: &policy, inventory: &inventory, memory: &memory };
    assert!(may_have_left_over(state, Outcome::Succeeded), "asked only then");
    assert!(!may_have_left_over(state, Outcome::Failed), "and after a success");
    find_left_over(state, &evidence).map(|point| point.id.clone())
}

#[test]
fn an_answer_with_an_id_is_believed_unless_that_point_was_listed_before() {
    let listed = [id(1), id(2)];
    let answer = |id| answer_to_create(Kind::Snapshot, id, &listed);
    assert_eq!(answer(Some(id(3))), Answer::Accepted { id: Some(id(3)) });
    let says = |error: &str| Answer::Unknown { error: error.to_owned() };
    assert_eq!(answer(Some(id(2))), says("the provider answered with snapshot 2, which was there before"));
    assert_eq!(answer(None), says("the provider accepted it and named no id"));
}

#[test]
fn what_a_list_says_of_a_create_whose_answer_was_lost() {
    let state = run(vec![create(1, "ourtoken"), lost(1)]);
    let adopted = |number| Some(Found::Done { id: Some(id(number)) });
    let too_early = None;
    let send_again = Some(Found::NotDone);
    // The list before it has had its time to catch up, and after.
    for (case, points, early, late) in [
        ("nothing new", vec![old()], too_early.clone(), send_again.clone()),
        ("our token", vec![old(), point(2, &ours())], adopted(2), adopted(2)),
        ("our token in the name alone", vec![named(2, &mark("ourtoken").name(), "")], adopted(2), adopted(2)),
        ("our token on an id that was listed before", vec![point(1, &ours())], adopted(1), adopted(1)),
        ("our token on a point that has failed", vec![failed(point(2, &ours()))], adopted(2), adopted(2)),
        ("twelve characters of our text: the whole token", vec![point(2, &cut(12))], adopted(2), adopted(2)),
        ("eight characters of our text", vec![point(2, &cut(8))], adopted(2), adopted(2)),
        ("eight characters on an id that was listed before", vec![point(1, &cut(8))], None, send_again.clone()),
        ("two: the older is adopted", vec![point(3, &ours()), point(2, &ours())], adopted(2), adopted(2)),
        ("an automatic backup", vec![automatic(point(2, ""))], None, send_again.clone()),
        ("a person's text", vec![point(2, "before the upgrade")], None, send_again),
    ] {
        assert_eq!(find_created(&state, &inventory(points.clone()), false), early, "{case}, too early");
        assert_eq!(find_created(&state, &inventory(points), true), late, "{case}");
    }
}

#[test]
fn a_new_point_without_a_trace_ends_the_search_undecided_once_the_list_had_its_time() {
    let state = run(vec![create(1, "ourtoken"), lost(1)]);
    for (case, new) in [
        ("no text", point(2, "")),
        ("spaces", point(2, "  ")),
        ("seven characters of ours", point(2, &cut(7))),
        ("two characters of ours", point(2, "lg")),
        ("no description, and a name that the provider may have changed", named(2, "snapshot-2026", "")),
        ("a beginning of some lastgood's text", point(2, "lg-zz")),
        // Of another lastgood, in all likelihood; the search asks a person all the same.
        ("another token", point(2, &mark("theirone").description())),
    ] {
        assert_eq!(find_created(&state, &inventory(vec![new.clone()]), false), None, "{case}");
        let found = find_created(&state, &inventory(vec![new]), true);
        let why = match found {
            Some(Found::Undecided { why }) => why,
            other => panic!("{case}: {other:?}"),
        };
        assert!(why.contains("snapshot 2 of") && why.ends_with("and run the policy again"), "{case}: {why}");
    }
    let listed_before = inventory(vec![point(1, "")]);
    assert_eq!(find_created(&state, &listed_before, true), Some(Found::NotDone), "it was there before");
}

#[test]
fn a_point_that_appears_late_is_adopted_or_left_to_a_person_to_check() {
    let given_up = || vec![create(1, "ourtoken"), lost(1), settled(1, Found::NotDone)];
    let gone = Event::Seen(Sight::Gone(id(2)));
    let answered = || [vec![create(1, "ourtoken"), accepted(1, 2), gone.clone()], next_attempt()].concat();
    let ours_is = |number| Some(LatePoint::Ours { step: 1, id: id(number) });
    let deleted = |mut events: Vec<Event>| {
        let cause = crate::journal::event::DeleteReason::OwnFailure;
        events.push(Event::Intended { step: 2, act: Act::Delete { id: id(2), created_at: at(102), cause } });
        events.push(Event::Answered { step: 2, answer: Answer::Accepted { id: None } });
        events
    };
    for (case, events, points, late) in [
        ("given up, and still not listed", given_up(), vec![old()], None),
        ("given up, with our token", given_up(), vec![old(), point(2, &ours())], ours_is(2)),
        ("given up, with eight characters", given_up(), vec![point(2, &cut(8))], ours_is(2)),
        ("two: the older", given_up(), vec![point(3, &ours()), point(2, &ours())], ours_is(2)),
        ("failed: it is cleared away, not adopted", given_up(), vec![failed(point(2, &ours()))], None),
        ("already being deleted", deleted(given_up()), vec![point(2, &ours())], None),
        ("a person's", given_up(), vec![point(2, "before the upgrade")], None),
        ("its answer is not yet given up", vec![create(1, "ourtoken"), lost(1)], vec![point(2, &ours())], None),
        ("by its id, in a later attempt", answered(), vec![point(2, "")], ours_is(2)),
        ("its id with a text of someone else", answered(), vec![point(2, "before the upgrade")], None),
        ("another id without a text", answered(), vec![point(3, "")], None),
    ] {
        assert_eq!(late_point(&run(events), points), late, "{case}");
    }
    let undecidable = late_point(&run(given_up()), vec![old(), point(2, "")]);
    let Some(late @ LatePoint::Undecidable { step: 1, .. }) = undecidable else { panic!("{undecidable:?}") };
    assert!(matches!(late.into_event(), Event::Settled { step: 1, found: Found::Undecided { .. } }));
    let both = late_point(&run(given_up()), vec![point(3, ""), point(2, &ours())]);
    assert_eq!(both, ours_is(2), "what can be identified comes first");
    let adopted = LatePoint::Ours { step: 1, id: id(2) }.into_event();
    assert_eq!(adopted, settled(1, Found::Done { id: Some(id(2)) }));
}

#[test]
fn of_two_points_of_one_create_the_older_is_adopted_and_the_younger_is_the_duplicate() {
    let once = || vec![create(1, "ourtoken"), accepted(1, 2)];
    let twice = |answered| {
        let first = vec![create(1, "ourtoken"), lost(1), settled(1, Found::NotDone)];
        [first, vec![create(2, "ourtoken"), accepted(2, answered)]].concat()
    };
    let duplicate = |adopted: i64, other: i64| {
        Some(Sight::Duplicate { id: id(other), created_at: at(100 + other), adopted: id(adopted) })
    };
    for (case, events, awaited, points, found) in [
        ("one point", once(), 2, vec![old(), point(2, &ours())], None),
        ("ours is the older", once(), 2, vec![point(3, &ours()), point(2, &ours())], duplicate(2, 3)),
        ("ours is the younger", twice(3), 3, vec![point(3, &ours()), point(2, &ours())], duplicate(2, 3)),
        ("another token", once(), 2, vec![point(2, &ours()), point(3, &mark("theirone").description())], None),
        ("a beginning, and it was sent once", once(), 2, vec![point(2, &ours()), point(3, &cut(8))], None),
        (
            "an older beginning, and it was sent twice",
            twice(3),
            3,
            vec![point(2, &cut(8)), point(3, &ours())],
            duplicate(2, 3),
        ),
        ("a younger beginning is never deleted", twice(2), 2, vec![point(2, &ours()), point(3, &cut(8))], None),
        (
            "a younger beginning that was the answer",
            twice(3),
            3,
            vec![point(2, &ours()), point(3, &cut(8))],
            duplicate(2, 3),
        ),
        ("neither is the awaited one", once(), 9, vec![point(2, &ours()), point(3, &ours())], None),
        ("both automatic", once(), 2, vec![automatic(point(2, &ours())), automatic(point(3, &ours()))], None),
    ] {
        assert_eq!(find_duplicate(&run(events), &inventory(points), &id(awaited)), found, "{case}");
    }
    let seen = [once(), vec![Event::Seen(duplicate(2, 3).unwrap())]].concat();
    let both = inventory(vec![point(2, &ours()), point(3, &ours())]);
    assert_eq!(find_duplicate(&run(seen), &both, &id(2)), None, "it is found once");
}

#[test]
fn a_plan_does_not_count_the_points_of_a_create_that_appeared_late() {
    let state = run(vec![create(1, "ourtoken"), lost(1), settled(1, Found::NotDone)]);
    let list = inventory(vec![old(), point(2, &ours()), point(3, &cut(9)), point(4, "")]);
    let left: Vec<PointId> = without_points_of(&state, 1, &list).points.into_iter().map(|point| point.id).collect();
    assert_eq!(left, [id(1), id(4)]);
}

#[test]
fn a_point_without_a_trace_is_left_over_once_the_create_was_replaced() {
    let first = vec![create(1, "ourtoken"), lost(1), settled(1, Found::NotDone)];
    let second = [first.clone(), vec![create(2, "ourtoken"), accepted(2, 5)]].concat();
    let new_one = point(5, &ours());
    for (case, points, found) in [
        ("nothing else", vec![new_one.clone()], None),
        ("a point without a text", vec![new_one.clone(), point(4, "")], Some(id(4))),
        ("one that was there before", vec![new_one.clone(), point(1, "")], None),
        ("a person's", vec![new_one, point(4, "before the upgrade")], None),
    ] {
        assert_eq!(left_over(&run(second.clone()), points), found, "{case}");
    }
    assert!(!may_have_left_over(&run(first), Outcome::Succeeded), "it was sent once");
    let answered = run(vec![create(1, "ourtoken"), accepted(1, 2)]);
    assert!(!may_have_left_over(&answered, Outcome::Succeeded), "no answer was lost");
}

#[test]
fn a_create_that_is_sent_again_keeps_its_token_and_a_new_one_avoids_tokens_in_use() {
    let tokens = || ["listed00", "remember", "freetokn"].map(|token| Token::parse(token).unwrap()).into_iter();
    let list = inventory(vec![point(2, &mark("listed00").description())]);
    let mut memory = Memory::default();
    memory.tokens.insert(Token::parse("remember").unwrap(), "nightly".parse().unwrap());
    let next = |state: &RunState| mark_of_next_create(state, "main", (&list, &memory), tokens());
    let first = next(&run(Vec::new()));
    assert_eq!(first, Mark { due: moment_by_hand(at(0)), ..mark("freetokn") });
    let again = run(vec![create(1, "ourtoken"), lost(1), settled(1, Found::NotDone)]);
    assert_eq!(next(&again), mark("ourtoken"));
    let retried = run([vec![create(1, "ourtoken"), lost(1), settled(1, Found::NotDone)], next_attempt()].concat());
    assert_eq!(next(&retried).token, Token::parse("freetokn").unwrap(), "a new attempt has a token of its own");
}

#[test]
fn an_awaited_point_is_seen_when_it_is_completed_or_has_failed() {
    let with = |status| sight_of(&RestorePoint { status, size_mb: Some(7), ..point(2, "") });
    assert_eq!(with(PointStatus::InProgress), None);
    assert_eq!(with(PointStatus::Other("verifying".to_owned())), None);
    assert_eq!(
        with(PointStatus::Completed),
        Some(Sight::Completed { created_at: at(102), size_mb: Some(7), in_progress_ms: None })
    );
    assert_eq!(with(PointStatus::Failed), Some(Sight::PointFailed { created_at: at(102) }));
}

#[test]
fn the_age_of_a_point_counts_from_the_create_that_made_it_not_from_the_first() {
    let again =
        run(vec![create(1, "ourtoken"), lost(1), settled(1, Found::NotDone), create(2, "ourtoken"), accepted(2, 2)]);
    assert_eq!(again.requested_at(at(99)), again.steps[0].intended_at);
    assert_eq!(again.creating_since(), Some(again.steps[1].at), "since its answer");
    let found = run(vec![create(1, "ourtoken"), lost(1), settled(1, Found::Done { id: Some(id(2)) })]);
    assert_eq!(found.creating_since(), Some(found.steps[0].intended_at), "since it was sent: the answer was lost");
    assert_eq!(run(vec![create(1, "ourtoken"), lost(1)]).creating_since(), None);
}
