//! A JSON Schema (2020-12) of the policy file, for editors: made from the same table of keys as the reader.
//!
//! The schema refuses nothing that the reader accepts, except a time zone in other letter case. It cannot compare
//! tables with each other: sums of slots, names of reports and former names are the reader's alone.

use serde_json::{Map, Value, json};

use crate::config::key_spec::DefaultValue::{Depends, Is, Required};
use crate::config::key_spec::{KeySpec, TableSpec, TextForm, ValueKind};
use crate::config::keys::{FILE_KEYS, KEEP, POLICY, SMTP, STATUS, TABLES};

const NAME: &str = "^[A-Za-z0-9_-]{1,32}$";
const FILLED: &str = r"\S";
/// At most ten years, roughly: the reader knows exactly.
const DURATION: &str = "^0*(?:[0-9]{1,12}ms|[0-9]{1,9}s|[0-9]{1,7}m|[0-9]{1,5}h|[0-9]{1,4}d|[0-9]{1,3}w)$";
const ABOVE_ZERO: &str = "^0*[1-9]";
const SCHEDULE: &str =
    r"^\s*(?:@(?:[Yy][Ee][Aa][Rr]|[Aa][Nn]|[Mm]|[Ww]|[Dd]|[Hh])[A-Za-z]*|[^\s@]\S*(?:\s+\S+){4,5})\s*$";
const PROVIDER_URL: &str = r"^\s*(?:[Hh][Tt][Tt][Pp][Ss]://[^@?#]+|[Hh][Tt][Tt][Pp]://(?:[Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]|127\.|\[)[^@?#]*)$";
const MAIL_ADDRESS: &str = r"^[^\x00-\x1f\x7f]+@[^\x00-\x1f\x7f]+$";
const HOST_NAME: &str = r"^[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*$";
const SOCKET_ADDRESS: &str = r"^(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.%]+\]):0*(?:[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$";
const LOOPBACK_SOCKET: &str = r"^(?:127\.|\[[0:]*:0*1\]:|\[[0:]*:[Ff]{4}:(?:127\.|7[Ff]))";
const LOOPBACK_HOST: &str = r"^(?:[Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]|\[*127\.[0-9.]+\]*|\[*[0:]*:0*1\]*)$";

/// The schema.
#[must_use]
pub(crate) fn schema() -> Value {
    let mut schema = Map::from_iter([
        ("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema")),
        ("title".to_owned(), json!("The policy file of lastgood")),
    ]);
    schema.extend(table(&FILE_KEYS));
    let mut definitions: Map<String, Value> =
        TABLES.iter().skip(1).map(|spec| (name_of(spec).to_owned(), Value::Object(table(spec)))).collect();
    definitions.insert(
        "policy-of-one-server".to_owned(),
        json!({ "allOf": [reference_to(&POLICY)], "properties": { "servers": false, "exclude": false } }),
    );
    definitions.insert("duration".to_owned(), json!({ "type": "string", "pattern": DURATION }));
    let zones: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
    definitions.insert("time-zone".to_owned(), json!({ "type": "string", "enum": zones }));
    schema.insert("$defs".to_owned(), Value::Object(definitions));
    Value::Object(schema)
}

/// `policy` for `[policy.NAME]`.
fn name_of(spec: &TableSpec) -> &'static str {
    spec.heading.trim_matches(['[', ']']).trim_end_matches(".NAME")
}

fn reference_to(spec: &TableSpec) -> Value {
    json!({ "$ref": format!("#/$defs/{}", name_of(spec)) })
}

/// The table with its keys, and the rules among them.
fn table(spec: &'static TableSpec) -> Map<String, Value> {
    let keys: Map<String, Value> = spec.keys.iter().map(|key| (key.name.to_owned(), property(spec, key))).collect();
    let mut table = Map::from_iter([
        ("type".to_owned(), json!("object")),
        ("properties".to_owned(), Value::Object(keys)),
        ("additionalProperties".to_owned(), json!(false)),
    ]);
    // A policy may inherit what it needs: `policies_are_complete` looks at both tables.
    let required: Vec<&str> = required_keys(spec).filter(|_| !is(spec, &POLICY)).collect();
    if !required.is_empty() {
        table.insert("required".to_owned(), json!(required));
    }
    let rules = rules_among_keys(spec);
    if !rules.is_empty() {
        table.insert("allOf".to_owned(), Value::Array(rules));
    }
    table
}

