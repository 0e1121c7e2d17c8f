//! A process that the system lets write no more, from some byte of a file on: a typed error or its
//! end, and nothing acknowledged is lost (R46, R49).

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use contact_store::{
    AddTokens, ContactStore, Create, Error, GivenIdentifiers, OpenError, StorageError, TokenEntry,
};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::{NAME, open};
use crate::support::cases::Cases;
use crate::support::process::{Process, command, command_after, say, task};
use crate::support::{APP, assert_sound, connect, find, options};

const CHILD: &str = "kill::limit::child_that_writes_until_it_may_not";
const ENTRIES: u64 = 50;

fn email(batch: u64, entry: u64) -> String {
    format!("batch{batch}-{entry}@example.com")
}

pub(super) fn batch(batch: u64) -> AddTokens {
    let entries = (0..ENTRIES).map(|entry| email(batch, entry));
    AddTokens::new(APP).entries(entries.map(|email| TokenEntry::new(&email).email(email)))
}

/// All entries of a batch are in the store, or none.
#[track_caller]
pub(super) fn is_in(store: &ContactStore, batch: u64) -> bool {
    let found = |entry: &u64| {
        let given = GivenIdentifiers::new().email(email(batch, *entry));
        find(store, given).unwrap().is_some()
    };
    let found = (0..ENTRIES).filter(found).count() as u64;
    assert!(found == 0 || found == ENTRIES, "half a batch: {found}");
    found == ENTRIES
}

/// Adds batches from `first` on until one fails, saying which are in. Gives the one that failed, and
/// why.
pub(super) fn write_until_it_fails(store: &ContactStore, first: u64) -> (u64, Error) {
    for n in first..10_000 {
        match store.add_tokens(batch(n)).wait() {
            Ok(_) => say(&format!("in {n}")),
            Err(error) => return (n, error),
        }
    }
    panic!("nothing fails");
}

/// The number that a request would have whose commit failed for want of room.
#[track_caller]
pub(super) fn assert_no_room(error: &Error, kind: std::io::ErrorKind) -> u64 {
    match error {
        Error::Indeterminate {
            sequence,
            cause: StorageError::Io(error),
        } if error.kind() == kind => sequence.value(),
        other => panic!("{other:?}"),
    }
}

/// Opens or creates a store and adds batches until one fails. Its task: from which byte on nothing
/// may be written, how many batches there are, and the path.
#[test]
fn child_that_writes_until_it_may_not() {
    const KIND: std::io::ErrorKind = std::io::ErrorKind::FileTooLarge;
    let Some(task) = task() else { return };
    let mut words = task.splitn(3, ' ');
    let mut number = || words.next().unwrap().parse::<u64>().unwrap();
    let (bytes, first) = (number(), number());
    let path = words.next().unwrap();
    let limit = Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    setrlimit(Resource::Fsize, limit).unwrap();
    say("opening");
    let store = match ContactStore::open(path, options().0) {
        Ok(store) => store,
        Err(Error::Open(OpenError::Io(error))) if error.kind() == KIND => {
            say("not opened");
            return;
        }
        Err(other) => panic!("{other:?}"),
    };
    say("open");
    let (failed, error) = write_until_it_fails(&store, first);
    let sequence = assert_no_room(&error, KIND);
    let next = store.add_tokens(batch(failed + 1)).wait();
    assert!(matches!(next, Err(Error::NeedsReopen)), "{next:?}");
    // What was acknowledged can be read meanwhile, or a typed error says that it cannot.
    let last = GivenIdentifiers::new().email(email(failed.saturating_sub(1), 0));
    match find(&store, last) {
        Ok(Some(_)) => {}
        Ok(None) if failed == 0 => {}
        Err(Error::Storage(StorageError::Stopped)) => {}
        other => panic!("{other:?}"),
    }
    match store.reopen() {
        Ok(found) => {
            assert_eq!(found.value() >= sequence, is_in(&store, failed));
            assert_sound(&store);
            say(&format!("found {}", found.value()));
        }
        Err(Error::Open(OpenError::Io(error))) if error.kind() == KIND => say("not reopened"),
        Err(other) => panic!("{other:?}"),
    }
    // Closing writes, too.
    match store.close() {
        Ok(()) | Err(Error::CloseIncomplete(_)) => {}
        other => panic!("{other:?}"),
    }
    say("closed");
}

