//! The policy file in force, as the state remembers it: the commands that run beside the daemon go by it while the file
//! on disk is not valid.

use jiff::Timestamp;

use crate::status::PolicyFileStatus;
use crate::store::{Store, StoreError};

/// The fact that holds the text of the file in force.
const IN_FORCE: &str = "policy_file";
/// The fact that holds when it came into force.
const LOADED_AT: &str = "policy_file_loaded_at";
/// The fact that holds why the last reload was refused.
const REFUSED: &str = "refused_reload";

/// Records the text of the file that is in force from `at` on; an earlier refusal is forgotten.
///
/// # Errors
/// What the state says.
pub(crate) async fn put_in_force(store: &Store, text: String, at: Timestamp) -> Result<(), StoreError> {
    store.set_facts(vec![(REFUSED, None), (LOADED_AT, Some(at.to_string())), (IN_FORCE, Some(text))]).await
}

/// Records why the file was refused. The one in force stays in force.
///
/// # Errors
/// What the state says.
pub(crate) async fn refuse_file(store: &Store, errors: String) -> Result<(), StoreError> {
    store.set_fact(REFUSED, Some(errors)).await
}

/// The text of the file that was last in force here.
///
/// # Errors
/// What the state says.
pub(crate) async fn file_in_force(store: &Store) -> Result<Option<String>, StoreError> {
    store.fact(IN_FORCE).await
}

/// Whether the file in force was followed by one that was refused, and why; and since when it is in force.
///
/// # Errors
/// What the state says.
pub(super) async fn file_status(store: &Store) -> Result<(PolicyFileStatus, Option<String>), StoreError> {
    let loaded_at = store.fact(LOADED_AT).await?.and_then(|text| text.parse().ok());
    let errors = store.fact(REFUSED).await?;
    Ok((PolicyFileStatus { loaded_at, refused: errors.is_some() }, errors))
}
