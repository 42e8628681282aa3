//! Rules that say which requests go wrong, and how. A rule is plain data (JSON at the control endpoint); randomness is
//! seeded. Every matching `meanwhile` rule applies; of the other rules, only the first match does.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account::Account;
use super::call::Call;
use super::effects::Effect;
use super::person::PersonAction;
use super::point::PointKind;
use super::points::word_of;
use super::random::SeededRandom;

/// What is known about a request before it is carried out.
#[derive(Clone, Debug)]
pub(super) struct IncomingRequest {
    pub(super) method: String,
    /// The path below the base.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) call: Call,
    pub(super) kind: Option<PointKind>,
    /// The index of the server that it concerns.
    pub(super) server: Option<usize>,
}

/// One rule. All given conditions must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in the record; if absent, the effect's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `GET`, `POST`, `DELETE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path below the base, where `*` matches any text: `/backups/*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A text that the query contains: `page=2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The kind of request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// Backups or snapshots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PointKind>,
    /// The server by id, uuid, name or hostname.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Value>,
    /// Only from this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Only before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Lets this many matching requests through first: with `2`, the third is affected.
    #[serde(default)]
    pub skip: u64,
    /// How many times it applies; always if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// The probability that it applies to a matching request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// What happens.
    pub effect: Effect,
}

impl Rule {
    /// A rule that applies to every request that the effect can affect.
    #[must_use]
    pub fn new(effect: Effect) -> Self {
        Self {
            name: None,
            method: None,
            path: None,
            query: None,
            call: None,
            kind: None,
            server: None,
            from: None,
            until: None,
            skip: 0,
            times: None,
            probability: None,
            effect,
        }
    }

    /// Only this call.
    #[must_use]
    pub fn call(self, call: Call) -> Self {
        Self { call: Some(call), ..self }
    }

    /// Only this kind.
    #[must_use]
    pub fn kind(self, kind: PointKind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// Only this server, given by any key or name.
    #[must_use]
    pub fn server(self, server: &str) -> Self {
        Self { server: Some(Value::from(server)), ..self }
    }

    /// Only matching paths; `*` matches any text.
    #[must_use]
    pub fn path(self, path: &str) -> Self {
        Self { path: Some(path.to_owned()), ..self }
    }

    /// Lets this many matching requests through first.
    #[must_use]
    pub fn skip(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// Applies this many times.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Applies with this probability.
    #[must_use]
    pub fn probability(self, probability: f64) -> Self {
        Self { probability: Some(probability), ..self }
    }

    /// Only in this time span.
    #[must_use]
    pub fn between(self, from: Timestamp, until: Timestamp) -> Self {
        Self { from: Some(from), until: Some(until), ..self }
    }

    /// Sets its name in the record.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }
}

/// The rules that apply to one request.
#[derive(Clone, Debug, Default)]
pub(super) struct FaultMatch {
    pub(super) names: Vec<String>,
    pub(super) before: Vec<PersonAction>,
    pub(super) after: Vec<PersonAction>,
    pub(super) effect: Option<Effect>,
}

/// A rule, with how often it matched and applied.
#[derive(Clone, Debug, Serialize)]
pub struct ActiveRule {
    /// The rule.
    pub rule: Rule,
    /// How many requests it matched.
    pub matched: u64,
    /// How many requests it applied to.
    pub struck: u64,
}

/// The rules in force, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(pub(super) Vec<ActiveRule>);

impl Faults {
    pub(super) fn add(&mut self, rule: Rule) {
        self.0.push(ActiveRule { rule, matched: 0, struck: 0 });
    }

    /// Finds and counts the rules that apply to this request.
    pub(super) fn matching(
        &mut self,
        now: Timestamp,
        request: &IncomingRequest,
        account: &Account,
        random: &mut SeededRandom,
    ) -> FaultMatch {
        let mut found = FaultMatch::default();
        for active in &mut self.0 {
            let person = matches!(active.rule.effect, Effect::Meanwhile { .. });
            if (!person && found.effect.is_some()) || !active.applies_to(now, request, account, random) {
                continue;
            }
            found.names.push(active.rule.name.clone().unwrap_or_else(|| active.rule.effect.word()));
            match &active.rule.effect {
                Effect::Meanwhile { acts, after: true } => found.after.extend(acts.iter().cloned()),
                Effect::Meanwhile { acts, after: false } => found.before.extend(acts.iter().cloned()),
                effect => found.effect = Some(effect.clone()),
            }
        }
        found
    }
}

impl ActiveRule {
    fn applies_to(
        &mut self,
        now: Timestamp,
        request: &IncomingRequest,
        account: &Account,
        random: &mut SeededRandom,
    ) -> bool {
        let rule = &self.rule;
        let matches = rule.effect.fits(request.call)
            && rule.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&request.method))
            && rule.path.as_ref().is_none_or(|pattern| glob(pattern, &request.path))
            && rule.query.as_ref().is_none_or(|text| request.query.contains(text))
            && rule.call.is_none_or(|call| call == request.call)
            && rule.kind.is_none_or(|kind| request.kind == Some(kind))
            && rule.from.is_none_or(|from| now >= from)
            && rule.until.is_none_or(|until| now < until)
            && rule.server.as_ref().is_none_or(|word| {
                request.server.is_some_and(|index| account.servers[index].is_called(&word_of(word)))
            });
        if !matches {
            return false;
        }
        self.matched += 1;
        let applies = self.matched > rule.skip
            && rule.times.is_none_or(|times| self.struck < times)
            && rule.probability.is_none_or(|probability| random.happens(probability));
        self.struck += u64::from(applies);
        applies
    }
}

/// Whether the text matches the pattern, in which `*` matches any text.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_in_a_path_is_any_text() {
        assert!(glob("/backups/*", "/backups/"));
        assert!(glob("/backups/*/", "/backups/501/"));
        assert!(glob("*/restore/", "/snapshots/801/restore/"));
        assert!(glob("/a/*/b/*", "/a/x/b/y"));
        assert!(!glob("/backups/", "/backups/501/"));
        assert!(!glob("/a*a", "/a"));
        assert!(!glob("/servers/*", "/backups/"));
    }

    #[test]
    fn a_rule_reads_from_plain_json() {
        let text = r#"{"call":"create","server":12345,"times":1,"effect":{"do":"reset","carried_out":true}}"#;
        let rule: Rule = serde_json::from_str(text).unwrap();
        assert_eq!(rule.effect, Effect::Reset { carried_out: true });
        let text = r#"{"effect":{"do":"status","code":429,"retry_after":{"date":3}}}"#;
        let rule: Rule = serde_json::from_str(text).unwrap();
        assert_eq!(rule.effect.word(), "status");
        assert!(serde_json::from_str::<Rule>(r#"{"effect":{"do":"status"}}"#).is_err());
        assert!(serde_json::from_str::<Rule>(r#"{"efect":{"do":"refuse"}}"#).is_err());
    }
}
