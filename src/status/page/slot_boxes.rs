//! The slots of a server and kind as boxes, one each: why a point is kept as a letter, then the free ones.

use serde::Serialize;

use crate::policy::guard::Guard;
use crate::policy::inventory::PointStatus;
use crate::policy::keep::KeepRule;
use crate::policy::plan::Reason;
use crate::policy::retention::KeepReason;
use crate::status::page::facts::{KindFacts, PointFacts};

/// No more boxes than this are drawn, whatever a list shows.
const MOST: usize = 40;

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotState {
    /// Kept by a rule.
    Rule(KeepRule),
    /// Kept for a period.
    Within,
    /// Kept for another reason.
    Kept,
    /// A person holds it.
    Held,
    /// `protect` keeps it.
    Protected,
    /// Not ours.
    Foreign,
    /// It is being created.
    InProgress,
    /// It cannot be restored.
    Failed,
    /// The next run would delete it, or the provider is deleting it.
    Goes,
    /// Nothing is in it.
    Free,
}

impl SlotState {
    /// What stands for a point.
    pub(super) fn of(point: &PointFacts) -> Self {
        let guard = |wanted: fn(&Guard) -> bool| {
            point.why.iter().any(|why| matches!(why, Reason::Guard(guard) if wanted(guard)))
        };
        if point.goes || guard(|guard| *guard == Guard::Deleting) {
            return Self::Goes;
        }
        match &point.status {
            PointStatus::Failed => return Self::Failed,
            status if status.is_in_progress() => return Self::InProgress,
            _ => {}
        }
        if point.held {
            return Self::Held;
        }
        if guard(|guard| matches!(guard, Guard::Protected(_))) {
            return Self::Protected;
        }
        if !point.owner.is_own() {
            return Self::Foreign;
        }
        let reason = point.why.iter().find_map(|why| match why {
            Reason::Retention(reason) if reason.keeps() => Some(reason),
            _ => None,
        });
        match reason {
            Some(
                KeepReason::Counted { rule, .. }
                | KeepReason::Oldest { rule }
                | KeepReason::WithinBucket { rule, .. }
                | KeepReason::OldestWithin { rule, .. },
            ) => Self::Rule(*rule),
            Some(KeepReason::Within { .. }) => Self::Within,
            _ => Self::Kept,
        }
    }

    /// The letter in the box.
    const fn letter(self) -> &'static str {
        match self {
            Self::Rule(KeepRule::Last) => "l",
            Self::Rule(KeepRule::Hourly) => "h",
            Self::Rule(KeepRule::Daily) => "d",
            Self::Rule(KeepRule::Weekly) => "w",
            Self::Rule(KeepRule::Monthly) => "m",
            Self::Rule(KeepRule::Yearly) => "y",
            Self::Within => "p",
            Self::Kept => "k",
            Self::Held => "H",
            Self::Protected => "P",
            Self::Foreign => "F",
            Self::InProgress => "…",
            Self::Failed => "!",
            Self::Goes => "×",
            Self::Free => "",
        }
    }

    /// The class that colours it; none for what a rule keeps, since these are the most.
    const fn class(self) -> &'static str {
        match self {
            Self::Rule(_) | Self::Within | Self::Kept => "",
            Self::Held | Self::Protected => "h",
            Self::Foreign => "f",
            Self::InProgress => "n",
            Self::Failed => "x",
            Self::Goes => "g",
            Self::Free => "e",
        }
    }

    /// The box.
    pub(super) const fn drawn(self) -> SlotBox {
        SlotBox { class: self.class(), letter: self.letter() }
    }
}

/// A box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct SlotBox {
    class: &'static str,
    letter: &'static str,
}

/// The slots of a server and kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct SlotBoxes {
    /// What the boxes show, in words.
    label: String,
    boxes: Vec<SlotBox>,
    /// `9 of 10`.
    used: String,
    /// The points that the next run would delete, the first one first.
    goes: Option<String>,
}

/// The slots of a server and kind.
pub(super) fn slot_boxes(kind: &KindFacts) -> SlotBoxes {
    let slots = kind.slots;
    let points: Vec<SlotState> = kind.points.iter().filter(|point| !point.automatic).map(SlotState::of).collect();
    let (used, limit) = (slots.used as usize, slots.limit as usize);
    // Points that we have requested, and that no list shows yet.
    let unlisted = used.saturating_sub(points.len());
    let all = points.iter().copied().chain(std::iter::repeat_n(SlotState::InProgress, unlisted));
    let all = all.chain(std::iter::repeat_n(SlotState::Free, limit.saturating_sub(used)));
    let of = |wanted: SlotState| points.iter().filter(|slot| **slot == wanted).count();
    let in_progress = of(SlotState::InProgress) + unlisted;
    let counts = [
        (slots.own as usize, "ours"),
        (slots.foreign as usize, "foreign"),
        (slots.held as usize, "held"),
        (in_progress, "in progress"),
        (of(SlotState::Failed), "failed"),
        (limit.saturating_sub(used), "free"),
    ];
    let words: Vec<String> =
        counts.into_iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")).collect();
    let goes: Vec<String> = kind.plans.iter().flat_map(|plan| &plan.deletes).map(ToString::to_string).collect();
    SlotBoxes {
        label: format!("{used} of {limit} slots taken: {}", words.join(", ")),
        boxes: all.take(MOST).map(SlotState::drawn).collect(),
        used: format!("{used} of {limit}"),
        goes: (!goes.is_empty()).then(|| goes.join(", ")),
    }
}

/// A box of the legend, and what it means.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct LegendEntry {
    #[serde(flatten)]
    drawn: SlotBox,
    meaning: &'static str,
}

/// What each box means.
pub(super) const LEGEND: [LegendEntry; 15] = [
    entry(SlotState::Rule(KeepRule::Last), "kept by last"),
    entry(SlotState::Rule(KeepRule::Hourly), "hourly"),
    entry(SlotState::Rule(KeepRule::Daily), "daily"),
    entry(SlotState::Rule(KeepRule::Weekly), "weekly"),
    entry(SlotState::Rule(KeepRule::Monthly), "monthly"),
    entry(SlotState::Rule(KeepRule::Yearly), "yearly"),
    entry(SlotState::Within, "within a period"),
    entry(SlotState::Kept, "for another reason"),
    entry(SlotState::Held, "on hold"),
    entry(SlotState::Protected, "protected"),
    entry(SlotState::Foreign, "foreign"),
    entry(SlotState::InProgress, "in progress"),
    entry(SlotState::Failed, "failed"),
    entry(SlotState::Goes, "next to go"),
    entry(SlotState::Free, "free"),
];

const fn entry(slot: SlotState, meaning: &'static str) -> LegendEntry {
    LegendEntry { drawn: slot.drawn(), meaning }
}
