//! Stores that are read by other processes while one writes (R51, R66, R68).
#![cfg(unix)]

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use contact_store::{
    AddTokens, ContactStore, ContactUpdate, DedupeOn, Error, OpenError, Options, TokenEntry, Upsert,
};
use tempfile::TempDir;

use crate::support::everything::Everything;
use crate::support::process::{Process, command, hear, say, task};
use crate::support::{APP, assert_sound, connect, fold_early, options};

const READER: &str = "beside_a_writer::child_that_reads";
const WRITER: &str = "beside_a_writer::child_that_writes";
const PEOPLE: u32 = 300;

fn read_only() -> Options {
    options().0.read_only(true)
}

fn to_write() -> Options {
    let (mut options, _) = options();
    fold_early(&mut options);
    options
}

/// A store in a file, with people in it.
fn in_file() -> (TempDir, PathBuf, ContactStore) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let store = ContactStore::open(&path, to_write()).unwrap();
    connect(&store);
    let people = (0..PEOPLE).map(|n| TokenEntry::new(format!("t{n}")).email(email(n)));
    let added = store
        .add_tokens(AddTokens::new(APP).entries(people))
        .wait()
        .unwrap();
    added.outcome.entries.all().unwrap();
    (directory, path, store)
}

fn email(n: u32) -> String {
    format!("somebody{n}@example.com")
}

/// Changes every card, in many commits: pages are given up and used again.
fn rewrite(store: &ContactStore, round: u32) {
    for n in 0..PEOPLE / 10 {
        let updates = (0..10).map(|m| {
            let person = n * 10 + m;
            ContactUpdate::new()
                .email(email(person))
                .phone((380_500_000_000 + u64::from(person * 1_000 + round % 1_000)).to_string())
                .field("note", format!("round {round}").repeat(20))
        });
        let upserted = store
            .upsert(Upsert::new(DedupeOn::Email).contacts(updates))
            .wait()
            .unwrap();
        upserted.outcome.all().unwrap();
    }
}

fn everything(store: &ContactStore) -> Everything {
    Everything::of(&store.snapshot().unwrap())
}

#[test]
fn r68_a_reader_beside_a_writer_reads_the_last_durable_state_and_keeps_to_it() {
    let (_directory, path, writer) = in_file();
    let reader = ContactStore::open(&path, read_only()).unwrap();
    let at_opening = everything(&reader);
    assert!(at_opening == everything(&writer));
    for round in 0..5 {
        rewrite(&writer, round);
    }
    // Not one byte that the reader looks at was used for anything else.
    assert!(everything(&reader) == at_opening);
    assert_sound(&reader);
    assert!(matches!(
        reader.erase(crate::support::id(1)).wait(),
        Err(Error::ReadOnly)
    ));
    let second = ContactStore::open(&path, read_only()).unwrap();
    assert!(everything(&second) == everything(&writer));
    reader.close().unwrap();
    rewrite(&writer, 5);
    assert_sound(&second);
    assert_sound(&writer);
    writer.close().unwrap();
    assert_sound(&second);
}

#[test]
fn r68_a_reader_beside_a_writer_changes_no_byte() {
    let (directory, path, writer) = in_file();
    let before = fs::read(&path).unwrap();
    let reader = ContactStore::open(&path, read_only()).unwrap();
    assert_sound(&reader);
    reader.close().unwrap();
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    writer.close().unwrap();
}

#[test]
fn r51_readers_do_not_make_room_for_a_second_writer() {
    let (_directory, path, writer) = in_file();
    let reader = ContactStore::open(&path, read_only()).unwrap();
    let is_open_already = || {
        let opened = ContactStore::open(&path, to_write());
        assert!(
            matches!(opened, Err(Error::Open(OpenError::AlreadyOpen))),
            "{opened:?}"
        );
    };
    is_open_already();
    let at_opening = everything(&reader);
    writer.close().unwrap();
    // A reader that came while somebody wrote keeps nobody from writing.
    let writer = ContactStore::open(&path, to_write()).unwrap();
    is_open_already();
    rewrite(&writer, 0);
    rewrite(&writer, 1);
    assert!(everything(&reader) == at_opening);
    assert_sound(&reader);
}

