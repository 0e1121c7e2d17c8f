//! RocksDB: a column family for each table, a synced batch for each request. It groups the commits
//! of concurrent callers itself, so requests that name different identifiers decide side by side.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, Direction,
    IteratorMode, MergeOperands, Options, ReadOptions, Snapshot, WriteBatch, WriteOptions,
    properties,
};

use super::layout::{self, Get, Rows, Table, Tally};
use super::{Counts, Reader, Side};
use crate::people::{Entry, Given, Known};

const STRIPES: u64 = 256;

pub struct Rocks {
    database: DB,
    last_contact: AtomicU64,
    last_subscriber: AtomicU64,
    /// A request holds those of all that it names while it decides and writes.
    stripes: Vec<Mutex<()>>,
}

impl Rocks {
    pub fn open(directory: &Path) -> Self {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.increase_parallelism(2);
        let cache = Cache::new_lru_cache(super::CACHE_BYTES as usize);
        let families = Table::ALL.map(|table| {
            let mut blocks = BlockBasedOptions::default();
            blocks.set_block_cache(&cache);
            blocks.set_bloom_filter(10.0, false);
            blocks.set_cache_index_and_filter_blocks(true);
            blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
            let mut options = Options::default();
            options.set_block_based_table_factory(&blocks);
            options.set_compression_type(DBCompressionType::Lz4);
            if table == Table::Counters {
                options.set_merge_operator_associative("counters", merge);
            }
            ColumnFamilyDescriptor::new(table.name(), options)
        });
        let database = DB::open_cf_descriptors(&options, directory, families).unwrap();
        let mut side = Rocks {
            database,
            last_contact: AtomicU64::new(0),
            last_subscriber: AtomicU64::new(0),
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
        };
        let ids = layout::ids(&side.reading());
        side.last_contact = AtomicU64::new(ids.contact);
        side.last_subscriber = AtomicU64::new(ids.subscriber);
        side
    }

    fn reading(&self) -> Reading<'_> {
        Reading {
            side: self,
            snapshot: self.database.snapshot(),
        }
    }

    /// Those of all texts that a request names, always in the same order.
    fn lock<'a>(&self, texts: impl Iterator<Item = &'a String>) -> Vec<MutexGuard<'_, ()>> {
        let stripe = |text: &String| {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            (hasher.finish() % STRIPES) as usize
        };
        let mut stripes: Vec<usize> = texts.map(stripe).collect();
        stripes.sort_unstable();
        stripes.dedup();
        let lock = |stripe: usize| self.stripes[stripe].lock().unwrap();
        stripes.into_iter().map(lock).collect()
    }

    /// One transaction, durable at the end.
    fn write<T>(&self, work: impl FnOnce(&mut Writing) -> T) -> T {
        let mut writing = Writing {
            side: self,
            written: HashMap::new(),
            tally: Tally::default(),
            ids: layout::Ids::default(),
        };
        let done = work(&mut writing);
        let mut batch = WriteBatch::default();
        for ((table, key), value) in writing.written {
            let family = self.database.cf_handle(Table::ALL[table].name()).unwrap();
            match value {
                Some(value) => batch.put_cf(family, key, value),
                None => batch.delete_cf(family, key),
            }
        }
        let counters = self.database.cf_handle(Table::Counters.name()).unwrap();
        for (key, change) in layout::merged(writing.ids, writing.tally) {
            batch.merge_cf(counters, key, change);
        }
        let mut durably = WriteOptions::default();
        durably.set_sync(true);
        self.database.write_opt(batch, &durably).unwrap();
        done
    }
}

/// All that an entry names.
fn texts(entry: &Entry) -> [&String; 4] {
    let Entry {
        token,
        external_id,
        phone,
        email,
    } = entry;
    [token, external_id, phone, email]
}

/// Counters of concurrent requests meet here.
fn merge(key: &[u8], before: Option<&[u8]>, changes: &MergeOperands) -> Option<Vec<u8>> {
    let rows = before.into_iter().chain(changes);
    layout::merge(key, rows)
}

struct Reading<'a> {
    side: &'a Rocks,
    snapshot: Snapshot<'a>,
}

impl Get for Reading<'_> {
    fn get<T>(&self, table: Table, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let family = self.side.database.cf_handle(table.name()).unwrap();
        let row = self.snapshot.get_pinned_cf(family, key).unwrap();
        row.map(|row| read(&row))
    }
}

