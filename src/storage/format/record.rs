//! The bytes of a record: a version, a payload in bincode, a checksum.
//!
//! bincode is at its last release, 2.0.1, whose encoding is specified and frozen; the golden bytes in
//! the tests hold it to that. This module does not know what is in a payload.

use std::ops::Range;

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use bincode::{BorrowDecode, Encode};

use super::super::guard::Failure;
use super::super::tables::{Key, Table};
use super::hash::{checksum, checksum_of_format_1};
use super::keys::RowKey;
use super::meta::OLDEST_FORMAT;

/// A row of one of the tables that are not indexes.
pub(crate) trait Row: Sized {
    const TABLE: Table;
    type Key: RowKey;

    /// The oldest format that has this row.
    fn format(&self) -> u32 {
        OLDEST_FORMAT
    }

    /// Appends the payload of the row's record.
    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure>;

    /// Reads the payload of a record whose checksum holds. What the key says is not repeated there.
    fn decode(key: &Self::Key, payload: &[u8]) -> Result<Self, Failure>;
}

/// The first byte of every record.
const VERSION: u8 = 2;
/// The same in format 1, and, in every format, of the row that says which one it is.
const VERSION_1: u8 = 1;
const CHECKSUM_BYTES: usize = 4;

/// No record is longer. Without a limit a damaged length would have the decoder allocate whatever
/// it says.
pub(crate) const RECORD_BYTES: usize = 16 << 20;

const CONFIG: Configuration<LittleEndian, Varint, Limit<RECORD_BYTES>> =
    bincode::config::standard().with_limit::<RECORD_BYTES>();

const DAMAGED: Failure = Failure::Corrupt("a record whose checksum does not hold");
pub(in crate::storage) const MALFORMED: Failure = Failure::Corrupt("a record that does not decode");

/// The bytes of records, the last of which is being written.
pub(crate) struct Payload<'b>(&'b mut Vec<u8>);

impl Writer for Payload<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

impl<'b> Payload<'b> {
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn of(bytes: &'b mut Vec<u8>) -> Self {
        Payload(bytes)
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn push(&mut self, record: impl Encode) -> Result<(), Failure> {
        bincode::encode_into_writer(record, &mut *self, CONFIG).map_err(|_| MALFORMED)
    }
}

/// Appends the bytes of a row to `to`: the version, what `encode` makes, and the checksum that `sum`
/// gives of it. Says where they are.
fn seal(
    to: &mut Vec<u8>,
    version: u8,
    encode: impl FnOnce(&mut Payload<'_>) -> Result<(), Failure>,
    sum: impl FnOnce(&[u8]) -> u32,
) -> Result<Range<usize>, Failure> {
    let start = to.len();
    to.push(version);
    encode(&mut Payload(to))?;
    let payload = to.get(start.saturating_add(1)..).unwrap_or_default();
    let sum = sum(payload);
    to.extend_from_slice(&sum.to_le_bytes());
    if to.len().saturating_sub(start) > RECORD_BYTES {
        return Err(Failure::Corrupt("a record longer than any may be"));
    }
    Ok(start..to.len())
}

/// Appends the bytes of a row to `to`, and says where they are.
pub(in crate::storage) fn encode<R: Row>(
    to: &mut Vec<u8>,
    key: &Key,
    row: &R,
) -> Result<Range<usize>, Failure> {
    let sum = |payload: &[u8]| checksum(R::TABLE, key, payload);
    seal(to, VERSION, |record| row.encode(record), sum)
}

/// The same of a row whose payload is `bytes`.
pub(in crate::storage) fn encode_bytes(
    to: &mut Vec<u8>,
    table: Table,
    key: &Key,
    bytes: &[u8],
) -> Result<Range<usize>, Failure> {
    let as_it_is = |record: &mut Payload<'_>| {
        record.append(bytes);
        Ok(())
    };
    let sum = |payload: &[u8]| checksum(table, key, payload);
    seal(to, VERSION, as_it_is, sum)
}

/// Makes the bytes of a record of format 1, where tables had other numbers.
pub(super) fn encode_format_1(
    table: u64,
    key: &Key,
    encode: impl FnOnce(&mut Payload<'_>) -> Result<(), Failure>,
) -> Result<Vec<u8>, Failure> {
    let mut record = Vec::new();
    let sum = |payload: &[u8]| checksum_of_format_1(table, key, payload);
    seal(&mut record, VERSION_1, encode, sum)?;
    Ok(record)
}

/// Reads the bytes of a row: `decode` gets the payload once version and checksum hold.
pub(in crate::storage) fn open<T>(
    table: Table,
    key: &Key,
    record: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let payload = payload(record, VERSION, |payload| checksum(table, key, payload))?;
    decode(payload)
}

/// The same of a record of format 1.
pub(in crate::storage) fn open_format_1<T>(
    table: u64,
    key: &Key,
    record: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let sum = |payload: &[u8]| checksum_of_format_1(table, key, payload);
    decode(payload(record, VERSION_1, sum)?)
}

/// The payload of a record, once checksum and version hold.
fn payload(
    record: &[u8],
    known_version: u8,
    checksum: impl FnOnce(&[u8]) -> u32,
) -> Result<&[u8], Failure> {
    let (version, rest) = record.split_first().ok_or(DAMAGED)?;
    let (payload, sum) = rest.split_last_chunk::<CHECKSUM_BYTES>().ok_or(DAMAGED)?;
    if checksum(payload) != u32::from_le_bytes(*sum) {
        return Err(DAMAGED);
    }
    if *version != known_version {
        return Err(Failure::Corrupt("a record of an unknown version"));
    }
    Ok(payload)
}

/// Reads key and bytes of a row.
pub(in crate::storage) fn decode_row<R: Row>(
    key: &Key,
    record: &[u8],
) -> Result<(R::Key, R), Failure> {
    let typed = R::Key::from_key(key)?;
    let row = open(R::TABLE, key, record, |payload| R::decode(&typed, payload))?;
    Ok((typed, row))
}

/// Decodes what a payload begins with, and takes it off.
pub(in crate::storage) fn take<'a, T: BorrowDecode<'a, ()>>(
    payload: &mut &'a [u8],
) -> Result<T, Failure> {
    let (record, read) =
        bincode::borrow_decode_from_slice(payload, CONFIG).map_err(|_| MALFORMED)?;
    *payload = payload.get(read..).ok_or(MALFORMED)?;
    Ok(record)
}

pub(in crate::storage) fn ended(payload: &[u8]) -> Result<(), Failure> {
    if payload.is_empty() {
        Ok(())
    } else {
        Err(MALFORMED)
    }
}

/// Decodes a whole payload.
pub(in crate::storage) fn decode<'a, T: BorrowDecode<'a, ()>>(
    mut payload: &'a [u8],
) -> Result<T, Failure> {
    let record = take(&mut payload)?;
    ended(payload)?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_at_most_16_mib() {
        let sealed = |bytes: usize| {
            let payload = vec![7; bytes - CHECKSUM_BYTES - 1];
            encode_bytes(&mut Vec::new(), Table::Contacts, &Key::Int(1), &payload)
        };
        let longest = sealed(RECORD_BYTES).map(|record| record.len());
        assert!(matches!(longest, Ok(16_777_216)), "{longest:?}");
        for longer in [RECORD_BYTES + 1, 2 * RECORD_BYTES] {
            let refused = sealed(longer).map(|record| record.len());
            let expected = "a record longer than any may be";
            assert!(matches!(refused, Err(Failure::Corrupt(what)) if what == expected));
        }
    }
}
