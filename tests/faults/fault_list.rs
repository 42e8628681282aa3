//! The faults of the matrix, each with the calls that it affects.

use lastgood::simulator::{
    Altered, Call, Edit, Effect, Options, PersonAction, Pick, PointFate, PointKind, PointSpec, RetryAfter, StatusEffect,
};
use serde_json::{Value, json};

use crate::checked_world::SERVER;
use crate::deeds::Deed;

/// A fault of the matrix.
pub struct FaultRow {
    /// Its name in the table.
    pub name: &'static str,
    /// How the provider behaves all the time.
    pub options: Options,
    /// What goes wrong.
    pub what: FaultKind,
    /// Only once, since a lasting one takes too long.
    pub once: bool,
}

/// What a row does to a run.
pub enum FaultKind {
    /// Affects any call: one, or for a while every one.
    Any(Effect),
    /// Affects only this call: once, or for a while.
    Only(Call, Effect),
    /// People act just before a call.
    People(Vec<PersonAction>),
    /// People act between the first and the second page of a list.
    BetweenPages(Vec<PersonAction>),
    /// Something is done beside the provider after a request.
    Beside(Deed),
    /// Asking for the server is answered with 404, and then the list of servers is empty once.
    Missing,
    /// Midnight comes during a request, for a policy that counts days.
    Midnight,
    /// The provider's options are the fault.
    Options,
}

fn row(name: &'static str, effect: Effect) -> FaultRow {
    FaultRow { name, options: Options::default(), what: FaultKind::Any(effect), once: false }
}

fn only(name: &'static str, call: Call, effect: Effect) -> FaultRow {
    FaultRow { name, options: Options::default(), what: FaultKind::Only(call, effect), once: false }
}

fn with(name: &'static str, change: impl FnOnce(&mut Options)) -> FaultRow {
    let mut options = Options::default();
    change(&mut options);
    FaultRow { name, options, what: FaultKind::Options, once: false }
}

fn people(name: &'static str, act: PersonAction) -> FaultRow {
    FaultRow { name, options: Options::default(), what: FaultKind::People(vec![act]), once: false }
}

fn between_pages(name: &'static str, act: PersonAction) -> FaultRow {
    let options = Options { paged: true, page_size: 2, max_page_size: 2, ..Options::default() };
    FaultRow { name, options, what: FaultKind::BetweenPages(vec![act]), once: false }
}

/// Something that is done beside a provider that behaves so.
fn beside(name: &'static str, deed: Deed, change: impl FnOnce(&mut Options)) -> FaultRow {
    FaultRow { what: FaultKind::Beside(deed), ..with(name, change) }
}

fn status(code: u16) -> StatusEffect {
    StatusEffect::new(code)
}

fn answer(effect: StatusEffect) -> Effect {
    Effect::Status(effect)
}

/// Every row.
pub fn all() -> Vec<FaultRow> {
    let mut rows = connection();
    rows.extend(statuses());
    rows.extend(bodies());
    rows.extend(lists());
    rows.extend(points());
    rows.extend(deletes_and_people());
    rows.extend(late_facts());
    rows
}

fn connection() -> Vec<FaultRow> {
    vec![
        row("connection refused", Effect::Refuse {}),
        row("reset, nothing done", Effect::Reset { carried_out: false }),
        row("reset, done", Effect::Reset { carried_out: true }),
        row("silence, nothing done", Effect::Silence { seconds: None, carried_out: false }),
        row("silence, done", Effect::Silence { seconds: None, carried_out: true }),
        row("answered after the timeout", Effect::AnsweredLate { seconds: 45.0 }),
        row("answered late, in time", Effect::AnsweredLate { seconds: 20.0 }),
        row("slow body", Effect::SlowBody { seconds: 90.0 }),
    ]
}

fn statuses() -> Vec<FaultRow> {
    let html = "<html><body><h1>Please log in</h1></body></html>";
    let limit = json!({ "detail": "Snapshot limit reached (5 of 5). Delete an existing one first." });
    let later = |code, retry_after| answer(StatusEffect { retry_after: Some(retry_after), ..status(code) });
    let done = |code| answer(StatusEffect { carried_out: true, ..status(code) });
    let page = |carried_out| answer(StatusEffect { body: Some(json!(html)), carried_out, ..status(200) });
    vec![
        row("400", Effect::status(400)),
        only(
            "400 limit reached in spite of a free slot",
            Call::Create,
            answer(StatusEffect { body: Some(limit), ..status(400) }),
        ),
        row("401", Effect::status(401)),
        row("403", Effect::status(403)),
        row("404", Effect::status(404)),
        row("409", Effect::status(409)),
        row("429", Effect::status(429)),
        row("429, Retry-After 7 s", later(429, RetryAfter::Seconds(7))),
        row("429, Retry-After as a date", later(429, RetryAfter::Date(40))),
        row("500", Effect::status(500)),
        row("500, done", done(500)),
        row("502 with HTML", Effect::status(502)),
        row("502 with HTML, done", done(502)),
        row("503", Effect::status(503)),
        row("503, Retry-After 30 s", later(503, RetryAfter::Seconds(30))),
        row("302 to elsewhere", Effect::status(302)),
        row("302 to elsewhere, done", done(302)),
        row("307 to elsewhere", Effect::status(307)),
        row("200 with a page, nothing done", page(false)),
        row("200 with a page, done", page(true)),
        row(
            "204 with nothing, done",
            answer(StatusEffect { body: Some(Value::Null), carried_out: true, ..status(204) }),
        ),
    ]
}

