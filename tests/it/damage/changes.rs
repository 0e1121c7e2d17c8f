//! Damage to the rows of the change feed (R60): `verify` finds what is wrong with them, and reading them is
//! an error or right.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use contact_store::{
    ChangePosition, Check, ContactStore, ContactUpdate, DedupeOn, Error, KeepChanges, Options,
    StorageError, TokenEntry, Upsert,
};

use super::scratch;
use crate::support::raw::{self, Key};
use crate::support::{add, connect, id, options};

fn fed() -> Options {
    let mut options = options().0;
    options.change_feed = Some(KeepChanges::default());
    options.check = Check::IfUnclean;
    options
}

struct File {
    directory: tempfile::TempDir,
    sound: PathBuf,
}

/// The key of the one row of a request.
fn row_of(request: u64) -> Key {
    Key::Wide(u128::from(request) << 32)
}

impl File {
    /// Requests 1 and 2 connect the apps, 3 creates contacts 1 and 2, 4 adds a token to contact 1, and 5
    /// erases contact 2.
    fn new() -> Self {
        let directory = scratch();
        let sound = directory.path().join("sound.redb");
        let store = ContactStore::open(&sound, fed()).unwrap();
        connect(&store);
        let named = |n| ContactUpdate::new().external_customer_id(format!("c{n}"));
        let both = Upsert::new(DedupeOn::ExternalCustomerId).contacts([named(1), named(2)]);
        store.upsert(both).wait().unwrap().outcome.all().unwrap();
        add(&store, TokenEntry::new("t").external_customer_id("c1"));
        store.erase(id(2)).wait().unwrap();
        store.close().unwrap();
        File { directory, sound }
    }

    fn payload(&self, request: u64) -> Vec<u8> {
        let rows = raw::rows(&self.sound, "changes");
        let row = rows.into_iter().find(|(key, _)| *key == row_of(request));
        raw::payload(&row.unwrap().1).to_vec()
    }

    /// A copy in which a row has this payload, or is not there.
    fn with(&self, key: &Key, payload: Option<&[u8]>) -> PathBuf {
        let Key::Wide(number) = key else { panic!() };
        let record = payload.map(|payload| raw::sealed_wide("changes", *number, payload));
        self.with_bytes(key, record.as_deref())
    }

    fn with_bytes(&self, key: &Key, record: Option<&[u8]>) -> PathBuf {
        let path = self.directory.path().join("changed.redb");
        fs::copy(&self.sound, &path).unwrap();
        raw::write(&path, "changes", key, record);
        path
    }
}

fn problems(path: &Path) -> BTreeSet<&'static str> {
    let store = ContactStore::open(path, fed()).unwrap();
    let found = store.snapshot().unwrap().verify().unwrap();
    found.problems.iter().map(|problem| problem.what).collect()
}

#[test]
fn r60_verify_finds_every_way_in_which_the_feed_can_be_wrong() {
    const MISCOUNTED: &str = "the changes are miscounted";
    const NEWEST: &str = "the newest change is not the one noted";
    let file = File::new();
    assert_eq!(problems(&file.sound), BTreeSet::new());
    // The row of a request, with its time and these records.
    let records = |request: u64, records: &[u8]| {
        let payload = file.payload(request);
        let time = payload.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let payload = [&payload[..time], records].concat();
        problems(&file.with(&row_of(request), Some(&payload)))
    };
    let row = |key: Key, payload: Option<&[u8]>| problems(&file.with(&key, payload));
    let rows: [(&str, BTreeSet<&str>, &[&str]); 9] = [
        (
            "as it is: one created, and nothing left of the other",
            records(3, &[1, 1, 0, 0, 1]),
            &[],
        ),
        (
            "as it is: a token added",
            records(4, &[16, 1, 2, 1, 1]),
            &[],
        ),
        (
            "something is left of what was erased",
            records(3, &[1, 1, 0, 1, 2, 0]),
            &[
                MISCOUNTED,
                "changes are left of a contact that was erased after them",
                "changes are left of a contact that there is not",
            ],
        ),
        (
            "a record leads to none",
            records(4, &[16, 1, 0, 1, 1]),
            &["a change does not lead to the one before it of its contact"],
        ),
        (
            "no such app",
            records(4, &[16, 1, 2, 9, 1]),
            &["a change is of an app that there is not"],
        ),
        (
            "a row is missing",
            row(row_of(4), None),
            &[MISCOUNTED, "the card does not lead to its last change"],
        ),
        (
            "the last row is missing",
            row(row_of(5), None),
            &[MISCOUNTED, NEWEST],
        ),
        (
            "a row of a request to come",
            row(row_of(7), Some(&[0, 65, 1])),
            &[MISCOUNTED, NEWEST, "the request was not made yet"],
        ),
        (
            "a part of a request whose first part is not full",
            row(Key::Wide((4 << 32) + 1), Some(&[0, 65, 1])),
            &[
                MISCOUNTED,
                "a part of the request is missing before the row",
            ],
        ),
    ];
    for (what, found, right) in rows {
        assert_eq!(found, right.iter().copied().collect(), "{what}");
    }
}

