//! One opener at a time, and what is left of one that closed (R49, R51).

use std::fs;
use std::path::Path;

use contact_store::{
    ContactStore, Create, Error, GivenIdentifiers, MatchPolicy, OpenError, Snapshot, TokenEntry,
};

use super::{creating, make_store, nowhere, refusal};
use crate::support::process::{command, run, say, task};
use crate::support::{add, assert_sound, id, names_in};

/// Tells whether this process can open the store that is its task.
#[test]
fn child_that_opens() {
    let Some(path) = task() else { return };
    say(match ContactStore::open(path, creating(Create::Never)) {
        Ok(_) => "opened",
        Err(Error::Open(OpenError::AlreadyOpen)) => "already open",
        Err(_) => "another error",
    });
}

#[track_caller]
fn another_process_says(path: &Path, expected: &str) {
    let task = path.to_str().unwrap();
    let said = run(command("files::openers::child_that_opens", task));
    assert_eq!(said, [expected]);
}

#[track_caller]
fn assert_open_elsewhere(path: &Path) {
    for create in [Create::IfMissing, Create::Never] {
        let error = refusal(path, creating(create));
        assert!(matches!(error, OpenError::AlreadyOpen), "{error:?}");
    }
    another_process_says(path, "already open");
}

/// Every way to read answers that the store is closed.
#[track_caller]
fn assert_closed(snapshot: &Snapshot) {
    #[track_caller]
    fn closed<T: std::fmt::Debug>(answer: Result<T, Error>) {
        assert!(matches!(answer, Err(Error::Closed)), "{answer:?}");
    }
    let ann = GivenIdentifiers::new().email("ann@example.com");
    let ann = ann.parse().unwrap();
    closed(snapshot.find(&ann, MatchPolicy::Cascade));
    closed(snapshot.contact(id(1)));
    closed(snapshot.apps());
    closed(snapshot.verify());
}

// R51
#[test]
fn a_second_opener_is_refused_in_any_process_and_disturbs_nothing() {
    let (directory, path) = nowhere();
    make_store(&path);
    let store = ContactStore::open(&path, creating(Create::Never)).unwrap();
    let before = fs::read(&path).unwrap();
    assert_open_elsewhere(&path);
    assert!(fs::read(&path).unwrap() == before);

    add(&store, TokenEntry::new("101").email("bob@example.com"));
    assert_open_elsewhere(&path);
    assert_sound(&store);
    assert_eq!(names_in(directory.path()), [super::NAME]);
    store.close().unwrap();
    another_process_says(&path, "opened");
}

// R51: the lock is there from the moment the file has its name.
#[test]
fn a_store_just_created_is_open_to_its_creator_alone() {
    let (_directory, path) = nowhere();
    let store = ContactStore::open(&path, creating(Create::Always)).unwrap();
    assert_open_elsewhere(&path);
    let clone = store.clone();
    drop(store);
    assert_open_elsewhere(&path);
    clone.close().unwrap();
    another_process_says(&path, "opened");
}

// R51: a name is not the file. A hard link is another name of the same store.
#[test]
fn a_second_name_of_the_file_is_no_second_store() {
    let (directory, path) = nowhere();
    make_store(&path);
    let other = directory.path().join("other.redb");
    fs::hard_link(&path, &other).unwrap();
    let store = ContactStore::open(&path, creating(Create::Never)).unwrap();
    assert_open_elsewhere(&other);
    store.close().unwrap();
    another_process_says(&other, "opened");
}

// R49
#[test]
fn a_closed_store_can_be_opened_again_while_a_snapshot_is_still_held() {
    let (_directory, path) = nowhere();
    make_store(&path);
    let store = ContactStore::open(&path, creating(Create::Never)).unwrap();
    let old = store.snapshot().unwrap();
    let clone = store.clone();
    store.close().unwrap();
    assert_closed(&old);
    another_process_says(&path, "opened");

    let again = ContactStore::open(&path, creating(Create::Never)).unwrap();
    add(&again, TokenEntry::new("101").email("bob@example.com"));
    assert_sound(&again);
    // What is left of the first opening sees nothing of the second, and does not end it.
    assert_closed(&old);
    assert!(matches!(clone.snapshot(), Err(Error::Closed)));
    assert!(matches!(clone.stats(), Err(Error::Closed)));
    clone.close().unwrap();
    drop((clone, store, old));
    assert_open_elsewhere(&path);
    assert_eq!(again.stats().unwrap().contacts, 2);
}

// Dropping the last handle closes the store.
#[test]
fn a_dropped_store_can_be_opened_again_while_a_snapshot_is_still_held() {
    let (_directory, path) = nowhere();
    make_store(&path);
    let store = ContactStore::open(&path, creating(Create::Never)).unwrap();
    let old = store.snapshot().unwrap();
    add(&store, TokenEntry::new("101").email("bob@example.com"));
    drop(store);
    let again = ContactStore::open(&path, creating(Create::Never)).unwrap();
    assert_eq!(again.stats().unwrap().contacts, 2);
    assert_closed(&old);
}

/// Second handles of every open file of this process at `path`: what a process has of it that
/// another thread is just starting, until it runs its own program. `None` where the system does not
/// give them.
#[cfg(target_os = "linux")]
fn second_handles(path: &Path) -> Option<Vec<std::os::fd::OwnedFd>> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let this = pidfd_open(getpid(), PidfdFlags::empty()).ok()?;
    let mut handles = Vec::new();
    for entry in fs::read_dir("/proc/self/fd").ok()? {
        let entry = entry.unwrap();
        // A file of another test may be closed by now.
        if fs::read_link(entry.path()).is_ok_and(|at| at == path) {
            let number = entry.file_name().to_str().unwrap().parse().unwrap();
            handles.push(pidfd_getfd(&this, number, PidfdGetfdFlags::empty()).ok()?);
        }
    }
    Some(handles)
}

// R51
#[cfg(target_os = "linux")]
#[test]
fn a_closed_store_can_be_opened_again_while_another_thread_starts_a_process() {
    let (_directory, path) = nowhere();
    make_store(&path);
    let path = fs::canonicalize(path).unwrap();
    let store = ContactStore::open(&path, creating(Create::Never)).unwrap();
    let Some(handles) = second_handles(&path) else {
        return;
    };
    assert!(!handles.is_empty());
    store.close().unwrap();
    let again = ContactStore::open(&path, creating(Create::Never)).unwrap();
    assert_sound(&again);
    drop(handles);
}
