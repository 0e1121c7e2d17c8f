//! Locks and threads of `shuttle`, under the names under which the writer knows those of `std`.

pub(crate) mod oneshot;

use std::cell::Cell;
use std::time::Duration;

pub(crate) use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, atomic};
pub(crate) use std::sync::PoisonError;

/// A cell that is written once: each use of it is a step, and who comes while it is made waits.
pub(crate) struct OnceLock<T> {
    step: atomic::AtomicBool,
    making: Mutex<()>,
    cell: std::sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        OnceLock {
            step: atomic::AtomicBool::new(false),
            making: Mutex::new(()),
            cell: std::sync::OnceLock::new(),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.step.load(atomic::Ordering::SeqCst);
        self.cell.get()
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(made) = self.get() {
            return made;
        }
        let making = self.making.lock().unwrap();
        // Nobody else makes it now, though this may take steps.
        let made = match self.cell.get() {
            Some(made) => made,
            None => {
                let made = make();
                self.cell.get_or_init(|| made)
            }
        };
        drop(making);
        made
    }
}

pub(crate) mod thread {
    //! Threads, and parking with a limit of time that can pass.

    use std::time::Duration;

    use shuttle::rand::Rng as _;

    use super::Instant;

    pub(crate) use shuttle::thread::{
        Builder, JoinHandle, Thread, current, park, spawn, yield_now,
    };

    /// Time passes, or this returns early, as it may; what was to be waited for comes in between or
    /// not.
    pub(crate) fn park_timeout(limit: Duration) {
        yield_now();
        if shuttle::rand::thread_rng().gen_bool(0.5) {
            Instant::pass(limit);
        }
    }
}

thread_local! {
    // All threads of `shuttle` run on one thread of the system.
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// A time of a clock that stands still unless somebody waits by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Self {
        Instant(NOW.get())
    }

    fn pass(by: Duration) {
        NOW.set(NOW.get() + by);
    }

    pub(crate) fn elapsed(&self) -> Duration {
        NOW.get() - self.0
    }

    pub(crate) fn checked_add(&self, by: Duration) -> Option<Self> {
        self.0.checked_add(by).map(Instant)
    }

    pub(crate) fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0)
    }
}
