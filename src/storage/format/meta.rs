//! Two rows of the `meta` table: what the file is, and where its counters stand.
//!
//! The first is encoded here and not with the other rows: whatever the format of a file is, every version
//! must be able to read it.

use bincode::{BorrowDecode, Encode};

use crate::model::app::AppNumber;
use crate::model::change::ChangePosition;
use crate::model::identifier::{CANONICAL_VERSION, ContactId};
use crate::model::sequence::SequenceNumber;
use crate::model::time::Timestamp;

use super::super::guard::Failure;
use super::super::tables::{Key, Table};
use super::record::{MALFORMED, decode, encode_format_1, open_format_1};

/// The newest format that this version reads and writes.
pub(crate) const FORMAT: u32 = 3;

/// The oldest format that is read without an upgrade, and that of a new file. Each later one has rows
/// that the one before does not know. A file gets it in the commit that puts the first of them.
pub(crate) const OLDEST_FORMAT: u32 = 2;

/// The format of the rows that only a store has whose host uses an option or operation that came
/// after format 2.
pub(in crate::storage) const FORMAT_3: u32 = 3;

/// What a file of this crate says of itself first, whatever its format.
pub(in crate::storage) const APPLICATION: [u8; 16] = *b"contact-store\0\0\0";

/// Whether this build takes non-ASCII domains through IDNA (R7).
pub(in crate::storage) const IDN: bool = cfg!(feature = "idn");

/// What the file is. Written once, at its creation.
#[derive(Clone)]
pub(crate) struct FormatRow {
    /// The oldest format whose reader understands this file.
    pub(crate) read_format: u32,
    /// The oldest format whose writer may write this file.
    pub(crate) write_format: u32,
    pub(crate) canonical_version: u32,
    pub(crate) idn: bool,
    /// Names the store itself, for what is one day made from it: a copy, a feed.
    pub(crate) store: u128,
    /// Secret: see [`super::hash::IndexHasher`].
    pub(crate) index_key: u128,
    /// The version of this crate that created the file.
    pub(crate) created_by: String,
    pub(crate) created_at: Timestamp,
}

impl FormatRow {
    /// The row of the file after an upgrade of its rows.
    pub(in crate::storage) fn upgraded(&self) -> Self {
        FormatRow {
            canonical_version: CANONICAL_VERSION,
            ..self.with_rows_of(OLDEST_FORMAT)
        }
    }

    /// The row of the file once it has rows of this format.
    pub(in crate::storage) fn with_rows_of(&self, format: u32) -> Self {
        FormatRow {
            read_format: format,
            write_format: format,
            ..self.clone()
        }
    }

    /// The row of a file created now. `random` holds the random bits that it needs.
    pub(in crate::storage) fn new(format: u32, random: [u128; 2], created_at: Timestamp) -> Self {
        let [store, index_key] = random;
        FormatRow {
            read_format: format,
            write_format: format,
            canonical_version: CANONICAL_VERSION,
            idn: IDN,
            store,
            index_key,
            created_by: env!("CARGO_PKG_VERSION").to_owned(),
            created_at,
        }
    }
}

#[derive(Encode, BorrowDecode)]
struct FormatRecord<'a> {
    canonical_version: u32,
    idn: bool,
    store: u128,
    index_key: u128,
    created_by: &'a str,
    created_at: u64,
}

/// What the first row of a file says. Its record is one of format 1 in every format.
pub(in crate::storage) enum FormatFound {
    /// A format that this version knows.
    Known(FormatRow),
    /// Another program's row.
    Foreign,
    /// A format that this version does not know.
    Newer(u32),
}

/// Makes the bytes of the format row.
///
/// Its first 24 bytes of payload (application, read format, write format) stay what they are in
/// every format to come, so that each version can tell a newer file from a damaged one.
pub(in crate::storage) fn encode_format(key: &Key, row: &FormatRow) -> Result<Vec<u8>, Failure> {
    encode_format_1(Table::Meta as u64, key, |payload| {
        payload.append(&APPLICATION);
        payload.append(&row.read_format.to_le_bytes());
        payload.append(&row.write_format.to_le_bytes());
        payload.push(FormatRecord {
            canonical_version: row.canonical_version,
            idn: row.idn,
            store: row.store,
            index_key: row.index_key,
            created_by: &row.created_by,
            created_at: row.created_at.as_millis(),
        })
    })
}

