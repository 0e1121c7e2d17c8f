//! The file of an open store that is moved, replaced or removed: R69.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use contact_store::{
    AddTokens, ContactStore, Create, Error, GivenIdentifiers, SequenceNumber, TokenEntry,
};
use tempfile::TempDir;

use crate::support::{APP, add, assert_sound, connect, find, options};

/// What was seen of the path is good for a second.
const NOTICED: Duration = Duration::from_millis(1_050);

/// A store in a file, with one contact.
struct InFile {
    store: ContactStore,
    path: PathBuf,
    elsewhere: PathBuf,
    _directory: TempDir,
}

impl InFile {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("contacts.redb");
        let store = ContactStore::open(&path, options().0).unwrap();
        connect(&store);
        add(&store, TokenEntry::new("t1").external_customer_id("first"));
        InFile {
            store,
            elsewhere: directory.path().join("elsewhere.redb"),
            path,
            _directory: directory,
        }
    }

    fn is_found(&self, customer: &str) -> bool {
        let given = GivenIdentifiers::new().external_customer_id(customer);
        find(&self.store, given).unwrap().is_some()
    }

    /// Every write is refused, nothing of any is there, and reads go on.
    #[track_caller]
    fn refuses_writes(&self) {
        let before = self.store.snapshot().unwrap().sequence();
        let request = |token: &str| {
            AddTokens::new(APP).entry(TokenEntry::new(token).external_customer_id("late"))
        };
        let group = ["a", "b", "c"].map(|token| self.store.add_tokens(request(token)));
        for write in group {
            assert!(matches!(write.wait(), Err(Error::FileMoved)));
        }
        // Also one that would change nothing.
        let nothing = self.store.add_tokens(AddTokens::new(APP)).wait();
        assert!(matches!(nothing, Err(Error::FileMoved)), "{nothing:?}");
        let disconnect = self.store.disconnect_app(APP).wait();
        assert!(matches!(disconnect, Err(Error::FileMoved)));
        let stats = self.store.stats().unwrap();
        assert!(stats.file_moved && !stats.needs_reopen);
        assert_eq!(stats.sequence, before);
        assert_eq!(self.store.snapshot().unwrap().sequence(), before);
        assert!(self.is_found("first") && !self.is_found("late"));
    }

    #[track_caller]
    fn takes_writes(&self) {
        add(
            &self.store,
            TokenEntry::new("z").external_customer_id("late"),
        );
        assert!(!self.store.stats().unwrap().file_moved);
        assert!(self.is_found("late"));
        assert_sound(&self.store);
    }
}

/// What a store at `path` has by now, opened by somebody else.
fn sequence_at(path: &Path) -> SequenceNumber {
    let mut options = options().0;
    options.create = Create::Never;
    let store = ContactStore::open(path, options).unwrap();
    assert_sound(&store);
    store.snapshot().unwrap().sequence()
}

#[test]
fn r69_a_moved_file_is_noticed_within_a_second_and_refuses_writes_until_it_is_back() {
    let file = InFile::new();
    fs::rename(&file.path, &file.elsewhere).unwrap();
    sleep(NOTICED);
    file.refuses_writes();
    // Reopening is about failed commits.
    let now = file.store.snapshot().unwrap().sequence();
    assert_eq!(file.store.reopen().unwrap(), now);
    file.refuses_writes();
    // No second has to pass when it is back.
    fs::rename(&file.elsewhere, &file.path).unwrap();
    file.takes_writes();
}

#[test]
fn r69_stats_notice_by_themselves() {
    let file = InFile::new();
    assert!(!file.store.stats().unwrap().file_moved);
    fs::rename(&file.path, &file.elsewhere).unwrap();
    sleep(NOTICED);
    assert!(file.store.stats().unwrap().file_moved);
    fs::rename(&file.elsewhere, &file.path).unwrap();
    assert!(!file.store.stats().unwrap().file_moved);
    file.takes_writes();
}

#[test]
fn r69_a_replaced_file_is_noticed_and_what_took_its_place_is_left_alone() {
    let file = InFile::new();
    fs::rename(&file.path, &file.elsewhere).unwrap();
    fs::copy(&file.elsewhere, &file.path).unwrap();
    let copy = fs::read(&file.path).unwrap();
    sleep(NOTICED);
    file.refuses_writes();
    let sequence = file.store.snapshot().unwrap().sequence();
    file.store.close().unwrap();
    assert_eq!(fs::read(&file.path).unwrap(), copy);
    // Closed where it is, it is whole.
    assert_eq!(sequence_at(&file.elsewhere), sequence);
}

#[test]
fn r69_a_removed_file_is_noticed_and_closing_ends_it() {
    let file = InFile::new();
    fs::remove_file(&file.path).unwrap();
    sleep(NOTICED);
    file.refuses_writes();
    file.store.close().unwrap();
    assert!(!file.path.exists());
}

#[test]
fn r69_a_directory_that_is_moved_takes_the_file_with_it() {
    let file = InFile::new();
    let directory = file.path.parent().unwrap();
    let away = directory.with_extension("away");
    fs::rename(directory, &away).unwrap();
    sleep(NOTICED);
    file.refuses_writes();
    fs::rename(&away, directory).unwrap();
    file.takes_writes();
}

/// It would not be opened there (R53).
#[test]
fn r69_a_link_in_the_place_of_the_file_is_not_the_file() {
    let file = InFile::new();
    fs::rename(&file.path, &file.elsewhere).unwrap();
    std::os::unix::fs::symlink(&file.elsewhere, &file.path).unwrap();
    sleep(NOTICED);
    file.refuses_writes();
    fs::rename(&file.elsewhere, &file.path).unwrap();
    file.takes_writes();
}

#[test]
fn r69_another_name_and_another_mode_are_no_move() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = InFile::new();
    fs::hard_link(&file.path, &file.elsewhere).unwrap();
    fs::set_permissions(&file.path, fs::Permissions::from_mode(0o400)).unwrap();
    sleep(NOTICED);
    file.takes_writes();
}

/// What is left of a disconnected app is removed in the background: that waits, too, and then goes on.
#[test]
fn r69_sweeping_waits_until_the_file_is_back() {
    let file = InFile::new();
    let entries = (0..3_000).map(|n| TokenEntry::new(format!("s{n}")).external_customer_id("many"));
    let mut options = options().0;
    options.limits.tokens_per_contact = 4_000;
    let path = file.path.with_file_name("many.redb");
    let store = ContactStore::open(&path, options).unwrap();
    connect(&store);
    let request = entries.fold(AddTokens::new(APP), AddTokens::entry);
    store.add_tokens(request).wait().unwrap();
    store.disconnect_app(APP).wait().unwrap();
    fs::rename(&path, &file.elsewhere).unwrap();
    sleep(NOTICED);
    let late = store
        .add_tokens(AddTokens::new(crate::support::OTHER_APP))
        .wait();
    assert!(matches!(late, Err(Error::FileMoved)), "{late:?}");
    fs::rename(&file.elsewhere, &path).unwrap();
    store
        .add_tokens(AddTokens::new(crate::support::OTHER_APP))
        .wait()
        .unwrap();
    assert_sound(&store);
    store.close().unwrap();
}
