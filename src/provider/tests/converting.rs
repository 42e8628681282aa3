//! Conversion of the provider's objects: tolerant, and without a panic on any JSON.

use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::server;
use crate::policy::inventory::{Kind, PointId, PointStatus, Server, ServerId, ServerRef, ServerStatus};
use crate::policy::text::{LONGEST, cleaned, misleads};
use crate::provider::api_object::ApiObject;
use crate::provider::convert::{self, Belongs, ListedPoint};
use crate::provider::page;
use crate::provider::text::Masks;
use crate::provider::wire::Scalar;

fn fields(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn masks() -> Masks {
    Masks::new(&SecretString::from(super::TOKEN))
}

fn read_server(value: Value) -> Result<Server, String> {
    convert::server(&ApiObject::of(&fields(value)), &masks())
}

fn point(kind: Kind, changes: Value) -> ListedPoint {
    let mut all = fields(json!({"id": 501, "server": {"id": 7, "name": "web-7"}, "status": "completed",
        "created_at": "2025-01-16T03:00:00Z"}));
    all.extend(fields(changes));
    convert::point(kind, &ApiObject::of(&all), &masks()).unwrap()
}

#[test]
fn the_documented_examples_are_read() {
    let backup =
        ApiObject::of(&fields(json!({"id":501,"server":{"id":12345,"name":"web-server-01"},"backup_type":"automatic",
        "status":"completed","size_mb":4523,"created_at":"2025-01-16T03:00:00Z","expires_at":"2025-02-16T03:00:00Z",
        "description":"Automatic daily backup"})));
    let read = convert::point(Kind::Backup, &backup, &masks()).unwrap().point;
    assert!(read.automatic);
    assert_eq!((read.size_mb, read.name), (Some(4523), None));
    assert_eq!(read.expires_at.unwrap().to_string(), "2025-02-16T03:00:00Z");
    let snapshot = ApiObject::of(&fields(
        json!({"id":801,"server":{"id":12345,"name":"web-server-01"},"name":"pre-migration-snapshot",
        "status":"completed","size_mb":5120,"created_at":"2025-01-15T18:30:00Z","description":"Before"}),
    ));
    let read = convert::point(Kind::Snapshot, &snapshot, &masks()).unwrap().point;
    assert_eq!(read.name.as_deref(), Some("pre-migration-snapshot"));
    assert_eq!(read.server, ServerRef { id: ServerId::Number(12345), name: "web-server-01".to_owned() });
}

#[test]
fn ids_keep_the_type_that_the_provider_gave_them() {
    for (given, id) in [
        (json!(501), Some(PointId::Number(501))),
        (json!("501"), Some(PointId::Text("501".to_owned()))),
        (json!("7f0c-11"), Some(PointId::Text("7f0c-11".to_owned()))),
        (json!(""), None),
        (json!("  "), None),
        (json!(1.0), None),
        (json!(u64::MAX), None),
        (json!(null), None),
        (json!([1]), None),
    ] {
        let entry = ApiObject::of(&fields(json!({ "id": given })));
        assert_eq!(convert::point_id(&entry, &masks()), id, "{given}");
    }
}

#[test]
fn a_point_that_has_a_uuid_in_place_of_an_id_is_known_by_it() {
    let uuid = || PointId::Text("7f0c-11".to_owned());
    assert_eq!(point(Kind::Backup, json!({"id": null, "uuid": "7f0c-11"})).point.id, uuid());
    assert_eq!(point(Kind::Backup, json!({"uuid": "7f0c-11"})).point.id, PointId::Number(501));
}

#[test]
fn times_may_carry_fractions_and_offsets() {
    for (given, time) in [
        ("2025-01-16T03:00:00Z", Some("2025-01-16T03:00:00Z")),
        ("2025-01-16T03:00:00.123456Z", Some("2025-01-16T03:00:00.123456Z")),
        ("2025-01-16T06:00:00+03:00", Some("2025-01-16T03:00:00Z")),
        ("2025-01-16T03:00:00+00:00", Some("2025-01-16T03:00:00Z")),
        ("2025-01-16T03:00:00", None),
        ("2025-01-16", None),
        ("soon", None),
    ] {
        let read = Scalar::from(&json!(given)).time().map(|time| time.to_string());
        assert_eq!(read.as_deref(), time, "{given}");
    }
}

#[test]
fn only_documented_status_words_mean_something() {
    for (word, status) in [
        ("completed", PointStatus::Completed),
        (" Completed ", PointStatus::Completed),
        ("in_progress", PointStatus::InProgress),
        ("FAILED", PointStatus::Failed),
        ("available", PointStatus::Other("available".to_owned())),
        ("error", PointStatus::Other("error".to_owned())),
        ("deleting", PointStatus::Other("deleting".to_owned())),
    ] {
        assert_eq!(point(Kind::Backup, json!({"status": word})).point.status, status, "{word}");
    }
}

#[test]
fn a_backup_without_a_type_is_automatic_when_it_expires_by_itself() {
    for (changes, automatic) in [
        (json!({"backup_type": "manual"}), false),
        (json!({"backup_type": "Manual "}), false),
        (json!({"backup_type": "manual", "expires_at": "2027-01-01T00:00:00Z"}), false),
        (json!({"backup_type": "scheduled"}), true),
        (json!({}), false),
        (json!({"backup_type": null, "expires_at": null}), false),
        (json!({"expires_at": "2027-01-01T00:00:00Z"}), true),
        (json!({"expires_at": "whenever"}), true),
    ] {
        assert_eq!(point(Kind::Backup, changes.clone()).point.automatic, automatic, "{changes}");
        assert!(!point(Kind::Snapshot, changes).point.automatic, "a snapshot takes a slot whatever it says");
    }
}

#[test]
fn sizes_and_descriptions_of_any_kind_do_no_harm() {
    for (given, size) in [
        (json!(4523), Some(4523)),
        (json!(4523.9), Some(4523)),
        (json!("12"), Some(12)),
        (json!(-1), None),
        (json!(1e300), None),
        (json!("big"), None),
        (json!(null), None),
        (json!({}), None),
    ] {
        assert_eq!(point(Kind::Backup, json!({"size_mb": given})).point.size_mb, size);
    }
    assert_eq!(point(Kind::Backup, json!({"description": null})).point.description, "");
    assert_eq!(point(Kind::Backup, json!({"description": " lg-x "})).point.description, " lg-x ");
}

#[test]
fn a_server_shows_its_id_and_name_and_is_found_by_all_its_keys() {
    let both = json!({"id": 7, "uuid": "7f0c", "name": "web", "hostname": "web.example.com", "status": "Running"});
    let both = read_server(both).unwrap();
    assert_eq!(both.reference, ServerRef { id: ServerId::Number(7), name: "web".to_owned() });
    assert_eq!(both.keys, ["7", "7f0c", "web", "web.example.com"]);
    assert_eq!(both.status, ServerStatus::Active);
    let bare = read_server(json!({"uuid": "7f0c", "id": null, "name": ""})).unwrap();
    assert_eq!(bare.reference, ServerRef { id: ServerId::Text("7f0c".to_owned()), name: "7f0c".to_owned() });
    assert_eq!(bare.status, ServerStatus::Other("unknown".to_owned()));
    assert!(read_server(json!({"name": "web"})).is_err());
}

fn uuid_server() -> Server {
    Server {
        reference: ServerRef { id: ServerId::Text("7f0c".to_owned()), name: "web".to_owned() },
        keys: vec!["7f0c".to_owned(), "web".to_owned()],
        status: ServerStatus::Active,
    }
}

#[test]
fn a_point_belongs_to_a_server_by_id_and_by_name_only_where_ids_cannot_be_compared() {
    let both =
        Server { keys: ["7", "7f0c", "web-7", "web.example.com"].map(str::to_owned).to_vec(), ..server(7, "web-7") };
    for (asked, named, belongs) in [
        (server(7, "web-7"), json!({"id": 7, "name": "web-7"}), Belongs::Yes),
        (server(7, "web-7"), json!({"id": 7, "name": "renamed"}), Belongs::Yes),
        (server(7, "web-7"), json!({"id": 8, "name": "web-7"}), Belongs::No),
        (server(7, "web-7"), json!({"id": "7"}), Belongs::Yes),
        (server(7, "web-7"), json!({"id": "8", "name": "web-7"}), Belongs::No),
        (server(7, "web-7"), json!(7), Belongs::Yes),
        (server(7, "web-7"), json!(8), Belongs::No),
        (server(7, "web-7"), json!("web-7"), Belongs::ByNameAlone),
        (server(7, "web-7"), json!({"name": "web-7"}), Belongs::ByNameAlone),
        (server(7, "web-7"), json!({"uuid": "7f0c", "hostname": "web-7"}), Belongs::ByNameAlone),
        (server(7, "web-7"), json!({"uuid": "7f0c", "hostname": "other"}), Belongs::No),
        (uuid_server(), json!({"uuid": "7f0c", "hostname": "web"}), Belongs::Yes),
        (uuid_server(), json!({"uuid": "other", "hostname": "web"}), Belongs::No),
        (uuid_server(), json!({"id": "7f0c", "name": "web"}), Belongs::Yes),
        (uuid_server(), json!({"id": "other", "name": "web"}), Belongs::No),
        (uuid_server(), json!({"id": 7, "name": "web"}), Belongs::ByNameAlone),
        (uuid_server(), json!("7f0c"), Belongs::Yes),
        (uuid_server(), json!("web"), Belongs::ByNameAlone),
        (uuid_server(), json!("other"), Belongs::No),
        (both.clone(), json!({"uuid": "7f0c"}), Belongs::Yes),
        (both.clone(), json!({"uuid": "7f0c", "hostname": "x"}), Belongs::Yes),
        (both, json!({"id": 8, "uuid": "7f0c"}), Belongs::No),
    ] {
        let listed = point(Kind::Backup, json!({"server": named}));
        assert_eq!(listed.named.belongs_to(&asked), belongs, "{} against {:?}", named, asked.reference);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,12})?(Z|[+-][0-9]{2}:[0-9]{2})"
            .prop_map(Value::from),
        "<[a-zA-Z]{0,6}>?.{0,20}</?[a-z]{0,6}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "id",
            "uuid",
            "name",
            "hostname",
            "server",
            "server_id",
            "status",
            "created_at",
            "expires_at",
            "size_mb",
            "backup_type",
            "description",
            "count",
            "next",
            "results",
            "detail",
            "errors",
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
    ];
    leaf.prop_recursive(4, 48, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..12)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn is_clean(text: &str) -> bool {
    text.chars().count() <= LONGEST && !text.chars().any(misleads) && !text.contains(super::TOKEN)
}

