//! The writer's side of the indexes: changes are logged and applied, folded into buckets a slice at
//! a time, and the memory is filled from the buckets.
//!
//! What a commit adds to the file is planned before it ([`Keeper::plan`]), and taken into memory with it
//! ([`Keeper::apply`]), in any order: no reader sees the state that it leads to before both are done. After a
//! commit that failed, the keeper may be ahead of the file, and is loaded anew. This module does not know
//! requests, and commits nothing itself.

use std::sync::Arc;

use super::super::draft::Changes;
use super::super::format::keys;
use super::super::format::record;
use super::super::guard::Failure;
use super::super::read::Rows;
use super::super::tables::{Key, Table};
use super::bucket;
use super::change::{self, IndexChange};
use super::entry::{Entry, Place};
use super::layout::Layout;
use super::shard::{Inserted, Shard};
use super::view::View;

/// The row of the table `meta` that says where the indexes stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IndexState {
    /// How many entries each index has.
    pub(crate) entries: [u64; 4],
    pub(crate) layout: Layout,
    /// The first and the next number of a row of the log.
    pub(crate) log_first: u64,
    pub(crate) log_next: u64,
    /// The rows of the log before this one are folded once the present round of folding ends.
    pub(crate) log_folding: u64,
    /// The rows of the log before this one are folded: they only wait for being removed.
    pub(crate) log_folded: u64,
    /// The end of the log, which fills no row yet. It shares the page of the counters, which each
    /// commit writes anyway.
    pub(crate) log_end: Vec<u8>,
}

/// When and how much is folded. Small numbers are for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Folding {
    /// A round begins when this many changes wait, and an eighth of all entries.
    pub(crate) after: usize,
    /// A commit folds this many bytes of buckets, or more if it has many changes itself. With 256 KiB,
    /// one commit in a hundred of 64 callers took 6 to 9 ms; with this, about 5.
    pub(crate) slice_bytes: usize,
    /// It looks at this many shards at most: in a small store most have no entry.
    pub(crate) slice_places: usize,
    /// About as many entries are in a bucket: with 128, four buckets share a page.
    pub(crate) bucket_entries: u64,
}

impl Default for Folding {
    fn default() -> Self {
        Folding {
            after: 1 << 14,
            slice_bytes: 96 << 10,
            slice_places: 512,
            bucket_entries: 112,
        }
    }
}

/// Bytes folded for each change. A round must end before the next one is due.
const SLICE_BYTES_PER_CHANGE: usize = 128;
/// As much of the log as stays beside the counters. Together they fit into a page.
const LOG_END_BYTES: usize = 1_500;
/// A row of the log fills four pages at most.
const LOG_ROW_BYTES: usize = 16_000;
/// A commit removes this many rows of the log at most.
const LOG_ROWS_REMOVED: u64 = 256;

/// Changes of one shard that no bucket has yet.
#[derive(Clone, Default)]
pub(crate) struct Unfolded {
    /// May hold an entry twice.
    pub(crate) added: Vec<Entry>,
    pub(crate) removed: Vec<Entry>,
}

impl Unfolded {
    fn with_capacity(added: usize) -> Self {
        Unfolded {
            added: Vec::with_capacity(added),
            removed: Vec::new(),
        }
    }

    pub(crate) fn note(&mut self, change: &IndexChange) {
        let (to, from) = if change.removed {
            (&mut self.removed, &mut self.added)
        } else {
            (&mut self.added, &mut self.removed)
        };
        if !from.is_empty() {
            from.retain(|entry| *entry != change.entry);
        }
        to.push(change.entry);
    }

    fn len(&self) -> usize {
        self.added.len().saturating_add(self.removed.len())
    }

    /// What `entries` are once these changes are folded in, sorted and each once.
    pub(crate) fn fold_into(&self, mut entries: Vec<Entry>) -> Vec<Entry> {
        let sorted = entries.len();
        entries.extend_from_slice(&self.added);
        if let Some(added) = entries.get_mut(sorted..) {
            added.sort_unstable();
        }
        // Two sorted runs, as which the stable sort takes them: it only merges.
        entries.sort();
        entries.dedup();
        if !self.removed.is_empty() {
            let mut removed = self.removed.clone();
            removed.sort_unstable();
            entries.retain(|entry| removed.binary_search(entry).is_err());
        }
        entries
    }
}

