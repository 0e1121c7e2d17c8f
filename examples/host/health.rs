//! What is said of the store while it takes no writes, and bringing that back after a failed commit.
//!
//! A store whose commit failed refuses writes until it is reopened (R49), one whose file is gone from its
//! path until an operator has brought it back (R69). It knows nothing of HTTP.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contact_store::{Backoff, ContactStore, DatabaseStats, Error, KeepOpen, Reopening};

use super::causes::WithCauses;
use super::log::HOST;

/// The time that the database has to say that it answers: less than a check of the health waits.
pub(crate) const DATABASE_TIME: Duration = Duration::from_secs(2);

/// Whether nothing was heard from the database lately. A busy one answers all the time.
pub(crate) fn is_silent(database: DatabaseStats) -> bool {
    database.since_answer > Duration::from_secs(1)
}

/// Reopens the store whenever it failed, until it is closed or what this gives is dropped.
pub(crate) fn keep_open(store: &ContactStore) -> Result<KeepOpen, Error> {
    store.keep_open(Backoff::default(), |event| match event {
        Reopening::Waiting { wait } => {
            let millis = wait.as_millis();
            tracing::warn!(
                target: HOST,
                "the store takes no writes after a failure; it is reopened in {millis} ms"
            );
        }
        Reopening::Reopened { found } => {
            tracing::info!(target: HOST, "the store is reopened, at number {found}");
        }
        Reopening::Failed(error) => tracing::error!(target: HOST, "{}", WithCauses(error)),
        _ => {}
    })
}

/// Says that the file of the store is gone from its path, and that it is back: each once, not for every
/// request.
#[derive(Default)]
pub(crate) struct FilePath {
    said_gone: AtomicBool,
}

impl FilePath {
    /// Notes an error that the store gave.
    pub(crate) fn note(&self, error: &Error) {
        if matches!(error, Error::FileMoved) && !self.said_gone.swap(true, Ordering::Relaxed) {
            tracing::error!(target: HOST, "{error}");
        }
    }

    /// Notes that the store takes writes.
    pub(crate) fn note_well(&self) {
        if self.said_gone.swap(false, Ordering::Relaxed) {
            tracing::info!(target: HOST, "the file of the store is back at its path");
        }
    }
}
