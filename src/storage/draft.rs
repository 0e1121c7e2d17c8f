//! A set of changes laid over a snapshot, in which requests are decided.
//!
//! Later requests read through the changes of earlier ones; what a refused one changed is rolled
//! back; the rest is written to the file at once, in the order of tables and keys. A draft does not
//! know how or when it reaches the file.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::guard::Failure;
use super::hash::IndexHasher;
use super::meta::State;
use super::record;
use super::rows::{Each, Index, IndexRow, Row, RowKey, Rows};
use super::snapshot::Snapshot;
use super::tables::{Key, Table};

type Place = (Table, Key);
/// The new bytes of a row, or that it is removed.
type Change = Option<Box<[u8]>>;

/// Changes over a snapshot.
pub(crate) struct Draft<'s> {
    base: &'s Snapshot,
    changes: BTreeMap<Place, Change>,
    /// What stood in `changes` before each step, for rolling back.
    undo: Vec<(Place, Option<Change>)>,
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
                Some((place, Some(before))) => drop(self.changes.insert(place, before)),
                Some((place, None)) => drop(self.changes.remove(&place)),
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
            state: self.state,
        }))
    }

    /// Puts or removes a row.
    pub(super) fn put<R: Row>(&mut self, key: &R::Key, row: Option<&R>) -> Result<(), Failure> {
        let key = key.to_key();
        let bytes = row.map(|row| record::encode(&key, row)).transpose()?;
        self.stage((R::TABLE, key), bytes);
        Ok(())
    }

    /// Puts a row of an index; an empty one is removed.
    pub(super) fn put_index(
        &mut self,
        index: Index,
        key: u64,
        row: &IndexRow,
    ) -> Result<(), Failure> {
        let key = Key::Int(key);
        let table = index.table();
        let bytes = if row.is_empty() {
            None
        } else {
            Some(record::encode_index(table, &key, row)?)
        };
        self.stage((table, key), bytes);
        Ok(())
    }

    fn stage(&mut self, place: Place, change: Change) {
        let before = self.changes.insert(place.clone(), change);
        self.undo.push((place, before));
    }
}

/// What a finished draft writes.
pub(crate) struct Changes {
    rows: BTreeMap<Place, Change>,
    pub(super) state: State,
}

impl Changes {
    /// The changes of one table, in key order.
    pub(super) fn of(&self, table: Table) -> impl Iterator<Item = (&Key, Option<&[u8]>)> {
        self.rows
            .range((table, Key::Int(0))..)
            .take_while(move |((of, _), _)| *of == table)
            .map(|((_, key), change)| (key, change.as_deref()))
    }

    /// Whether a row of `table` changes.
    pub(super) fn touch(&self, table: Table) -> bool {
        self.of(table).next().is_some()
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
            Some(Some(bytes)) => read(bytes).map(Some),
            Some(None) => Ok(None),
            None => self.base.read(table, key, read),
        }
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
                    if let Some(bytes) = change {
                        go_on = each(changed_key.clone(), bytes)?;
                    }
                    if !go_on {
                        return Ok(false);
                    }
                }
                match pending {
                    Some((changed_key, change)) if *changed_key == key => {
                        pending = next();
                        if let Some(bytes) = change {
                            go_on = each(key, bytes)?;
                        }
                    }
                    _ => go_on = each(key, bytes)?,
                }
                Ok(go_on)
            })?;
        while go_on && let Some((key, change)) = pending {
            pending = next();
            if let Some(bytes) = change {
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
