//! Reads the text that version two of the database stored for a policy's rules, so that no file looks changed after an
//! upgrade: `last = 3; Sequential; UTC; min_keep 1; prune Own; protect ["gold*"]; formerly []`.

use std::iter::Peekable;
use std::str::Chars;

use crate::policy::conditions::RetentionRules;
use crate::policy::keep::{Count, Keep, KeepMode, KeepRule, Period};
use crate::policy::name::PolicyName;
use crate::policy::policy::Prune;

/// The rules in this text; `None` if it is not such a text.
pub(super) fn rules_of_words(words: &str) -> Option<RetentionRules> {
    // Neither names nor anything before `protect` contains these separators.
    let (rest, formerly) = words.rsplit_once("; formerly ")?;
    let (rest, protect) = rest.split_once("; protect ")?;
    let mut parts = rest.split("; ");
    let mut part = || parts.next();
    let (keep, keep_mode, timezone, min_keep, prune) = (part()?, part()?, part()?, part()?, part()?);
    if part().is_some() {
        return None;
    }
    Some(RetentionRules {
        keep: keep_of(keep)?,
        keep_mode: match keep_mode {
            "Sequential" => KeepMode::Sequential,
            "Union" => KeepMode::Union,
            _ => return None,
        },
        timezone: timezone.to_owned(),
        min_keep: min_keep.strip_prefix("min_keep ")?.parse().ok()?,
        prune: match prune.strip_prefix("prune ")? {
            "Own" => Prune::Own,
            "All" => Prune::All,
            "None" => Prune::None,
            _ => return None,
        },
        protect: list_of(protect)?,
        formerly: list_of(formerly)?.iter().map(|name| PolicyName::new(name)).collect::<Option<_>>()?,
    })
}

/// `last = 3, daily = all, within = 14d, within_daily = 1y`, or nothing.
fn keep_of(text: &str) -> Option<Keep> {
    let mut keep = Keep::default();
    for rule in text.split(", ").filter(|rule| !rule.is_empty()) {
        let (key, value) = rule.split_once(" = ")?;
        match key.strip_prefix("within") {
            Some("") => keep.within = Some(Period::parse(value).ok()?),
            Some(bucket) => {
                keep.within_buckets.push((rule_of(bucket.strip_prefix('_')?)?, Period::parse(value).ok()?));
            }
            None if value == "all" => keep.counts.push((rule_of(key)?, Count::All)),
            None => keep.counts.push((rule_of(key)?, Count::Number(value.parse().ok()?))),
        }
    }
    Some(keep)
}

fn rule_of(key: &str) -> Option<KeepRule> {
    KeepRule::ALL.into_iter().find(|rule| rule.key() == key)
}

/// `["a", "b"]`, with the escapes of Rust.
fn list_of(text: &str) -> Option<Vec<String>> {
    let mut chars = text.strip_prefix('[')?.strip_suffix(']')?.chars().peekable();
    let mut list = Vec::new();
    while chars.peek().is_some() {
        if !list.is_empty() && (chars.next(), chars.next()) != (Some(','), Some(' ')) {
            return None;
        }
        list.push(string_of(&mut chars)?);
    }
    Some(list)
}

fn string_of(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    if chars.next()? != '"' {
        return None;
    }
    loop {
        text.push(match chars.next()? {
            '"' => return Some(text),
            '\\' => match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'u' if chars.next()? == '{' => {
                    let hex: String = chars.by_ref().take_while(|c| *c != '}').collect();
                    char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?
                }
                c @ ('"' | '\'' | '\\') => c,
                _ => return None,
            },
            c => c,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::inventory::Kind;
    use crate::policy::policy::Policy;
    use crate::policy::selector::Pattern;

    /// What version two wrote; its format is part of it, as `Debug` gave the words then.
    fn words(policy: &Policy, (mode, prune): (&str, &str)) -> String {
        let protect: Vec<String> = policy.protect.iter().map(ToString::to_string).collect();
        let formerly: Vec<&str> = policy.formerly.iter().map(PolicyName::as_str).collect();
        let zone = policy.timezone.iana_name().unwrap_or("UTC");
        let (keep, min_keep) = (&policy.keep, policy.min_keep);
        format!(
            "{keep}; {mode}; {zone}; min_keep {min_keep}; prune {prune}; protect {protect:?}; formerly {formerly:?}"
        )
    }

    #[test]
    fn rules_read_back_whatever_they_are() {
        let named = |name: &str| PolicyName::new(name).unwrap();
        let counts = vec![(KeepRule::Last, Count::Number(3)), (KeepRule::Weekly, Count::All)];
        let within = Some(Period { days: 14, hours: 3, ..Period::default() });
        let within_buckets = vec![(KeepRule::Daily, Period { years: 1, seconds: 5, ..Period::default() })];
        let keeps = [
            Keep::default(),
            Keep { counts, ..Keep::default() },
            Keep { within, within_buckets, ..Keep::default() },
            Keep { within: Some(Period::default()), ..Keep::default() },
        ];
        let patterns = ["", "gold*", "a, b", "\"; formerly [\"x\"]", "\\ \n\t'\u{7f}é\u{202e}", "; protect ["];
        for keep in keeps {
            for (keep_mode, mode) in [(KeepMode::Sequential, "Sequential"), (KeepMode::Union, "Union")] {
                for (prune, word) in [(Prune::Own, "Own"), (Prune::All, "All"), (Prune::None, "None")] {
                    for protected in 0..=patterns.len() {
                        let policy = Policy {
                            keep: keep.clone(),
                            keep_mode,
                            prune,
                            min_keep: 7,
                            timezone: jiff::tz::TimeZone::get("Europe/Berlin").unwrap(),
                            protect: patterns[..protected].iter().map(|text| Pattern::new(text)).collect(),
                            formerly: [named("a"), named("b-2")][..protected.min(2)].to_vec(),
                            ..Policy::removed(named("nightly"), Kind::Backup)
                        };
                        let words = words(&policy, (mode, word));
                        assert_eq!(rules_of_words(&words), Some(RetentionRules::of(&policy)), "{words}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_such_text_is_refused() {
        let good = r#"last = 3; Union; UTC; min_keep 1; prune Own; protect ["a"]; formerly []"#;
        assert!(rules_of_words(good).is_some());
        for (part, bad) in [
            ("last = 3", "last = x"),
            ("last = 3", "monday = 3"),
            ("Union", "Onion"),
            ("Union; ", ""),
            ("min_keep 1", "min_keep"),
            ("prune Own", "prune Mine"),
            (r#"["a"]"#, r#"["a"#),
            (r#"["a"]"#, r#"["a" "b"]"#),
            (r#"["a"]"#, r#"["\q"]"#),
            ("formerly []", r#"formerly ["no name"]"#),
        ] {
            assert_eq!(rules_of_words(&good.replace(part, bad)), None, "{bad}");
        }
    }
}
