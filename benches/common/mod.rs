//! What the benches share: made-up people, stores filled with them, and two sides in alternation.
//!
//! It does not know what is measured.
#![allow(dead_code, reason = "each bench uses a part of it")]

pub mod callers;
pub mod compare;
pub mod naive;
pub mod numbers;
pub mod people;
pub mod resident;

use std::fs;
use std::path::{Path, PathBuf};

use contact_store::{AddTokens, AppId, AppName, ConnectApp, ContactStore, Options, TokensAdded};
use tempfile::TempDir;

use self::people::Person;

pub const APP: AppId = AppId::from_u128(0xa);

/// The most entries in one request.
pub const BATCH: u64 = 3_000;

const SMALL: u64 = 10_000;
const LARGE: u64 = 1_000_000;

/// The sizes of store that are asked for.
pub fn sizes() -> Vec<u64> {
    if is_large() {
        vec![SMALL, LARGE]
    } else {
        vec![SMALL]
    }
}

/// The largest of them.
pub fn largest() -> u64 {
    if is_large() { LARGE } else { SMALL }
}

fn is_large() -> bool {
    std::env::var_os("CONTACT_STORE_BENCH_LARGE").is_some_and(|value| value == "1")
}

/// What the arguments ask of the part of a bench that criterion does not run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Measure and print.
    Measure,
    /// Run once, to see that it works: `cargo bench -- --test`, or outside of `cargo bench`.
    Try,
    /// Nothing: a filter names other benches, or they are only listed.
    Nothing,
}

impl Asked {
    /// Reads the arguments that criterion also reads. `names` are what a filter can name.
    pub fn read(names: &[&str]) -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
        let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
        if has("--list") || filter.is_some_and(|of| !names.iter().any(|name| name.contains(of))) {
            Asked::Nothing
        } else if has("--test") || !has("--bench") {
            Asked::Try
        } else {
            Asked::Measure
        }
    }

    /// So many rounds when measuring, one when trying.
    pub fn rounds(self, measuring: usize) -> usize {
        match self {
            Asked::Measure => measuring,
            Asked::Try => 1,
            Asked::Nothing => 0,
        }
    }
}

/// How busy the machine is, as Linux tells: the average of the last minute.
pub fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

/// A directory on a real disk, gone with its value. A temporary directory of the system may be
/// memory, where making a commit durable costs nothing.
pub fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A closed store with so many contacts, person by person.
pub struct Filled {
    directory: TempDir,
    pub size: u64,
}

impl Filled {
    pub fn new(size: u64) -> Self {
        let filled = Filled {
            directory: directory(),
            size,
        };
        let store = ContactStore::open(filled.path(), Options::default()).unwrap();
        connect(&store);
        for first in (0..size).step_by(usize::try_from(BATCH).unwrap()) {
            add_people(&store, (first..size.min(first + BATCH)).map(Person));
        }
        assert_eq!(store.stats().unwrap().contacts, size);
        store.close().unwrap();
        filled
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("contacts.redb")
    }

    /// A copy of the file.
    pub fn copy(&self) -> Copied {
        let directory = directory();
        fs::copy(self.path(), directory.path().join("contacts.redb")).unwrap();
        Copied { directory }
    }
}

/// A copy of a closed store, gone with its value.
pub struct Copied {
    directory: TempDir,
}

impl Copied {
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("contacts.redb")
    }

    pub fn open(&self) -> ContactStore {
        open(&self.path(), Options::default())
    }
}

/// Opens a store that is there.
pub fn open(path: &Path, options: Options) -> ContactStore {
    ContactStore::open(path, options.create(contact_store::Create::Never)).unwrap()
}

/// Connects `APP`.
pub fn connect(store: &ContactStore) {
    let request = ConnectApp::new(AppName::parse("Bot").unwrap()).id(APP);
    store.connect_app(request).wait().unwrap();
}

/// A request to add the tokens of these people.
pub fn request(people: impl IntoIterator<Item = Person>) -> AddTokens {
    AddTokens::new(APP).entries(people.into_iter().map(Person::entry))
}

/// Adds people of whom none is in the store.
pub fn add_people(store: &ContactStore, people: impl IntoIterator<Item = Person>) {
    assert_created(&store.add_tokens(request(people)).wait().unwrap().outcome);
}

/// Every entry created a contact.
pub fn assert_created(outcome: &TokensAdded) {
    let created = |entry: &Result<contact_store::TokenAdded, _>| {
        entry.as_ref().is_ok_and(|added| added.matched_by.is_none())
    };
    assert!(outcome.entries.iter().all(created));
}
