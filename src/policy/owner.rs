//! Who owns a restore point: decided by its id in the journal, or else by its mark.

use crate::policy::inventory::RestorePoint;
use crate::policy::mark::{Mark, tokens_of};
use crate::policy::memory::{Memory, Origin, PointText, RememberedPoint};
use crate::policy::name::PolicyName;

/// Who owns a restore point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Us: it was created for this policy.
    Ours(PolicyName),
    /// A second lastgood: it carries our mark, but this journal neither created it nor saw it in its first inventory.
    Stray(PolicyName),
    /// Another instance, or an unknown one: it carries the mark of another instance, or one that names none.
    OtherInstance,
    /// A person: it was ours, but its name or description was changed since we first saw it.
    Changed,
    /// A person: it carries no mark.
    Person,
}

impl Owner {
    /// Whether the point is shown as *own*.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        matches!(self, Self::Ours(_) | Self::Stray(_))
    }
}

/// Who owns `point`: decided by its id in the journal, or else by its mark.
#[must_use]
pub(crate) fn owner(point: &RestorePoint, instance: &str, memory: &Memory) -> Owner {
    let remembered =
        memory.points.get(&point.id).filter(|known| known.created_at.is_none_or(|at| at == point.created_at));
    let changed =
        remembered.and_then(|known| known.text.as_ref()).is_some_and(|first| !first.is_same(&PointText::of(point)));
    if let Some(RememberedPoint { origin: Origin::Made(policy), .. }) = remembered {
        return if changed { Owner::Changed } else { Owner::Ours(policy.clone()) };
    }
    let bears = |name: Option<&str>, description: &str| tokens_of(name, description).next().is_some();
    let was_marked = remembered
        .and_then(|known| known.text.as_ref())
        .is_some_and(|text| bears(text.name.as_deref(), &text.description));
    // No matter whose mark it was: removing a mark must not turn the point into an unmarked one, which `prune = "all"`
    // may delete.
    if changed && was_marked {
        return Owner::Changed;
    }
    match Mark::parse(&point.description) {
        Some(mark) if mark.instance == instance => {
            let known = memory.tokens.contains_key(&mark.token)
                || match remembered {
                    Some(known) => known.origin == Origin::First,
                    None => !memory.seen_before,
                };
            // Adding a mark to a point later does not make it ours.
            if changed {
                Owner::Changed
            } else if known {
                Owner::Ours(mark.policy)
            } else {
                Owner::Stray(mark.policy)
            }
        }
        Some(_) => Owner::OtherInstance,
        None => {
            let mut tokens = tokens_of(point.name.as_deref(), &point.description).peekable();
            let marked = tokens.peek().is_some();
            match tokens.find_map(|token| memory.tokens.get(&token)) {
                Some(policy) => Owner::Ours(policy.clone()),
                None if marked => Owner::OtherInstance,
                None => Owner::Person,
            }
        }
    }
}
