//! Many threads on one store: what each is answered, in which order, and what becomes of pending
//! writes.

mod history;
mod linear;
mod pending;
mod racing;
mod reopening;

use std::sync::atomic::{AtomicU64, Ordering};

/// Passes numbers in the order in which things happen: what ended before something began has a
/// smaller one.
#[derive(Default)]
struct Ticks(AtomicU64);

impl Ticks {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}
