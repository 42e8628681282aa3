//! Each effect does what it says, to the requests that its rule describes, and the record says so truthfully.

use super::*;

fn requests(provider: &TestProvider) -> Vec<Request> {
    provider.simulator.with_account(|account| account.record().requests().cloned().collect())
}

fn made(provider: &TestProvider) -> usize {
    provider.simulator.with_account(|account| account.points(PointKind::Backup).count())
}

async fn post(provider: &TestProvider) -> Response {
    provider.send("POST", "/api/v1/backups/", json!({ "server_id": 12345 })).await
}

#[tokio::test]
async fn a_lost_answer_may_or_may_not_have_been_carried_out() {
    for carried_out in [false, true] {
        let provider = TestProvider::new(Options::default());
        provider.simulator.add_fault(Rule::new(Effect::Reset { carried_out }).call(Call::Create).times(1));
        assert_eq!(LostAnswer::of(&post(&provider).await), Some(LostAnswer::Closed));
        assert_eq!(made(&provider), usize::from(carried_out));
        let request = requests(&provider).remove(0);
        assert_eq!((request.carried_out, request.status), (carried_out, None));
        assert_eq!(request.faults, ["reset"]);
        assert_eq!(LostAnswer::of(&post(&provider).await), None, "it strikes once");
    }
}

#[tokio::test]
async fn a_refused_connection_was_never_sent() {
    let provider = TestProvider::new(Options::default());
    provider.simulator.refuse_for(Duration::from_secs(10));
    assert_eq!(LostAnswer::of(&post(&provider).await), Some(LostAnswer::Refused));
    assert!(requests(&provider).is_empty());
    provider.advance(10);
    assert_eq!(post(&provider).await.status(), StatusCode::CREATED);
}

#[tokio::test(start_paused = true)]
async fn silence_lasts_and_a_late_answer_comes() {
    let provider = TestProvider::new(Options::default());
    provider.simulator.add_fault(Rule::new(Effect::Silence { seconds: None, carried_out: true }).times(1));
    provider.simulator.add_fault(Rule::new(Effect::AnsweredLate { seconds: 40.0 }).times(1));
    let timeout = Duration::from_secs(30);
    assert!(tokio::time::timeout(timeout, post(&provider)).await.is_err());
    assert!(tokio::time::timeout(timeout, post(&provider)).await.is_err());
    assert_eq!(made(&provider), 2, "both were carried out");
    provider.simulator.add_fault(Rule::new(Effect::Silence { seconds: Some(3.0), carried_out: false }));
    assert_eq!(LostAnswer::of(&post(&provider).await), Some(LostAnswer::Closed));
    assert_eq!(made(&provider), 2);
}

