//! The client against the simulated provider: over HTTP in real time, and in this process under paused time. The two
//! share no code, so a misreading on one side shows on the other.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use lastgood::seams::clock::{Clock, VirtualClock};
use lastgood::seams::policy::inventory::{Kind, PointStatus, ReadProof, Server, ServerId, ServerStatus};
use lastgood::seams::policy::looks::{Took, UsualTime};
use lastgood::seams::provider::{
    BackupTypeFilter, Client, ClientSettings, CreateRequest, Deleted, Power, Watch, WatchPace,
};
use lastgood::simulator::{
    self, Call, Effect, LostAnswer, Options, PointKind as Played, PointSpec, Rule, ServerReference, Simulator, Style,
};
use secrecy::SecretString;

fn settings(url: &str) -> ClientSettings {
    ClientSettings {
        url: url.to_owned(),
        token: SecretString::from("vps_a-token-of-tests"),
        timeout: Duration::from_secs(10),
        requests_per_second: 100_000,
        poll: Duration::from_secs(1),
        ca_file: None,
    }
}

/// The simulator says what became of a connection in its own word; the transport reads it in the standard library's.
fn router(simulator: &Simulator) -> Router {
    simulator.router().layer(axum::middleware::map_response(async |mut response: Response| {
        let kind = match LostAnswer::of(&response) {
            Some(LostAnswer::Refused) => std::io::ErrorKind::ConnectionRefused,
            Some(LostAnswer::Closed) => std::io::ErrorKind::ConnectionReset,
            None => return response,
        };
        response.extensions_mut().insert(kind);
        response
    }))
}

fn played(options: Options) -> (Client, Simulator) {
    let clock = VirtualClock::new("2026-11-21T02:30:00Z".parse().expect("a time"));
    let now = clock.clone();
    let simulator = Simulator::new(options, Arc::new(move || now.now()));
    let client =
        Client::in_process(settings("https://provider.test/api/v1"), Clock::Virtual(clock), router(&simulator));
    (client.expect("settings that can be used"), simulator)
}

fn request(kind: Kind, server: &Server) -> CreateRequest {
    CreateRequest {
        server: server.reference.id.clone(),
        kind,
        name: Some("lg-abcd1234-nightly-20261121T023000Z".to_owned()),
        description: "lg-abcd1234 main nightly 2026-11-21T02:30:00Z made by lastgood".to_owned(),
    }
}

/// Every face of the provider that its documents and its clients name.
fn faces() -> Vec<Options> {
    let mut faces = Vec::new();
    for style in [Style::Integer, Style::Uuid, Style::Both] {
        for server_reference in [ServerReference::AsListed, ServerReference::IdAndName, ServerReference::Bare] {
            for (paged, ignore_filters) in [(false, false), (true, false), (true, true)] {
                faces.push(Options {
                    paged,
                    ignore_filters,
                    server_reference,
                    max_page_size: 3,
                    unordered: true,
                    fractions: paged,
                    extra_fields: paged,
                    uuid_points: style == Style::Uuid,
                    automatic_backups: 2,
                    next_origin: paged.then(|| "http://backend.internal:8000".to_owned()),
                    ..Options::with_servers(4, style)
                });
            }
        }
    }
    faces
}

