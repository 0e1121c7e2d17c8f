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
}

/// The statements whose answers [`Begun::read`] reads. Two, so that the second sees what was committed
/// while the first of a transaction waited for a lock.
pub(super) fn questions() -> [Ask; 2] {
    [
        Ask::plain("SELECT format, value, apps_version, answers, merged_ids FROM state"),
        Ask::plain(
            "SELECT coalesce(sum(subscribers), 0)::bigint FROM app_counts WHERE is_connected",
        ),
    ]
}

impl Begun {
    /// Reads the answers to [`questions`].
    pub(super) fn read(answers: &[Vec<Row>]) -> Result<Self, Failure> {
        const MISSING: Failure = Failure::Corrupt("the row of counters is missing");
        let [state, subscribers] = answers else {
            return Err(MISSING);
        };
        let (Some(state), Some(subscribers)) = (state.first(), subscribers.first()) else {
            return Err(MISSING);
        };
        let record = |at: usize| {
            let record: &[u8] = state.try_get(at).map_err(|_| MISSING)?;
            Ok::<Arc<[u8]>, Failure>(record.into())
        };
        let count = |row: &Row, at: usize| {
            let count: i64 = row.try_get(at).map_err(|_| MISSING)?;
            u64::try_from(count).map_err(|_| Failure::Corrupt("a count below zero"))
        };
        Ok(Begun {
            format: record(0)?,
            state: record(1)?,
            apps_version: state.try_get(2).map_err(|_| MISSING)?,
            answers: count(state, 3)?,
            merged_ids: count(state, 4)?,
            subscribers: count(subscribers, 0)?,
        })
    }
}
