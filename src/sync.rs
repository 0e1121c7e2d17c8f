//! What threads synchronize with, and the clock that they wait by.
//!
//! The writer, and everything that readers read while it writes, use these alone. The tests build
//! the same sources with another `sync`, which lets them choose at each step which thread runs next
//! (`tests/schedules`).

pub(crate) use std::sync::atomic;
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
pub(crate) use std::thread;
pub(crate) use std::time::Instant;

pub(crate) use futures_channel::oneshot;
