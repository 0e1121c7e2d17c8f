//! LMDB, through heed: a database for each table, syncing as it does by default.

use std::hint::black_box;
use std::ops::Bound::{Excluded, Included};
use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvOpenOptions, MdbError, PutFlags, RoTxn, RwTxn};

use super::layout::{self, Counters, Get, Rows, Table, Tally};
use super::{Counts, Reader, Side};
use crate::people::{Entry, Given, Known};

/// Address space, not memory and not disk: LMDB's file grows as it fills.
const MAP_BYTES: usize = 64 << 30;

type Tables = [Database<'static, Bytes, Bytes>; Table::ALL.len()];

pub struct Lmdb {
    env: Env,
    tables: Tables,
}

impl Lmdb {
    pub fn open(directory: &Path) -> Self {
        let mut options = EnvOpenOptions::new();
        options
            .map_size(MAP_BYTES)
            .max_dbs(Table::ALL.len() as u32)
            .max_readers(256);
        #[expect(
            unsafe_code,
            reason = "the map is of a file that this process alone opens, once"
        )]
        let env = unsafe { options.open(directory) }.unwrap();
        let creating = env.write_txn().unwrap();
        let tables = env.create_databases_and_commit(creating, |opener, transaction| {
            let mut create = |table: Table| opener.create_database(transaction, Some(table.name()));
            let [a, b, c, d, e, f, g] = Table::ALL;
            let tables = [
                create(a)?,
                create(b)?,
                create(c)?,
                create(d)?,
                create(e)?,
                create(f)?,
                create(g)?,
            ];
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(tables))
        });
        let tables = tables.unwrap().commit().unwrap();
        Lmdb { env, tables }
    }

    /// One transaction, durable at the end.
    fn write<T>(&self, work: impl FnOnce(&mut Writing) -> T) -> T {
        let transaction = self.env.write_txn().unwrap();
        let reading = Reading {
            tables: &self.tables,
            transaction: &transaction,
        };
        let counters = Counters::load(&reading);
        let mut writing = Writing {
            tables: &self.tables,
            transaction,
            counters,
        };
        let done = work(&mut writing);
        writing.counters.save(&mut writing);
        writing.transaction.commit().unwrap();
        done
    }
}

struct Reading<'a> {
    tables: &'a Tables,
    transaction: &'a RoTxn<'a>,
}

impl Get for Reading<'_> {
    fn get<T>(&self, table: Table, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let row = self.tables[table as usize].get(self.transaction, key);
        row.unwrap().map(read)
    }
}

struct Writing<'a> {
    tables: &'a Tables,
    transaction: RwTxn<'a>,
    counters: Counters,
}

impl Get for Writing<'_> {
    fn get<T>(&self, table: Table, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let row = self.tables[table as usize].get(&self.transaction, key);
        row.unwrap().map(read)
    }
}

impl Rows for Writing<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        let table = self.tables[table as usize];
        table.put(&mut self.transaction, key, value).unwrap();
    }

    /// Fills pages wholly, where the key really is the largest.
    fn append(&mut self, table: Table, key: &[u8], value: &[u8]) {
        let rows = self.tables[table as usize];
        let flags = PutFlags::APPEND;
        match rows.put_with_flags(&mut self.transaction, flags, key, value) {
            Err(heed::Error::Mdb(MdbError::KeyExist)) => self.put(table, key, value),
            outcome => outcome.unwrap(),
        }
    }

    fn remove(&mut self, table: Table, key: &[u8]) {
        let table = self.tables[table as usize];
        assert!(table.delete(&mut self.transaction, key).unwrap());
    }

    fn next_contact(&mut self) -> u64 {
        self.counters.next_contact()
    }

    fn next_subscriber(&mut self) -> u64 {
        self.counters.next_subscriber()
    }

    fn count(&mut self, change: Tally) {
        self.counters.tally.add(change);
    }
}

impl Side for Lmdb {
    fn add(&self, entries: Vec<Entry>) {
        let now = super::now();
        self.write(|rows| layout::add(rows, &entries, now));
    }

    fn failed(&self, tokens: Vec<String>) -> usize {
        self.write(|rows| layout::failed(rows, &tokens))
    }

    fn read(&self, work: &mut dyn FnMut(&mut dyn Reader)) {
        work(&mut LmdbReader(self));
    }

    fn close(self: Box<Self>) {
        self.env.prepare_for_closing().wait();
    }
}

struct LmdbReader<'a>(&'a Lmdb);

impl LmdbReader<'_> {
    fn reading<T>(&self, read: impl FnOnce(&Reading) -> T) -> T {
        let transaction = self.0.env.read_txn().unwrap();
        read(&Reading {
            tables: &self.0.tables,
            transaction: &transaction,
        })
    }
}

impl Reader for LmdbReader<'_> {
    fn find(&mut self, given: &Given) -> Option<u64> {
        self.reading(|rows| Some(black_box(layout::find(rows, given)?).0))
    }

    fn contact(&mut self, id: u64) -> Option<u64> {
        let card = self.reading(|rows| layout::contact(rows, id));
        black_box(card).map(|_| id)
    }

    fn subscriber(&mut self, token: &str) -> Option<u64> {
        self.reading(|rows| Some(black_box(layout::subscriber(rows, token)?).0))
    }

    fn page(&mut self, after: Option<u64>, limit: usize, see: &mut dyn FnMut(u64, &str)) {
        let page = self.reading(|rows| {
            let (first, last) = layout::subscribers_after(after);
            let range = (Excluded(&first[..]), Included(&last[..]));
            let rows = rows.tables[Table::Subscribers as usize]
                .range(rows.transaction, &range)
                .unwrap();
            rows.take(limit)
                .map(|row| {
                    let (key, value) = row.unwrap();
                    layout::listed(key, value)
                })
                .collect()
        });
        layout::show(page, see);
    }

    fn known(&mut self, given: &Given) -> Option<Known> {
        self.reading(|rows| Some(layout::known(layout::find(rows, given)?.1)))
    }

    fn counts(&mut self) -> Counts {
        self.reading(|rows| layout::counts(rows))
    }
}
