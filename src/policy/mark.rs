//! The mark: the text in a restore point's name and description that makes it ours. All versions must be able to read
//! it.
//!
//! Description: `lg-TOKEN8 INSTANCE POLICY DUE`, then a text for people. A snapshot's name:
//! `lg-TOKEN8-POLICY-20261121T023000Z` (it names no instance, so a name alone never proves that a point is ours).
//! DUE is RFC 3339 in UTC: whole seconds for a due time, always with milliseconds for a run by hand.

use crate::policy::name::{PolicyName, is_name};

use std::fmt;

use jiff::{SignedDuration, Timestamp, Unit};
use serde::{Deserialize, Serialize};

/// How many characters of our text must be left to recognize a point by it.
pub(crate) const SHORTEST_BEGINNING: usize = 8;

/// Eight random lower-case letters and digits, unique for each restore point that we request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

    /// A token from random bits that the caller provides.
    #[must_use]
    pub fn from_random(mut random: u64) -> Self {
        let mut text = String::with_capacity(8);
        for _ in 0..8 {
            let index = usize::try_from(random % 36).expect("a remainder of 36 fits");
            text.push(char::from(Self::ALPHABET[index]));
            random /= 36;
        }
        Self(text)
    }

    /// The token, if `text` is exactly one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        fits.then(|| Self(text.to_owned()))
    }

    /// The eight characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the text of a restore point says about its origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Unique for each restore point.
    pub token: Token,
    /// The `provider.instance` that created it.
    pub instance: String,
    /// The policy it was created for.
    pub policy: PolicyName,
    /// The due time; for a run by hand the time it began, with milliseconds.
    pub due: Timestamp,
}

impl Mark {
    /// The mark at the beginning of a description, if it is complete.
    #[must_use]
    pub fn parse(description: &str) -> Option<Self> {
        let mut words = description.split(' ');
        let token = Token::parse(words.next()?.strip_prefix("lg-")?)?;
        let instance = words.next().filter(|word| is_name(word))?.to_owned();
        let policy = PolicyName::new(words.next()?)?;
        let due = words.next().filter(|word| word.ends_with('Z'))?.parse().ok()?;
        Some(Self { token, instance, policy, due })
    }

    /// The description: the mark, then a text for people.
    #[must_use]
    pub fn description(&self) -> String {
        let Self { token, instance, policy, .. } = self;
        format!("lg-{token} {instance} {policy} {} made by lastgood, pruned by policy", self.written_due())
    }

    /// A snapshot's name.
    #[must_use]
    pub fn name(&self) -> String {
        let stamp: String = self.written_due().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        format!("lg-{}-{}-{stamp}", self.token, self.policy)
    }

    fn written_due(&self) -> String {
        let text = format!("{:.3}", self.due);
        // By the text, not by the number: before 1970, fractions of a second count backwards.
        text.strip_suffix(".000Z").map_or_else(|| text.clone(), |whole| format!("{whole}Z"))
    }
}

/// The time in the mark of a run by hand that began `at`: in milliseconds, and never on a whole second, so that its
/// text always has the three digits that a due time never has.
#[must_use]
pub(crate) fn moment_by_hand(at: Timestamp) -> Timestamp {
    let moment = at.round(Unit::Millisecond).unwrap_or(at);
    let whole = moment.subsec_nanosecond() == 0;
    // The next millisecond, unless time itself ends there.
    if whole { moment.checked_add(SignedDuration::from_millis(1)).unwrap_or(moment) } else { moment }
}

/// The token in a snapshot's name, if the name has the form of ours.
#[must_use]
pub fn token_of_name(name: &str) -> Option<Token> {
    let rest = name.strip_prefix("lg-")?;
    let (token, rest) = rest.split_once('-')?;
    let (policy, stamp) = rest.rsplit_once('-')?;
    let stamped = stamp.ends_with('Z') && stamp.starts_with(|c: char| c.is_ascii_digit());
    if is_name(policy) && stamped { Token::parse(token) } else { None }
}

/// The token at the beginning of a description, no matter how much of the rest the provider cut off.
#[must_use]
pub fn token_of_description(description: &str) -> Option<Token> {
    let rest = description.strip_prefix("lg-")?;
    let (token, rest) = rest.split_at_checked(8)?;
    if rest.is_empty() || rest.starts_with(' ') { Token::parse(token) } else { None }
}

/// The tokens that a point's name and description carry.
pub fn tokens_of<'a>(name: Option<&'a str>, description: &'a str) -> impl Iterator<Item = Token> + use<'a> {
    name.and_then(token_of_name).into_iter().chain(token_of_description(description))
}

