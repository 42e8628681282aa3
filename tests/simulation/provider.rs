//! The provider of the simulation: the simulator with faults at rates that a real one might have, behind a gate that
//! counts the requests and triggers crashes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use jiff::Timestamp;
use lastgood::seams::clock::VirtualClock;
use lastgood::simulator::{
    Altered, Call, Effect, Options, PointFate, RetryAfter, Rule, ServerSpec, Simulator, StatusEffect,
};
use tokio::sync::Notify;

/// Counts requests. At the armed one it triggers a crash and never answers.
#[derive(Debug, Default)]
pub struct Gate {
    calls: AtomicU64,
    /// The number of the request at which the process dies; 0: at none. An odd number dies before it is carried out.
    armed: AtomicU64,
    reached: Notify,
    token: Mutex<ExpectedToken>,
}

/// Which token requests must carry.
#[derive(Debug, Default)]
struct ExpectedToken {
    good: Option<String>,
    /// From then on every request must carry it; `None` while the daemon cannot know it.
    known_from: Option<Timestamp>,
    /// When another token was seen after that.
    stale: Vec<Timestamp>,
}

impl Gate {
    /// How many requests have arrived.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The process dies this many requests from now; the answer is never seen.
    pub fn arm(&self, requests: u64) {
        self.armed.store(self.calls() + requests.max(1), Ordering::Relaxed);
    }

    /// The provider requires this token from now on; the policy file does not have it yet.
    pub fn expect(&self, token: String) {
        let mut it = self.token.lock().expect("nobody panics with it");
        (it.good, it.known_from) = (Some(token), None);
    }

    /// The daemon reads the file again; from then on it knows the token.
    pub fn is_told(&self, known_from: Timestamp) {
        self.token.lock().expect("nobody panics with it").known_from = Some(known_from);
    }

    /// Whether every request must carry the token that the provider requires.
    pub fn is_strict(&self, now: Timestamp) -> bool {
        let it = self.token.lock().expect("nobody panics with it");
        it.good.is_none() || it.known_from.is_some_and(|from| from <= now)
    }

    /// When old tokens were seen since the last time.
    pub fn take_stale(&self) -> Vec<Timestamp> {
        std::mem::take(&mut self.token.lock().expect("nobody panics with it").stale)
    }

    fn look_at(&self, request: &Request, now: Timestamp) {
        let mut it = self.token.lock().expect("nobody panics with it");
        let Some(good) = it.good.as_ref().filter(|_| it.known_from.is_some_and(|from| from <= now)) else { return };
        let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if shown.strip_prefix("Bearer ") != Some(good) {
            it.stale.push(now);
        }
    }

    /// Nothing dies any more.
    pub fn disarm(&self) {
        self.armed.store(0, Ordering::Relaxed);
    }

    /// Waits for the armed request.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }
}

/// The gate and its clock.
type Door = (Arc<Gate>, VirtualClock);

async fn pass(State((gate, clock)): State<Door>, request: Request, next: Next) -> Response {
    gate.look_at(&request, clock.now());
    let number = gate.calls.fetch_add(1, Ordering::Relaxed) + 1;
    if gate.armed.load(Ordering::Relaxed) != number {
        return next.run(request).await;
    }
    if number % 2 == 0 {
        next.run(request).await;
    }
    gate.disarm();
    gate.reached.notify_one();
    std::future::pending().await
}

/// The simulator's API behind the gate.
pub fn router(simulator: &Simulator, gate: &Arc<Gate>, clock: &VirtualClock) -> axum::Router {
    simulator.router().layer(from_fn_with_state((Arc::clone(gate), clock.clone()), pass))
}

/// How the provider behaves when nothing is wrong.
pub fn options(servers: Vec<ServerSpec>, seed: u64) -> Options {
    Options {
        servers,
        automatic_backups: 1,
        completion: Duration::from_secs(50),
        completion_spread: Duration::from_secs(120),
        power: Duration::from_secs(20),
        delete: Duration::from_secs(8),
        list_lag: Duration::from_secs(3),
        paged: true,
        seed,
        record_reads: false,
        ..Options::default()
    }
}

fn status(code: u16, carried_out: bool) -> Effect {
    Effect::Status(StatusEffect { carried_out, ..StatusEffect::new(code) })
}

fn too_many() -> Effect {
    Effect::Status(StatusEffect { retry_after: Some(RetryAfter::Seconds(3)), ..StatusEffect::new(429) })
}

