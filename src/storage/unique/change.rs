//! Changes of the indexes that no bucket has yet, as they are stored: 10 bytes each, or 18.
//!
//! They are read back in order, and applying one that a bucket has already changes nothing. This
//! module does not know where the bytes are kept.

use super::super::guard::Failure;
use super::entry::{Entry, Place};

const MALFORMED: Failure = Failure::Corrupt("a change of an index that does not decode");

const PLACE_BITS: u16 = (1 << 12) - 1;
const REMOVED: u16 = 1 << 12;
const WIDE: u16 = 1 << 13;
const KNOWN_BITS: u16 = PLACE_BITS | REMOVED | WIDE;
const SHORT_SHIFT: u32 = 40;

/// An entry that came or went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexChange {
    pub(crate) place: Place,
    pub(crate) entry: Entry,
    /// Whether it went.
    pub(crate) removed: bool,
}

impl IndexChange {
    /// Appends the change to `to`.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        let mut head = u16::try_from(self.place.number()).unwrap_or_default();
        if self.removed {
            head |= REMOVED;
        }
        let packed = self.entry.pack(self.place.index());
        if packed.is_none() {
            head |= WIDE;
        }
        to.extend_from_slice(&head.to_le_bytes());
        match packed {
            Some(packed) => to.extend_from_slice(&packed.to_le_bytes()),
            None => {
                let short = u64::from(self.entry.short) << SHORT_SHIFT;
                to.extend_from_slice(&short.to_le_bytes());
                to.extend_from_slice(&self.entry.id.to_le_bytes());
            }
        }
    }
}

/// Takes the next eight bytes off.
fn take_u64(bytes: &mut &[u8]) -> Result<u64, Failure> {
    let (first, rest) = bytes.split_first_chunk().ok_or(MALFORMED)?;
    *bytes = rest;
    Ok(u64::from_le_bytes(*first))
}

/// Hands the changes to `each`, in order.
pub(crate) fn decode(mut bytes: &[u8], mut each: impl FnMut(IndexChange)) -> Result<(), Failure> {
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_first_chunk().ok_or(MALFORMED)?;
        bytes = rest;
        let head = u16::from_le_bytes(*head);
        if head & !KNOWN_BITS != 0 {
            return Err(MALFORMED);
        }
        let place = Place::new(usize::from(head & PLACE_BITS)).ok_or(MALFORMED)?;
        let packed = take_u64(&mut bytes)?;
        let mut entry = Entry::unpack(place.index(), packed);
        if head & WIDE != 0 {
            entry.id = take_u64(&mut bytes)?;
        }
        each(IndexChange {
            place,
            entry,
            removed: head & REMOVED != 0,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes() -> Vec<IndexChange> {
        let mut changes = Vec::new();
        for (place, id, removed) in [
            (0, 7, false),
            (4_095, 1 << 40 | 7, true),
            (5, u64::MAX, true),
        ] {
            let entry = Entry {
                short: 0xab_cdef,
                id,
            };
            changes.extend(Place::new(place).map(|place| IndexChange {
                place,
                entry,
                removed,
            }));
        }
        changes
    }

    #[test]
    fn changes_come_back_in_order_and_cut_off_bytes_are_corrupt() {
        let mut bytes = Vec::new();
        changes()
            .iter()
            .for_each(|change| change.encode(&mut bytes));
        assert_eq!(bytes.len(), 10 + 10 + 18);
        let mut read = Vec::new();
        assert!(decode(&bytes, |change| read.push(change)).is_ok());
        assert!(read == changes());
        for len in 0..bytes.len() {
            let cut = decode(bytes.get(..len).unwrap_or_default(), |_| {});
            assert_eq!(cut.is_ok(), [0, 10, 20].contains(&len), "{len}");
        }
        assert!(matches!(
            decode(&[0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0], |_| {}),
            Err(Failure::Corrupt(_))
        ));
    }

    #[test]
    fn the_bytes_of_a_change_are_the_golden_ones() {
        let mut bytes = Vec::new();
        changes()
            .iter()
            .for_each(|change| change.encode(&mut bytes));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "00000700000000efcdabff1f0700000001efcdab05300000000000efcdabffffffffffffffff"
        );
    }
}