/// Whether `found` may be our text `ours`, cut short by the provider.
#[must_use]
pub fn is_beginning(found: &str, ours: &str) -> bool {
    found.chars().count() >= SHORTEST_BEGINNING && ours.starts_with(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(due: &str) -> Mark {
        Mark {
            token: Token::from_random(7_777_777_777_777),
            instance: "main".to_owned(),
            policy: "nightly-2".parse().unwrap(),
            due: due.parse().unwrap(),
        }
    }

    #[test]
    fn a_description_reads_back_as_its_mark() {
        for due in ["2026-11-21T02:30:00Z", "2026-11-21T02:30:00.123Z"] {
            assert_eq!(Mark::parse(&mark(due).description()), Some(mark(due)));
        }
    }

    #[test]
    fn the_texts_have_the_form_that_all_versions_read() {
        let mark = Mark { token: Token::parse("abcd1234").unwrap(), ..mark("2026-11-21T02:30:00Z") };
        assert!(mark.description().starts_with("lg-abcd1234 main nightly-2 2026-11-21T02:30:00Z "));
        assert_eq!(mark.name(), "lg-abcd1234-nightly-2-20261121T023000Z");
        assert_eq!(token_of_name(&mark.name()), Some(mark.token));
    }

    #[test]
    fn a_run_by_hand_has_three_digits_and_a_due_time_none() {
        for (began, description, name) in [
            ("2026-11-21T15:21:44.44Z", " 2026-11-21T15:21:44.440Z made", "-20261121T152144440Z"),
            ("2026-11-21T15:21:44.4Z", " 2026-11-21T15:21:44.400Z made", "-20261121T152144400Z"),
            ("2026-11-21T15:21:44.0071239Z", " 2026-11-21T15:21:44.007Z made", "-20261121T152144007Z"),
            ("2026-11-21T15:21:44Z", " 2026-11-21T15:21:44.001Z made", "-20261121T152144001Z"),
            ("2026-11-21T15:21:43.9999Z", " 2026-11-21T15:21:44.001Z made", "-20261121T152144001Z"),
        ] {
            let mark = Mark { due: moment_by_hand(began.parse().unwrap()), ..mark("2026-11-21T02:30:00Z") };
            assert!(mark.description().contains(description), "{began}: {}", mark.description());
            assert!(mark.name().ends_with(name), "{began}: {}", mark.name());
            assert_eq!(Mark::parse(&mark.description()), Some(mark.clone()), "{began}");
            assert_eq!(token_of_name(&mark.name()), Some(mark.token), "{began}");
        }
        let due = mark("2026-11-21T02:30:00Z");
        assert!(due.description().contains(" 2026-11-21T02:30:00Z made") && due.name().ends_with("-20261121T023000Z"));
    }

    #[test]
    fn marks_of_earlier_versions_are_read_with_as_many_digits_as_they_have() {
        for (digits, nanoseconds) in [("", 0), (".44", 440_000_000), (".4", 400_000_000), (".007", 7_000_000)] {
            let text = format!("lg-abcd1234 main nightly 2026-11-21T15:21:44{digits}Z made by lastgood");
            assert_eq!(Mark::parse(&text).unwrap().due.subsec_nanosecond(), nanoseconds, "{digits}");
        }
    }

    #[test]
    fn writing_a_mark_again_changes_nothing() {
        // The second was found by fuzzing.
        for due in ["2026-11-21T15:21:44.0004Z", "-009999-01-02T03:04:05.000909999Z", "1969-12-31T23:59:59.9999Z"] {
            let written = mark(due).description();
            assert_eq!(Mark::parse(&written).unwrap().description(), written);
        }
    }

    #[test]
    fn a_text_that_is_not_a_whole_mark_is_none() {
        for text in [
            "",
            "lg-abcd1234",
            "lg-abcd1234 main nightly",
            "lg-ABCD1234 main nightly 2026-11-21T02:30:00Z",
            "lg-abcd123 main nightly 2026-11-21T02:30:00Z",
            " lg-abcd1234 main nightly 2026-11-21T02:30:00Z",
            "lg-abcd1234 main nightly yesterday",
            "lg-abcd1234 main nightly 2026-11-21T02:30:00+01:00",
            "Pre-deployment backup",
        ] {
            assert_eq!(Mark::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn seven_characters_of_ours_are_too_few() {
        let ours = mark("2026-11-21T02:30:00Z").description();
        assert!(is_beginning(&ours[..8], &ours));
        assert!(!is_beginning(&ours[..7], &ours));
        assert!(!is_beginning("lg-somebody else's", &ours));
    }
}
