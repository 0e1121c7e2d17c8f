//! The committed tables at one sequence number, opened once and shared by all readers.
//!
//! A snapshot pins the pages it reads, so an old one should go soon. It does not know requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use redb::{Database, ReadableDatabase};

use crate::app::{AppId, AppNumber};
use crate::figures::Held;

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
    /// Of all connected apps together.
    subscribers: u64,
    directory: Arc<Directory>,
    hasher: IndexHasher,
    attachment: Arc<Attachment>,
}

/// An earlier snapshot of the same apps.
pub(super) struct SameApps<'s> {
    pub(super) before: &'s Snapshot,
    /// Those whose tallies changed since.
    pub(super) recounted: Vec<AppNumber>,
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
    /// Opens the tables as last committed. With `as_before`, only what changed of the apps is read.
    pub(super) fn take(
        database: &Database,
        hasher: IndexHasher,
        attachment: Arc<Attachment>,
        as_before: Option<SameApps<'_>>,
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
            subscribers: 0,
            directory: Arc::default(),
            hasher,
            attachment,
        };
        snapshot.state = snapshot
            .row(&record::STATE_KEY)?
            .ok_or(Failure::Corrupt("the row of counters is missing"))?;
        match as_before {
            Some(as_before) => {
                snapshot.directory = Arc::clone(&as_before.before.directory);
                snapshot.subscribers = snapshot.recount(&as_before)?;
            }
            None => snapshot.read_apps()?,
        }
        Ok(snapshot)
    }

    /// The subscribers of all connected apps, counted on from `before`.
    fn recount(&self, SameApps { before, recounted }: &SameApps<'_>) -> Result<u64, Failure> {
        let mut subscribers = before.subscribers;
        for number in recounted {
            if self.directory.app(*number).is_none() {
                continue;
            }
            let then: AppTallyRow = before.expect_row(number)?;
            let now: AppTallyRow = self.expect_row(number)?;
            subscribers = subscribers
                .saturating_sub(then.subscribers)
                .saturating_add(now.subscribers);
        }
        Ok(subscribers)
    }

    fn read_apps(&mut self) -> Result<(), Failure> {
        let mut directory = Directory::default();
        let all = (AppNumber(0).to_key(), AppNumber(u64::MAX).to_key());
        for (number, tally) in self.rows::<AppTallyRow>(&all.0, &all.1, usize::MAX)? {
            if tally.connected {
                self.subscribers = self.subscribers.saturating_add(tally.subscribers);
                directory.connected.insert(number, tally.app);
            } else {
                directory.leaving.insert(number);
            }
        }
        self.directory = Arc::new(directory);
        Ok(())
    }

    pub(crate) fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// How much there is, as known without reading.
    pub(crate) fn held(&self) -> Held {
        Held {
            sequence: self.state.sequence,
            contacts: self.state.contacts,
            subscribers: self.subscribers,
            apps: self.directory.connected.len() as u64,
        }
    }

    /// Whether only reopening helps (see [`Attachment::note`]).
    pub(crate) fn is_broken(&self) -> bool {
        self.attachment.is_broken()
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
