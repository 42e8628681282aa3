//! How valid files are read: inheritance, precedence, and where secrets, URL and state come from.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::config::secret::Secret;
use crate::policy::inventory::{Kind, Server, ServerId, ServerRef, ServerStatus};
use crate::policy::keep::{Count, KeepRule, Period};

const NIGHTLY: &str = "[policy.nightly]\nkind = \"backup\"\nservers = [\"web-*\", 7]\nschedule = \"30 2 * * *\"\n\
                       keep = { daily = 4 }\n";

fn at() -> Timestamp {
    "2026-11-21T06:00:00Z".parse().unwrap()
}

fn config_in(source: &str, environment: &Environment) -> Config {
    let (config, diagnostics) = parse(source, Path::new("/etc/lastgood"), environment, at());
    config.unwrap_or_else(|| panic!("{}", diagnostic::render(&diagnostics, source, "policy.toml", false)))
}

fn config(source: &str) -> Config {
    config_in(source, &Environment::default())
}

fn server(id: i64, keys: &[&str]) -> Server {
    let keys: Vec<String> = std::iter::once(id.to_string()).chain(keys.iter().map(|key| (*key).to_owned())).collect();
    let reference = ServerRef { id: ServerId::Number(id), name: keys[keys.len() - 1].clone() };
    Server { reference, keys, status: ServerStatus::Active }
}

fn expressions_of(config: &Config, server: &Server) -> Vec<String> {
    config.policies_for(server).iter().map(|policy| policy.schedule.expressions().join("|")).collect()
}

#[test]
fn of_several_tables_that_name_a_server_id_comes_before_uuid_name_and_hostname() {
    let keys = ["9d1c0000-0000-4000-8000-000000000001", "web-1", "web-1.example.com"];
    let server = server(7, &keys);
    let table = |key: &str, minute: u32| format!("[server.\"{key}\".nightly]\nschedule = \"{minute} 4 * * *\"\n");
    let mut source = NIGHTLY.to_owned();
    // From the weakest to the strongest: each one added takes over.
    for (minute, key) in [keys[2], keys[1], keys[0], "7"].into_iter().enumerate() {
        source.push_str(&table(key, u32::try_from(minute).unwrap()));
        assert_eq!(expressions_of(&config(&source), &server), [format!("{minute} 4 * * *")], "{key}");
    }
    assert_eq!(expressions_of(&config(&source), &self::server(8, &["web-2"])), ["30 2 * * *"]);
}

#[test]
fn a_table_does_not_add_its_server_to_the_policy() {
    let source = format!("{NIGHTLY}[server.db-1.nightly]\nkeep = {{ daily = 2 }}\n");
    let config = config(&source);
    let servers = [server(1, &["db-1"]), server(7, &["web-1"])];
    assert!(config.policies_for(&servers[0]).is_empty());
    let reported: Vec<String> = config.unmatched(&servers).iter().map(ToString::to_string).collect();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(reported[0].contains("[server.db-1.nightly]"), "{reported:?}");
}

#[test]
fn a_selector_that_matches_nothing_is_reported() {
    let reported = config(NIGHTLY).unmatched(&[server(7, &["db-1"])]);
    assert_eq!(
        reported.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["policy `nightly`: no server of the account matches `web-*`"]
    );
    assert!(config(NIGHTLY).unmatched(&[server(7, &["web-1"])]).is_empty());
}

#[test]
fn a_policy_of_one_server_applies_only_there() {
    let own = "[server.\"db-1.example.com\".hourly]\nkind = \"snapshot\"\nschedule = \"0 * * * *\"\n\
               keep = { last = 4 }\n";
    let config = config(own);
    let policies = config.policies_for(&server(3, &["db-1.example.com"]));
    assert_eq!(policies.len(), 1);
    assert_eq!((policies[0].name.as_str(), policies[0].kind), ("hourly", Kind::Snapshot));
    assert!(config.policies_for(&server(4, &["db-1"])).is_empty());
}

#[test]
fn an_excluded_server_has_no_policy_whatever_key_excludes_it() {
    let source = format!("{NIGHTLY}exclude = [\"web-test-*\", 9]\n");
    let config = config(&source);
    assert!(config.policies_for(&server(1, &["web-test-1"])).is_empty());
    assert!(config.policies_for(&server(9, &["web-3"])).is_empty());
    assert_eq!(config.policies_for(&server(2, &["web-3"])).len(), 1);
}

