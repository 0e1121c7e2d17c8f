//! Look-ups while the writer adds to the indexes, removes from them, copies shards, folds and fills: a
//! snapshot finds each value that it holds, and no other (R8, R26, R47).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use shuttle::rand::{Rng as _, thread_rng};

use super::file::{Changes, File, Table};
use super::unique::bucket;
use super::unique::change::IndexChange;
use super::unique::entry::{Entry, Index, IndexHash, Place};
use super::unique::keeper::{Folding, IndexState, Keeper};
use super::unique::layout::Layout;
use super::unique::view::View;
use crate::explore::{Met, explore};
use crate::sync::{Arc, RwLock};
use crate::world::together;

/// The first and the last places that there are: a round of folding that has passed the first ones goes
/// on with the last, and the next begins with the first.
const SHARDS: [(Index, u64); 3] = [
    (Index::ExternalIds, 0),
    (Index::ExternalIds, 1),
    (Index::Tokens, 1_023),
];
/// Bits of the hash that an entry has: shared by some, beside each other, and at the end, from where
/// the slots go on at the beginning.
const SHORTS: [u64; 5] = [0x10_0000, 0x10_0000, 0x10_0001, 0xff_ffff, 0xff_ffff];
const COMMITS: u64 = 6;

const FOUND: &str = "values found";
const MISSED: &str = "values that were nowhere";
const FOUND_BY_OLDER: &str = "values found by an older snapshot";
const GONE_SINCE: &str = "values found that were gone or elsewhere already";
const PASSED: &str = "entries passed that were not of the snapshot";
const IN_COMMIT: &str = "look-ups while entries came in";
const IN_BUCKETS: &str = "look-ups where memory has not all";
const GROWN: &str = "shards copied because they were full";
const FOLDED: &str = "places folded";
const ROUNDS: &str = "rounds of folding ended";
const FILLED: &str = "places filled";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Value {
    index: usize,
    hash: u64,
}

impl Value {
    fn all() -> impl Iterator<Item = Self> {
        SHARDS.into_iter().flat_map(|(index, shard)| {
            let values = SHORTS.into_iter().enumerate();
            values.map(move |(number, short)| Value {
                index: index.number(),
                hash: short << 40 | (number as u64) << 10 | shard,
            })
        })
    }

    fn any() -> Self {
        let all: Vec<Value> = Value::all().collect();
        all[thread_rng().gen_range(0..all.len())]
    }

    fn index(self) -> Index {
        Index::ALL[self.index]
    }

    fn place(self) -> Place {
        Place::of(self.index(), IndexHash(self.hash))
    }

    fn change(self, id: u64, removed: bool) -> IndexChange {
        IndexChange {
            place: self.place(),
            entry: Entry::new(IndexHash(self.hash), id),
            removed,
        }
    }
}

/// An id of a row of an index. One in six is too large for a slot.
fn any_id(index: Index) -> u64 {
    let number = thread_rng().gen_range(1..9);
    let is_wide = thread_rng().gen_range(0..6) == 0;
    match (index, is_wide) {
        (Index::Tokens, false) => 1 << 40 | number,
        (Index::Tokens, true) => 300 << 40 | number,
        (_, false) => number,
        (_, true) => 1 << 41 | number,
    }
}

/// Which value a row has, by index and id of the row.
type Rows = BTreeMap<(usize, u64), u64>;

/// What a reader has of one state.
#[derive(Clone)]
struct Snapshot {
    number: u64,
    rows: Arc<Rows>,
    file: Arc<File>,
    indexes: Arc<View>,
}

impl Snapshot {
    /// The row that has a value, as the indexes lead to it.
    fn find(&self, value: Value, met: &Met) -> Option<u64> {
        let mut found = None;
        let hash = IndexHash(value.hash);
        let each = &mut |id| {
            let is = self.rows.get(&(value.index, id)) == Some(&value.hash);
            met.count(PASSED, u64::from(!is));
            found = is.then_some(id);
            Ok(!is)
        };
        let looked = self
            .indexes
            .candidates(&*self.file, value.index(), hash, each);
        looked.unwrap();
        found
    }

    /// The row that has a value.
    fn row_with(&self, value: Value) -> Option<u64> {
        let mut rows = self.rows.iter();
        let row = rows.find(|((index, _), hash)| (*index, **hash) == (value.index, value.hash));
        row.map(|((_, id), _)| *id)
    }

    #[track_caller]
    fn assert_finds(&self, value: Value, met: &Met) {
        let found = self.find(value, met);
        assert_eq!(found, self.row_with(value), "{value:?} at {}", self.number);
        met.count(if found.is_some() { FOUND } else { MISSED }, 1);
    }
}

