//! A file whose states can all be read again: rows of bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::unique::change::IndexChange;
use super::unique::keeper::IndexState;

#[derive(Debug)]
pub(crate) enum Failure {
    Corrupt(&'static str),
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    Index,
    IndexLog,
}

/// All keys of these tables are numbers; a source asks what kind of key it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Int(u64),
    Wide(u128),
}

impl Key {
    fn number(self) -> u64 {
        match self {
            Key::Int(number) => number,
            Key::Wide(_) => unreachable!("a key that is none of its table"),
        }
    }
}

pub(crate) const INDEX_STATE_KEY: u64 = 2;

/// A record is its payload.
pub(crate) fn open<T>(
    _: Table,
    _: &Key,
    record: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    decode(record)
}

/// One state of the file.
#[derive(Clone, Default)]
pub(crate) struct File {
    rows: BTreeMap<(Table, u64), Arc<[u8]>>,
    pub(crate) indexes: IndexState,
}

impl File {
    pub(crate) fn insert(&mut self, table: Table, key: u64, bytes: &[u8]) {
        let before = self.rows.insert((table, key), bytes.into());
        assert!(before.is_none(), "inserted twice: {table:?} {key}");
    }

    /// The state after these changes.
    pub(crate) fn after(&self, changes: Changes) -> Self {
        let mut after = self.clone();
        for (table, key) in changes.removed {
            assert!(after.rows.remove(&(table, key)).is_some(), "not there");
        }
        for ((table, key), bytes) in changes.inserted {
            after.insert(table, key, &bytes);
        }
        if let Some(indexes) = changes.state {
            after.indexes = indexes;
        }
        after
    }
}

/// What is handed the rows of a walk.
pub(crate) type Each<'a> = dyn FnMut(Key, &[u8]) -> Result<bool, Failure> + 'a;

pub(crate) trait Rows {
    fn read<T>(
        &self,
        table: Table,
        key: &Key,
        read: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure>;

    fn walk(
        &self,
        table: Table,
        span: (&Key, &Key),
        upwards: bool,
        each: &mut Each<'_>,
    ) -> Result<(), Failure>;
}

impl Rows for File {
    fn read<T>(
        &self,
        table: Table,
        key: &Key,
        read: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let bytes = self.rows.get(&(table, key.number()));
        bytes.map(|bytes| read(bytes)).transpose()
    }

    fn walk(
        &self,
        table: Table,
        (first, last): (&Key, &Key),
        upwards: bool,
        each: &mut Each<'_>,
    ) -> Result<(), Failure> {
        assert!(upwards, "nothing here walks downwards");
        let span = (table, first.number())..=(table, last.number());
        for ((_, key), bytes) in self.rows.range(span) {
            if !each(Key::Int(*key), bytes)? {
                break;
            }
        }
        Ok(())
    }
}

/// What a commit changes.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) index: Vec<IndexChange>,
    inserted: BTreeMap<(Table, u64), Vec<u8>>,
    removed: Vec<(Table, u64)>,
    state: Option<IndexState>,
}

impl Changes {
    pub(crate) fn put(&mut self, key: &u64, state: &IndexState) -> Result<(), Failure> {
        assert_eq!(*key, INDEX_STATE_KEY);
        self.state = Some(state.clone());
        Ok(())
    }

    pub(crate) fn insert_bytes(
        &mut self,
        table: Table,
        key: u64,
        payload: &[u8],
    ) -> Result<(), Failure> {
        self.inserted.insert((table, key), payload.to_vec());
        Ok(())
    }

    pub(crate) fn remove(&mut self, table: Table, key: u64) {
        self.removed.push((table, key));
    }
}