fn bodies() -> Vec<FaultRow> {
    vec![
        row("wrong content type", Effect::ContentType { value: "text/html".to_owned() }),
        row("truncated JSON", Effect::TruncatedJson {}),
        row("connection breaks in the body", Effect::BrokenBody {}),
        FaultRow { once: true, ..row("huge body", Effect::HugeBody { bytes: 33 << 20 }) },
    ]
}

fn lists() -> Vec<FaultRow> {
    let paged = || Options { paged: true, page_size: 2, max_page_size: 2, ..Options::default() };
    let torn = |name, effect| FaultRow { options: paged(), ..only(name, Call::List, effect) };
    let show = |field: &str, value: Value, first| {
        let fields = [(field.to_owned(), value)].into_iter().collect();
        Effect::Show { fields, first: Some(first) }
    };
    vec![
        only("count says one more", Call::List, Effect::ShortCount { by: 1 }),
        only("count says one less", Call::List, Effect::ShortCount { by: -1 }),
        only("two items missing", Call::List, Effect::MissingItems { items: 2 }),
        torn("two items missing of a page", Effect::MissingItems { items: 2 }),
        torn("pages skip an item", Effect::Shift { by: 1 }),
        torn("pages repeat an item", Effect::Shift { by: -1 }),
        only("items twice, not counted", Call::List, Effect::DuplicateItems { items: 2, counted: false }),
        only("items twice, counted", Call::List, Effect::DuplicateItems { items: 2, counted: true }),
        only("reordered", Call::List, Effect::Reorder {}),
        torn("reordered pages", Effect::Reorder {}),
        only("points of other servers", Call::List, Effect::ForeignItems { items: 3 }),
        only("a list cut short that counts so", Call::List, Effect::OnlyItems { items: 2 }),
        only("an empty list that counts so", Call::List, Effect::OnlyItems { items: 0 }),
        only("times in the future", Call::List, show("created_at", json!({ "in_seconds": 86_400 }), 2)),
        only("no times", Call::List, show("created_at", Value::Null, 1)),
        only("no ids", Call::List, show("id", Value::Null, 1)),
        only("no server", Call::List, show("server", Value::Null, 1)),
        only("status words never seen", Call::List, show("status", json!("archiving"), 2)),
        only("statuses in capitals", Call::List, show("status", json!("COMPLETED"), 9)),
        only("texts gone", Call::List, show("description", json!(""), 9)),
        only("servers of a status never seen", Call::Server, show("status", json!("hibernating"), 1)),
    ]
}

fn points() -> Vec<FaultRow> {
    let made = |name, altered| only(name, Call::Create, Effect::CreateAs(altered));
    let fate = |fate| Altered { fate, ..Altered::default() };
    let vanishes = Altered { after_seconds: Some(1.5), ..fate(PointFate::Vanishes) };
    vec![
        made("a point that never finishes", fate(PointFate::NeverFinishes)),
        made("a point that fails", fate(PointFate::Fails)),
        made("a point that vanishes while awaited", vanishes),
        made("a status word never seen at first", Altered { status: Some("queued".into()), ..Altered::default() }),
        made("a point dated an hour ahead", Altered { created_in_seconds: 3600, ..Altered::default() }),
        made("a point dated a year back", Altered { created_in_seconds: -31_536_000, ..Altered::default() }),
        made("a point without size", Altered { size_mb: Some(0), ..Altered::default() }),
        made("a description cut to nothing", Altered { truncate: Some(0), ..Altered::default() }),
        made("another name", Altered { name: Some("snapshot-1".into()), ..Altered::default() }),
        made(
            "another name and description",
            Altered { name: Some("snapshot-1".into()), description: Some("made".into()), ..Altered::default() },
        ),
        made("listed after half a minute", Altered { list_lag_seconds: Some(30.0), ..Altered::default() }),
        made("listed after ten minutes", Altered { list_lag_seconds: Some(600.0), ..Altered::default() }),
    ]
}

