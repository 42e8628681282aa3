//! Parses rules written as text: `last=2,daily=4,within=14d`. Takes the rules of a policy file, and restic's `within_…`
//! and `all`.

use crate::policy::keep::{Count, Keep, KeepRule, Period};

/// The rules in `text`, each at most once, with the counts in the order in which they apply.
pub(super) fn parse(text: &str) -> Result<Keep, String> {
    let mut keep = Keep::default();
    for entry in text.split(',').map(str::trim) {
        if entry.is_empty() {
            return Err(if text.trim().is_empty() {
                "no rule is given; write, for example, last=2,daily=4".to_owned()
            } else {
                "there is an extra comma".to_owned()
            });
        }
        let Some((key, value)) = entry.split_once('=') else {
            return Err(format!("`{}` has no value; write, for example, daily=4", entry.escape_debug()));
        };
        add(&mut keep, &key.trim().replace('-', "_"), value.trim())?;
    }
    keep.counts.sort_by_key(|(rule, _)| *rule);
    keep.within_buckets.sort_by_key(|(rule, _)| *rule);
    Ok(keep)
}

/// The rules as a policy file writes them. It takes neither `all` nor periods of buckets, and a period there has one
/// unit.
pub(super) fn for_policy_file(keep: &Keep, slots: u32) -> Result<String, String> {
    if let Some((rule, _)) = keep.within_buckets.first() {
        return Err(format!("within_{rule} is for `lastgood retention` alone"));
    }
    let mut rules = Vec::new();
    let mut sum = 0_u32;
    for (rule, count) in &keep.counts {
        match count {
            Count::Number(number) => {
                sum = sum.saturating_add(*number);
                rules.push(format!("{rule} = {number}"));
            }
            Count::All => return Err(format!("{rule}=all is for `lastgood retention` alone")),
        }
    }
    if sum > slots {
        return Err(format!("the counts add up to {sum}, but a server has {slots} slots"));
    }
    match keep.within {
        None => {}
        Some(Period { years: 0, months: 0, days, hours: 0, seconds: 0 }) => rules.push(format!("within = \"{days}d\"")),
        Some(Period { years: 0, months: 0, days: 0, hours, seconds: 0 }) => {
            rules.push(format!("within = \"{hours}h\""))
        }
        Some(_) => return Err("within has one unit in a policy file, as in 14d or 36h".to_owned()),
    }
    Ok(rules.join(", "))
}

fn add(keep: &mut Keep, key: &str, value: &str) -> Result<(), String> {
    let repeated = || format!("{key} is given twice");
    if key == "within" {
        let period = Period::parse(value).map_err(|error| error.to_string())?;
        return if keep.within.replace(period).is_some() { Err(repeated()) } else { Ok(()) };
    }
    let (name, within) = key.strip_prefix("within_").map_or((key, false), |name| (name, true));
    let rule = KeepRule::ALL.into_iter().find(|rule| rule.key() == name && !(within && *rule == KeepRule::Last));
    let Some(rule) = rule else { return Err(unknown(key)) };
    if within {
        if keep.within_buckets.iter().any(|&(named, _)| named == rule) {
            return Err(repeated());
        }
        keep.within_buckets.push((rule, Period::parse(value).map_err(|error| error.to_string())?));
        return Ok(());
    }
    if keep.counts.iter().any(|&(named, _)| named == rule) {
        return Err(repeated());
    }
    keep.counts.push((rule, count(key, value)?));
    Ok(())
}

fn count(key: &str, value: &str) -> Result<Count, String> {
    if value == "all" {
        return Ok(Count::All);
    }
    let number = if value.starts_with('+') { None } else { value.parse().ok() };
    number
        .map(Count::Number)
        .ok_or_else(|| format!("{key}=`{}` is not a count; write a number, or all", value.escape_debug()))
}

fn unknown(key: &str) -> String {
    let within = KeepRule::of_calendar().map(|rule| format!("within_{rule}"));
    let known: Vec<String> =
        KeepRule::ALL.into_iter().map(|rule| rule.to_string()).chain(["within".to_owned()]).chain(within).collect();
    let nearest = known.iter().min_by_key(|name| strsim::damerau_levenshtein(name, key));
    let hint = nearest.filter(|name| strsim::damerau_levenshtein(name, key) <= 2);
    let hint = hint.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    format!("`{}` is not a rule (known: {}){hint}", key.escape_debug(), known.join(", "))
}
