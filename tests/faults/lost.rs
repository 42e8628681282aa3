//! Lost answers: a create whose answer never arrives, whatever happened to it, however late the list shows the point,
//! whatever the provider has left of our text, and whatever people create meanwhile.

use std::fmt::Write;
use std::time::Duration;

use lastgood::seams::journal::notice::Topic;
use lastgood::seams::journal::summary::RunSummary;
use lastgood::seams::policy::inventory;
use lastgood::seams::policy::policy::Policy;
use lastgood::simulator::{Call, Edit, Effect, Options, PersonAction, Pick, PointKind, PointSpec, Rule, StatusEffect};
use serde_json::json;

use crate::checked_world::{CheckedWorld, Ended, SERVER};
use crate::invariants::CheckedPolicy;
use crate::support::simulated_world::{ours, policy};

const DUE: &str = "2026-11-21T02:30:00Z";

/// The ways in which an answer is lost.
pub fn ways() -> Vec<(&'static str, Effect)> {
    let done = |code, body| Effect::Status(StatusEffect { body, carried_out: true, ..StatusEffect::new(code) });
    vec![
        ("never sent", Effect::Refuse {}),
        ("sent, not done", Effect::Reset { carried_out: false }),
        ("done, connection lost", Effect::Reset { carried_out: true }),
        ("done, answer broken", Effect::BrokenBody {}),
        ("done, half an answer", Effect::TruncatedJson {}),
        ("done, a page instead", done(200, Some(json!("<html>welcome</html>")))),
        ("done, 502", done(502, None)),
        ("done, after the timeout", Effect::AnsweredLate { seconds: 45.0 }),
    ]
}

/// What the provider has left of our text: how many characters of the description, and whether the name is its own.
const TEXTS: [(&str, Option<usize>, bool); 9] = [
    ("whole", None, false),
    ("description of 20", Some(20), false),
    ("name alone", Some(0), false),
    ("whole description alone", None, true),
    ("description of 20 alone", Some(20), true),
    ("description of 11 alone", Some(11), true),
    ("description of 8 alone", Some(8), true),
    ("description of 7 alone", Some(7), true),
    ("nothing", Some(0), true),
];

/// What a person creates at the same moment.
fn people() -> Vec<(&'static str, Option<PointSpec>)> {
    let point = |name: &str, description: &str| PointSpec {
        name: Some(name.to_owned()),
        description: description.to_owned(),
        ..PointSpec::aged(PointKind::Snapshot, SERVER, 0)
    };
    vec![
        ("nobody", None),
        ("a named point", Some(point("before-upgrade", "made by hand"))),
        ("a point called like ours", Some(point("lg-mine", "lg-backup of my own"))),
        ("a point without text", Some(point("snapshot-9", ""))),
    ]
}

fn facts() -> CheckedPolicy {
    CheckedPolicy::new(PointKind::Snapshot)
}

pub async fn run_of(checked: &mut CheckedWorld, policy: Policy) -> RunSummary {
    match checked.run(policy, DUE.parse().unwrap()).await {
        Ended::Run(run, false) => run,
        _ => panic!("it ends by itself"),
    }
}

