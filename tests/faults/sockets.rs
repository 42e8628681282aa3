//! The real program over real connections: what only a socket can do (refuse, reset, stay silent, drip, break off), in
//! each phase of a run. Exit code, what `run --json` says, and the rules, read from the simulated provider.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use lastgood::seams::clock::Clock;
use lastgood::simulator::{self, Call, Effect, Options, PointKind, PointSpec, Rule, ServerSpec, Simulator, Style};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::checked_world::SERVER;
use crate::invariants::{CheckedPolicy, Facts, ReportedRun, Truth};
use crate::support::folder::Folder;
use crate::support::policy_text::{MAIL_TO_FILES, oncall, policy, provider};
use crate::support::program::TOKEN;

/// The program in its folder, the provider behind a port of this process, and the checker.
struct CheckedProgram {
    folder: Folder,
    simulator: Simulator,
    truth: Truth,
    /// Serves until it is dropped.
    _runtime: Runtime,
}

impl CheckedProgram {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let options = Options {
            servers: ServerSpec::numbered(1, Style::Integer),
            completion: Duration::from_millis(50),
            power: Duration::from_millis(20),
            restore: Duration::from_millis(300),
            snapshot_slots: 2,
            ..Options::default()
        };
        let simulator = Simulator::new(options, Arc::new(|| Clock::System.now()));
        runtime.spawn(simulator::serve(listener, simulator.clone(), std::future::pending()));
        let folder = Folder::new();
        folder.write_private("token", TOKEN);
        folder.write_private("policy.toml", &policy_file(&origin));
        let mut facts = Facts { slots: [10, 2], ..Facts::default() };
        facts.add("*", "nightly", CheckedPolicy { stop_server: true, ..CheckedPolicy::new(PointKind::Snapshot) });
        Self { folder, simulator, truth: Truth::new(facts), _runtime: runtime }
    }

    /// Runs `lastgood run` and gives the checker what happened.
    fn run(&mut self) -> (i32, Value, String) {
        self.truth.feed(&self.simulator.take_record());
        self.truth.run_began(SERVER, "nightly");
        let done = self.folder.run(&["run", "--json"]);
        self.truth.feed(&self.simulator.take_record());
        let run = &done.json()["runs"][0];
        if let Some(outcome) = run["outcome"].as_str() {
            let created = Some(run["created"].to_string()).filter(|id| id != "null");
            let deleted = run["deleted"].as_array().unwrap().iter().map(Value::to_string).collect();
            let kind = PointKind::Snapshot;
            self.truth.run_ended(&ReportedRun { server: SERVER, policy: "nightly", kind, outcome, created, deleted });
        }
        (done.code, run.clone(), done.stderr)
    }

    fn is_right(&mut self, what: &str) {
        self.truth.quiet();
        let broken: Vec<String> = self.truth.violations().iter().map(ToString::to_string).collect();
        assert!(broken.is_empty(), "{what}: {}", broken.join("\n"));
    }
}

fn policy_file(origin: &str) -> String {
    let pauses = "timeout = \"250ms\"\npoll = \"50ms\"\nsettle = \"400ms\"\nslots = { backup = 10, snapshot = 2 }";
    let nightly = policy("nightly", "snapshot", "30 2 * * *", "stop_server = true");
    provider(origin, pauses) + &nightly + MAIL_TO_FILES + &oncall("")
}

fn rows() -> Vec<(&'static str, Effect)> {
    vec![
        ("closed unanswered, nothing done", Effect::Reset { carried_out: false }),
        ("closed unanswered, done", Effect::Reset { carried_out: true }),
        ("silence, nothing done", Effect::Silence { seconds: None, carried_out: false }),
        ("silence, done", Effect::Silence { seconds: None, carried_out: true }),
        ("slow body", Effect::SlowBody { seconds: 3.0 }),
        ("breaks in the body", Effect::BrokenBody {}),
        ("truncated JSON", Effect::TruncatedJson {}),
        ("answered after the timeout", Effect::AnsweredLate { seconds: 0.6 }),
    ]
}

/// The phases: which call fails, and how many of its kind succeed before.
const PHASES: [(&str, Call, u64); 8] = [
    ("server list", Call::Servers, 0),
    ("inventory", Call::List, 0),
    ("stop", Call::Power, 0),
    ("eviction", Call::Delete, 0),
    ("wait for the delete", Call::List, 2),
    ("create", Call::Create, 0),
    ("wait for completion", Call::List, 3),
    ("start", Call::Power, 1),
];

