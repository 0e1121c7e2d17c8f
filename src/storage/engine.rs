//! The one place that commits, and the life of the file: opened, reopened, closed.
//!
//! Only the writer holds an engine. It does not know requests.

use std::io;
use std::sync::{Arc, Weak};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use redb::Database;

use crate::error::{Error, OpenError, StorageError};
use crate::trace::{self, Span};

use super::cards::Cards;
use super::committed::Committed;
use super::copy::{NotCopied, writing};
use super::draft::{ChangedKeys, Changes, Draft};
use super::file::disk::{Disk as _, OpenDisk};
use super::format::hash::IndexHasher;
use super::guard::{Ended, Failure, Liveness, drop_guarded, guarded};
use super::open::{self, Claimed, Location, OpenAs, OpenDatabase, Opened};
use super::read::Rows as _;
use super::store_file::StoreFile;
use super::successor::Successor;
use super::tables::{Table, write};
use super::unique::{Keeper, Step};

/// The open file.
pub(crate) struct FileEngine {
    /// `None` once closed, and after a failed attempt to reopen.
    open: Option<Open>,
    claimed: Claimed,
    open_as: OpenAs,
    /// Openings of files that were vacuumed, for snapshots that were taken before.
    former: Vec<Weak<Liveness>>,
    /// A power cut may still bring back the file that was vacuumed.
    name_is_not_durable: bool,
}

/// One opening of the file.
struct Open {
    database: OpenDatabase,
    open_disk: Arc<OpenDisk>,
    liveness: Arc<Liveness>,
    indexes: Keeper,
}

impl Open {
    /// Ends this opening. No snapshot of it reads from the file any more.
    fn end(self, why: Ended) -> Result<(), StorageError> {
        self.liveness.end(why);
        let closed = self.database.close();
        self.open_disk.release();
        Ok(closed?)
    }
}

/// The file of an opening that no more is written to: snapshots still read from it.
struct Former {
    database: Option<OpenDatabase>,
    open_disk: Arc<OpenDisk>,
}

impl Drop for Former {
    fn drop(&mut self) {
        // First, so that nothing is written to a file that has no name any more.
        self.open_disk.release();
        drop_guarded(self.database.take());
    }
}

/// A file that was replaced by a copy.
pub(crate) struct Replaced {
    /// The state as it was, in the new file.
    pub(crate) committed: Committed,
    /// The length of the new file in bytes.
    pub(crate) bytes: u64,
    /// An error says that a power cut may bring the old file back. Then the store must be reopened
    /// before anything is written.
    pub(crate) named: Result<(), StorageError>,
}

impl FileEngine {
    /// Opens or creates the store at `place`.
    pub(crate) fn open(place: &Location, open_as: OpenAs) -> Result<(Self, Committed), OpenError> {
        /// A writer that is just opening the file, or was just killed, leaves nothing that can be read at
        /// once.
        const PAUSE: Duration = Duration::from_millis(20);
        const MOST_PAUSES: u32 = 100;
        let span = trace::open();
        let mut pauses = 0;
        let opened = loop {
            let opened = open::claim(place, &open_as).and_then(|claimed| {
                let (open, committed) = open_now(&claimed, &open_as, &span)?;
                Ok((open, committed, claimed))
            });
            let waits = open_as.read_only && pauses < MOST_PAUSES;
            if !(waits && matches!(opened, Err(OpenError::AlreadyOpen))) {
                break opened;
            }
            pauses = pauses.saturating_add(1);
            thread::sleep(PAUSE);
        };
        let opened = opened.map(|(open, committed, claimed)| {
            let engine = FileEngine {
                open: Some(open),
                claimed,
                open_as,
                former: Vec::new(),
                name_is_not_durable: false,
            };
            (engine, committed)
        });
        opened.inspect_err(|error| span.failed(error))
    }

    /// The file, for those who do not write to it.
    pub(crate) fn file(&self) -> StoreFile {
        StoreFile::of(&self.claimed)
    }

    /// Whether the file is no longer at its path (R69).
    pub(crate) fn is_moved(&self) -> bool {
        let watch = self.claimed.watch.as_ref();
        watch.is_some_and(|watch| watch.is_moved())
    }

    /// Whether nothing is ever written (R68).
    pub(crate) fn is_read_only(&self) -> bool {
        self.open_as.read_only
    }

    /// Whether only reopening helps: a read failed, redb panicked, or the file is not open.
    pub(crate) fn is_broken(&self) -> bool {
        self.open
            .as_ref()
            .is_none_or(|open| open.liveness.is_broken())
    }

