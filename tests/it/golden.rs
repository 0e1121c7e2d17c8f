//! Files that earlier builds made, and which every later one opens (R50).
//!
//! They are in `golden/format_1/`, `format_2/` and `format_3/`, kept as [`pages`] says, with what they show
//! in `shown.txt` (of format 3, in [`format_3`]). `golden/newer.pages` is of a format after the newest.
//!
//! - `closed.pages`: closed cleanly. The indexes were never folded: all of them is in their log.
//! - `open.pages`: what a power cut leaves of an open store. An app was disconnected a moment ago, and
//!   what it left behind is removed by half.
//! - `folded.pages`: closed cleanly, with small buckets. Two rounds of folding have ended.
//! - `folding.pages`: what a power cut leaves in the middle of a later round of folding.
//! - `written.pages`: the same as `closed.pages`, as it is written now. It may change with how rows are
//!   put into pages, and is made anew then.
//! - `older_forms.pages`, of format 1: with values that an earlier version of the canonical forms took.
//!
//! Every table has rows in them, and rows as long as the limits allow. They are made once, with
//! `cargo test -p contact-store-tests --test it -- --ignored make_the_golden_files`, which replaces none that is there.
//! When a change of this crate makes that necessary, files written before it no longer open, and the
//! format has a new number; the files of the old one stay here then, to be refused or read as that change
//! says.

mod content;
mod format_3;
mod older_forms;
pub mod pages;
mod shown;
mod upgrade;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use contact_store::{
    AddTokens, ContactStore, ContactUpdate, DedupeOn, Error, GivenIdentifiers, IdentifierKind,
    MatchPolicy, OpenError, RecordReports, Report, Status, TokenEntry, Upsert,
};

use crate::failing_disk::disk::{Call, Fault, FaultKind, TestDisk};
use crate::support::cases::HANG;
use crate::support::raw;
use crate::support::{APP, assert_sound, find, id, options};
use content::GONE;
use pages::{beside, golden, keep, keep_as_it_is};
use shown::{cards, identifiers, shown};

/// A file with the bytes of one that is kept, in a directory of its own.
fn copy(name: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("golden.redb");
    fs::write(&path, golden(name)).unwrap();
    (directory, path)
}

/// Whatever is on a card leads to it.
#[track_caller]
fn assert_found(store: &ContactStore) {
    let now = store.snapshot().unwrap();
    let cards = cards(&now);
    assert_eq!(cards.len() as u64, now.contact_count());
    for card in cards {
        let (external_id, phone, email) = identifiers(&card.identifiers);
        for (kind, given) in [
            (
                IdentifierKind::ExternalCustomerId,
                external_id.map(|it| GivenIdentifiers::new().external_customer_id(it)),
            ),
            (
                IdentifierKind::Phone,
                phone.map(|it| GivenIdentifiers::new().phone(it)),
            ),
            (
                IdentifierKind::Email,
                email.map(|it| GivenIdentifiers::new().email(it)),
            ),
        ] {
            let Some(given) = given else { continue };
            let found = now.find(&given.parse().unwrap(), MatchPolicy::Cascade);
            let found = found.unwrap().unwrap();
            assert_eq!((found.card.id, found.matched_by), (card.id, kind));
        }
        for token in &card.tokens {
            let found = now.subscriber_by_token(token.app, &token.token).unwrap();
            let found = found.unwrap();
            assert_eq!(found.id, token.subscriber);
            assert!(found.contacts.contains(&card.id));
        }
    }
}

fn open(path: &Path) -> ContactStore {
    ContactStore::open(path, options().0).unwrap()
}

fn rows(store: &ContactStore) -> u64 {
    let verified = store.snapshot().unwrap().verify().unwrap();
    assert_eq!(verified.problems, []);
    verified.rows
}