fn is(spec: &TableSpec, other: &TableSpec) -> bool {
    std::ptr::eq(spec, other)
}

fn required_keys(spec: &TableSpec) -> impl Iterator<Item = &'static str> {
    spec.keys.iter().filter(|key| matches!(key.default, Required)).map(|key| key.name)
}

fn property(spec: &TableSpec, key: &KeySpec) -> Value {
    let mut property = match value(&key.takes) {
        Value::Object(property) => property,
        other => return other,
    };
    let description = match key.default {
        Depends(words) => format!("{}; default: {words}", key.words),
        _ => key.words.to_owned(),
    };
    property.insert("description".to_owned(), json!(description));
    if let Is(text) = key.default {
        // Numbers and flags are JSON as they are, strings are in quotes.
        property.insert("default".to_owned(), serde_json::from_str(text).unwrap_or_else(|_| json!(text)));
    }
    if matches!((&key.takes, &key.default), (ValueKind::Texts(_), Required)) && !is(spec, &POLICY) {
        property.insert("minItems".to_owned(), json!(1));
    }
    Value::Object(property)
}

/// What a key takes.
fn value(takes: &ValueKind) -> Value {
    match takes {
        ValueKind::Text(form) => text(*form),
        ValueKind::Texts(form) => one_or_more(text(*form), *form == TextForm::Schedule),
        ValueKind::Duration => json!({ "$ref": "#/$defs/duration" }),
        ValueKind::DurationAboveZero => json!({ "allOf": [{ "$ref": "#/$defs/duration" }], "pattern": ABOVE_ZERO }),
        ValueKind::DurationOfDays => json!({ "allOf": [{ "$ref": "#/$defs/duration" }], "pattern": a_day_or_more() }),
        ValueKind::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        ValueKind::Flag => json!({ "type": "boolean" }),
        ValueKind::Choice(words) => json!({ "type": "string", "enum": words }),
        ValueKind::Choices(words) => one_or_more(json!({ "type": "string", "enum": words }), false),
        ValueKind::Table(spec) => reference_to(spec),
        ValueKind::Named(spec) => named(reference_to(spec)),
        ValueKind::OfServers(_) => {
            let of_one = named(json!({ "$ref": "#/$defs/policy-of-one-server" }));
            json!({ "type": "object", "additionalProperties": of_one })
        }
    }
}

fn named(tables: Value) -> Value {
    json!({ "type": "object", "propertyNames": { "pattern": NAME }, "additionalProperties": tables })
}

fn one_or_more(one: Value, at_least_one: bool) -> Value {
    let mut list = json!({ "type": "array", "items": one });
    if at_least_one {
        list["minItems"] = json!(1);
    }
    json!({ "anyOf": [one, list] })
}

fn text(form: TextForm) -> Value {
    let like = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    match form {
        TextForm::Name => like(NAME),
        TextForm::Server => json!({ "type": ["string", "integer"], "pattern": FILLED }),
        TextForm::ReportName | TextForm::Pattern => json!({ "type": "string" }),
        TextForm::Schedule => like(SCHEDULE),
        TextForm::Zone => json!({ "$ref": "#/$defs/time-zone" }),
        TextForm::Path | TextForm::MailHost | TextForm::Filled => like(FILLED),
        TextForm::SecretFile => json!({ "type": "string", "pattern": FILLED, "not": { "pattern": "vps_" } }),
        TextForm::ProviderUrl => like(PROVIDER_URL),
        TextForm::MailAddress => like(MAIL_ADDRESS),
        TextForm::HostName => like(HOST_NAME),
        TextForm::SocketAddress => like(SOCKET_ADDRESS),
    }
}

fn a_day_or_more() -> String {
    let unit = |least: u64, unit: &str| format!("{}{unit}", at_least(least));
    let hours = 24;
    let units = [
        unit(1, "[dw]"),
        unit(hours, "h"),
        unit(hours * 60, "m"),
        unit(hours * 3600, "s"),
        unit(hours * 3_600_000, "ms"),
    ];
    format!("^0*(?:{})$", units.join("|"))
}

/// A pattern of the numbers from `least` up, without leading zeros.
fn at_least(least: u64) -> String {
    let digits = least.to_string();
    let mut choices = vec![digits.clone(), format!("[1-9][0-9]{{{},}}", digits.len())];
    for (at, digit) in digits.bytes().enumerate().filter(|(_, digit)| *digit < b'9') {
        let (above, rest) = (char::from(digit + 1), digits.len() - at - 1);
        choices.push(format!("{}[{above}-9][0-9]{{{rest}}}", &digits[..at]));
    }
    format!("(?:{})", choices.join("|"))
}

