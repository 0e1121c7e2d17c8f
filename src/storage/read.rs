//! Typed reading of rows, from the committed state or from a draft.
//!
//! A row that is damaged, or that another row names and that is missing, is named as such. This module
//! does not know the bytes of a row.

use crate::model::app::AppNumber;
use crate::model::identifier::ContactId;

use super::format::hash::IndexHasher;
use super::format::keys::RowKey as _;
use super::format::meta::State;
use super::format::record::{self, Row};
use super::format::rows::{AppTallyRow, CardRow};
use super::guard::Failure;
use super::tables::{Key, Table};
use super::unique::{Index, IndexHash};

/// Takes the rows of a walk, until it answers `false`.
pub(crate) type Each<'a> = dyn FnMut(Key, &[u8]) -> Result<bool, Failure> + 'a;

/// A source of rows: the committed tables, or a draft laid over them.
pub(crate) trait Rows {
    /// Hands the bytes of a row to `read`.
    fn read<T>(
        &self,
        table: Table,
        key: &Key,
        read: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure>;

    /// Hands the rows with keys from `first` to `last`, both included, to `each`, upwards or
    /// downwards, until it answers `false`.
    fn walk(
        &self,
        table: Table,
        span: (&Key, &Key),
        upwards: bool,
        each: &mut Each<'_>,
    ) -> Result<(), Failure>;

    fn hasher(&self) -> IndexHasher;

    fn state(&self) -> State;

    /// Hands to `each` the ids of the rows that may have the value with this hash in an index, until
    /// it answers `false`. A row of such an id may be missing or have another value.
    fn candidates(
        &self,
        index: Index,
        hash: IndexHash,
        each: &mut dyn FnMut(u64) -> Result<bool, Failure>,
    ) -> Result<(), Failure>;

    /// Says that these rows are read next, one after the other: a database reads them together then.
    fn foresee<'k, R: Row>(&self, _keys: impl Iterator<Item = &'k R::Key>)
    where
        R::Key: 'k,
    {
    }

    /// The row under `key`.
    fn row<R: Row>(&self, key: &R::Key) -> Result<Option<R>, Failure> {
        let table_key = key.to_key();
        self.read(R::TABLE, &table_key, |bytes| {
            record::open(R::TABLE, &table_key, bytes, |payload| {
                R::decode(key, payload)
            })
        })
    }

    /// The row under `key`, which another row says is there.
    fn expect_row<R: Row>(&self, key: &R::Key) -> Result<R, Failure> {
        self.row(key)?
            .ok_or(Failure::Corrupt("a row that another row names is missing"))
    }

    /// The card of a contact, which may be kept in memory.
    fn card(&self, id: ContactId) -> Result<Option<CardRow>, Failure> {
        self.row(&id)
    }

    /// The counts of a connection of an app.
    fn tally(&self, app: AppNumber) -> Result<AppTallyRow, Failure> {
        self.expect_row(&app)
    }

    /// At most `most` rows with keys from `first` to `last`, upwards.
    fn rows<R: Row>(
        &self,
        first: &Key,
        last: &Key,
        most: usize,
    ) -> Result<Vec<(R::Key, R)>, Failure> {
        self.rows_as(first, last, most, |key, row| (key, row))
    }

    /// The same, each row passed through `turn` as it is read.
    fn rows_as<R: Row, T>(
        &self,
        first: &Key,
        last: &Key,
        most: usize,
        mut turn: impl FnMut(R::Key, R) -> T,
    ) -> Result<Vec<T>, Failure> {
        /// As many rows as a page of a listing has: memory for them is reserved in one piece.
        const EXPECTED: usize = 1_000;
        if most == 0 || first > last {
            return Ok(Vec::new());
        }
        let mut found = Vec::with_capacity(most.min(EXPECTED));
        self.walk(R::TABLE, (first, last), true, &mut |key, bytes| {
            let (key, row) = record::decode_row::<R>(&key, bytes)?;
            found.push(turn(key, row));
            Ok(found.len() < most)
        })?;
        Ok(found)
    }

    /// The row with the largest key from `first` to `last`.
    fn last_row<R: Row>(&self, first: &Key, last: &Key) -> Result<Option<(R::Key, R)>, Failure> {
        let mut found = None;
        self.walk(R::TABLE, (first, last), false, &mut |key, bytes| {
            found = Some(record::decode_row::<R>(&key, bytes)?);
            Ok(false)
        })?;
        Ok(found)
    }
}
