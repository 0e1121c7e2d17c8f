//! A shard of an index in memory: open addressing over 64-bit slots, read without a lock.
//!
//! One thread inserts while others read. An entry is never moved or removed, so a reader that began
//! before an insertion misses nothing that it should find. To grow, or to drop what was removed, a
//! shard is copied. This module does not know which entries a reader should see: that is verified on
//! the rows.

use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{PoisonError, RwLock};

use super::entry::{Entry, Index, packed_short, part};

/// No entry packs to this.
const EMPTY: u64 = u64::MAX;

const FEWEST_SLOTS: usize = 8;

/// A shard in memory.
pub(crate) struct Shard {
    index: Index,
    /// Whether the persisted entries are here as well: then a value that is not here is nowhere.
    complete: bool,
    slots: Box<[AtomicU64]>,
    used: AtomicUsize,
    /// Entries whose id is too large to be packed, sorted. Few stores have any.
    wide: RwLock<Vec<Entry>>,
    has_wide: AtomicBool,
}

/// The outcome of inserting an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    Done,
    /// It was there before.
    AlreadyThere,
    /// The shard must be copied to a larger one first.
    Full,
}

impl Shard {
    /// A shard with these entries, and room for `more`.
    pub(crate) fn new(index: Index, complete: bool, entries: &[Entry], more: usize) -> Self {
        let count = entries.len().saturating_add(more);
        // At most 4 in 5 slots are used, with room to grow by a quarter: that is 10 to 12.5 bytes an
        // entry.
        let slots = count.saturating_add(count / 4).saturating_add(1);
        let slots = slots.max(FEWEST_SLOTS);
        let shard = Shard {
            index,
            complete,
            slots: (0..slots).map(|_| AtomicU64::new(EMPTY)).collect(),
            used: AtomicUsize::new(0),
            wide: RwLock::new(Vec::new()),
            has_wide: AtomicBool::new(false),
        };
        for entry in entries {
            shard.insert_anyway(*entry);
        }
        shard
    }

    /// A larger copy, without the entries that `keep` refuses.
    pub(crate) fn grown(&self, keep: impl Fn(Entry) -> bool) -> Self {
        let used = self.used.load(Ordering::Relaxed);
        // By a quarter; small ones by more, since they are copied often.
        let room = used.saturating_add((used / 4).max(FEWEST_SLOTS));
        let grown = Shard::new(self.index, self.complete, &[], room);
        for slot in &self.slots {
            let packed = slot.load(Ordering::Relaxed);
            if packed != EMPTY && keep(Entry::unpack(self.index, packed)) {
                grown.insert_packed(packed);
            }
        }
        for entry in &*self.wide.read().unwrap_or_else(PoisonError::into_inner) {
            if keep(*entry) {
                grown.insert_wide(*entry);
            }
        }
        grown
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Bytes of memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let wide = match self.has_wide.load(Ordering::Acquire) {
            false => 0,
            true => self
                .wide
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .capacity(),
        };
        size_of::<Self>()
            .saturating_add(self.slots.len().saturating_mul(size_of::<u64>()))
            .saturating_add(wide.saturating_mul(size_of::<Entry>()))
    }

    /// Inserts an entry. Only the writer's thread does.
    pub(crate) fn insert(&self, entry: Entry) -> Inserted {
        let used = self.used.load(Ordering::Relaxed);
        if used.saturating_add(used / 4) >= self.slots.len() && entry.pack(self.index).is_some() {
            // Full, unless it is there.
            return match self.contains(entry) {
                true => Inserted::AlreadyThere,
                false => Inserted::Full,
            };
        }
        self.insert_anyway(entry)
    }

    fn insert_anyway(&self, entry: Entry) -> Inserted {
        match entry.pack(self.index) {
            Some(packed) => self.insert_packed(packed),
            None => self.insert_wide(entry),
        }
    }

    fn insert_packed(&self, packed: u64) -> Inserted {
        for slot in self.from(packed_short(packed)) {
            match slot.load(Ordering::Relaxed) {
                EMPTY => {
                    slot.store(packed, Ordering::Release);
                    self.used.fetch_add(1, Ordering::Relaxed);
                    return Inserted::Done;
                }
                there if there == packed => return Inserted::AlreadyThere,
                _ => {}
            }
        }
        Inserted::Full
    }

    fn insert_wide(&self, entry: Entry) -> Inserted {
        let mut wide = self.wide.write().unwrap_or_else(PoisonError::into_inner);
        let Err(at) = wide.binary_search(&entry) else {
            return Inserted::AlreadyThere;
        };
        wide.insert(at, entry);
        self.has_wide.store(true, Ordering::Release);
        Inserted::Done
    }

    /// The slots from where an entry with these bits belongs, round to the one before.
    fn from(&self, short: u32) -> impl Iterator<Item = &AtomicU64> {
        let start = part(short, self.slots.len());
        let (before, after) = self
            .slots
            .split_at_checked(start)
            .unwrap_or((&[], &self.slots));
        after.iter().chain(before)
    }

    /// Hands the ids of all entries with these bits to `each`, until it answers `false`; gives that
    /// answer.
    pub(crate) fn visit<E>(
        &self,
        short: u32,
        mut each: impl FnMut(u64) -> Result<bool, E>,
    ) -> Result<bool, E> {
        for slot in self.from(short) {
            let packed = slot.load(Ordering::Acquire);
            if packed == EMPTY {
                break;
            }
            if packed_short(packed) == short && !each(Entry::unpack(self.index, packed).id)? {
                return Ok(false);
            }
        }
        if self.has_wide.load(Ordering::Acquire) {
            // `each` reads rows, which may take a while: not under the lock.
            for id in self.wide_ids(short) {
                if !each(id)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn wide_ids(&self, short: u32) -> Vec<u64> {
        let wide = self.wide.read().unwrap_or_else(PoisonError::into_inner);
        let first = wide.partition_point(|entry| entry.short < short);
        let from = wide.get(first..).unwrap_or_default().iter();
        from.take_while(|entry| entry.short == short)
            .map(|entry| entry.id)
            .collect()
    }

    fn contains(&self, entry: Entry) -> bool {
        let found = self.visit(entry.short, |id| Ok::<_, ()>(id != entry.id));
        found == Ok(false)
    }

    /// All entries, sorted.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let packed = self.slots.iter().map(|slot| slot.load(Ordering::Acquire));
        let mut entries: Vec<Entry> = packed
            .filter(|packed| *packed != EMPTY)
            .map(|packed| Entry::unpack(self.index, packed))
            .collect();
        entries.extend_from_slice(&self.wide.read().unwrap_or_else(PoisonError::into_inner));
        entries.sort_unstable();
        entries
    }
}
