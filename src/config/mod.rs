//! The policy file: finds, reads and validates it, and reports every error and warning at once.
//!
//! `load` reads the file that `find` located and returns a [`Config`], or everything that is wrong with it. A `Config`
//! is valid in itself. [`Config::policies_for`], [`Config::unmatched`] and [`Config::overfilled`] answer what depends
//! on the account's servers.

mod account;
pub(crate) mod diagnostic;
mod duration;
pub(crate) mod environment;
pub(crate) mod error;
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
pub(crate) mod secret;
mod settings;
mod slot_sums;
mod validate;
mod value_error;
mod values;

pub(crate) use account::Overfill;
pub use diagnostic::Diagnostic;
pub(crate) use environment::find;
pub use environment::{Environment, FileLocation};
pub(crate) use error::{LoadError, SecretError};
pub use reference::reference;
pub(crate) use schema::schema;
pub use settings::Config;
pub(crate) use settings::{ProviderSettings, SecretSource};
pub(crate) use settings::{ReportTrigger, Smtp, SmtpTls, SmtpTransport};
pub(crate) use validate::Loaded;
pub(crate) use validate::policy_file_text;
pub(crate) use validate::provider_without_file;
pub(crate) use validate::state_dir;
pub use validate::{load, parse};

#[cfg(test)]
mod tests;