/// The writer's side of the store.
struct Writing {
    keeper: Keeper,
    now: Snapshot,
}

impl Writing {
    /// Opens a file in which the first places are folded, and the others to some part.
    fn open() -> Self {
        let mut random = thread_rng();
        let folding = Folding {
            after: [1, 4, 1 << 14][random.gen_range(0..3)],
            slice_bytes: 0,
            slice_places: random.gen_range(1..4),
            // With 0, a shard has as many buckets as there are values.
            bucket_entries: [0, 112][random.gen_range(0..2)],
        };
        let most_bytes = [0, 2_000, usize::MAX][random.gen_range(0..3)];
        let mut rows = Rows::new();
        for value in Value::all() {
            if random.gen_bool(0.5) {
                rows.entry((value.index, any_id(value.index())))
                    .or_insert(value.hash);
            }
        }
        let file = file_with(&rows, [1, 2, 4_095, 4_096][random.gen_range(0..4)]);
        let state = file.indexes.clone();
        let keeper = Keeper::load(&file, state, most_bytes, folding).unwrap();
        let now = Snapshot {
            number: 0,
            rows: Arc::new(rows),
            indexes: keeper.view(),
            file: Arc::new(file),
        };
        Writing { keeper, now }
    }

    /// Changes a value of a row: it is added, removed, or goes to another.
    fn change(rows: &mut Rows, changes: &mut Changes) {
        let (value, id) = {
            let value = Value::any();
            (value, any_id(value.index()))
        };
        let has =
            |(index, _): &(usize, u64), hash: &u64| (*index, *hash) == (value.index, value.hash);
        let had_by = rows.iter().find(|(row, hash)| has(row, hash));
        if let Some((row, _)) = had_by.map(|(row, hash)| (*row, *hash)) {
            rows.remove(&row);
            changes.index.push(value.change(row.1, true));
            if thread_rng().gen_bool(0.4) {
                return;
            }
        }
        if let Some(hash) = rows.insert((value.index, id), value.hash) {
            let before = Value { hash, ..value };
            changes.index.push(before.change(id, true));
        }
        changes.index.push(value.change(id, false));
    }

    fn commit(&mut self, world: &World) {
        let mut rows = (*self.now.rows).clone();
        let mut changes = Changes::default();
        for _ in 0..thread_rng().gen_range(2..10) {
            Writing::change(&mut rows, &mut changes);
        }
        let before = self.now.indexes.clone();
        let step = self.keeper.plan(&*self.now.file, &mut changes).unwrap();
        let (rows, file) = (Arc::new(rows), self.now.file.after(changes));
        // Of a large commit the entries may come before its rows are durable.
        let at_once = thread_rng().gen_bool(0.5);
        let make_durable = || *world.durable() = Arc::clone(&rows);
        if !at_once {
            make_durable();
        }
        world.applying.store(true, Ordering::SeqCst);
        self.keeper.apply(step.expect("the log grows"));
        world.applying.store(false, Ordering::SeqCst);
        if at_once {
            make_durable();
        }
        self.now = Snapshot {
            number: self.now.number + 1,
            rows,
            file: Arc::new(file),
            indexes: self.keeper.view(),
        };
        world.publish(&self.now);
        let after = &self.now.indexes;
        for place in places() {
            let folded = before.layout.buckets(place) != after.layout.buckets(place);
            world.met.count(FOLDED, u64::from(folded));
            if let (Some(before), Some(after)) = (before.shard(place), after.shard(place)) {
                let grown = !folded && !Arc::ptr_eq(before, after);
                world.met.count(GROWN, u64::from(grown));
            }
        }
        let ended = before.layout.is_folding() && !after.layout.is_folding();
        world.met.count(ROUNDS, u64::from(ended));
    }

    /// Fills some place from its buckets.
    fn fill(&mut self, world: &World) {
        let lacking = |view: &View| places().filter(|place| !view.is_complete(*place)).count();
        let before = lacking(&self.now.indexes);
        self.keeper.fill(&*self.now.file, 1).unwrap();
        self.now.indexes = self.keeper.view();
        world.publish(&self.now);
        let filled = before.saturating_sub(lacking(&self.now.indexes));
        world.met.count(FILLED, filled as u64);
    }

    fn write(mut self, world: &World) -> Self {
        for _ in 0..COMMITS {
            if self.keeper.has_to_fill() && thread_rng().gen_bool(0.5) {
                self.fill(world);
            }
            self.commit(world);
        }
        self
    }
}

