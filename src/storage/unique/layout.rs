//! The layout of the buckets: how far the indexes are folded, and into how many buckets each shard.
//!
//! Folding goes through all shards in order, again and again. Each round writes a new generation of
//! buckets and removes the one before, so that the rows of the table `index` are appended in order.
//! This module does not know what is in a bucket.

use super::entry::{Entry, PLACES, Place, SHARDS, part};

/// How far folding has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The generation that is being written, or was written last. 0: nothing was ever folded.
    pub(crate) generation: u32,
    /// The places before this one have buckets of this generation, the others of the one before.
    pub(crate) cursor: u16,
    /// Into how many buckets a shard of each index is cut in this generation.
    pub(crate) parts: [u16; 4],
    /// The same of the generation before.
    pub(crate) parts_before: [u16; 4],
}

impl Layout {
    /// Whether a round of folding is under way.
    pub(crate) fn is_folding(&self) -> bool {
        self.generation > 0 && usize::from(self.cursor) < PLACES
    }

    /// The next place to fold, if a round is under way.
    pub(crate) fn next(&self) -> Option<Place> {
        if self.is_folding() {
            Place::new(usize::from(self.cursor))
        } else {
            None
        }
    }

    /// The layout once the next round has begun. `entries` counts those of each index, of which a
    /// bucket is to have about `of_bucket`.
    pub(crate) fn next_round(&self, entries: [u64; 4], of_bucket: u64) -> Self {
        let in_all = (SHARDS as u64).saturating_mul(of_bucket).max(1);
        // Room for an eighth more, which come until the next round.
        let parts = entries.map(|count| {
            let parts = count.saturating_add(count / 8).div_ceil(in_all);
            u16::try_from(parts).unwrap_or(u16::MAX).max(1)
        });
        Layout {
            generation: self.generation.saturating_add(1),
            cursor: 0,
            parts,
            parts_before: self.parts,
        }
    }

    /// The layout once the next place is folded.
    pub(crate) fn folded_one(&self) -> Self {
        Layout {
            cursor: self.cursor.saturating_add(1),
            ..*self
        }
    }

    /// Generation and number of parts of a place. `None` when it was never folded.
    fn of(&self, place: Place) -> Option<(u32, u16)> {
        let of = |parts: &[u16; 4]| parts.get(place.index().number()).copied().unwrap_or(1);
        if place.number() < usize::from(self.cursor) {
            Some((self.generation, of(&self.parts)))
        } else {
            let before = self.generation.saturating_sub(1);
            (before > 0).then(|| (before, of(&self.parts_before)))
        }
    }

    /// The key of the bucket that entries with these bits of the hash are in, if there are buckets
    /// at this place.
    pub(crate) fn bucket(&self, place: Place, short: u32) -> Option<u64> {
        let (generation, parts) = self.of(place)?;
        Some(key(generation, place, part(short, usize::from(parts))))
    }

    /// The keys of the first and last bucket at a place, if there are any.
    pub(crate) fn buckets(&self, place: Place) -> Option<(u64, u64)> {
        let (generation, parts) = self.of(place)?;
        let last = usize::from(parts.saturating_sub(1));
        Some((key(generation, place, 0), key(generation, place, last)))
    }

    /// Cuts the sorted entries of a place into the buckets of the generation that is being written,
    /// each with its key.
    pub(crate) fn cut<'e>(
        &self,
        place: Place,
        entries: &'e [Entry],
    ) -> impl Iterator<Item = (u64, &'e [Entry])> + use<'e> {
        let parts = self.parts.get(place.index().number()).copied();
        let parts = usize::from(parts.unwrap_or(1)).max(1);
        let generation = self.generation;
        entries
            .chunk_by(move |a, b| part(a.short, parts) == part(b.short, parts))
            .map(move |chunk| {
                let short = chunk.first().map_or(0, |entry| entry.short);
                (key(generation, place, part(short, parts)), chunk)
            })
    }
}

fn key(generation: u32, place: Place, part: usize) -> u64 {
    u64::from(generation) << 32 | (place.number() as u64) << 16 | part as u64
}

/// The place that the key of a bucket names, and its generation.
pub(crate) fn of_key(key: u64) -> Option<(u32, Place)> {
    let generation = u32::try_from(key >> 32).ok()?;
    let place = usize::try_from(key >> 16 & 0xffff).ok()?;
    Place::new(place).map(|place| (generation, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_the_buckets_of_the_last_round_that_passed_it() {
        let (first, last) = (Place::FIRST, Place::LAST);
        let none = Layout::default();
        assert_eq!(none.buckets(first), None);
        assert!(!none.is_folding());
        let mut layout = none.next_round([5_000_000, 1, 1, 1], 100);
        assert_eq!((layout.parts[0], layout.parts[1]), (55, 1));
        assert_eq!(layout.next(), Some(first));
        assert_eq!(layout.buckets(first), None);
        layout = layout.folded_one();
        assert_eq!(layout.buckets(first), Some((1 << 32, 1 << 32 | 54)));
        assert_eq!(layout.bucket(first, (1 << 24) - 1), Some(1 << 32 | 54));
        assert_eq!(layout.buckets(last), None);
        while layout.is_folding() {
            layout = layout.folded_one();
        }
        assert_eq!(layout.next(), None);
        let at_last = 1 << 32 | 4_095 << 16;
        assert_eq!(layout.buckets(last), Some((at_last, at_last)));
        assert_eq!(of_key(at_last), Some((1, last)));
        let again = layout.next_round([1, 1, 1, 1], 100);
        assert_eq!(again.buckets(first), Some((1 << 32, 1 << 32 | 54)));
        assert_eq!(again.folded_one().buckets(first), Some((2 << 32, 2 << 32)));
        assert_eq!(again.folded_one().buckets(last), Some((at_last, at_last)));
    }
}
