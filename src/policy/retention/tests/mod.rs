//! Retention against restic's own cases, two oracles, properties, and edge cases that those leave out.

mod conformance;
mod edge_cases;
mod goldens;
mod oracle;
mod properties;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Candidate, KeepVerdict, decide};
use crate::policy::keep::{Count, Keep, KeepMode, KeepRule, Period};

pub(super) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn counts(rules: &[(KeepRule, u32)]) -> Keep {
    Keep { counts: rules.iter().map(|&(rule, count)| (rule, Count::Number(count))).collect(), ..Keep::default() }
}

pub(super) fn within(text: &str) -> Keep {
    Keep { within: Some(Period::parse(text).unwrap()), ..Keep::default() }
}

/// The texts of the times that are kept, in the order given.
pub(super) fn kept<'a>(times: &[&'a str], keep: &Keep, mode: KeepMode, zone_name: &str) -> Vec<&'a str> {
    let points: Vec<Candidate> = times.iter().map(|text| Candidate::at(at(text))).collect();
    let verdicts = decide(&points, keep, mode, &zone(zone_name)).unwrap();
    times.iter().zip(verdicts.kept()).filter(|(_, kept)| *kept).map(|(text, _)| *text).collect()
}

/// One line for each point: the time, the verdict and every reason.
pub(super) fn told(times: &[&str], verdicts: &[KeepVerdict]) -> String {
    let lines = times.iter().zip(verdicts).map(|(time, verdict)| {
        let word = if verdict.keep { "keep" } else { "drop" };
        let why: Vec<String> = verdict.why.iter().map(ToString::to_string).collect();
        format!("{time}  {word}  {}", why.join(" · "))
    });
    lines.collect::<Vec<_>>().join("\n")
}
