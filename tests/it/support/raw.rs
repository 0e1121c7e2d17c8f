//! The rows of a file as redb has them, for tests of what is in a file, and of damage to one row: the
//! pages of such a file are in order.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableDefinition, TableHandle as _,
};

type Table<'n> = TableDefinition<'n, u64, &'static [u8]>;

/// How many rows each table of a file with these bytes has.
pub fn row_counts(bytes: &[u8]) -> BTreeMap<String, u64> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("copy.redb");
    fs::write(&path, bytes).unwrap();
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_read().unwrap();
    let tables = transaction.list_tables().unwrap();
    let counts = tables.map(|table| {
        let name = table.name().to_owned();
        let table = transaction.open_untyped_table(table).unwrap();
        (name, table.len().unwrap())
    });
    counts.collect()
}

/// How many rows a file has in all, but for those of the indexes, which depend on when they were
/// folded.
pub fn rows_besides_indexes(bytes: &[u8]) -> u64 {
    let counts = row_counts(bytes).into_iter();
    let others = counts.filter(|(table, _)| !table.starts_with("index"));
    others.map(|(_, count)| count).sum()
}

/// The rows of a table whose keys are numbers.
pub fn rows(path: &Path, table: &str) -> Vec<(u64, Vec<u8>)> {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_read().unwrap();
    let table = transaction.open_table(Table::new(table)).unwrap();
    let rows = table.iter().unwrap().map(|row| {
        let (key, value) = row.unwrap();
        (key.value(), value.value().to_vec())
    });
    rows.collect()
}

/// Puts a row, or removes it.
pub fn write(path: &Path, table: &str, key: u64, bytes: Option<&[u8]>) {
    let database = Database::open(path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set_two_phase_commit(true);
    {
        let mut table = transaction.open_table(Table::new(table)).unwrap();
        match bytes {
            Some(bytes) => drop(table.insert(key, bytes).unwrap()),
            None => drop(table.remove(key).unwrap()),
        }
    }
    transaction.commit().unwrap();
}
