//! Pages, filters, order, times and the oddities of lists.

use super::*;

/// Forty-five snapshots on nine servers.
fn many(options: Options) -> TestProvider {
    let servers = options.servers.iter().filter_map(|spec| spec.name.clone().or_else(|| spec.hostname.clone()));
    let foreign = servers
        .flat_map(|server| (0..5).map(move |age| PointSpec::aged(PointKind::Snapshot, &server, age * 3600)))
        .collect();
    TestProvider::new(Options { foreign, ..options })
}

fn paged() -> Options {
    Options { paged: true, ..Options::with_servers(9, Style::Integer) }
}

#[tokio::test]
async fn an_unpaged_list_is_complete_whichever_page_is_requested() {
    let provider = many(Options::with_servers(9, Style::Integer));
    let list = provider.get("/snapshots/?page=7&page_size=2").await;
    assert_eq!((list["count"].as_u64(), ids(&list).len()), (Some(45), 45));
    assert!(list.get("next").is_none());
}

#[tokio::test]
async fn pages_are_followed_by_next_until_it_is_null() {
    let provider = many(paged());
    let first = provider.get("/snapshots/").await;
    assert_eq!(ids(&first).len(), 20);
    assert_eq!(first["count"], 45);
    assert_eq!(first["next"], "http://127.0.0.1:1/api/v1/snapshots/?page=2");
    assert_eq!(first["previous"], Value::Null);
    let mut seen = ids(&first);
    for page in 2..=3 {
        let list = provider.get(&format!("/snapshots/?page={page}")).await;
        assert_eq!(list["next"].is_null(), page == 3);
        seen.extend(ids(&list));
    }
    seen.sort_unstable();
    assert_eq!(seen, (801..846).collect::<Vec<_>>());
    let (code, body) = provider.call("GET", "/snapshots/?page=4", Value::Null).await;
    assert_eq!((code, body), (404, json!({ "detail": "Invalid page." })));
}

#[tokio::test]
async fn a_page_size_is_honoured_up_to_a_hundred_and_kept_in_the_links() {
    let provider = many(Options { paged: true, ..Options::with_servers(30, Style::Integer) });
    let list = provider.get("/snapshots/?page_size=500").await;
    assert_eq!((ids(&list).len(), list["count"].as_u64()), (100, Some(150)));
    let list = provider.get("/snapshots/?page_size=2&server_id=12346&page=2").await;
    assert_eq!(list["next"], "http://127.0.0.1:1/api/v1/snapshots/?page_size=2&server_id=12346&page=3");
    assert_eq!(list["previous"], "http://127.0.0.1:1/api/v1/snapshots/?page_size=2&server_id=12346");
    assert_eq!(list["count"], 5);
}

#[tokio::test]
async fn links_can_name_another_origin() {
    let provider = many(Options { next_origin: Some("https://backend.internal:8000".to_owned()), ..paged() });
    let list = provider.get("/snapshots/").await;
    assert_eq!(list["next"], "https://backend.internal:8000/api/v1/snapshots/?page=2");
}

#[tokio::test]
async fn filters_can_be_ignored() {
    let provider = many(Options { ignore_filters: true, ..Options::with_servers(9, Style::Integer) });
    assert_eq!(provider.get("/snapshots/?server_id=12345").await["count"], 45);
}

#[tokio::test]
async fn an_unordered_list_is_neither_by_id_nor_by_time_but_always_the_same() {
    let provider = many(Options { unordered: true, ..Options::with_servers(9, Style::Integer) });
    let order = ids(&provider.get("/snapshots/").await);
    assert!(!order.is_sorted() && !order.iter().rev().is_sorted());
    assert_eq!(order, ids(&provider.get("/snapshots/").await));
}

#[tokio::test]
async fn a_new_point_can_be_missing_from_the_list_and_still_take_a_slot() {
    let provider =
        TestProvider::new(Options { list_lag: Duration::from_secs(10), backup_slots: 1, ..Options::default() });
    provider.backup("").await;
    assert_eq!(provider.get("/backups/").await["count"], 0);
    assert_eq!(provider.backup("").await.0, 400);
    provider.advance(10);
    assert_eq!(provider.get("/backups/").await["count"], 1);
}

#[tokio::test]
async fn times_can_carry_fractions_and_an_offset() {
    let provider = TestProvider::new(Options { fractions: true, ..Options::default() });
    *provider.time.lock().unwrap() += Duration::from_micros(1_234_567);
    assert_eq!(provider.backup("").await.1["created_at"], "2026-11-21T05:30:01.234567+03:00");
}

#[tokio::test]
async fn descriptions_can_be_cut_and_objects_carry_more_fields() {
    let options = Options { truncate_description: Some(4), extra_fields: true, ..Options::default() };
    let provider = TestProvider::new(options);
    let (_, made) = provider.backup("lg-çabcd1234").await;
    assert_eq!(made["description"], "lg-ç");
    assert!(made.get("checksum").is_some());
}

#[tokio::test]
async fn points_can_have_uuids_and_servers_other_references() {
    let server_reference = ServerReference::IdAndName;
    let options = Options { uuid_points: true, server_reference, ..Options::with_servers(1, Style::Uuid) };
    let provider = TestProvider::new(options);
    let uuid = provider.get("/servers/").await["results"][0]["uuid"].clone();
    let (_, made) = provider.call("POST", "/backups/", json!({ "server_id": uuid })).await;
    assert_eq!(made["server"], json!({ "id": uuid, "name": "web-server-01" }));
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 36);
    assert_eq!(provider.call("DELETE", &format!("/backups/{id}/"), Value::Null).await.0, 204);
}

#[tokio::test]
async fn automatic_backups_are_one_a_day_and_expire() {
    let provider = TestProvider::new(Options { automatic_backups: 3, ..Options::with_servers(1, Style::Integer) });
    let list = provider.get("/backups/").await;
    let times: Vec<_> = list["results"].as_array().unwrap().iter().map(|item| item["created_at"].clone()).collect();
    assert_eq!(times, ["2026-11-20T03:00:00Z", "2026-11-19T03:00:00Z", "2026-11-18T03:00:00Z"]);
    assert_eq!(list["results"][0]["expires_at"], "2026-12-20T03:00:00Z");
    provider.advance(28 * 86_400);
    assert_eq!(provider.get("/backups/").await["count"], 2);
}
