//! The rows of the answers that are kept for repeated requests.
//!
//! This module does not know what is in an outcome.

use crate::model::sequence::SequenceNumber;
use crate::model::time::Timestamp;

use super::super::guard::Failure;
use super::super::tables::{Key, Table};
use super::keys::RowKey;
use super::record::{MALFORMED, Payload, Row, decode, take};

/// The oldest format with answers.
const ANSWERS_FORMAT: u32 = 3;

/// The answer to a request with an idempotency key. The number of the request is the key of the row.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AnswerRow {
    /// The keyed hash of the idempotency key.
    pub(crate) key: KeyHash,
    /// The keyed hash of the request.
    pub(crate) request: u128,
    /// When the request was made, by the clock of the store.
    pub(crate) at: Timestamp,
    pub(crate) outcome: Vec<u8>,
}

/// The keyed hash of an idempotency key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyHash(pub(crate) u128);

/// The request that was made last under an idempotency key. The hash of that is the key of the row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnswerKeyRow {
    pub(crate) request: SequenceNumber,
}

impl RowKey for SequenceNumber {
    fn to_key(&self) -> Key {
        Key::Int(self.value())
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        u64::from_key(key).map(SequenceNumber::new)
    }
}

impl RowKey for KeyHash {
    fn to_key(&self) -> Key {
        Key::Wide(self.0)
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        match key {
            Key::Wide(key) => Ok(KeyHash(*key)),
            _ => Err(Failure::Corrupt("a key of no idempotency key")),
        }
    }
}

impl Row for AnswerRow {
    const TABLE: Table = Table::Answers;
    type Key = SequenceNumber;

    fn format(&self) -> u32 {
        ANSWERS_FORMAT
    }

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        // Hashes gain nothing from the short form of numbers.
        to.append(&self.key.0.to_le_bytes());
        to.append(&self.request.to_le_bytes());
        to.push(self.at.as_millis())?;
        to.append(&self.outcome);
        Ok(())
    }

    fn decode(_: &SequenceNumber, payload: &[u8]) -> Result<Self, Failure> {
        let (key, rest) = payload.split_first_chunk().ok_or(MALFORMED)?;
        let (request, mut rest) = rest.split_first_chunk().ok_or(MALFORMED)?;
        let at = take(&mut rest)?;
        Ok(AnswerRow {
            key: KeyHash(u128::from_le_bytes(*key)),
            request: u128::from_le_bytes(*request),
            at: Timestamp::from_millis(at),
            outcome: rest.to_vec(),
        })
    }
}

impl Row for AnswerKeyRow {
    const TABLE: Table = Table::AnswerKeys;
    type Key = KeyHash;

    fn format(&self) -> u32 {
        ANSWERS_FORMAT
    }

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        to.push(self.request.value())
    }

    fn decode(_: &KeyHash, payload: &[u8]) -> Result<Self, Failure> {
        let request = SequenceNumber::new(decode(payload)?);
        Ok(AnswerKeyRow { request })
    }
}