/// What one commit does to the indexes.
pub(crate) struct Step {
    state: IndexState,
    changes: Vec<IndexChange>,
    /// The shards that it folds, with all their entries.
    folded: Vec<(Place, Vec<Entry>)>,
    /// A bucket that it wanted to fold is damaged.
    met_damage: bool,
}

impl Step {
    /// How many entries come and go.
    pub(crate) fn changes(&self) -> usize {
        self.changes.len()
    }
}

/// The writer's side of the indexes.
pub(crate) struct Keeper {
    view: View,
    state: IndexState,
    /// By place.
    unfolded: Vec<Unfolded>,
    unfolded_count: usize,
    /// Bytes of all shards.
    bytes: usize,
    /// The most bytes that complete shards may take.
    most_bytes: usize,
    /// The next place to be filled from its buckets; `None` when all are, or memory is used up.
    to_fill: Option<Place>,
    folding: Folding,
    /// The rows of the log before this one are to be folded and removed, due or not.
    asked_to_fold: Option<u64>,
}

impl Keeper {
    /// The indexes as they are in the file.
    pub(crate) fn load(
        rows: &impl Rows,
        state: IndexState,
        most_bytes: usize,
        folding: Folding,
    ) -> Result<Self, Failure> {
        let expected = expected_at_a_place(&state);
        let mut keeper = Keeper {
            view: View::new(state.layout),
            state: IndexState::default(),
            unfolded: (0..super::entry::PLACES)
                .map(|_| Unfolded::with_capacity(expected))
                .collect(),
            unfolded_count: 0,
            bytes: 0,
            most_bytes,
            to_fill: (state.layout.generation > 0)
                .then(|| Place::new(0))
                .flatten(),
            folding,
            asked_to_fold: None,
        };
        read_log(rows, &state, |change| {
            if let Some(unfolded) = keeper.unfolded.get_mut(change.place.number()) {
                unfolded.note(&change);
            }
        })?;
        keeper.state = state;
        let counts = keeper.unfolded.iter().map(Unfolded::len);
        keeper.unfolded_count = counts.fold(0, usize::saturating_add);
        for place in Place::all() {
            // Where nothing was ever folded, the log has all entries.
            match keeper.unfolded.get(place.number()) {
                Some(unfolded) if keeper.view.layout.buckets(place).is_none() => {
                    let entries = unfolded.fold_into(Vec::new());
                    if !entries.is_empty() {
                        keeper.put_complete(place, &entries);
                    }
                }
                _ => keeper.put_unfolded(place),
            }
        }
        Ok(keeper)
    }

    /// Whether the indexes are in this state.
    pub(crate) fn is_at(&self, state: &IndexState) -> bool {
        self.state == *state
    }

    /// The indexes for a snapshot to read.
    pub(crate) fn view(&self) -> Arc<View> {
        let mut view = self.view.clone();
        view.unfolded = self.unfolded_count;
        Arc::new(view)
    }

    /// Puts into `commit` what the indexes have to write with it, on top of the state that `rows`
    /// shows. `None` when that is nothing.
    pub(crate) fn plan(
        &self,
        rows: &impl Rows,
        commit: &mut Changes,
    ) -> Result<Option<Step>, Failure> {
        let mut step = Step {
            state: self.state.clone(),
            changes: std::mem::take(&mut commit.index),
            folded: Vec::new(),
            met_damage: false,
        };
        self.count(&mut step)?;
        append_to_log(&mut step, commit)?;
        self.fold(rows, &mut step, commit)?;
        trim_log(&mut step, commit);
        if step.state == self.state {
            return Ok(None);
        }
        commit.put(&keys::INDEX_STATE_KEY, &step.state)?;
        Ok(Some(step))
    }

    fn count(&self, step: &mut Step) -> Result<(), Failure> {
        for change in &step.changes {
            let count = step.state.entries.get_mut(change.place.index().number());
            let Some(count) = count else { continue };
            let counted = if change.removed {
                count.checked_sub(1)
            } else {
                count.checked_add(1)
            };
            *count = counted.ok_or(Failure::Corrupt("an index with fewer entries than none"))?;
        }
        Ok(())
    }

