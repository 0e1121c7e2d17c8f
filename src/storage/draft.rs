//! Changes laid over the committed state, in which requests are decided.
//!
//! Later requests read through the changes of earlier ones; what a refused one changed is rolled
//! back; the rest is written to the file together, in the order of tables and keys. A draft does not
//! know how or when it reaches the file.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::ops::{Bound, Range};

use crate::model::app::AppNumber;
use crate::model::identifier::ContactId;
use crate::model::time::Timestamp;

use super::answers::NewAnswers;
use super::committed::Committed;
use super::format::answers::KeyHash;
use super::format::changes::Recorded;
use super::format::hash::IndexHasher;
use super::format::keys::{self, RowKey};
use super::format::meta::{FormatRow, State, encode_format};
use super::format::record::{self, Row};
use super::format::rows::{AppTallyRow, CardRow};
use super::guard::Failure;
use super::read::{Each, Rows};
use super::tables::{Key, Table, Write};
use super::unique::{Entry, Index, IndexChange, IndexHash, Place};

/// What happens to a row. Its bytes are among those of the draft.
#[derive(Clone)]
enum Change {
    /// It is new: no row of the file has its key.
    Insert(Range<usize>),
    Put(Range<usize>),
    Remove,
}

/// Changed rows of all tables.
struct ChangedRows {
    /// In the order of [`Table::ALL`], up to the last with changes: tables of options that are off are
    /// after it, and cost nothing.
    tables: Vec<BTreeMap<Key, Change>>,
    bytes: Vec<u8>,
}

impl ChangedRows {
    /// None, with memory for so many bytes of rows.
    fn with_capacity(bytes: usize) -> Self {
        ChangedRows {
            tables: Vec::with_capacity(Table::IN_EVERY_FILE),
            bytes: Vec::with_capacity(bytes),
        }
    }

    fn of(&self, table: Table) -> Option<&BTreeMap<Key, Change>> {
        self.tables.get(table.position())
    }

    /// Puts a change at a place. Gives back the one before.
    #[inline]
    fn put(&mut self, table: Table, key: Key, change: Change) -> Option<Change> {
        let position = table.position();
        if position >= self.tables.len() {
            self.extend_to(position);
        }
        self.tables.get_mut(position)?.insert(key, change)
    }

    #[cold]
    fn extend_to(&mut self, position: usize) {
        let tables = position.saturating_add(1);
        self.tables.resize_with(tables, BTreeMap::new);
    }

    fn restore(&mut self, table: Table, key: Key, change: Option<Change>) {
        if let Some(rows) = self.tables.get_mut(table.position()) {
            match change {
                Some(change) => drop(rows.insert(key, change)),
                None => drop(rows.remove(&key)),
            }
        }
    }

    fn bytes(&self, change: &Change) -> Option<&[u8]> {
        match change {
            Change::Insert(at) | Change::Put(at) => self.bytes.get(at.clone()),
            Change::Remove => None,
        }
    }

    fn len(&self) -> usize {
        self.tables.iter().map(BTreeMap::len).sum()
    }
}

/// Where an entry of an index is looked for.
#[derive(PartialEq, Eq)]
struct Wanted(Index, IndexHash);

impl Hash for Wanted {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.1.0);
    }
}

/// Uses a hash as it is. Index hashes are keyed, so no caller can choose them.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The ids of entries with one hash: nearly always one.
struct Ids {
    first: u64,
    more: Vec<u64>,
}

/// What a step of a draft did, for rolling back.
enum Undo {
    /// What stood at a place.
    Row(Table, Key, Option<Change>),
    Tally(AppNumber, Option<AppTallyRow>),
    /// An entry of an index was added.
    Added(Index, IndexHash),
    /// An entry of an index was removed.
    Removed,
    /// A change was recorded.
    Recorded,
}

