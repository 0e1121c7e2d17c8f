//! The sources of the indexes.

#[path = "../../../src/storage/unique/bucket.rs"]
pub(super) mod bucket;
#[path = "../../../src/storage/unique/change.rs"]
pub(super) mod change;
#[path = "../../../src/storage/unique/entry.rs"]
pub(super) mod entry;
#[path = "../../../src/storage/unique/keeper.rs"]
pub(super) mod keeper;
#[path = "../../../src/storage/unique/layout.rs"]
pub(super) mod layout;
#[path = "../../../src/storage/unique/shard.rs"]
pub(super) mod shard;
#[path = "../../../src/storage/unique/view.rs"]
pub(super) mod view;