#[tokio::test]
async fn statuses_come_with_their_bodies_and_headers() {
    let provider = TestProvider::new(Options::default());
    let rule = json!([
        { "times": 1, "effect": { "do": "status", "code": 429, "retry_after": { "seconds": 7 } } },
        { "times": 1, "effect": { "do": "status", "code": 503, "retry_after": { "date": 60 } } },
        { "times": 1, "effect": { "do": "status", "code": 502, "carried_out": true } },
        { "times": 1, "effect": { "do": "status", "code": 302, "headers": { "Location": "http://evil.example/" } } },
        { "times": 1, "effect": { "do": "status", "code": 400, "body": { "detail": "Backup limit reached" } } },
    ]);
    assert_eq!(provider.control("POST", "/faults", rule).await.0, 201);
    let answers = [post(&provider).await, post(&provider).await, post(&provider).await, post(&provider).await];
    assert_eq!(answers.each_ref().map(|answer| answer.status().as_u16()), [429, 503, 502, 302]);
    assert_eq!(answers[0].headers()["retry-after"], "7");
    assert_eq!(answers[1].headers()["retry-after"], "Sat, 21 Nov 2026 02:31:00 GMT");
    assert_eq!(answers[2].headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(answers[3].headers()["location"], "http://evil.example/");
    assert_eq!(provider.backup("").await, (400, json!({ "detail": "Backup limit reached" })));
    assert_eq!(made(&provider), 1, "only the 502 was carried out");
}

#[tokio::test]
async fn bodies_are_cut_broken_mistyped_and_huge() {
    let provider = TestProvider::new(Options::default());
    for effect in [
        Effect::TruncatedJson {},
        Effect::BrokenBody {},
        Effect::ContentType { value: "text/html".to_owned() },
        Effect::HugeBody { bytes: 1 << 20 },
    ] {
        provider.simulator.add_fault(Rule::new(effect).times(1));
    }
    let body = |response: Response| to_bytes(response.into_body(), usize::MAX);
    let cut = body(post(&provider).await).await.unwrap();
    assert!(cut.starts_with(b"{\"id\":501") && serde_json::from_slice::<Value>(&cut).is_err());
    assert!(body(post(&provider).await).await.is_err());
    assert_eq!(post(&provider).await.headers()["content-type"], "text/html");
    let huge = body(post(&provider).await).await.unwrap();
    assert!(huge.len() > 1 << 20);
    assert!(serde_json::from_slice::<Value>(&huge).is_ok());
    assert_eq!(made(&provider), 4, "all four were carried out");
}

#[tokio::test]
async fn lists_lie_as_they_are_told() {
    let foreign = (0..4).map(|age| PointSpec::aged(PointKind::Backup, "web-server-01", age)).collect();
    let provider = TestProvider::new(Options { foreign, ..Options::default() });
    let lie = async |effect: Effect| {
        provider.simulator.clear_faults();
        provider.simulator.add_fault(Rule::new(effect));
        let list = provider.get("/backups/?server_id=12345").await;
        (list["count"].as_u64().unwrap(), ids(&list), list["results"][0].clone())
    };
    assert_eq!(lie(Effect::ShortCount { by: 2 }).await.0, 6);
    let (count, items, _) = lie(Effect::MissingItems { items: 1 }).await;
    assert_eq!((count, items), (4, vec![504, 503, 502]));
    let (count, items, _) = lie(Effect::OnlyItems { items: 1 }).await;
    assert_eq!((count, items), (1, vec![504]));
    let (count, items, _) = lie(Effect::DuplicateItems { items: 1, counted: true }).await;
    assert_eq!((count, items), (5, vec![504, 503, 502, 501, 504]));
    let mut items = lie(Effect::Reorder {}).await.1;
    assert_ne!(items, [504, 503, 502, 501]);
    items.sort_unstable();
    assert_eq!(items, [501, 502, 503, 504]);
    let fields = json!({ "status": "archiving", "created_at": { "in_seconds": 600 } });
    let Value::Object(fields) = fields else { unreachable!() };
    let (.., item) = lie(Effect::Show { fields, first: Some(1) }).await;
    assert_eq!((&item["status"], &item["created_at"]), (&json!("archiving"), &json!("2026-11-21T02:40:00Z")));
    assert_eq!(made(&provider), 4, "the truth stays");
}

#[tokio::test]
async fn another_servers_points_appear_in_a_filtered_list() {
    let provider = TestProvider::new(Options::default());
    provider.backup("").await;
    provider.simulator.add_fault(Rule::new(Effect::ForeignItems { items: 3 }));
    let list = provider.get("/backups/?server_id=12346").await;
    assert_eq!((list["count"].as_u64(), &list["results"][0]["server"]["id"]), (Some(1), &json!(12345)));
}

#[tokio::test]
async fn a_shifted_page_skips_or_repeats_items() {
    let foreign = (0..6).map(|age| PointSpec::aged(PointKind::Backup, "web-server-01", age)).collect();
    let provider = TestProvider::new(Options { foreign, paged: true, page_size: 3, ..Options::default() });
    provider.simulator.add_fault(Rule::new(Effect::Shift { by: -1 }));
    assert_eq!(ids(&provider.get("/backups/").await), [506, 505, 504]);
    assert_eq!(ids(&provider.get("/backups/?page=2").await), [504, 503, 502]);
}

#[tokio::test]
async fn a_new_point_can_fail_vanish_hang_or_differ_from_the_request() {
    let provider = TestProvider::new(Options::default());
    let fates = [PointFate::Fails, PointFate::Vanishes, PointFate::NeverFinishes];
    for fate in fates {
        let rule = Rule::new(Effect::CreateAs(Altered { fate, ..Altered::default() }));
        provider.simulator.add_fault(rule.times(1));
        assert_eq!(provider.backup("").await.0, 201);
    }
    let text = r#"{"effect":{"do":"create_as","description":"new text","status":"queued",
                   "created_in_seconds":900,"size_mb":0}}"#;
    provider.simulator.add_fault(serde_json::from_str(text).unwrap());
    let (_, odd) = provider.backup("lg-abcd1234").await;
    assert_eq!(odd["description"], "new text");
    assert_eq!((&odd["status"], &odd["created_at"]), (&json!("queued"), &json!("2026-11-21T02:45:00Z")));
    provider.advance(86_400);
    let list = provider.get("/backups/").await;
    let statuses: Vec<_> = list["results"].as_array().unwrap().iter().map(|item| item["status"].clone()).collect();
    assert_eq!(ids(&list), [504, 503, 501]);
    assert_eq!(statuses, ["completed", "in_progress", "failed"]);
    assert_eq!(list["results"][0]["size_mb"], 0);
    assert!(provider.changes().contains(&(ChangeKind::PointVanished, By::Provider)));
}

