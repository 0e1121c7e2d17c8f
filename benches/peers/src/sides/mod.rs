//! The sides: contact-store and what a user would pick instead, each behind the same trait.

pub mod contact_store;
mod fjall;
mod hash_maps;
mod layout;
mod lmdb;
pub mod raw;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod sqlite;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::people::{Entry, Given, Known};

/// The most entries in one request.
pub const BATCH: u64 = 3_000;

/// The memory that each peer with a cache of its own may use for it.
const CACHE_BYTES: u64 = 256 << 20;

/// One side, open.
pub trait Side: Send + Sync {
    /// Adds the token of each entry: to the contact that has the external id, or else the phone, or
    /// else the email, or else to a new one with all three. One transaction, durable at the end.
    fn add(&self, entries: Vec<Entry>);

    /// Many requests from one caller, who may have two of them under way where a side can.
    fn load(&self, requests: Vec<Vec<Entry>>) {
        for request in requests {
            self.add(request);
        }
    }

    /// Records that sending to each of these tokens FAILED since the person blocked the bot: the
    /// subscriber goes, with its token on every card. One transaction, durable at the end. Answers
    /// how many it removed.
    fn failed(&self, tokens: Vec<String>) -> usize;

    /// Lends `work` what reads for one thread.
    fn read(&self, work: &mut dyn FnMut(&mut dyn Reader));

    /// Waits until nothing is done in the background.
    fn settle(&self) {}

    /// Closes it cleanly.
    fn close(self: Box<Self>);
}

/// What reads from a side for one thread. Each call sees the last durable state.
pub trait Reader {
    /// Finds a contact by the first of the given identifiers that names one, reads its whole card,
    /// and answers its id.
    fn find(&mut self, given: &Given) -> Option<u64>;

    /// Reads the whole card of a contact, and answers its id.
    fn contact(&mut self, id: u64) -> Option<u64>;

    /// Finds a subscriber by its token, reads it whole, and answers its id.
    fn subscriber(&mut self, token: &str) -> Option<u64>;

    /// Reads the next page of at most `limit` subscribers in the order of their ids, each as an
    /// owned value, and shows `see` their ids and tokens.
    fn page(&mut self, after: Option<u64>, limit: usize, see: &mut dyn FnMut(u64, &str));

    /// What is on the card that [`find`](Reader::find) finds.
    fn known(&mut self, given: &Given) -> Option<Known>;

    fn counts(&mut self) -> Counts;
}

/// What a side counts of the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Live tokens.
    pub subscribers: u64,
    /// Contacts that hold at least one.
    pub contacts: u64,
    pub removed_by_failed: u64,
}

/// How a side is opened, where it has the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Everything is verified first.
    Verified,
    /// What was closed cleanly is trusted.
    Trusting,
    /// As the side does by default.
    Default,
}

/// A side that can be measured.
pub struct Kind {
    pub name: &'static str,
    /// The side whose files it opens: its own name, unless it is a variant of another.
    pub files_of: &'static str,
    /// Creates one in an empty directory, or opens what is there.
    pub open: Box<Open>,
    /// Whether it is on the disk. One that is not takes part in finds alone.
    pub durable: bool,
    /// Whether opening can verify.
    pub verifies: bool,
    /// The memory that it may take, where that is promised.
    pub memory: Option<Memory>,
}

type Open = dyn Fn(&Path, Opening) -> Box<dyn Side>;

/// Parts of the memory that a side may take.
#[derive(Clone, Copy)]
pub struct Memory {
    pub cache_bytes: u64,
    /// For each contact.
    pub index_bytes: u64,
}

impl Kind {
    pub fn is_variant(&self) -> bool {
        self.files_of != self.name
    }
}

/// Every side that this build has.
pub fn all() -> Vec<Kind> {
    let mut all: Vec<Kind> = contact_store::kinds().collect();
    all.push(peer("LMDB", lmdb::Lmdb::open));
    all.push(peer("SQLite", sqlite::Sqlite::open));
    all.push(peer("fjall", fjall::Fjall::open));
    all.push(peer("redb", redb::Redb::open));
    #[cfg(feature = "rocksdb")]
    all.push(peer("RocksDB", rocksdb::Rocks::open));
    all.push(Kind {
        durable: false,
        ..peer("HashMaps", |_| hash_maps::HashMaps::default())
    });
    all
}

fn peer<S: Side + 'static>(name: &'static str, open: fn(&Path) -> S) -> Kind {
    Kind {
        name,
        files_of: name,
        open: Box::new(move |path, _| Box::new(open(path))),
        durable: true,
        verifies: false,
        memory: None,
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
