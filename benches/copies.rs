//! Copying an open store: a backup and a vacuum next to `cp` of the file with its sync, and what 64
//! callers write a second while a backup is made next to what they write without one.
//!
//! The log has 10,000 entries, with `CONTACT_STORE_BENCH_LARGE=1` a million.
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

use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use contact_store::{AddTokens, ContactStore, CopyProgress, Options, TokenEntry};

use common::compare::{compare, median};
use common::people::{Person, log};
use common::{APP, Asked, BATCH, connect, directory, request};

const GO_ON: fn(CopyProgress) -> ControlFlow<()> = |_| ControlFlow::Continue(());

fn main() {
    if Asked::read(&["copies"]) != Asked::Nothing {
        copies(common::largest());
    }
}

fn copies(entries: u64) {
    let directory = directory();
    let [path, to] = ["store.redb", "copy.redb"].map(|name| directory.path().join(name));
    let store = ContactStore::open(&path, Options::default()).unwrap();
    connect(&store);
    let mut log = log();
    for first in (0..entries).step_by(BATCH as usize) {
        let count = BATCH.min(entries - first);
        let batch: Vec<Person> = log.by_ref().take(count as usize).collect();
        let added = store.add_tokens(request(batch)).wait();
        added.unwrap().outcome.entries.all().unwrap();
    }
    let contacts = store.stats().unwrap().contacts;

    let backup = compare(
        5,
        || {
            seconds(&to, || {
                store.snapshot().unwrap().backup(&to, GO_ON).unwrap();
            })
        },
        || seconds(&to, || cp(&path, &to)),
    );
    println!(
        "backup of {contacts} contacts: {:.2} s, at {:.2} of the rate of cp with its sync",
        backup.ours,
        1.0 / backup.ratio
    );
    let vacuum = compare(
        5,
        || {
            seconds(&to, || {
                store.vacuum(GO_ON).unwrap();
            })
        },
        || seconds(&to, || cp(&path, &to)),
    );
    println!(
        "vacuum of {contacts} contacts: {:.2} s, at {:.2} of the rate of cp with its sync; the file \
         has {} bytes",
        vacuum.ours,
        1.0 / vacuum.ratio,
        fs::metadata(&path).unwrap().len()
    );
    writers_under(&store, "backup", contacts, || {
        store.snapshot().unwrap().backup(&to, GO_ON).unwrap();
        fs::remove_file(&to).unwrap();
    });
    writers_under(&store, "vacuum", contacts, || {
        store.vacuum(GO_ON).unwrap();
    });
}

/// The seconds that making a file takes, which is removed then.
fn seconds(made: &Path, make: impl FnOnce()) -> f64 {
    let start = Instant::now();
    make();
    let took = start.elapsed().as_secs_f64();
    drop(fs::remove_file(made));
    took
}

fn cp(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
    File::open(to).unwrap().sync_all().unwrap();
}

/// What 64 callers write a second while `work` is done again and again, and without it, in turn.
fn writers_under(store: &ContactStore, name: &str, contacts: u64, mut work: impl FnMut()) {
    const CALLERS: usize = 64;
    const ROUNDS: usize = 3;
    let (done, written) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (done, written) = (&done, &written);
            scope.spawn(move || {
                for n in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let token = format!("under a {name}, {caller} {n}");
                    let entry = TokenEntry::new(&token).external_customer_id(token);
                    let added = store.add_tokens(AddTokens::new(APP).entry(entry)).wait();
                    added.unwrap().outcome.entries.all().unwrap();
                    written.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let rate = |work: &mut dyn FnMut()| {
            let (before, start) = (written.load(Ordering::Relaxed), Instant::now());
            work();
            let count = written.load(Ordering::Relaxed) - before;
            count as f64 / start.elapsed().as_secs_f64()
        };
        let rounds: Vec<[f64; 2]> = (0..ROUNDS)
            .map(|_| {
                let under = rate(&mut work);
                [
                    under,
                    rate(&mut || thread::sleep(Duration::from_millis(500))),
                ]
            })
            .collect();
        done.store(true, Ordering::Relaxed);
        println!(
            "{CALLERS} callers under a {name} of {contacts} contacts: {:.0} a second, {:.2} of what \
             they write without",
            median(rounds.iter().map(|[under, _]| *under)),
            median(rounds.iter().map(|[under, without]| under / without)),
        );
    });
}