/// What is recorded for the change feed.
#[derive(Default)]
pub(super) struct Recording {
    /// Of the request that is being decided; `Some` each.
    pub(super) records: Vec<Option<Recorded>>,
    /// How many rows the requests before it made.
    pub(super) rows: usize,
    /// When the latest of them was made.
    pub(super) now: Timestamp,
}

/// Changes over the committed state.
pub(crate) struct Draft<'s> {
    base: &'s Committed,
    rows: ChangedRows,
    /// Counts of apps, which change with nearly every entry: encoded once, at the end.
    tallies: BTreeMap<AppNumber, AppTallyRow>,
    index_changes: Vec<IndexChange>,
    /// The entries added to the indexes. One that was removed again stays: the row itself decides.
    added: HashMap<Wanted, Ids, BuildHasherDefault<AsItIs>>,
    undo: Vec<Undo>,
    /// The oldest format that has all rows.
    format: u32,
    /// `None` when the change feed is off.
    pub(super) recording: Option<Recording>,
    /// The answers that its requests leave.
    pub(super) new_answers: NewAnswers,
    /// The keys of requests that go on in the next commit.
    pub(super) under_way: Vec<KeyHash>,
    /// How many conflicts were not listed because the list is full.
    pub(crate) conflicts_not_kept: u64,
    /// The counters, with all changes counted.
    pub(crate) state: State,
}

/// A point that a draft can be rolled back to.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    steps: usize,
    format: u32,
    new_answers: NewAnswers,
    conflicts_not_kept: u64,
    state: State,
}

impl<'s> Draft<'s> {
    /// A draft for about `entries` entries of requests: memory for them is reserved.
    pub(crate) fn new(base: &'s Committed, entries: usize) -> Self {
        // A contact that is new with three identifiers and a token.
        let index_changes = entries.saturating_mul(4);
        Draft {
            base,
            rows: ChangedRows::with_capacity(entries.saturating_mul(256)),
            tallies: BTreeMap::new(),
            index_changes: Vec::with_capacity(index_changes),
            added: HashMap::with_capacity_and_hasher(index_changes, BuildHasherDefault::default()),
            undo: Vec::with_capacity(index_changes.saturating_mul(2)),
            format: base.format(),
            recording: base.keep_changes().map(|_| Recording::default()),
            new_answers: NewAnswers::default(),
            under_way: Vec::new(),
            conflicts_not_kept: 0,
            state: base.state(),
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            steps: self.undo.len(),
            format: self.format,
            new_answers: self.new_answers,
            conflicts_not_kept: self.conflicts_not_kept,
            state: self.state,
        }
    }