#[test]
fn a_golden_file_shows_what_is_written_beside_it_and_takes_writes() {
    let expected = fs::read_to_string(beside(&present("shown.txt"))).unwrap();
    let mut rows_after = Vec::new();
    for name in ["closed", "open", "folded", "folding"] {
        let name = &present(&format!("{name}.pages"));
        let (_directory, path) = copy(name);
        let store = open(&path);
        let now = store.snapshot().unwrap();
        // Not `assert_eq`, which would print all of it on one line.
        assert!(shown(&now) == expected, "{name} shows:\n{}", shown(&now));
        assert_sound(&store);
        assert_found(&store);

        let after = write_to(&store, now.sequence().value());
        store.close().unwrap();
        // Each of the writes took along a part of what the disconnected app had left.
        rows_after.push(raw::rows_besides_indexes(&fs::read(&path).unwrap()));
        let store = open(&path);
        assert_eq!(store.snapshot().unwrap().sequence().value(), after);
        assert_sound(&store);
        assert_found(&store);
        store.close().unwrap();
    }
    assert_eq!(rows_after, [rows_after[0]; 4]);
}

/// Writes to every table. Gives the number that it leads to.
fn write_to(store: &ContactStore, number: u64) -> u64 {
    let entry = TokenEntry::new("a new one").email("ann@example.com");
    let added = store.add_tokens(AddTokens::new(APP).entry(entry)).wait();
    assert_eq!(added.unwrap().sequence.value(), number + 1);
    let update = ContactUpdate::new()
        .email("ann@example.com")
        .phone("+380 50 000 00 77")
        .external_customer_id("ann")
        .first_name("Ann");
    let upserted = store.upsert(Upsert::new(DedupeOn::Email).contact(update));
    assert_eq!(upserted.wait().unwrap().sequence.value(), number + 2);
    let sent = Report::new(Status::Sent).token("a new one").message("new");
    let reported = store.record_reports(RecordReports::new(APP).report(sent));
    assert_eq!(reported.wait().unwrap().sequence.value(), number + 3);
    let erased = store.erase(id(1)).wait().unwrap();
    assert_eq!(erased.sequence.value(), number + 4);
    assert_eq!(store.snapshot().unwrap().contact(id(1)).unwrap(), None);
    let found = find(store, GivenIdentifiers::new().phone("+380500000077"));
    let card = found.unwrap().unwrap().card;
    // The ids of the ten before are taken, the one of the erased contact too.
    assert_eq!(card.id, id(11));
    assert_eq!(card.fields.first_name.as_deref(), Some("Ann"));
    number + 4
}

/// What a disconnected app left behind is still there where it was cut off, and seen by nobody.
#[test]
fn a_golden_file_holds_what_a_disconnected_app_left_behind() {
    let (_directory, closed) = copy(&present("closed.pages"));
    let without = rows(&open(&closed));
    // How often opening syncs. The next sync is that of a step which removes more.
    let open = |disk: &Arc<TestDisk>| ContactStore::open_on_disk(disk.clone(), options().0);
    let syncs = (0..)
        .find(|syncs| {
            let disk = TestDisk::with(golden(&present("open.pages")));
            let (at, kind) = (syncs + 1, FaultKind::FromThenOn);
            disk.fail_calls(Call::Sync, Fault { at, kind });
            open(&disk).is_ok()
        })
        .unwrap();
    let disk = TestDisk::with(golden(&present("open.pages")));
    disk.hold_at_sync(syncs + 1);
    let store = open(&disk).unwrap();
    assert!(disk.somebody_waits(HANG));
    assert_eq!(rows(&store), without + content::LEFT_BEHIND);
    assert!(matches!(
        store.snapshot().unwrap().messages(GONE, None, 1),
        Err(Error::UnknownApp(GONE))
    ));
    disk.release();
    store.close().unwrap();
}

#[test]
fn a_golden_file_of_a_newer_format_is_refused_and_left_as_it_is() {
    let (_directory, path) = copy("newer.pages");
    let before = fs::read(&path).unwrap();
    match ContactStore::open(&path, options().0) {
        Err(Error::Open(OpenError::NewerFormat { found: 4, known: 3 })) => {}
        other => panic!("{other:?}"),
    }
    assert!(fs::read(&path).unwrap() == before, "changed by opening");
}