fn deletes_and_people() -> Vec<FaultRow> {
    let minutes = |minutes: u64| std::time::Duration::from_secs(60 * minutes);
    let pick = |oldest| Pick { kind: PointKind::Snapshot, id: None, server: Some(json!(SERVER)), oldest };
    let edit = |oldest| Edit {
        pick: pick(oldest),
        name: Some("keep-this-one".to_owned()),
        description: Some("please keep".to_owned()),
        status: None,
        created_at: None,
        size_mb: None,
    };
    let theirs = || PointSpec::aged(PointKind::Snapshot, SERVER, 0);
    let set = |status: &str| PersonAction::SetStatus { server: json!(SERVER), status: status.to_owned() };
    vec![
        with("deletes take five minutes and keep their slot", |options| options.delete = minutes(5)),
        with("deletes take five minutes and say so", |options| {
            (options.delete, options.deleting_word) = (minutes(5), Some("deleting".to_owned()));
        }),
        with("deletes take a day", |options| options.delete = minutes(1440)),
        with("ids come again", |options| options.reuse_ids = true),
        with("ids come again, deletes take a minute", |options| {
            (options.reuse_ids, options.delete) = (true, minutes(1));
        }),
        with("new points are listed after 30 s", |options| options.list_lag = std::time::Duration::from_secs(30)),
        with("points are uuids", |options| options.uuid_points = true),
        with("the provider's clock is an hour ahead", |options| options.clock_skew_seconds = 3600),
        with("the provider's clock is an hour behind", |options| options.clock_skew_seconds = -3600),
        with("descriptions are cut to 11 characters", |options| options.truncate_description = Some(11)),
        with("filters are ignored", |options| options.ignore_filters = true),
        with("no order, fractions, other fields", |options| {
            (options.unordered, options.fractions, options.extra_fields) = (true, true, true);
        }),
        people("a person makes a point", PersonAction::CreatePoint(theirs())),
        people("a person deletes the oldest point", PersonAction::DeletePoint(pick(true))),
        people("a person deletes the newest point", PersonAction::DeletePoint(pick(false))),
        between_pages("a person makes a point between two pages", PersonAction::CreatePoint(theirs())),
        between_pages("a person deletes the oldest point between two pages", PersonAction::DeletePoint(pick(true))),
        between_pages("a person deletes the newest point between two pages", PersonAction::DeletePoint(pick(false))),
        people("a person changes the oldest point", PersonAction::EditPoint(edit(true))),
        people("a person changes the newest point", PersonAction::EditPoint(edit(false))),
        people("a person stops the server", set("stopped")),
        people("a person starts the server", set("active")),
        people("the server is suspended", set("suspended")),
        people("the server leaves the account", PersonAction::RemoveServer { server: json!(SERVER) }),
    ]
}

/// What changes after it was read.
fn late_facts() -> Vec<FaultRow> {
    let minutes = |minutes: u64| std::time::Duration::from_secs(60 * minutes);
    let slow = |shutdown: u64, ignored: bool| {
        move |options: &mut Options| {
            (options.slow_shutdown, options.start_ignored_while_stopping) = (minutes(shutdown), ignored);
        }
    };
    let mut slowly = Options::default();
    slow(5, true)(&mut slowly);
    let lost = Effect::Reset { carried_out: true };
    const DAY: i64 = 93_600;
    vec![
        with("a slow shutdown of half a minute", |options| options.slow_shutdown = minutes(1) / 2),
        with("a slow shutdown of five minutes", slow(5, false)),
        with("a slow shutdown of five minutes, starts ignored meanwhile", slow(5, true)),
        with("a slow shutdown of half an hour, starts ignored meanwhile", slow(30, true)),
        FaultRow { options: slowly, ..only("a lost stop and a slow shutdown", Call::Power, lost) },
        FaultRow { what: FaultKind::Missing, ..with("the server is missing from one look and one list", |_| {}) },
        beside("the token changes", Deed::NewToken, |_| {}),
        beside("the oldest point is held during the run", Deed::Hold(805), |_| {}),
        beside("the second oldest point is held during the run", Deed::Hold(804), |_| {}),
        beside("the third oldest point is held during the run", Deed::Hold(803), |_| {}),
        FaultRow {
            what: FaultKind::Midnight,
            ..with("midnight comes during a request", |options| options.latency = minutes(1) * 7 / 600)
        },
        FaultRow {
            what: FaultKind::Midnight,
            ..with("midnight comes during a request, and a stop takes 90 s", |options| {
                (options.latency, options.power) = (minutes(1) * 7 / 600, minutes(3) / 2);
            })
        },
        beside("our clock is set back by a day", Deed::ClockBack(DAY), |_| {}),
        beside("our clock is set back by a day while a point takes for ever", Deed::ClockBack(DAY), |options| {
            options.completion = minutes(60 * 24 * 30);
        }),
        beside("our clock is set back by a day while a delete takes for ever", Deed::ClockBack(DAY), |options| {
            options.delete = minutes(60 * 24 * 30);
        }),
    ]
}