    /// The state that the changes are laid over.
    pub(super) fn base(&self) -> &'s Committed {
        self.base
    }

    /// An app that was disconnected and whose rows are not all removed yet.
    pub(crate) fn leaving(&self) -> Option<AppNumber> {
        self.base.directory().leaving()
    }

    /// Whether anything was changed since `mark`.
    pub(crate) fn changed_since(&self, mark: Mark) -> bool {
        self.undo.len() > mark.steps || self.state != mark.state
    }

    /// Whether rows that were asked for were not read yet. What is decided counts for nothing then.
    pub(crate) fn lacks_rows(&self) -> bool {
        self.base.lacks_rows()
    }

    /// Takes back every change since `mark`.
    pub(crate) fn roll_back_to(&mut self, mark: Mark) {
        while self.undo.len() > mark.steps {
            match self.undo.pop() {
                Some(Undo::Row(table, key, before)) => self.rows.restore(table, key, before),
                Some(Undo::Tally(app, Some(before))) => {
                    self.tallies.insert(app, before);
                }
                Some(Undo::Tally(app, None)) => {
                    self.tallies.remove(&app);
                }
                Some(Undo::Added(index, hash)) => {
                    self.index_changes.pop();
                    if let MapEntry::Occupied(mut ids) = self.added.entry(Wanted(index, hash))
                        && ids.get_mut().more.pop().is_none()
                    {
                        ids.remove();
                    }
                }
                Some(Undo::Removed) => {
                    self.index_changes.pop();
                }
                Some(Undo::Recorded) => {
                    if let Some(recording) = &mut self.recording {
                        recording.records.pop();
                    }
                }
                None => break,
            }
        }
        self.format = mark.format;
        self.new_answers = mark.new_answers;
        self.conflicts_not_kept = mark.conflicts_not_kept;
        self.state = mark.state;
    }

    /// Drops what the options keep no longer.
    pub(crate) fn trim(&mut self) -> Result<(), Failure> {
        let base = self.base;
        if let Some(keep) = base.keep_changes()
            && self.changed_rows() > 0
        {
            self.drop_old(|draft| draft.trim_changes(keep))?;
        }
        if let Some(keep) = base.keep_answers() {
            self.drop_old(|draft| draft.trim_answers(keep))?;
        }
        Ok(())
    }

    /// Drops what an option keeps no longer. No write is to fail for a damaged row among that: it stays,
    /// and `verify` reports it.
    fn drop_old(
        &mut self,
        trim: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mark = self.mark();
        match trim(self) {
            Err(Failure::Corrupt(_)) => {
                self.roll_back_to(mark);
                Ok(())
            }
            trimmed => trimmed,
        }
    }

    /// How many rows finishing would change.
    pub(crate) fn changed_rows(&self) -> usize {
        let counters = usize::from(self.state != self.base.state());
        self.rows
            .len()
            .saturating_add(self.tallies.len())
            .saturating_add(counters)
    }

    /// Ends the draft: the changes in the order of tables and keys, and the counters after them.
    /// `None` when there is nothing to write.
    pub(super) fn finish(self) -> Result<Option<Changes>, Failure> {
        let state_changed = self.state != self.base.state();
        let format = self.format.max(self.state.format());
        let mut changes = Changes {
            rows: self.rows,
            index: self.index_changes,
            tallies: BTreeMap::new(),
            format,
            state: self.state,
        };
        for (app, tally) in &self.tallies {
            changes.put(app, tally)?;
        }
        changes.tallies = self.tallies;
        if state_changed {
            let state = changes.state;
            changes.put(&keys::STATE_KEY, &state)?;
        }
        if format > self.base.format() {
            changes.put_format(&self.base.format_row()?.with_rows_of(format))?;
        }
        Ok((changes.rows.len() > 0).then_some(changes))
    }

    /// Puts or removes a row.
    pub(super) fn put<R: Row>(&mut self, key: &R::Key, row: Option<&R>) -> Result<(), Failure> {
        let key = key.to_key();
        let change = match row {
            Some(row) => {
                self.format = self.format.max(row.format());
                Change::Put(record::encode(&mut self.rows.bytes, &key, row)?)
            }
            None => Change::Remove,
        };
        self.stage(R::TABLE, key, change);
        Ok(())
    }

    /// Puts or removes a row; one that is `new` has a key that no row has.
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
        self.format = self.format.max(row.format());
        let change = Change::Insert(record::encode(&mut self.rows.bytes, &key, row)?);
        self.stage(R::TABLE, key, change);
        Ok(())
    }

    /// Puts the counts of an app.
    pub(crate) fn put_tally(&mut self, app: AppNumber, tally: AppTallyRow) {
        let before = self.tallies.insert(app, tally);
        self.undo.push(Undo::Tally(app, before));
    }

    /// The counts of a connection of an app, if there is or was one with this number.
    #[cfg(feature = "transfer")]
    pub(crate) fn known_tally(&self, app: AppNumber) -> Result<Option<AppTallyRow>, Failure> {
        match self.tallies.get(&app) {
            Some(tally) => Ok(Some(*tally)),
            None => self.base.row(&app),
        }
    }

    /// Adds an entry to an index.
    pub(super) fn add_to_index(&mut self, index: Index, hash: IndexHash, id: u64) {
        self.index_changes.push(IndexChange {
            place: Place::of(index, hash),
            entry: Entry::new(hash, id),
            removed: false,
        });
        match self.added.entry(Wanted(index, hash)) {
            MapEntry::Occupied(mut ids) => ids.get_mut().more.push(id),
            MapEntry::Vacant(place) => {
                let more = Vec::new();
                place.insert(Ids { first: id, more });
            }
        }
        self.undo.push(Undo::Added(index, hash));
    }

    /// Removes an entry from an index.
    pub(super) fn remove_from_index(&mut self, index: Index, hash: IndexHash, id: u64) {
        self.index_changes.push(IndexChange {
            place: Place::of(index, hash),
            entry: Entry::new(hash, id),
            removed: true,
        });
        self.undo.push(Undo::Removed);
    }

    /// Records a change, if the change feed is on.
    pub(super) fn record(&mut self, record: Recorded) {
        if let Some(recording) = &mut self.recording {
            recording.records.push(Some(record));
            self.undo.push(Undo::Recorded);
        }
    }

    fn stage(&mut self, table: Table, key: Key, change: Change) {
        let before = self.rows.put(table, key.clone(), change);
        // A row that comes back where one was removed is not new to the file.
        if let Some(Change::Remove) = before
            && let Some(rows) = self.rows.tables.get_mut(table.position())
            && let Some(now) = rows.get_mut(&key)
            && let Change::Insert(at) = now
        {
            *now = Change::Put(at.clone());
        }
        // A row that is new to the file stays so when it changes again before it gets there.
        if let Some(Change::Insert(_)) = before
            && let Some(rows) = self.rows.tables.get_mut(table.position())
            && let Some(now) = rows.get_mut(&key)
            && let Change::Put(at) = now
        {
            *now = Change::Insert(at.clone());
        }
        self.undo.push(Undo::Row(table, key, before));
    }
}