    /// Writes and commits what `draft` changed, durably, and gives the state committed after
    /// it and what was changed; `None` when that is nothing. After an error it is not known whether the commit took
    /// place, and the file must be reopened.
    pub(crate) fn commit(
        &mut self,
        draft: Draft<'_>,
        before: &Committed,
    ) -> Result<Option<(Committed, Changes)>, StorageError> {
        let Some(open) = &mut self.open else {
            return Err(StorageError::Stopped);
        };
        let changes = draft.finish()?;
        let folds_only = changes.is_none();
        if folds_only && !open.indexes.is_asked_to_fold() {
            return Ok(None);
        }
        let mut changes = changes.unwrap_or_else(|| Changes::none(before));
        let step = open.indexes.plan(before, &mut changes)?;
        if folds_only && step.is_none() {
            // A damaged bucket is in the way.
            open.indexes.stop_folding();
            return Ok(None);
        }
        let OpenDatabase::Writing(database) = &open.database else {
            return Err(StorageError::Stopped);
        };
        let indexes = match step {
            Some(step) => {
                commit_and_apply(database, &changes, &mut open.indexes, step)?;
                open.indexes.view()
            }
            None => {
                guarded(|| commit(database, &changes))?;
                before.shared_indexes()
            }
        };
        let committed = before.after(database, &changes, indexes)?;
        if committed.state() != changes.state {
            return Err(StorageError::Corrupt(
                "the counters read are not those just written",
            ));
        }
        Ok(Some((committed, changes)))
    }

    /// From now on each commit folds the indexes, also one that changes nothing else, until they have no
    /// entry that was removed before.
    pub(crate) fn ask_to_fold_indexes(&mut self) {
        if let Some(open) = &mut self.open {
            open.indexes.ask_to_fold();
        }
    }

    /// Whether commits are still needed for that.
    pub(crate) fn has_to_fold_indexes(&self) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| open.indexes.is_asked_to_fold())
    }

    /// Whether look-ups become faster by [`fill_indexes`](Self::fill_indexes).
    pub(crate) fn has_to_fill_indexes(&self) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| open.indexes.has_to_fill())
    }

    /// Takes a part of the persisted indexes into memory. Gives the same state with it.
    pub(crate) fn fill_indexes(&mut self, now: &Committed) -> Result<Committed, StorageError> {
        /// Some hundreds of microseconds.
        const BYTES: usize = 256 << 10;
        let open = self.open.as_mut().ok_or(StorageError::Stopped)?;
        open.indexes.fill(now, BYTES)?;
        Ok(now.with_indexes(open.indexes.view()))
    }

    /// Copies the last changes into a successor, and puts it in the place of the file. The indexes and
    /// cards in memory stay. After an error nothing has changed, and the successor is gone.
    pub(crate) fn replace(
        &mut self,
        successor: Successor,
        now: &Committed,
        changed: &ChangedKeys,
    ) -> Result<Replaced, NotCopied> {
        let mut complete = successor.complete(now, changed, self.open_as.cache_bytes)?;
        let liveness = Arc::<Liveness>::default();
        let checked = match now.in_copy(&complete.database, Arc::clone(&liveness)) {
            Err(failure) => Err(writing(failure)),
            Ok(_) if self.is_broken() => Err(Error::NeedsReopen.into()),
            Ok(_) if self.claimed.is_moved_now() => Err(Error::FileMoved.into()),
            Ok(committed) => Ok(committed),
        };
        let placed = checked.and_then(|committed| {
            let bytes = complete.claimed.disk.len()?;
            complete.take_place()?;
            Ok((committed, bytes))
        });
        let ((committed, bytes), open) = match (placed, self.open.take()) {
            (Ok(placed), Some(open)) => (placed, open),
            (placed, open) => {
                self.open = open;
                complete.discard();
                return Err(placed.err().unwrap_or_else(|| Error::NeedsReopen.into()));
            }
        };
        self.former.retain(|former| former.strong_count() > 0);
        self.former.push(Arc::downgrade(&open.liveness));
        open.liveness.keep(Box::new(Former {
            database: Some(open.database),
            open_disk: open.open_disk,
        }));
        self.claimed = complete.claimed;
        self.open = Some(Open {
            database: OpenDatabase::Writing(complete.database),
            open_disk: complete.open_disk,
            liveness: Arc::clone(&liveness),
            indexes: open.indexes,
        });
        let named = self.claimed.sync_name();
        self.name_is_not_durable = named.is_err();
        let named = named.map_err(|error| {
            let failure = Failure::Io(error);
            liveness.note(&failure);
            failure.into()
        });
        Ok(Replaced {
            committed,
            bytes,
            named,
        })
    }

    fn end_former(&mut self, why: Ended) {
        for former in self.former.drain(..) {
            if let Some(former) = former.upgrade() {
                former.end(why);
            }
        }
    }

    /// Opens the file again after a failure. On an error, this can be tried again.
    pub(crate) fn reopen(&mut self) -> Result<Committed, OpenError> {
        self.end_former(Ended::Reopened);
        if let Some(open) = self.open.take() {
            // The failure is known already; what counts now is what the file holds.
            drop(open.end(Ended::Reopened));
        }
        let span = trace::reopen();
        let opened = self.sync_name().map_err(OpenError::from);
        let opened = opened.and_then(|()| open_now(&self.claimed, &self.open_as, &span));
        let (open, committed) = opened.inspect_err(|error| span.failed(error))?;
        self.open = Some(open);
        Ok(committed)
    }

    /// Makes it durable that a copy has the file's name, if it is not yet.
    fn sync_name(&mut self) -> io::Result<()> {
        if self.name_is_not_durable {
            self.claimed.sync_name()?;
            self.name_is_not_durable = false;
        }
        Ok(())
    }

    /// Closes the file and gives up its lock. An error says that the file is not marked as closed
    /// cleanly.
    pub(crate) fn close(mut self) -> Result<(), StorageError> {
        self.end_former(Ended::Closed);
        // Not open: an attempt to reopen it failed.
        let open = self.open.take().ok_or(StorageError::Stopped)?;
        open.end(Ended::Closed)?;
        // redb says nothing when it leaves the mark away, as it does after any failure.
        if self.open_as.read_only || open::is_marked_clean(&*self.claimed.disk)? {
            Ok(())
        } else {
            Err(StorageError::Stopped)
        }
    }
}

