//! redb, used directly: a table for each identifier, keyed by its text.

use std::hint::black_box;
use std::ops::Bound::{Excluded, Included};
use std::path::Path;

use redb::{Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use super::layout::{self, Counters, Get, Rows, Table, Tally};
use super::{Counts, Reader, Side};
use crate::people::{Entry, Given, Known};

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

pub struct Redb(Database);

impl Redb {
    pub fn open(directory: &Path) -> Self {
        let database = Database::builder()
            .set_cache_size(super::CACHE_BYTES as usize)
            .create(directory.join("contacts.redb"))
            .unwrap();
        let creating = database.begin_write().unwrap();
        for table in Table::ALL {
            creating.open_table(definition(table)).unwrap();
        }
        creating.commit().unwrap();
        Redb(database)
    }

    /// One transaction, durable at the end.
    fn write<T>(&self, work: impl FnOnce(&mut Writing) -> T) -> T {
        let transaction = self.0.begin_write().unwrap();
        let tables = Table::ALL.map(|table| transaction.open_table(definition(table)).unwrap());
        let mut writing = Writing {
            tables,
            counters: None,
        };
        writing.counters = Some(Counters::load(&writing));
        let done = work(&mut writing);
        writing.counters.take().unwrap().save(&mut writing);
        drop(writing);
        transaction.commit().unwrap();
        done
    }
}

struct Reading(ReadTransaction);

impl Get for Reading {
    fn get<T>(&self, table: Table, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let table = self.0.open_table(definition(table)).unwrap();
        let row = table.get(key).unwrap();
        row.map(|row| read(row.value()))
    }
}

struct Writing<'a> {
    tables: [redb::Table<'a, &'static [u8], &'static [u8]>; Table::ALL.len()],
    counters: Option<Counters>,
}

impl Get for Writing<'_> {
    fn get<T>(&self, table: Table, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let row = self.tables[table as usize].get(key).unwrap();
        row.map(|row| read(row.value()))
    }
}

impl Rows for Writing<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.tables[table as usize].insert(key, value).unwrap();
    }

    fn remove(&mut self, table: Table, key: &[u8]) {
        let removed = self.tables[table as usize].remove(key).unwrap();
        assert!(removed.is_some());
    }

    fn next_contact(&mut self) -> u64 {
        self.counters.as_mut().unwrap().next_contact()
    }

    fn next_subscriber(&mut self) -> u64 {
        self.counters.as_mut().unwrap().next_subscriber()
    }

    fn count(&mut self, change: Tally) {
        self.counters.as_mut().unwrap().tally.add(change);
    }
}

impl Side for Redb {
    fn add(&self, entries: Vec<Entry>) {
        let now = super::now();
        self.write(|rows| layout::add(rows, &entries, now));
    }

    fn failed(&self, tokens: Vec<String>) -> usize {
        self.write(|rows| layout::failed(rows, &tokens))
    }

    fn read(&self, work: &mut dyn FnMut(&mut dyn Reader)) {
        work(&mut RedbReader(self));
    }

    fn close(self: Box<Self>) {
        self.0.close().unwrap();
    }
}

struct RedbReader<'a>(&'a Redb);

impl RedbReader<'_> {
    fn reading(&self) -> Reading {
        Reading(self.0.0.begin_read().unwrap())
    }
}

impl Reader for RedbReader<'_> {
    fn find(&mut self, given: &Given) -> Option<u64> {
        Some(black_box(layout::find(&self.reading(), given)?).0)
    }

    fn contact(&mut self, id: u64) -> Option<u64> {
        black_box(layout::contact(&self.reading(), id)).map(|_| id)
    }

    fn subscriber(&mut self, token: &str) -> Option<u64> {
        Some(black_box(layout::subscriber(&self.reading(), token)?).0)
    }

    fn page(&mut self, after: Option<u64>, limit: usize, see: &mut dyn FnMut(u64, &str)) {
        let reading = self.reading();
        let (first, last) = layout::subscribers_after(after);
        let table = reading
            .0
            .open_table(definition(Table::Subscribers))
            .unwrap();
        let rows = table.range::<&[u8]>((Excluded(&first[..]), Included(&last[..])));
        let page = rows
            .unwrap()
            .take(limit)
            .map(|row| {
                let (key, value) = row.unwrap();
                layout::listed(key.value(), value.value())
            })
            .collect();
        layout::show(page, see);
    }

    fn known(&mut self, given: &Given) -> Option<Known> {
        Some(layout::known(layout::find(&self.reading(), given)?.1))
    }

    fn counts(&mut self) -> Counts {
        layout::counts(&self.reading())
    }
}
