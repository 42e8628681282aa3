//! Limits, completion, deletes, power, restores and the token.

use super::*;

#[tokio::test]
async fn a_backup_is_in_progress_until_its_completion_time() {
    let provider = TestProvider::new(Options { completion: Duration::from_secs(90), ..Options::default() });
    let (status, made) = provider.backup("Pre-deployment backup").await;
    assert_eq!(status, 201);
    assert_eq!(made["message"], "Backup creation started.");
    let expected = json!({
        "id": 501, "server": { "id": 12345, "name": "web-server-01" }, "backup_type": "manual",
        "status": "in_progress", "size_mb": null, "created_at": START, "expires_at": null,
        "description": "Pre-deployment backup",
    });
    assert_eq!(provider.get("/backups/").await, json!({ "count": 1, "results": [expected] }));
    provider.advance(89);
    assert_eq!(provider.get("/backups/").await["results"][0]["status"], "in_progress");
    provider.advance(1);
    let done = provider.get("/backups/").await["results"][0].clone();
    assert_eq!(done["status"], "completed");
    assert!(done["size_mb"].as_u64().unwrap() > 1_000);
    assert_eq!(
        provider.changes()[3..],
        [(ChangeKind::PointCreated, By::Client), (ChangeKind::PointCompleted, By::Provider)]
    );
}

#[tokio::test]
async fn time_that_goes_back_undoes_nothing() {
    let provider = TestProvider::new(Options::default());
    provider.backup("").await;
    provider.advance(10);
    assert_eq!(provider.get("/backups/").await["results"][0]["status"], "completed");
    *provider.time.lock().unwrap() -= Duration::from_secs(3600);
    assert_eq!(provider.get("/backups/").await["results"][0]["status"], "completed");
}

#[tokio::test]
async fn an_eleventh_manual_backup_is_refused_and_automatic_ones_do_not_count() {
    let provider = TestProvider::new(Options { automatic_backups: 7, ..Options::default() });
    for _ in 0..10 {
        assert_eq!(provider.backup("").await.0, 201);
    }
    let (status, body) = provider.backup("").await;
    assert_eq!(status, 400);
    assert!(body["detail"].as_str().unwrap().starts_with("Backup limit reached"), "{body}");
    let other = provider.call("POST", "/backups/", json!({ "server_id": "12346" })).await;
    assert_eq!(other.0, 201, "another server has slots of its own: {}", other.1);
    assert_eq!(provider.get("/backups/?server_id=12345&backup_type=automatic").await["count"], 7);
    assert_eq!(provider.get("/backups/?server_id=12345&backup_type=manual").await["count"], 10);
}

#[tokio::test]
async fn a_sixth_snapshot_is_refused_whoever_made_the_others() {
    let foreign = (0..4).map(|age| PointSpec::aged(PointKind::Snapshot, "web-server-01", age * 86_400)).collect();
    let provider = TestProvider::new(Options { foreign, ..Options::default() });
    assert_eq!(provider.snapshot("fifth").await.0, 201);
    let (status, body) = provider.snapshot("sixth").await;
    assert_eq!(status, 400);
    assert!(body["detail"].as_str().unwrap().starts_with("Snapshot limit reached (5 of 5)"), "{body}");
}

#[tokio::test]
async fn a_bad_create_is_refused_field_by_field() {
    let provider = TestProvider::new(Options::default());
    let required = json!(["This field is required."]);
    assert_eq!(provider.call("POST", "/backups/", json!({})).await, (400, json!({ "server_id": required })));
    assert_eq!(
        provider.call("POST", "/snapshots/", json!({ "server_id": 12345 })).await,
        (400, json!({ "name": required }))
    );
    let (status, body) = provider.snapshot("no spaces").await;
    assert_eq!((status, body.get("name").is_some()), (400, true));
    let nobody = provider.call("POST", "/backups/", json!({ "server_id": 99 })).await;
    assert_eq!(nobody, (404, json!({ "detail": "Not found." })));
    let nonsense = provider.call("POST", "/backups/", json!({ "server_id": "web" })).await;
    assert_eq!(nonsense, (400, json!({ "server_id": ["A valid integer is required."] })));
    assert_eq!(provider.call("POST", "/backups/", json!([1])).await.0, 400);
    assert_eq!(provider.call("PUT", "/backups/", json!({})).await.0, 405);
    assert_eq!(provider.call("GET", "/backups/501/", Value::Null).await.0, 405, "one backup cannot be read");
    assert_eq!(provider.call("GET", "/backups", Value::Null).await.0, 404, "every path ends in a slash");
}

