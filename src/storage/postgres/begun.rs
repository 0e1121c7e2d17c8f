//! The beginning of a transaction: where the store stands in it.

use std::sync::Arc;

use tokio_postgres::Row;

use super::super::guard::Failure;
use super::link::Ask;

/// Where the store stands, in the transaction that read this.
pub(crate) struct Begun {
    /// The record of [`FormatRow`](super::super::format::meta::FormatRow).
    pub(crate) format: Arc<[u8]>,
    /// The record of [`State`](super::super::format::meta::State).
    pub(crate) state: Arc<[u8]>,
    /// Changes whenever an app is connected, disconnected, or gone.
    pub(crate) apps_version: i64,
    pub(crate) answers: u64,
    pub(crate) merged_ids: u64,
    /// Of all connected apps together.
    pub(crate) subscribers: u64,
    /// Whether all that the transaction reads is of one state, as the server says.
    pub(super) is_of_one_state: bool,
}

/// The columns that [`Begun::read`] reads.
pub(super) const COLUMNS: &str = "format, value, apps_version, answers, merged_ids, subscribers, \
     current_setting('transaction_isolation') IN ('repeatable read', 'snapshot', 'serializable')";

/// Reads where the store stands.
pub(super) fn question() -> Ask {
    Ask::plain(format!("SELECT {COLUMNS} FROM state"))
}

/// Waits for the lock, and reads where the store stands then.
pub(super) fn locking_question() -> Ask {
    Ask::plain(format!("SELECT {COLUMNS} FROM state FOR UPDATE"))
}

impl Begun {
    /// Reads the row with these columns.
    pub(super) fn read(rows: Option<&Vec<Row>>) -> Result<Self, Failure> {
        const MISSING: Failure = Failure::Corrupt("the row of counters is missing");
        let row = rows.and_then(|rows| rows.first()).ok_or(MISSING)?;
        let record = |at: usize| {
            let record: &[u8] = row.try_get(at).map_err(|_| MISSING)?;
            Ok::<Arc<[u8]>, Failure>(record.into())
        };
        let count = |at: usize| {
            let count: i64 = row.try_get(at).map_err(|_| MISSING)?;
            u64::try_from(count).map_err(|_| Failure::Corrupt("a count below zero"))
        };
        Ok(Begun {
            format: record(0)?,
            state: record(1)?,
            apps_version: row.try_get(2).map_err(|_| MISSING)?,
            answers: count(3)?,
            merged_ids: count(4)?,
            subscribers: count(5)?,
            is_of_one_state: row.try_get(6).map_err(|_| MISSING)?,
        })
    }
}