#[test]
fn a_key_is_taken_from_the_server_then_the_policy_then_the_defaults() {
    let source = format!(
        "[defaults]\nretries = 5\nsplay = \"1m\"\nmin_keep = 2\nkeep = {{ weekly = 9 }}\n\
         {NIGHTLY}splay = \"2m\"\n[server.web-1.nightly]\nkeep = {{ daily = 2, weekly = 1 }}\n"
    );
    let config = config(&source);
    let base = &config.policies[0];
    assert_eq!((base.retries, base.splay, base.min_keep), (5, Duration::from_secs(120), 2));
    assert_eq!(base.keep.counts, [(KeepRule::Daily, Count::Number(4))], "a key replaces the whole value");
    let here = &config.policies_for(&server(1, &["web-1"]))[0];
    assert_eq!(here.keep.counts, [(KeepRule::Daily, Count::Number(2)), (KeepRule::Weekly, Count::Number(1))]);
    assert_eq!((here.retries, here.splay), (5, Duration::from_secs(120)));
}

#[test]
fn policies_are_in_the_order_of_the_file() {
    let config = config(&format!("{}{NIGHTLY}", NIGHTLY.replace("nightly", "zweekly")));
    assert_eq!(config.policies.iter().map(|policy| policy.name.as_str()).collect::<Vec<_>>(), ["zweekly", "nightly"]);
}

#[test]
fn reports_inherit_the_zone_of_the_defaults_unless_they_have_their_own() {
    let config = config(&format!(
        "[defaults]\ntimezone = \"Europe/Istanbul\"\n{NIGHTLY}[smtp]\nhost = \"localhost\"\nfrom = \"a@example.com\"\n\
         [report.a]\nto = \"a@example.com\"\n[report.b]\nto = [\"b@example.com\"]\ntimezone = \"UTC\"\ndigest = \"@daily\"\n"
    ));
    let zones: Vec<_> = config.reports.iter().map(|report| report.timezone.iana_name()).collect();
    assert_eq!(zones, [Some("Europe/Istanbul"), Some("UTC")]);
    assert_eq!(config.policies[0].timezone.iana_name(), Some("Europe/Istanbul"));
    assert_eq!(config.reports[0].on, [ReportTrigger::Failure, ReportTrigger::Stale, ReportTrigger::Recovery].into());
    assert!(config.reports[1].on.is_empty(), "a digest has no `on` unless it is given");
}

#[test]
fn without_max_age_it_is_the_longest_gap_with_splay_and_stuck_after() {
    let hours = |source: &str| config(source).policies[0].max_age.as_secs() / 3600;
    assert_eq!(hours(NIGHTLY), 24 + 2);
    assert_eq!(hours(&format!("{NIGHTLY}splay = \"3h\"\nstuck_after = \"5h\"\n")), 24 + 3 + 5);
    assert_eq!(hours(&format!("{NIGHTLY}max_age = \"40h\"\n")), 40);
}

#[test]
fn the_state_folder_is_systemds_then_the_files() {
    let source = format!("[state]\ndir = \"state\"\n{NIGHTLY}");
    assert_eq!(config(&source).state_dir, Path::new("/etc/lastgood/state"));
    assert_eq!(config(&source).state_keep, Duration::from_hours(400 * 24), "the default");
    let short = source.replace("[state]", "[state]\nkeep = \"30d\"");
    assert_eq!(config(&short).state_keep, Duration::from_hours(30 * 24));
    let systemd = Environment { state_directory: Some("/run/sd".into()), ..Environment::default() };
    assert_eq!(config_in(&source, &systemd).state_dir, Path::new("/run/sd"));
}

#[test]
fn the_token_is_the_files_then_the_credential_then_the_variable() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("vps-api-token"), "of-credential\n").unwrap();
    let variable = Environment { api_token: Some(Secret::new("of-variable")), ..Environment::default() };
    let both = Environment { credentials: Some(folder.path().to_owned()), ..variable.clone() };
    let read = |source: &str, environment| config_in(source, environment).provider.token.read();
    let named = format!("[provider]\ntoken_file = \"/nowhere/token\"\n{NIGHTLY}");
    let error = read(&named, &both).unwrap_err().to_string();
    assert!(error.contains("provider.token_file names /nowhere/token"), "{error}");
    assert_eq!(read(NIGHTLY, &both).unwrap().expose(), "of-credential");
    assert_eq!(read(NIGHTLY, &variable).unwrap().expose(), "of-variable");
    assert!(matches!(read(NIGHTLY, &Environment::default()), Err(SecretError::Missing(_))));
}

