//! What changes when a run cannot be read back: it is set aside.

use jiff::Timestamp;

use crate::journal::effects::change::{Change, TokenState};
use crate::journal::effects::debt::DebtEvent;
use crate::journal::notice::{Fact, FailedRun, Good, Notice, RunProblem};
use crate::policy::inventory::{Kind, ServerRef};
use crate::policy::mark::Token;
use crate::policy::name::PolicyName;

/// What is known about a run that cannot be read back.
#[derive(Clone, Debug)]
pub(crate) struct UnreadableRun {
    /// Its number.
    pub run: i64,
    /// The server.
    pub server: ServerRef,
    /// The policy.
    pub policy: PolicyName,
    /// The kind of restore point.
    pub kind: Kind,
    /// Its due time.
    pub due: Option<Timestamp>,
    /// The tokens of its creates whose outcome is open.
    pub open_tokens: Vec<Token>,
}

/// What changes when the run is set aside.
#[must_use]
pub(crate) fn set_aside(run: &UnreadableRun) -> Vec<Change> {
    // If its point appears later, its token proves it ours.
    let undecided = |token: &Token| Change::TokenSettled { token: token.clone(), state: TokenState::Undecided };
    let tokens = run.open_tokens.iter().map(undecided);
    std::iter::once(Change::RunSetAside).chain(tokens).chain([Change::Debt(DebtEvent::Left)]).collect()
}

/// What is reported about it: why it cannot be read, and the last good point of its policy.
#[must_use]
pub(crate) fn report_of_set_aside(run: UnreadableRun, error: String, last_good: Option<Good>) -> Notice {
    let fact = Fact::Failed(FailedRun {
        run: Some(run.run),
        due: run.due,
        tries: None,
        problem: RunProblem::Unreadable { error },
        last_good,
        next: None,
        made: None,
        deleted: Vec::new(),
    });
    Notice { policy: Some(run.policy), kind: Some(run.kind), ..Notice::of_server(run.server, fact) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::samples::{key, mark};

    #[test]
    fn a_run_that_is_set_aside_leaves_its_creates_undecided_and_its_server_to_the_watch() {
        let token = mark("ourtoken").token;
        let run = UnreadableRun {
            run: 7,
            server: key().server,
            policy: "nightly".parse().unwrap(),
            kind: Kind::Snapshot,
            due: None,
            open_tokens: vec![token.clone()],
        };
        let undecided = Change::TokenSettled { token, state: TokenState::Undecided };
        assert_eq!(set_aside(&run), [Change::RunSetAside, undecided, Change::Debt(DebtEvent::Left)]);
        let notice = report_of_set_aside(run, "no JSON".to_owned(), None);
        let Fact::Failed(failed) = &notice.fact else { panic!("{notice:?}") };
        assert_eq!(failed.problem, RunProblem::Unreadable { error: "no JSON".to_owned() });
        assert_eq!((failed.run, notice.policy.as_deref()), (Some(7), Some("nightly")));
    }
}
