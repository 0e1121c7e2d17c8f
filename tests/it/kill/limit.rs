//! A process that the system lets write no more: a typed error, and nothing acknowledged is lost
//! (R46, R49).

use std::path::Path;

use contact_store::{
    AddTokens, ContactStore, Create, Error, GivenIdentifiers, StorageError, TokenEntry,
};

use super::{NAME, open};
use crate::support::process::{command_after, run, say, task};
use crate::support::{APP, assert_sound, connect, find, options};

const CHILD: &str = "kill::limit::child_that_writes_until_it_may_not";
const ENTRIES: u64 = 50;

fn email(batch: u64, entry: u64) -> String {
    format!("batch{batch}-{entry}@example.com")
}

fn batch(batch: u64) -> AddTokens {
    let entries = (0..ENTRIES).map(|entry| email(batch, entry));
    AddTokens::new(APP).entries(entries.map(|email| TokenEntry::new(&email).email(email)))
}

/// All entries of a batch are in the store, or none.
#[track_caller]
fn is_in(store: &ContactStore, batch: u64) -> bool {
    let found = |entry: &u64| {
        let given = GivenIdentifiers::new().email(email(batch, *entry));
        find(store, given).unwrap().is_some()
    };
    let found = (0..ENTRIES).filter(found).count() as u64;
    assert!(found == 0 || found == ENTRIES, "half a batch: {found}");
    found == ENTRIES
}

/// Adds batches until one fails, and says how many did not, which number the failed one would have,
/// and which one was found.
#[test]
fn child_that_writes_until_it_may_not() {
    let Some(path) = task() else { return };
    let store = ContactStore::open(path, options().0).unwrap();
    connect(&store);
    let (acknowledged, error) = (0..10_000)
        .find_map(|n| Some((n, store.add_tokens(batch(n)).wait().err()?)))
        .unwrap();
    let sequence = match error {
        Error::Indeterminate {
            sequence,
            cause: StorageError::Io(error),
        } if error.kind() == std::io::ErrorKind::FileTooLarge => sequence,
        other => panic!("{other:?}"),
    };
    let next = store.add_tokens(batch(acknowledged + 1)).wait();
    assert!(matches!(next, Err(Error::NeedsReopen)), "{next:?}");
    // What was acknowledged can be read meanwhile, or a typed error says that it cannot.
    let last = GivenIdentifiers::new().email(email(acknowledged - 1, 0));
    match find(&store, last) {
        Ok(Some(_)) => {}
        Err(Error::Storage(StorageError::Stopped)) => {}
        other => panic!("{other:?}"),
    }
    let found = store.reopen().unwrap();
    assert_eq!(found >= sequence, is_in(&store, acknowledged));
    assert_sound(&store);
    store.close().unwrap();
    say(&format!(
        "{acknowledged} {} {}",
        sequence.value(),
        found.value()
    ));
}

#[track_caller]
fn writes_until_it_may_not(path: &Path) -> [u64; 3] {
    // 2 or 4 MiB: blocks are of 512 or of 1,024 bytes.
    let set = "trap '' XFSZ; ulimit -f 4096";
    let said = run(command_after(set, CHILD, path.to_str().unwrap()));
    let [said] = &said[..] else {
        panic!("{said:?}");
    };
    let numbers: Vec<u64> = said.split(' ').map(|it| it.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

#[test]
fn a_process_at_its_limit_for_files_says_so_and_loses_nothing_that_it_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(NAME);
    let store = open(&path, Create::Always);
    connect(&store);
    store.close().unwrap();

    let [acknowledged, sequence, found] = writes_until_it_may_not(&path);
    assert!(acknowledged > 0);
    let store = open(&path, Create::Never);
    assert_eq!(store.snapshot().unwrap().sequence().value(), found);
    assert_sound(&store);
    assert!((0..acknowledged).all(|n| is_in(&store, n)));
    assert_eq!(is_in(&store, acknowledged), found >= sequence);
    assert!(!is_in(&store, acknowledged + 1));
    println!(
        "{acknowledged} batches acknowledged before the limit, the next is number {sequence}, {found} found"
    );
    // Without the limit, it goes on.
    store.add_tokens(batch(acknowledged)).wait().unwrap();
    assert!(is_in(&store, acknowledged));
    store.close().unwrap();
}
