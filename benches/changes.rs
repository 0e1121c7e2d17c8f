//! The change feed: what it costs 64 callers that add, side by side with a store without it, and how fast it
//! is read.
//!
//! `CONTACT_STORE_BENCH_LARGE=1` adds a store of a million contacts.
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

use std::time::{Duration, Instant};

use contact_store::{ChangePosition, ContactStore, KeepChanges, Options, WhenFull};

use common::callers::{CALLERS, many_callers};
use common::compare::{compare, each, median};
use common::people::Person;
use common::{Asked, BATCH, Filled, add_people, assert_created, connect, open, request};

fn main() {
    let asked = Asked::read(&["changes"]);
    if asked == Asked::Nothing {
        return;
    }
    for size in common::sizes() {
        println!("{}", writing(&Filled::new(size), asked));
    }
    println!("{}", reading(asked));
}

fn fed() -> Options {
    Options::default().change_feed(KeepChanges::default().changes(100_000_000))
}

/// 64 callers add to a copy. Gives the nanoseconds of each.
fn on_a_copy(filled: &Filled, options: Options, count: u64) -> f64 {
    let copied = filled.copy();
    let store = open(&copied.path(), options);
    let took = many_callers(&store, filled.size, count);
    each(took, (CALLERS * count) as usize)
}

fn writing(filled: &Filled, asked: Asked) -> String {
    let each = match asked {
        Asked::Measure => 128,
        _ => 2,
    };
    let compared = compare(
        asked.rounds(15),
        || on_a_copy(filled, Options::default(), each),
        || on_a_copy(filled, fed(), each),
    );
    let rate = |nanoseconds: f64| 1e9 / nanoseconds;
    format!(
        "{} contacts: add by 64 callers: {:.0}/s with the change feed, {:.0}/s without, ratio {:.2}",
        filled.size,
        rate(compared.other),
        rate(compared.ours),
        compared.ratio,
    )
}

/// Reads all changes in pages of 1,000.
fn read_all(store: &ContactStore) -> (u64, Duration) {
    let now = store.snapshot().unwrap();
    let (mut position, mut read) = (ChangePosition::START, 0);
    let start = Instant::now();
    loop {
        let page = now.changes(position, 1_000).unwrap();
        read += page.changes.len() as u64;
        position = page.position;
        if !page.more {
            return (read, start.elapsed());
        }
    }
}

fn reading(asked: Asked) -> String {
    let directory = common::directory();
    let path = directory.path().join("contacts.redb");
    let store = ContactStore::open(&path, fed()).unwrap();
    connect(&store);
    let people = match asked {
        Asked::Measure => 200_000,
        _ => BATCH,
    };
    // In requests of one contact each, and of 3,000.
    let single = people / 2;
    let waiting = store.when_full(WhenFull::Wait);
    let pending = (0..single).map(|number| waiting.add_tokens(request([Person(number)])));
    let pending: Vec<_> = pending.collect();
    for pending in pending {
        assert_created(&pending.wait().unwrap().outcome);
    }
    let rate = |store: &ContactStore| {
        let rates = (0..asked.rounds(15)).map(|_| {
            let (read, took) = read_all(store);
            1e9 / each(took, read as usize)
        });
        median(rates)
    };
    let of_one = rate(&store);
    for first in (single..people).step_by(BATCH as usize) {
        add_people(&store, (first..people.min(first + BATCH)).map(Person));
    }
    let mixed = rate(&store);
    let (read, _) = read_all(&store);
    format!(
        "read changes in pages of 1,000: {of_one:.0}/s of requests with one entry, {mixed:.0}/s with \
         batches among them, {read} changes"
    )
}
