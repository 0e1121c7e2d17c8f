//! Loading: a log of entries replayed in batches of 3,000, next to the naive store of
//! `common/naive.rs`, both durable with each batch.
//!
//! Prints contacts a second of both, their ratio, and what a contact takes on the disk. Without
//! criterion, which repeats what it measures: a file is loaded once, and grows meanwhile. The log has
//! 10,000 entries, with `CONTACT_STORE_BENCH_LARGE=1` a million.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a bench that fails may panic, and prints what it measured"
)]

mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use contact_store::{Clock as _, ContactStore, Options, SystemClock};
use redb::Database;

use common::compare::median;
use common::naive::{Entry, NaiveStore};
use common::people::{Person, log};
use common::{APP, Asked, BATCH, connect, directory, request};

fn main() {
    if Asked::read(&["load"]) != Asked::Nothing {
        replay(common::largest());
    }
}

/// Replays a log on both sides, batch by batch in turn.
fn replay(entries: u64) {
    let directory = directory();
    let paths = ["store.redb", "naive.redb"].map(|name| directory.path().join(name));
    let options = Options::default();
    let naive = NaiveStore::create(&paths[1], options.cache_bytes);
    let store = ContactStore::open(&paths[0], options).unwrap();
    connect(&store);

    let mut log = log();
    let mut contacts = 0;
    let mut took: Vec<[Duration; 2]> = Vec::new();
    for first in (0..entries).step_by(BATCH as usize) {
        let count = BATCH.min(entries - first);
        let batch: Vec<Person> = log.by_ref().take(count as usize).collect();
        let request = request(batch.iter().copied());
        let start = Instant::now();
        let added = store.add_tokens(request).wait().unwrap().outcome;
        let ours = start.elapsed();
        assert!(added.entries.iter().all(Result::is_ok));
        let created = |entry: &&Result<contact_store::TokenAdded, _>| {
            entry.as_ref().is_ok_and(|added| added.matched_by.is_none())
        };
        contacts += added.entries.iter().filter(created).count() as u64;

        let batch: Vec<Entry> = batch.into_iter().map(Entry::from).collect();
        let now = SystemClock.now().as_millis();
        let start = Instant::now();
        naive.add(&APP.to_string(), &batch, now);
        took.push([ours, start.elapsed()]);
    }

    assert_the_same(&store, &naive, contacts);
    store.close().unwrap();
    drop(naive);
    report(contacts, &took, paths.each_ref().map(|path| &**path));
}

/// Both sides know the same people.
fn assert_the_same(store: &ContactStore, naive: &NaiveStore, contacts: u64) {
    let now = store.snapshot().unwrap();
    assert_eq!(now.contact_count(), contacts);
    let step = (contacts / 1_000).max(1);
    for person in (0..contacts).step_by(step as usize).map(Person) {
        person.assert_in(&now);
        assert_eq!(
            naive.find_by_email(&person.email()),
            Some((person.external_id(), person.phone(), person.token()))
        );
    }
    assert_eq!(naive.find_by_email(&Person(contacts).email()), None);
}

fn report(contacts: u64, took: &[[Duration; 2]], paths: [&Path; 2]) {
    let per_contact = |bytes: u64| bytes as f64 / contacts as f64;
    for (side, name) in ["contact-store", "naive store"].into_iter().enumerate() {
        let all: Duration = took.iter().map(|batch| batch[side]).sum();
        let file_bytes = fs::metadata(paths[side]).unwrap().len();
        println!(
            "load of {contacts} contacts, {name}: {:.0} contacts/s, on the disk {:.0} bytes a \
             contact, of which in rows {:.0}",
            contacts as f64 / all.as_secs_f64(),
            per_contact(file_bytes),
            per_contact(bytes_in_rows(paths[side])),
        );
    }
    let all = |side: usize| -> f64 { took.iter().map(|batch| batch[side].as_secs_f64()).sum() };
    let of_each = took
        .iter()
        .map(|[ours, naive]| naive.as_secs_f64() / ours.as_secs_f64());
    println!(
        "load of {contacts} contacts: {:.2} times as fast as the naive store, batch by batch {:.2}",
        all(1) / all(0),
        median(of_each),
    );
}

/// The bytes of keys and values in a closed file, without free space.
fn bytes_in_rows(path: &Path) -> u64 {
    let database = Database::open(path).unwrap();
    let writing = database.begin_write().unwrap();
    let bytes = writing.stats().unwrap().stored_bytes();
    writing.abort().unwrap();
    bytes
}