#[test]
fn names_words_and_descriptions_are_cleaned_where_they_come_in() {
    let evil =
        format!("a\u{1b}[2Jb\r\nERROR x\u{202e}\u{200b}\u{2028}\u{e0041} {} {}", super::TOKEN, "x".repeat(5_000_000));
    let read = point(
        Kind::Snapshot,
        json!({"name": evil, "description": evil, "status": evil,
        "server": {"id": 7, "name": evil}}),
    );
    let PointStatus::Other(status) = &read.point.status else { panic!("{:?}", read.point.status) };
    for text in [read.point.name.as_ref().unwrap(), &read.point.description, status, &read.point.server.name] {
        assert!(is_clean(text), "{text}");
        assert!(text.starts_with("a\\u{1b}[2Jb\\r\\nERROR x\\u{202e}") && text.contains("[token] xxx"), "{text}");
    }
    let server = read_server(json!({"id": 7, "name": evil, "hostname": evil, "status": evil})).unwrap();
    assert!(server.keys.iter().all(|key| is_clean(key)) && is_clean(&server.reference.name), "{server:?}");
    assert!(is_clean(&server.status.to_string()));
    assert_eq!(point(Kind::Snapshot, json!({"name": evil})).point, point(Kind::Snapshot, json!({"name": evil})).point);
}

