//! Keys and hashes as SQL has them, in the same order.

use super::super::format::keys::FIRST_TALLY;
use super::super::guard::Failure;
use super::super::tables::{Key, Table, Width};
use super::super::unique::{Index, IndexHash};
use super::link::Value;

/// A key of another width than its table has, which no code path makes.
const WRONG_WIDTH: Failure = Failure::Corrupt("a key of another table");

/// A column that is not of the type that the schema gives it.
pub(super) const OTHER_TYPE: Failure = Failure::Corrupt("a column of another type");

/// The number of an SQL integer. No key is greater; only the end of a span is.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The bits of a hash, as an SQL integer.
pub(super) fn hash(hash: IndexHash) -> i64 {
    i64::from_ne_bytes(hash.0.to_ne_bytes())
}

/// The integer key of a row. The counts of apps have a table of their own here, where the number of the app is
/// the key.
fn int_key(table: Table, key: u64) -> i64 {
    match table {
        Table::Meta => int(key.saturating_sub(FIRST_TALLY)),
        _ => int(key),
    }
}

/// One key.
pub(super) fn value(table: Table, key: &Key) -> Value {
    match key {
        Key::Int(key) => Box::new(int_key(table, *key)),
        Key::Wide(key) => Box::new(key.to_be_bytes().to_vec()),
        Key::Bytes(key) => Box::new(key.to_vec()),
    }
}

/// Several keys of one table.
pub(super) fn values<'k>(
    table: Table,
    keys: impl Iterator<Item = &'k Key>,
) -> Result<Value, Failure> {
    Ok(match table.width() {
        Width::Int => {
            let keys = keys.map(|key| match key {
                Key::Int(key) => Ok(int_key(table, *key)),
                _ => Err(WRONG_WIDTH),
            });
            Box::new(keys.collect::<Result<Vec<i64>, _>>()?)
        }
        Width::Wide | Width::Bytes => {
            let keys = keys.map(|key| match key {
                Key::Wide(key) => Ok(key.to_be_bytes().to_vec()),
                Key::Bytes(key) => Ok(key.to_vec()),
                Key::Int(_) => Err(WRONG_WIDTH),
            });
            Box::new(keys.collect::<Result<Vec<Vec<u8>>, _>>()?)
        }
    })
}

/// The key in a column of a row.
pub(super) fn key(table: Table, row: &tokio_postgres::Row, column: usize) -> Result<Key, Failure> {
    Ok(match table.width() {
        Width::Int => {
            let key: i64 = row.try_get(column).map_err(|_| OTHER_TYPE)?;
            let key = u64::try_from(key).map_err(|_| OTHER_TYPE)?;
            Key::Int(match table {
                Table::Meta => key.saturating_add(FIRST_TALLY),
                _ => key,
            })
        }
        Width::Wide => {
            let key: &[u8] = row.try_get(column).map_err(|_| OTHER_TYPE)?;
            Key::Wide(u128::from_be_bytes(key.try_into().map_err(|_| OTHER_TYPE)?))
        }
        Width::Bytes => {
            let key: &[u8] = row.try_get(column).map_err(|_| OTHER_TYPE)?;
            Key::Bytes(key.into())
        }
    })
}

/// The name of a table in SQL.
pub(super) fn name(table: Table) -> &'static str {
    match table {
        Table::Meta => "app_counts",
        table => table.name(),
    }
}

/// The table that an index leads into, and its column with the hashes.
pub(super) fn hashes_of(index: Index) -> (Table, &'static str) {
    match index {
        Index::ExternalIds => (Table::Contacts, "external_id_hash"),
        Index::Phones => (Table::Contacts, "phone_hash"),
        Index::Emails => (Table::Contacts, "email_hash"),
        Index::Tokens => (Table::Subscribers, "token_hash"),
    }
}
