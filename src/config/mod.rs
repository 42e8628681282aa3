//! The policy file: read, validated, all errors at once.
pub mod secret;
