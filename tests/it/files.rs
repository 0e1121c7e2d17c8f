//! What opening does with every kind of thing that may stand at the path, and what creating leaves
//! behind (R50, R51, R53).

mod at_once;
#[cfg(unix)]
mod creating;
mod openers;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use contact_store::{ContactStore, Create, Error, OpenError, Options, TokenEntry};
use redb::{Database, TableDefinition};
use tempfile::TempDir;

use crate::support::{add, assert_sound, connect, names_in, options};

const NAME: &str = "contacts.redb";

/// A fresh directory, and a path in it where nothing is.
fn nowhere() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(NAME);
    (directory, path)
}

fn creating(create: Create) -> Options {
    let (mut options, _) = options();
    options.create = create;
    options
}

/// Makes a store at `path` with one contact, closed.
fn make_store(path: &Path) {
    let store = ContactStore::open(path, creating(Create::Always)).unwrap();
    connect(&store);
    add(&store, TokenEntry::new("100").email("ann@example.com"));
    store.close().unwrap();
}

/// The error of an opening that must be refused, and must not hang.
#[track_caller]
fn refusal(path: &Path, options: Options) -> OpenError {
    let (send, opened) = mpsc::channel();
    let path = path.to_owned();
    // On a thread of its own: opening a pipe can wait for ever.
    std::thread::spawn(move || drop(send.send(ContactStore::open(path, options))));
    match opened.recv_timeout(Duration::from_secs(30)).unwrap() {
        Err(Error::Open(error)) => error,
        other => panic!("not refused: {other:?}"),
    }
}

/// What was put at a path is refused as it must be, with and without leave to create a file, and stays
/// as it is with nothing beside it.
#[track_caller]
fn refused(what: &str, put: impl FnOnce(&Path), is_right: impl Fn(&OpenError) -> bool) {
    let (directory, path) = nowhere();
    put(&path);
    let before = (names_in(directory.path()), state(&path));
    for create in [Create::IfMissing, Create::Never] {
        let error = refusal(&path, creating(create));
        assert!(is_right(&error), "{what}: {error:?}");
    }
    let error = refusal(&path, creating(Create::Always));
    assert!(
        matches!(error, OpenError::AlreadyExists),
        "{what}: {error:?}"
    );
    let after = (names_in(directory.path()), state(&path));
    assert!(after == before, "{what}: changed by opening");
}

/// What can be told of the thing at `path`: its type, permissions and time of change, and its bytes
/// where reading them does not wait.
fn state(path: &Path) -> impl PartialEq {
    let found = fs::symlink_metadata(path).unwrap();
    (
        found.file_type(),
        found.permissions(),
        found.modified().unwrap(),
        found.is_file().then(|| fs::read(path).unwrap()),
    )
}

// R50
#[test]
fn a_file_of_something_else_is_foreign() {
    let texts: [(&str, &[u8]); 4] = [
        ("text", b"name,phone\nAnn,380500000001\n"),
        ("one byte", b"r"),
        ("almost redb", b"redb\x1A\x0A\xA9\x0D\x0B"),
        ("SQLite", b"SQLite format 3\0\x10\0\x01\x01\0\x40\x20\x20"),
    ];
    for (what, start) in texts {
        let is_foreign = |error: &OpenError| matches!(error, OpenError::Foreign);
        refused(what, |path| fs::write(path, start).unwrap(), is_foreign);
        let mut long = start.to_vec();
        long.resize(100_000, 0x55);
        refused(what, |path| fs::write(path, long).unwrap(), is_foreign);
    }
}

// R50
#[test]
fn another_redb_database_is_foreign() {
    const OTHER: TableDefinition<'_, &str, &str> = TableDefinition::new("other");
    const META_OF_TEXT: TableDefinition<'_, &str, &str> = TableDefinition::new("meta");
    const META: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("meta");

    fn database(path: &Path, fill: impl FnOnce(&redb::WriteTransaction)) {
        let database = Database::create(path).unwrap();
        let transaction = database.begin_write().unwrap();
        fill(&transaction);
        transaction.commit().unwrap();
    }
    let is_foreign = |error: &OpenError| matches!(error, OpenError::Foreign);
    let other = |transaction: &redb::WriteTransaction| {
        let mut table = transaction.open_table(OTHER).unwrap();
        table.insert("key", "value").unwrap();
    };
    refused("other tables", |path| database(path, other), is_foreign);
    let meta_of_text = |transaction: &redb::WriteTransaction| {
        let mut table = transaction.open_table(META_OF_TEXT).unwrap();
        table.insert("application", "contact-store").unwrap();
    };
    refused(
        "a table of our name and other types",
        |path| database(path, meta_of_text),
        is_foreign,
    );
    let empty_meta = |transaction: &redb::WriteTransaction| {
        transaction.open_table(META).unwrap();
    };
    refused(
        "a table of our name and types, empty",
        |path| database(path, empty_meta),
        is_foreign,
    );
    // This one could as well be ours, and damaged.
    let other_row = |transaction: &redb::WriteTransaction| {
        let mut table = transaction.open_table(META).unwrap();
        table.insert(0, &b"contact-store"[..]).unwrap();
    };
    refused(
        "a table of our name and types, with another row",
        |path| database(path, other_row),
        |error| matches!(error, OpenError::Damaged(_)),
    );
}

