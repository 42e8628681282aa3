//! The two programs that we follow, implemented a second time as simply as possible, with texts for buckets.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn bucket(rule: KeepRule, nr: usize, at: Timestamp, zone: &TimeZone) -> String {
    let format = match rule {
        KeepRule::Last => return nr.to_string(),
        KeepRule::Hourly => "%Y/%m/%d/%H",
        KeepRule::Daily => "%Y/%m/%d",
        KeepRule::Weekly => "%G/%V",
        KeepRule::Monthly => "%Y/%m",
        KeepRule::Yearly => "%Y",
    };
    at.to_zoned(zone.clone()).strftime(format).to_string()
}

fn limit(count: Count) -> usize {
    match count {
        Count::Number(number) => number as usize,
        Count::All => usize::MAX,
    }
}

/// Proxmox Backup Server: indices (newest first) of the points that are kept.
pub(super) fn sequential(newest_first: &[Timestamp], keep: &Keep, zone: &TimeZone) -> BTreeSet<usize> {
    let mut marks: BTreeMap<usize, bool> = BTreeMap::new();
    if let Some(period) = keep.within {
        let start = period.before(newest_first[0], zone);
        marks.extend((0..newest_first.len()).filter(|&nr| newest_first[nr] > start).map(|nr| (nr, true)));
    }
    for rule in KeepRule::ALL {
        let Some(&(_, count)) = keep.counts.iter().find(|(named, _)| *named == rule) else { continue };
        let mut included = BTreeSet::new();
        let already: BTreeSet<String> = marks
            .iter()
            .filter(|(_, stays)| **stays)
            .map(|(&nr, _)| bucket(rule, nr, newest_first[nr], zone))
            .collect();
        for (nr, &at) in newest_first.iter().enumerate() {
            let bucket = bucket(rule, nr, at, zone);
            if marks.contains_key(&nr) || already.contains(&bucket) {
                continue;
            }
            if included.contains(&bucket) {
                marks.insert(nr, false);
            } else if included.len() >= limit(count) {
                break;
            } else {
                included.insert(bucket);
                marks.insert(nr, true);
            }
        }
    }
    marks.into_iter().filter(|(_, stays)| *stays).map(|(nr, _)| nr).collect()
}

/// restic forget: indices (newest first) of the points that are kept.
pub(super) fn union(newest_first: &[Timestamp], keep: &Keep, zone: &TimeZone) -> BTreeSet<usize> {
    let oldest = newest_first.len() - 1;
    let mut left: Vec<(KeepRule, usize, String)> =
        keep.counts.iter().map(|&(rule, count)| (rule, limit(count), String::new())).collect();
    let mut stays = BTreeSet::new();
    for (nr, &at) in newest_first.iter().enumerate() {
        if keep.within.is_some_and(|period| at > period.before(newest_first[0], zone)) {
            stays.insert(nr);
        }
        for (rule, left, last) in &mut left {
            let bucket = bucket(*rule, nr, at, zone);
            if *left > 0 && (bucket != *last || nr == oldest) {
                *last = bucket;
                *left -= 1;
                stays.insert(nr);
            }
        }
    }
    stays
}
