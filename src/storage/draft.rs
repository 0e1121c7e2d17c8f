//! A set of changes laid over a snapshot, in which requests are decided.
//!
//! Later requests read through the changes of earlier ones; what a refused one changed is rolled
//! back; the rest is written to the file at once, in the order of tables and keys. A draft does not
//! know how or when it reaches the file.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use super::guard::Failure;
use super::hash::IndexHasher;
use super::meta::State;
use super::record;
use super::rows::{Each, Row, RowKey, Rows};
use super::snapshot::Snapshot;
use super::tables::{Key, Table, Write};
use super::unique::{Entry, Index, IndexChange, IndexHash, Place as IndexPlace};

type Place = (Table, Key);

/// What happens to a row.
enum Change {
    /// It is new, which its key alone says: such a key is never used twice.
    Insert(Box<[u8]>),
    Put(Box<[u8]>),
    Remove,
}

impl Change {
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Change::Insert(bytes) | Change::Put(bytes) => Some(bytes),
            Change::Remove => None,
        }
    }
}

/// What a step of a draft did, for rolling back.
enum Undo {
    /// What stood at a place.
    Row(Place, Option<Change>),
    /// An entry of an index was added.
    Added(Index, IndexHash),
    /// An entry of an index was removed.
    Removed,
}

/// Changes over a snapshot.
pub(crate) struct Draft<'s> {
    base: &'s Snapshot,
    changes: BTreeMap<Place, Change>,
    index_changes: Vec<IndexChange>,
    /// The entries added to the indexes, by where they are looked for. One that was removed again
    /// stays: the row tells.
    added: HashMap<(Index, IndexHash), Vec<u64>>,
    undo: Vec<Undo>,
    /// The counters, with all changes counted.
    pub(crate) state: State,
}

/// A point that a draft can be rolled back to.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    steps: usize,
    state: State,
}

impl<'s> Draft<'s> {
    pub(crate) fn new(base: &'s Snapshot) -> Self {
        Draft {
            base,
            changes: BTreeMap::new(),
            index_changes: Vec::new(),
            added: HashMap::new(),
            undo: Vec::new(),
            state: base.state(),
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            steps: self.undo.len(),
            state: self.state,
        }
    }

    /// Whether anything was changed since `mark`.
    pub(crate) fn changed_since(&self, mark: Mark) -> bool {
        self.undo.len() > mark.steps || self.state != mark.state
    }

    /// Takes back every change since `mark`.
    pub(crate) fn roll_back_to(&mut self, mark: Mark) {
        while self.undo.len() > mark.steps {
            match self.undo.pop() {
                Some(Undo::Row(place, Some(before))) => drop(self.changes.insert(place, before)),
                Some(Undo::Row(place, None)) => drop(self.changes.remove(&place)),
                Some(Undo::Added(index, hash)) => {
                    self.index_changes.pop();
                    if let Some(ids) = self.added.get_mut(&(index, hash)) {
                        ids.pop();
                    }
                }
                Some(Undo::Removed) => {
                    self.index_changes.pop();
                }
                None => break,
            }
        }
        self.state = mark.state;
    }

    /// How many rows finishing would change.
    pub(crate) fn changed_rows(&self) -> usize {
        let counters = usize::from(self.state != self.base.state());
        self.changes.len().saturating_add(counters)
    }

    /// Ends the draft: the changes in the order of tables and keys, and the counters after them.
    /// `None` when there is nothing to write.
    pub(super) fn finish(mut self) -> Result<Option<Changes>, Failure> {
        if self.state != self.base.state() {
            let state = self.state;
            self.put(&record::STATE_KEY, Some(&state))?;
        }
        if self.changes.is_empty() {
            return Ok(None);
        }
        Ok(Some(Changes {
            rows: self.changes,
            index: self.index_changes,
            state: self.state,
        }))
    }

    /// Puts or removes a row.
    pub(super) fn put<R: Row>(&mut self, key: &R::Key, row: Option<&R>) -> Result<(), Failure> {
        let key = key.to_key();
        let change = match row {
            Some(row) => Change::Put(record::encode(&key, row)?),
            None => Change::Remove,
        };
        self.stage((R::TABLE, key), change);
        Ok(())
    }

    /// Puts or removes a row; one that is `new` has a key that no row ever had.
    pub(super) fn put_or_insert<R: Row>(
        &mut self,
        key: &R::Key,
        new: bool,
        row: Option<&R>,
    ) -> Result<(), Failure> {
        let Some(row) = row.filter(|_| new) else {
            return self.put(key, row);
        };
        let key = key.to_key();
        let change = Change::Insert(record::encode(&key, row)?);
        self.stage((R::TABLE, key), change);
        Ok(())
    }

    /// Adds an entry to an index.
    pub(super) fn add_to_index(&mut self, index: Index, hash: IndexHash, id: u64) {
        self.index_changes.push(IndexChange {
            place: IndexPlace::of(index, hash),
            entry: Entry::new(hash, id),
            removed: false,
        });
        self.added.entry((index, hash)).or_default().push(id);
        self.undo.push(Undo::Added(index, hash));
    }

