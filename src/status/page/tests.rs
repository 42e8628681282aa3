//! The pages as people get them.

mod samples;

use super::html;
use crate::policy::inventory::{ServerId, ServerRef};
use crate::status::page::facts::PageFacts;
use crate::status::page::listing::{Filter, PAGE, PageListing, ServerCondition};
use crate::status::value::{Level, PolicyState, Status};
use samples::{HOSTILE, at, many, overview, policy, server, server_page, status};

/// The page, but for the style: that would make a golden of every colour.
fn golden(name: &str, facts: &PageFacts) -> String {
    let page = html(facts);
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    insta::assert_snapshot!(name, format!("{head}{body}").replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    // To look at it in a browser.
    if let Some(folder) = std::env::var_os("LASTGOOD_PAGES") {
        let file = std::path::Path::new(&folder).join(format!("{name}.html"));
        std::fs::write(file, &page).expect("the folder that was asked for can be written");
    }
    page
}

#[test]
fn the_page_of_all_servers() {
    golden("overview", &overview(status(), Filter::default()));
}

#[test]
fn the_page_before_the_first_list() {
    let nothing = Status {
        level: Level::Ok,
        policies: vec![],
        unprotected: vec![],
        incidents: vec![],
        debts: vec![],
        ..status()
    };
    golden("nothing_yet", &overview(nothing, Filter::default()));
}

#[test]
fn the_page_of_a_server() {
    golden("server", &server_page("web-server-01"));
}

#[test]
fn names_from_outside_stay_text() {
    let page = golden("hostile_server", &server_page(HOSTILE));
    let mut hostile = status();
    for policy in &mut hostile.policies {
        policy.server.name = HOSTILE.to_owned();
    }
    for incident in &mut hostile.incidents {
        HOSTILE.clone_into(&mut incident.text);
        HOSTILE.clone_into(&mut incident.topic);
        incident.server = Some(ServerRef { id: ServerId::Text(HOSTILE.to_owned()), name: HOSTILE.to_owned() });
    }
    hostile.warnings = vec![HOSTILE.to_owned()];
    hostile.unprotected = vec![ServerRef { id: ServerId::Text(HOSTILE.to_owned()), name: "x".repeat(5000) }];
    let filter = Filter { text: HOSTILE.to_owned(), ..Filter::default() };
    for page in [page, html(&overview(hostile.clone(), filter)), html(&overview(hostile, Filter::default()))] {
        assert!(page.contains("&lt;script&gt;"), "{page}");
        for forbidden in ["<script", "\u{202e}", "\u{0}", "\u{1b}", "onerror=\"", " style="] {
            let found = page.split("<style>").next().unwrap().contains(forbidden)
                || page.split("</style>").nth(1).unwrap().contains(forbidden);
            assert!(!found, "{forbidden:?} in {page}");
        }
    }
}

#[test]
fn the_policy_for_browsers_has_the_digest_of_the_style_that_is_served() {
    let page = html(&overview(status(), Filter::default()));
    let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    // What a browser does.
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
    let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest);
    assert_eq!(
        super::content_security_policy(),
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
    );
    assert!(!style.contains("url(") && !style.contains("@import") && !style.contains('\r'), "it fetches nothing");
}

#[test]
fn every_server_is_on_exactly_one_page_and_the_worst_are_first() {
    let (status, exempt) = many(1050);
    let mut seen = Vec::new();
    let mut states = Vec::new();
    for page in 1..=11 {
        let listing = PageListing::of(&status, &exempt, Filter { page, ..Filter::default() });
        assert_eq!((listing.total, listing.matched, listing.pages, listing.filter.page), (1050, 1050, 11, page));
        assert_eq!(listing.shown.len(), if page == 11 { 50 } else { PAGE });
        seen.extend(listing.servers().into_iter().map(|server| server.id.to_string().parse::<i64>().unwrap()));
        states.extend(listing.shown.iter().map(|one| one.worst));
    }
    assert!(states.is_sorted(), "{states:?}");
    seen.sort_unstable();
    assert_eq!(seen, (1..=1050).collect::<Vec<i64>>());
    let beyond = PageListing::of(&status, &exempt, Filter { page: usize::MAX, ..Filter::default() });
    assert_eq!((beyond.filter.page, beyond.shown.len()), (11, 50));
}

#[test]
fn each_state_has_the_servers_that_are_in_it() {
    let (status, exempt) = many(400);
    let all = PageListing::of(&status, &exempt, Filter::default());
    for (state, count) in ServerCondition::ALL.into_iter().zip(all.counts) {
        let listing = PageListing::of(&status, &exempt, Filter { state: Some(state), ..Filter::default() });
        assert_eq!(listing.matched, count, "{state:?}");
        assert!(count > 0 && listing.shown.iter().all(|one| one.worst <= state), "{state:?}");
    }
}

#[test]
fn a_server_is_found_by_name_id_and_policy_in_any_case_and_script() {
    let (mut status, exempt) = many(20);
    status.policies.push(policy(server(77, "Çok-Güzel 名前"), "Weekly_X", PolicyState::Ok));
    let found = |text: &str| {
        let filter = Filter { text: text.to_owned(), ..Filter::default() };
        PageListing::of(&status, &exempt, filter).shown.iter().map(|one| one.server.id.to_string()).collect::<Vec<_>>()
    };
    for text in ["ÇOK", "güzel", "名前", "77", "weekly_x"] {
        assert_eq!(found(text), ["77"], "{text}");
    }
    assert_eq!(found("no such thing"), Vec::<String>::new());
    assert_eq!(found("").len(), 21);
}

#[test]
fn a_page_of_a_hundred_servers_with_two_policies_stays_small() {
    let (status, _) = many(10_000);
    assert!(status.policies.len() > 10_000 && status.at == at("2026-11-28T20:00:01Z"));
    let page = html(&overview(status, Filter::default()));
    assert!(page.len() < 200_000, "{} bytes", page.len());
}
