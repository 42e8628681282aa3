//! Why a run cannot continue now, and why a server's list cannot be read.

use crate::provider::ProviderError;
use crate::store::StoreError;

/// Why a run cannot continue now. It stays open in the journal and is resumed by the next start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state cannot be written: nothing more is sent.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The process is shutting down.
    #[error("stopped: the run is resumed by the next start")]
    Stopped,
}

/// Why a server cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The provider's list cannot be read.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The run cannot continue.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl InspectError {
    /// What the provider said.
    ///
    /// # Errors
    /// An error that is not the provider's, and ends the run for now.
    pub fn by_provider(self) -> Result<ProviderError, RunError> {
        match self {
            Self::Provider(error) => Ok(error),
            Self::Run(error) => Err(error),
        }
    }
}

impl From<StoreError> for InspectError {
    fn from(error: StoreError) -> Self {
        Self::Run(error.into())
    }
}