#[tokio::test]
async fn a_rule_applies_only_to_the_requests_it_describes() {
    let provider = TestProvider::new(Options::default());
    let rule = Rule::new(Effect::status(500)).call(Call::Create).kind(PointKind::Snapshot).server("web-server-01");
    provider.simulator.add_fault(rule.skip(1).times(1).named("second snapshot"));
    assert_eq!(provider.backup("").await.0, 201);
    let other = json!({ "server_id": 12346, "name": "a" });
    assert_eq!(provider.call("POST", "/snapshots/", other).await.0, 201);
    let answers = [provider.snapshot("a").await.0, provider.snapshot("b").await.0, provider.snapshot("c").await.0];
    assert_eq!(answers, [201, 500, 201]);
    let armed = provider.simulator.faults().remove(0);
    assert_eq!((armed.matched, armed.struck), (3, 1));
    assert_eq!(requests(&provider)[3].faults, ["second snapshot"]);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_faults() {
    let throw = async |seed| {
        let provider = TestProvider::new(Options { seed, ..Options::default() });
        provider.simulator.add_fault(Rule::new(Effect::status(500)).probability(0.5));
        let mut statuses = Vec::new();
        for _ in 0..40 {
            statuses.push(provider.call("GET", "/servers/", Value::Null).await.0);
        }
        statuses
    };
    let first = throw(7).await;
    assert_eq!(first, throw(7).await);
    assert_ne!(first, throw(8).await);
    assert!(first.contains(&200) && first.contains(&500));
}

#[tokio::test]
async fn a_person_acts_in_between() {
    let provider = TestProvider::new(Options::default());
    let rules = json!([
        { "call": "list", "times": 1, "effect": { "do": "meanwhile", "acts": [
            { "act": "create_point", "kind": "backup", "server": "web-server-01", "description": "mine" } ] } },
        { "call": "create", "times": 1, "effect": { "do": "meanwhile", "after": true, "acts": [
            { "act": "delete_point", "kind": "backup", "server": 12345 } ] } },
    ]);
    assert_eq!(provider.control("POST", "/faults", rules).await.0, 201);
    assert_eq!(provider.get("/backups/").await["results"][0]["description"], "mine");
    provider.advance(1);
    assert_eq!(provider.backup("").await.0, 201);
    assert_eq!(ids(&provider.get("/backups/").await), [501], "the newest, just made, is gone again");
    assert!(provider.changes().contains(&(ChangeKind::PointGone, By::Person)));
}

#[tokio::test]
async fn too_many_requests_are_429_until_time_passes() {
    let retry_after = Some(RetryAfter::Seconds(2));
    let provider = TestProvider::new(Options { requests_per_second: Some(2.0), retry_after, ..Options::default() });
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(provider.call("GET", "/servers/", Value::Null).await.0);
    }
    assert_eq!(statuses, [200, 200, 429]);
    provider.advance(1);
    assert_eq!(provider.get("/servers/").await["count"], 3);
}

#[tokio::test]
async fn the_control_endpoint_shows_the_truth_and_changes_it() {
    let provider = TestProvider::new(Options::default());
    let spec = json!({ "kind": "backup", "server": 12345, "status": "failed", "age_seconds": 60 });
    assert_eq!(provider.control("POST", "/points", spec).await.0, 200);
    let edit = json!({ "kind": "backup", "id": 501, "description": "renamed" });
    assert_eq!(provider.control("POST", "/points/edit", edit).await.1["description"], "renamed");
    let state = provider.control("GET", "/state", Value::Null).await.1;
    let point = &state["backups"][0];
    assert_eq!((&point["status"], &point["server_name"]), (&json!("failed"), &json!("web-server-01")));
    let gone = json!({ "kind": "backup", "id": 501 });
    assert_eq!(provider.control("POST", "/points/delete", gone.clone()).await.0, 200);
    assert_eq!(provider.control("POST", "/points/delete", gone).await.0, 422);
    let rename = json!({ "act": "rename_server", "server": 12345, "name": "db-server-01" });
    assert_eq!(provider.control("POST", "/servers", rename).await.1["name"], "db-server-01");
    assert_eq!(provider.control("POST", "/clock-skew", json!({ "seconds": 60 })).await.0, 200);
    assert_eq!(provider.control("POST", "/options", json!({ "backup_slots": 0 })).await.0, 204);
    assert_eq!(provider.backup("").await.0, 400);
    assert_eq!(provider.control("POST", "/faults", json!({ "effect": { "do": "explode" } })).await.0, 422);
    assert_eq!(provider.control("POST", "/faults", json!({ "effect": { "do": "refuse" } })).await.0, 201);
    assert_eq!(provider.control("DELETE", "/faults", Value::Null).await.0, 204);
    let entries = provider.control("GET", "/record", Value::Null).await.1["entries"].clone();
    let last = entries.as_array().unwrap().last().unwrap();
    assert_eq!((&last["request"]["path"], &last["request"]["account_status"]), (&json!("/backups/"), &json!(400)));
    assert!(!entries.to_string().contains("vps_test"), "no token is in the record");
}

#[tokio::test]
async fn numbering_continues_after_the_record_is_taken() {
    let provider = TestProvider::new(Options::default());
    provider.backup("").await;
    let first = provider.simulator.take_record();
    provider.backup("").await;
    let second = provider.simulator.take_record();
    assert_eq!(second[0].seq, first.last().unwrap().seq + 1);
    assert!(matches!(&second[0].what, What::Request(request) if request.status == Some(201)));
    provider.simulator.set_options(|options| options.record_reads = false);
    provider.get("/backups/").await;
    assert!(provider.simulator.take_record().is_empty());
}
