//! The store's handle: one method an operation.
//!
//! The only place that reads the clock (R54). What an operation does is in the module named after
//! it.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Weak};

use crate::error::{Error, OpenError, StorageError};
use crate::limits::LimitExceeded;
use crate::model::app::AppId;
use crate::model::identifier::ContactId;
use crate::model::sequence::SequenceNumber;
use crate::model::time::Timestamp;
use crate::operations::add_tokens::{AddTokens, TokensAdded};
use crate::operations::connect_app::{ConnectApp, DisconnectApp};
use crate::operations::erase::{Erase, Erased};
use crate::operations::explain::ExplainedBy;
use crate::operations::forget_messages::{ForgetMessages, MessagesForgotten};
use crate::operations::operation::Operation;
use crate::operations::outcomes::Outcomes;
use crate::operations::record_reports::{RecordReports, ReportOutcome};
use crate::operations::remove_token::{RemoveToken, TokenRemoved};
use crate::operations::rename_token::{RenameToken, TokenRenamed};
use crate::operations::upsert::{ContactUpserted, Upsert};
use crate::options::{Check, Create, Options, WhenFull};
use crate::pinned::Pinned;
use crate::snapshot::Snapshot;
use crate::stats::{Space, Stats};
use crate::storage::{Disk, Engine, FileWatch, Location, MemoryDisk, OpenAs};
use crate::writer::{Pending, Writer};

/// An open contact store.
///
/// A handle: cheap to clone, `Send` and `Sync`. All clones are the same store. Reads go to a
/// [`Snapshot`]; each write has a method that queues it and gives a [`Pending`] to wait for, on a
/// thread or in a task. Dropping the last handle closes the store, and waits for the disk as
/// [`close`](Self::close) does.
///
/// # Errors of every write
///
/// Besides what the method names: [`Error::Busy`] when too many requests wait, [`Error::Closed`],
/// [`Error::ReadOnly`] when the store was opened for reading only,
/// [`Error::NeedsReopen`] after a failed commit or read, [`Error::FileMoved`] while the file is not at
/// its path, [`Error::Indeterminate`] when its own
/// commit fails, [`Error::Storage`] when a row that it needs cannot be read. After any of them but
/// `Indeterminate`, nothing of the request was written, except by
/// [`forget_messages`](Self::forget_messages), which goes in steps.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = ContactStore::open_in_memory(Options::default())?;
/// let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
/// assert_eq!(store.snapshot()?.apps()?[0].id, bot);
/// store.close()?;
/// assert!(matches!(store.snapshot(), Err(Error::Closed)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ContactStore {
    inner: Arc<Inner>,
    when_full: WhenFull,
}

struct Inner {
    writer: Writer,
    options: Options,
    /// What snapshots explain by.
    explained_by: Arc<ExplainedBy>,
    /// Weak: a handle of a closed store must not keep the file, and with it the lock.
    disk: Weak<dyn Disk>,
    wider_mode: Option<u32>,
    pinned: Pinned,
    watch: Option<Arc<FileWatch>>,
}

