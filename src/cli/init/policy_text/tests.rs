//! Whatever the account holds, the text is a valid policy file that says what was answered.

use std::path::Path;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::cli::init::answers::TimeOfDay;
use crate::config::{Config, Environment, parse};
use crate::policy::inventory::{Kind, Server, ServerRef, ServerStatus};

fn answers(servers: Vec<ChosenServer>) -> Answers {
    Answers {
        account: "me@example.com".to_owned(),
        url: None,
        token: TokenLine::File("token".to_owned()),
        kind: Kind::Backup,
        slots: 10,
        servers,
        at: TimeOfDay { hour: 2, minute: 30 },
        timezone: "Europe/Istanbul".to_owned(),
        keep: KeepAnswer::Fitting,
        mail: None,
    }
}

fn server(id: ServerId, name: &str, taken: u32) -> ChosenServer {
    ChosenServer { reference: ServerRef { id, name: name.to_owned() }, taken }
}

#[track_caller]
fn read(text: &str) -> Config {
    let at: Timestamp = "2026-11-21T06:00:00Z".parse().unwrap();
    let (config, diagnostics) = parse(text, Path::new(""), &Environment::default(), at);
    config.unwrap_or_else(|| panic!("{diagnostics:#?} in\n{text}"))
}

#[test]
fn the_whole_file() {
    let servers = vec![
        server(ServerId::Number(12345), "web-server-01", 0),
        server(ServerId::Number(12346), "db", 6),
        server(ServerId::Text("7f0c".to_owned()), "mail", 1),
    ];
    let mail = MailAnswer {
        to: vec!["oncall@example.com".to_owned()],
        from: "lastgood <lastgood@example.com>".to_owned(),
        host: "smtp.example.com".to_owned(),
    };
    let text = policy_text(&Answers { mail: Some(mail), ..answers(servers) });
    read(&text);
    let wanted = r#"# Written by `lastgood init` for the account me@example.com.
# `lastgood check` shows what it means; docs/policy.md explains every key.

[provider]
token_file = "token"             # the API token and nothing else; chmod 600

[policy.daily]
kind = "backup"                  # backup (separate storage) | snapshot (quick, same storage)
servers = [                      # "*" would be every server, also those to come
    12345,                       # web-server-01
    12346,                       # db
    "7f0c",                      # mail
]
schedule = "30 2 * * *"          # every day at 02:30 in this zone
timezone = "Europe/Istanbul"
keep = { daily = 4, weekly = 3 } # 7 of the 10 backups that a server may have

# db: other points take 6 of its 10 slots.
[server.12346.daily]
keep = { daily = 2, weekly = 1 }

[smtp]
host = "smtp.example.com"
# username = "lastgood"            # if the mail server asks for a login
# password_file = "smtp-password"
from = "lastgood <lastgood@example.com>"

[report.oncall]
to = ["oncall@example.com"]
"#;
    assert_eq!(text, wanted);
}

#[test]
fn rules_fit_the_slots_beside_the_points_of_others() {
    for kind_slots in [10, 5, 1, 0] {
        for taken in 0..=12 {
            let points = fitting(kind_slots, taken);
            assert!((1..=MOST_KEPT).contains(&points));
            assert!(is_crowded(kind_slots, taken) || points + taken < kind_slots, "{kind_slots} {taken}");
        }
    }
    assert_eq!(rules(7), "daily = 4, weekly = 3");
    assert_eq!(rules(4), "daily = 3, weekly = 1");
    assert_eq!(rules(1), "daily = 1");
}

#[test]
fn an_account_without_servers_gets_a_policy_for_those_to_come() {
    let config = read(&policy_text(&answers(Vec::new())));
    assert_eq!(config.policies[0].servers[0].to_string(), "*");
}

#[test]
fn in_the_folder_of_the_service_no_token_file_is_named() {
    let text = policy_text(&Answers { token: TokenLine::Credential, ..answers(Vec::new()) });
    assert!(!text.contains("token_file"), "{text}");
    read(&text);
}

#[test]
fn a_name_cannot_leave_its_comment() {
    for name in ["web\nkind = \"snapshot\"", "a\r[state]", "b\u{2028}c", "d\u{1b}[2J\0", "\u{202e}e", "#]}\"'\\"] {
        let text = policy_text(&answers(vec![server(ServerId::Number(7), name, 9)]));
        assert!(text.lines().all(|line| !line.chars().any(crate::policy::text::misleads)), "{text:?}");
        assert_eq!(read(&text).policies[0].kind, Kind::Backup, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Names, ids and the account's address are the provider's: any text must give a file that selects those servers.
    #[test]
    fn any_text_of_the_provider_gives_a_file_that_selects_its_servers(
        account in any::<String>(),
        listed in proptest::collection::vec((any::<String>(), "[^*?]{1,12}", any::<bool>(), 0_u32..12), 1..6),
    ) {
        let mut servers = Vec::new();
        for (number, (name, text, numeric, taken)) in (1..).zip(listed) {
            let id = if numeric || text.trim().is_empty() { ServerId::Number(number) } else { ServerId::Text(format!("{text}{number}")) };
            servers.push(server(id, &name, taken));
        }
        let config = read(&policy_text(&Answers { account, ..answers(servers.clone()) }));
        for chosen in &servers {
            let keys = vec![chosen.reference.id.to_string()];
            let server = Server { reference: chosen.reference.clone(), keys, status: ServerStatus::Active };
            let policies = config.policies_for(&server);
            prop_assert_eq!(policies.len(), 1);
            let kept: u32 = policies[0].keep.counts.iter().map(|(_, count)| match count {
                crate::policy::keep::Count::Number(number) => *number,
                crate::policy::keep::Count::All => u32::MAX,
            }).sum();
            prop_assert!(kept <= fitting(10, chosen.taken));
        }
    }
}
