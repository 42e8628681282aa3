//! What a first policy file is made from: the account, and what a person said or left to the defaults.

use crate::policy::inventory::{Kind, ServerRef};

/// The answers to every question.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    /// Whose account it is, as the provider gives it.
    pub(super) account: String,
    /// The provider's address, unless it is the default.
    pub(super) url: Option<String>,
    /// Where the token comes from.
    pub(super) token: TokenLine,
    /// What is created.
    pub(super) kind: Kind,
    /// How many points of that kind a server may have.
    pub(super) slots: u32,
    /// Its servers; none means every server that there will be.
    pub(super) servers: Vec<ChosenServer>,
    /// When, by the clock of the zone.
    pub(super) at: TimeOfDay,
    /// An IANA name.
    pub(super) timezone: String,
    /// What is kept.
    pub(super) keep: KeepAnswer,
    /// Who receives failure reports.
    pub(super) mail: Option<MailAnswer>,
}

/// A server that gets the policy.
#[derive(Clone, Debug)]
pub(super) struct ChosenServer {
    /// Its id and name.
    pub(super) reference: ServerRef,
    /// Slots taken by points that will not be the policy's.
    pub(super) taken: u32,
}

/// What the file says about the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenLine {
    /// It names this file.
    File(String),
    /// Nothing: the credential of the service is used.
    Credential,
    /// Nothing: the environment variable is used.
    Variable,
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeOfDay {
    pub(super) hour: u8,
    pub(super) minute: u8,
}

impl TimeOfDay {
    /// Reads `HH:MM`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let number = |text: &str, below: u8| {
            let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u8>().ok().filter(|number| digits && *number < below)
        };
        let parts =
            text.trim().split_once(':').and_then(|(hour, minute)| Some((number(hour, 24)?, number(minute, 60)?)));
        let (hour, minute) =
            parts.ok_or_else(|| format!("`{}` is not a time of day, as in 02:30", text.escape_debug()))?;
        Ok(Self { hour, minute })
    }
}

/// What is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeepAnswer {
    /// What fits beside the points of others.
    Fitting,
    /// These rules, as the file writes them: `daily = 4, weekly = 3`.
    Rules(String),
}

/// Who receives failure reports.
#[derive(Clone, Debug)]
pub(super) struct MailAnswer {
    pub(super) to: Vec<String>,
    pub(super) from: String,
    pub(super) host: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_two_numbers_within_their_bounds() {
        assert_eq!(TimeOfDay::parse(" 2:05"), Ok(TimeOfDay { hour: 2, minute: 5 }));
        assert_eq!(TimeOfDay::parse("23:59"), Ok(TimeOfDay { hour: 23, minute: 59 }));
        for text in ["", "2", "24:00", "12:60", "-1:00", "+2:30", "002:30", "2:30:00", "noon"] {
            assert!(TimeOfDay::parse(text).is_err(), "{text}");
        }
    }
}