fn places() -> impl Iterator<Item = Place> {
    let of = |(index, shard)| Place::of(index, IndexHash(shard));
    SHARDS.into_iter().map(of)
}

/// A file with these rows, whose places before `cursor` were folded once, while the changes of the
/// others are in the log.
fn file_with(rows: &Rows, cursor: u16) -> File {
    let mut file = File::default();
    let mut state = IndexState {
        layout: Layout {
            generation: 1,
            cursor,
            parts: [1; 4],
            parts_before: [0; 4],
        },
        ..IndexState::default()
    };
    for place in places() {
        let mut entries = Vec::new();
        for ((index, id), hash) in rows {
            let value = Value {
                index: *index,
                hash: *hash,
            };
            if value.place() == place {
                entries.push(value.change(*id, false));
            }
        }
        state.entries[place.index().number()] += entries.len() as u64;
        if place.number() >= usize::from(cursor) {
            entries
                .iter()
                .for_each(|change| change.encode(&mut state.log_end));
            continue;
        }
        let mut folded: Vec<Entry> = entries.iter().map(|change| change.entry).collect();
        folded.sort_unstable();
        for (key, entries) in state.layout.cut(place, &folded) {
            file.insert(Table::Index, key, &bucket::encode(place.index(), entries));
        }
    }
    file.indexes = state;
    file
}

struct World {
    newest: RwLock<Snapshot>,
    // Those of `std`: looking on must not be a step of the schedule.
    durable: Mutex<Arc<Rows>>,
    applying: AtomicBool,
    met: Met,
}

impl World {
    fn new(now: &Snapshot) -> Arc<Self> {
        Arc::new(World {
            newest: RwLock::new(now.clone()),
            durable: Mutex::new(Arc::clone(&now.rows)),
            applying: AtomicBool::new(false),
            met: Met::default(),
        })
    }

    fn durable(&self) -> MutexGuard<'_, Arc<Rows>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, snapshot: &Snapshot) {
        *self.newest.write().unwrap() = snapshot.clone();
    }

    fn newest(&self) -> Snapshot {
        self.newest.read().unwrap().clone()
    }

    /// Keeps a snapshot for some look-ups, takes the newest, and so on.
    fn look_often(&self) {
        let mut snapshot = self.newest();
        for _ in 0..16 {
            if thread_rng().gen_range(0..5) == 0 {
                snapshot = self.newest();
            }
            let value = Value::any();
            let applying = self.applying.load(Ordering::SeqCst);
            snapshot.assert_finds(value, &self.met);
            self.met.count(IN_COMMIT, u64::from(applying));
            let incomplete = !snapshot.indexes.is_complete(value.place());
            self.met.count(IN_BUCKETS, u64::from(incomplete));
            let durable = Arc::clone(&self.durable());
            if !Arc::ptr_eq(&durable, &snapshot.rows)
                && let Some(row) = snapshot.row_with(value)
            {
                self.met.count(FOUND_BY_OLDER, 1);
                let gone = durable.get(&(value.index, row)) != Some(&value.hash);
                self.met.count(GONE_SINCE, u64::from(gone));
            }
        }
    }
}

#[test]
fn r47_a_look_up_finds_what_its_snapshot_holds_while_shards_grow_are_copied_folded_and_filled() {
    let least = [
        (FOUND, 50_000),
        (MISSED, 10_000),
        (FOUND_BY_OLDER, 5_000),
        (GONE_SINCE, 5_000),
        (PASSED, 100_000),
        (IN_COMMIT, 20_000),
        (IN_BUCKETS, 30_000),
        (GROWN, 2_000),
        (FOLDED, 2_000),
        (ROUNDS, 500),
        (FILLED, 1_000),
    ];
    explore(4_000, &least, |met| {
        let writing = Writing::open();
        let world = World::new(&writing.now);
        let look = |_| -> Box<dyn FnOnce() + Send> {
            let world = Arc::clone(&world);
            Box::new(move || world.look_often())
        };
        let mut threads: Vec<_> = (0..2).map(look).collect();
        let writer = Arc::clone(&world);
        threads.push(Box::new(move || {
            let writing = writing.write(&writer);
            let Snapshot { file, .. } = &writing.now;
            // Opened again, from what the commits wrote.
            let state = file.indexes.clone();
            let keeper = Keeper::load(&**file, state, usize::MAX, Folding::default()).unwrap();
            let opened = Snapshot {
                indexes: keeper.view(),
                ..writing.now.clone()
            };
            for value in Value::all() {
                writing.now.assert_finds(value, &writer.met);
                opened.assert_finds(value, &writer.met);
            }
        }));
        together(threads);
        world.met.tell(met);
    });
}