struct Writing<'a> {
    side: &'a Rocks,
    /// What the request wrote so far, `None` for a row that it removed.
    written: HashMap<(usize, Vec<u8>), Option<Vec<u8>>>,
    tally: Tally,
    ids: layout::Ids,
}

impl Get for Writing<'_> {
    fn get<T>(&self, table: Table, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        match self.written.get(&(table as usize, key.to_vec())) {
            Some(value) => value.as_deref().map(read),
            None => {
                let family = self.side.database.cf_handle(table.name()).unwrap();
                let row = self.side.database.get_pinned_cf(family, key).unwrap();
                row.map(|row| read(&row))
            }
        }
    }
}

impl Rows for Writing<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        let key = (table as usize, key.to_vec());
        self.written.insert(key, Some(value.to_vec()));
    }

    fn remove(&mut self, table: Table, key: &[u8]) {
        self.written.insert((table as usize, key.to_vec()), None);
    }

    fn next_contact(&mut self) -> u64 {
        self.ids.contact = self.side.last_contact.fetch_add(1, Ordering::Relaxed) + 1;
        self.ids.contact
    }

    fn next_subscriber(&mut self) -> u64 {
        self.ids.subscriber = self.side.last_subscriber.fetch_add(1, Ordering::Relaxed) + 1;
        self.ids.subscriber
    }

    fn count(&mut self, change: Tally) {
        self.tally.add(change);
    }
}

impl Side for Rocks {
    fn add(&self, entries: Vec<Entry>) {
        let now = super::now();
        let _held = self.lock(entries.iter().flat_map(texts));
        self.write(|rows| layout::add(rows, &entries, now));
    }

    fn failed(&self, tokens: Vec<String>) -> usize {
        // It rewrites cards that adding finds by any of their identifiers.
        let _held: Vec<_> = self
            .stripes
            .iter()
            .map(|stripe| stripe.lock().unwrap())
            .collect();
        self.write(|rows| layout::failed(rows, &tokens))
    }

    fn read(&self, work: &mut dyn FnMut(&mut dyn Reader)) {
        work(&mut RocksReader(self));
    }

    fn settle(&self) {
        let busy = [
            properties::COMPACTION_PENDING,
            properties::NUM_RUNNING_COMPACTIONS,
            properties::NUM_RUNNING_FLUSHES,
        ];
        let is_busy = || {
            Table::ALL.iter().any(|table| {
                let family = self.database.cf_handle(table.name()).unwrap();
                busy.iter().any(|property| {
                    let value = self.database.property_int_value_cf(family, *property);
                    value.unwrap().is_some_and(|value| value > 0)
                })
            })
        };
        while is_busy() {
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn close(self: Box<Self>) {
        self.settle();
        self.database.cancel_all_background_work(true);
    }
}

struct RocksReader<'a>(&'a Rocks);

impl Reader for RocksReader<'_> {
    fn find(&mut self, given: &Given) -> Option<u64> {
        Some(black_box(layout::find(&self.0.reading(), given)?).0)
    }

    fn contact(&mut self, id: u64) -> Option<u64> {
        black_box(layout::contact(&self.0.reading(), id)).map(|_| id)
    }

    fn subscriber(&mut self, token: &str) -> Option<u64> {
        Some(black_box(layout::subscriber(&self.0.reading(), token)?).0)
    }

    fn page(&mut self, after: Option<u64>, limit: usize, see: &mut dyn FnMut(u64, &str)) {
        let (_, last) = layout::subscribers_after(after);
        let first = layout::subscriber_key(after.unwrap_or(0) + 1);
        let family = self
            .0
            .database
            .cf_handle(Table::Subscribers.name())
            .unwrap();
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(last);
        let from = IteratorMode::From(&first, Direction::Forward);
        let rows = self.0.database.iterator_cf_opt(family, options, from);
        let page = rows
            .take(limit)
            .map(|row| {
                let (key, value) = row.unwrap();
                layout::listed(&key, &value)
            })
            .collect();
        layout::show(page, see);
    }

    fn known(&mut self, given: &Given) -> Option<Known> {
        Some(layout::known(layout::find(&self.0.reading(), given)?.1))
    }

    fn counts(&mut self) -> Counts {
        layout::counts(&self.0.reading())
    }
}
