//! restic's own golden cases, see `tests/conformance/README.md`.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Cases {
    snaps: Vec<Snap>,
    pols: Vec<Pol>,
    gold: Vec<Vec<String>>,
}

#[derive(Deserialize)]
struct Snap {
    t: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Pol {
    last: i64,
    hourly: i64,
    daily: i64,
    weekly: i64,
    monthly: i64,
    yearly: i64,
    within: [u32; 4],
    within_hourly: [u32; 4],
    within_daily: [u32; 4],
    within_weekly: [u32; 4],
    within_monthly: [u32; 4],
    within_yearly: [u32; 4],
    tags: Option<Vec<Vec<String>>>,
}

fn period([years, months, days, hours]: [u32; 4]) -> Option<Period> {
    let period = Period { years, months, days, hours, seconds: 0 };
    (period != Period::default()).then_some(period)
}

impl Pol {
    fn keep(&self) -> Keep {
        let counts = KeepRule::ALL.map(|rule| (rule, self.count(rule))).into_iter().filter(|(_, count)| *count != 0);
        let counts = counts.map(|(rule, count)| (rule, u32::try_from(count).map_or(Count::All, Count::Number)));
        let buckets = KeepRule::of_calendar().filter_map(|rule| Some((rule, period(self.within(rule))?)));
        Keep { counts: counts.collect(), within: period(self.within), within_buckets: buckets.collect() }
    }

    fn count(&self, rule: KeepRule) -> i64 {
        match rule {
            KeepRule::Last => self.last,
            KeepRule::Hourly => self.hourly,
            KeepRule::Daily => self.daily,
            KeepRule::Weekly => self.weekly,
            KeepRule::Monthly => self.monthly,
            KeepRule::Yearly => self.yearly,
        }
    }

    fn within(&self, rule: KeepRule) -> [u32; 4] {
        match rule {
            KeepRule::Last => self.within,
            KeepRule::Hourly => self.within_hourly,
            KeepRule::Daily => self.within_daily,
            KeepRule::Weekly => self.within_weekly,
            KeepRule::Monthly => self.within_monthly,
            KeepRule::Yearly => self.within_yearly,
        }
    }
}

#[test]
fn union_keeps_what_restic_keeps_in_each_of_its_own_cases() {
    let cases: Cases = serde_json::from_str(include_str!("../../../../tests/conformance/restic-forget.json")).unwrap();
    let points: Vec<Candidate> = cases.snaps.iter().map(|snap| Candidate::at(at(&snap.t))).collect();
    let mut tried = 0;
    for (number, (policy, gold)) in cases.pols.iter().zip(&cases.gold).enumerate() {
        if policy.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            continue;
        }
        let keep = policy.keep();
        let decided = decide(&points, &keep, KeepMode::Union, &TimeZone::UTC);
        if keep.is_empty() {
            assert_eq!(decided, Err(super::super::NoRules), "policy {number}");
            continue;
        }
        let mut stays: Vec<Timestamp> =
            points.iter().zip(decided.unwrap().kept()).filter(|(_, kept)| *kept).map(|(point, _)| point.at).collect();
        stays.sort_by(|a, b| b.cmp(a));
        let gold: Vec<Timestamp> = gold.iter().map(|text| at(text)).collect();
        assert_eq!(stays, gold, "policy {number}: {keep:?}");
        tried += 1;
    }
    assert_eq!(tried, 36, "40 policies but the empty one and three with tags");
}
