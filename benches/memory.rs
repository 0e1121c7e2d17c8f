//! Memory: what a process with a store resides in, which stays within the configured cache and
//! 64 MiB, however large the store.
//!
//! A process of its own, since that is what the system counts; on Linux only. The store is loaded
//! from entries made up as they are needed, closed, opened, and searched at random; each step prints
//! its peak. `CONTACT_STORE_BENCH_LARGE=1` makes it a million contacts.
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

use contact_store::{IdentifierKind, MatchPolicy, Options};

use common::people::{Person, mix};
use common::resident::{forget_peak, resident};
use common::{Asked, Filled};

/// What the process may take besides the cache.
const BESIDES: u64 = 64 << 20;

fn main() {
    if Asked::read(&["memory"]) == Asked::Nothing {
        return;
    }
    let cache_bytes = Options::default().cache_bytes as u64;
    let most = cache_bytes + BESIDES;
    let size = common::largest();
    let mut over = Vec::new();
    let mut say = |step: &str| {
        let Some((now, peak)) = resident() else {
            println!("memory: this system does not tell");
            return;
        };
        println!(
            "memory at {size} contacts, {step}: {} MiB resident, {} MiB at the peak, {} MiB allowed",
            now >> 20,
            peak >> 20,
            most >> 20,
        );
        if peak > most {
            over.push(step.to_owned());
        }
        forget_peak();
    };

    forget_peak();
    let filled = Filled::new(size);
    say("loaded and closed");
    let store = common::open(&filled.path(), Options::default());
    say("opened and verified");
    let now = store.snapshot().unwrap();
    for number in 0..size {
        let person = Person(mix(number) % size);
        let kind = IdentifierKind::ALL[(mix(number) % 4) as usize];
        let found = now.find(&person.given(&[kind]), MatchPolicy::Cascade);
        assert_eq!(found.unwrap().unwrap().card.id, person.contact_id());
    }
    say("after as many finds at random");
    assert_eq!(over, [] as [&str; 0], "over what is allowed");
}