    /// Removes an entry from an index.
    pub(super) fn remove_from_index(&mut self, index: Index, hash: IndexHash, id: u64) {
        self.index_changes.push(IndexChange {
            place: IndexPlace::of(index, hash),
            entry: Entry::new(hash, id),
            removed: true,
        });
        self.undo.push(Undo::Removed);
    }

    fn stage(&mut self, place: Place, change: Change) {
        // A row that is new to the file stays so when it changes again before it gets there, and is
        // not there to be removed.
        let change = match (change, self.changes.get(&place)) {
            (Change::Put(bytes), Some(Change::Insert(_))) => Change::Insert(bytes),
            (change, _) => change,
        };
        let before = self.changes.insert(place.clone(), change);
        self.undo.push(Undo::Row(place, before));
    }
}

/// What a finished draft writes.
pub(crate) struct Changes {
    rows: BTreeMap<Place, Change>,
    /// The entries that came to the indexes and went, in order.
    pub(super) index: Vec<IndexChange>,
    pub(super) state: State,
}

impl Changes {
    /// The changes of one table, in key order.
    pub(super) fn of(&self, table: Table) -> impl Iterator<Item = (&Key, Write<'_>)> {
        self.rows
            .range((table, Key::Int(0))..)
            .take_while(move |((of, _), _)| *of == table)
            .map(|((_, key), change)| {
                let write = match change {
                    Change::Insert(bytes) => Write::Insert(bytes),
                    Change::Put(bytes) => Write::Put(bytes),
                    Change::Remove => Write::Remove,
                };
                (key, write)
            })
    }

    /// Whether a row of `table` changes.
    pub(super) fn touch(&self, table: Table) -> bool {
        self.of(table).next().is_some()
    }

    /// Adds rows that no request asked for. Those that are not removed are new.
    pub(super) fn add(&mut self, rows: Vec<((Table, Key), Option<Box<[u8]>>)>) {
        self.rows.extend(rows.into_iter().map(|(place, bytes)| {
            let change = bytes.map_or(Change::Remove, Change::Insert);
            (place, change)
        }));
    }

    /// Puts a row that no request asked for.
    pub(super) fn put<R: Row>(&mut self, key: &R::Key, row: &R) -> Result<(), Failure> {
        let key = key.to_key();
        let bytes = record::encode(&key, row)?;
        self.rows.insert((R::TABLE, key), Change::Put(bytes));
        Ok(())
    }
}

impl Rows for Draft<'_> {
    fn read<T>(
        &self,
        table: Table,
        key: &Key,
        read: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        match self.changes.get(&(table, key.clone())) {
            Some(change) => change.bytes().map(read).transpose(),
            None => self.base.read(table, key, read),
        }
    }

    fn candidates(
        &self,
        index: Index,
        hash: IndexHash,
        each: &mut dyn FnMut(u64) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        if let Some(added) = self.added.get(&(index, hash)) {
            for id in added {
                if !each(*id)? {
                    return Ok(());
                }
            }
        }
        self.base.candidates(index, hash, each)
    }

    fn walk(
        &self,
        table: Table,
        (first, last): (&Key, &Key),
        upwards: bool,
        each: &mut Each<'_>,
    ) -> Result<(), Failure> {
        let span = (
            Bound::Included((table, first.clone())),
            Bound::Included((table, last.clone())),
        );
        let mut changed = self
            .changes
            .range(span)
            .map(|((_, key), change)| (key, change));
        let mut next = || {
            if upwards {
                changed.next()
            } else {
                changed.next_back()
            }
        };
        let comes_first = |changed: &Key, base: &Key| {
            if upwards {
                changed < base
            } else {
                changed > base
            }
        };
        let mut pending = next();
        let mut go_on = true;
        self.base
            .walk(table, (first, last), upwards, &mut |key, bytes| {
                while let Some((changed_key, change)) = pending
                    && comes_first(changed_key, &key)
                {
                    pending = next();
                    if let Some(bytes) = change.bytes() {
                        go_on = each(changed_key.clone(), bytes)?;
                    }
                    if !go_on {
                        return Ok(false);
                    }
                }
                match pending {
                    Some((changed_key, change)) if *changed_key == key => {
                        pending = next();
                        if let Some(bytes) = change.bytes() {
                            go_on = each(key, bytes)?;
                        }
                    }
                    _ => go_on = each(key, bytes)?,
                }
                Ok(go_on)
            })?;
        while go_on && let Some((key, change)) = pending {
            pending = next();
            if let Some(bytes) = change.bytes() {
                go_on = each(key.clone(), bytes)?;
            }
        }
        Ok(())
    }

    fn hasher(&self) -> IndexHasher {
        self.base.hasher()
    }

    fn state(&self) -> State {
        self.state
    }
}
