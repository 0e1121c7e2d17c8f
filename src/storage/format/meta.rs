//! Two rows of the `meta` table: what the file is, and where its counters stand.

use crate::model::app::AppNumber;
use crate::model::identifier::{CANONICAL_VERSION, ContactId};
use crate::model::sequence::SequenceNumber;
use crate::model::time::Timestamp;

/// The format that this version writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 2;

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
    /// What the file is once it is upgraded to this format.
    pub(in crate::storage) fn upgraded(&self) -> Self {
        FormatRow {
            read_format: FORMAT,
            write_format: FORMAT,
            canonical_version: CANONICAL_VERSION,
            ..self.clone()
        }
    }

    /// What a file created now is. `random` holds the random bits that it needs.
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

/// Where the counters stand. Rewritten with each commit that moves one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) sequence: SequenceNumber,
    /// The smallest contact id that was never assigned and never passed over (R19): every id below
    /// is in use or was erased.
    pub(crate) next_contact: u64,
    pub(crate) next_app: u64,
    /// Contacts there are.
    pub(crate) contacts: u64,
    /// Contacts there were.
    pub(crate) erased: u64,
}

impl State {
    pub(in crate::storage) fn new() -> Self {
        State {
            sequence: SequenceNumber::default(),
            next_contact: 1,
            next_app: 1,
            contacts: 0,
            erased: 0,
        }
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
