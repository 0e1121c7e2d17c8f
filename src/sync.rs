//! What threads share and wait for each other with, and the clock that they wait by.
//!
//! The writer, and what readers read while it writes, take it from here and from nowhere else: the
//! tests put the same source on another `sync`, under which they choose at each step which thread goes
//! on (`tests/schedules`).

pub(crate) use std::sync::atomic;
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
pub(crate) use std::thread;
pub(crate) use std::time::Instant;

pub(crate) use futures_channel::oneshot;
