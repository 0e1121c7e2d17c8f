//! Statements that read rows, and their answers.
//!
//! Contacts bring their subscribers along, since whatever shows or changes a card needs them.

use std::sync::Arc;

use tokio_postgres::Row;

use super::super::guard::Failure;
use super::super::tables::{Key, Table};
use super::super::unique::Index;
use super::keys;
use super::link::{Ask, Value};

/// A row as read: its key and its record.
pub(super) type Fetched = (Key, Arc<[u8]>);

/// Reads rows by their keys.
pub(super) fn rows(table: Table, keys: &[Key]) -> Result<Ask, Failure> {
    let name = keys::name(table);
    let sql = format!("SELECT t.key, t.value FROM {name} t WHERE t.key = ANY($1)");
    Ok(Ask::new(sql, vec![keys::values(table, keys.iter())?]))
}

/// Reads the subscribers of contacts.
pub(super) fn subscribers_of(contacts: &[Key]) -> Result<Ask, Failure> {
    let sql = "SELECT t.key, t.value FROM subscribers t WHERE t.key = ANY (ARRAY(\
               SELECT unnest(c.subscribers) FROM contacts c WHERE c.key = ANY($1)))";
    let keys = keys::values(Table::Contacts, contacts.iter())?;
    Ok(Ask::new(sql, vec![keys]))
}

/// Reads the rows whose value has this hash: in less of the server's time than one of several.
pub(super) fn with_hash(index: Index, hash: i64) -> Ask {
    let (table, column) = keys::hashes_of(index);
    let name = table.name();
    let sql = format!("SELECT t.key, t.value FROM {name} t WHERE t.{column} = $1");
    Ask::new(sql, vec![Box::new(hash)])
}

/// Reads the rows whose value has one of these hashes, each with its hash.
pub(super) fn with_hashes(index: Index, hashes: &[i64]) -> Ask {
    let (table, column) = keys::hashes_of(index);
    let name = table.name();
    let sql = format!("SELECT t.key, t.value, t.{column} FROM {name} t WHERE t.{column} = ANY($1)");
    Ask::new(sql, vec![Box::new(hashes.to_vec()) as Value])
}

/// Reads the subscribers of the contacts whose value has one of these hashes.
pub(super) fn subscribers_with_hashes(index: Index, hashes: &[i64]) -> Ask {
    let (_, column) = keys::hashes_of(index);
    let sql = format!(
        "SELECT t.key, t.value FROM subscribers t WHERE t.key = ANY (ARRAY(\
         SELECT unnest(c.subscribers) FROM contacts c WHERE c.{column} = ANY($1)))"
    );
    Ask::new(sql, vec![Box::new(hashes.to_vec()) as Value])
}

/// Reads at most `most` rows from `first` to `last`, both included.
pub(super) fn span(table: Table, (first, last): (&Key, &Key), upwards: bool, most: i64) -> Ask {
    let name = keys::name(table);
    let order = if upwards { "ASC" } else { "DESC" };
    let sql = format!(
        "SELECT t.key, t.value FROM {name} t WHERE t.key >= $1 AND t.key <= $2 \
         ORDER BY t.key {order} LIMIT $3"
    );
    let values = vec![
        keys::value(table, first),
        keys::value(table, last),
        Box::new(most) as Value,
    ];
    Ask::new(sql, values)
}

/// The rows of an answer: their keys, and their records.
pub(super) fn fetched(table: Table, rows: &[Row]) -> Result<Vec<Fetched>, Failure> {
    let fetched = rows.iter().map(|row| {
        let record: &[u8] = row.try_get(1).map_err(|_| keys::OTHER_TYPE)?;
        Ok((keys::key(table, row, 0)?, record.into()))
    });
    fetched.collect()
}

/// The rows of the first answer.
pub(super) fn first(table: Table, answers: &[Vec<Row>]) -> Result<Vec<Fetched>, Failure> {
    fetched(table, answers.first().map_or(&[], Vec::as_slice))
}
