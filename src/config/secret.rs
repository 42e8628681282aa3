//! Secrets: the token and passwords. They never appear in `Debug`, errors or logs.

use secrecy::{ExposeSecret, SecretString};

/// A token or a password. `Debug` shows `[redacted]`; there is no `Display` and no `Serialize`.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a secret, without surrounding white space (such as the newline at the end of a file).
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text.trim().to_owned()))
    }

    /// The secret itself, for the one call that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_it() {
        assert_eq!(format!("{:?}", Secret::new("vps_abc\n")), "[redacted]");
        assert_eq!(Secret::new("vps_abc\n").expose(), "vps_abc");
    }
}
