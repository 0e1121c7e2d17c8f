//! The four unique indexes: which row has a value.
//!
//! Persisted as sorted buckets with a log of what changed since, and held in memory while the store
//! is open. They are never trusted: an entry says where to look, and the row itself says whether it
//! has the value. So removing a value writes no bucket, and a snapshot that meets an entry that is
//! newer than itself finds no row for it and goes on.
//!
//! | file | concept |
//! | --- | --- |
//! | `entry` | one entry, and where it belongs |
//! | `shard` | entries in memory, read without a lock |
//! | `view` | the shards and buckets of one state |
//! | `bucket` | entries as they are stored |
//! | `change` | changes as they are stored, until a bucket has them |
//! | `layout` | which buckets there are |
//! | `keeper` | the writer's side: applying changes, folding, filling |

pub(super) mod bucket;
pub(super) mod change;
pub(super) mod entry;
mod keeper;
pub(super) mod layout;
mod shard;
#[cfg(test)]
mod shard_tests;
mod view;

pub(crate) use self::change::IndexChange;
pub(crate) use self::entry::{Entry, Index, IndexHash, Place};
pub(crate) use self::keeper::{
    Folding, IndexState, Keeper, Step, Unfolded, read_buckets, read_log,
};
pub(crate) use self::view::{Memory, View};