// R50
#[test]
fn a_file_of_a_newer_format_is_refused_with_both_formats() {
    let is_newer =
        |error: &OpenError| matches!(error, OpenError::NewerFormat { found: 4, known: 3 });
    let of_the_future = |path: &Path| {
        let (mut options, _) = options();
        options.testing.format = 4;
        let error = refusal(path, options);
        assert!(is_newer(&error), "{error:?}");
    };
    refused("newer", of_the_future, is_newer);
}

// R50
#[test]
fn an_empty_file_is_no_new_store() {
    refused(
        "empty",
        |path| fs::write(path, b"").unwrap(),
        |error| matches!(error, OpenError::Empty),
    );
}

// R50
#[test]
fn a_file_whose_creation_was_cut_off_is_refused() {
    let is_half_created = |error: &OpenError| matches!(error, OpenError::HalfCreated);
    for len in [1, 9, 319, 4_096, 1_000_000] {
        refused(
            "zeroes",
            |path| fs::write(path, vec![0; len]).unwrap(),
            is_half_created,
        );
    }
    let without_magic = |path: &Path| {
        make_store(path);
        let mut bytes = fs::read(path).unwrap();
        bytes[..9].fill(0);
        fs::write(path, bytes).unwrap();
    };
    refused("a store without its magic", without_magic, is_half_created);
    refused(
        "a redb database without tables",
        |path| drop(Database::create(path).unwrap()),
        is_half_created,
    );
    refused(
        "the magic alone",
        |path| fs::write(path, b"redb\x1A\x0A\xA9\x0D\x0A").unwrap(),
        |error| matches!(error, OpenError::Damaged(_)),
    );
}

// R50
#[test]
fn a_directory_is_not_a_file() {
    refused(
        "directory",
        |path| fs::create_dir(path).unwrap(),
        |error| matches!(error, OpenError::NotAFile),
    );
}

// R50, R53: the link is refused also where it leads to a good store, which stays as it is.
#[cfg(unix)]
#[test]
fn a_symbolic_link_is_refused_wherever_it_leads() {
    use std::os::unix::fs::symlink;
    let is_link = |error: &OpenError| matches!(error, OpenError::SymbolicLink);
    let (elsewhere, store) = nowhere();
    make_store(&store);
    let before = state(&store);
    let targets = [
        ("to a store", store.as_path()),
        ("to nothing", Path::new("nothing")),
        ("to a directory", elsewhere.path()),
        ("to itself", Path::new(NAME)),
    ];
    for (what, to) in targets {
        refused(what, |path| symlink(to, path).unwrap(), is_link);
    }
    assert!(state(&store) == before);
    assert_eq!(names_in(elsewhere.path()), [NAME]);
}

// A symbolic link on the way to the file is the host's own choice.
#[cfg(unix)]
#[test]
fn a_link_to_the_directory_is_followed() {
    let (directory, path) = nowhere();
    make_store(&path);
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(directory.path(), &link).unwrap();
    let store = ContactStore::open(link.join(NAME), creating(Create::Never)).unwrap();
    assert_sound(&store);
}

// R50
#[cfg(unix)]
#[test]
fn a_pipe_and_a_socket_are_refused_without_waiting() {
    let is_no_file = |error: &OpenError| matches!(error, OpenError::NotAFile);
    let pipe = |path: &Path| {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    };
    refused("pipe", pipe, is_no_file);
    let socket = |path: &Path| drop(std::os::unix::net::UnixListener::bind(path).unwrap());
    refused("socket", socket, is_no_file);
}

#[test]
fn without_its_directory_a_store_is_neither_opened_nor_created() {
    let (directory, path) = nowhere();
    let path = path.join(NAME);
    for create in [Create::IfMissing, Create::Always] {
        match refusal(&path, creating(create)) {
            OpenError::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => panic!("{other:?}"),
        }
    }
    let error = refusal(&path, creating(Create::Never));
    assert!(matches!(error, OpenError::NotFound), "{error:?}");
    assert_eq!(names_in(directory.path()), [""; 0]);
}

#[test]
fn create_says_whether_there_must_be_a_file() {
    let (directory, path) = nowhere();
    let error = refusal(&path, creating(Create::Never));
    assert!(matches!(error, OpenError::NotFound), "{error:?}");
    assert_eq!(names_in(directory.path()), [""; 0]);

    make_store(&path);
    let before = state(&path);
    let error = refusal(&path, creating(Create::Always));
    assert!(matches!(error, OpenError::AlreadyExists), "{error:?}");
    assert!(state(&path) == before);

    for create in [Create::Never, Create::IfMissing] {
        let store = ContactStore::open(&path, creating(create)).unwrap();
        assert_eq!(store.stats().unwrap().contacts, 1);
        store.close().unwrap();
    }
}
