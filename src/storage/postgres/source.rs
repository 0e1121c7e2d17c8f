//! Where a state's rows come from, when they are in a database.

use std::sync::Arc;

use super::super::format::hash::IndexHasher;
use super::super::format::keys::{FIRST_TALLY, FORMAT_KEY, STATE_KEY};
use super::super::guard::Failure;
use super::super::read::Each;
use super::super::tables::{Key, Table};
use super::super::unique::{Index, IndexHash};
use super::begun::Begun;
use super::keys;
use super::known::Known;
use super::read::Reading;
use super::readers::Readers;
use super::write;

/// A source of rows in a database, at one state.
#[derive(Clone)]
pub(crate) struct Source {
    pub(super) readers: Arc<Readers>,
    pub(super) begun: Arc<Begun>,
    pub(super) rows: RowsOf,
}

/// Where the rows are, other than those that every transaction reads first.
#[derive(Clone)]
pub(super) enum RowsOf {
    /// The transaction of a snapshot.
    Reading(Arc<Reading>),
    /// What is known while requests are decided.
    Deciding(Arc<Known>),
    /// The state alone, with no transaction open.
    Nothing,
}

impl Source {
    pub(crate) fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    pub(crate) fn begun(&self) -> &Begun {
        &self.begun
    }

    /// The same state, whose rows are those that are known.
    pub(crate) fn with_known(&self, known: Arc<Known>) -> Self {
        Source {
            rows: RowsOf::Deciding(known),
            ..self.clone()
        }
    }

    pub(crate) fn read(&self, table: Table, key: &Key) -> Result<Option<Arc<[u8]>>, Failure> {
        if table == Table::Meta
            && let Key::Int(key) = key
            && *key < FIRST_TALLY
        {
            return Ok(match *key {
                FORMAT_KEY => Some(Arc::clone(&self.begun.format)),
                STATE_KEY => Some(Arc::clone(&self.begun.state)),
                _ => None,
            });
        }
        match &self.rows {
            RowsOf::Reading(reading) => reading.read(table, key),
            RowsOf::Deciding(known) => Ok(known.read(table, key)),
            RowsOf::Nothing => Err(Failure::Stopped),
        }
    }

    /// Notes rows that will be asked for.
    pub(crate) fn foresee(&self, table: Table, keys: impl Iterator<Item = Key>) {
        if let RowsOf::Deciding(known) = &self.rows {
            known.foresee(table, keys);
        }
    }

    /// Whether requests are decided here on less than was asked for.
    pub(crate) fn lacks_rows(&self) -> bool {
        matches!(&self.rows, RowsOf::Deciding(known) if known.wants())
    }

    pub(crate) fn walk(
        &self,
        table: Table,
        span: (&Key, &Key),
        upwards: bool,
        each: &mut Each<'_>,
    ) -> Result<(), Failure> {
        match &self.rows {
            // Their entries are columns of the rows themselves here.
            _ if matches!(table, Table::Index | Table::IndexLog) => Ok(()),
            RowsOf::Reading(reading) => reading.walk(table, span, upwards, each),
            RowsOf::Deciding(known) => known.walk(table, span, upwards, each),
            RowsOf::Nothing => Err(Failure::Stopped),
        }
    }

    pub(crate) fn candidates(&self, index: Index, hash: IndexHash) -> Result<Vec<u64>, Failure> {
        match &self.rows {
            RowsOf::Reading(reading) => reading.candidates(index, hash),
            RowsOf::Deciding(known) => Ok(known.candidates(index, hash)),
            RowsOf::Nothing => Err(Failure::Stopped),
        }
    }

    /// Reads what was asked of `known` and is missing in it.
    pub(crate) fn fill(&self, known: &Known) -> Result<(), Failure> {
        let RowsOf::Reading(reading) = &self.rows else {
            return Err(Failure::Stopped);
        };
        let questions = known.questions()?;
        questions.ask(Vec::new(), known, |asks| reading.ask(asks))?;
        Ok(())
    }

    /// Which of these rows have columns that do not follow from their records, and how many entries the indexes over the
    /// columns have.
    pub(crate) fn columns_unlike_records(
        &self,
        table: Table,
        rows: &[(Key, Vec<u8>)],
        hasher: IndexHasher,
    ) -> Result<(Vec<Key>, u64), Failure> {
        let RowsOf::Reading(reading) = &self.rows else {
            return Err(Failure::Stopped);
        };
        write::columns_unlike_records(table, rows, hasher, |ask| reading.ask(vec![ask]))
    }

    /// How many rows a table has. Counts them.
    pub(crate) fn row_count(&self, table: Table) -> Result<u64, Failure> {
        let RowsOf::Reading(reading) = &self.rows else {
            return Err(Failure::Stopped);
        };
        if matches!(table, Table::Index | Table::IndexLog) {
            return Ok(0);
        }
        reading.count(format!("SELECT count(*) FROM {}", keys::name(table)))
    }

    /// Bytes that the tables take in the database, with their indexes.
    pub(crate) fn bytes(&self) -> Result<u64, Failure> {
        let RowsOf::Reading(reading) = &self.rows else {
            return Err(Failure::Stopped);
        };
        reading.count(
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = current_schema() AND c.relkind = 'r'"
                .to_owned(),
        )
    }
}
