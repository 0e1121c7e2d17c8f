//! The engine of a store: its file, or its database.
//!
//! Only the writer holds one. What both have in common is beneath them: rows, drafts and what follows from a
//! change.

use std::sync::Arc;

use crate::error::{OpenError, StorageError};
use crate::model::sequence::SequenceNumber;
use crate::stats::DatabaseStats;

use super::committed::Committed;
use super::copy::NotCopied;
use super::draft::{ChangedKeys, Changes, Draft};
use super::engine::{FileEngine, Replaced};
use super::open::{Location, OpenAs};
use super::read::Rows as _;
use super::store_file::StoreFile;
use super::successor::Successor;

/// The engine of a store.
pub(crate) enum Engine {
    File(Box<FileEngine>),
    #[cfg(feature = "postgres")]
    Postgres(Box<super::postgres::PostgresEngine>),
}

/// The connections to the database of an open store, for those who do not write to it.
#[derive(Clone)]
pub(crate) enum Connections {
    /// The store is in a file.
    None,
    /// Weak: a handle of a closed store must not keep connections.
    #[cfg(feature = "postgres")]
    Of(std::sync::Weak<super::postgres::Pool>),
}

impl Connections {
    /// Whether the store is in a database.
    pub(crate) fn are_there(&self) -> bool {
        !matches!(self, Connections::None)
    }

    /// What they did. `None` of a store in a file, and of a closed one.
    pub(crate) fn stats(&self) -> Option<DatabaseStats> {
        match self {
            Connections::None => None,
            #[cfg(feature = "postgres")]
            Connections::Of(pool) => Some(pool.upgrade()?.stats()),
        }
    }
}

/// Why a group was not committed.
pub(crate) enum CommitFailure {
    /// It may have been. The store must be reopened.
    Indeterminate(StorageError),
    /// It was not, and the store goes on.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "a file tells nothing of the kind")
    )]
    NotWritten(StorageError),
}

impl CommitFailure {
    pub(crate) fn cause(&self) -> &StorageError {
        match self {
            CommitFailure::Indeterminate(cause) | CommitFailure::NotWritten(cause) => cause,
        }
    }
}

/// What reopening found.
pub(crate) struct Found {
    pub(crate) committed: Committed,
    /// A request of this handle's writer is in exactly when its number is reached.
    pub(crate) found: SequenceNumber,
}

/// Calls the engine that there is.
macro_rules! of {
    ($engine:expr, $each:ident => $call:expr, $postgres:ident => $other:expr) => {
        match $engine {
            Engine::File($each) => $call,
            #[cfg(feature = "postgres")]
            Engine::Postgres($postgres) => $other,
        }
    };
}

impl Engine {
    /// Connects to the store in a database, or creates it.
    #[cfg(feature = "postgres")]
    pub(crate) fn connect(
        settings: super::postgres::Settings,
        open_as: OpenAs,
    ) -> Result<(Self, Committed), OpenError> {
        let (engine, committed) = super::postgres::PostgresEngine::open(settings, open_as)?;
        Ok((Engine::Postgres(Box::new(engine)), committed))
    }

    /// Opens or creates the store at `place`.
    pub(crate) fn open(place: &Location, open_as: OpenAs) -> Result<(Self, Committed), OpenError> {
        let (engine, committed) = FileEngine::open(place, open_as)?;
        Ok((Engine::File(Box::new(engine)), committed))
    }

    /// The file, for those who do not write to it.
    pub(crate) fn file(&self) -> StoreFile {
        of!(self, file => file.file(), _database => StoreFile::none())
    }

    /// The connections to the database, for those who do not write to it.
    pub(crate) fn connections(&self) -> Connections {
        of!(
            self,
            _file => Connections::None,
            database => Connections::Of(Arc::downgrade(database.pool()))
        )
    }

    /// Whether the file is no longer at its path (R69).
    pub(crate) fn is_moved(&self) -> bool {
        of!(self, file => file.is_moved(), _database => false)
    }

    /// Whether nothing is ever written (R68).
    pub(crate) fn is_read_only(&self) -> bool {
        of!(self, file => file.is_read_only(), database => database.is_read_only())
    }

