//! How far the opening of a store has come, for a host that shows it.
//!
//! This module does not know what is read or written.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How far the opening of a store has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opening {
    /// What is being done.
    pub stage: OpeningStage,
    /// How much of it is done: bytes read, or rows written.
    pub done: u64,
    /// How much there is. An estimate: `done` may end a little below or above it.
    pub of: u64,
}

/// What opening is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpeningStage {
    /// The pages of the file are read and their checksums verified, after an unclean end of the last
    /// process also repaired. Counted in bytes.
    Verifying,
    /// A file of an older format is upgraded. Counted in rows.
    Upgrading,
}

/// What is told how far opening has come.
#[derive(Clone)]
pub(crate) struct Progress(pub(crate) Arc<dyn Fn(Opening) + Send + Sync>);

impl Progress {
    /// A panic of the host's function is the host's alone: opening goes on.
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