fn becomes(fate: PointFate) -> Altered {
    Altered { fate, ..Altered::default() }
}

/// What goes wrong, how often: the probability is that of one request of that call.
pub fn faults() -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut add = |call: Call, name: &str, probability: f64, effect: Effect| {
        rules.push(Rule::new(effect).call(call).probability(probability).named(&format!("{name} of {}", word(call))));
    };
    for call in [Call::List, Call::Server, Call::Servers, Call::Create, Call::Delete, Call::Power] {
        add(call, "500", 0.0008, status(500, false));
        add(call, "503", 0.0005, status(503, false));
        add(call, "429", 0.0008, too_many());
        add(call, "connection refused", 0.0005, Effect::Refuse {});
        add(call, "reset", 0.0005, Effect::Reset { carried_out: false });
        add(call, "silence", 0.0003, Effect::Silence { seconds: None, carried_out: false });
    }
    for call in [Call::List, Call::Servers] {
        add(call, "short count", 0.0004, Effect::ShortCount { by: 1 });
        add(call, "missing items", 0.0004, Effect::MissingItems { items: 1 });
        add(call, "items twice", 0.0003, Effect::DuplicateItems { items: 1, counted: false });
        add(call, "another order", 0.0003, Effect::Reorder {});
        add(call, "broken body", 0.0003, Effect::BrokenBody {});
        add(call, "torn JSON", 0.0003, Effect::TruncatedJson {});
        add(call, "slow body", 0.0002, Effect::SlowBody { seconds: 45.0 });
        add(call, "HTML", 0.0002, Effect::ContentType { value: "text/html".to_owned() });
    }
    add(Call::List, "others' items", 0.0004, Effect::ForeignItems { items: 2 });
    for call in [Call::Create, Call::Delete, Call::Power] {
        add(call, "answer lost", 0.002, Effect::Reset { carried_out: true });
        add(call, "answer silent", 0.0005, Effect::Silence { seconds: None, carried_out: true });
        add(call, "500 and done", 0.0005, status(500, true));
        add(call, "502 and done", 0.0005, status(502, true));
        add(call, "409", 0.0003, status(409, false));
        add(call, "answer late", 0.0005, Effect::AnsweredLate { seconds: 20.0 });
        add(call, "answer too late", 0.0003, Effect::AnsweredLate { seconds: 40.0 });
        add(call, "half an answer", 0.0003, Effect::BrokenBody {});
    }
    let create = [
        ("point fails", 0.004, becomes(PointFate::Fails)),
        ("point is stuck", 0.0003, becomes(PointFate::NeverFinishes)),
        ("point vanishes", 0.0005, becomes(PointFate::Vanishes)),
        ("listed late", 0.002, Altered { list_lag_seconds: Some(40.0), ..Altered::default() }),
        ("made slowly", 0.002, Altered { after_seconds: Some(5_400.0), ..Altered::default() }),
        ("text cut short", 0.001, Altered { truncate: Some(20), ..Altered::default() }),
        ("text replaced", 0.0003, Altered { description: Some("backup".to_owned()), ..Altered::default() }),
        ("dated ahead", 0.0003, Altered { created_in_seconds: 240, ..Altered::default() }),
        ("an unknown word", 0.0005, Altered { status: Some("queued".to_owned()), ..Altered::default() }),
    ];
    for (name, probability, altered) in create {
        add(Call::Create, name, probability, Effect::CreateAs(altered));
    }
    rules
}

fn word(call: Call) -> &'static str {
    match call {
        Call::List => "a list",
        Call::Create => "a create",
        Call::Delete => "a delete",
        Call::Power => "power",
        Call::Servers => "the servers",
        Call::Server => "a server",
        Call::Restore | Call::Account | Call::Unknown => "another call",
    }
}

/// Adds up how often each fault has struck, and replaces the faults.
pub fn renew(simulator: &Simulator, struck: &mut BTreeMap<String, u64>, rules: Vec<Rule>) {
    for armed in simulator.faults().into_iter().filter(|armed| armed.struck > 0) {
        *struck.entry(armed.rule.name.unwrap_or_else(|| "unnamed".to_owned())).or_default() += armed.struck;
    }
    simulator.clear_faults();
    for rule in rules {
        simulator.add_fault(rule);
    }
}
