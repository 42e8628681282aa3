//! Why a point is kept or dropped, as data. `Display` gives the wording that commands, mails and logs print.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::policy::keep::{Count, KeepRule, Period};

/// One rule's reason for one point. Buckets are written `2026-11-20 14h`, `2026-11-20`, `2026-W47`, `2026-11`, `2026`;
/// empty for `last`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum KeepReason {
    /// Kept: the newest of its bucket, the `place`th of `of`.
    Counted {
        /// The rule.
        rule: KeepRule,
        /// Its bucket.
        bucket: String,
        /// Counted from 1, the newest.
        place: u32,
        /// How many the rule keeps in all.
        of: Count,
    },
    /// Kept by `union`: the oldest point, because the rule had not kept its full count.
    Oldest {
        /// The rule.
        rule: KeepRule,
    },
    /// Kept: younger than the period before the newest point.
    Within {
        /// The period.
        period: Period,
    },
    /// Kept: the newest of its bucket, and younger than the period.
    WithinBucket {
        /// The rule.
        rule: KeepRule,
        /// The period.
        period: Period,
        /// Its bucket.
        bucket: String,
    },
    /// Kept by `union`: the oldest point, still within the period.
    OldestWithin {
        /// The rule.
        rule: KeepRule,
        /// The period.
        period: Period,
    },
    /// Not kept: a newer point of its bucket is. In `sequential`, later rules do not consider it either.
    #[serde(rename = "newer_stands")]
    NewerKept {
        /// The rule.
        rule: KeepRule,
        /// Its bucket.
        bucket: String,
    },
    /// Not kept by this rule of `sequential`: an earlier rule already keeps a point of this bucket.
    BucketHeld {
        /// The rule.
        rule: KeepRule,
        /// Its bucket.
        bucket: String,
    },
    /// Not kept: newer buckets use up the rule's count.
    Full {
        /// The rule.
        rule: KeepRule,
        /// How many the rule keeps in all.
        of: Count,
    },
    /// Not kept: older than the period before the newest point. `rule` is `None` for plain `within`.
    TooOld {
        /// The rule of a `within_daily` or similar.
        rule: Option<KeepRule>,
        /// The period.
        period: Period,
    },
}

impl KeepReason {
    /// Whether this is a reason to keep.
    #[must_use]
    pub const fn keeps(&self) -> bool {
        match self {
            Self::Counted { .. }
            | Self::Oldest { .. }
            | Self::Within { .. }
            | Self::WithinBucket { .. }
            | Self::OldestWithin { .. } => true,
            Self::NewerKept { .. } | Self::BucketHeld { .. } | Self::Full { .. } | Self::TooOld { .. } => false,
        }
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counted { rule, bucket, place, of } => {
                write!(f, "{rule}")?;
                if !bucket.is_empty() {
                    write!(f, " {bucket}")?;
                }
                match of {
                    Count::Number(count) => write!(f, " ({place} of {count})"),
                    Count::All => write!(f, " (all)"),
                }
            }
            Self::Oldest { rule } => write!(f, "oldest {rule}"),
            Self::Within { period } => write!(f, "within {period}"),
            Self::WithinBucket { rule, period, bucket } => write!(f, "{rule} {bucket} within {period}"),
            Self::OldestWithin { rule, period } => write!(f, "oldest {rule} within {period}"),
            Self::NewerKept { rule, bucket } => {
                write!(f, "a newer point of the same {} ({bucket}) was kept", rule.unit())
            }
            Self::BucketHeld { rule, bucket } => {
                write!(f, "{rule}: the {} {bucket} already has a kept point", rule.unit())
            }
            Self::Full { rule, of: Count::Number(count) } => write!(f, "{rule}: {count} newer already kept"),
            Self::Full { rule, of: Count::All } => write!(f, "{rule}: no more are kept"),
            Self::TooOld { rule: Some(rule), period } => write!(f, "{rule}: not within {period} of the newest point"),
            Self::TooOld { rule: None, period } => write!(f, "not within {period} of the newest point"),
        }
    }
}
