//! The indexes as a reader sees them: the shards in memory, and the layout of the buckets, as of one
//! state of the store.
//!
//! Shards are shared with the writer, which goes on inserting into them; a shard that is copied is
//! replaced in later views alone. This module does not know how they change.

use std::sync::Arc;

use super::super::format::record;
use super::super::guard::Failure;
use super::super::read::Rows;
use super::super::tables::{Key, Table};
use super::bucket;
use super::entry::{Index, IndexHash, Place, SHARDS, short};
use super::layout::Layout;
use super::shard::Shard;

/// The shards of one index; `None` where there was never an entry to keep in memory.
pub(crate) type Shards = Vec<Option<Arc<Shard>>>;

/// The indexes as of one state.
#[derive(Clone)]
pub(crate) struct View {
    shards: [Arc<Shards>; 4],
    pub(crate) layout: Layout,
    /// Changes that wait to be folded.
    pub(crate) unfolded: usize,
    /// Whether a bucket was found damaged, which ends folding.
    pub(crate) is_damaged: bool,
}

/// The memory that the indexes take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) bytes: usize,
    /// Whether every look-up is answered without reading a bucket.
    pub(crate) is_complete: bool,
}

impl View {
    pub(crate) fn new(layout: Layout) -> Self {
        View {
            shards: Index::ALL.map(|_| Arc::new(vec![None; SHARDS])),
            layout,
            unfolded: 0,
            is_damaged: false,
        }
    }

    pub(crate) fn memory(&self) -> Memory {
        let shards = Place::all().filter_map(|place| self.shard(place));
        Memory {
            bytes: shards
                .map(|shard| shard.bytes())
                .fold(0, usize::saturating_add),
            is_complete: Place::all().all(|place| self.is_complete(place)),
        }
    }

    /// Whether all entries of a place are in memory.
    pub(crate) fn is_complete(&self, place: Place) -> bool {
        match self.shard(place) {
            Some(shard) => shard.is_complete() || self.layout.buckets(place).is_none(),
            None => self.layout.buckets(place).is_none(),
        }
    }

    pub(crate) fn shard(&self, place: Place) -> Option<&Arc<Shard>> {
        let shards = self.shards.get(place.index().number())?;
        shards.get(place.shard())?.as_ref()
    }

    /// Hands to `each` the ids of the rows that may have the value with this hash, until it answers
    /// `false`. `rows` are those of the same state.
    pub(crate) fn candidates(
        &self,
        rows: &impl Rows,
        index: Index,
        hash: IndexHash,
        each: &mut dyn FnMut(u64) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let place = Place::of(index, hash);
        let short = short(hash);
        if let Some(shard) = self.shard(place)
            && (!shard.visit(short, &mut *each)? || shard.is_complete())
        {
            return Ok(());
        }
        let Some(key) = self.layout.bucket(place, short) else {
            return Ok(());
        };
        let key = Key::Int(key);
        let ids = rows.read(Table::Index, &key, |bytes| {
            record::open(Table::Index, &key, bytes, |payload| {
                bucket::ids(index, short, payload)
            })
        })?;
        for id in ids.unwrap_or_default() {
            if !each(id)? {
                break;
            }
        }
        Ok(())
    }

    /// Puts another shard at a place. Views cloned before keep the one they had. Gives back that.
    pub(crate) fn put(&mut self, place: Place, shard: Option<Arc<Shard>>) -> Option<Arc<Shard>> {
        let shards = self.shards.get_mut(place.index().number())?;
        let there = Arc::make_mut(shards).get_mut(place.shard())?;
        std::mem::replace(there, shard)
    }
}
