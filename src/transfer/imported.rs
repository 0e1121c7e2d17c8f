//! What an import did, how far it has come, and what it refused.

use std::collections::BTreeMap;
use std::fmt;

use super::error::RowError;
use super::restart::RestartPoint;

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// The rows read: the sum of the other counts.
    pub rows: u64,
    /// The rows that put something new into the store.
    pub created: u64,
    /// The rows that changed a contact that there was.
    pub updated: u64,
    /// The rows of which the store held everything before.
    pub unchanged: u64,
    /// The number of refused rows by reason. See [`RowError::reason`].
    pub refused: BTreeMap<&'static str, u64>,
    /// Values of CSV rows that were not taken, because their field had one already: a second email, say.
    pub more_values: u64,
}

impl Imported {
    /// Returns the number of refused rows.
    #[must_use]
    pub fn refused_rows(&self) -> u64 {
        self.refused.values().copied().fold(0, u64::saturating_add)
    }

    /// Counts a refused row.
    pub(super) fn refuse(&mut self, reason: &'static str) {
        self.rows = self.rows.saturating_add(1);
        let count = self.refused.entry(reason).or_default();
        *count = count.saturating_add(1);
    }
}

/// A row that was refused. Nothing of it was written.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Rejected<'a> {
    /// The line on which the row begins, counted from 1.
    pub line: u64,
    /// Why it was refused, as a stable code. See [`RowError::reason`].
    pub reason: &'static str,
    /// What is wrong with it.
    pub error: &'a RowError,
    /// Its bytes as they were read, without the end of the line: personal data.
    pub row: &'a [u8],
    /// The header of a CSV source, in the same form. Empty for NDJSON.
    pub header: &'a [u8],
}

// Personal data (R52).
impl fmt::Debug for Rejected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("line", &self.line)
            .field("reason", &self.reason)
            .field("error", &self.error)
            .field("row", &format_args!("<{} bytes>", self.row.len()))
            .finish()
    }
}

/// The progress of an import: everything up to here is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportProgress {
    /// What was done so far, including before an interruption.
    pub imported: Imported,
    /// The bytes of the source that this took.
    pub bytes: u64,
    /// Where the import goes on if it is interrupted now.
    pub restart: RestartPoint,
}