/// Reads the bytes of the format row.
pub(in crate::storage) fn decode_format(key: &Key, record: &[u8]) -> Result<FormatFound, Failure> {
    open_format_1(Table::Meta as u64, key, record, |payload| {
        let Some((application, rest)) = payload.split_first_chunk::<16>() else {
            return Ok(FormatFound::Foreign);
        };
        if *application != APPLICATION {
            return Ok(FormatFound::Foreign);
        }
        let (read_format, rest) = rest.split_first_chunk::<4>().ok_or(MALFORMED)?;
        let (write_format, rest) = rest.split_first_chunk::<4>().ok_or(MALFORMED)?;
        let read_format = u32::from_le_bytes(*read_format);
        let write_format = u32::from_le_bytes(*write_format);
        if read_format > FORMAT || write_format > FORMAT {
            return Ok(FormatFound::Newer(read_format.max(write_format)));
        }
        let format: FormatRecord<'_> = decode(rest)?;
        Ok(FormatFound::Known(FormatRow {
            read_format,
            write_format,
            canonical_version: format.canonical_version,
            idn: format.idn,
            store: format.store,
            index_key: format.index_key,
            created_by: format.created_by.to_owned(),
            created_at: Timestamp::from_millis(format.created_at),
        }))
    })
}

/// Where the counters stand. Rewritten with each commit that moves one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) sequence: SequenceNumber,
    /// The smallest contact id that was never assigned and never passed over (R19): every id below
    /// is in use or was erased.
    pub(crate) next_contact: u64,
    pub(crate) next_app: u64,
    /// How many contacts exist.
    pub(crate) contacts: u64,
    /// How many contacts were erased.
    pub(crate) erased: u64,
    /// Where the change feed stands, or stood when it was on last. `None` if it never was.
    pub(crate) feed: Option<FeedState>,
    /// How many subscribers have a mute, ended or not (R59).
    pub(crate) muted: u64,
    /// How many identifiers are suppressed (R65).
    pub(crate) suppressed: u64,
    /// How many tokens that FAILED removed are remembered (R63).
    pub(crate) blocked: u64,
    /// No record of such a token has a smaller number.
    pub(crate) blocked_first: u64,
    /// The number of the next record.
    pub(crate) blocked_next: u64,
    /// How many pairs of contacts are listed as conflicts (R61).
    pub(crate) conflicts: u64,
}

/// Where the change feed stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FeedState {
    /// All changes after this position are kept.
    pub(crate) begin: ChangePosition,
    /// The newest change, or where the feed begins.
    pub(crate) newest: ChangePosition,
    /// The last request whose changes were recorded. The feed has a gap if the store is further.
    pub(crate) through: SequenceNumber,
    /// How many changes are kept.
    pub(crate) kept: u64,
}

impl State {
    pub(in crate::storage) fn new() -> Self {
        State {
            sequence: SequenceNumber::default(),
            next_contact: 1,
            next_app: 1,
            contacts: 0,
            erased: 0,
            feed: None,
            muted: 0,
            suppressed: 0,
            blocked: 0,
            blocked_first: 0,
            blocked_next: 0,
            conflicts: 0,
        }
    }

    /// Where the change feed stands for this state. It begins anew here if changes up to here were not
    /// recorded.
    pub(crate) fn feed_now(&self) -> FeedState {
        let begin = ChangePosition::after(self.sequence);
        let whole = self.feed.filter(|feed| feed.through == self.sequence);
        whole.unwrap_or(FeedState {
            begin,
            newest: begin,
            through: self.sequence,
            kept: 0,
        })
    }

    /// Takes the next app number.
    pub(crate) fn take_app(&mut self) -> AppNumber {
        let number = AppNumber(self.next_app);
        self.next_app = self.next_app.saturating_add(1);
        number
    }

    /// Whether the counter has passed `id`.
    pub(crate) fn passed(&self, id: ContactId) -> bool {
        id.value() < self.next_contact
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::FORMAT_KEY;
    use super::*;

    fn format(read_format: u32, write_format: u32) -> FormatRow {
        FormatRow {
            read_format,
            write_format,
            ..FormatRow::new(FORMAT, [1, 2], Timestamp::default())
        }
    }

    #[test]
    fn a_newer_format_is_told_from_a_foreign_row() {
        let key = Key::Int(FORMAT_KEY);
        let found = |row: &FormatRow| {
            encode_format(&key, row).and_then(|record| decode_format(&key, &record))
        };
        assert!(matches!(found(&format(2, 2)), Ok(FormatFound::Known(row)) if row.index_key == 2));
        assert!(
            matches!(found(&format(3, 3)), Ok(FormatFound::Known(row)) if row.read_format == 3)
        );
        assert!(matches!(found(&format(4, 4)), Ok(FormatFound::Newer(4))));
        assert!(matches!(found(&format(2, 5)), Ok(FormatFound::Newer(5))));
        let foreign = encode_format_1(Table::Meta as u64, &key, |payload| {
            payload.push("another program")
        });
        let foreign = foreign.and_then(|record| decode_format(&key, &record));
        assert!(matches!(foreign, Ok(FormatFound::Foreign)));
    }
}
