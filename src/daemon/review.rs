//! When a policy file comes into force, sets a brake on every policy that would drop points that were kept before. They
//! are named in the log and in a mail, and kept until `lastgood accept`.

use jiff::Timestamp;

use crate::account::RetentionReview;
use crate::policy::task::Task;
use crate::run::{World, brake_changes};
use crate::store::StoreError;

/// Sets and releases these brakes.
///
/// # Errors
/// What the state says.
pub async fn brake_changed_retention(world: &World, tasks: &[Task], now: Timestamp) -> Result<(), StoreError> {
    let before = world.store.retentions().await?;
    let settings = world.settings();
    let (store, instance, settle) = (&world.store, settings.instance.as_str(), settings.settle);
    let review = RetentionReview { store, before: &before, instance, settle, slots: &settings.slots, now };
    for task in tasks {
        if let Some((brakes, kept)) = review.of(task).await? {
            store.brake(brake_changes(task, brakes, kept), now).await?;
        }
    }
    Ok(())
}