struct Case {
    way: (&'static str, Effect),
    lag: u64,
    text: (&'static str, Option<usize>, bool),
    person: (&'static str, Option<PointSpec>),
}

impl Case {
    /// The answer is lost, then the provider changes the texts, then the person acts.
    async fn play(&self) -> (CheckedWorld, RunSummary) {
        let list_lag = Duration::from_secs(self.lag);
        let mut checked =
            CheckedWorld::with(Options { list_lag, truncate_description: self.text.1, ..Options::default() }, facts());
        checked.sim.simulator.add_fault(Rule::new(self.way.1.clone()).call(Call::Create).times(1));
        let mut acts = Vec::new();
        if self.text.2 {
            let pick = Pick { kind: PointKind::Snapshot, id: None, server: Some(json!(SERVER)), oldest: false };
            let name = Some("snapshot-1".to_owned());
            let edit = Edit { pick, name, description: None, status: None, created_at: None, size_mb: None };
            acts.push(PersonAction::EditPoint(edit));
        }
        acts.extend(self.person.1.clone().map(PersonAction::CreatePoint));
        let act = Effect::Meanwhile { acts, after: true };
        checked.sim.simulator.add_fault(Rule::new(act).call(Call::Create).times(1));
        let run = run_of(&mut checked, policy(inventory::Kind::Snapshot, 3)).await;
        (checked, run)
    }

    /// The result in words, once the rules are checked.
    async fn reported(&self) -> String {
        let (mut checked, run) = self.play().await;
        let name = format!("{} / {} s / {} / {}", self.way.0, self.lag, self.text.0, self.person.0);
        // When a list lags longer than `settle` and shows a point without our token, nobody can know whose it is.
        let beyond = self.lag > 60 && self.text.2 && self.text.1.is_some_and(|left| left < 11);
        let broken = checked.broken();
        // It takes a slot that retention does not free, so it is reported even though the run succeeded.
        let reported = told_to_look(&checked).await;
        assert!(broken.is_empty() || (beyond && reported.is_some()), "{name}: {broken:?}\n{run:?}");
        let account = checked.sim.simulator.account();
        let points = account.points_of(PointKind::Snapshot, SERVER);
        let error = run.error.clone().unwrap_or_default();
        if run.outcome.as_str() == "unknown" {
            assert_eq!((checked.writes().as_str(), &run.created), ("create", &None), "{name}: nothing more is made");
            let named = points.iter().any(|point| error.contains(&format!("snapshot {} of", point.id)));
            assert!(named && error.contains("look at it"), "{name}: {error}");
        } else {
            assert_eq!(run.outcome.as_str(), "succeeded", "{name}: {run:?}");
        }
        let theirs = points
            .iter()
            .filter(|point| self.person.1.as_ref().is_some_and(|it| Some(&point.name) == it.name.as_ref()));
        assert_eq!(theirs.count(), usize::from(self.person.1.is_some()), "{name}: a person's point stays");
        // The row needs no error text: it names points and times.
        let twin = if run.deleted.is_empty() { "" } else { " (one twin goes)" };
        let look = if reported.is_some() { ", and a person is to look" } else { "" };
        format!("{}: {}{twin}{look}", run.outcome, checked.writes())
    }
}

/// What is reported besides the end of the run.
async fn told_to_look(checked: &CheckedWorld) -> Option<String> {
    let incidents = checked.sim.world.store.incidents().await.unwrap();
    let reported = incidents.into_iter().find(|incident| incident.topic == Topic::Attention);
    reported.map(|incident| incident.text).filter(|text| text.contains("look at it"))
}

#[test]
fn a_lost_create_is_adopted_by_whatever_is_left_of_it_or_ends_as_unknown() {
    let cases: Vec<Case> = ways()
        .into_iter()
        .flat_map(|way| [0_u64, 20, 90].into_iter().map(move |lag| (way.clone(), lag)))
        .flat_map(|(way, lag)| TEXTS.into_iter().map(move |text| (way.clone(), lag, text)))
        .flat_map(|(way, lag, text)| {
            // Ways that differ only in the answer need not be combined with every person.
            let everybody = !matches!(way.1, Effect::BrokenBody {} | Effect::TruncatedJson {} | Effect::Status(_));
            people().into_iter().take(if everybody { 4 } else { 1 }).map(move |person| Case {
                way: way.clone(),
                lag,
                text,
                person,
            })
        })
        .collect();
    let reported = crate::matrix::together(&cases, |case| Box::pin(case.reported()));
    let mut table = String::new();
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (case, reported) in cases.iter().zip(reported) {
        let key = format!("{} | listed after {} s | {reported}", case.way.0, case.lag);
        let name = format!("{} + {}", case.text.0, case.person.0);
        match groups.iter_mut().find(|(same, _)| *same == key) {
            Some((_, names)) => names.push(name),
            None => groups.push((key, vec![name])),
        }
    }
    for (key, names) in groups {
        writeln!(table, "{key}\n    {}", names.join(", ")).unwrap();
    }
    insta::assert_snapshot!(table);
}

#[tokio::test(start_paused = true)]
async fn a_point_that_is_completed_after_its_run_gave_it_up_lets_the_next_run_evict_again() {
    let completion = Duration::from_secs(3 * 3600);
    let foreign = (1..=5).map(|day| ours(PointKind::Snapshot, day)).collect();
    let mut checked = CheckedWorld::with(Options { completion, foreign, ..Options::default() }, facts());
    let run = run_of(&mut checked, policy(inventory::Kind::Snapshot, 5)).await;
    assert!(run.error.as_ref().is_some_and(|error| error.contains("is stuck")), "{run:?}");
    checked.sim.simulator.set_options(|options| options.completion = Duration::from_secs(2));
    let due = "2026-11-22T02:30:00Z".parse().unwrap();
    checked.wait_until(due).await;
    let Ended::Run(run, false) = checked.run(policy(inventory::Kind::Snapshot, 5), due).await else { panic!() };
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 1), "{run:?}");
    assert_eq!(checked.broken(), []);
}

/// Three points of ours; the next point is listed after ten minutes, and nothing on it is ours.
fn nameless_and_late() -> CheckedWorld {
    let foreign = (1..=3).map(|day| ours(PointKind::Snapshot, day)).collect();
    let list_lag = Duration::from_secs(600);
    let policy = CheckedPolicy { stop_server: true, ..CheckedPolicy::new(PointKind::Snapshot) };
    let checked =
        CheckedWorld::with(Options { foreign, list_lag, truncate_description: Some(0), ..Options::default() }, policy);
    let pick = Pick { kind: PointKind::Snapshot, id: None, server: Some(json!(SERVER)), oldest: false };
    let name = Some("snapshot-1".to_owned());
    let edit = Edit { pick, name, description: None, status: None, created_at: None, size_mb: None };
    let act = Effect::Meanwhile { acts: vec![PersonAction::EditPoint(edit)], after: true };
    checked.sim.simulator.add_fault(Rule::new(act).call(Call::Create).times(1));
    checked
}

#[tokio::test(start_paused = true)]
async fn a_nameless_point_of_an_attempt_that_gave_it_up_ends_the_next_one_as_unknown() {
    let mut checked = nameless_and_late();
    let lost = |carried_out| Rule::new(Effect::Reset { carried_out }).call(Call::Create);
    checked.sim.simulator.add_fault(lost(true).times(1));
    checked.sim.simulator.add_fault(lost(false).times(2));
    let run = run_of(&mut checked, CheckedWorld::policy()).await;
    assert_eq!((run.outcome.as_str(), run.attempts, &run.created), ("unknown", 2, &None), "{run:?}");
    let error = run.error.unwrap();
    assert!(error.contains("snapshot 804 of") && error.contains("look at it"), "{error}");
    // The second attempt neither stopped the server nor created anything.
    assert_eq!(checked.writes(), "stop, create x3, start");
    assert_eq!(checked.broken(), []);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_want_of_the_slot_that_a_lost_create_took_says_so() {
    let mut checked = nameless_and_late();
    checked.sim.simulator.act(&PersonAction::CreatePoint(ours(PointKind::Snapshot, 4))).unwrap();
    checked.wait_until("2026-11-21T02:45:00Z".parse().unwrap()).await;
    let lost = Rule::new(Effect::Reset { carried_out: true }).call(Call::Create).times(1);
    checked.sim.simulator.add_fault(lost);
    let run = run_of(&mut checked, Policy { retries: 0, ..policy(inventory::Kind::Snapshot, 4) }).await;
    assert_eq!((run.outcome.as_str(), checked.writes().as_str()), ("failed", "create x2"), "{run:?}");
    let error = run.error.unwrap();
    assert!(error.contains("limit reached") && error.contains("may exist and not be listed yet"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_nameless_point_whose_id_was_answered_is_adopted_by_the_next_attempt() {
    let mut checked = nameless_and_late();
    let run = run_of(&mut checked, CheckedWorld::policy()).await;
    assert_eq!(
        (run.outcome.as_str(), run.attempts, &run.created),
        ("succeeded", 2, &Some(inventory::PointId::Number(804))),
        "{run:?}"
    );
    assert_eq!((checked.writes().matches("create").count(), told_to_look(&checked).await), (1, None));
    assert_eq!(checked.broken(), []);
}

#[tokio::test(start_paused = true)]
async fn of_two_points_that_carry_a_beginning_of_our_text_the_older_is_adopted() {
    let case = |person: Option<&str>| {
        let spec = |description: &str| PointSpec {
            name: Some("theirs".to_owned()),
            description: description.to_owned(),
            ..PointSpec::aged(PointKind::Snapshot, SERVER, 0)
        };
        let text = ("description of 8 alone", Some(8), true);
        let way = ("done, connection lost", Effect::Reset { carried_out: true });
        Case { way, lag: 0, text, person: ("a copy of ours", person.map(spec)) }
    };
    let first = case(None).play().await.0.sim.simulator.account();
    let ours = first.points_of(PointKind::Snapshot, SERVER)[0];
    // The tokens of a simulated world are always the same, so that a person can copy what is left of ours.
    let (mut checked, run) = case(Some(&ours.description)).play().await;
    let account = checked.sim.simulator.account();
    let texts: Vec<&str> =
        account.points_of(PointKind::Snapshot, SERVER).iter().map(|point| point.description.as_str()).collect();
    assert_eq!(texts, [&ours.description; 2]);
    let adopted = Some(inventory::PointId::Number(ours.id));
    assert_eq!((run.outcome.as_str(), &run.created, run.deleted.len()), ("succeeded", &adopted, 0), "{run:?}");
    assert_eq!(checked.broken(), []);
}

#[tokio::test(start_paused = true)]
async fn a_persons_copy_of_a_beginning_of_our_text_is_no_twin_to_delete() {
    let play = async |copy: Option<String>| {
        let options =
            Options { truncate_description: Some(8), completion: Duration::from_secs(60), ..Options::default() };
        let mut checked = CheckedWorld::with(options, facts());
        let pick = Pick { kind: PointKind::Snapshot, id: None, server: Some(json!(SERVER)), oldest: false };
        let name = Some("snapshot-1".to_owned());
        let edit = Edit { pick, name, description: None, status: None, created_at: None, size_mb: None };
        let theirs = copy.map(|description| PointSpec {
            name: Some("theirs".to_owned()),
            description,
            ..PointSpec::aged(PointKind::Snapshot, SERVER, 0)
        });
        let acts =
            std::iter::once(PersonAction::EditPoint(edit)).chain(theirs.map(PersonAction::CreatePoint)).collect();
        let act = Effect::Meanwhile { acts, after: true };
        checked.sim.simulator.add_fault(Rule::new(act).call(Call::Create).skip(1).times(1));
        // The first create is never carried out, so that it is sent again.
        checked.sim.simulator.add_fault(Rule::new(Effect::Reset { carried_out: false }).call(Call::Create).times(1));
        let run = run_of(&mut checked, policy(inventory::Kind::Snapshot, 3)).await;
        assert_eq!((run.outcome.as_str(), checked.writes().as_str()), ("succeeded", "create x2"), "{run:?}");
        assert_eq!(checked.broken(), []);
        checked.sim.simulator.account()
    };
    let first = play(None).await;
    let text = first.points_of(PointKind::Snapshot, SERVER)[0].description.clone();
    let account = play(Some(text.clone())).await;
    assert!(account.points_of(PointKind::Snapshot, SERVER).iter().all(|point| point.description == text));
    assert_eq!(account.points_of(PointKind::Snapshot, SERVER).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_lags_beyond_settle_stops_no_full_policy_for_ever() {
    // The point is accepted, and listed only after its run has given it up: found by the next attempt or due time.
    for (retries, hours) in [(2, 0), (0, 0), (0, 2)] {
        let name = format!("{retries} retries, {hours} h");
        let list_lag = Duration::from_secs(600 + 3600 * hours);
        let foreign = (1..=5).map(|day| ours(PointKind::Snapshot, day)).collect();
        let mut checked = CheckedWorld::with(Options { list_lag, foreign, ..Options::default() }, facts());
        let policy = Policy { retries, ..policy(inventory::Kind::Snapshot, 5) };
        for day in 21..26 {
            let due = format!("2026-11-{day}T02:30:00Z").parse().unwrap();
            checked.wait_until(due).await;
            let Ended::Run(run, false) = checked.run(policy.clone(), due).await else { panic!("it ends by itself") };
            assert_eq!(run.deleted.len(), 1, "{name}: {run:?}");
            if retries > 0 {
                assert_eq!(run.outcome.as_str(), "succeeded", "{name}: {run:?}");
            } else {
                assert!(run.error.is_some_and(|error| error.contains("is no longer listed")), "{name}");
            }
        }
        // Every due time has its point, and each took the place of one.
        assert_eq!(checked.broken(), [], "{name}");
        let account = checked.sim.simulator.account();
        let mut ids: Vec<i64> = account.points_of(PointKind::Snapshot, SERVER).iter().map(|point| point.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [806, 807, 808, 809, 810], "{name}");
    }
}