#[test]
fn r67_a_reader_keeps_to_the_file_that_a_vacuum_replaces() {
    let (_directory, path, writer) = in_file();
    let reader = ContactStore::open(&path, read_only()).unwrap();
    let at_opening = everything(&reader);
    writer.vacuum(|_| ControlFlow::Continue(())).unwrap();
    rewrite(&writer, 0);
    assert!(everything(&reader) == at_opening);
    assert_sound(&reader);
    let second = ContactStore::open(&path, read_only()).unwrap();
    assert!(everything(&second) == everything(&writer));
}

#[test]
fn r66_a_reader_backs_up_what_another_process_writes() {
    let (directory, path, writer) = in_file();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0.. {
                rewrite(&writer, round);
                if done.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        for n in 0..3 {
            let reader = ContactStore::open(&path, read_only()).unwrap();
            let copy = directory.path().join(format!("copy-{n}.redb"));
            let now = reader.snapshot().unwrap();
            now.backup(&copy, |_| ControlFlow::Continue(())).unwrap();
            let copy = ContactStore::open(&copy, options().0).unwrap();
            assert!(everything(&copy) == Everything::of(&now));
            assert_sound(&copy);
        }
        done.store(true, Ordering::SeqCst);
    });
}

/// Opens the store at its task, and says each time that it is told to look whether all is as it was at
/// the opening.
#[test]
fn child_that_reads() {
    let Some(path) = task() else { return };
    let store = ContactStore::open(path, read_only()).unwrap();
    let at_opening = everything(&store);
    say("open");
    while hear() == "look" {
        assert_sound(&store);
        let same = everything(&store) == at_opening;
        say(if same { "the same" } else { "another" });
    }
}

/// Writes to the store at its task until it is killed.
#[test]
fn child_that_writes() {
    let Some(path) = task() else { return };
    let store = ContactStore::open(path, to_write()).unwrap();
    for round in 0.. {
        rewrite(&store, round);
        say("a round");
    }
}

fn child(test: &str, path: &Path) -> Process {
    Process::start(command(test, path.to_str().unwrap()))
}

#[test]
fn r46_a_reader_that_stands_still_holds_up_no_commit_and_its_death_frees_its_pages() {
    let (_directory, path, writer) = in_file();
    let mut reader = child(READER, &path);
    assert_eq!(reader.next_line(), "open");
    reader.signal("STOP");
    for round in 0..4 {
        rewrite(&writer, round);
    }
    reader.signal("CONT");
    reader.say("look");
    assert_eq!(reader.next_line(), "the same");
    reader.signal("STOP");
    reader.kill();
    rewrite(&writer, 4);
    let grown = writer.stats().unwrap().file_bytes;
    for round in 5..10 {
        rewrite(&writer, round);
    }
    // Pages are used again that only the dead reader needed.
    assert!(writer.stats().unwrap().file_bytes <= grown);
    assert_sound(&writer);
}

#[test]
fn r46_a_reader_outlives_a_killed_writer_and_the_next_one() {
    let (_directory, path, store) = in_file();
    let wanted = everything(&store);
    store.close().unwrap();
    let writer = child(WRITER, &path);
    writer.next_line();
    let reader = ContactStore::open(&path, read_only()).unwrap();
    let at_opening = everything(&reader);
    assert_eq!(at_opening.cards.len(), wanted.cards.len());
    writer.next_line();
    writer.kill();
    assert!(everything(&reader) == at_opening);
    // After the kill it is repaired in memory, and by the next writer for good.
    let second = ContactStore::open(&path, read_only()).unwrap();
    assert_sound(&second);
    second.close().unwrap();
    let writer = ContactStore::open(&path, to_write()).unwrap();
    for round in 0..3 {
        rewrite(&writer, round);
    }
    assert!(everything(&reader) == at_opening);
    assert_sound(&reader);
    assert_sound(&writer);
}
