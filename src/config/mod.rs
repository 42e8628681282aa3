//! The policy file: finds, reads and validates it, and reports every error and warning at once.
//!
//! `load` reads the file that `find` located and returns a [`Config`], or everything that is wrong with it. A `Config`
//! is valid in itself. [`Config::policies_for`], [`Config::unmatched`] and [`Config::overfilled`] answer what depends
//! on the account's servers.

mod account;
pub mod diagnostic;
mod duration;
pub mod environment;
pub mod error;
mod file;
mod key_spec;
mod keys;
mod mail;
mod mask;
mod names;
mod policies;
mod reader;
mod reference;
mod schema;
pub mod secret;
mod settings;
mod slot_sums;
mod validate;
mod value_error;
mod values;

pub use account::{Overfill, Unmatched};
pub use diagnostic::{Diagnostic, Severity};
pub use environment::{Environment, FileLocation, find};
pub use error::{LoadError, SecretError};
pub use reference::reference;
pub(crate) use schema::schema;
pub use settings::{
    Config, Override, ProviderSettings, Report, ReportTrigger, SecretSource, SlotLimits, Smtp, SmtpTls, SmtpTransport,
    StatusSettings,
};
pub use slot_sums::SelectorSlots;
pub use validate::{Loaded, load, parse, state_dir};
pub(crate) use validate::{policy_file_text, provider_without_file};

#[cfg(test)]
mod tests;
