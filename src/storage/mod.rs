//! The tables: typed rows in named tables. They are read as committed, changed through a draft, and
//! each draft is committed whole.
//!
//! The only module that names redb. It knows how rows and their indexes hang together and what a
//! damaged file looks like; it does not know the rules that decide what is written.
//!
//! From the top down:
//!
//! | module | what it does |
//! | --- | --- |
//! | [`engines`] | the engine of a store: its file or its database |
//! | [`engine`] | the file: opens, commits, reopens, replaces by a copy and closes |
//! | `postgres` | the database |
//! | [`open`], [`upgrade`], [`verify`](mod@verify) | look at a whole file |
//! | [`index`], [`contact_ids`] | write a card or subscriber with all that follows from it; assign and adopt contact ids |
//! | [`answers`] | keeps the answers of requests that may be repeated |
//! | [`feed`] | records what a request changed, and reads it |
//! | [`copy`], [`successor`] | write a whole file anew; one that takes the place of the old one |
//! | [`store_file`] | the file as others than the writer see it |
//! | [`blocked`] | remembers who held a token that FAILED removed |
//! | [`conflicts`] | lists pairs of contacts that requests named as one |
//! | [`suppression`] | suppresses identifiers, and says whether one is suppressed |
//! | [`merges`] | leads from merged contacts to those they are in, and writes what is kept of them |
//! | [`lookup`] | finds and lists rows |
//! | `whole` | goes through all rows of a table, for exports |
//! | [`draft`], [`committed`] | changes laid over the committed state; that state |
//! | [`read`](mod@read) | reads typed rows of either |
//! | [`unique`], [`cards`] | the unique indexes; the cards kept in memory |
//! | [`format`](mod@format) | what is in a row, and what its bytes are |
//! | [`tables`] | the redb tables |
//! | [`file`](mod@file) | what stands between the tables and the disk |
//! | [`guard`] | the border to redb: its errors and panics |

mod answers;
mod batch;
mod blocked;
mod cards;
#[cfg(test)]
mod cards_tests;
mod committed;
mod conflicts;
mod contact_ids;
mod copy;
mod draft;
mod engine;
mod engines;
mod feed;
mod file;
mod format;
mod guard;
mod index;
mod lookup;
mod merges;
mod open;
#[cfg(feature = "postgres")]
mod postgres;
mod read;
mod store_file;
mod successor;
mod suppression;
mod tables;
mod unique;
mod upgrade;
mod verify;
#[cfg(feature = "transfer")]
mod whole;

pub(crate) use self::answers::{Keyed, Known, RequestHasher};
pub(crate) use self::blocked::find_blocked;
pub(crate) use self::committed::Committed;
pub(crate) use self::conflicts::conflicts_after;
pub(crate) use self::copy::{NotCopied, backup};
pub(crate) use self::draft::{ChangedKeys, Changes, Draft};
pub(crate) use self::engine::Replaced;
pub(crate) use self::engines::{CommitFailure, Connections, Engine, Found};
pub(crate) use self::feed::changes_after;
#[cfg(feature = "testing")]
pub use self::file::disk::Disk;
pub(crate) use self::file::disk::MemoryDisk;
pub(crate) use self::format::answers::KeyHash;
#[cfg(feature = "testing")]
pub use self::format::fuzzed::decode_records;
pub(crate) use self::format::hash::WideHasher;
pub(crate) use self::format::keys::MessageKey;
pub(crate) use self::format::merges::{MergeRow, MergedTokenRow, Parts};
pub(crate) use self::format::meta::OLDEST_FORMAT;
pub(crate) use self::format::rows::{
    AppPhase, AppRow, AppTallyRow, CardRow, HeldTokenRow, MessageRow, SubscriberRow,
};
#[cfg(feature = "transfer")]
pub(crate) use self::format::rows::{BorrowedSubscriber, FormerIdRow};
pub(crate) use self::guard::{Ended, Failure};
pub(crate) use self::lookup::{
    FoundCard, apps, cards_after, cards_of_app_after, contact_with_id, find_card, find_subscriber,
    messages_after, next_contact_id, subscriber_with_id, subscribers_after,
    visit_subscribers_after, was_contact_id_taken,
};
pub(crate) use self::merges::{merged_into, merges_of};
pub(crate) use self::open::{Location, OpenAs};
#[cfg(feature = "postgres")]
pub(crate) use self::postgres::Settings;
pub(crate) use self::read::Rows;
pub(crate) use self::store_file::StoreFile;
pub(crate) use self::successor::{Source, Successor};
pub(crate) use self::suppression::first_suppressed;
pub(crate) use self::unique::Folding;
pub(crate) use self::verify::verify;
pub use self::verify::{Problem, Verified};
#[cfg(feature = "transfer")]
pub(crate) use self::whole::{
    app_tallies, former_ids_after, merges_after, taken_ids_after, visit_cards_after,
    visit_messages_after,
};
