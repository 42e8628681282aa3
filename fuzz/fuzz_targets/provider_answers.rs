//! The provider's answers: whatever it says, to whatever call, the client neither panics nor hangs; no point of
//! another server gets into an inventory, nothing is there twice, and no text holds the token or a character that misleads.
//!
//! The input: the call, then the answers in turn, each ended by a byte 255 (which no JSON holds): its status, its
//! headers, its body. The last one is repeated. The real client is asked over the in-process transport, in virtual time.

#![no_main]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Response;
use lastgood::seams::clock::{Clock, ManualClock};
use lastgood::seams::policy::inventory::{PointId, ServerId, Inventory, Kind, RestorePoint, Server, ServerRef, ServerStatus};
use lastgood::seams::policy::text::misleads;
use lastgood::seams::provider::{BackupTypeFilter, Client, CreateRequest, Fields, Power, ProviderError, ClientSettings};
use libfuzzer_sys::fuzz_target;

const TOKEN: &str = "vps_s3cr3t";
const STATUSES: [u16; 16] = [200, 200, 200, 200, 201, 202, 204, 301, 400, 401, 404, 409, 429, 500, 502, 503];

thread_local! {
    static RUNTIME: RefCell<Option<tokio::runtime::Runtime>> = const { RefCell::new(None) };
}

#[derive(Clone)]
struct Answer {
    status: u16,
    headers: u8,
    body: Vec<u8>,
}

fn answers(data: &[u8]) -> Vec<Answer> {
    let answer = |part: &[u8]| Answer {
        status: STATUSES[usize::from(part.first().copied().unwrap_or(0)) % STATUSES.len()],
        headers: part.get(1).copied().unwrap_or(0),
        body: part.get(2..).unwrap_or_default().to_vec(),
    };
    data.split(|byte| *byte == 255).map(answer).collect()
}

fn response(answer: &Answer) -> Response<Body> {
    let mut response = Response::builder().status(answer.status);
    for (bit, name, value) in [
        (1, "retry-after", "2"),
        (2, "retry-after", "Sat, 21 Nov 2026 02:30:09 GMT"),
        (4, "date", "Sat, 21 Nov 2026 02:30:00 GMT"),
        (8, "location", "https://elsewhere.example/api/v1/"),
        (16, "content-type", "text/html"),
        (32, "content-length", "70000"),
    ] {
        if answer.headers & bit != 0 {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(answer.body.clone())).expect("plain headers")
}

fn client(answers: Vec<Answer>) -> Client {
    let turn = Arc::new(AtomicUsize::new(0));
    let router = Router::new().fallback(move || {
        let place = turn.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
        let response = response(&answers[place]);
        async move { response }
    });
    let settings = ClientSettings {
        url: "http://127.0.0.1:1/api/v1".to_owned(),
        token: TOKEN.to_owned().into(),
        timeout: Duration::from_secs(30),
        requests_per_second: 1000,
        poll: Duration::from_millis(50),
        ca_file: None,
    };
    let clock = Clock::Manual(ManualClock::new("2026-11-21T02:30:00Z".parse().expect("a time")));
    Client::in_process(settings, clock, router).expect("the settings can be used")
}

fn server() -> Server {
    let keys = ["12345", "7f0c2d3e", "web-server-01", "web1.example.com"];
    Server {
        reference: ServerRef { id: ServerId::Number(12345), name: "web-server-01".to_owned() },
        keys: keys.map(str::to_owned).to_vec(),
        status: ServerStatus::Active,
    }
}

/// Whatever comes from the provider was cleaned where it came in; nothing is cleaned here.
fn clean(text: &str) {
    assert!(!text.contains(TOKEN), "a text shows the token: {text:?}");
    assert!(!text.chars().any(misleads), "a text moves the cursor: {text:?}");
}

fn clean_point(point: &RestorePoint) {
    let texts = [point.id.to_string(), point.server.id.to_string(), point.status.to_string()];
    texts.iter().for_each(|text| clean(text));
    [&point.server.name, &point.description].into_iter().chain(&point.name).for_each(|text| clean(text));
}

fn clean_server(server: &Server) {
    assert!(server.keys.contains(&server.reference.id.to_string()), "an id is a key: {server:?}");
    [&server.reference.name, &server.status.to_string()].into_iter().chain(&server.keys).for_each(|text| clean(text));
}

fn clean_fields(fields: &Fields) {
    clean(&fields.to_string());
}

fn check_inventory(inventory: &Inventory, kind: Kind) {
    let ids: BTreeSet<&PointId> = inventory.points.iter().map(|point| &point.id).collect();
    assert_eq!(ids.len(), inventory.points.len(), "a point twice");
    assert!(inventory.points.iter().all(|point| point.server == server().reference && point.kind == kind));
    inventory.doubts.iter().for_each(|doubt| clean(doubt));
    inventory.points.iter().for_each(clean_point);
}

async fn ask(client: &Client, call: u8) -> Result<(), ProviderError> {
    let kind = if call & 1 == 0 { Kind::Backup } else { Kind::Snapshot };
    let (server, id) = (server(), PointId::Number(7));
    match call >> 1 {
        0..=3 => check_inventory(&client.inventory(&server, kind).await?, kind),
        4 => {
            let all = client.all_points(kind).await?;
            check_inventory(&all.inventory_of(&server), kind);
        }
        5 => {
            let wanted = BackupTypeFilter::Automatic;
            let listing = client.records(kind, Some(&server), Some(wanted)).await?;
            for (point, fields) in &listing.items {
                assert!(point.automatic, "the filter is ours to keep");
                clean_point(point);
                clean_fields(fields);
            }
        }
        6 => listing_of_servers(client).await?,
        7 => {
            for (server, fields) in &client.server_records().await?.items {
                clean_server(server);
                clean_fields(fields);
            }
        }
        8 => clean_server(&client.server(&server.reference.id).await?),
        9 => {
            let account = client.token_info().await?;
            [&account.email, &account.token_name].into_iter().chain(&account.permissions).for_each(|text| clean(text));
        }
        10 => {
            let (name, description) =
                (Some("lg-abcd1234-p-20261121T023000Z".to_owned()), "lg-abcd1234 main p".to_owned());
            let request = CreateRequest { server: server.reference.id, kind, name, description };
            let created = client.create(&request).await?;
            created.id.iter().for_each(|id| clean(&id.to_string()));
            created.point.iter().for_each(clean_point);
        }
        11 => drop(client.delete(kind, &id).await?),
        12 => client.power(&server.reference.id, Power::Start).await?,
        _ => {
            let started = client.restore(kind, &server.reference.id, &id).await?;
            started.message.iter().for_each(|words| clean(words));
            started.server_status.iter().for_each(|status| clean(&status.to_string()));
        }
    }
    Ok(())
}

async fn listing_of_servers(client: &Client) -> Result<(), ProviderError> {
    let listing = client.servers().await?;
    listing.items.iter().for_each(clean_server);
    listing.doubts.iter().for_each(|doubt| clean(doubt));
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let Some((call, rest)) = data.split_first() else { return };
    RUNTIME.with_borrow_mut(|runtime| {
        let build = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.get_or_insert_with(|| build().expect("a runtime"));
        runtime.block_on(async {
            let client = client(answers(rest));
            if let Err(error) = ask(&client, call % 28).await {
                clean(&error.to_string());
                assert!(!error.never_sent(), "it was sent: {error}");
            }
        });
    });
});
