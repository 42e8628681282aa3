//! Lists: pages, counts, `next`, filters that are ignored, and what makes an inventory doubtful.

use axum::response::Response;
use http::Uri;
use serde_json::{Value, json};

use super::{backup, ok, parameter, played, said, server};
use crate::policy::inventory::{Kind, PointId, ReadProof, ServerId};
use crate::provider::{BackupTypeFilter, ErrorKind};

/// A page of `all` as Django REST framework gives it, with `next` on this origin.
fn page_at(origin: &str, uri: &Uri, all: &[Value], most: usize) -> Response {
    let number: usize = parameter(uri, "page").map_or(1, |page| page.parse().unwrap());
    let asked: usize = parameter(uri, "page_size").map_or(20, |size| size.parse().unwrap());
    let size = asked.min(most);
    let Some(results) = all.chunks(size).nth(number - 1) else {
        return said(404, &json!({"detail": "Invalid page."}));
    };
    let next = (number * size < all.len()).then(|| {
        let server = parameter(uri, "server_id").map_or_else(String::new, |id| format!("&server_id={id}"));
        format!("{origin}{}?page={}&page_size={asked}{server}", uri.path(), number + 1)
    });
    ok(&json!({"count": all.len(), "next": next, "previous": null, "results": results}))
}

fn backups(count: i64) -> Vec<Value> {
    (1..=count).map(|id| backup(id, 1 + id % 2)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_documented_plain_list_is_one_page_and_proves_itself() {
    let (client, log) = played(|_, _, _| ok(&json!({"count": 2, "results": [backup(1, 7), backup(2, 7)]})));
    let inventory = client.inventory(&server(7, "web-7"), Kind::Backup).await.unwrap();
    assert_eq!(
        inventory.points.iter().map(|point| point.id.clone()).collect::<Vec<_>>(),
        [PointId::Number(2), PointId::Number(1)]
    );
    assert_eq!((inventory.proof, inventory.doubt()), (ReadProof::OnePage, None));
    assert_eq!(log.lines(), ["GET /api/v1/backups/?server_id=7&backup_type=manual&page_size=100"]);
    assert_eq!(log.all()[0].authorization, format!("Bearer {}", super::TOKEN));
    assert_eq!(client.requests_sent(), 1);
}

#[tokio::test(start_paused = true)]
async fn pages_of_any_size_make_one_list_that_is_read_twice() {
    for most in [1, 3, 7, 20] {
        let all = backups(21);
        let (client, log) = played(move |_, _, uri| page_at("https://provider.test", uri, &all, most));
        let inventory = client.inventory(&server(1, "web-1"), Kind::Backup).await.unwrap();
        assert_eq!(inventory.points.len(), 10, "pages of {most}");
        assert_eq!((inventory.proof, inventory.doubt()), (ReadProof::ReadTwice, None));
        assert_eq!(log.lines().len(), 2 * 21_usize.div_ceil(most));
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_differs_at_each_reading_is_not_used_for_deletes() {
    let (client, _) = played(|number, _, uri| {
        let mut all = backups(4);
        all[0]["description"] = json!(format!("reading {}", number / 2));
        page_at("https://provider.test", uri, &all, 2)
    });
    let inventory = client.inventory(&server(2, "web-2"), Kind::Backup).await.unwrap();
    assert_eq!(inventory.proof, ReadProof::ReadOnce);
    assert!(inventory.doubt().is_some());
}

#[tokio::test(start_paused = true)]
async fn next_on_another_origin_or_path_is_never_followed_and_the_list_is_read_by_number() {
    for origin in [
        "http://provider.test",
        "https://evil.test",
        "https://provider.test:8443",
        "https://user@provider.test",
        "//evil.test",
        "https://provider.test/internal",
        "https://provider.test.evil.test",
    ] {
        let all = backups(5);
        let (client, log) = played(move |_, _, uri| page_at(origin, uri, &all, 2));
        let inventory = client.inventory(&server(2, "web-2"), Kind::Backup).await.unwrap();
        assert_eq!(inventory.points.len(), 3, "{origin}");
        assert_eq!(inventory.doubt(), None, "{origin}");
        let asked = "GET /api/v1/backups/?server_id=2&backup_type=manual&page_size=100";
        let pages = [asked.to_owned(), format!("{asked}&page=2"), format!("{asked}&page=3")];
        assert_eq!(log.lines(), pages.iter().chain(&pages).cloned().collect::<Vec<_>>(), "{origin}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_relative_next_and_one_that_is_no_url_are_read_on_as_well() {
    for origin in ["", "not a url at all"] {
        let all = backups(5);
        let (client, _) = played(move |_, _, uri| page_at(origin, uri, &all, 2));
        let points = client.inventory(&server(2, "web-2"), Kind::Backup).await.unwrap().points;
        assert_eq!(points.len(), 3, "{origin:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_without_next_that_is_shorter_than_its_count_is_an_error() {
    let (client, log) = played(|_, _, _| ok(&json!({"count": 3, "results": [backup(1, 7)]})));
    let error = client.inventory(&server(7, "web-7"), Kind::Backup).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Incomplete { got: 1, count: 3 });
    assert!(error.is_retryable() && !error.outcome_unknown());
    assert_eq!(log.lines().len(), 3, "it may have changed while it was read, so it is read three times");
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_that_counts_something_is_never_an_empty_inventory() {
    let (client, _) = played(|_, _, _| ok(&json!({"count": 2, "next": null, "results": []})));
    let error = client.all_points(Kind::Snapshot).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Incomplete { got: 0, count: 2 });
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_a_list_is_an_error_and_not_an_empty_list() {
    for body in [json!({"detail": "later"}), json!({"count": 0}), json!({"count": 0, "results": null}), json!(7)] {
        let answer = body.clone();
        let (client, _) = played(move |_, _, _| ok(&answer));
        let error = client.inventory(&server(7, "web-7"), Kind::Backup).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::NotUnderstood { .. }), "{body}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_changes_while_it_is_read_is_read_again() {
    let (client, log) = played(|number, _, uri| {
        // After the first page one entry is deleted: everything on later pages moves up by one.
        let all = if number == 0 { backups(5) } else { backups(5).split_off(1) };
        page_at("https://provider.test", uri, &all, 2)
    });
    let listing = client.records(Kind::Backup, None, None).await.unwrap();
    assert_eq!(listing.items.len(), 4);
    assert_eq!(listing.doubts, [] as [String; 0]);
    assert_eq!(log.lines().len(), 3 + 2);
}

#[tokio::test(start_paused = true)]
async fn repeated_entries_are_kept_once_and_prevent_deletes() {
    let (client, log) =
        played(|_, _, _| ok(&json!({"count": 2, "results": [backup(1, 7), backup(2, 7), backup(1, 7)]})));
    let inventory = client.inventory(&server(7, "web-7"), Kind::Backup).await.unwrap();
    assert_eq!(inventory.points.len(), 2);
    assert!(inventory.doubt().unwrap().contains("came twice"), "{:?}", inventory.doubts);
    assert_eq!(log.lines().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_entry_on_two_pages_in_place_of_another_is_an_incomplete_list() {
    let (client, _) = played(|_, _, uri| {
        let mut all = backups(4);
        all[2] = all[1].clone();
        page_at("https://provider.test", uri, &all, 2)
    });
    let error = client.inventory(&server(1, "web-1"), Kind::Backup).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Incomplete { got: 3, count: 4 });
}

#[tokio::test(start_paused = true)]
async fn a_list_without_count_is_doubtful() {
    for answer in
        [json!([backup(1, 7)]), json!({"results": [backup(1, 7)]}), json!({"count": "1", "results": [backup(1, 7)]})]
    {
        let (client, _) = played(move |_, _, _| ok(&answer));
        let inventory = client.inventory(&server(7, "web-7"), Kind::Backup).await.unwrap();
        assert_eq!(inventory.points.len(), 1);
        assert!(inventory.doubt().unwrap().contains("no count"));
    }
}

#[tokio::test(start_paused = true)]
async fn pages_that_lead_in_a_circle_end_in_an_error() {
    let (client, log) = played(|_, _, _| {
        ok(&json!({"count": 9, "next": "https://provider.test/api/v1/backups/?page=3", "results": [backup(1, 7)]}))
    });
    let error = client.inventory(&server(7, "web-7"), Kind::Backup).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Incomplete { .. }), "{error}");
    assert_eq!(log.lines().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_never_ends_is_an_error_after_a_few_pages() {
    // The same entry forever; five new ones per page; entries without an id; a different count each time.
    type PageEntries = fn(i64) -> Vec<Value>;
    let endless: [(i64, PageEntries); 4] = [
        (1, |_| vec![backup(7, 7)]),
        (5, |number| (number * 5..number * 5 + 5).map(|id| backup(id, 7)).collect()),
        (5, |_| vec![json!({}), json!(1)]),
        (100_000, |_| (1..6).map(|id| backup(id, 7)).collect()),
    ];
    for (case, (count, results)) in endless.into_iter().enumerate() {
        let (client, log) = played(move |number, _, _| {
            let next = format!("?cursor={number}");
            ok(&json!({"count": count, "next": next, "results": results(i64::try_from(number).unwrap())}))
        });
        let error = client.inventory(&server(7, "web-7"), Kind::Backup).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Unsteady(_) | ErrorKind::Incomplete { .. }), "{case}: {error}");
        assert!(log.lines().len() <= 12, "{case}: {} requests", log.lines().len());
    }
}

#[tokio::test(start_paused = true)]
async fn an_implausible_count_is_refused_at_the_first_page() {
    for count in [json!(150_001), json!(1_000_000_000), json!(u64::MAX)] {
        let (client, log) = played(move |_, _, uri| {
            let page = parameter(uri, "page").map_or(1, |page| page.parse().unwrap());
            let results: Vec<Value> = (page * 100..page * 100 + 100).map(|id| backup(id, 7)).collect();
            let next = format!("{}?page={}", uri.path(), page + 1);
            ok(&json!({"count": count, "next": next, "results": results}))
        });
        let error = client.all_points(Kind::Backup).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Excess(_)), "{error}");
        assert_eq!(log.lines().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_list_ends_within_five_minutes() {
    let settings =
        crate::provider::ClientSettings { requests_per_second: 1, ..super::settings("https://provider.test/api/v1") };
    let (client, log) = super::played_with(settings, |_, _, uri| {
        let page = parameter(uri, "page").map_or(1, |page| page.parse().unwrap());
        let next = format!("{}?page={}", uri.path(), page + 1);
        ok(&json!({"count": 100_000, "next": next, "results": [backup(page, 7)]}))
    });
    let begun = tokio::time::Instant::now();
    for wanted in [false, true] {
        let error = match wanted {
            true => client.all_points(Kind::Backup).await.unwrap_err(),
            false => client.inventory(&server(7, "web-7"), Kind::Backup).await.unwrap_err(),
        };
        assert!(matches!(error.kind, ErrorKind::Unsteady(_)) && error.to_string().contains("5 minutes"), "{error}");
    }
    assert_eq!(begun.elapsed().as_secs(), 600);
    assert!(log.lines().len() > 500, "it was read until then");
}

#[tokio::test(start_paused = true)]
async fn an_accounts_list_of_a_hundred_thousand_points_is_read() {
    let (client, _) = played(|_, _, uri| {
        let page: i64 = parameter(uri, "page").map_or(1, |page| page.parse().unwrap());
        let results: Vec<Value> = ((page - 1) * 100..page * 100).map(|id| backup(id, id / 10)).collect();
        let next = (page < 1000).then(|| format!("{}?page={}", uri.path(), page + 1));
        ok(&json!({"count": 100_000, "next": next, "results": results}))
    });
    let account = client.all_points(Kind::Backup).await.unwrap();
    assert_eq!((account.entries(), account.doubts().len()), (100_000, 0));
    assert_eq!(account.inventory_of(&server(9_999, "web-9999")).points.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_implausible_number_of_points_on_one_server_is_refused() {
    let all: Vec<Value> = (1..=2_001).map(|id| backup(id, 7)).collect();
    let list = json!({"count": 2_001, "results": all});
    let (client, _) = played(move |_, _, _| ok(&list));
    let error = client.inventory(&server(7, "web-7"), Kind::Backup).await.unwrap_err();
    assert!(error.to_string().contains("2001 backups on one server"), "{error}");
    let account = client.all_points(Kind::Backup).await.unwrap().inventory_of(&server(7, "web-7"));
    assert!(account.points.len() <= 2_000 && account.doubt().is_some());
    assert!(client.inventory(&server(8, "web-8"), Kind::Backup).await.unwrap().points.is_empty(), "filters are ours");
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_the_provider_ignores_changes_nothing() {
    let mut all: Vec<Value> = backups(12);
    all[0]["backup_type"] = json!("automatic");
    let (client, _) = played(move |_, _, _| ok(&json!({"count": 12, "results": all})));
    let inventory = client.inventory(&server(2, "web-2"), Kind::Backup).await.unwrap();
    assert_eq!(inventory.points.len(), 6);
    assert_eq!(inventory.manual().count(), 5);
    assert_eq!(inventory.doubt(), None);
    let records =
        client.records(Kind::Backup, Some(&server(2, "web-2")), Some(BackupTypeFilter::Automatic)).await.unwrap();
    assert_eq!(records.items.len(), 1);
    assert_eq!(records.items[0].1.to_map()["size_mb"], json!(4523), "the provider's own fields are kept");
}

#[tokio::test(start_paused = true)]
async fn a_point_that_cannot_be_read_makes_the_inventory_doubtful_and_is_named() {
    for (field, value) in [
        ("server", json!(null)),
        ("server", json!({})),
        ("status", json!(null)),
        ("status", json!(7)),
        ("created_at", json!("yesterday")),
        ("created_at", json!("2026-10-01T00:00:00")),
        ("backup_type", json!(["manual"])),
        ("id", json!(1.5)),
    ] {
        let mut point = backup(501, 7);
        point[field] = value.clone();
        let (client, _) = played(move |_, _, _| ok(&json!({"count": 2, "results": [point, backup(2, 7)]})));
        let inventory = client.inventory(&server(7, "web-7"), Kind::Backup).await.unwrap();
        assert_eq!(inventory.points.len(), 1, "{field} {value}");
        let doubt = inventory.doubt().unwrap_or_default();
        assert!(doubt.contains(if field == "id" { "id" } else { "backup 501" }) && doubt.contains(field), "{doubt}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_accounts_list_is_read_in_parallel_and_split_by_server() {
    let all = backups(950);
    let (client, log) = played(move |_, _, uri| page_at("https://provider.test", uri, &all, 100));
    let account = client.all_points(Kind::Backup).await.unwrap();
    assert_eq!((account.entries(), account.points().count(), log.lines().len()), (950, 950, 10));
    let inventory = account.inventory_of(&server(1, "web-1"));
    assert_eq!(inventory.points.len(), 475);
    assert_eq!(inventory.proof, ReadProof::ReadOnce, "the account's list never decides a delete");
    assert!(account.inventory_of(&server(3, "web-3")).points.is_empty());
}

#[tokio::test(start_paused = true)]
async fn pages_read_in_parallel_that_do_not_fit_are_read_again_in_turn() {
    let (client, log) = played(|number, _, uri| {
        // The first page of the first reading announces a page that is gone when it is requested.
        let all = if number == 0 { backups(5) } else { backups(4) };
        page_at("https://provider.test", uri, &all, 2)
    });
    assert_eq!(client.all_points(Kind::Backup).await.unwrap().entries(), 4);
    assert_eq!(log.lines().len(), 3 + 2);
}

#[tokio::test(start_paused = true)]
async fn servers_are_listed_whole_with_their_own_fields() {
    let list = json!({"count": 3, "results": [
        {"id": 12345, "name": "web-server-01", "status": "active", "plan": {"ram": 4}},
        {"uuid": "7f0c", "hostname": "db.example.com", "status": "stopped"},
        {"status": "active"},
    ]});
    let (client, _) = played(move |_, _, _| ok(&list));
    let listing = client.server_records().await.unwrap();
    assert_eq!(listing.items.len(), 2);
    assert_eq!(listing.items[0].0.keys, ["12345", "web-server-01"]);
    assert_eq!(listing.items[0].1.to_map()["plan"]["ram"], json!(4));
    assert_eq!(listing.items[1].0.reference.id, ServerId::Text("7f0c".to_owned()));
    assert_eq!(listing.doubts.len(), 2, "no id to tell it apart by, and unreadable: {:?}", listing.doubts);
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_server_entry_is_named_and_makes_the_list_doubtful() {
    let odd = json!({"oid": 1});
    for (key, value) in [("id", &odd), ("id", &json!(1.5)), ("id", &json!(true)), ("name", &json!(17)), ("name", &odd)]
    {
        let mut broken = json!({"id": 2, "uuid": "7f0c", "name": "web-2", "status": "active"});
        broken[key] = value.clone();
        let list = json!({"count": 2, "results": [{"id": 1, "name": "web-1", "status": "active"}, broken]});
        let (client, _) = played(move |_, _, _| ok(&list));
        let listing = client.servers().await.unwrap();
        assert_eq!(listing.items.len(), 1, "{key} {value}");
        let [doubt] = listing.doubts.as_slice() else { panic!("{key} {value}: {:?}", listing.doubts) };
        let shown = if value.is_object() { "an object".to_owned() } else { value.to_string() };
        let named = ["2", "7f0c", "web-2"].iter().any(|name| doubt.contains(&format!("server {name} cannot be read")));
        assert!(named && doubt.contains(&format!("its {key} is {shown}")), "{doubt}");
    }
    let nobody =
        json!({"count": 2, "results": [{"status": "active", "name": ["x"]}, {"id": 1, "hostname": "", "name": null}]});
    let (client, _) = played(move |_, _, _| ok(&nobody));
    let listing = client.servers().await.unwrap();
    assert_eq!(listing.items.len(), 1, "what is not given is not unreadable");
    assert!(listing.doubts.iter().any(|doubt| doubt.contains("its name is a list")), "{:?}", listing.doubts);
}

#[tokio::test(start_paused = true)]
async fn the_providers_time_is_returned_with_ours() {
    let (client, _) = played(|_, _, _| {
        let mut answer = ok(&json!({"count": 0, "results": []}));
        answer.headers_mut().insert("date", "Sat, 21 Nov 2026 02:29:58 GMT".parse().unwrap());
        answer
    });
    assert_eq!(client.provider_time(), None);
    let inventory = client.inventory(&server(7, "web-7"), Kind::Snapshot).await.unwrap();
    assert_eq!(inventory.provider_time, Some("2026-11-21T02:29:58Z".parse().unwrap()));
    assert_eq!(inventory.read_at, "2026-11-21T02:30:00Z".parse().unwrap());
    let time = client.provider_time().unwrap();
    assert_eq!((Some(time.said), time.received_at), (inventory.provider_time, inventory.read_at));
}