    /// Folds the next shards, if it is time.
    fn fold(&self, rows: &impl Rows, step: &mut Step, commit: &mut Changes) -> Result<(), Failure> {
        if !step.state.layout.is_folding() && !self.begin_round_if_due(&mut step.state) {
            return Ok(());
        }
        let own = step.changes.len().saturating_mul(SLICE_BYTES_PER_CHANGE);
        let slice_bytes = self.folding.slice_bytes.max(own);
        let mut bytes = 0_usize;
        for _ in 0..self.folding.slice_places {
            let next = step.state.layout.next();
            let Some(place) = next.filter(|_| bytes < slice_bytes) else {
                break;
            };
            let Some(written) = self.fold_place(rows, place, step, commit)? else {
                // Requests go on, and the log grows. The stats, look-ups and `verify` say so.
                step.met_damage = true;
                break;
            };
            bytes = bytes.saturating_add(written);
        }
        if !step.state.layout.is_folding() {
            step.state.log_folded = step.state.log_folding;
        }
        Ok(())
    }

    /// Begins a round of folding when enough changes wait for one. Says whether it did.
    fn begin_round_if_due(&self, state: &mut IndexState) -> bool {
        let entries = state.entries.iter().copied().fold(0, u64::saturating_add);
        let due = usize::try_from(entries / 8).unwrap_or(usize::MAX);
        let is_asked = self.asked_to_fold.is_some_and(|to| state.log_folded < to);
        if !is_asked && self.unfolded_count < due.max(self.folding.after) {
            return false;
        }
        state.layout = state
            .layout
            .next_round(state.entries, self.folding.bucket_entries);
        state.log_folding = self.state.log_next;
        true
    }

    /// Folds one place: writes its buckets anew, with the changes that they do not have yet. Gives how many
    /// bytes they take; `None` where the buckets are damaged.
    fn fold_place(
        &self,
        rows: &impl Rows,
        place: Place,
        step: &mut Step,
        commit: &mut Changes,
    ) -> Result<Option<usize>, Failure> {
        let layout = step.state.layout;
        let (mut old, mut replaced) = (Vec::new(), Vec::new());
        match read_buckets(rows, &layout, place, &mut old, |key| replaced.push(key)) {
            Ok(()) => {}
            Err(Failure::Corrupt(_)) => return Ok(None),
            Err(failure) => return Err(failure),
        }
        for key in replaced {
            commit.remove(Table::Index, key);
        }
        let entries = match self.unfolded.get(place.number()) {
            Some(unfolded) => unfolded.fold_into(old),
            None => old,
        };
        let mut bytes = 0_usize;
        for (key, entries) in layout.cut(place, &entries) {
            let payload = bucket::encode(place.index(), entries);
            bytes = bytes.saturating_add(payload.len());
            commit.insert_bytes(Table::Index, key, &payload)?;
        }
        step.folded.push((place, entries));
        step.state.layout = layout.folded_one();
        Ok(Some(bytes))
    }

    /// Takes into memory what a commit does.
    pub(crate) fn apply(&mut self, step: Step) {
        self.state = step.state;
        self.view.layout = self.state.layout;
        self.view.is_damaged |= step.met_damage;
        let is_done = |to| self.state.log_first >= to;
        if step.met_damage || self.asked_to_fold.is_some_and(is_done) {
            self.asked_to_fold = None;
        }
        for (place, entries) in step.folded {
            self.folded(place, &entries);
        }
        for change in &step.changes {
            self.apply_change(change);
        }
    }

    /// From now on each commit folds, until all rows that the log has now are folded and removed.
    pub(crate) fn ask_to_fold(&mut self) {
        let is_needed = self.state.log_first < self.state.log_next;
        self.asked_to_fold = is_needed.then_some(self.state.log_next);
    }

    /// Whether commits are still needed for what was asked.
    pub(crate) fn is_asked_to_fold(&self) -> bool {
        self.asked_to_fold.is_some()
    }

    /// Gives up what was asked.
    pub(crate) fn stop_folding(&mut self) {
        self.asked_to_fold = None;
    }

