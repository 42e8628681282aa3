//! The page as people get it.