#[test]
fn an_id_that_cleaning_would_change_is_unreadable() {
    for evil in ["a\u{1b}[2J", "a\nb", "a\u{200b}b", "a\u{202e}b", &"x".repeat(257), &format!("x{}", super::TOKEN)] {
        let mut entry = fields(json!({"id": evil, "server": {"id": 7}, "status": "completed",
            "created_at": "2025-01-16T03:00:00Z"}));
        let why = convert::point(Kind::Backup, &ApiObject::of(&entry), &masks()).unwrap_err();
        assert_eq!(why, "it has no readable id");
        entry["id"] = json!(5);
        entry["server"] = json!({"id": evil});
        let why = convert::point(Kind::Backup, &ApiObject::of(&entry), &masks()).unwrap_err();
        assert_eq!(why, "backup 5 has no readable server");
        for field in ["id", "uuid"] {
            let listed = ApiObject::of(&fields(json!({(field): evil, "name": "web"})));
            let why = convert::listed_server(&listed, &masks()).unwrap_err();
            assert!(why.starts_with("the entry of server web cannot be read: its "), "{why}");
        }
    }
}

proptest! {
    #[test]
    fn no_json_makes_the_conversion_panic(value in any_json()) {
        prop_assert!(is_clean(&masks().words(value.to_string().as_bytes())));
        if let Some(fields) = value.as_object() {
            let entry = ApiObject::of(fields);
            for kind in Kind::ALL {
                if let Ok(listed) = convert::point(kind, &entry, &masks()) {
                    prop_assert!(is_clean(&listed.point.id.to_string()));
                    prop_assert!(is_clean(&listed.point.description));
                    listed.named.belongs_to(&uuid_server());
                    listed.named.belongs_to(&server(7, "web-7"));
                }
            }
            if let Ok(server) = convert::server(&entry, &masks()) {
                prop_assert!(server.keys.contains(&server.reference.id.to_string()));
                prop_assert!(server.keys.iter().all(|key| is_clean(key)));
            }
        }
        let mut read = Vec::new();
        let body = value.to_string();
        // A fraction may read back as its neighbour.
        let value: Value = serde_json::from_str(&body).unwrap();
        let page = page::read(body.as_bytes(), false, &mut |element| {
            read.push(element);
            Ok(())
        });
        let results = if value.is_array() { Some(&value) } else { value.get("results") };
        let results = results.and_then(Value::as_array);
        prop_assert_eq!(page.is_ok(), results.is_some());
        let of = |value: &Value| value.as_object().map(ApiObject::of);
        let expected: Vec<_> = results.into_iter().flatten().map(of).collect();
        prop_assert_eq!(read.into_iter().map(|it| it.map(|(entry, _)| entry)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn no_bytes_make_the_words_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), html in "<.{0,80}>.{0,80}") {
        for words in [masks().words(&bytes), masks().words(html.as_bytes())] {
            prop_assert!(is_clean(&words), "{words:?}");
        }
    }

    #[test]
    fn cleaning_any_text_twice_changes_nothing(text in "\\PC{0,40}.{0,300}") {
        let once = masks().clean(&text);
        prop_assert!(is_clean(&once));
        prop_assert_eq!(masks().clean(&once), once.clone());
        prop_assert_eq!(cleaned(&once), once);
    }

    #[test]
    fn a_servers_own_points_are_always_its_own(id in any::<i64>(), uuid in "[0-9a-f]{8}", name in "[a-z]{1,8}") {
        let both = json!({"id": id, "uuid": uuid, "name": name, "hostname": name});
        let read = read_server(both.clone()).unwrap();
        for named in [both, json!({"id": id}), json!(id), json!({"uuid": uuid}), json!({"id": uuid, "name": "x"})] {
            let belongs = point(Kind::Snapshot, json!({"server": named})).named.belongs_to(&read);
            let numeric = named.get("id") == Some(&json!(uuid)) && uuid.parse::<i64>().is_ok();
            prop_assert!(belongs == Belongs::Yes || numeric || uuid == name, "{named} {belongs:?}");
        }
    }
}