#[test]
fn the_variable_overrides_the_url_and_follows_the_same_rules() {
    let of = |url: &str| Environment { api_url: Some(url.to_owned()), ..Environment::default() };
    let source = format!("[provider]\nurl = \"https://one.example.com/api\"\n{NIGHTLY}");
    assert_eq!(config(&source).provider.url, "https://one.example.com/api");
    assert_eq!(config_in(&source, &of("http://127.0.0.1:8080/api/v1/")).provider.url, "http://127.0.0.1:8080/api/v1");
    let (refused, reported) = parse(&source, Path::new(""), &of("http://example.com"), at());
    assert!(refused.is_none());
    assert!(reported[0].message.contains("VPS_API_URL would send the token in the clear"), "{reported:?}");
}

#[test]
fn durations_are_whole_numbers_with_a_unit() {
    for (text, milliseconds) in [("50ms", 50), ("90s", 90_000), ("30m", 1_800_000), ("26h", 93_600_000), ("0s", 0)] {
        assert_eq!(duration::duration(text).unwrap(), Duration::from_millis(milliseconds), "{text}");
    }
    for text in ["", "s", "5", "-5s", "1.5h", "5 s", "5S", "1h30m", "99999999999999999999s", "11000d", "５s"] {
        assert!(duration::duration(text).is_err(), "{text}");
    }
}

#[test]
fn within_counts_whole_days_by_the_calendar() {
    let within = |text: &str| {
        let source = NIGHTLY.replace("daily = 4", &format!("within = \"{text}\""));
        config(&source).policies[0].keep.within.unwrap()
    };
    assert_eq!(within("3d"), Period { days: 3, ..Period::default() });
    assert_eq!(within("36h"), Period { seconds: 129_600, ..Period::default() });
}

#[test]
fn a_token_file_that_others_can_read_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, token) = (folder.path().join("policy.toml"), folder.path().join("token"));
    fs::write(&policy, format!("[provider]\ntoken_file = \"token\"\n{NIGHTLY}")).unwrap();
    fs::write(&token, "abc").unwrap();
    let reported = |mode: u32| {
        fs::set_permissions(&token, fs::Permissions::from_mode(mode)).unwrap();
        let loaded = load(&FileLocation::named(&policy), &Environment::default(), at()).unwrap();
        loaded.warnings.into_iter().filter(|one| one.message.contains("others can read")).collect::<Vec<_>>()
    };
    assert!(reported(0o600).is_empty());
    let warnings = reported(0o644);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].message.contains("(mode 644)") && !warnings[0].is_error(), "{warnings:?}");
    assert_eq!(warnings[0].help, Some(format!("chmod 600 {}", token.display())));
}

#[test]
fn a_server_that_two_patterns_overfill_is_found_with_the_account_at_hand() {
    let source = NIGHTLY.replace("daily = 4", "daily = 6").replace(", 7", "");
    let other = source.replace("nightly", "second").replace("web-*", "*-1");
    let config = config(&format!("{source}{other}"));
    let over = config.overfilled(&[server(1, &["web-1"]), server(2, &["web-2"])], at());
    assert_eq!(over.len(), 1);
    let text = over[0].to_string();
    assert!(text.contains("web-1") && text.contains("nightly 6 + second 6 + reserve 0 = 12 > 10 backups"), "{text}");
}

fn is_accepted_or_reported(source: &str) -> bool {
    let (config, diagnostics) = parse(source, &PathBuf::from("/x"), &Environment::default(), at());
    let drawn = diagnostic::render(&diagnostics, source, "policy.toml", false);
    config.is_some() || (diagnostics.iter().any(Diagnostic::is_error) && drawn.contains("error"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_accepted_or_reported(source in "(\\PC|[\\[\\]{}=\"'#.,\n\r\t*0-9a-z]){0,200}") {
        prop_assert!(is_accepted_or_reported(&source));
    }

    #[test]
    fn a_damaged_file_is_accepted_or_reported(from in 0_usize..3000, length in 0_usize..40, with in "\\PC{0,8}") {
        let good = include_str!("../../config/example.toml");
        let start = (0..=from.min(good.len())).rev().find(|at| good.is_char_boundary(*at)).unwrap_or(0);
        let end = (start + length..=good.len()).find(|at| good.is_char_boundary(*at)).unwrap_or(good.len());
        let damaged = format!("{}{with}{}", &good[..start], &good[end..]);
        prop_assert!(is_accepted_or_reported(&damaged));
    }
}