/// The four files hold the indexes in four states of folding.
#[test]
fn golden_files_hold_the_indexes_folded_not_folded_and_half_folded() {
    let found = ["closed", "open", "folded", "folding"].map(|name| {
        let (_directory, path) = copy(&present(&format!("{name}.pages")));
        let log_rows = raw::rows(&path, "index_log").len();
        let mut generations: Vec<u64> = raw::rows(&path, "index")
            .into_iter()
            .map(|(key, _)| match key {
                raw::Key::Int(key) => key >> 32,
                other => panic!("{other:?}"),
            })
            .collect();
        generations.dedup();
        (name, generations, log_rows > 0)
    });
    let expected = [
        ("closed", vec![], true),
        ("open", vec![], true),
        ("folded", vec![2], false),
        ("folding", vec![1, 2], true),
    ];
    assert_eq!(found, expected);
}

/// A file of the present format.
fn present(name: &str) -> String {
    format!("format_2/{name}")
}

/// A disk whose store is always the same.
fn create(disk: &Arc<TestDisk>, folding: Option<(usize, usize, usize, u64)>) -> ContactStore {
    let mut options = options().0;
    options.testing.random = Some([1, 2]);
    options.testing.folding = folding.unwrap_or(options.testing.folding);
    ContactStore::open_on_disk(disk.clone(), options).unwrap()
}

fn write_and_disconnect(store: &ContactStore) {
    content::write(store);
    store.disconnect_app(GONE).wait().unwrap();
    // Nothing changes, but a part of what the app left goes with each.
    for _ in 0..4 {
        assert!(!store.erase(id(77)).wait().unwrap().outcome.erased);
    }
}

/// What it wrote the day when rows at the end of a table began to fill their pages. Up to that day it wrote
/// `closed.pages`, byte for byte, which was made before there was any option that keeps something: what is
/// off costs nothing.
#[test]
fn r60_r65_with_every_option_off_the_same_traffic_writes_the_same_bytes() {
    let (now, before) = (written_now(), golden(&present("written.pages")));
    assert_eq!(now.len(), before.len());
    let differ = (0..now.len()).filter(|at| now[*at] != before[*at]);
    assert_eq!(differ.collect::<Vec<_>>(), [0_usize; 0]);
}

/// The file that the traffic of the golden files leaves, closed.
fn written_now() -> Vec<u8> {
    let disk = TestDisk::empty();
    let store = create(&disk, None);
    write_and_disconnect(&store);
    store.close().unwrap();
    disk.bytes()
}

#[test]
#[ignore = "makes the file, once the one there is removed: cargo test -p contact-store-tests --test it -- --ignored make_the_file_that_is_written"]
fn make_the_file_that_is_written() {
    keep(&present("written.pages"), &written_now());
}

/// Makes the files. See the module.
#[test]
#[ignore = "makes the files, once those there are removed: cargo test -p contact-store-tests --test it -- --ignored make_the_golden_files"]
fn make_the_golden_files() {
    let disk = TestDisk::empty();
    let store = create(&disk, None);
    write_and_disconnect(&store);
    let now = shown(&store.snapshot().unwrap());
    keep_as_it_is(&present("shown.txt"), now.as_bytes());
    store.close().unwrap();
    keep(&present("closed.pages"), &disk.bytes());

    let disk = TestDisk::empty();
    let store = create(&disk, None);
    content::write(&store);
    // Two syncs disconnect the app, and two remove the first part of what it left.
    disk.fail_sync(5);
    store.disconnect_app(GONE).wait().unwrap();
    while disk.failed_calls() == 0 {
        std::thread::yield_now();
    }
    keep(&present("open.pages"), &disk.after_power_cut());

    let disk = TestDisk::empty();
    let store = create(&disk, Some((100, 1 << 20, 512, 16)));
    write_and_disconnect(&store);
    store.close().unwrap();
    keep(&present("folded.pages"), &disk.bytes());

    let disk = TestDisk::empty();
    let store = create(&disk, Some((40, 300, 256, 4)));
    write_and_disconnect(&store);
    keep(&present("folding.pages"), &disk.after_power_cut());
    drop(store);

    let disk = TestDisk::empty();
    let mut options = options().0;
    options.testing.format = 4;
    drop(ContactStore::open_on_disk(disk.clone(), options));
    keep("newer.pages", &disk.bytes());
}
