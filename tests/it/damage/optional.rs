//! Damage to the rows that only a store has that uses an option: a damaged one is an error where it is
//! read, and what rows say against each other is found by `verify`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use contact_store::{
    AddTokens, BringBack, ContactStore, Erase, Error, Mute, Options, RecordReports, Report, Status,
    StorageError, Token, TokenEntry,
};

use super::scratch;
use crate::support::raw::{self, Key};
use crate::support::{APP, add, connect, id, options};

/// A file with muted subscribers, suppressed identifiers and tokens that FAILED removed.
struct File {
    directory: tempfile::TempDir,
    sound: PathBuf,
}

fn remembering() -> Options {
    options().0.remember_blocked(10)
}

fn token(name: &str) -> Token {
    Token::parse(name).unwrap()
}

impl File {
    fn new() -> Self {
        let directory = scratch();
        let sound = directory.path().join("sound.redb");
        let store = ContactStore::open(&sound, remembering()).unwrap();
        connect(&store);
        let entry = TokenEntry::new("gone")
            .email("ann@example.com")
            .phone("380500000001");
        add(&store, entry);
        store.erase(Erase::new(id(1)).suppress()).wait().unwrap();
        for name in ["muted", "blocked", "other"] {
            add(&store, TokenEntry::new(name).external_customer_id("c1"));
        }
        add(
            &store,
            TokenEntry::new("blocked").external_customer_id("c2"),
        );
        store.mute(Mute::new(APP, token("muted"))).wait().unwrap();
        let failed = ["blocked", "other"].map(|name| Report::new(Status::Failed).token(name));
        let request = RecordReports::new(APP).reports(failed);
        store.record_reports(request).wait().unwrap();
        assert_eq!(problems(&store), [].into());
        store.close().unwrap();
        File { directory, sound }
    }

    /// A copy with a row changed.
    fn with(&self, table: &str, key: &Key, bytes: Option<&[u8]>) -> ContactStore {
        let path = self.directory.path().join("changed.redb");
        fs::copy(&self.sound, &path).unwrap();
        raw::write(&path, table, key, bytes);
        open(&path)
    }
}

fn open(path: &Path) -> ContactStore {
    ContactStore::open(path, remembering()).unwrap()
}

fn problems(store: &ContactStore) -> BTreeSet<(&'static str, &'static str)> {
    let verified = store.snapshot().unwrap().verify().unwrap();
    let problems = verified.problems.iter();
    problems
        .map(|problem| (problem.table, problem.what))
        .collect()
}

/// Whether something that needs the row says that it is corrupt, and nothing is answered wrongly.
fn is_noticed(open: impl Fn() -> ContactStore) -> bool {
    let is_corrupt = |error: Error| match error {
        Error::Storage(StorageError::Corrupt(_)) => true,
        // Something before it was.
        Error::NeedsReopen => false,
        other => panic!("{other:?}"),
    };
    let mut any = false;
    let store = open();
    let email = TokenEntry::new("new").email("ann@example.com");
    let phone = TokenEntry::new("new").phone("380500000001");
    for entry in [email, phone] {
        match store.add_tokens(AddTokens::new(APP).entry(entry)).wait() {
            Ok(added) => assert!(
                added.outcome.entries[0].is_err(),
                "an erased person is back"
            ),
            Err(error) => any |= is_corrupt(error),
        }
    }
    for name in ["blocked", "other"] {
        let back = store.bring_back(BringBack::new(APP, token(name))).wait();
        any |= back.is_err_and(is_corrupt);
    }
    drop(store.close());
    // What was brought back is read no more.
    let store = open();
    for contact in [2, 3] {
        any |= store.erase(id(contact)).wait().is_err_and(is_corrupt);
    }
    drop(store.close());
    any
}

#[test]
fn r63_r65_a_damaged_row_of_an_option_is_an_error_where_it_is_read_and_found_by_verify() {
    let file = File::new();
    for (table, count) in [("suppressed", 2), ("blocked", 2), ("blocked_index", 5)] {
        let rows = raw::rows(&file.sound, table);
        assert_eq!(rows.len(), count, "{table}");
        for (number, (key, bytes)) in rows.iter().enumerate() {
            let mut damaged = bytes.clone();
            let at = number * 7 % bytes.len();
            damaged[at] ^= 1 << (number % 8);
            let store = file.with(table, key, Some(&damaged));
            let tables = problems(&store).into_iter().map(|(table, _)| table);
            assert!(
                tables.collect::<Vec<_>>().contains(&table),
                "{table} {number}"
            );
            drop(store.close());
            let open = || file.with(table, key, Some(&damaged));
            assert!(is_noticed(open), "{table} {number}");
        }
    }
}

#[test]
fn r59_r63_r65_verify_finds_a_row_that_is_missing_and_what_disagrees_with_it() {
    let file = File::new();
    let miscounted = |what| ("meta", what);
    let without = |table: &str, number: usize| {
        let (key, _) = raw::rows(&file.sound, table).swap_remove(number);
        problems(&file.with(table, &key, None))
    };
    let found = without("suppressed", 0);
    let what = "the suppressed identifiers are miscounted";
    assert_eq!(found, [miscounted(what)].into());

    let found = without("blocked", 0);
    let what = "the tokens that FAILED removed are miscounted";
    let astray = (
        "blocked_index",
        "an entry leads to a record that is not its own",
    );
    assert_eq!(found, [miscounted(what), astray].into());

    // The entries of contacts come first, then those of tokens.
    let found = without("blocked_index", 0);
    assert_eq!(found, [("blocked", "a contact does not lead to it")].into());
    let found = without("blocked_index", 4);
    assert_eq!(found, [("blocked", "its token does not lead to it")].into());

    let wrong_contact = raw::rows(&file.sound, "blocked").swap_remove(1);
    let (Key::Int(number), record) = wrong_contact else {
        panic!("{wrong_contact:?}");
    };
    let mut payload = raw::payload(&record).to_vec();
    // Its only contact is the last number.
    *payload.last_mut().unwrap() = 77;
    let sealed = raw::sealed("blocked", number, &payload);
    let found = problems(&file.with("blocked", &Key::Int(number), Some(&sealed)));
    let expected = [
        ("blocked", "a contact does not exist"),
        ("blocked", "a contact does not lead to it"),
        astray,
    ];
    assert_eq!(found, expected.into());
    // Another number: none leads to it, and it is not in use.
    let sealed = raw::sealed("blocked", 99, raw::payload(&record));
    let found = problems(&file.with("blocked", &Key::Int(99), Some(&sealed)));
    let expected = [
        ("blocked", "the number is not one of those in use"),
        ("blocked", "its token does not lead to it"),
        ("blocked", "a contact does not lead to it"),
        miscounted("the tokens that FAILED removed are miscounted"),
    ];
    assert_eq!(found, expected.into());
    // The mute of a subscriber is the end of its row.
    let rows = raw::rows(&file.sound, "subscribers").into_iter();
    let muted = rows.min_by_key(|(key, _)| match key {
        Key::Int(key) => *key,
        other => panic!("{other:?}"),
    });
    let (Key::Int(key), record) = muted.unwrap() else {
        panic!("the key of a subscriber is a number");
    };
    let payload = raw::payload(&record);
    let unmuted = raw::sealed("subscribers", key, &payload[..payload.len() - 1]);
    let found = problems(&file.with("subscribers", &Key::Int(key), Some(&unmuted)));
    assert_eq!(
        found,
        [miscounted("the muted subscribers are miscounted")].into()
    );
}
