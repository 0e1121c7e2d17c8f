//! The states that snapshots still show, which keep old pages of the file from being reused.
//!
//! This module does not know what a snapshot is read for.

use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::model::sequence::SequenceNumber;
use crate::storage::Committed;
use crate::sync::{Arc, Instant, Mutex, MutexGuard, PoisonError};

/// The states that were read and may still be held.
pub(crate) struct Pinned {
    /// The number of the state noted last, plus 1: most snapshots are of the same state.
    last: AtomicU64,
    states: Mutex<Vec<Seen>>,
}

struct Seen {
    state: Weak<Committed>,
    sequence: SequenceNumber,
    since: Instant,
}

impl Pinned {
    pub(crate) fn new() -> Self {
        Pinned {
            last: AtomicU64::new(0),
            states: Mutex::new(Vec::new()),
        }
    }

    /// Notes that a state is read.
    pub(crate) fn note(&self, state: &Arc<Committed>, sequence: SequenceNumber) {
        let number = sequence.next().value();
        if self.last.swap(number, Ordering::Relaxed) == number {
            return;
        }
        let mut states = self.states();
        states.retain(|seen| seen.state.strong_count() > 0);
        states.push(Seen {
            state: Arc::downgrade(state),
            sequence,
            since: Instant::now(),
        });
    }

    /// The time since the oldest state before `present` that is still held was first read.
    pub(crate) fn oldest(&self, present: SequenceNumber) -> Option<Duration> {
        let mut states = self.states();
        states.retain(|seen| seen.state.strong_count() > 0);
        let old = states.iter().filter(|seen| seen.sequence < present);
        old.map(|seen| seen.since.elapsed()).max()
    }

    // A panic while the lock is held leaves no half-made change: each change is one row.
    fn states(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
