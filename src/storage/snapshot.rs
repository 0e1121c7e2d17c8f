//! The committed tables at one sequence number, opened once and shared by all readers.
//!
//! A snapshot pins the pages it reads, so an old one should go soon. It does not know requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use redb::{Database, ReadableDatabase};

use crate::app::{AppId, AppNumber};

use super::guard::{Attachment, Detached, Failure, drop_guarded, guarded};
use super::hash::IndexHasher;
use super::meta::State;
use super::record;
use super::rows::{AppTallyRow, Each, RowKey, Rows};
use super::tables::{Key, OpenTable, Table};

/// The tables at one sequence number.
pub(crate) struct Snapshot {
    /// In the order of [`Table::ALL`]. Emptied when dropped.
    tables: Vec<OpenTable>,
    state: State,
    directory: Arc<Directory>,
    hasher: IndexHasher,
    attachment: Arc<Attachment>,
}

/// Which apps there are. Small, and needed for every token shown, so it is kept in memory.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    connected: BTreeMap<AppNumber, AppId>,
    leaving: BTreeSet<AppNumber>,
}

impl Directory {
    /// The id of a connected app.
    pub(crate) fn app(&self, number: AppNumber) -> Option<AppId> {
        self.connected.get(&number).copied()
    }

    /// An app that was disconnected and whose rows are not all removed yet.
    pub(crate) fn leaving(&self) -> Option<AppNumber> {
        self.leaving.first().copied()
    }
}

impl Snapshot {
    /// Opens the tables as last committed. With a `directory`, its apps are taken as still right.
    pub(super) fn take(
        database: &Database,
        hasher: IndexHasher,
        attachment: Arc<Attachment>,
        directory: Option<Arc<Directory>>,
    ) -> Result<Self, Failure> {
        let tables = guarded(|| {
            let transaction = database.begin_read()?;
            let tables: Result<Vec<_>, _> = Table::ALL
                .iter()
                .map(|table| OpenTable::open(&transaction, *table))
                .collect();
            Ok(tables?)
        })?;
        let mut snapshot = Snapshot {
            tables,
            state: State::new(),
            directory: Arc::default(),
            hasher,
            attachment,
        };
        snapshot.state = snapshot
            .row(&record::STATE_KEY)?
            .ok_or(Failure::Corrupt("the row of counters is missing"))?;
        snapshot.directory = match directory {
            Some(directory) => directory,
            None => Arc::new(snapshot.read_directory()?),
        };
        Ok(snapshot)
    }

    fn read_directory(&self) -> Result<Directory, Failure> {
        let mut directory = Directory::default();
        let all = (AppNumber(0).to_key(), AppNumber(u64::MAX).to_key());
        for (number, tally) in self.rows::<AppTallyRow>(&all.0, &all.1, usize::MAX)? {
            if tally.connected {
                directory.connected.insert(number, tally.app);
            } else {
                directory.leaving.insert(number);
            }
        }
        Ok(directory)
    }

    pub(crate) fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// Why nothing can be read any more, if so.
    pub(crate) fn detached(&self) -> Option<Detached> {
        self.attachment.detached()
    }

    fn table(&self, table: Table) -> Result<&OpenTable, Failure> {
        if self.attachment.detached().is_some() {
            return Err(Failure::Stopped);
        }
        let position = usize::from(table as u8).checked_sub(1);
        position
            .and_then(|position| self.tables.get(position))
            .ok_or(Failure::Stopped)
    }

    fn noted<T>(&self, read: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &read {
            self.attachment.note(failure);
        }
        read
    }
}

impl Rows for Snapshot {
    fn read<T>(
        &self,
        table: Table,
        key: &Key,
        read: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let table = self.table(table)?;
        self.noted(guarded(|| table.get(key, read)))
    }

    fn walk(
        &self,
        table: Table,
        (first, last): (&Key, &Key),
        upwards: bool,
        each: &mut Each<'_>,
    ) -> Result<(), Failure> {
        let table = self.table(table)?;
        self.noted(guarded(|| table.walk(first, last, upwards, each)))
    }

    fn hasher(&self) -> IndexHasher {
        self.hasher
    }

    fn state(&self) -> State {
        self.state
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        drop_guarded(std::mem::take(&mut self.tables));
    }
}
