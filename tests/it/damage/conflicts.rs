//! Damage to the list of conflicts (R61).

use std::collections::BTreeSet;
use std::fs;

use contact_store::{ContactStore, ContactUpdate, DedupeOn, Error, Options, StorageError, Upsert};

use super::scratch;
use crate::support::raw::{self, Key};
use crate::support::{id, options};

fn listing() -> Options {
    options().0.conflicts(10)
}

#[test]
fn r61_a_damaged_pair_or_mirror_is_an_error_where_it_is_read_and_verify_finds_what_disagrees() {
    let directory = scratch();
    let sound = directory.path().join("sound.redb");
    let store = ContactStore::open(&sound, listing()).unwrap();
    let update = ContactUpdate::new;
    for item in [
        update().phone("380500000001"),
        update().email("ann@example.com"),
        update().phone("380500000001").email("ann@example.com"),
    ] {
        let request = Upsert::new(DedupeOn::PhoneThenEmail).contact(item);
        store.upsert(request).wait().unwrap();
    }
    store.close().unwrap();
    let changed = |key: &Key, bytes: Option<&[u8]>| {
        let path = directory.path().join("changed.redb");
        fs::copy(&sound, &path).unwrap();
        raw::write(&path, "conflicts", key, bytes);
        ContactStore::open(&path, listing()).unwrap()
    };
    let problems = |store: &ContactStore| -> BTreeSet<(&str, &str)> {
        let verified = store.snapshot().unwrap().verify().unwrap();
        let problems = verified.problems.iter();
        problems.map(|it| (it.table, it.what)).collect()
    };
    let no_mirror = ("conflicts", "the pair and its mirror are not both there");
    let miscounted = ("meta", "the conflicts are miscounted");
    let rows = raw::rows(&sound, "conflicts");
    let [(pair, record), (mirror, empty)] = &rows[..] else {
        panic!("{} rows", rows.len());
    };
    for (key, bytes) in [(pair, record), (mirror, empty)] {
        let mut damaged = bytes.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let store = changed(key, Some(&damaged));
        let what = problems(&store);
        assert!(what.contains(&no_mirror), "{what:?}");
        // The mirror is needed by what comes to the pair from its larger id alone.
        let erased = store.erase(id(2)).wait();
        assert!(
            matches!(erased, Err(Error::Storage(StorageError::Corrupt(_)))),
            "{erased:?}"
        );
        drop(store.close());
    }
    let store = changed(pair, None);
    assert_eq!(problems(&store), [no_mirror, miscounted].into());
    drop(store.close());
    let store = changed(mirror, None);
    assert_eq!(problems(&store), [no_mirror].into());
    drop(store.close());
    // A pair of a contact that there is not.
    let nobody = 1_u128 << 64 | 77;
    let sealed = raw::sealed_wide("conflicts", nobody, raw::payload(record));
    let store = changed(&Key::Wide(nobody), Some(&sealed));
    let no_contact = ("conflicts", "a contact of the pair does not exist");
    assert_eq!(problems(&store), [no_mirror, no_contact, miscounted].into());
    drop(store.close());
}