#[tokio::test]
async fn a_delete_frees_the_slot_at_once_or_when_its_time_has_passed() {
    let provider = TestProvider::new(Options { backup_slots: 1, ..Options::default() });
    provider.backup("").await;
    assert_eq!(provider.call("DELETE", "/backups/501/", Value::Null).await, (204, Value::Null));
    assert_eq!(provider.call("DELETE", "/backups/501/", Value::Null).await.0, 404);
    provider.simulator.set_options(|options| options.delete = Duration::from_secs(30));
    assert_eq!(provider.backup("").await.0, 201);
    assert_eq!(provider.call("DELETE", "/backups/502/", Value::Null).await.0, 204);
    assert_eq!(ids(&provider.get("/backups/").await), [502]);
    assert_eq!(provider.backup("").await.0, 400);
    provider.advance(30);
    assert_eq!(provider.get("/backups/").await["count"], 0);
    assert_eq!(provider.backup("").await.1["id"], 503);
}

#[tokio::test]
async fn an_id_can_be_reused() {
    let provider = TestProvider::new(Options { reuse_ids: true, ..Options::default() });
    provider.backup("first").await;
    provider.call("DELETE", "/backups/501/", Value::Null).await;
    provider.advance(1);
    let (_, again) = provider.backup("second").await;
    assert_eq!(again["id"], 501);
    provider.advance(1);
    assert_eq!(provider.get("/backups/").await["results"][0]["status"], "in_progress", "the first one's end is void");
}

#[tokio::test]
async fn power_is_accepted_before_it_is_done() {
    let provider = TestProvider::new(Options { power: Duration::from_secs(5), ..Options::default() });
    let status = async || provider.get("/servers/12345/").await["status"].as_str().unwrap().to_owned();
    let act = |action: &str| json!({ "action": action });
    let (code, body) = provider.call("POST", "/servers/12345/power/", act("stop")).await;
    assert_eq!((code, &body["server"]["status"]), (200, &json!("stopping")));
    provider.advance(4);
    assert_eq!(status().await, "stopping");
    provider.advance(1);
    assert_eq!(status().await, "stopped");
    assert_eq!(provider.get("/servers/?status=stopped").await["count"], 1);
    provider.call("POST", "/servers/12345/power/", act("start")).await;
    assert_eq!(status().await, "starting");
    // A later action voids an earlier one.
    provider.call("POST", "/servers/12345/power/", act("hard_stop")).await;
    provider.advance(60);
    assert_eq!(status().await, "stopped");
    let (code, body) = provider.call("POST", "/servers/12345/power/", act("explode")).await;
    assert_eq!((code, body), (400, json!({ "action": ["\"explode\" is not a valid choice."] })));
    assert_eq!(provider.call("POST", "/servers/1/power/", act("stop")).await.0, 404);
}

#[tokio::test]
async fn a_slow_shutdown_shows_active_until_the_server_is_stopped() {
    let provider = TestProvider::new(Options { slow_shutdown: Duration::from_secs(90), ..Options::default() });
    let status = async || provider.get("/servers/12345/").await["status"].as_str().unwrap().to_owned();
    let power = async |action: &str| provider.call("POST", "/servers/12345/power/", json!({ "action": action })).await;
    let (code, body) = power("stop").await;
    assert_eq!((code, &body["server"]["status"]), (200, &json!("active")));
    provider.advance(89);
    assert_eq!(status().await, "active");
    assert_eq!(provider.get("/servers/?status=active").await["count"], 3);
    let truth = || provider.simulator.with_account(|account| account.server("web-server-01").unwrap().status.clone());
    assert_eq!(truth(), "stopping");
    provider.advance(1);
    assert_eq!(status().await, "stopped");
    power("start").await;
    assert_eq!(status().await, "starting");
    provider.advance(1);
    assert_eq!(status().await, "active");
}

#[tokio::test]
async fn a_start_during_the_shutdown_is_accepted_and_ignored_if_the_options_say_so() {
    for (ignored, then) in [(true, "stopped"), (false, "active")] {
        let provider = TestProvider::new(Options {
            slow_shutdown: Duration::from_secs(90),
            start_ignored_while_stopping: ignored,
            ..Options::default()
        });
        let power =
            async |action: &str| provider.call("POST", "/servers/12345/power/", json!({ "action": action })).await;
        power("stop").await;
        provider.advance(30);
        assert_eq!(power("start").await.0, 200);
        provider.advance(90);
        assert_eq!(provider.get("/servers/12345/").await["status"], then, "ignored: {ignored}");
    }
}

