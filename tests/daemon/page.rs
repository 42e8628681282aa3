//! The page of a real daemon. How it looks and works in a browser is tested by `.ci/page`.

use std::net::SocketAddr;

use serde_json::json;

use crate::http_client::{address, get};
use crate::process::{Daemon, eventually, write_policy};
use crate::support::host::Host;
use crate::support::policy_text::{oncall, policy};

const LISTEN: &str = "[status]\nlisten = \"127.0.0.1:0\"\n";

/// Whether the list of servers, as this query filters it, has a link to `path`. Open incidents stand above the list,
/// whatever the filter is.
fn lists(address: SocketAddr, query: &str, path: &str) -> bool {
    let page = get(address, &format!("/?{query}")).body;
    let (_, list) = page.split_once("<h2 id=\"servers\">").expect("a page has a list of servers");
    list.contains(path)
}

#[test]
fn the_page_shows_a_point_and_the_servers_page_says_why_it_is_kept() {
    let host = Host::new(&["--servers", "2"]);
    let server = host.provider.state()["servers"][0]["spec"]["id"].clone();
    let name = "<script>alert(1)</script>\" 名";
    host.provider.control("POST", "servers", &json!({ "act": "rename_server", "server": server, "name": name }));
    let policies = policy("busy", "snapshot", "* * * * * *", "") + &policy("seldom", "backup", "0 0 1 1 *", "");
    write_policy(&host, &(policies + &oncall("group_wait = \"1s\"") + LISTEN));
    let daemon = Daemon::start(&host);
    let address = address(&daemon);
    let path = format!("/servers/{}", server.to_string().trim_matches('"'));
    let page = eventually("the points are kept by their rule", || {
        let page = get(address, &path);
        (page.status == 200 && page.body.contains("last (2 of 2)")).then_some(page)
    });
    let overview = get(address, "/");
    for page in [&page, &overview] {
        let policy = page.header("content-security-policy").expect("a policy for browsers");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(page.body.contains("&lt;script&gt;alert(1)") && !page.body.contains("<script"), "{}", page.body);
    }
    assert!(overview.body.contains(&format!("href=\"{path}\"")), "{}", overview.body);
    assert!(lists(address, "state=never", &path), "the other policy has made nothing yet");
    assert!(!lists(address, "q=another", &path));
    // A reload shows what the new file says, and a server without a policy keeps its page.
    let excluded = "exclude = [\"*\"]";
    let policies = policy("busy", "snapshot", "0 0 1 1 *", excluded);
    write_policy(&host, &(policies + &oncall("group_wait = \"1s\"") + LISTEN));
    daemon.signal("HUP");
    daemon.hears("READY=1");
    eventually("it is unprotected", || lists(address, "state=unprotected", &path).then_some(()));
    assert!(get(address, &path).body.contains("No policy applies to this server."));
    daemon.stops();
}
