//! Each rule of the checker is shown one record that breaks it, and one beside it that does not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
