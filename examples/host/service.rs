//! The store as the endpoints use it: writes are awaited, reads go to threads that may wait.
//!
//! Every error of the store comes through here, so that none goes by unnoticed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use contact_store::{
    ChangePosition, Committed, ContactStore, DatabaseError, Error, KeepOpen, Limits, MatchPolicy,
    Pending, Snapshot, StorageError,
};
use tokio::sync::{Mutex, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::answer::Refusal;
use super::backups::{Backups, Made};
use super::guard::Guard;
use super::health::{self, FilePath};
use super::memory_budget::MemoryBudget;

/// How a host serves.
pub(crate) struct Settings {
    pub(crate) guard: Guard,
    pub(crate) limits: Limits,
    /// Under which policy contacts are found unless the request says.
    pub(crate) policy: MatchPolicy,
    /// For the body of one request.
    pub(crate) body_time: Duration,
    /// Bytes of bodies that are held at the same time.
    pub(crate) body_bytes: usize,
    /// For one answer: to wait for its share of memory before it is made, and to be taken by the client.
    pub(crate) answer_time: Duration,
    /// Bytes of answers that are held at the same time, until their clients have taken them.
    pub(crate) answer_bytes: usize,
    /// Where backups go; without it none are made.
    pub(crate) backup_directory: Option<PathBuf>,
    /// Whether the page for people is served.
    pub(crate) console: bool,
}

impl Settings {
    pub(crate) fn new(guard: Guard, limits: Limits) -> Self {
        Settings {
            guard,
            limits,
            policy: MatchPolicy::default(),
            body_time: Duration::from_secs(30),
            body_bytes: 64 << 20,
            answer_time: Duration::from_secs(30),
            answer_bytes: 256 << 20,
            backup_directory: None,
            console: false,
        }
    }
}

/// The store with what surrounds it. All clones are one service.
#[derive(Clone)]
pub(crate) struct Service(Arc<Inner>);

struct Inner {
    store: ContactStore,
    settings: Settings,
    file_path: FilePath,
    bodies: MemoryBudget,
    answers: MemoryBudget,
    backups: Arc<Backups>,
    asking_database: Arc<Mutex<()>>,
    /// Says `true` once nobody is to wait any more.
    ending: watch::Sender<bool>,
}

impl Service {
    pub(crate) fn new(store: ContactStore, settings: Settings) -> Self {
        Service(Arc::new(Inner {
            store,
            file_path: FilePath::default(),
            bodies: MemoryBudget::new(settings.body_bytes),
            answers: MemoryBudget::new(settings.answer_bytes),
            backups: Arc::new(Backups::new(settings.backup_directory.clone())),
            asking_database: Arc::default(),
            ending: watch::Sender::new(false),
            settings,
        }))
    }

    pub(crate) fn store(&self) -> &ContactStore {
        &self.0.store
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn bodies(&self) -> &MemoryBudget {
        &self.0.bodies
    }

    pub(crate) fn answers(&self) -> &MemoryBudget {
        &self.0.answers
    }

    pub(crate) fn backups(&self) -> &Backups {
        &self.0.backups
    }

    /// Waits until there are changes after a position, in no thread. Comes back without any when `time` is
    /// over and when the host ends.
    pub(crate) async fn wait_for_changes(
        &self,
        after: ChangePosition,
        time: Duration,
    ) -> Result<(), Refusal> {
        let mut ending = self.0.ending.subscribe();
        tokio::select! {
            waited = timeout(time, self.0.store.wait_for_changes(after)) => {
                let waited = waited.unwrap_or(Ok(())).map_err(Refusal::from);
                waited.inspect_err(|refusal| self.note(refusal))
            }
            // The sender lives as long as this.
            _ = ending.wait_for(|ending| *ending) => Ok(()),
        }
    }

    /// Ends the waiting of all that wait for changes.
    pub(crate) fn end_waits(&self) {
        self.0.ending.send_replace(true);
    }

    pub(crate) fn is_ending(&self) -> bool {
        *self.0.ending.borrow()
    }

    /// Makes a backup, on a thread that may wait. A client that goes away does not cancel it.
    pub(crate) async fn backup(&self) -> Result<Made, Refusal> {
        let begun = self.0.backups.begin()?;
        self.ask(move |store| Ok(begun.make(store)?)).await
    }

    /// Refuses when the store takes no writes, or its database cannot be reached. Gives the engine of the
    /// store.
    pub(crate) async fn check_health(&self) -> Result<&'static str, Refusal> {
        let stats = self.ask(|store| Ok(store.stats()?)).await?;
        if stats.needs_reopen {
            return Err(Error::NeedsReopen.into());
        }
        if stats.file_moved {
            return Err(Error::FileMoved.into());
        }
        if stats.database.is_some_and(health::is_silent) {
            self.ask_database().await?;
        }
        self.0.file_path.note_well();
        Ok(stats.engine)
    }

    /// Asks the database whether it answers. One asks at a time: where it does not answer, each takes a thread
    /// for as long as the store is patient.
    async fn ask_database(&self) -> Result<(), Refusal> {
        let asking = Arc::clone(&self.0.asking_database);
        let asked = timeout(health::DATABASE_TIME, async {
            let asking = asking.lock_owned().await;
            self.ask(move |store| {
                let _asking = asking;
                match store.stats()?.database {
                    Some(database) if health::is_silent(database) => {
                        Ok(store.snapshot().map(drop)?)
                    }
                    _ => Ok(()),
                }
            })
            .await
        });
        asked.await.unwrap_or_else(|_| {
            let unreachable = StorageError::Database(DatabaseError::Unreachable);
            Err(Error::Storage(unreachable).into())
        })
    }

    /// Reopens the store whenever that is needed, while what this gives is held.
    pub(crate) fn keep_open(&self) -> Result<KeepOpen, Error> {
        health::keep_open(self.store())
    }

    /// Awaits a write. Who goes away does not cancel it: it is queued already.
    pub(crate) async fn written<T>(&self, write: Pending<T>) -> Result<Committed<T>, Refusal> {
        let committed = write.await.map_err(Refusal::from);
        committed.inspect_err(|refusal| self.note(refusal))
    }

    /// Answers from the last durable state, on a thread that may wait: what is read may have to come
    /// from the disk, and a thread of the runtime has all other connections to serve. The answer
    /// takes its share of the budget of all answers.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Snapshot, &MemoryBudget) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let budget = self.0.answers.clone();
        self.ask(move |store| read(&store.snapshot()?, &budget))
            .await
    }

    /// Asks the store something, on a thread that may wait.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&ContactStore) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let store = self.0.store.clone();
        let asked = spawn_blocking(move || ask(&store)).await;
        // It panicked: what it says is on standard error, and holds no value of a request (R52).
        let asked = asked.unwrap_or(Err(Error::Panicked.into()));
        asked.inspect_err(|refusal| self.note(refusal))
    }

    fn note(&self, refusal: &Refusal) {
        if let Refusal::Store(error) = refusal {
            self.0.file_path.note(error);
        }
    }
}
