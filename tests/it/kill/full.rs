//! A file system that is full in truth: a small one in memory, which a child mounts for itself (R46,
//! R49).

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use contact_store::{ContactStore, Create, Error, OpenError};

use super::limit::{assert_no_room, batch, is_in, write_until_it_fails};
use super::{NAME, open};
use crate::support::cases::tell;
use crate::support::process::{command_on_mount, run, say, task};
use crate::support::{assert_sound, connect, options};

const CHILD: &str = "kill::full::child_on_a_file_system_that_gets_full";
/// A new store has 1 MB and a little.
const MOUNT: &str = "mount -t tmpfs -o size=3m contact-store";

/// Fills up the file system, but for some bytes.
fn fill(path: &Path, but_for: usize) {
    let mut file = File::create(path).unwrap();
    while file.write_all(&[1; 4_096]).is_ok() {}
    let len = file.metadata().unwrap().len();
    file.set_len(len - but_for as u64).unwrap();
}

/// Works in the directory of its task, on which a small file system is mounted.
#[test]
fn child_on_a_file_system_that_gets_full() {
    let Some(directory) = task() else { return };
    let directory = Path::new(&directory);
    let (path, ballast) = (directory.join(NAME), directory.join("ballast"));

    // No room to create a store: nothing is left of it.
    fill(&ballast, 8 * 4_096);
    match ContactStore::open(&path, options().0) {
        Err(Error::Open(OpenError::Io(error))) if error.kind() == ErrorKind::StorageFull => {}
        other => panic!("{other:?}"),
    }
    let left = || std::fs::read_dir(directory).unwrap().count();
    assert_eq!(left(), 1, "only the ballast");
    std::fs::remove_file(&ballast).unwrap();

    let store = open(&path, Create::IfMissing);
    connect(&store);
    store.add_tokens(batch(0)).wait().unwrap();
    fill(&ballast, 64 * 4_096);
    let (failed, error) = write_until_it_fails(&store, 1);
    let sequence = assert_no_room(&error, ErrorKind::StorageFull);
    // What is there is found, even on a full disk.
    let found = match store.reopen() {
        Ok(found) => Some(found.value()),
        Err(Error::Open(OpenError::Io(_))) => None,
        Err(other) => panic!("{other:?}"),
    };
    std::fs::remove_file(&ballast).unwrap();
    let found = found.unwrap_or_else(|| store.reopen().unwrap().value());
    assert!((0..failed).all(|n| is_in(&store, n)));
    assert_eq!(is_in(&store, failed), found >= sequence);
    // There is room again, and it goes on.
    store.add_tokens(batch(failed)).wait().unwrap();
    store.add_tokens(batch(failed + 1)).wait().unwrap();
    assert_sound(&store);
    store.close().unwrap();
    let store = open(&path, Create::Never);
    assert!((0..=failed + 1).all(|n| is_in(&store, n)));
    assert_sound(&store);
    store.close().unwrap();
    say(&format!("{failed}"));
}

#[test]
fn on_a_full_file_system_nothing_acknowledged_is_lost_and_with_room_again_it_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let Some(child) = command_on_mount(&format!("{MOUNT} '{path}'"), CHILD, path) else {
        tell("kill::full: skipped, this user may not mount a file system");
        return;
    };
    let said = run(child);
    let failed: u64 = said.last().unwrap().parse().unwrap();
    assert!(failed > 1);
    tell(&format!(
        "kill::full: {failed} batches acknowledged before the file system was full"
    ));
    // The file system went with the process.
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
