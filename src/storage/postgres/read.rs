//! A snapshot's transaction: it reads one state for as long as it lasts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::error::DatabaseError;

use super::super::guard::Failure;
use super::super::read::Each;
use super::super::tables::{Key, Table};
use super::super::unique::{Index, IndexHash};
use super::begun::{self, Begun};
use super::fetch;
use super::keys;
use super::known::Records;
use super::link::{Ask, Connection};
use super::pool::{Pool, Taken};

/// A transaction that reads.
pub(crate) struct Reading {
    pool: Arc<Pool>,
    /// `None` once a failure ended it.
    connection: Mutex<Option<Connection>>,
    /// The rows that the last look-up by a hash found.
    along: Mutex<Records>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(connection) = self.connection().take() {
            self.pool.end(connection);
        }
    }
}

/// How many rows of a walk are read first, and at most. Each further time it is eight times as many.
const FIRST_ROWS: i64 = 16;
const MOST_ROWS: i64 = 1_024;

impl Reading {
    /// Begins a transaction on a connection of the pool, and says where the store stands in it.
    pub(super) fn begin(pool: &Arc<Pool>) -> Result<(Self, Begun), Failure> {
        let began = Instant::now();
        let connection = match pool.take()? {
            Taken::New(connection) => connection,
            Taken::Idle(connection) => match Self::begin_on(pool, connection) {
                Err(Failure::Database(DatabaseError::Unreachable))
                    if began.elapsed() < pool.patience() =>
                {
                    pool.forget_idle();
                    let (Taken::New(connection) | Taken::Idle(connection)) = pool.take()?;
                    connection
                }
                begun => return begun,
            },
        };
        Self::begin_on(pool, connection)
    }

    fn begin_on(pool: &Arc<Pool>, connection: Connection) -> Result<(Self, Begun), Failure> {
        let reading = Reading {
            pool: Arc::clone(pool),
            connection: Mutex::new(Some(connection)),
            along: Mutex::default(),
        };
        let begin = Ask::plain("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        let answers = reading.ask(vec![begin, begun::question()])?;
        let begun = Begun::read(answers.get(1))?;
        if !begun.is_of_one_state {
            return Err(Failure::Database(DatabaseError::Isolation));
        }
        Ok((reading, begun))
    }

    // What a panic leaves is either a connection or none.
    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ask(&self, asks: Vec<Ask>) -> Result<Vec<Vec<tokio_postgres::Row>>, Failure> {
        let mut held = self.connection();
        // It was lost earlier. Another snapshot has another one.
        let Some(connection) = held.as_mut() else {
            return Err(Failure::Database(DatabaseError::Unreachable));
        };
        let asked = connection.ask(asks);
        if asked.is_err() {
            *held = None;
            self.pool.lose();
        }
        asked
    }

    fn along(&self) -> MutexGuard<'_, Records> {
        self.along.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read(&self, table: Table, key: &Key) -> Result<Option<Arc<[u8]>>, Failure> {
        let place = (table, key.clone());
        if let Some(record) = self.along().get(&place) {
            return Ok(Some(Arc::clone(record)));
        }
        let answers = self.ask(vec![fetch::rows(table, &[place.1])?])?;
        let found = fetch::first(table, &answers)?.pop();
        Ok(found.map(|(_, record)| record))
    }

    pub(super) fn candidates(&self, index: Index, hash: IndexHash) -> Result<Vec<u64>, Failure> {
        let (table, _) = keys::hashes_of(index);
        let answers = self.ask(vec![fetch::with_hash(index, keys::hash(hash))])?;
        let rows = fetch::first(table, &answers)?;
        let ids = rows.iter().filter_map(|(key, _)| match key {
            Key::Int(id) => Some(*id),
            _ => None,
        });
        let ids = ids.collect();
        let mut along = self.along();
        along.clear();
        along.extend(rows.into_iter().map(|(key, record)| ((table, key), record)));
        Ok(ids)
    }

    pub(super) fn walk(
        &self,
        table: Table,
        (first, last): (&Key, &Key),
        upwards: bool,
        each: &mut Each<'_>,
    ) -> Result<(), Failure> {
        let (mut first, mut last) = (first.clone(), last.clone());
        let mut most = FIRST_ROWS;
        let mut at_end = None;
        loop {
            let answers = self.ask(vec![fetch::span(table, (&first, &last), upwards, most)])?;
            let mut rows = fetch::first(table, &answers)?;
            let came = rows.len();
            // The key at which the last part ended begins this one.
            if at_end.is_some() && rows.first().map(|(key, _)| key) == at_end.as_ref() {
                rows.remove(0);
            }
            let end = rows.last().map(|(key, _)| key.clone());
            for (key, record) in rows {
                if !each(key, &record)? {
                    return Ok(());
                }
            }
            if i64::try_from(came).unwrap_or(i64::MAX) < most {
                return Ok(());
            }
            let Some(end) = end else {
                return Ok(());
            };
            if upwards {
                first = end.clone();
            } else {
                last = end.clone();
            }
            at_end = Some(end);
            most = (most.saturating_mul(8)).min(MOST_ROWS);
        }
    }

    pub(super) fn count(&self, sql: String) -> Result<u64, Failure> {
        let answers = self.ask(vec![Ask::plain(sql)])?;
        let row = answers.first().and_then(|rows| rows.first());
        let count: Option<i64> = row.and_then(|row| row.try_get(0).ok());
        let count = count.and_then(|count| u64::try_from(count).ok());
        count.ok_or(Failure::Corrupt("a count that is none"))
    }
}
