//! Where the stores of the tests are: in memory or on a disk, or each in a schema of its own of the PostgreSQL
//! database that the variable `CONTACT_STORE_TEST_POSTGRES` names.
//!
//! The requests of the tests and the answers that they expect are the same in both.

#[cfg(not(feature = "postgres"))]
#[path = "place/no_schema.rs"]
mod schema;
#[cfg(feature = "postgres")]
mod schema;

use contact_store::{ContactStore, Error, Options};

pub use schema::{Held, Schema};

/// The URL of the database, which takes many connections.
pub const DATABASE: &str = "CONTACT_STORE_TEST_POSTGRES";

/// The line that a test says which is played in the database.
pub const SAID: &str = "played in the database";

/// Whether the tests are to be played in the database.
pub fn in_database() -> bool {
    std::env::var_os(DATABASE).is_some()
}

/// A new schema, if the tests are to be played in the database.
#[track_caller]
pub fn schema() -> Option<Schema> {
    let url = std::env::var(DATABASE).ok()?;
    println!("{SAID}");
    Some(Schema::new(url))
}

/// How many cases of a test are played, and how many in the database, where each takes much longer.
pub fn share(cases: u64, in_database: u64) -> u64 {
    if self::in_database() {
        in_database
    } else {
        cases
    }
}

/// Of how many cases of a test one is played: of this many in the database, and each elsewhere.
pub fn one_of(in_database: usize) -> usize {
    if self::in_database() { in_database } else { 1 }
}

/// What is met at least in the cases that are played, of these numbers of what all of them meet. What the
/// few that are played in the database may well not meet is not asked for there.
pub fn at_least<'w>(all: &[(&'w str, u64)]) -> Vec<(&'w str, u64)> {
    let parts = share(1, 40);
    all.iter()
        .filter(|(_, least)| parts == 1 || *least >= 2 * parts)
        .map(|(what, least)| (*what, least / parts))
        .collect()
}

/// Opens a new and empty store.
#[track_caller]
pub fn open_new(options: Options) -> Result<ContactStore, Error> {
    match schema() {
        Some(schema) => schema.open(&options),
        None => ContactStore::open_in_memory(options),
    }
}
