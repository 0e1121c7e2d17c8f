//! Exports and imports of whole stores as NDJSON and of contacts as CSV, next to a bulk load of the same people and a mere
//! walk of the same rows.
//!
//! Prints contacts a second of each, their ratios, and what memory an export and an import take. Without
//! criterion, which repeats what it measures: an import is into an empty store. The store has 10,000
//! contacts, with `CONTACT_STORE_BENCH_LARGE=1` a million.
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

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use contact_store::transfer::{
    CsvOptions, ExportOptions, ImportOptions, export_csv, export_ndjson, import_csv, import_ndjson,
};
use contact_store::{ContactStore, Options, Snapshot};

use common::compare::median;
use common::people::Person;
use common::resident::{forget_peak, resident};
use common::{APP, Asked, BATCH, assert_created, connect, directory, request};

/// What the process may take besides the cache and the indexes.
const BESIDES: u64 = 128 << 20;

fn main() {
    let asked = Asked::read(&["transfer"]);
    let mut rounds = Vec::new();
    for _ in 0..asked.rounds(3) {
        rounds.push(round(common::largest()));
    }
    if rounds.is_empty() {
        return;
    }
    let rates = |side: usize| median(rounds.iter().map(|round| round[side]));
    let ratio = |one: usize, other: usize| median(rounds.iter().map(|r| r[one] / r[other]));
    println!(
        "bulk load {:.0} contacts/s, import {:.0}, ratio {:.2}; walk of the rows {:.0}, export {:.0}, \
         ratio {:.2}",
        rates(LOAD),
        rates(IMPORT),
        ratio(IMPORT, LOAD),
        rates(WALK),
        rates(EXPORT),
        ratio(EXPORT, WALK),
    );
    println!(
        "CSV: import {:.0} contacts/s, ratio to the bulk load {:.2}; export {:.0}",
        rates(IMPORT_CSV),
        ratio(IMPORT_CSV, LOAD),
        rates(EXPORT_CSV),
    );
}

const LOAD: usize = 0;
const WALK: usize = 1;
const EXPORT: usize = 2;
const IMPORT: usize = 3;
const EXPORT_CSV: usize = 4;
const IMPORT_CSV: usize = 5;

/// Contacts a second of each side.
fn round(size: u64) -> [f64; 6] {
    let directory = directory();
    let path = |name: &str| directory.path().join(name);
    let open = |name: &str| ContactStore::open(path(name), Options::default()).unwrap();
    let rate = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        size as f64 / start.elapsed().as_secs_f64()
    };

    let store = open("store.redb");
    connect(&store);
    let load = rate(&mut || load(&store, size));
    let now = store.snapshot().unwrap();
    let walk = rate(&mut || walk(&now));
    forget_peak();
    let export = rate(&mut || export(&now, &path("export.ndjson")));
    within("export", &store);
    forget_peak();
    let written = rate(&mut || write_csv(&now, &path("export.csv")));
    within("export of CSV", &store);
    drop(now);
    store.close().unwrap();
    drop(store);

    let restored = open("restored.redb");
    forget_peak();
    let import = rate(&mut || import(&restored, &path("export.ndjson")));
    within("import", &restored);
    let now = restored.snapshot().unwrap();
    assert_eq!(now.contact_count(), size);
    let step = usize::try_from((size / 1_000).max(1)).unwrap();
    for person in (0..size).step_by(step).map(Person) {
        person.assert_in(&now);
    }
    drop(now);
    restored.close().unwrap();
    drop(restored);

    let filled = open("filled.redb");
    forget_peak();
    let read = rate(&mut || read_csv(&filled, &path("export.csv"), size));
    within("import of CSV", &filled);
    filled.close().unwrap();
    [load, walk, export, import, written, read]
}

/// The next request is made while the one before is committed.
fn load(store: &ContactStore, size: u64) {
    let mut pending = None;
    for first in (0..size).step_by(BATCH as usize) {
        let people = (first..size.min(first + BATCH)).map(Person);
        let next = store.add_tokens(request(people));
        if let Some(before) = pending.replace(next) {
            let before: contact_store::Pending<_> = before;
            assert_created(&before.wait().unwrap().outcome);
        }
    }
    if let Some(last) = pending {
        assert_created(&last.wait().unwrap().outcome);
    }
}

/// Reads what an export reads, and does nothing with it.
fn walk(now: &Snapshot) {
    let mut seen = 0_usize;
    for card in now.iter_contacts() {
        seen += card.unwrap().tokens.len();
    }
    now.visit_subscribers(APP, None, |subscriber| {
        seen += subscriber.contacts.len();
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(seen > 0);
}

fn export(now: &Snapshot, to: &Path) {
    let file = File::create(to).unwrap();
    let go_on = |_| ControlFlow::Continue(());
    export_ndjson(now, &file, ExportOptions::default(), go_on).unwrap();
    file.sync_all().unwrap();
}

fn import(store: &ContactStore, from: &Path) {
    let file = File::open(from).unwrap();
    let imported = import_ndjson(
        store,
        file,
        ImportOptions::new(),
        |_| ControlFlow::Continue(()),
        |_| ControlFlow::Continue(()),
    );
    assert_eq!(imported.unwrap().refused_rows(), 0);
}

fn write_csv(now: &Snapshot, to: &Path) {
    let file = File::create(to).unwrap();
    export_csv(now, &file, |_| ControlFlow::Continue(())).unwrap();
    file.sync_all().unwrap();
}

fn read_csv(store: &ContactStore, from: &Path, size: u64) {
    let file = File::open(from).unwrap();
    let imported = import_csv(
        store,
        file,
        CsvOptions::default(),
        |_| ControlFlow::Continue(()),
        |_| ControlFlow::Continue(()),
    );
    let imported = imported.unwrap().imported;
    assert_eq!((imported.rows, imported.created), (size, size));
}

/// What was in memory at the peak is within the bounds.
fn within(what: &str, store: &ContactStore) {
    let Some((_, peak)) = resident() else {
        println!("{what}: this system does not tell what memory it takes");
        return;
    };
    let stats = store.stats().unwrap();
    let kept = (stats.cache_bytes + stats.index_bytes) as u64;
    println!(
        "{what}: {} MiB at the peak, cache and indexes {} MiB",
        peak >> 20,
        kept >> 20
    );
    assert!(peak <= kept + BESIDES, "over what is allowed");
}