    /// Whether only reopening helps: a read failed, redb panicked, or the file is not open.
    pub(crate) fn is_broken(&self) -> bool {
        of!(self, file => file.is_broken(), _database => false)
    }

    /// The state that a group is decided on first. Of a file it is the last one committed.
    pub(crate) fn base(&mut self, current: &Arc<Committed>) -> Arc<Committed> {
        of!(self, _file => Arc::clone(current), database => database.base(current))
    }

    /// Whether a group may have to be decided more than once.
    pub(crate) fn decides_again(&self) -> bool {
        of!(self, _file => false, _database => true)
    }

    /// Reads what a group asked for that was not known. Gives the state that it must be decided on anew; `None`
    /// when it asked for nothing of the kind. After an error nothing was written.
    pub(crate) fn look_up(
        &mut self,
        base: &Committed,
    ) -> Result<Option<Arc<Committed>>, StorageError> {
        let _ = base;
        of!(self, _file => Ok(None), database => database.look_up(base))
    }

    /// Writes and commits what `draft` changed, durably, and gives the state committed after
    /// it and what was changed; `None` when that is nothing.
    pub(crate) fn commit(
        &mut self,
        draft: Draft<'_>,
        base: &Committed,
    ) -> Result<Option<(Committed, Changes)>, CommitFailure> {
        of!(
            self,
            file => file.commit(draft, base).map_err(CommitFailure::Indeterminate),
            database => database.commit(draft, base)
        )
    }

    /// What a group came to whose changes could not be completed.
    pub(crate) fn not_drafted(&mut self, cause: StorageError) -> CommitFailure {
        of!(
            self,
            _file => CommitFailure::Indeterminate(cause),
            database => {
                database.give_up();
                CommitFailure::NotWritten(cause)
            }
        )
    }

    /// Where a store that others write to stands, if that is after `current`. `again` is called once they wrote,
    /// and from time to time.
    pub(crate) fn look(
        &mut self,
        current: &Committed,
        again: Box<dyn Fn() + Send + Sync>,
    ) -> Option<Committed> {
        let _ = (current, &again);
        of!(self, _file => None, database => database.look(current, again))
    }

    /// From now on each commit folds the indexes, also one that changes nothing else, until they have no
    /// entry that was removed before.
    pub(crate) fn ask_to_fold_indexes(&mut self) {
        of!(self, file => file.ask_to_fold_indexes(), _database => ());
    }

    /// Whether commits are still needed for that.
    pub(crate) fn has_to_fold_indexes(&self) -> bool {
        of!(self, file => file.has_to_fold_indexes(), _database => false)
    }

    /// Whether look-ups become faster by [`fill_indexes`](Self::fill_indexes).
    pub(crate) fn has_to_fill_indexes(&self) -> bool {
        of!(self, file => file.has_to_fill_indexes(), _database => false)
    }

    /// Takes a part of the persisted indexes into memory. Gives the same state with it.
    pub(crate) fn fill_indexes(&mut self, now: &Committed) -> Result<Committed, StorageError> {
        of!(self, file => file.fill_indexes(now), _database => Ok(now.clone()))
    }

    /// Copies the last changes into a successor, and puts it in the place of the file. After an error nothing has
    /// changed, and the successor is gone.
    pub(crate) fn replace(
        &mut self,
        successor: Successor,
        now: &Committed,
        changed: &ChangedKeys,
    ) -> Result<Replaced, NotCopied> {
        of!(
            self,
            file => file.replace(successor, now, changed),
            _database => Err(crate::error::CopyError::NoFile.into())
        )
    }

    /// Opens the store again after a failure. On an error, this can be tried again.
    pub(crate) fn reopen(&mut self) -> Result<Found, OpenError> {
        of!(
            self,
            file => {
                let committed = file.reopen()?;
                let found = committed.state().sequence;
                Ok(Found { committed, found })
            },
            database => database.reopen()
        )
    }

    /// Closes the store. An error says that the file is not marked as closed cleanly.
    pub(crate) fn close(self) -> Result<(), StorageError> {
        of!(self, file => file.close(), database => database.close())
    }
}