/// What a finished draft writes.
pub(crate) struct Changes {
    rows: ChangedRows,
    /// The entries that came to the indexes and went, in order.
    pub(super) index: Vec<IndexChange>,
    /// The counts of apps that changed. They are among the rows as well.
    pub(super) tallies: BTreeMap<AppNumber, AppTallyRow>,
    /// The oldest format that has all rows of the file.
    pub(super) format: u32,
    pub(super) state: State,
}

impl Changes {
    /// None, on top of a state.
    pub(super) fn none(base: &Committed) -> Self {
        Changes {
            rows: ChangedRows::with_capacity(0),
            index: Vec::new(),
            tallies: BTreeMap::new(),
            format: base.format(),
            state: base.state(),
        }
    }

    /// The changes of one table, in key order.
    pub(super) fn of(&self, table: Table) -> impl Iterator<Item = (&Key, Write<'_>)> {
        let changes = self.rows.of(table).into_iter().flatten();
        changes.map(|(key, change)| {
            let bytes = self.rows.bytes(change).unwrap_or_default();
            let write = match change {
                Change::Insert(_) => Write::Insert(bytes),
                Change::Put(_) => Write::Put(bytes),
                Change::Remove => Write::Remove,
            };
            (key, write)
        })
    }

    /// The contacts whose cards change.
    pub(super) fn contacts(&self) -> impl Iterator<Item = ContactId> {
        let rows = self.rows.of(Table::Contacts).into_iter().flatten();
        rows.filter_map(|(key, _)| ContactId::from_key(key).ok())
    }

    /// Whether a row of `table` changes.
    pub(super) fn touch(&self, table: Table) -> bool {
        self.rows.of(table).is_some_and(|rows| !rows.is_empty())
    }

    /// Puts a row that no request asked for.
    pub(super) fn put<R: Row>(&mut self, key: &R::Key, row: &R) -> Result<(), Failure> {
        let key = key.to_key();
        let at = record::encode(&mut self.rows.bytes, &key, row)?;
        self.rows.put(R::TABLE, key, Change::Put(at));
        Ok(())
    }

