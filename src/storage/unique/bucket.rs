//! A bucket: a sorted run of entries as it is stored, one row of the table `index`.
//!
//! The row begins with how many packed entries it holds, 8 bytes each; those whose id is too large
//! follow, 12 bytes each. This module does not know which buckets there are.

use super::super::guard::Failure;
use super::entry::{Entry, Index, packed_short};

const MALFORMED: Failure = Failure::Corrupt("a bucket of an index that does not decode");

const WIDE_BYTES: usize = 12;

/// The payload of a bucket's row. `entries` are sorted.
pub(crate) fn encode(index: Index, entries: &[Entry]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(entries.len());
    let mut wide = Vec::new();
    for entry in entries {
        match entry.pack(index) {
            Some(entry) => packed.push(entry),
            None => wide.push(*entry),
        }
    }
    // A subscriber's app comes first in its id, and not in the packed form of a few.
    packed.sort_unstable();
    let count = u32::try_from(packed.len()).unwrap_or(u32::MAX);
    let entries = packed.len().saturating_mul(8);
    let others = wide.len().saturating_mul(WIDE_BYTES);
    let len = entries.saturating_add(others).saturating_add(4);
    let mut bytes = Vec::with_capacity(len);
    bytes.extend_from_slice(&count.to_le_bytes());
    for packed in packed {
        bytes.extend_from_slice(&packed.to_le_bytes());
    }
    for entry in wide {
        bytes.extend_from_slice(&entry.short.to_le_bytes());
        bytes.extend_from_slice(&entry.id.to_le_bytes());
    }
    bytes
}

/// The two parts of a bucket: packed entries and others.
type Parts<'b> = (&'b [[u8; 8]], &'b [[u8; WIDE_BYTES]]);

fn parts(payload: &[u8]) -> Result<Parts<'_>, Failure> {
    let (count, rest) = payload.split_first_chunk().ok_or(MALFORMED)?;
    let count = usize::try_from(u32::from_le_bytes(*count)).map_err(|_| MALFORMED)?;
    let (packed, wide) = rest
        .split_at_checked(count.saturating_mul(8))
        .ok_or(MALFORMED)?;
    let (packed, left) = packed.as_chunks::<8>();
    let (wide, left_of_wide) = wide.as_chunks::<WIDE_BYTES>();
    if left.is_empty() && left_of_wide.is_empty() {
        Ok((packed, wide))
    } else {
        Err(MALFORMED)
    }
}

fn wide_entry(bytes: &[u8; WIDE_BYTES]) -> Entry {
    let (short, id) = bytes.split_at(4);
    let short = short.first_chunk().copied().unwrap_or_default();
    let id = id.first_chunk().copied().unwrap_or_default();
    Entry {
        short: u32::from_le_bytes(short),
        id: u64::from_le_bytes(id),
    }
}

/// Appends the entries of a bucket to `to`.
pub(crate) fn decode(index: Index, payload: &[u8], to: &mut Vec<Entry>) -> Result<(), Failure> {
    let (packed, wide) = parts(payload)?;
    to.extend(
        packed
            .iter()
            .map(|packed| Entry::unpack(index, u64::from_le_bytes(*packed))),
    );
    to.extend(wide.iter().map(wide_entry));
    Ok(())
}

/// The ids in a bucket whose entries have these bits.
pub(crate) fn ids(index: Index, short: u32, payload: &[u8]) -> Result<Vec<u64>, Failure> {
    let (packed, wide) = parts(payload)?;
    let bits = |packed: &[u8; 8]| packed_short(u64::from_le_bytes(*packed));
    let first = packed.partition_point(|entry| bits(entry) < short);
    let from = packed.get(first..).unwrap_or_default().iter();
    let mut ids: Vec<u64> = from
        .take_while(|entry| bits(entry) == short)
        .map(|entry| Entry::unpack(index, u64::from_le_bytes(*entry)).id)
        .collect();
    let wide = wide.iter().map(wide_entry);
    ids.extend(
        wide.filter(|entry| entry.short == short)
            .map(|entry| entry.id),
    );
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        [
            (1, 5),
            (1, 1 << 45),
            (2, 7),
            (2, 8),
            (900, 1),
            (900, 1 << 41),
        ]
        .map(|(short, id)| Entry { short, id })
        .to_vec()
    }

    #[test]
    fn a_bucket_gives_back_its_entries_and_finds_them() -> Result<(), Failure> {
        let bytes = encode(Index::Emails, &entries());
        let mut read = Vec::new();
        decode(Index::Emails, &bytes, &mut read)?;
        read.sort_unstable();
        assert!(read == entries());
        for (short, expected) in [
            (0, vec![]),
            (1, vec![5, 1 << 45]),
            (2, vec![7, 8]),
            (900, vec![1, 1 << 41]),
            (901, vec![]),
        ] {
            assert_eq!(ids(Index::Emails, short, &bytes)?, expected, "{short}");
        }
        Ok(())
    }

    #[test]
    fn a_bucket_of_another_length_is_corrupt() {
        let bytes = encode(Index::Tokens, &entries());
        for len in 0..bytes.len() {
            let cut = bytes.get(..len).unwrap_or_default();
            // Cut between two of its last entries, it is a shorter bucket: the checksum tells.
            if let Ok((_, wide)) = parts(cut) {
                assert_eq!((bytes.len() - len) % WIDE_BYTES, 0);
                assert!(wide.len() < 6);
            }
        }
        assert!(matches!(
            ids(Index::Tokens, 1, &[9, 0, 0, 0, 1]),
            Err(Failure::Corrupt(_))
        ));
    }

    #[test]
    fn the_bytes_of_a_bucket_are_the_golden_ones() {
        let bytes = encode(
            Index::Tokens,
            &[(1, 1 << 40 | 5), (2, 7 << 60)].map(|(short, id)| Entry { short, id }),
        );
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "010000000500000001010000020000000000000000000070");
    }
}
