//! The rows of a file as redb has them, for tests of what is in a file, and of damage to one row: the
//! pages of such a file are in order.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableDefinition, TableHandle as _,
};

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

/// The key of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Int(u64),
    Wide(u128),
    Bytes(Vec<u8>),
}

/// The arms differ in the key's type alone, which redb's tables carry.
macro_rules! on_table {
    ($name:expr, $definition:ident, $key:ident => $body:expr) => {
        match $name {
            "apps" | "changes" | "merges" | "suppressed" | "blocked_index" | "answer_keys"
            | "merge_identifiers" | "conflicts" => {
                type Wide<'n> = TableDefinition<'n, u128, &'static [u8]>;
                let ($definition, $key) = (Wide::new($name), Key::Wide);
                $body
            }
            "messages" => {
                type Bytes<'n> = TableDefinition<'n, &'static [u8], &'static [u8]>;
                let $definition = Bytes::new($name);
                let $key = |key: &[u8]| Key::Bytes(key.to_vec());
                $body
            }
            _ => {
                type Int<'n> = TableDefinition<'n, u64, &'static [u8]>;
                let ($definition, $key) = (Int::new($name), Key::Int);
                $body
            }
        }
    };
}

/// The rows of a table.
pub fn rows(path: &Path, table: &str) -> Vec<(Key, Vec<u8>)> {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_read().unwrap();
    on_table!(table, definition, to_key => {
        let table = transaction.open_table(definition).unwrap();
        let mut rows = Vec::new();
        for row in table.iter().unwrap() {
            let (key, value) = row.unwrap();
            rows.push((to_key(key.value()), value.value().to_vec()));
        }
        rows
    })
}

/// Puts a row, or removes it.
pub fn write(path: &Path, table: &str, key: &Key, bytes: Option<&[u8]>) {
    let database = Database::open(path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set_two_phase_commit(true);
    on_table!(table, definition, _to_key => {
        let mut open = transaction.open_table(definition).unwrap();
        write_row(&mut open, key, bytes);
    });
    transaction.commit().unwrap();
}

/// A key as redb borrows it.
trait BorrowKey: redb::Key + 'static {
    fn borrow(key: &Key) -> Self::SelfType<'_>;
}

impl BorrowKey for u64 {
    fn borrow(key: &Key) -> u64 {
        match key {
            Key::Int(key) => *key,
            other => panic!("{other:?}"),
        }
    }
}

impl BorrowKey for u128 {
    fn borrow(key: &Key) -> u128 {
        match key {
            Key::Wide(key) => *key,
            other => panic!("{other:?}"),
        }
    }
}

impl BorrowKey for &'static [u8] {
    fn borrow(key: &Key) -> &[u8] {
        match key {
            Key::Bytes(key) => key,
            other => panic!("{other:?}"),
        }
    }
}

fn write_row<K: BorrowKey>(
    table: &mut redb::Table<'_, K, &'static [u8]>,
    key: &Key,
    bytes: Option<&[u8]>,
) {
    match bytes {
        Some(bytes) => drop(table.insert(K::borrow(key), bytes).unwrap()),
        None => drop(table.remove(K::borrow(key)).unwrap()),
    }
}

/// The number of a table in the checksums of its records.
fn number(table: &str) -> u64 {
    match table {
        "meta" => 1,
        "contacts" => 2,
        "taken_ids" => 6,
        "apps" => 7,
        "subscribers" => 9,
        "messages" => 12,
        "index" => 13,
        "index_log" => 14,
        "former_ids" => 15,
        "changes" => 16,
        "merged_ids" => 20,
        "merges" => 21,
        "blocked" => 31,
        "answers" => 40,
        "answer_keys" => 41,
        "conflicts" => 50,
        other => panic!("{other}?"),
    }
}

/// The record of a row whose key is a number: version, payload, checksum.
pub fn sealed(table: &str, key: u64, payload: &[u8]) -> Vec<u8> {
    sealed_as(table, key, payload)
}

/// The same of a row with a wide key.
pub fn sealed_wide(table: &str, key: u128, payload: &[u8]) -> Vec<u8> {
    let key = twox_hash::XxHash3_64::oneshot(&key.to_le_bytes());
    sealed_as(table, key, payload)
}

fn sealed_as(table: &str, key: u64, payload: &[u8]) -> Vec<u8> {
    let seed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number(table) << 56;
    let sum = twox_hash::XxHash3_64::oneshot_with_seed(seed, payload);
    let sum = &sum.to_le_bytes()[..4];
    [&[2], payload, sum].concat()
}

/// What [`sealed`] sealed.
pub fn payload(record: &[u8]) -> &[u8] {
    &record[1..record.len() - 4]
}