#[tokio::test(start_paused = true)]
async fn every_face_of_the_provider_is_understood() {
    for options in faces() {
        let face = format!("{options:?}");
        let (client, simulator) = played(options);
        let servers = client.servers().await.unwrap();
        assert_eq!((servers.items.len(), servers.doubts.len()), (4, 0), "{face}");
        for kind in Kind::ALL {
            let server = &servers.items[1];
            let created = client.create(&request(kind, server)).await.unwrap();
            let id = created.id.unwrap();
            assert_eq!(created.point.unwrap().status, PointStatus::InProgress, "{face}");
            tokio::time::advance(Duration::from_secs(5)).await;

            let inventory = client.inventory(server, kind).await.unwrap();
            assert_eq!(inventory.doubt(), None, "{face}");
            assert_eq!(inventory.manual().count(), 1, "{face}");
            let point = inventory.find(&id).unwrap();
            assert_eq!(point.status, PointStatus::Completed, "{face}");
            assert_eq!(point.server, server.reference, "{face}");
            assert!(point.description.starts_with("lg-abcd1234 main nightly"), "{face}");
            let other = client.inventory(&servers.items[2], kind).await.unwrap();
            assert_eq!((other.manual().count(), other.doubt()), (0, None), "{face}");
            let account = client.all_points(kind).await.unwrap();
            assert_eq!(account.inventory_of(server).manual().count(), 1, "{face}");

            assert_eq!(client.delete(kind, &id).await.unwrap(), Deleted::Accepted, "{face}");
            assert_eq!(client.delete(kind, &id).await.unwrap(), Deleted::AlreadyGone, "{face}");
            assert_eq!(client.inventory(server, kind).await.unwrap().manual().count(), 0, "{face}");
        }
        let automatic = client.records(Kind::Backup, Some(&servers.items[0]), Some(BackupTypeFilter::Automatic)).await;
        assert_eq!(automatic.unwrap().items.len(), 2, "{face}");
        assert_eq!(simulator.with_account(|account| account.points(Played::Snapshot).count()), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_is_stopped_started_and_restored() {
    let (client, _) = played(Options::with_servers(1, Style::Integer));
    let server = client.servers().await.unwrap().items.remove(0);
    let id = &server.reference.id;
    for (power, status) in [(Power::Stop, ServerStatus::Stopped), (Power::Start, ServerStatus::Active)] {
        client.power(id, power).await.unwrap();
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(client.server(id).await.unwrap().status, status);
    }
    for kind in Kind::ALL {
        let point = client.create(&request(kind, &server)).await.unwrap().id.unwrap();
        tokio::time::advance(Duration::from_secs(5)).await;
        client.restore(kind, id, &point).await.unwrap();
        assert_eq!(client.server(id).await.unwrap().status, ServerStatus::Other("restoring".to_owned()));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(client.server(id).await.unwrap().status, ServerStatus::Active);
    }
    assert_eq!(client.token_info().await.unwrap().permissions, ["servers:*"]);
}

#[tokio::test(start_paused = true)]
async fn the_limit_and_a_bad_token_are_refusals_in_the_providers_words() {
    let (client, simulator) = played(Options::with_servers(1, Style::Integer));
    let server = client.servers().await.unwrap().items.remove(0);
    for _ in 0..5 {
        client.create(&request(Kind::Snapshot, &server)).await.unwrap();
    }
    let error = client.create(&request(Kind::Snapshot, &server)).await.unwrap_err();
    assert!(error.is_refusal() && !error.outcome_unknown() && error.status() == Some(400), "{error}");
    assert!(error.to_string().to_lowercase().contains("limit") || error.to_string().contains('5'), "{error}");
    simulator.set_options(|options| options.token = Some("vps_another".to_owned()));
    let error = client.token_info().await.unwrap_err();
    assert_eq!(error.status(), Some(401));
    assert!(!error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_is_lost_is_unknown_and_sent_once() {
    let faults = [
        Effect::Reset { carried_out: true },
        Effect::Silence { seconds: None, carried_out: true },
        Effect::AnsweredLate { seconds: 60.0 },
        Effect::TruncatedJson {},
        Effect::BrokenBody {},
    ];
    for fault in faults {
        let (client, simulator) = played(Options::with_servers(1, Style::Integer));
        let server = client.servers().await.unwrap().items.remove(0);
        simulator.add_fault(Rule::new(fault.clone()).call(Call::Create));
        let error = client.create(&request(Kind::Backup, &server)).await.unwrap_err();
        assert!(error.outcome_unknown() && !error.never_sent(), "{fault:?}: {error}");
        assert_eq!(client.inventory(&server, Kind::Backup).await.unwrap().points.len(), 1, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_that_never_left_is_sent_again() {
    let (client, simulator) = played(Options::with_servers(1, Style::Integer));
    let server = client.servers().await.unwrap().items.remove(0);
    simulator.add_fault(Rule::new(Effect::Refuse {}).call(Call::Create).times(2));
    assert!(client.create(&request(Kind::Backup, &server)).await.is_ok());
    assert_eq!(client.inventory(&server, Kind::Backup).await.unwrap().points.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_lies_is_an_error_or_decides_no_delete() {
    let faults = [
        Effect::ShortCount { by: 1 },
        Effect::MissingItems { items: 1 },
        Effect::Shift { by: 1 },
        Effect::Shift { by: -1 },
        Effect::DuplicateItems { items: 1, counted: false },
        Effect::DuplicateItems { items: 1, counted: true },
        Effect::TruncatedJson {},
        Effect::status(500),
    ];
    for fault in faults {
        let foreign = (1..=7).map(|age| PointSpec::aged(Played::Backup, "web-server-01", age * 3600)).collect();
        let options = Options { foreign, paged: true, max_page_size: 3, ..Options::with_servers(1, Style::Integer) };
        let (client, simulator) = played(options);
        let server = client.servers().await.unwrap().items.remove(0);
        simulator.add_fault(Rule::new(fault.clone()).call(Call::List));
        match client.inventory(&server, Kind::Backup).await {
            Ok(inventory) => assert!(inventory.doubt().is_some(), "{fault:?}: {inventory:?}"),
            Err(error) => assert!(error.is_retryable(), "{fault:?}: {error}"),
        }
        simulator.clear_faults();
        simulator.add_fault(Rule::new(fault.clone()).call(Call::List).times(1));
        let inventory = client.inventory(&server, Kind::Backup).await.unwrap();
        assert_eq!(
            (inventory.points.len(), inventory.proof, inventory.doubt()),
            (7, ReadProof::ReadTwice, None),
            "{fault:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn points_of_other_servers_in_a_filtered_list_are_left_out() {
    let foreign = vec![PointSpec::aged(Played::Snapshot, "web-server-02", 60)];
    let (client, simulator) = played(Options { foreign, ..Options::with_servers(2, Style::Integer) });
    let server = client.servers().await.unwrap().items.remove(0);
    simulator.add_fault(Rule::new(Effect::ForeignItems { items: 3 }).call(Call::List));
    assert!(client.inventory(&server, Kind::Snapshot).await.unwrap().points.is_empty());
}

#[tokio::test(start_paused = true)]
async fn many_runs_wait_for_their_points_with_few_requests() {
    let options =
        Options { completion: Duration::from_secs(600), paged: true, ..Options::with_servers(50, Style::Integer) };
    let (client, _) = played(options);
    let servers = client.servers().await.unwrap().items;
    let watch = Watch::new(client.clone());
    let waits = servers.iter().map(|server| {
        let (client, watch) = (client.clone(), watch.clone());
        async move {
            let id = client.create(&request(Kind::Snapshot, server)).await.unwrap().id.unwrap();
            let took = Took { at_least: Duration::from_secs(580), at_most: Duration::from_secs(610) };
            let mut pace = WatchPace::new(Duration::ZERO, UsualTime::of(&[took]));
            let begun = tokio::time::Instant::now();
            loop {
                let inventory = watch.next(server, Kind::Snapshot, &mut pace).await.unwrap();
                if inventory.find(&id).is_some_and(|point| point.status == PointStatus::Completed) {
                    return begun.elapsed();
                }
            }
        }
    });
    let waited = futures_util::future::join_all(waits).await;
    assert!(waited.iter().all(|waited| waited.as_secs() < 640), "{waited:?}");
    // A list, fifty creates, and at most a dozen looks for all together.
    assert!(client.requests_sent() < 1 + 50 + 12, "{}", client.requests_sent());
}

#[tokio::test]
async fn the_same_works_over_a_socket_with_real_faults() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v1", listener.local_addr().unwrap());
    let now = Clock::System;
    let time = now.clone();
    let options = Options { completion: Duration::ZERO, ..Options::with_servers(2, Style::Both) };
    let simulator = Simulator::new(options, Arc::new(move || time.now()));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(simulator::serve(listener, simulator.clone(), async {
        stopped.await.ok();
    }));
    let client = Client::new(settings(&url), now).unwrap();
    let server = client.servers().await.unwrap().items.remove(0);
    assert!(matches!(server.reference.id, ServerId::Number(_)));

    simulator.add_fault(Rule::new(Effect::Reset { carried_out: true }).call(Call::Create).times(1));
    let error = client.create(&request(Kind::Snapshot, &server)).await.unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
    simulator.add_fault(Rule::new(Effect::Reset { carried_out: false }).call(Call::List).times(1));
    let inventory = client.inventory(&server, Kind::Snapshot).await.unwrap();
    assert_eq!((inventory.points.len(), inventory.doubt()), (1, None));
    assert!(client.provider_time().is_some());
    simulator.add_fault(Rule::new(Effect::HugeBody { bytes: 40 << 20 }).call(Call::Servers).times(1));
    let error = client.servers().await.unwrap_err();
    assert!(error.to_string().contains("larger than"), "{error}");
    simulator.add_fault(Rule::new(Effect::BrokenBody {}).call(Call::Servers).times(1));
    assert_eq!(client.servers().await.unwrap().items.len(), 2);

    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
}
