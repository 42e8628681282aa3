//! Rules that say which requests go wrong, and how. A rule is plain data (JSON at the control endpoint); chance is
//! seeded. Every `meanwhile` rule that matches strikes; of the other rules the first that matches does.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account::Account;
use super::call::Call;
use super::effects::Effect;
use super::person::Act;
use super::point::Kind;
use super::points::word_of;
use super::random::SeededRandom;

/// What is known about a request before it is carried out.
#[derive(Clone, Debug)]
pub(super) struct IncomingRequest {
    pub(super) method: String,
    /// Below the base.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) call: Call,
    pub(super) kind: Option<Kind>,
    /// The index of the server that it is about.
    pub(super) server: Option<usize>,
}

/// One rule. Every condition that is given must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// How the record calls it; the effect's word when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `GET`, `POST`, `DELETE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path below the base, where `*` is any text: `/backups/*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A text that the query contains: `page=2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// What is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// Backups or snapshots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The server by id, uuid, name or hostname.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Value>,
    /// Only from this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Only before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Lets this many matching requests through first: `2` strikes the third.
    #[serde(default)]
    pub skip: u64,
    /// How many times it strikes; always when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How likely it strikes a matching request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// What happens.
    pub effect: Effect,
}

impl Rule {
    /// A rule that strikes every request that the effect can strike.
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
    pub fn kind(self, kind: Kind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// Only this server, by any of its keys and names.
    #[must_use]
    pub fn server(self, server: &str) -> Self {
        Self { server: Some(Value::from(server)), ..self }
    }

    /// Only paths like this, with `*` for any text.
    #[must_use]
    pub fn path(self, path: &str) -> Self {
        Self { path: Some(path.to_owned()), ..self }
    }

    /// Lets this many matching requests through first.
    #[must_use]
    pub fn skip(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// Strikes this many times.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Strikes with this probability.
    #[must_use]
    pub fn probability(self, probability: f64) -> Self {
        Self { probability: Some(probability), ..self }
    }

    /// Only in this span.
    #[must_use]
    pub fn between(self, from: Timestamp, until: Timestamp) -> Self {
        Self { from: Some(from), until: Some(until), ..self }
    }

    /// How the record calls it.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }
}

/// What struck one request.
#[derive(Clone, Debug, Default)]
pub(super) struct FaultMatch {
    pub(super) names: Vec<String>,
    pub(super) before: Vec<Act>,
    pub(super) after: Vec<Act>,
    pub(super) effect: Option<Effect>,
}

/// A rule and how often it matched and struck.
#[derive(Clone, Debug, Serialize)]
pub struct Armed {
    /// The rule.
    pub rule: Rule,
    /// Requests that it matched.
    pub matched: u64,
    /// Requests that it struck.
    pub struck: u64,
}

/// The rules in force, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(pub(super) Vec<Armed>);

impl Faults {
    pub(super) fn add(&mut self, rule: Rule) {
        self.0.push(Armed { rule, matched: 0, struck: 0 });
    }

    /// What strikes this request; counts it.
    pub(super) fn strike(
        &mut self,
        now: Timestamp,
        asked: &IncomingRequest,
        account: &Account,
        random: &mut SeededRandom,
    ) -> FaultMatch {
        let mut strike = FaultMatch::default();
        for armed in &mut self.0 {
            let person = matches!(armed.rule.effect, Effect::Meanwhile { .. });
            if (!person && strike.effect.is_some()) || !armed.strikes(now, asked, account, random) {
                continue;
            }
            strike.names.push(armed.rule.name.clone().unwrap_or_else(|| armed.rule.effect.word()));
            match &armed.rule.effect {
                Effect::Meanwhile { acts, after: true } => strike.after.extend(acts.iter().cloned()),
                Effect::Meanwhile { acts, after: false } => strike.before.extend(acts.iter().cloned()),
                effect => strike.effect = Some(effect.clone()),
            }
        }
        strike
    }
}

impl Armed {
    fn strikes(
        &mut self,
        now: Timestamp,
        asked: &IncomingRequest,
        account: &Account,
        random: &mut SeededRandom,
    ) -> bool {
        let rule = &self.rule;
        let matches = rule.effect.fits(asked.call)
            && rule.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&asked.method))
            && rule.path.as_ref().is_none_or(|pattern| glob(pattern, &asked.path))
            && rule.query.as_ref().is_none_or(|text| asked.query.contains(text))
            && rule.call.is_none_or(|call| call == asked.call)
            && rule.kind.is_none_or(|kind| asked.kind == Some(kind))
            && rule.from.is_none_or(|from| now >= from)
            && rule.until.is_none_or(|until| now < until)
            && rule
                .server
                .as_ref()
                .is_none_or(|word| asked.server.is_some_and(|index| account.servers[index].is_called(&word_of(word))));
        if !matches {
            return false;
        }
        self.matched += 1;
        let strikes = self.matched > rule.skip
            && rule.times.is_none_or(|times| self.struck < times)
            && rule.probability.is_none_or(|probability| random.happens(probability));
        self.struck += u64::from(strikes);
        strikes
    }
}

/// Whether the text has the form of the pattern, in which `*` is any text.
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