/// What the system does to a process that writes beyond the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    Ends,
    Ignored,
}

/// Lets a child work at a file under a limit, with `batches` batches in it, and checks what it left.
/// Says up to where the child came.
#[track_caller]
fn check(path: &Path, batches: u64, bytes: u64, signal: Signal) -> &'static str {
    const XFSZ: i32 = 25;
    let task = format!("{bytes} {batches} {}", path.display());
    let command = match signal {
        Signal::Ends => command(CHILD, &task),
        Signal::Ignored => command_after("trap '' XFSZ", CHILD, &task),
    };
    let (said, status) = Process::start(command).end();
    let context = format!("{bytes} bytes, the signal {signal:?}: {status}, {said:?}");
    let said = |line: &str| {
        said.iter()
            .filter_map(|said| said.strip_prefix(line))
            .next_back()
    };
    match signal {
        Signal::Ends => assert_eq!(status.signal(), Some(XFSZ), "{context}"),
        Signal::Ignored => assert!(status.success(), "{context}"),
    }
    let in_store = said("in ").map_or(batches, |last| last.parse::<u64>().unwrap() + 1);
    let was_open = said("open").is_some_and(str::is_empty);
    let created = path.exists();
    assert!(created || !was_open, "{context}");

    // Without the limit, everything goes on.
    let store = open(path, Create::IfMissing);
    connect(&store);
    assert_sound(&store);
    assert!((0..in_store).all(|n| is_in(&store, n)), "{context}");
    assert!(!is_in(&store, in_store + 1), "{context}");
    if let Some(found) = said("found ") {
        let now = store.snapshot().unwrap().sequence().value();
        assert_eq!(now, found.parse::<u64>().unwrap(), "{context}");
    }
    store.add_tokens(batch(in_store)).wait().unwrap();
    store.add_tokens(batch(in_store + 1)).wait().unwrap();
    assert!(is_in(&store, in_store + 1));
    store.close().unwrap();
    match (was_open, created) {
        (true, _) => TRAFFIC,
        (false, true) => OPENING,
        (false, false) => CREATION,
    }
}

const CREATION: &str = "limit met in creation";
const OPENING: &str = "limit met in opening";
const TRAFFIC: &str = "limit met in traffic";

const SIGNALS: [Signal; 2] = [Signal::Ends, Signal::Ignored];

#[test]
fn a_process_at_its_limit_for_files_loses_nothing_that_it_acknowledged() {
    const BATCHES: u64 = 4;
    let cases = Cases::new();
    for signal in SIGNALS {
        // A new file has 72 KiB.
        for bytes in [0, 100, 4_096, 65_536, 73_000] {
            let directory = tempfile::tempdir().unwrap();
            let came = check(&directory.path().join(NAME), 0, bytes, signal);
            assert_eq!(came, CREATION, "{bytes} bytes");
            cases.count(came, 1);
        }
    }

    // A store that was closed, and one that was not.
    let directory = tempfile::tempdir().unwrap();
    let closed = directory.path().join("closed.redb");
    let unclosed = directory.path().join("unclosed.redb");
    let store = open(&closed, Create::Always);
    connect(&store);
    for n in 0..BATCHES {
        store.add_tokens(batch(n)).wait().unwrap();
    }
    std::fs::copy(&closed, &unclosed).unwrap();
    store.close().unwrap();
    let len = std::fs::metadata(&unclosed).unwrap().len();
    for signal in SIGNALS {
        for bytes in [0, 4_096, len / 2, len, len * 3 / 2, 3 * len] {
            for (kind, from) in [("closed", &closed), ("not closed", &unclosed)] {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join(NAME);
                std::fs::copy(from, &path).unwrap();
                cases.count(check(&path, BATCHES, bytes, signal), 1);
                cases.count(kind, 1);
            }
        }
    }
    cases.finish(&[(CREATION, 10), (OPENING, 4), (TRAFFIC, 8)]);
}