/// Rules of a table that are about several keys.
fn rules_among_keys(spec: &TableSpec) -> Vec<Value> {
    if is(spec, &FILE_KEYS) {
        return [vec![has_a_policy(), reports_need_smtp()], policies_are_complete()].concat();
    }
    if is(spec, &KEEP) {
        return vec![keeps_something()];
    }
    if is(spec, &SMTP) {
        return smtp_fits_its_transport();
    }
    if is(spec, &STATUS) {
        let local = json!({ "properties": { "listen": { "pattern": LOOPBACK_SOCKET } } });
        return vec![json!({ "if": has("allow_remote", true), "else": local })];
    }
    Vec::new()
}

/// The condition that a key has this value.
fn has(key: &str, value: impl Into<Value>) -> Value {
    json!({ "required": [key], "properties": { key: { "const": value.into() } } })
}

fn has_a_policy() -> Value {
    json!({ "anyOf": [{ "required": ["policy"] }, { "required": ["server"] }] })
}

fn reports_need_smtp() -> Value {
    let reports = json!({ "required": ["report"], "properties": { "report": { "minProperties": 1 } } });
    json!({ "if": reports, "then": { "required": ["smtp"] } })
}

fn every_policy(rule: Value) -> Value {
    json!({ "properties": { "policy": { "additionalProperties": rule } } })
}

fn in_defaults(condition: Value) -> Value {
    json!({ "required": ["defaults"], "properties": { "defaults": condition } })
}

/// Each policy has every required key, by itself or by `[defaults]`.
fn policies_are_complete() -> Vec<Value> {
    let required = |key: &str| json!({ "required": [key] });
    let mut rules: Vec<Value> = required_keys(&POLICY)
        .map(|key| json!({ "if": in_defaults(required(key)), "else": every_policy(required(key)) }))
        .collect();
    rules.push(every_policy(json!({ "properties": { "servers": { "minItems": 1 } } })));
    let by_default = json!({ "anyOf": [required("keep"), has("prune", "none"), { "not": required("prune") }] });
    let by_itself = json!({ "anyOf": [required("keep"), has("prune", "none")] });
    rules.push(json!({
        "if": in_defaults(required("keep")),
        "else": {
            "if": in_defaults(has("prune", "none")),
            "then": every_policy(by_default),
            "else": every_policy(by_itself),
        },
    }));
    rules
}

fn keeps_something() -> Value {
    let above_zero = |key: &KeySpec| match key.takes {
        ValueKind::Number(..) => json!({ "required": [key.name], "properties": { key.name: { "minimum": 1 } } }),
        _ => json!({ "required": [key.name] }),
    };
    json!({ "anyOf": KEEP.keys.iter().map(above_zero).collect::<Vec<_>>() })
}

fn smtp_fits_its_transport() -> Vec<Value> {
    let to_loopback = json!({ "properties": { "host": { "pattern": LOOPBACK_HOST } } });
    let by_smtp = json!({ "required": ["host"], "if": has("tls", "none"), "then": to_loopback });
    vec![json!({ "if": has("transport", "file"), "then": { "required": ["dir"] }, "else": by_smtp })]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::REPORT;

    /// A key that is in one of them only would be refused by the editor or by the daemon.
    #[test]
    fn the_schema_has_every_key_of_the_reader_and_no_other() {
        let schema = schema();
        for spec in TABLES {
            let table = if is(spec, &FILE_KEYS) { &schema } else { &schema["$defs"][name_of(spec)] };
            let keys: Vec<&str> = spec.keys.iter().map(|key| key.name).collect();
            let known: Vec<&String> = table["properties"].as_object().unwrap().keys().collect();
            assert_eq!(known, keys, "{}", spec.heading);
            assert_eq!(table["additionalProperties"], false, "{}", spec.heading);
        }
    }

    #[test]
    fn every_default_is_in_the_schema_as_json() {
        for spec in TABLES {
            for key in spec.keys {
                let Is(written) = key.default else { continue };
                let default = &property(spec, key)["default"];
                assert_eq!(default.to_string(), written, "{} {}", spec.heading, key.name);
            }
        }
        assert!(required_keys(&REPORT).eq(["to"]) && required_keys(&SMTP).eq(["from"]));
    }
}