impl ContactStore {
    /// Opens the store in the file at `path`, or creates it, as the options say.
    ///
    /// A new file is readable by its owner alone, and is there whole or not at all, also after a
    /// power cut. An existing one is verified before a byte of it is changed (R50). A store is open
    /// once at a time, in one process (R51).
    ///
    /// # Errors
    ///
    /// [`Error::Open`]: see [`OpenError`]. The file is as it was.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        Self::open_at(&Location::File(path.as_ref().to_owned()), options)
    }

    /// Creates an empty store in memory, which is gone with its last handle: for tests of a host.
    /// No promise about crashes holds for it.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] when the system gives no random bytes or no thread.
    pub fn open_in_memory(options: Options) -> Result<Self, Error> {
        Self::open_at(&Location::Disk(Arc::new(MemoryDisk::default())), options)
    }

    /// Opens a store on a disk of the caller's making.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn open_on_disk(disk: Arc<dyn Disk>, options: Options) -> Result<Self, Error> {
        Self::open_at(&Location::Disk(disk), options)
    }

    fn open_at(place: &Location, options: Options) -> Result<Self, Error> {
        options.limits.refuse_zero().map_err(OpenError::from)?;
        options.limits.validate().map_err(OpenError::from)?;
        let open_as = OpenAs {
            may_create: options.create != Create::Never && !options.read_only,
            must_create: options.create == Create::Always,
            check_clean: options.check == Check::Always,
            cache_bytes: options.cache_bytes,
            index_memory: options.index_memory,
            card_memory: options.card_memory,
            upgrade: options.upgrade && !options.read_only,
            read_only: options.read_only,
            progress: options.progress(),
            folding: options.folding(),
            now: options.clock.now(),
            hash_mask: options.hash_mask(),
            format: options.format(),
            random: options.random(),
        };
        let (engine, snapshot) = Engine::open(place, open_as)?;
        let disk = engine.disk();
        let wider_mode = engine.wider_mode();
        let watch = engine.watch();
        let writer = Writer::start(engine, snapshot, &options.limits)?;
        let explained_by = ExplainedBy {
            unknown_contact_id: options.unknown_contact_id,
            invalid_identifier: options.invalid_identifier,
            placeholders: options.placeholders.clone(),
        };
        let inner = Inner {
            writer,
            options,
            explained_by: Arc::new(explained_by),
            disk,
            wider_mode,
            pinned: Pinned::new(),
            watch,
        };
        Ok(ContactStore {
            inner: Arc::new(inner),
            when_full: WhenFull::default(),
        })
    }

    /// A handle of the same store whose writes do this when too many requests wait.
    #[must_use]
    pub fn when_full(&self, when_full: WhenFull) -> Self {
        ContactStore {
            inner: Arc::clone(&self.inner),
            when_full,
        }
    }

    /// The last durable state, for reading.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::NeedsReopen`] while the store is being reopened, and when that
    /// failed.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        let tables = self.inner.writer.committed()?;
        self.inner.pinned.note(&tables, tables.counts().sequence);
        Ok(Snapshot::new(tables, Arc::clone(&self.inner.explained_by)))
    }

    /// Connects an app, or changes the name or key of a connected one (R11). Gives its id.
    ///
    /// # Errors
    ///
    /// Those of every write.
    pub fn connect_app(&self, request: ConnectApp) -> Pending<AppId> {
        self.submit(request.prepare(self.now()))
    }

    /// Disconnects an app: from then on it is unknown, and its tokens are on no card and in no
    /// count. What they leave in the file is removed in bounded steps, in the background (R11).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`]; those of every write.
    pub fn disconnect_app(&self, app: AppId) -> Pending<()> {
        self.submit(DisconnectApp(app))
    }

    /// Adds tokens to the cards of the contacts that their identifiers name, and creates contacts
    /// (R13–R25).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`]; [`Error::LimitExceeded`]; [`Error::EntryRefused`] in the mode
    /// [`BatchMode::AllOrNothing`](crate::BatchMode::AllOrNothing); those of every write. A refused
    /// entry is otherwise no error of the request but in its outcome.
    pub fn add_tokens(&self, request: AddTokens) -> Pending<TokensAdded> {
        let options = &self.inner.options;
        self.submit_prepared(request.prepare(
            options.in_force(),
            &options.placeholders,
            options.limits,
            self.now(),
        ))
    }

    /// Records delivery reports; FAILED with reason Forbidden removes the token (R30–R36).
    ///
    /// # Errors
    ///
    /// As for [`add_tokens`](ContactStore::add_tokens).
    pub fn record_reports(&self, request: RecordReports) -> Pending<Outcomes<ReportOutcome>> {
        let options = &self.inner.options;
        self.submit_prepared(request.prepare(
            options.failed_without_reason,
            &options.gone_phrases,
            options.limits,
            self.now(),
        ))
    }

    /// Creates contacts and updates their identifiers and fields (R41–R43). Touches no token.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`]; [`Error::EntryRefused`] in the mode
    /// [`BatchMode::AllOrNothing`](crate::BatchMode::AllOrNothing); those of every write. A refused
    /// item is otherwise no error of the request but in its outcome.
    pub fn upsert(&self, request: Upsert) -> Pending<Outcomes<ContactUpserted>> {
        let options = &self.inner.options;
        self.submit_prepared(request.prepare(
            options.unknown_contact_id,
            &options.placeholders,
            options.limits,
            self.now(),
        ))
    }

    /// Takes a token off the card of one contact, or of all (R45).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`]; those of every write. A token that nobody named holds is no error.
    pub fn remove_token(&self, request: RemoveToken) -> Pending<TokenRemoved> {
        self.submit(request)
    }

    /// Renames a token: a chat that migrated keeps its place on every card, its subscriber id and its
    /// delivery state; with the subscriber that the new token may be already, it becomes one (R57).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`]; [`Error::LimitExceeded`] when more contacts would hold the token, or a card
    /// would have more text, than may be; those of every write. An unknown old token is no error.
    pub fn rename_token(&self, request: RenameToken) -> Pending<TokenRenamed> {
        self.submit(request.prepare(self.inner.options.limits))
    }

    /// Erases a contact: its identifiers, which are free again, and its tokens; a subscriber that no
    /// other contact holds goes with it (R44). Its id is never used again (R18).
    ///
    /// # Errors
    ///
    /// Those of every write. An unknown contact is no error.
    pub fn erase(&self, contact: ContactId) -> Pending<Erased> {
        self.submit(Erase(contact))
    }

    /// Forgets the message tallies of an app whose latest report is older than `before` (R30).
    ///
    /// Done in steps, each a commit with a number of its own, so that other writes need not wait.
    /// After an error, what was forgotten by then stays forgotten.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`]; those of every write.
    pub fn forget_messages(&self, app: AppId, before: Timestamp) -> Pending<MessagesForgotten> {
        self.submit(ForgetMessages::new(app, before))
    }

    /// Opens the file again after a failed commit or read, for all handles, and gives the number of
    /// the state found: a request whose outcome was indeterminate is in exactly when its number is
    /// reached (R49). Snapshots taken before expire.
    ///
    /// Does nothing when nothing failed since, and then gives what the last reopening found, so that
    /// each of several callers can ask; of a store that was never reopened, the present number. Ask
    /// before a later commit fails: the next reopening finds what was written in between, too.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Open`] when the file cannot be opened: it can be tried again.
    ///
    /// A file that was moved or replaced ([`Error::FileMoved`]) is none of its matters: the store keeps to
    /// the file that it opened, and takes writes again once that is back at its path.
    pub fn reopen(&self) -> Result<SequenceNumber, Error> {
        self.inner.writer.reopen()
    }

    /// Finishes what is queued, answers everyone, and closes the file. All clones and snapshots then
    /// answer [`Error::Closed`]. Closing a closed store does nothing.
    ///
    /// # Errors
    ///
    /// [`Error::CloseIncomplete`] when the file could not be closed cleanly.
    pub fn close(&self) -> Result<(), Error> {
        self.inner.writer.close()
    }

    /// Queues a request that panics while it is decided.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn panic_while_deciding(&self) -> Pending<()> {
        self.submit(Panicking)
    }

    /// What the store says of itself: how much it holds, what waits, and the outcomes of the requests.
    ///
    /// Cheap, whatever the store holds, and never waits for a commit. Asks the system for the length of
    /// the file, and once a second whether it is still at its path (R69). Also answers while the store
    /// needs reopening: with what is still known.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Storage`] when the system does not tell the length of the file.
    pub fn stats(&self) -> Result<Stats, Error> {
        let inner = &self.inner;
        let load = inner.writer.load();
        let (stats, needs_reopen, memory) = inner.writer.stats()?;
        let disk = inner.disk.upgrade().ok_or(Error::Closed)?;
        let commit_latency = stats.commit_latency();
        Ok(Stats {
            sequence: stats.counts.sequence,
            contacts: stats.counts.contacts,
            subscribers: stats.counts.subscribers,
            apps: stats.counts.apps,
            file_bytes: disk.len().map_err(StorageError::from)?,
            cache_bytes: inner.options.cache_bytes,
            index_bytes: memory.index_bytes,
            index_is_complete: memory.index_is_complete,
            index_pending: memory.index_pending,
            index_is_damaged: memory.index_is_damaged,
            card_bytes: memory.card_bytes,
            version: env!("CARGO_PKG_VERSION"),
            oldest_snapshot: inner.pinned.oldest(stats.counts.sequence),
            last_failure: stats.last_failure(),
            wider_mode: inner.wider_mode,
            needs_reopen,
            file_moved: inner.watch.as_ref().is_some_and(|watch| watch.is_moved()),
            waiting_requests: load.requests,
            waiting_text_bytes: load.text_bytes,
            waiting_for_place: load.lobby,
            commits: commit_latency.count,
            failed_commits: stats.failed_commits(),
            commit_latency,
            group_sizes: stats.group_sizes(),
            operations: stats.operations(),
        })
    }

    /// How much of the file is in use. Unlike [`stats`](ContactStore::stats) this reads every page that
    /// holds something: a fraction of a second for a million contacts in the cache, longer when the
    /// disk must be read. Writes go on meanwhile.
    ///
    /// ```
    /// # use contact_store::*;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = ContactStore::open_in_memory(Options::default())?;
    /// let space = store.space()?;
    /// assert_eq!(space.file_bytes, space.used_bytes + space.free_bytes);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Storage`] when the system does not tell the length of the file; otherwise as for
    /// every read.
    pub fn space(&self) -> Result<Space, Error> {
        let used_bytes = self.snapshot()?.used_bytes()?;
        let disk = self.inner.disk.upgrade().ok_or(Error::Closed)?;
        let file_bytes = disk.len().map_err(StorageError::from)?;
        Ok(Space {
            file_bytes,
            used_bytes: used_bytes.min(file_bytes),
            free_bytes: file_bytes.saturating_sub(used_bytes),
        })
    }

    /// Whether the store takes no writes until it is reopened (R49).
    pub(crate) fn needs_reopen(&self) -> Result<bool, Error> {
        self.inner.writer.needs_reopen()
    }

    /// Queues what could be prepared.
    fn submit_prepared<O: Operation>(
        &self,
        prepared: Result<O, LimitExceeded>,
    ) -> Pending<O::Outcome> {
        match prepared {
            Ok(operation) => self.submit(operation),
            Err(exceeded) => self.inner.writer.refuse::<O>(exceeded.into()),
        }
    }

    fn submit<O: Operation>(&self, operation: O) -> Pending<O::Outcome> {
        if self.inner.options.read_only {
            return self.inner.writer.refuse::<O>(Error::ReadOnly);
        }
        self.inner.writer.submit(operation, self.when_full)
    }

    fn now(&self) -> Timestamp {
        self.inner.options.clock.now()
    }
}

impl fmt::Debug for ContactStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContactStore")
            .field("when_full", &self.when_full)
            .finish_non_exhaustive()
    }
}

/// A request that panics, for the test of R48.
#[cfg(feature = "testing")]
struct Panicking;

#[cfg(feature = "testing")]
impl Operation for Panicking {
    type Outcome = ();

    // It has no kind of its own.
    const KIND: crate::stats::OperationKind = crate::stats::OperationKind::DisconnectApp;

    fn size(&self) -> crate::operations::operation::Size {
        crate::operations::operation::Size::one(0)
    }

    fn decide(
        &mut self,
        draft: &mut crate::storage::Draft<'_>,
    ) -> Result<crate::operations::operation::Step<()>, Error> {
        // Something to roll back.
        let _ = draft.state.take_app();
        // Unwinding without a message, which would only clutter the output of the tests.
        std::panic::resume_unwind(Box::new(()));
    }

    fn count((): &(), _: &mut crate::stats::Tally) {}
}
