//! A source of random bits that is passed in, so that a test can replay it.

use std::sync::{Arc, Mutex};

use rand::Rng;
use rand::rngs::StdRng;

/// Random bits. Clones share the source.
#[derive(Clone, Debug)]
pub struct Random(Arc<Mutex<StdRng>>);

impl Random {
    /// From a seeded generator.
    #[must_use]
    pub fn new(generator: StdRng) -> Self {
        Self(Arc::new(Mutex::new(generator)))
    }

    /// 64 random bits.
    #[must_use]
    pub fn bits(&self) -> u64 {
        self.0.lock().expect("no code panics while it holds the generator").next_u64()
    }
}
