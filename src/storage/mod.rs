//! The tables: typed rows in named tables, read from a snapshot, changed through a draft, committed
//! as one.
//!
//! The only module that names redb. It knows how rows and their indexes hang together and what a
//! damaged file looks like; it does not know the rules that decide what is written.
//!
//! From the top down: [`engine`] opens, commits and closes; a [`draft`] is laid over a [`committed`] of the
//! [`tables`]; [`read`] reads rows of either, [`lookup`] finds them, [`index`] writes a card with all that follows from it; [`unique`]
//! are the unique indexes, [`cards`] the cards kept in memory. [`open`], [`upgrade`] and [`verify`](mod@verify) look at
//! a whole file, [`copy`] writes one anew. [`format`](mod@format) is what is in a row and what its bytes are, [`file`](mod@file) what stands between the
//! tables and the disk, and [`guard`] the border to redb.

mod cards;
#[cfg(test)]
mod cards_tests;
mod committed;
mod contact_ids;
mod copy;
mod draft;
mod engine;
mod file;
mod format;
mod guard;
mod index;
mod lookup;
mod open;
mod read;
mod tables;
mod unique;
mod upgrade;
mod verify;

pub(crate) use self::copy::{NotCopied, backup};
pub(crate) use self::committed::Snapshot;
pub(crate) use self::draft::Draft;
pub(crate) use self::engine::Engine;
#[cfg(not(feature = "testing"))]
pub(crate) use self::file::disk::Disk;
#[cfg(feature = "testing")]
pub use self::file::disk::Disk;
pub(crate) use self::file::disk::MemoryDisk;
pub(crate) use self::file::file_watch::FileWatch;
#[cfg(feature = "testing")]
pub use self::format::fuzzed::decode_records;
pub(crate) use self::format::keys::MessageKey;
pub(crate) use self::format::meta::FORMAT;
pub(crate) use self::format::rows::{
    AppPhase, AppRow, AppTallyRow, CardRow, HeldTokenRow, MessageRow, SubscriberRow,
};
pub(crate) use self::guard::{Detached, Failure};
pub(crate) use self::lookup::{
    FoundCard, apps, cards_after, cards_of_app_after, find_card, find_subscriber, messages_after,
    next_contact_id, subscriber_with_id, subscribers_after, visit_subscribers_after,
    was_contact_id_taken,
};
pub(crate) use self::open::{OpenAs, Place};
pub(crate) use self::read::Rows;
pub(crate) use self::unique::Folding;
pub(crate) use self::verify::verify;
pub use self::verify::{Problem, Verified};
