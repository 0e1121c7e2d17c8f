//! What every state that is read from a database shares, and how a new one begins.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_postgres::Row;

use crate::model::change::KeepChanges;
use crate::model::idempotency_key::KeepAnswers;

use super::super::committed::{Committed, Directory};
use super::super::format::hash::IndexHasher;
use super::super::format::record;
use super::super::format::rows::AppTallyRow;
use super::super::guard::{Failure, Liveness};
use super::super::tables::Table;
use super::begun::Begun;
use super::fetch;
use super::link::Ask;
use super::pool::Pool;
use super::read::Reading;
use super::source::{RowsOf, Source};

/// What the states of one opening share.
pub(crate) struct Readers {
    pub(super) pool: Arc<Pool>,
    pub(crate) hasher: IndexHasher,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) keep_changes: Option<KeepChanges>,
    pub(crate) keep_answers: Option<KeepAnswers>,
    /// The apps as of a version of them.
    apps: Mutex<Option<(i64, Arc<Directory>)>>,
}

impl Readers {
    pub(super) fn new(
        pool: Arc<Pool>,
        hasher: IndexHasher,
        keep_changes: Option<KeepChanges>,
        keep_answers: Option<KeepAnswers>,
    ) -> Self {
        Readers {
            pool,
            hasher,
            liveness: Arc::default(),
            keep_changes,
            keep_answers,
            apps: Mutex::default(),
        }
    }

    /// Begins to read the present state.
    pub(crate) fn begin(self: &Arc<Self>) -> Result<Committed, Failure> {
        if self.liveness.ended().is_some() {
            return Err(Failure::Stopped);
        }
        let (reading, begun) = Reading::begin(&self.pool)?;
        let directory = self.directory(begun.apps_version, |ask| reading.ask(ask))?;
        self.state(begun, directory, RowsOf::Reading(Arc::new(reading)))
    }

    /// A state whose rows are there.
    pub(super) fn state(
        self: &Arc<Self>,
        begun: Begun,
        directory: Arc<Directory>,
        rows: RowsOf,
    ) -> Result<Committed, Failure> {
        let source = Source {
            readers: Arc::clone(self),
            begun: Arc::new(begun),
            rows,
        };
        Committed::in_database(source, directory)
    }

    // A panic while the lock is held leaves no half-made change.
    fn apps(&self) -> MutexGuard<'_, Option<(i64, Arc<Directory>)>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The apps as of this version of them. Reads them when they are of another.
    pub(super) fn directory(
        &self,
        version: i64,
        ask: impl FnOnce(Vec<Ask>) -> Result<Vec<Vec<Row>>, Failure>,
    ) -> Result<Arc<Directory>, Failure> {
        if let Some((known, directory)) = &*self.apps()
            && *known == version
        {
            return Ok(Arc::clone(directory));
        }
        let (first, last) = Table::Meta.span();
        let answers = ask(vec![fetch::span(
            Table::Meta,
            (&first, &last),
            true,
            i64::MAX,
        )])?;
        let mut directory = Directory::default();
        for rows in &answers {
            for (key, bytes) in fetch::fetched(Table::Meta, rows)? {
                let (number, tally) = record::decode_row::<AppTallyRow>(&key, &bytes)?;
                directory.note(number, &tally);
            }
        }
        let directory = Arc::new(directory);
        self.know(version, &directory);
        Ok(directory)
    }

    pub(super) fn know(&self, version: i64, directory: &Arc<Directory>) {
        let mut apps = self.apps();
        if apps.as_ref().is_none_or(|(known, _)| *known < version) {
            *apps = Some((version, Arc::clone(directory)));
        }
    }
}