    /// What a shard becomes when its changes are in buckets.
    fn folded(&mut self, place: Place, entries: &[Entry]) {
        let Some(unfolded) = self.unfolded.get_mut(place.number()) else {
            return;
        };
        self.unfolded_count = self.unfolded_count.saturating_sub(unfolded.len());
        let had_removed = !unfolded.removed.is_empty();
        // Their room is kept: as many will come again.
        unfolded.added.clear();
        unfolded.removed.clear();
        match self.view.shard(place) {
            // It has all entries, and none that was removed.
            Some(shard) if shard.is_complete() && !had_removed => {}
            _ => self.put_complete(place, entries),
        }
    }

    /// Puts all entries of a place into memory, if there is room for them; otherwise those that no
    /// bucket has.
    fn put_complete(&mut self, place: Place, entries: &[Entry]) {
        let shard = Shard::new(place.index(), true, entries, entries.len() / 16);
        if self.fits(place, shard.bytes()) {
            self.put(place, Some(shard));
        } else {
            self.put_unfolded(place);
        }
    }

    fn put_unfolded(&mut self, place: Place) {
        let unfolded = self.unfolded.get(place.number());
        let added = unfolded
            .map(|unfolded| &*unfolded.added)
            .unwrap_or_default();
        let shard = (!added.is_empty()).then(|| Shard::new(place.index(), false, added, 1));
        self.put(place, shard);
    }

    /// Whether a complete shard of this size may stand at a place.
    fn fits(&self, place: Place, bytes: usize) -> bool {
        let now = self.view.shard(place).map_or(0, |shard| shard.bytes());
        self.bytes.saturating_sub(now).saturating_add(bytes) <= self.most_bytes
    }

    fn put(&mut self, place: Place, shard: Option<Shard>) {
        let bytes = shard.as_ref().map_or(0, Shard::bytes);
        let before = self.view.put(place, shard.map(Arc::new));
        let bytes_before = before.map_or(0, |shard| shard.bytes());
        let bytes_of_others = self.bytes.saturating_sub(bytes_before);
        self.bytes = bytes_of_others.saturating_add(bytes);
    }

    fn apply_change(&mut self, change: &IndexChange) {
        let place = change.place;
        let Some(unfolded) = self.unfolded.get_mut(place.number()) else {
            return;
        };
        let before = unfolded.len();
        unfolded.note(change);
        let count = self.unfolded_count.saturating_sub(before);
        self.unfolded_count = count.saturating_add(unfolded.len());
        // A removed entry stays in memory until its shard is copied: old snapshots may need it.
        if change.removed {
            return;
        }
        let Some(shard) = self.view.shard(place) else {
            // Where nothing was ever folded, memory has everything from its first entry on.
            let complete = self.view.layout.buckets(place).is_none();
            let shard = Shard::new(place.index(), complete, &[change.entry], 0);
            if complete && !self.fits(place, shard.bytes()) {
                self.put_unfolded(place);
            } else {
                self.put(place, Some(shard));
            }
            return;
        };
        if shard.insert(change.entry) != Inserted::Full {
            return;
        }
        let grown = shard.grown(|entry| !unfolded.removed.contains(&entry));
        grown.insert(change.entry);
        if grown.is_complete() && !self.fits(place, grown.bytes()) {
            self.put_unfolded(place);
        } else {
            self.put(place, Some(grown));
        }
    }

    /// Fills the next shards from their buckets, until some bytes were read. Answers whether there
    /// is more to do; the view has changed when it is `true`, or was before.
    pub(crate) fn fill(&mut self, rows: &impl Rows, bytes: usize) -> Result<bool, Failure> {
        let mut read = 0_usize;
        while let Some(place) = self.to_fill
            && read < bytes
        {
            self.to_fill = Place::new(place.number().saturating_add(1));
            if self.view.is_complete(place) {
                continue;
            }
            if self.bytes >= self.most_bytes {
                self.to_fill = None;
                break;
            }
            let mut entries = Vec::new();
            match read_buckets(rows, &self.view.layout, place, &mut entries, |_| {}) {
                Ok(()) => {}
                // Look-ups go on reading the bucket, and say so.
                Err(Failure::Corrupt(_)) => {
                    self.view.is_damaged = true;
                    continue;
                }
                Err(failure) => return Err(failure),
            }
            read = read
                .saturating_add(entries.len().saturating_mul(8))
                .saturating_add(64);
            let unfolded = self.unfolded.get(place.number());
            let entries = unfolded.map_or(entries.clone(), |unfolded| unfolded.fold_into(entries));
            self.put_complete(place, &entries);
        }
        Ok(self.to_fill.is_some())
    }