    fn put_format(&mut self, format: &FormatRow) -> Result<(), Failure> {
        let key = keys::FORMAT_KEY.to_key();
        let record = encode_format(&key, format)?;
        let start = self.rows.bytes.len();
        self.rows.bytes.extend_from_slice(&record);
        let at = start..self.rows.bytes.len();
        self.rows.put(Table::Meta, key, Change::Put(at));
        Ok(())
    }

    /// Inserts a new row that no request asked for, with this payload.
    pub(super) fn insert_bytes(
        &mut self,
        table: Table,
        key: u64,
        payload: &[u8],
    ) -> Result<(), Failure> {
        let key = Key::Int(key);
        let at = record::encode_bytes(&mut self.rows.bytes, table, &key, payload)?;
        self.rows.put(table, key, Change::Insert(at));
        Ok(())
    }

    /// Removes a row that no request asked to be removed.
    pub(super) fn remove(&mut self, table: Table, key: u64) {
        self.rows.put(table, Key::Int(key), Change::Remove);
    }
}

/// The keys of rows that were changed by one commit or several.
#[derive(Default)]
pub(crate) struct ChangedKeys(BTreeMap<Table, BTreeSet<Key>>);

impl ChangedKeys {
    /// Adds those of a commit.
    pub(crate) fn add(&mut self, changes: &Changes) {
        for table in Table::ALL {
            let keys = changes.of(table).map(|(key, _)| key.clone());
            self.0.entry(table).or_default().extend(keys);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// Those of one table, in order.
    pub(super) fn of(&self, table: Table) -> impl Iterator<Item = &Key> {
        self.0.get(&table).into_iter().flatten()
    }

    /// Forgets those that come after this one, and all of the table when there is none.
    pub(super) fn forget_after(&mut self, table: Table, last: Option<&Key>) {
        self.0
            .retain(|other, _| other.position() <= table.position());
        if let Some(keys) = self.0.get_mut(&table) {
            keys.retain(|key| last.is_some_and(|last| key <= last));
        }
    }
}

impl Rows for Draft<'_> {
    fn read<T>(
        &self,
        table: Table,
        key: &Key,
        read: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        match self.rows.of(table).and_then(|rows| rows.get(key)) {
            Some(change) => self.rows.bytes(change).map(read).transpose(),
            None => self.base.read(table, key, read),
        }
    }

    fn foresee<'k, R: Row>(&self, keys: impl Iterator<Item = &'k R::Key>)
    where
        R::Key: 'k,
    {
        self.base.foresee::<R>(keys);
    }

    fn candidates(
        &self,
        index: Index,
        hash: IndexHash,
        each: &mut dyn FnMut(u64) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        if let Some(added) = self.added.get(&Wanted(index, hash)) {
            for id in std::iter::once(&added.first).chain(&added.more) {
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
        let span = (Bound::Included(first), Bound::Included(last));
        let none = BTreeMap::new();
        let mut changed = self.rows.of(table).unwrap_or(&none).range::<Key, _>(span);
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
                    if let Some(bytes) = self.rows.bytes(change) {
                        go_on = each(changed_key.clone(), bytes)?;
                    }
                    if !go_on {
                        return Ok(false);
                    }
                }
                match pending {
                    Some((changed_key, change)) if *changed_key == key => {
                        pending = next();
                        if let Some(bytes) = self.rows.bytes(change) {
                            go_on = each(key, bytes)?;
                        }
                    }
                    _ => go_on = each(key, bytes)?,
                }
                Ok(go_on)
            })?;
        while go_on && let Some((key, change)) = pending {
            pending = next();
            if let Some(bytes) = self.rows.bytes(change) {
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

    fn card(&self, id: ContactId) -> Result<Option<CardRow>, Failure> {
        let changed = self.rows.of(Table::Contacts);
        if changed.is_some_and(|rows| rows.contains_key(&id.to_key())) {
            return self.row(&id);
        }
        self.base.card(id)
    }

    fn tally(&self, app: AppNumber) -> Result<AppTallyRow, Failure> {
        match self.tallies.get(&app) {
            Some(tally) => Ok(*tally),
            None => self.base.tally(app),
        }
    }
}
