//! Checks that the policies of a server fit its slots: adds up what each may keep and compares the sum with what the
//! provider's plan allows. `Display` writes the sum out.

use crate::policy::name::PolicyName;
use std::fmt;

use crate::policy::inventory::Kind;

/// The most that one policy keeps on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotShare {
    /// The policy's name.
    pub policy: PolicyName,
    /// The most completed points that it keeps; `None` means no known limit, and counts as one.
    pub most: Option<u32>,
}

/// The shares of a server and kind, and the limit they must fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotSum {
    /// Of which kind.
    pub kind: Kind,
    /// What each policy may keep.
    pub shares: Vec<SlotShare>,
    /// The largest `reserve` among the policies.
    pub reserve: u32,
    /// How many slots the provider's plan allows.
    pub limit: u32,
}

/// How the sum compares with the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotFit {
    /// A new point always finds a free slot.
    Fits {
        /// Slots that stay free when every policy has as many points as it keeps.
        free: u32,
    },
    /// Every slot is taken when every policy has as many points as it keeps: one must be evicted before a create.
    Fills,
    /// The policies keep more than there are slots.
    Overfills,
}

impl SlotSum {
    /// The sum for one server and kind.
    #[must_use]
    pub fn new(kind: Kind, shares: Vec<SlotShare>, reserve: u32, limit: u32) -> Self {
        Self { kind, shares, reserve, limit }
    }

    /// The sum of the shares and the reserve; a share without a limit counts as one.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.shares.iter().map(|share| u64::from(share.most.unwrap_or(1))).sum::<u64>() + u64::from(self.reserve)
    }

    /// How the sum compares with the limit.
    #[must_use]
    pub fn fit(&self) -> SlotFit {
        match u64::from(self.limit).checked_sub(self.sum()) {
            None => SlotFit::Overfills,
            Some(0) => SlotFit::Fills,
            Some(free) => SlotFit::Fits { free: u32::try_from(free).expect("less than the limit, which is a u32") },
        }
    }

    /// Whether the policies keep more than there are slots.
    #[must_use]
    pub fn overfills(&self) -> bool {
        self.fit() == SlotFit::Overfills
    }

    /// The policies whose share has no limit (`prune = "none"`); for them the sum proves nothing.
    pub fn unbounded(&self) -> impl Iterator<Item = &str> {
        self.shares.iter().filter(|share| share.most.is_none()).map(|share| share.policy.as_str())
    }
}

impl fmt::Display for SlotSum {
    /// `nightly 7 + weekly 4 + reserve 0 = 11 > 10 backups`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for share in &self.shares {
            match share.most {
                Some(most) => write!(f, "{} {most} + ", share.policy)?,
                None => write!(f, "{} 1 or more + ", share.policy)?,
            }
        }
        let relation = match self.fit() {
            SlotFit::Fits { .. } => "<",
            SlotFit::Fills => "=",
            SlotFit::Overfills => ">",
        };
        write!(f, "reserve {} = {} {relation} {} {}", self.reserve, self.sum(), self.limit, self.kind.plural())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(policy: &str, most: Option<u32>) -> SlotShare {
        SlotShare { policy: policy.parse().unwrap(), most }
    }

    #[test]
    fn the_sum_is_written_out() {
        let over = SlotSum::new(Kind::Backup, vec![share("nightly", Some(7)), share("weekly", Some(4))], 0, 10);
        assert_eq!(over.fit(), SlotFit::Overfills);
        assert_eq!(over.to_string(), "nightly 7 + weekly 4 + reserve 0 = 11 > 10 backups");
    }

    #[test]
    fn the_reserve_counts_like_a_policy() {
        let shares = vec![share("hourly", Some(3))];
        assert_eq!(SlotSum::new(Kind::Snapshot, shares.clone(), 1, 5).fit(), SlotFit::Fits { free: 1 });
        assert_eq!(SlotSum::new(Kind::Snapshot, shares.clone(), 2, 5).fit(), SlotFit::Fills);
        assert_eq!(SlotSum::new(Kind::Snapshot, shares, 3, 5).fit(), SlotFit::Overfills);
    }

    #[test]
    fn a_share_without_a_limit_counts_as_one_and_is_named() {
        let sum = SlotSum::new(Kind::Backup, vec![share("archive", None), share("nightly", Some(9))], 0, 10);
        assert_eq!(sum.fit(), SlotFit::Fills);
        assert_eq!(sum.unbounded().collect::<Vec<_>>(), ["archive"]);
        assert_eq!(sum.to_string(), "archive 1 or more + nightly 9 + reserve 0 = 10 = 10 backups");
    }

    #[test]
    fn huge_counts_do_not_wrap_around() {
        let sum =
            SlotSum::new(Kind::Backup, vec![share("a", Some(u32::MAX)), share("b", Some(u32::MAX))], u32::MAX, 10);
        assert!(sum.overfills());
        assert_eq!(sum.sum(), 3 * u64::from(u32::MAX));
    }
}
