//! Who may read the file: R53.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use contact_store::{ContactStore, Error, OpenError};

use crate::support::{connect, names_in, options};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn r53_the_file_is_its_owners_alone_and_nothing_is_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let store = ContactStore::open(&path, options().0).unwrap();
    connect(&store);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(names_in(directory.path()), ["contacts.redb"]);
    assert_eq!(store.stats().unwrap().wider_mode, None);
    store.close().unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(names_in(directory.path()), ["contacts.redb"]);
}

#[test]
fn r53_a_wider_mode_is_reported_and_left() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    drop(ContactStore::open(&path, options().0).unwrap());
    for (set, reported) in [
        (0o640, Some(0o640)),
        (0o604, Some(0o604)),
        (0o677, Some(0o677)),
        (0o700, None),
        (0o600, None),
    ] {
        fs::set_permissions(&path, fs::Permissions::from_mode(set)).unwrap();
        let store = ContactStore::open(&path, options().0).unwrap();
        assert_eq!(store.stats().unwrap().wider_mode, reported);
        store.close().unwrap();
        assert_eq!(mode(&path), set);
    }
}

#[test]
fn r53_a_symbolic_link_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    drop(ContactStore::open(&path, options().0).unwrap());
    let bytes = fs::read(&path).unwrap();
    let nowhere = directory.path().join("nowhere.redb");
    for (to, name) in [(&path, "link"), (&nowhere, "dangling")] {
        let link = directory.path().join(name);
        symlink(to, &link).unwrap();
        match ContactStore::open(&link, options().0) {
            Err(Error::Open(OpenError::SymbolicLink)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(
        names_in(directory.path()),
        ["contacts.redb", "dangling", "link"]
    );
}
