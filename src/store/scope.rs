//! What the changes of one event, list or decision of a person belong to.

use jiff::Timestamp;

use crate::policy::inventory::{Kind, ServerRef};
use crate::policy::name::PolicyName;
use crate::store::StoreError;
use crate::store::transaction::Transaction;

/// What changes belong to, and the transaction that writes them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub tx: &'a Transaction<'a>,
    pub server: &'a ServerRef,
    pub kind: Kind,
    /// `None` where a person accepts brakes, whose changes each name their own.
    pub policy: Option<&'a PolicyName>,
    /// `None` if they follow from no run.
    pub run: Option<i64>,
    pub at: Timestamp,
}

impl<'a> Scope<'a> {
    /// The policy that they follow from.
    pub(super) fn policy(&self) -> Result<&'a PolicyName, StoreError> {
        self.policy.ok_or_else(|| StoreError::Value("a change that only a policy makes".to_owned()))
    }

    /// The run that they follow from.
    pub(super) fn run(&self) -> Result<i64, StoreError> {
        self.run.ok_or_else(|| StoreError::Value("a change that only a run makes".to_owned()))
    }
}
