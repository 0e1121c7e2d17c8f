//! Damage to what is kept of merged contacts (R58): an error where it is read, never a wrong answer,
//! and found by `verify`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use contact_store::{
    AddTokens, ContactStore, ContactUpdate, DedupeOn, Erase, Error, Merge, StorageError,
    TokenEntry, Upsert,
};

use super::scratch;
use crate::support::raw::{self, Key};
use crate::support::{APP, connect, id, options};

/// Contact 1 was merged into 2, and that into 3; and 4 into 3.
fn file(directory: &Path) -> PathBuf {
    let path = directory.join("sound.redb");
    let store = ContactStore::open(&path, options().0).unwrap();
    connect(&store);
    let update = |n: u64| {
        let update = ContactUpdate::new().external_customer_id(format!("c{n}"));
        update.field("city", format!("{n}"))
    };
    let upsert = Upsert::new(DedupeOn::ExternalCustomerId).contacts((1..=4).map(update));
    store.upsert(upsert).wait().unwrap();
    for (token, n) in [("t", 1), ("t", 3), ("u", 2), ("v", 4)] {
        let entry = TokenEntry::new(token).contact_id(n);
        store
            .add_tokens(AddTokens::new(APP).entry(entry))
            .wait()
            .unwrap();
    }
    for (from, into) in [(1, 2), (2, 3), (4, 3)] {
        store.merge(Merge::new(id(from), id(into))).wait().unwrap();
    }
    store.close().unwrap();
    path
}

fn open(path: &Path) -> ContactStore {
    ContactStore::open(path, options().0).unwrap()
}

fn problems(store: &ContactStore) -> BTreeSet<(&'static str, &'static str)> {
    let problems = store.snapshot().unwrap().verify().unwrap().problems;
    let problems = problems.iter().map(|problem| (problem.table, problem.what));
    problems.collect()
}

fn is_corrupt<T: std::fmt::Debug>(read: Result<T, Error>) -> bool {
    match read {
        Ok(_) => false,
        Err(Error::Storage(StorageError::Corrupt(_))) => true,
        Err(other) => panic!("{other:?}"),
    }
}

const RECORD_OF: fn(u64) -> Key = |merged| Key::Wide(3 << 64 | u128::from(merged));

#[test]
fn r50_a_damaged_row_of_a_merge_is_an_error_and_never_a_wrong_answer() {
    let directory = scratch();
    let sound = file(directory.path());
    assert_eq!(problems(&open(&sound)), BTreeSet::new());
    for table in ["merged_ids", "merges"] {
        let rows = raw::rows(&sound, table);
        assert_eq!(rows.len(), 3);
        for (key, bytes) in rows {
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << (at % 8);
                let path = directory.path().join("damaged.redb");
                fs::copy(&sound, &path).unwrap();
                raw::write(&path, table, &key, Some(&damaged));
                let store = open(&path);
                let found: BTreeSet<_> = problems(&store).iter().map(|it| it.0).collect();
                assert!(found.contains(table), "{table} {key:?} {at}: {found:?}");
                let now = store.snapshot().unwrap();
                let merged = match &key {
                    Key::Int(merged) => *merged,
                    Key::Wide(key) => u64::try_from(key & u128::from(u64::MAX)).unwrap(),
                    Key::Bytes(_) => unreachable!(),
                };
                assert_eq!(is_corrupt(now.contact(id(merged))), table == "merged_ids");
                assert!(is_corrupt(now.preview_unmerge(id(merged))));
                assert_eq!(is_corrupt(now.merged_contacts(id(3))), table == "merges");
                drop(now);
                store.close().unwrap();
            }
        }
    }
}

