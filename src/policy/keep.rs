//! What a policy keeps: a count for each rule, periods, and how the rules are combined.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many buckets a rule keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Count {
    /// This many buckets. A rule with zero keeps nothing.
    Number(u32),
    /// Every bucket; only in the `retention` command, which deletes nothing.
    All,
}

/// A rule that counts buckets, in the order in which `sequential` applies them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeepRule {
    /// Each point is its own bucket.
    Last,
    /// Clock hours.
    Hourly,
    /// Calendar days.
    Daily,
    /// ISO weeks.
    Weekly,
    /// Calendar months.
    Monthly,
    /// Calendar years.
    Yearly,
}

impl KeepRule {
    /// Every rule, in order.
    pub const ALL: [Self; 6] = [Self::Last, Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly, Self::Yearly];

    /// The rules whose buckets are units of the calendar, in order.
    pub fn of_calendar() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|rule| *rule != Self::Last)
    }

    /// The unit of time of its buckets.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Last => "point",
            Self::Hourly => "hour",
            Self::Daily => "day",
            Self::Weekly => "week",
            Self::Monthly => "month",
            Self::Yearly => "year",
        }
    }

    /// Its key in the policy file.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }
}

impl fmt::Display for KeepRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// A period back from the newest point, as restic writes it: calendar units first, then hours, then seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Period {
    /// Calendar years.
    pub years: u32,
    /// Calendar months.
    pub months: u32,
    /// Calendar days.
    pub days: u32,
    /// Hours of 3600 seconds.
    pub hours: u32,
    /// Seconds, for short periods.
    pub seconds: u64,
}

/// What is kept. Empty means that there is no rule, which is not allowed in a policy that prunes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// At most one count for each rule, in the order of `KeepRule::ALL`.
    pub counts: Vec<(KeepRule, Count)>,
    /// Every point younger than this, measured from the newest point.
    pub within: Option<Period>,
    /// One point for each bucket younger than this (`within_daily = …`); only in the `retention` command.
    pub within_buckets: Vec<(KeepRule, Period)>,
}

impl Keep {
    /// Whether there is no rule.
    #[cfg(test)]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.within.is_none() && self.within_buckets.is_empty()
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts.iter().map(|(rule, count)| match count {
            Count::Number(count) => format!("{rule} = {count}"),
            Count::All => format!("{rule} = all"),
        });
        let within = self.within.iter().map(|period| format!("within = {period}"));
        let buckets = self.within_buckets.iter().map(|(rule, period)| format!("within_{rule} = {period}"));
        f.write_str(&counts.chain(within).chain(buckets).collect::<Vec<_>>().join(", "))
    }
}

/// How the rules are combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeepMode {
    /// The rules apply one after another and add up, as in Proxmox Backup Server.
    #[default]
    Sequential,
    /// A point stays if any rule keeps it, as in restic.
    Union,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_each_rule_once_and_in_order() {
        // The derived reader knows every variant, and says so.
        let error = serde_json::from_str::<KeepRule>("\"no rule\"").unwrap_err().to_string();
        let named: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
        assert_eq!(named, KeepRule::ALL.map(KeepRule::key), "{error}");
        assert!(KeepRule::ALL.is_sorted(), "`sequential` applies them in the order of their variants");
    }
}