// A writer that ends without closing must not drop a database while a panic unwinds.
impl Drop for FileEngine {
    fn drop(&mut self) {
        self.end_former(Ended::Closed);
        if let Some(open) = self.open.take() {
            drop(open.end(Ended::Closed));
        }
    }
}

fn open_now(
    claimed: &Claimed,
    open_as: &OpenAs,
    span: &Span,
) -> Result<(Open, Committed), OpenError> {
    let Opened {
        database,
        pin,
        open_disk,
        format,
        pages_verified,
        indexes,
    } = open::open_checked(claimed, open_as)?;
    let hasher = IndexHasher::new(format.index_key, open_as.hash_mask);
    let liveness = Arc::<Liveness>::default();
    let cards = Arc::new(Cards::new(open_as.card_memory));
    let committed = match &database {
        OpenDatabase::Writing(database) => {
            Committed::open(database, hasher, Arc::clone(&liveness), cards)
        }
        OpenDatabase::Reading(database) => {
            Committed::open(database, hasher, Arc::clone(&liveness), cards)
        }
    };
    drop_guarded(pin);
    let loaded = committed.and_then(|(committed, state)| {
        let indexes = match indexes {
            Some(indexes) if indexes.is_at(&state) => indexes,
            _ => Keeper::load(&committed, state, open_as.index_memory, open_as.folding)?,
        };
        let committed = committed.with_indexes(indexes.view());
        let committed = committed.with_change_feed(open_as.change_feed);
        let committed = committed.with_answers(open_as.keep_answers);
        Ok((committed, indexes))
    });
    match loaded {
        Ok((committed, indexes)) => {
            let bytes = claimed.disk.len().unwrap_or_default();
            span.opened(bytes, pages_verified, committed.state().sequence);
            let open = Open {
                database,
                open_disk,
                liveness,
                indexes,
            };
            Ok((open, committed))
        }
        Err(failure) => {
            liveness.end(Ended::Reopened);
            drop_guarded(database);
            open_disk.release();
            Err(StorageError::from(failure).into())
        }
    }
}

/// Commits, and takes into memory what that does to the indexes. Memory has the new entries before any
/// reader can see the state that they belong to; a reader that meets one of them earlier, or after a commit
/// that failed, finds no such row.
fn commit_and_apply(
    database: &Database,
    changes: &Changes,
    indexes: &mut Keeper,
    step: Step,
) -> Result<(), Failure> {
    /// So many take longer than starting a thread: a bulk load applies them while pages are written, and takes
    /// a tenth less time for it.
    const MANY: usize = 1_024;
    if step.changes() < MANY {
        guarded(|| commit(database, changes))?;
        indexes.apply(step);
        return Ok(());
    }
    let mut waiting = Some(step);
    thread::scope(|scope| {
        let apply = || {
            waiting
                .take()
                .into_iter()
                .for_each(|step| indexes.apply(step))
        };
        let applying = thread::Builder::new()
            .name("contact-store-index".to_owned())
            .spawn_scoped(scope, apply);
        let committed = guarded(|| commit(database, changes));
        match applying.map(ScopedJoinHandle::join) {
            Ok(Err(_)) => Err(Failure::Panicked),
            _ => committed,
        }
    })?;
    // The system had no thread to give.
    if let Some(step) = waiting {
        indexes.apply(step);
    }
    Ok(())
}

/// The only place where anything is committed.
fn commit(database: &Database, changes: &Changes) -> Result<(), Failure> {
    let mut transaction = database.begin_write()?;
    // With one phase, a failed sync followed by reopening can lose the file.
    transaction.set_two_phase_commit(true);
    for table in Table::ALL {
        if changes.touch(table) {
            write(&transaction, table, changes.of(table))?;
        }
    }
    Ok(transaction.commit()?)
}
