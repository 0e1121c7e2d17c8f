//! Whether the store takes writes, and bringing that back after a failed commit.
//!
//! A store whose commit failed refuses writes until it is reopened (R49). It knows nothing of HTTP.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contact_store::{ContactStore, Error};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::causes::WithCauses;
use super::log::HOST;

const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Who notes that the store failed, and who reopens it.
pub(crate) struct Health {
    /// Kept for whoever waits for it next: a failure right behind a reopening is not forgotten.
    failed: Notify,
    /// It was said that the file is gone from its path: once, not for each request.
    moved: AtomicBool,
}

impl Health {
    pub(crate) fn new() -> Self {
        Health {
            failed: Notify::new(),
            moved: AtomicBool::new(false),
        }
    }

    /// Notes an error that the store gave. Some say that it may have to be reopened; for a file that is
    /// gone from its path (R69) only an operator can do something.
    pub(crate) fn note(&self, error: &Error) {
        if matches!(error, Error::FileMoved) && !self.moved.swap(true, Ordering::Relaxed) {
            tracing::error!(target: HOST, "{error}");
        }
        if matches!(
            error,
            Error::Indeterminate { .. } | Error::NeedsReopen | Error::Storage(_)
        ) {
            self.failed.notify_one();
        }
    }

    /// Notes that the store takes writes.
    pub(crate) fn note_well(&self) {
        if self.moved.swap(false, Ordering::Relaxed) {
            tracing::info!(target: HOST, "the file of the store is back at its path");
        }
    }

    /// Reopens the store whenever it failed, until it is closed. Waits longer and longer while that
    /// does not help for long: reopening may read the whole file, and a full disk does not mend in an
    /// instant.
    pub(crate) async fn keep_open(&self, store: &ContactStore) {
        let mut wait = SHORTEST_WAIT;
        let mut tried: Option<Instant> = None;
        loop {
            self.failed.notified().await;
            let handle = store.clone();
            let stats = spawn_blocking(move || handle.stats()).await;
            match stats {
                // The error was noted before the store was reopened, or is one that passes.
                Ok(Ok(stats)) if !stats.needs_reopen => continue,
                Ok(Err(Error::Closed)) => return,
                _ => {}
            }
            wait = match tried {
                Some(at) if at.elapsed() < LONGEST_WAIT => wait.saturating_mul(2).min(LONGEST_WAIT),
                _ => SHORTEST_WAIT,
            };
            let millis = wait.as_millis();
            tracing::warn!(
                target: HOST,
                "the store takes no writes after a failure; it is reopened in {millis} ms"
            );
            sleep(wait).await;
            let handle = store.clone();
            let reopened = spawn_blocking(move || handle.reopen()).await;
            tried = Some(Instant::now());
            match reopened {
                Ok(Ok(number)) => {
                    let number = number.value();
                    tracing::info!(target: HOST, "the store is reopened, at number {number}");
                    continue;
                }
                Ok(Err(Error::Closed)) => return,
                Ok(Err(error)) => tracing::error!(target: HOST, "{}", WithCauses(&error)),
                Err(_) => tracing::error!(target: HOST, "reopening the store panicked"),
            }
            self.failed.notify_one();
        }
    }
}
