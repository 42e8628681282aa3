//! What the metrics say of a real daemon, over restarts and with names that somebody else has chosen.

use serde_json::json;

use crate::http_client::{address, get, sample};
use crate::process::{Daemon, changes, eventually, write_policy};
use crate::support::host::Host;
use crate::support::policy_text::{oncall, policy};

const LISTEN: &str = "[status]\nlisten = \"127.0.0.1:0\"\n";

fn busy(host: &Host) {
    let policies = policy("busy", "snapshot", "* * * * * *", "") + &policy("seldom", "backup", "0 0 1 1 *", "");
    write_policy(host, &(policies + &oncall("on = [\"success\"]\ngroup_wait = \"1s\"") + LISTEN));
}

#[test]
fn counters_of_the_state_go_on_over_restarts_and_the_others_begin_anew() {
    let host = Host::new(&["--servers", "1"]);
    busy(&host);
    let counters = [
        "lastgood_runs_total{policy=\"busy\",outcome=\"succeeded\"}",
        "lastgood_points_created_total{policy=\"busy\"}",
        "lastgood_points_deleted_total{policy=\"busy\",cause=\"retention\"}",
        "lastgood_messages_total{channel=\"mail\",result=\"sent\"}",
    ];
    let requests = "lastgood_provider_requests_total{endpoint=\"create\",status=\"201\"}";
    let mut before = [0.0; 4];
    for killed in [false, true, false] {
        let daemon = Daemon::start(&host);
        let address = address(&daemon);
        // The first list of servers may not be there yet: then there is no policy on any server.
        let metrics = eventually("the policies are followed", || {
            let metrics = get(address, "/metrics").body;
            metrics.contains("\nlastgood_runs_total{policy=\"seldom\"").then_some(metrics)
        });
        let now = counters.map(|name| sample(&metrics, name).unwrap_or_else(|| panic!("no {name}:\n{metrics}")));
        assert!(now.iter().zip(before).all(|(now, before)| *now >= before), "{before:?} fell to {now:?}");
        let sent = sample(&metrics, requests).unwrap_or_default();
        assert!(sent <= now[1] - before[1] + 1.0, "the requests of this process alone: {sent}, {before:?}, {now:?}");
        assert_eq!(sample(&metrics, "lastgood_runs_total{policy=\"seldom\",outcome=\"failed\"}"), Some(0.0));
        before = eventually("everything has grown", || {
            let metrics = get(address, "/metrics").body;
            let now = counters.map(|name| sample(&metrics, name).unwrap_or_default());
            let runs = sample(&metrics, "lastgood_run_duration_seconds_count{policy=\"busy\"}").unwrap_or_default();
            let grown = now.iter().zip(before).all(|(now, before)| *now >= before + 2.0);
            (grown && runs >= 2.0 && sample(&metrics, requests).unwrap_or_default() > 3.0).then_some(now)
        });
        if killed { daemon.dies() } else { daemon.stops() }
    }
    assert!(before[1] <= changes(&host, "point_created").len() as f64, "no more than were created: {before:?}");
}

#[test]
fn a_servers_name_is_text_whatever_is_in_it() {
    let host = Host::new(&["--servers", "1"]);
    let server = host.provider.state()["servers"][0]["spec"]["id"].clone();
    let name = "a\\b \"c\"\nd{e=\"f\"} 1 名 \u{202e}x";
    host.provider.control("POST", "servers", &json!({ "act": "rename_server", "server": server, "name": name }));
    busy(&host);
    let daemon = Daemon::start(&host);
    let address = address(&daemon);
    let metrics = eventually("there is a good point", || {
        let metrics = get(address, "/metrics").body;
        metrics.contains("\nlastgood_last_good_timestamp_seconds{").then_some(metrics)
    });
    let shown = get(address, "/status.json").json()["policies"][0]["server"]["name"].as_str().unwrap().to_owned();
    assert!(shown.starts_with("a\\b \"c\"") && !shown.contains(['\n', '\u{202e}']), "{shown}");
    let escaped = shown.replace('\\', "\\\\").replace('"', "\\\"");
    let labels = format!("server=\"{escaped}\",server_id=\"{}\"", server.to_string().trim_matches('"'));
    let size = sample(&metrics, &format!("lastgood_max_age_seconds{{{labels},policy=\"seldom\",kind=\"backup\"}}"));
    assert!(size.is_some(), "{labels}:\n{metrics}");
    let own = sample(&metrics, &format!("lastgood_slots_used{{{labels},kind=\"snapshot\",whose=\"own\"}}"));
    assert!(own.is_some_and(|own| own >= 1.0), "{metrics}");
    daemon.stops();
}

#[test]
fn metrics_are_made_once_a_second_for_all_who_scrape_and_status_json_is_always_fresh() {
    let host = Host::new(&["--servers", "1"]);
    busy(&host);
    let daemon = Daemon::start(&host);
    let address = address(&daemon);
    // The CPU time of the process differs whenever they are made anew.
    let cpu = || sample(&get(address, "/metrics").body, "process_cpu_seconds_total").unwrap();
    let (begun, mut seen) = (tokio::time::Instant::now(), Vec::new());
    for _ in 0..40 {
        seen.push(cpu());
    }
    let seconds = begun.elapsed().as_secs_f64();
    seen.dedup();
    assert!(seen.len() as f64 <= seconds + 2.0, "{} in {seconds} s", seen.len());
    let taken = || get(address, "/status.json").json()["at"].as_str().unwrap().to_owned();
    assert_ne!(taken(), taken());
    daemon.stops();
}
