//! The border to redb: its errors become ours, its panics become errors.
//!
//! This module does not know what is read or written under it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(feature = "postgres")]
use crate::error::{DatabaseError, OpenError};
use crate::error::{Error, StorageError};

/// What went wrong in the storage engine or the disk. What it means to the caller is decided above.
#[derive(Debug)]
pub(crate) enum Failure {
    Io(io::Error),
    /// The disk shows something other than was written to it.
    Changed,
    Corrupt(&'static str),
    /// redb was closed, or stopped after an earlier I/O error.
    Stopped,
    Panicked,
    /// The database did not do what it was asked.
    #[cfg(feature = "postgres")]
    Database(DatabaseError),
}

pub(super) const CHANGED: &str = "a page is not what was written there";
pub(super) const ENDS_EARLY: &str = "the file ends early";

impl From<Failure> for StorageError {
    fn from(failure: Failure) -> Self {
        match failure {
            // A page that is named and is not there.
            Failure::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                StorageError::Corrupt(ENDS_EARLY)
            }
            Failure::Io(error) => StorageError::Io(Arc::new(error)),
            Failure::Changed => StorageError::Corrupt(CHANGED),
            Failure::Corrupt(what) => StorageError::Corrupt(what),
            Failure::Stopped => StorageError::Stopped,
            Failure::Panicked => StorageError::Panicked,
            #[cfg(feature = "postgres")]
            Failure::Database(error) => StorageError::Database(error),
        }
    }
}

#[cfg(feature = "postgres")]
impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        StorageError::from(failure).into()
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Error::Storage(failure.into())
    }
}

// redb's texts are not passed on: they are not ours to vouch for (R52).
impl From<redb::StorageError> for Failure {
    fn from(error: redb::StorageError) -> Self {
        match error {
            // What a `Witness` says.
            redb::StorageError::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                Failure::Changed
            }
            redb::StorageError::Io(error) => Failure::Io(error),
            redb::StorageError::Corrupted(_) => Failure::Corrupt("pages that do not fit together"),
            redb::StorageError::PreviousIo | redb::StorageError::DatabaseClosed => Failure::Stopped,
            redb::StorageError::LockPoisoned(_) => Failure::Panicked,
            _ => Failure::Corrupt("a request that the storage engine refuses"),
        }
    }
}

impl From<redb::TableError> for Failure {
    fn from(error: redb::TableError) -> Self {
        match error {
            redb::TableError::Storage(error) => error.into(),
            _ => Failure::Corrupt("a table is missing or of another type"),
        }
    }
}

impl From<redb::CursorError> for Failure {
    fn from(error: redb::CursorError) -> Self {
        match error {
            redb::CursorError::Storage(error) => error.into(),
            _ => Failure::Corrupt("a new row that is there already"),
        }
    }
}

impl From<redb::TransactionError> for Failure {
    fn from(error: redb::TransactionError) -> Self {
        match error {
            redb::TransactionError::Storage(error) => error.into(),
            _ => Failure::Stopped,
        }
    }
}

impl From<redb::CommitError> for Failure {
    fn from(error: redb::CommitError) -> Self {
        match error {
            redb::CommitError::Storage(error) => error.into(),
            _ => Failure::Stopped,
        }
    }
}

impl From<redb::DatabaseError> for Failure {
    fn from(error: redb::DatabaseError) -> Self {
        match error {
            redb::DatabaseError::Storage(error) => error.into(),
            _ => Failure::Corrupt("a state that the storage engine refuses"),
        }
    }
}

/// Runs what calls redb or another client of storage, and turns a panic into [`Failure::Panicked`].
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(Failure::Panicked))
}

/// Drops what belongs to redb. A panic in a drop says nothing that the caller could use: whatever
/// it left undone is found by the check at the next opening.
pub(super) fn drop_guarded<T>(value: T) {
    drop(catch_unwind(AssertUnwindSafe(|| drop(value))));
}

/// Why an opening of the file ended: nothing that it gave out reads from the file any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The store was reopened.
    Reopened,
    /// The store was closed.
    Closed,
}

/// Whether one opening of the file is still the present one, and whether it still works. Shared by
/// everything that reads through that opening.
#[derive(Default)]
pub(crate) struct Liveness {
    ended: AtomicU8,
    broken: AtomicBool,
    commits: AtomicU64,
    kept: Mutex<Option<Box<dyn Send>>>,
}

impl Liveness {
    pub(super) fn end(&self, why: Ended) {
        let why = match why {
            Ended::Reopened => 1,
            Ended::Closed => 2,
        };
        // A reopened store that is closed later stays "reopened" for its old snapshots, unless it
        // is closed: that is final.
        self.ended.fetch_max(why, Ordering::AcqRel);
        drop_guarded(self.kept().take());
    }

    fn kept(&self) -> MutexGuard<'_, Option<Box<dyn Send>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what reading through this opening needs, until the opening is ended or its last reader is
    /// gone.
    pub(super) fn keep(&self, needed: Box<dyn Send>) {
        *self.kept() = Some(needed);
    }

    pub(crate) fn ended(&self) -> Option<Ended> {
        match self.ended.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Ended::Reopened),
            _ => Some(Ended::Closed),
        }
    }

    /// Remembers a failure after which only opening the file again helps: redb refuses everything
    /// once a read or a write failed, and after a panic what it holds in memory may not fit
    /// together any more.
    pub(super) fn note(&self, failure: &Failure) {
        match failure {
            Failure::Io(_) | Failure::Changed | Failure::Stopped | Failure::Panicked => {
                self.broken.store(true, Ordering::Release);
            }
            Failure::Corrupt(_) => {}
            // Each transaction of a database stands by itself.
            #[cfg(feature = "postgres")]
            Failure::Database(_) => {}
        }
    }

    /// Counts a commit through this opening.
    pub(super) fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    /// How many commits were made through this opening.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }
}