#[test]
fn r50_r60_a_damaged_row_is_an_error_where_it_is_read_and_nowhere_else() {
    const DAMAGED: &str = "a record whose checksum does not hold";
    let file = File::new();
    let rows = raw::rows(&file.sound, "changes");
    let mut damaged = rows[2].1.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let path = file.with_bytes(&rows[2].0, Some(&damaged));
    let found = problems(&path);
    assert!(found.contains(DAMAGED), "{found:?}");
    let store = ContactStore::open(&path, fed()).unwrap();
    let corrupt = |error: Error| match error {
        Error::Storage(StorageError::Corrupt(what)) => what,
        other => panic!("{other:?}"),
    };
    let now = store.snapshot().unwrap();
    let read = now.changes(ChangePosition::START, 10).unwrap_err();
    assert_eq!(corrupt(read), DAMAGED);
    let after = ChangePosition::parse("3").unwrap();
    assert_eq!(now.changes(after, 10).unwrap().changes.len(), 2);
    // What has to be stripped is in it.
    let erased = store.erase(id(1)).wait().unwrap_err();
    assert_eq!(corrupt(erased), DAMAGED);
    assert!(store.snapshot().unwrap().contact(id(1)).unwrap().is_some());
    // Others are written as ever.
    add(&store, TokenEntry::new("u").external_customer_id("c1"));
    store.close().unwrap();
}

/// With canaries in every value, the rows hold nothing but ids.
#[test]
fn r52_r60_nothing_of_a_person_is_in_the_rows() {
    let directory = scratch();
    let path = directory.path().join("contacts.redb");
    let store = ContactStore::open(&path, fed()).unwrap();
    connect(&store);
    let entry = TokenEntry::new("canary-token").external_customer_id("canary-id");
    add(
        &store,
        entry.phone("380501234567").email("canary@example.com"),
    );
    let update = ContactUpdate::new().external_customer_id("canary-id");
    let update = update.first_name("canary").field("canary", "canary");
    let upsert = Upsert::new(DedupeOn::ExternalCustomerId).contact(update);
    store.upsert(upsert).wait().unwrap().outcome.all().unwrap();
    store.close().unwrap();
    let rows = raw::rows(&path, "changes");
    assert_eq!(rows.len(), 4);
    let phone = 380_501_234_567_u64.to_le_bytes();
    for (_, bytes) in rows {
        assert!(bytes.len() < 40, "{bytes:?}");
        for canary in [&b"canary"[..], b"380501234567", &phone[..5]] {
            assert!(!bytes.windows(canary.len()).any(|part| part == canary));
        }
    }
}

#[test]
fn r60_a_feed_that_is_off_leaves_no_trace() {
    let file = |feed: Option<KeepChanges>, writes: bool| {
        let directory = scratch();
        let path = directory.path().join("contacts.redb");
        let mut options = options().0;
        options.testing.random = Some([1, 2]);
        options.change_feed = feed;
        let store = ContactStore::open(&path, options).unwrap();
        if writes {
            connect(&store);
            add(&store, TokenEntry::new("t").external_customer_id("c1"));
            store.erase(id(1)).wait().unwrap();
        }
        store.close().unwrap();
        fs::read(&path).unwrap()
    };
    let has_feed = |bytes: &[u8]| raw::row_counts(bytes).contains_key("changes");
    let on = Some(KeepChanges::default());
    assert!(
        file(None, false) == file(on, false),
        "not a byte is another"
    );
    assert!(!has_feed(&file(None, true)));
    assert!(has_feed(&file(on, true)));
}
