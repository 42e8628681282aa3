//! The policy file in force, as the state remembers it: the commands that run beside the daemon go by it while the file
//! on disk is not valid.

use crate::store::{Store, StoreError};

/// The fact that holds the text of the file in force.
const IN_FORCE: &str = "policy_file";
/// The fact that holds why the last reload was refused.
const REFUSED: &str = "refused_reload";

/// Records the text of the file that is in force from now on; an earlier refusal is forgotten.
///
/// # Errors
/// What the state says.
pub async fn put_in_force(store: &Store, text: String) -> Result<(), StoreError> {
    store.set_fact(REFUSED, None).await?;
    store.set_fact(IN_FORCE, Some(text)).await
}

/// Records why the file was refused. The one in force stays in force.
///
/// # Errors
/// What the state says.
pub async fn refuse_file(store: &Store, errors: String) -> Result<(), StoreError> {
    store.set_fact(REFUSED, Some(errors)).await
}

/// The text of the file that was last in force here.
///
/// # Errors
/// What the state says.
pub async fn file_in_force(store: &Store) -> Result<Option<String>, StoreError> {
    store.fact(IN_FORCE).await
}

/// Why the last reload was refused; `None` when it was not.
///
/// # Errors
/// What the state says.
pub(super) async fn refusal(store: &Store) -> Result<Option<String>, StoreError> {
    store.fact(REFUSED).await
}