    /// Whether look-ups may still become faster by [`fill`](Self::fill).
    pub(crate) fn has_to_fill(&self) -> bool {
        self.to_fill.is_some()
    }
}

/// Appends the changes of a step to the log: to its end beside the counters, or, when that is full,
/// to rows of its own. A change has all its bytes in one row.
fn append_to_log(step: &mut Step, commit: &mut Changes) -> Result<(), Failure> {
    for change in &step.changes {
        change.encode(&mut step.state.log_end);
        if step.state.log_end.len() > LOG_ROW_BYTES {
            end_log_row(&mut step.state, commit)?;
        }
    }
    if step.state.log_end.len() > LOG_END_BYTES {
        end_log_row(&mut step.state, commit)?;
    }
    Ok(())
}

/// Makes the end of the log a row.
fn end_log_row(state: &mut IndexState, commit: &mut Changes) -> Result<(), Failure> {
    commit.insert_bytes(Table::IndexLog, state.log_next, &state.log_end)?;
    state.log_end.clear();
    state.log_next = state.log_next.saturating_add(1);
    Ok(())
}

/// Removes rows of the log that are folded.
fn trim_log(step: &mut Step, commit: &mut Changes) {
    let state = &mut step.state;
    let most = state.log_first.saturating_add(LOG_ROWS_REMOVED);
    let end = state.log_folded.min(most);
    for number in state.log_first..end {
        commit.remove(Table::IndexLog, number);
    }
    state.log_first = state.log_first.max(end);
}

/// About how many changes of each place are in the log, to reserve memory for them: letting it grow took a
/// third of the time of reading the log.
fn expected_at_a_place(state: &IndexState) -> usize {
    /// A state that is damaged must not decide what is allocated.
    const MOST: u64 = 256;
    /// Of a change in the log, unless its id is very large.
    const CHANGE_BYTES: u64 = 10;
    const PLACES: u64 = super::entry::PLACES as u64;
    let rows = state
        .log_next
        .saturating_sub(state.log_first.max(state.log_folded));
    let changes = rows.saturating_mul(LOG_ROW_BYTES as u64) / CHANGE_BYTES;
    let expected = changes / PLACES;
    // Places differ: some have a quarter more.
    let expected = expected.saturating_add(expected / 4).min(MOST);
    usize::try_from(expected).unwrap_or_default()
}

/// Hands the changes in the log to `each`, in order.
pub(crate) fn read_log(
    rows: &impl Rows,
    state: &IndexState,
    mut each: impl FnMut(IndexChange),
) -> Result<(), Failure> {
    let first = state.log_first.max(state.log_folded);
    for number in first..state.log_next {
        let key = Key::Int(number);
        let there = rows.read(Table::IndexLog, &key, |bytes| {
            record::open(Table::IndexLog, &key, bytes, |payload| {
                change::decode(payload, &mut each)
            })
        })?;
        there.ok_or(Failure::Corrupt(
            "a row of the log of the indexes is missing",
        ))?;
    }
    change::decode(&state.log_end, each)
}

/// Appends the persisted entries of a place to `to`, and hands the key of each bucket to `each`.
pub(crate) fn read_buckets(
    rows: &impl Rows,
    layout: &Layout,
    place: Place,
    to: &mut Vec<Entry>,
    mut each: impl FnMut(u64),
) -> Result<(), Failure> {
    let Some((first, last)) = layout.buckets(place) else {
        return Ok(());
    };
    rows.walk(
        Table::Index,
        (&Key::Int(first), &Key::Int(last)),
        true,
        &mut |key, bytes| {
            record::open(Table::Index, &key, bytes, |payload| {
                bucket::decode(place.index(), payload, to)
            })?;
            if let Key::Int(key) = key {
                each(key);
            }
            Ok(true)
        },
    )
}
