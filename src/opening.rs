//! The progress of opening a store, for a host that shows it.
//!
//! This module does not know what is read or written.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The progress of opening a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opening {
    /// The current stage.
    pub stage: OpeningStage,
    /// The amount done: bytes read, or rows written.
    pub done: u64,
    /// The total amount. It is an estimate: `done` may end a little below or above it.
    pub of: u64,
}

/// A stage of opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpeningStage {
    /// Reading the pages of the file and verifying their checksums, and repairing the file if it
    /// was not closed cleanly. Counted in bytes.
    Verifying,
    /// Upgrading a file of an older format. Counted in rows.
    Upgrading,
}

/// The host's function that is told the progress of opening.
#[derive(Clone)]
pub(crate) struct Progress(pub(crate) Arc<dyn Fn(Opening) + Send + Sync>);

impl Progress {
    /// Calls the host's function. If it panics, opening goes on.
    pub(crate) fn tell(&self, stage: OpeningStage, done: u64, of: u64) {
        let opening = Opening { stage, done, of };
        drop(catch_unwind(AssertUnwindSafe(|| (self.0)(opening))));
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress(<function>)")
    }
}
