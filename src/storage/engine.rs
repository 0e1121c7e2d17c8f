//! The one place that commits, and the life of the file: opened, reopened, closed.
//!
//! Only the writer holds an engine. It does not know requests.

use std::sync::{Arc, Weak};

use redb::Database;

use crate::error::{OpenError, StorageError};
use crate::trace::{self, Span};

use super::cards::Cards;
use super::committed::Committed;
use super::draft::{Changes, Draft};
use super::file::disk::{Disk, OpenDisk};
use super::file::file_watch::FileWatch;
use super::format::hash::IndexHasher;
use super::guard::{Ended, Failure, Liveness, drop_guarded, guarded};
use super::open::{self, Claimed, Location, OpenAs, Opened};
use super::read::Rows as _;
use super::tables::{Table, write};
use super::unique::Keeper;

/// The open file.
pub(crate) struct Engine {
    /// `None` once closed, and after a failed attempt to reopen.
    open: Option<Open>,
    claimed: Claimed,
    open_as: OpenAs,
}

/// One opening of the file.
struct Open {
    database: Database,
    open_disk: Arc<OpenDisk>,
    liveness: Arc<Liveness>,
    indexes: Keeper,
}

impl Open {
    /// Ends this opening. No snapshot of it reads from the file any more.
    fn end(self, why: Ended) -> Result<(), StorageError> {
        self.liveness.end(why);
        let closed = guarded(|| Ok(self.database.close()?));
        self.open_disk.release();
        Ok(closed?)
    }
}

impl Engine {
    /// Opens or creates the store at `place`.
    pub(crate) fn open(place: &Location, open_as: OpenAs) -> Result<(Self, Committed), OpenError> {
        let span = trace::open();
        let opened = open::claim(place, &open_as).and_then(|claimed| {
            let (open, committed) = open_now(&claimed, &open_as, &span)?;
            let engine = Engine {
                open: Some(open),
                claimed,
                open_as,
            };
            Ok((engine, committed))
        });
        opened.inspect_err(|error| span.failed(error))
    }

    /// The file's permission bits at opening, when others than its owner had any.
    pub(crate) fn wider_mode(&self) -> Option<u32> {
        self.claimed.wider_mode
    }

    /// The disk, for a caller that wants to know its length.
    pub(crate) fn disk(&self) -> Weak<dyn Disk> {
        let disk: Weak<_> = Arc::downgrade(&self.claimed.disk);
        disk
    }

    /// What watches the path of the file (R69). A store that is in no file has none.
    pub(crate) fn watch(&self) -> Option<Arc<FileWatch>> {
        self.claimed.watch.clone()
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
    /// it; `None` when it changed nothing. After an error it is not known whether the commit took
    /// place, and the file must be reopened.
    pub(crate) fn commit(
        &mut self,
        draft: Draft<'_>,
        before: &Committed,
    ) -> Result<Option<Committed>, StorageError> {
        let Some(open) = &mut self.open else {
            return Err(StorageError::Stopped);
        };
        let Some(mut changes) = draft.finish()? else {
            return Ok(None);
        };
        let step = open.indexes.plan(before, &mut changes)?;
        guarded(|| commit(&open.database, &changes))?;
        // Memory has the new entries before any reader can see the state that they belong to.
        let indexes = step.map(|step| {
            open.indexes.apply(step);
            open.indexes.view()
        });
        let indexes = indexes.unwrap_or_else(|| before.shared_indexes());
        let committed = before.after(&open.database, &changes, indexes)?;
        if committed.state() != changes.state {
            return Err(StorageError::Corrupt(
                "the counters read are not those just written",
            ));
        }
        Ok(Some(committed))
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

    /// Opens the file again after a failure. On an error, this can be tried again.
    pub(crate) fn reopen(&mut self) -> Result<Committed, OpenError> {
        if let Some(open) = self.open.take() {
            // The failure is known already; what counts now is what the file holds.
            drop(open.end(Ended::Reopened));
        }
        let span = trace::reopen();
        let opened = open_now(&self.claimed, &self.open_as, &span);
        let (open, committed) = opened.inspect_err(|error| span.failed(error))?;
        self.open = Some(open);
        Ok(committed)
    }

    /// Closes the file and gives up its lock. An error says that the file is not marked as closed
    /// cleanly.
    pub(crate) fn close(mut self) -> Result<(), StorageError> {
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
impl Drop for Engine {
    fn drop(&mut self) {
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
        open_disk,
        format,
        pages_verified,
        indexes,
    } = open::open_checked(claimed, open_as)?;
    let hasher = IndexHasher::new(format.index_key, open_as.hash_mask);
    let liveness = Arc::<Liveness>::default();
    let cards = Arc::new(Cards::new(open_as.card_memory));
    let loaded = Committed::open(&database, hasher, Arc::clone(&liveness), cards).and_then(
        |(committed, state)| {
            let indexes = match indexes {
                Some(indexes) if indexes.is_at(&state) => indexes,
                _ => Keeper::load(&committed, state, open_as.index_memory, open_as.folding)?,
            };
            let committed = committed.with_indexes(indexes.view());
            Ok((committed, indexes))
        },
    );
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