/// The line of a row in the table: every phase, once.
fn play(name: &str, effect: &Effect) -> String {
    let mut program = CheckedProgram::new();
    for _ in 0..2 {
        let (code, run, error) = program.run();
        assert_eq!(code, 0, "{run} {error}");
    }
    let mut table = format!("## {name}\n");
    for (phase, call, skip) in PHASES {
        program.simulator.add_fault(Rule::new(effect.clone()).call(call).skip(skip).times(1));
        let (code, run, error) = program.run();
        program.simulator.clear_faults();
        // A success prints its steps, which vary.
        let said = run["error"].as_str().unwrap_or(if code == 0 { "" } else { &error });
        writeln!(table, "{phase} | {}, exit {code} {said}", run["outcome"].as_str().unwrap_or("no run")).unwrap();
        program.is_right(&format!("{name} / {phase}"));
        let (code, run, error) = program.run();
        assert_eq!(code, 0, "{name} / {phase}: nothing is wrong any more: {run} {error}");
        program.is_right(&format!("after {name} / {phase}"));
    }
    table
}

#[test]
fn what_a_connection_can_do_once_in_each_phase_spoils_no_run() {
    let rows = rows();
    let reported: Vec<String> = std::thread::scope(|scope| {
        let played: Vec<_> = rows.iter().map(|(name, effect)| scope.spawn(|| play(name, effect))).collect();
        played.into_iter().map(|played| played.join().unwrap()).collect()
    });
    insta::assert_snapshot!(reported.join("\n"));
}

#[test]
fn a_closed_port_is_reported_with_its_exit_code_and_nothing_is_sent() {
    let mut program = CheckedProgram::new();
    program.simulator.refuse_for(Duration::from_secs(3600));
    let (code, run, error) = program.run();
    assert_eq!((code, run), (4, Value::Null), "no server list is stored: {error}");
    assert!(error.contains("refused") && error.contains("nothing was sent"), "{error}");
    let mut program = CheckedProgram::new();
    assert_eq!(program.run().0, 0);
    program.simulator.refuse_for(Duration::from_secs(3600));
    let (code, run, error) = program.run();
    assert_eq!((code, &run["outcome"]), (5, &json!("failed")), "the stored list does: {error}");
    assert!(run["error"].as_str().is_some_and(|error| error.contains("nothing was sent")), "{run}");
    program.is_right("a closed port");
}

#[test]
fn a_body_without_end_is_cut_off_and_the_run_says_so() {
    let mut program = CheckedProgram::new();
    assert_eq!(program.run().0, 0);
    program.simulator.add_fault(Rule::new(Effect::HugeBody { bytes: 1 << 40 }).call(Call::List));
    let (code, run, error) = program.run();
    assert_eq!((code, &run["outcome"], &run["created"]), (5, &json!("failed"), &Value::Null), "{error}");
    program.is_right("a huge body");
}

#[test]
fn a_restore_whose_answer_is_lost_is_sent_once_and_reported_as_it_is() {
    let ways = [
        ("never sent", Effect::Reset { carried_out: false }, false),
        ("done", Effect::Reset { carried_out: true }, true),
        ("broken body", Effect::BrokenBody {}, true),
        ("late", Effect::AnsweredLate { seconds: 0.5 }, true),
    ];
    for (name, effect, done) in ways {
        let mut program = CheckedProgram::new();
        let person = simulator::PersonAction::CreatePoint(PointSpec::aged(PointKind::Snapshot, SERVER, 60));
        let id = program.simulator.act(&person).unwrap()[0]["id"].to_string();
        if name == "late" {
            // It must still be in progress when it is next checked.
            program.simulator.set_options(|options| options.restore = Duration::from_millis(900));
        }
        program.simulator.add_fault(Rule::new(effect).call(Call::Restore).times(1));
        let reported = program.folder.run(&["restore", "snapshot", &id, "--yes"]);
        let sent = program.simulator.account();
        let sent = sent.record().requests().filter(|request| request.path.ends_with("/restore/")).count();
        assert_eq!(sent, 1, "{name}: a restore is never sent again unseen: {reported:?}");
        if done {
            let reported = reported.ends_with(0);
            assert!(reported.stdout.contains("is back, restored from"), "{name}: {reported:?}");
        } else {
            let reported = reported.ends_with(4);
            assert!(
                reported.stderr.contains("it is unknown whether") && reported.stderr.contains("look at"),
                "{name}: {reported:?}"
            );
        }
        program.is_right(name);
    }
}
