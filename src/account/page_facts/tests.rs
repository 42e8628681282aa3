//! What the page shows of real states, as far as no golden of the page can tell.

use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::*;
use crate::config::{self, Environment};
use crate::journal::event::RunKey;
use crate::policy::inventory::{PointId, PointStatus, ReadProof, ServerId};
use crate::policy::mark::{Mark, Token};
use crate::status::page_html;
use crate::store::holds::{Hold, HoldTarget};

const FILE: &str = "
[provider]
token_file = \"token\"

[policy.nightly]
kind = \"backup\"
servers = [\"web-*\"]
schedule = \"30 2 * * *\"
keep = { last = 1, daily = 3, weekly = 2 }

[policy.hourly]
kind = \"snapshot\"
servers = [\"web-*\"]
schedule = \"0 * * * *\"
keep = { hourly = 4 }
";

struct Scene {
    config: Config,
    store: Store,
    _folder: tempfile::TempDir,
}

fn now() -> Timestamp {
    "2026-11-28T20:00:00Z".parse().unwrap()
}

fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let (config, found) = config::parse(FILE, Path::new("/"), &Environment::default(), now());
    let config = config.unwrap_or_else(|| panic!("{found:?}"));
    Scene { config, store: Store::own(folder.path()).unwrap(), _folder: folder }
}

fn server(id: i64, name: &str) -> Server {
    let keys = vec![id.to_string(), name.to_owned()];
    Server {
        reference: ServerRef { id: ServerId::Number(id), name: name.to_owned() },
        keys,
        status: ServerStatus::Active,
    }
}

/// A completed point of a policy; of nobody with an empty name.
fn point(server: &Server, kind: Kind, id: i64, policy: &str, created_at: Timestamp) -> RestorePoint {
    let token = Token::from_random(u64::try_from(id).unwrap() * 1_000_003);
    let mark = PolicyName::new(policy)
        .map(|policy| Mark { token, instance: "main".to_owned(), policy, due: created_at }.description());
    RestorePoint {
        id: PointId::Number(id),
        kind,
        server: server.reference.clone(),
        automatic: false,
        status: PointStatus::Completed,
        size_mb: Some(4000),
        created_at,
        expires_at: None,
        name: None,
        description: mark.unwrap_or_else(|| "by hand".to_owned()),
    }
}

impl Scene {
    async fn list(&self, server: &Server, kind: Kind, points: Vec<RestorePoint>) {
        let inventory = Inventory {
            server: server.reference.clone(),
            kind,
            points,
            read_at: now() - SignedDuration::from_mins(5),
            provider_time: None,
            proof: ReadProof::OnePage,
            doubts: Vec::new(),
        };
        let policy = PolicyName::new("nightly").unwrap();
        let key = MemoryKey { server: server.reference.id.clone(), kind, policy, settle: Duration::from_secs(60) };
        self.store.record_list(inventory, "main".to_owned(), key).await.unwrap();
    }

    async fn servers(&self, servers: Vec<Server>) {
        self.store.save_servers(servers, (now(), Duration::from_secs(60)), |_| None).await.unwrap();
    }

    async fn page(&self, path: &str, query: Option<&str>) -> Option<PageFacts> {
        let request = PageRequest::of(path, query)?;
        page_facts(&self.config, &self.store, request, now()).await.unwrap()
    }
}

#[tokio::test]
async fn each_point_is_shown_with_what_the_next_run_does_with_it() {
    let scene = scene();
    let (web, other) = (server(1, "web-1"), server(2, "other"));
    scene.servers(vec![web.clone(), other.clone()]).await;
    let days_ago = |days: i64| now() - SignedDuration::from_hours(24 * days + 17);
    let own = |id: i64, days| point(&web, Kind::Backup, id, "nightly", days_ago(days));
    let mut points: Vec<RestorePoint> = (0..6).map(|number| own(100 - number, number)).collect();
    points.push(point(&web, Kind::Backup, 60, "", days_ago(7)));
    points.push(point(&web, Kind::Backup, 59, "retired", days_ago(8)));
    points.push(RestorePoint { automatic: true, ..point(&web, Kind::Backup, 58, "", days_ago(1)) });
    scene.list(&web, Kind::Backup, points).await;
    scene.list(&other, Kind::Snapshot, vec![point(&other, Kind::Snapshot, 7, "retired", days_ago(3))]).await;
    let hold = Hold {
        what: HoldTarget::Point(Kind::Backup, PointId::Number(96)),
        reason: "before the migration".to_owned(),
        since: now(),
        until: None,
    };
    scene.store.hold(hold).await.unwrap();

    let Some(PageFacts::Server(page)) = scene.page("/servers/1", None).await else { panic!("no page") };
    let backups = &page.facts.kinds[0];
    let shown: Vec<String> = backups
        .points
        .iter()
        .map(|point| {
            let why: Vec<String> = point.why.iter().map(ToString::to_string).collect();
            let goes = if point.goes { "goes" } else { "stays" };
            format!("{} {goes}{}: {}", point.id, if point.held { ", held" } else { "" }, why.join("; "))
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
    assert_eq!((backups.slots.used, backups.slots.own, backups.slots.foreign, backups.slots.held), (8, 7, 1, 1));
    assert_eq!(page.status.policies.len(), 2, "its own policies alone");
    assert_eq!(page.facts.kinds.len(), 2, "the kind that is not listed yet, too");

    let Some(PageFacts::Server(page)) = scene.page("/servers/2", None).await else { panic!("no page") };
    assert!(page.status.policies.is_empty());
    let [snapshots] = &page.facts.kinds[..] else { panic!("{:?}", page.facts.kinds) };
    assert_eq!(snapshots.points[0].owner, Owner::Ours("retired".parse().unwrap()));
    assert!(!snapshots.points[0].goes && snapshots.plans.is_empty());

    for path in ["/servers/3", "/servers/01", "/servers/+1", "/servers/web-1", "/servers/%22", "/servers/1e0"] {
        assert!(scene.page(path, None).await.is_none(), "{path}");
    }
}

#[tokio::test]
async fn only_the_servers_that_are_shown_are_asked_about() {
    let scene = scene();
    let servers: Vec<Server> = (1..=250).map(|id| server(id, &format!("web-{id}"))).collect();
    scene.servers(servers).await;
    let Some(PageFacts::Overview(page)) = scene.page("/", Some("page=2")).await else { panic!("no page") };
    assert_eq!(page.servers.len(), 100);
    let Some(PageFacts::Overview(page)) = scene.page("/", Some("q=web-250")).await else { panic!("no page") };
    let names: Vec<&str> = page.servers.iter().map(|one| one.server.reference.name.as_str()).collect();
    assert_eq!((names, page.listing.servers().len()), (vec!["web-250"], 1));
}

/// Prints what a page costs in an account of 10,000 servers with two policies, 15 points and 60 runs each.
#[expect(clippy::print_stdout, reason = "the figures are the point of it")]
#[tokio::test]
#[ignore = "takes a minute: cargo test --release --lib ten_thousand_servers -- --ignored --nocapture"]
async fn the_first_page_of_ten_thousand_servers() {
    let scene = scene();
    let servers: Vec<Server> = (1..=10_000).map(|id| server(id, &format!("web-{id}"))).collect();
    scene.servers(servers.clone()).await;
    for server in &servers {
        let ServerId::Number(id) = server.reference.id else { panic!("an odd id") };
        let made = |kind, policy: &'static str, number: i64, hours: i64| {
            (0..number).map(move |place| {
                let at = now() - SignedDuration::from_hours(hours * place) - SignedDuration::from_mins(30);
                point(server, kind, id * 100 + place, policy, at)
            })
        };
        scene.list(server, Kind::Backup, made(Kind::Backup, "nightly", 10, 24).collect()).await;
        scene.list(server, Kind::Snapshot, made(Kind::Snapshot, "hourly", 5, 1).collect()).await;
        if id <= 200 {
            for place in 1..=60 {
                let due = now() - SignedDuration::from_hours(12 * place);
                let policy = PolicyName::new(if place % 2 == 0 { "nightly" } else { "hourly" }).unwrap();
                let kind = if place % 2 == 0 { Kind::Backup } else { Kind::Snapshot };
                let key = RunKey { server: server.reference.clone(), policy, kind, due: Some(due) };
                scene.store.open_run(key, due).await.unwrap();
            }
        }
    }
    // As the listener reads it.
    let scene = Scene { store: Store::reading(&scene.store.dir()).unwrap(), ..scene };
    for path in ["/", "/", "/?page=50", "/?q=web-77", "/servers/77"] {
        let (page, query) = path.split_once('?').map_or((path, None), |(page, query)| (page, Some(query)));
        let begun = (Instant::now(), cpu());
        drop(survey(&scene.config, &scene.store, now()).await.unwrap());
        let surveyed = (begun.0.elapsed(), cpu() - begun.1);
        let begun = (Instant::now(), cpu());
        let facts = scene.page(page, query).await.expect("a page");
        let gathered = (begun.0.elapsed(), cpu() - begun.1);
        let html = page_html(&facts);
        let (total, kilobytes) = ((begun.0.elapsed(), cpu() - begun.1), html.len() / 1000);
        println!(
            "{path}: {kilobytes} kB; elapsed and CPU: {total:?}, before HTML {gathered:?}; the status alone {surveyed:?}"
        );
    }
}

/// The CPU time of this process.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}