#[tokio::test]
async fn a_restore_passes_through_restoring() {
    let provider = TestProvider::new(Options { restore: Duration::from_secs(300), ..Options::default() });
    provider.snapshot("good").await;
    assert_eq!(provider.call("POST", "/snapshots/801/restore/", Value::Null).await.0, 400, "it is in progress");
    provider.advance(2);
    let (code, body) = provider.call("POST", "/snapshots/801/restore/", Value::Null).await;
    assert_eq!(code, 200);
    assert_eq!(body["snapshot"], json!({ "id": 801, "created_at": START, "name": "good" }));
    assert_eq!(body["server"], json!({ "id": 12345, "name": "web-server-01", "status": "restoring" }));
    assert_eq!(provider.call("POST", "/snapshots/801/restore/", Value::Null).await.0, 400, "it is restoring already");
    assert_eq!(provider.backup("").await.0, 400);
    provider.advance(300);
    assert_eq!(provider.get("/servers/12345/").await["status"], "active");
    let from = provider.simulator.with_account(|account| account.server("web-server-01").unwrap().restored_from);
    assert_eq!(from, Some((PointKind::Snapshot, 801)));
}

#[tokio::test]
async fn a_backup_is_restored_only_on_its_own_server() {
    let provider = TestProvider::new(Options::default());
    provider.backup("").await;
    provider.advance(5);
    let body = json!({ "backup_id": 501 });
    assert_eq!(provider.call("POST", "/servers/12346/restore/", body.clone()).await.0, 400);
    assert_eq!(provider.call("POST", "/servers/12345/restore/", json!({})).await.0, 400);
    assert_eq!(provider.call("POST", "/servers/12345/restore/", json!({ "backup_id": 9 })).await.0, 404);
    assert_eq!(provider.call("POST", "/servers/12345/restore/", body).await.1["server"]["status"], "restoring");
}

#[tokio::test]
async fn a_wrong_token_is_401_and_a_weak_one_403() {
    let provider = TestProvider::new(Options { token: Some("vps_other".to_owned()), ..Options::default() });
    assert_eq!(provider.backup("").await, (401, json!({ "detail": "Invalid token." })));
    let read_only = vec!["servers:read".to_owned()];
    let provider = TestProvider::new(Options { permissions: read_only, ..Options::default() });
    assert_eq!(provider.backup("").await.0, 403);
    assert_eq!(provider.get("/backups/").await["count"], 0);
    assert_eq!(provider.get("/account/me/").await["token"]["permissions"], json!(["servers:read"]));
    assert_eq!(provider.simulator.with_account(|account| account.points(PointKind::Backup).count()), 0);
}

#[tokio::test]
async fn the_providers_own_clients_find_their_paths() {
    let provider = TestProvider::new(Options::with_servers(1, Style::Uuid));
    let uuid = provider.get("/servers/").await["results"][0]["uuid"].as_str().unwrap().to_owned();
    let (code, body) = provider.call("POST", &format!("/servers/{uuid}/backup/"), Value::Null).await;
    assert_eq!((code, &body["server"]), (201, &json!({ "uuid": uuid, "hostname": "web-server-01" })));
    let label = json!({ "label": "before 1.2" });
    let (code, body) = provider.call("POST", &format!("/servers/{uuid}/snapshot/"), label).await;
    assert_eq!((code, &body["name"]), (201, &json!("before-1-2")));
    assert_eq!(provider.get(&format!("/snapshots/?server_id={uuid}")).await["count"], 1);
}

#[tokio::test]
async fn every_answer_is_dated_by_the_providers_clock() {
    let provider = TestProvider::new(Options { clock_skew_seconds: 3600, ..Options::default() });
    let response = provider.send("GET", "/api/v1/nothing/", Value::Null).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()["date"], "Sat, 21 Nov 2026 03:30:00 GMT");
    assert_eq!(provider.backup("").await.1["created_at"], "2026-11-21T03:30:00Z");
}

#[tokio::test]
async fn removing_a_server_removes_its_snapshots() {
    let provider = TestProvider::new(Options::default());
    provider.backup("").await;
    provider.snapshot("a").await;
    provider.simulator.act(&PersonAction::RemoveServer { server: json!("web-server-01") }).unwrap();
    assert_eq!(provider.get("/servers/").await["count"], 2);
    assert_eq!(provider.call("GET", "/servers/12345/", Value::Null).await.0, 404);
    assert_eq!(provider.get("/snapshots/").await["count"], 0);
    assert_eq!(provider.get("/backups/?server_id=12345").await["count"], 1);
    assert_eq!(provider.backup("").await.0, 404);
}
