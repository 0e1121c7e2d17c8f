//! Backups of the running store, into the one directory that the command line names (R66).
//!
//! The name of a file is made here, of the time and the sequence number: nothing of a request is in a
//! path. It knows nothing of HTTP but how a backup is refused.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use contact_store::{ContactStore, Error, SequenceNumber};
use serde::Serialize;

use super::answer::Refusal;
use super::causes::WithCauses;
use super::log::HOST;

/// The backups of a host, one at a time.
pub(crate) struct Backups {
    directory: Option<PathBuf>,
    under_way: AtomicBool,
    /// Set when the host ends: a backup would keep the store from closing.
    cancelled: AtomicBool,
    made: AtomicU64,
    failed: AtomicU64,
    /// When the last one was made, in seconds since 1970; 0 before the first.
    last_seconds: AtomicU64,
    last_bytes: AtomicU64,
}

/// A backup that was made, as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct Made {
    name: String,
    sequence: u64,
    rows: u64,
    bytes: u64,
    /// How long it took.
    seconds: f64,
}

/// What was made since the host started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackupStats {
    pub(crate) made: u64,
    pub(crate) failed: u64,
    pub(crate) last_seconds: u64,
    pub(crate) last_bytes: u64,
}

impl Backups {
    pub(crate) fn new(directory: Option<PathBuf>) -> Self {
        Backups {
            directory,
            under_way: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
            made: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            last_seconds: AtomicU64::new(0),
            last_bytes: AtomicU64::new(0),
        }
    }

    /// Takes the place of the one backup that may be under way.
    pub(crate) fn begin(self: &Arc<Self>) -> Result<UnderWay, Refusal> {
        let Some(directory) = self.directory.clone() else {
            return Err(Refusal::BACKUPS_OFF);
        };
        if self.under_way.swap(true, Ordering::AcqRel) {
            return Err(Refusal::BACKUP_UNDER_WAY);
        }
        Ok(UnderWay {
            backups: Arc::clone(self),
            directory,
        })
    }

    /// Cancels the backup under way, and any that is begun from now on.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> BackupStats {
        BackupStats {
            made: self.made.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            last_seconds: self.last_seconds.load(Ordering::Relaxed),
            last_bytes: self.last_bytes.load(Ordering::Relaxed),
        }
    }
}

/// The place of the one backup that may be under way, given back when it is dropped.
pub(crate) struct UnderWay {
    backups: Arc<Backups>,
    directory: PathBuf,
}

impl UnderWay {
    /// Makes the backup, and says in the log how that went. Takes as long as the disk does.
    pub(crate) fn make(self, store: &ContactStore) -> Result<Made, Error> {
        let backups = &self.backups;
        let made = self.copy(store);
        match &made {
            Ok(made) => {
                backups.made.fetch_add(1, Ordering::Relaxed);
                let now = since_1970().as_secs();
                backups.last_seconds.store(now, Ordering::Relaxed);
                backups.last_bytes.store(made.bytes, Ordering::Relaxed);
                let Made {
                    name,
                    sequence,
                    rows,
                    bytes,
                    seconds,
                } = made;
                tracing::info!(
                    target: HOST,
                    "backup {name} is made: sequence number {sequence}, {rows} rows, {bytes} bytes, {seconds} s"
                );
            }
            Err(error) => {
                backups.failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!(target: HOST, "the backup is not made: {}", WithCauses(error));
            }
        }
        made
    }

    fn copy(&self, store: &ContactStore) -> Result<Made, Error> {
        let began = Instant::now();
        let now = store.snapshot()?;
        let name = name(since_1970(), now.sequence());
        let made = now.backup(self.directory.join(&name), |_| {
            match self.backups.cancelled.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        let millis = began.elapsed().as_millis();
        Ok(Made {
            name,
            sequence: made.sequence.value(),
            rows: made.rows,
            bytes: made.bytes,
            // Far below the 2^53 from which on a float loses digits.
            seconds: millis as f64 / 1e3,
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.backups.under_way.store(false, Ordering::Release);
    }
}

/// Names in the order of their text are in the order in which they were made.
fn name(time: Duration, sequence: SequenceNumber) -> String {
    let time = UNIX_EPOCH.checked_add(time).unwrap_or(UNIX_EPOCH);
    let time = humantime::format_rfc3339_millis(time).to_string();
    // Some file systems and shells have trouble with a colon.
    let time = time.replace(['-', ':'], "");
    format!("contacts-{time}-{sequence}.redb")
}

/// A clock before 1970 counts as 1970.
fn since_1970() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}
