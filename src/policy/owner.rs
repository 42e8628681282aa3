//! Whose a restore point is: by its id in the journal, else by its mark.

use crate::policy::inventory::RestorePoint;
use crate::policy::mark::{Mark, tokens_of};
use crate::policy::memory::{Memory, Origin, RememberedPoint, Text};

/// Whose a restore point is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Ours: made for this policy.
    Ours(String),
    /// It carries our mark, but this journal neither made it nor saw it in its first inventory: a second lastgood.
    Stray(String),
    /// It carries the mark of another instance, or one that names none.
    OtherInstance,
    /// It was ours, and a person has changed its name or description since we first saw it.
    Changed,
    /// It carries no mark.
    Person,
}

impl Owner {
    /// Whether the point counts as *own* in what is shown.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        matches!(self, Self::Ours(_) | Self::Stray(_))
    }
}

/// Whose `point` is, by its id in the journal, else by its mark.
#[must_use]
pub fn owner(point: &RestorePoint, instance: &str, memory: &Memory) -> Owner {
    let remembered =
        memory.points.get(&point.id).filter(|known| known.created_at.is_none_or(|at| at == point.created_at));
    let changed =
        remembered.and_then(|known| known.text.as_ref()).is_some_and(|first| !first.is_same(&Text::of(point)));
    if let Some(RememberedPoint { origin: Origin::Made(policy), .. }) = remembered {
        return if changed { Owner::Changed } else { Owner::Ours(policy.clone()) };
    }
    let bears = |name: Option<&str>, description: &str| tokens_of(name, description).next().is_some();
    let was_marked = remembered
        .and_then(|known| known.text.as_ref())
        .is_some_and(|text| bears(text.name.as_deref(), &text.description));
    // Whoever's mark it was: a point that lost it by a person's hand is not a person's to lose.
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
            // A mark that a person wrote into a point of theirs later on does not make it ours.
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
