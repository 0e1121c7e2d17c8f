//! New rows of one table that are written together, their bytes in one piece of memory.
//!
//! This module does not know where the rows come from.

use std::ops::Range;

use redb::WriteTransaction;

use super::format::keys::RowKey as _;
use super::format::record::{self, Row};
use super::guard::Failure;
use super::tables::{Key, Table, Write, write};

/// New rows of one table.
#[derive(Default)]
pub(super) struct Batch {
    rows: Vec<(Key, Range<usize>)>,
    bytes: Vec<u8>,
}

impl Batch {
    /// An empty one with room for records of so many bytes.
    pub(super) fn for_records(bytes: usize) -> Self {
        Batch {
            rows: Vec::new(),
            bytes: Vec::with_capacity(bytes),
        }
    }

    pub(super) fn add<R: Row>(&mut self, key: &R::Key, row: &R) -> Result<(), Failure> {
        let key = key.to_key();
        let at = record::encode(&mut self.bytes, &key, row)?;
        self.rows.push((key, at));
        Ok(())
    }

    /// Adds a row of which the payload is encoded already.
    pub(super) fn add_payload(
        &mut self,
        table: Table,
        key: Key,
        payload: &[u8],
    ) -> Result<(), Failure> {
        let at = record::encode_bytes(&mut self.bytes, table, &key, payload)?;
        self.rows.push((key, at));
        Ok(())
    }

    /// Adds a row that is a whole record already, checksum included.
    pub(super) fn add_record(&mut self, key: Key, record: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(record);
        self.rows.push((key, start..self.bytes.len()));
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// How many bytes of memory they take, which is more than they take in a table.
    pub(super) fn bytes(&self) -> usize {
        let keys = self
            .rows
            .len()
            .saturating_mul(size_of::<(Key, Range<usize>)>());
        self.bytes.len().saturating_add(keys)
    }

    /// The key of the row that was added last.
    pub(super) fn last(&self) -> Option<&Key> {
        self.rows.last().map(|(key, _)| key)
    }

    /// Writes the rows in the order of their keys, whatever order they were added in.
    pub(super) fn write(
        &mut self,
        transaction: &WriteTransaction,
        table: Table,
    ) -> Result<(), Failure> {
        self.rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        let rows = self.rows.iter().map(|(key, at)| {
            let bytes = self.bytes.get(at.clone()).unwrap_or_default();
            (key, Write::Insert(bytes))
        });
        write(transaction, table, rows)
    }
}
