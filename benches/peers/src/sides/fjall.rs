//! fjall: a keyspace for each table, a batch for each request.

use std::collections::HashMap;
use std::hint::black_box;
use std::ops::Bound::{Excluded, Included};
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable as _, Snapshot};

use super::layout::{self, Counters, Get, Rows, Table, Tally};
use super::{Counts, Reader, Side};
use crate::people::{Entry, Given, Known};

pub struct Fjall {
    database: Database,
    tables: [Keyspace; Table::ALL.len()],
    /// One request decides at a time, since what it reads must hold until its batch is in. It makes
    /// its batch durable outside, as others already decide.
    deciding: Mutex<()>,
}

impl Fjall {
    pub fn open(directory: &Path) -> Self {
        let database = Database::builder(directory)
            .cache_size(super::CACHE_BYTES)
            .open()
            .unwrap();
        let tables = Table::ALL.map(|table| {
            // Rows that an index leads to are there: no filter is needed on the last level.
            let is_led_to = matches!(table, Table::Contacts | Table::Subscribers);
            let options =
                move || KeyspaceCreateOptions::default().expect_point_read_hits(is_led_to);
            database.keyspace(table.name(), options).unwrap()
        });
        Fjall {
            database,
            tables,
            deciding: Mutex::default(),
        }
    }

    /// One transaction, durable at the end.
    fn write<T>(&self, work: impl FnOnce(&mut Writing) -> T) -> T {
        let deciding = self.deciding.lock().unwrap();
        let mut writing = Writing {
            side: self,
            written: HashMap::new(),
            counters: None,
        };
        writing.counters = Some(Counters::load(&writing));
        let done = work(&mut writing);
        writing.counters.take().unwrap().save(&mut writing);
        let mut batch = self.database.batch();
        for ((table, key), value) in writing.written {
            let keyspace = &self.tables[table];
            match value {
                Some(value) => batch.insert(keyspace, key, value),
                None => batch.remove(keyspace, key),
            }
        }
        batch.commit().unwrap();
        drop(deciding);
        self.database.persist(PersistMode::SyncData).unwrap();
        done
    }
}

struct Reading<'a> {
    side: &'a Fjall,
    snapshot: Snapshot,
}

impl Get for Reading<'_> {
    fn get<T>(&self, table: Table, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let row = self.snapshot.get(&self.side.tables[table as usize], key);
        row.unwrap().map(|row| read(&row))
    }
}

struct Writing<'a> {
    side: &'a Fjall,
    /// What the request wrote so far, `None` for a row that it removed.
    written: HashMap<(usize, Vec<u8>), Option<Vec<u8>>>,
    counters: Option<Counters>,
}

impl Get for Writing<'_> {
    fn get<T>(&self, table: Table, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        match self.written.get(&(table as usize, key.to_vec())) {
            Some(value) => value.as_deref().map(read),
            None => {
                let row = self.side.tables[table as usize].get(key).unwrap();
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
        self.counters.as_mut().unwrap().next_contact()
    }

    fn next_subscriber(&mut self) -> u64 {
        self.counters.as_mut().unwrap().next_subscriber()
    }

    fn count(&mut self, change: Tally) {
        self.counters.as_mut().unwrap().tally.add(change);
    }
}

impl Side for Fjall {
    fn add(&self, entries: Vec<Entry>) {
        let now = super::now();
        self.write(|rows| layout::add(rows, &entries, now));
    }

    fn failed(&self, tokens: Vec<String>) -> usize {
        self.write(|rows| layout::failed(rows, &tokens))
    }

    fn read(&self, work: &mut dyn FnMut(&mut dyn Reader)) {
        work(&mut FjallReader(self));
    }

    fn settle(&self) {
        let is_busy =
            || self.database.outstanding_flushes() > 0 || self.database.active_compactions() > 0;
        while is_busy() {
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn close(self: Box<Self>) {
        self.settle();
        self.database.persist(PersistMode::SyncAll).unwrap();
    }
}

struct FjallReader<'a>(&'a Fjall);

impl FjallReader<'_> {
    fn reading(&self) -> Reading<'_> {
        Reading {
            side: self.0,
            snapshot: self.0.database.snapshot(),
        }
    }
}

impl Reader for FjallReader<'_> {
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
        let range = (Excluded(first), Included(last));
        let subscribers = &self.0.tables[Table::Subscribers as usize];
        let page = reading
            .snapshot
            .range(subscribers, range)
            .take(limit)
            .map(|row| {
                let (key, value) = row.into_inner().unwrap();
                layout::listed(&key, &value)
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