#[test]
fn r58_verify_finds_what_does_not_fit_together() {
    let directory = scratch();
    let sound = file(directory.path());
    let path = directory.path().join("changed.redb");
    let with = |table: &str, key: &Key, bytes: Option<&[u8]>| {
        fs::copy(&sound, &path).unwrap();
        raw::write(&path, table, key, bytes);
        problems(&open(&path))
    };
    let no_record = ("merged_ids", "the merged id has no record of its merge");
    let no_id = ("merges", "the record of a merge is not where its id leads");
    let elsewhere = ("merges", "an id in the record of a merge leads elsewhere");
    let astray = (
        "merge_identifiers",
        "an entry leads to a merged contact that did not have the identifier",
    );
    assert_eq!(
        with("merges", &RECORD_OF(4), None),
        [no_record, astray].into()
    );
    assert_eq!(
        with("merged_ids", &Key::Int(4), None),
        [no_id, astray].into()
    );
    // Contact 1 is in the record of 2 as well.
    assert_eq!(
        with("merged_ids", &Key::Int(1), None),
        [no_id, elsewhere, astray].into()
    );
    let nowhere = ("merged_ids", "the merged id leads to no contact");
    let leads_to = |merged: u64, to: u8| raw::sealed("merged_ids", merged, &[to]);
    assert_eq!(
        with("merged_ids", &Key::Int(4), Some(&leads_to(4, 9))),
        [nowhere, no_record, no_id, astray].into()
    );
    // An id that was never given out, and that of a contact there is.
    let not_taken = ("merged_ids", "the merged id is not among those taken");
    assert_eq!(
        with("merged_ids", &Key::Int(77), Some(&leads_to(77, 3))),
        [not_taken, no_record].into()
    );
    let of_a_contact = ("merged_ids", "the merged id is that of a contact");
    assert_eq!(
        with("merged_ids", &Key::Int(3), Some(&leads_to(3, 3))),
        [of_a_contact, no_record].into()
    );
    let (entry, _) = raw::rows(&sound, "merge_identifiers").swap_remove(0);
    let not_found = (
        "merges",
        "an identifier in the record of a merge does not lead to it",
    );
    assert_eq!(with("merge_identifiers", &entry, None), [not_found].into());
    // A look-up says so, too.
    fs::copy(&sound, &path).unwrap();
    raw::write(&path, "merged_ids", &Key::Int(4), Some(&leads_to(4, 9)));
    let store = open(&path);
    assert!(is_corrupt(store.snapshot().unwrap().contact(id(4))));
}

#[test]
fn r44_r50_a_damaged_entry_that_leads_to_a_merged_contact_is_an_error_for_an_erase_that_needs_it() {
    let directory = scratch();
    let sound = file(directory.path());
    let rows = raw::rows(&sound, "merge_identifiers");
    assert_eq!(rows.len(), 3);
    for (key, bytes) in rows {
        let Key::Wide(merged) = &key else {
            panic!("{key:?}");
        };
        let merged = u64::try_from(merged & u128::from(u64::MAX)).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            let path = directory.path().join("damaged.redb");
            fs::copy(&sound, &path).unwrap();
            raw::write(&path, "merge_identifiers", &key, Some(&damaged));
            let store = open(&path);
            let found: BTreeSet<_> = problems(&store).iter().map(|it| it.0).collect();
            assert!(found.contains("merge_identifiers"), "{at}: {found:?}");
            // Another contact that has the identifier by now.
            let other = ContactUpdate::new().external_customer_id(format!("c{merged}"));
            let upsert = Upsert::new(DedupeOn::ExternalCustomerId).contact(other);
            let upserted = store.upsert(upsert).wait().unwrap().outcome;
            let contact = upserted.into_single().unwrap().contact;
            assert!(is_corrupt(store.erase(contact).wait()));
            drop(store.close());
        }
    }
}

#[test]
fn r65_verify_finds_a_suppressed_identifier_in_the_record_of_a_merge() {
    let directory = scratch();
    let (mut options, _) = options();
    options.testing.random = Some([1, 2]);
    let made = |name: &str, change: &dyn Fn(&ContactStore)| {
        let path = directory.path().join(name);
        let store = ContactStore::open(&path, options.clone()).unwrap();
        let updates = [1, 2].map(|n| ContactUpdate::new().external_customer_id(format!("c{n}")));
        let upsert = Upsert::new(DedupeOn::ExternalCustomerId).contacts(updates);
        store.upsert(upsert).wait().unwrap();
        change(&store);
        store.close().unwrap();
        path
    };
    let merged = made("merged.redb", &|store| {
        store.merge(Merge::new(id(1), id(2))).wait().unwrap();
    });
    // The same secret makes the same hash.
    let suppressed = made("suppressed.redb", &|store| {
        store.erase(Erase::new(id(1)).suppress()).wait().unwrap();
    });
    let (key, bytes) = raw::rows(&suppressed, "suppressed").swap_remove(0);
    raw::write(&merged, "suppressed", &key, Some(&bytes));
    let store = ContactStore::open(&merged, options.clone()).unwrap();
    let expected = [
        (
            "merges",
            "an identifier in the record of a merge is suppressed",
        ),
        ("meta", "the suppressed identifiers are miscounted"),
    ];
    // A store in which none is counted as suppressed does not look for any.
    assert_eq!(problems(&store), [expected[1]].into());
    let other = ContactUpdate::new().external_customer_id("c3");
    let upsert = Upsert::new(DedupeOn::ExternalCustomerId).contact(other);
    store.upsert(upsert).wait().unwrap();
    store.erase(Erase::new(id(3)).suppress()).wait().unwrap();
    assert_eq!(problems(&store), expected.into());
}
