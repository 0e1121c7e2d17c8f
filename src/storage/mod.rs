//! The tables: typed rows in named tables, read from a snapshot, changed through a draft, committed
//! as one.
//!
//! The only module that names redb. It knows how rows and their indexes hang together and what a
//! damaged file looks like; it does not know the rules that decide what is written.

mod cards;
#[cfg(test)]
mod cards_tests;
mod contact_ids;
mod create;
mod disk;
mod draft;
mod engine;
mod file_watch;
mod format_1;
mod gather;
mod guard;
mod hash;
mod index;
mod lookup;
mod meta;
mod open;
mod overlay;
mod record;
mod rows;
mod slot;
mod snapshot;
mod tables;
mod told;
mod unique;
mod upgrade;
mod verify;
mod witness;

#[cfg(not(feature = "testing"))]
pub(crate) use self::disk::Disk;
#[cfg(feature = "testing")]
pub use self::disk::Disk;
pub(crate) use self::disk::MemoryDisk;
pub(crate) use self::draft::Draft;
pub(crate) use self::engine::Engine;
pub(crate) use self::file_watch::FileWatch;
pub(crate) use self::guard::{Detached, Failure};
pub(crate) use self::lookup::{
    FoundCard, apps, cards_after, cards_of_app_after, find_card, find_subscriber, messages_after,
    next_contact_id, subscriber_with_id, subscribers_after, was_contact_id_taken,
};
pub(crate) use self::meta::FORMAT;
pub(crate) use self::open::{OpenAs, Place};
#[cfg(feature = "testing")]
pub use self::record::decode_records;
pub(crate) use self::rows::{
    AppPhase, AppRow, AppTallyRow, CardRow, HeldTokenRow, MessageKey, MessageRow, Rows,
    SubscriberRow,
};
pub(crate) use self::snapshot::Snapshot;
pub(crate) use self::unique::Folding;
pub(crate) use self::verify::verify;
pub use self::verify::{Problem, Verified};
