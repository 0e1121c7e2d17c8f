//! Whether the store takes writes, and bringing that back after a failed commit.
//!
//! A store whose commit failed refuses writes until it is reopened (R49). It knows nothing of HTTP.

use std::time::Duration;

use contact_store::{ContactStore, Error};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::causes::WithCauses;
use super::log::Log;

const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Who notes that the store failed, and who reopens it.
pub(crate) struct Health {
    /// Kept for whoever waits for it next: a failure right behind a reopening is not forgotten.
    failed: Notify,
}

impl Health {
    pub(crate) fn new() -> Self {
        Health {
            failed: Notify::new(),
        }
    }

    /// Notes an error that the store gave. Some say that it may have to be reopened.
    pub(crate) fn note(&self, error: &Error) {
        if matches!(
            error,
            Error::Indeterminate { .. } | Error::NeedsReopen | Error::Storage(_)
        ) {
            self.failed.notify_one();
        }
    }

    /// Reopens the store whenever it failed, until it is closed. Waits longer and longer while that
    /// does not help for long: reopening may read the whole file, and a full disk does not mend in an
    /// instant.
    pub(crate) async fn keep_open(&self, store: &ContactStore, log: &Log) {
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
            log.say(&format!(
                "the store takes no writes after a failure; it is reopened in {millis} ms"
            ));
            sleep(wait).await;
            let handle = store.clone();
            let reopened = spawn_blocking(move || handle.reopen()).await;
            tried = Some(Instant::now());
            match reopened {
                Ok(Ok(number)) => {
                    log.say(&format!(
                        "the store is reopened, at number {}",
                        number.value()
                    ));
                    continue;
                }
                Ok(Err(Error::Closed)) => return,
                Ok(Err(error)) => log.say(&WithCauses(&error).to_string()),
                Err(_) => log.say("reopening the store panicked"),
            }
            self.failed.notify_one();
        }
    }
}
