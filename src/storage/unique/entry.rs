//! An entry of an index: part of the hash of a value, and the id of the row that has the value.
//!
//! The hash says where to look and is never trusted: every match is verified on the row itself. This
//! module does not know where entries are kept.

/// One of the four unique indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Index {
    ExternalIds = 0,
    Phones = 1,
    Emails = 2,
    Tokens = 3,
}

/// An id of fewer bits than this fits into a packed entry, all ones excepted.
const NARROW_BITS: u32 = 40;
const NARROW_MASK: u64 = (1 << NARROW_BITS) - 1;

/// Of a subscriber id, the bits that number it within its app, and how many of them a packed entry
/// has room for.
const TOKEN_NUMBER_BITS: u32 = 40;
const TOKEN_PACKED_BITS: u32 = 32;

impl Index {
    pub(crate) const ALL: [Index; 4] = [
        Index::ExternalIds,
        Index::Phones,
        Index::Emails,
        Index::Tokens,
    ];

    pub(crate) fn number(self) -> usize {
        self as usize
    }

    /// The id in 40 bits; `None` when it does not fit. A subscriber id is an app number above the
    /// bits of a number: both are small in nearly all stores, though the id is not.
    fn narrow(self, id: u64) -> Option<u64> {
        let narrow = match self {
            Index::Tokens => {
                let (app, number) = (id >> TOKEN_NUMBER_BITS, id & NARROW_MASK);
                if app >> (NARROW_BITS - TOKEN_PACKED_BITS) != 0 || number >> TOKEN_PACKED_BITS != 0
                {
                    return None;
                }
                app << TOKEN_PACKED_BITS | number
            }
            _ => id,
        };
        (narrow < NARROW_MASK).then_some(narrow)
    }

    fn widen(self, narrow: u64) -> u64 {
        match self {
            Index::Tokens => {
                let number = narrow & ((1 << TOKEN_PACKED_BITS) - 1);
                narrow >> TOKEN_PACKED_BITS << TOKEN_NUMBER_BITS | number
            }
            _ => narrow,
        }
    }
}

/// The keyed hash of a value of one index.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct IndexHash(pub(crate) u64);

/// Each index is cut into this many shards, by the low bits of the hash.
pub(crate) const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 10;
const SHARD_MASK: u64 = (1 << SHARD_BITS) - 1;
/// The shards of all indexes.
pub(crate) const PLACES: usize = SHARDS * Index::ALL.len();

const SHORT_BITS: u32 = 24;

/// A shard of one of the indexes, counted through all of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Place(u16);

impl Place {
    #[cfg(test)]
    pub(crate) const FIRST: Place = Place(0);
    #[cfg(test)]
    pub(crate) const LAST: Place = Place(4_095);

    pub(crate) fn of(index: Index, hash: IndexHash) -> Self {
        let shard = hash.0 & SHARD_MASK;
        let number = (index.number() as u64) << SHARD_BITS | shard;
        // 12 bits.
        Place(u16::try_from(number).unwrap_or_default())
    }

    pub(crate) fn new(number: usize) -> Option<Self> {
        let number = u16::try_from(number).ok()?;
        (usize::from(number) < PLACES).then_some(Place(number))
    }

    pub(crate) fn number(self) -> usize {
        usize::from(self.0)
    }

    pub(crate) fn index(self) -> Index {
        match self.number() >> SHARD_BITS {
            0 => Index::ExternalIds,
            1 => Index::Phones,
            2 => Index::Emails,
            _ => Index::Tokens,
        }
    }

    pub(crate) fn shard(self) -> usize {
        self.number() & (SHARDS - 1)
    }

    /// Every place, in order.
    pub(crate) fn all() -> impl Iterator<Item = Place> {
        (0..PLACES).filter_map(Place::new)
    }
}

/// One entry of a shard. In order by its bits of the hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Entry {
    /// 24 bits of the hash.
    pub(crate) short: u32,
    pub(crate) id: u64,
}

impl Entry {
    pub(crate) fn new(hash: IndexHash, id: u64) -> Self {
        Entry {
            short: short(hash),
            id,
        }
    }

    /// The entry in 64 bits, never all ones; `None` when its id is too large.
    pub(crate) fn pack(self, index: Index) -> Option<u64> {
        let id = index.narrow(self.id)?;
        Some(u64::from(self.short) << NARROW_BITS | id)
    }

    pub(crate) fn unpack(index: Index, packed: u64) -> Self {
        Entry {
            short: packed_short(packed),
            id: index.widen(packed & NARROW_MASK),
        }
    }
}

/// The bits of a hash that an entry has.
pub(crate) fn short(hash: IndexHash) -> u32 {
    u32::try_from(hash.0 >> (u64::BITS - SHORT_BITS)).unwrap_or_default()
}

pub(crate) fn packed_short(packed: u64) -> u32 {
    u32::try_from(packed >> NARROW_BITS).unwrap_or_default()
}

/// Which of `parts` equal parts of a shard an entry with these bits belongs to. In the order of the
/// bits, so that any number of parts can be cut from sorted entries.
pub(crate) fn part(short: u32, parts: usize) -> usize {
    let part = (u64::from(short)).saturating_mul(parts as u64) >> SHORT_BITS;
    usize::try_from(part).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_packed_exactly_when_its_id_fits_and_comes_back() {
        for (index, id, fits) in [
            (Index::Emails, 1, true),
            (Index::Emails, (1 << 40) - 2, true),
            (Index::Phones, (1 << 40) - 1, false),
            (Index::ExternalIds, 1 << 40, false),
            (Index::ExternalIds, u64::MAX, false),
            (Index::Tokens, 1 << 40 | 1, true),
            (Index::Tokens, 255 << 40 | ((1 << 32) - 2), true),
            // All ones is an empty slot.
            (Index::Tokens, 255 << 40 | ((1 << 32) - 1), false),
            (Index::Tokens, 1 << 40 | 1 << 32, false),
            (Index::Tokens, 256 << 40 | 1, false),
        ] {
            for short in [0, 1, (1 << 24) - 1] {
                let entry = Entry { short, id };
                let packed = entry.pack(index);
                assert_eq!(packed.is_some(), fits, "{index:?} {id}");
                assert!(packed.is_none_or(|packed| packed != u64::MAX));
                assert!(packed.is_none_or(|packed| Entry::unpack(index, packed) == entry));
            }
        }
    }

    #[test]
    fn parts_are_in_the_order_of_the_bits_and_all_of_them_are_used() {
        for parts in [1, 2, 3, 7, 1_000] {
            let of = |short| part(short, parts);
            assert_eq!(of(0), 0);
            assert_eq!(of((1 << 24) - 1), parts - 1);
            let shorts = (0..1 << 24).step_by(997);
            assert!(shorts.map(of).is_sorted());
        }
    }

    #[test]
    fn a_place_is_a_shard_of_its_index() {
        for index in Index::ALL {
            for hash in [0, 5, 1_023, 1_024, u64::MAX] {
                let place = Place::of(index, IndexHash(hash));
                assert_eq!(place.index(), index);
                assert_eq!(place.shard() as u64, hash & 1_023);
                assert_eq!(Place::new(place.number()), Some(place));
            }
        }
        assert_eq!(Place::all().count(), PLACES);
        assert_eq!(Place::new(PLACES), None);
    }
}
