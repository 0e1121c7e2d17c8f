//! Whether the store takes writes, and bringing that back after a failed commit.
//!
//! A store whose commit failed refuses writes until it is reopened (R49). It knows nothing of HTTP.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contact_store::{ContactStore, Error};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::log::Log;

const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How often the store failed, and which of these failures reopening has mended.
///
/// Numbers, not a flag: a write that fails right behind a reopening must not be forgotten.
pub(crate) struct Health {
    failures: watch::Sender<u64>,
    mended: AtomicU64,
}

impl Health {
    pub(crate) fn new() -> Self {
        Health {
            failures: watch::Sender::new(0),
            mended: AtomicU64::new(0),
        }
    }

    pub(crate) fn is_well(&self) -> bool {
        *self.failures.borrow() == self.mended.load(Ordering::SeqCst)
    }

    /// Notes an error that the store gave. Some say that it has to be reopened.
    pub(crate) fn note(&self, error: &Error) {
        if matches!(
            error,
            Error::Indeterminate { .. } | Error::NeedsReopen | Error::Storage(_)
        ) {
            self.failures
                .send_modify(|failures| *failures = failures.wrapping_add(1));
        }
    }

    /// Reopens the store whenever it failed, until it is closed. Waits longer and longer while that
    /// does not help: reopening reads the whole file, and a full disk does not mend in an instant.
    pub(crate) async fn keep_open(&self, store: &ContactStore, log: &Log) {
        let mut failures = self.failures.subscribe();
        let mut wait = SHORTEST_WAIT;
        let mut tried: Option<Instant> = None;
        loop {
            let mended = self.mended.load(Ordering::SeqCst);
            if failures
                .wait_for(|failures| *failures != mended)
                .await
                .is_err()
            {
                return;
            }
            wait = match tried {
                Some(at) if at.elapsed() < LONGEST_WAIT => wait.saturating_mul(2).min(LONGEST_WAIT),
                _ => SHORTEST_WAIT,
            };
            log.say(&format!(
                "the store failed and takes no writes; it is reopened in {} ms",
                wait.as_millis()
            ));
            sleep(wait).await;
            // Those that come while it is being reopened are not mended by it.
            let failed = *failures.borrow_and_update();
            let reopened = {
                let store = store.clone();
                tokio::task::spawn_blocking(move || store.reopen()).await
            };
            tried = Some(Instant::now());
            match reopened {
                Ok(Ok(number)) => {
                    self.mended.store(failed, Ordering::SeqCst);
                    log.say(&format!(
                        "the store is reopened, at number {}",
                        number.value()
                    ));
                }
                Ok(Err(Error::Closed)) => return,
                Ok(Err(error)) => log.say(&error.to_string()),
                Err(_) => log.say("reopening the store panicked"),
            }
        }
    }
}
