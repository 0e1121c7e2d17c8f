//! Reading: find by each kind of identifier, cascades, listing; and find by email next to its
//! floor, the raw get of the card on a table of redb that is open already.
//!
//! Prints the ratios at its end. `CONTACT_STORE_BENCH_LARGE=1` adds a store of a million contacts.
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

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use contact_store::IdentifierKind::{ContactId, Email, ExternalCustomerId, Phone};
use contact_store::{
    ContactStore, Error, IdentifierKind, Identifiers, MatchPolicy, Options, Snapshot, StorageError,
    SubscriberId,
};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition};

use common::compare::{compare, nanoseconds};
use common::people::{Person, mix};
use common::{APP, Asked, Filled};

/// So many look-ups are timed at once. What they ask for is made just before, so that it is in the
/// processor's caches, as it is for a caller that has just parsed a request.
const BLOCK: u64 = 100;
/// So many look-ups are tried before any is timed.
const TRIED: u64 = 1_000;
const PAGE: usize = 100;
/// What the ids of the first app's subscribers have in common.
const FIRST_APP: u64 = 1 << 40;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let asked = Asked::read(&["floor"]);
    let mut said = Vec::new();
    for size in common::sizes() {
        let filled = Filled::new(size);
        let store = common::open(&filled.path(), Options::default());
        assert_answers(&store, size);
        bench_find(&mut criterion, &store, size);
        bench_listing(&mut criterion, &store, size);
        store.close().unwrap();
        assert_misses_read_no_card(&filled);
        if asked != Asked::Nothing {
            // The default, which the large store does not fit into, and one that holds everything.
            for cache_bytes in [Options::default().cache_bytes, 2 << 30] {
                said.push(against_the_floor(&filled, asked, cache_bytes));
            }
        }
    }
    criterion.final_summary();
    for line in said {
        println!("{line}");
    }
}

/// Somebody in a store of `size`; for successive numbers, in no order.
fn pick(size: u64, number: u64) -> Person {
    Person(mix(number) % size)
}

/// Somebody who is not in a store of `size`.
fn stranger(size: u64, number: u64) -> Person {
    Person(pick(size, number).0 + size)
}

/// Three identifiers of a stranger and the email of somebody in the store.
fn three_misses_and_a_match(size: u64, number: u64) -> Identifiers {
    let known = pick(size, number).given(&[Email]);
    stranger(size, number)
        .given(&[ContactId, ExternalCustomerId, Phone])
        .with_email(known.email().unwrap().clone())
}

fn find(now: &Snapshot, identifiers: &Identifiers) -> bool {
    let found = now.find(identifiers, MatchPolicy::Cascade).unwrap();
    black_box(&found).is_some()
}

/// What is timed below gives the right answers.
fn assert_answers(store: &ContactStore, size: u64) {
    let now = store.snapshot().unwrap();
    for number in 0..TRIED {
        let (person, stranger) = (pick(size, number), stranger(size, number));
        person.assert_in(&now);
        let by_id = now.find(&person.given(&[ContactId]), MatchPolicy::Cascade);
        person.assert_is(&by_id.unwrap().unwrap().card);
        for kind in IdentifierKind::ALL.iter().copied() {
            assert!(!find(&now, &stranger.given(&[kind])));
        }
        assert!(!find(&now, &stranger.given(IdentifierKind::ALL)));
        let mixed = three_misses_and_a_match(size, number);
        let found = now.find(&mixed, MatchPolicy::Cascade).unwrap().unwrap();
        assert_eq!(found.matched_by, Email);
        person.assert_is(&found.card);
    }
    let page = now.subscribers(APP, None, PAGE).unwrap();
    let listed: Vec<_> = page.iter().map(|row| row.token.as_str()).collect();
    let first: Vec<_> = (0..PAGE as u64).map(|n| Person(n).token()).collect();
    assert_eq!(listed, first);
}

fn bench_find(criterion: &mut Criterion, store: &ContactStore, size: u64) {
    let mut group = criterion.benchmark_group("find");
    let now = store.snapshot().unwrap();
    let mut bench = |name: &str, is_there: bool, ask: &dyn Fn(u64) -> Identifiers| {
        group.bench_function(BenchmarkId::new(name, size), |bencher| {
            let mut numbers = 0..;
            bencher.iter_batched_ref(
                || ask(numbers.next().unwrap()),
                |identifiers| assert_eq!(find(&now, identifiers), is_there),
                BatchSize::NumIterations(BLOCK),
            );
        });
    };
    for kind in IdentifierKind::ALL.iter().copied() {
        bench(&format!("{kind}, match"), true, &|number| {
            pick(size, number).given(&[kind])
        });
        bench(&format!("{kind}, miss"), false, &|number| {
            stranger(size, number).given(&[kind])
        });
    }
    bench("three misses and a match", true, &|number| {
        three_misses_and_a_match(size, number)
    });
    bench("miss on all four kinds", false, &|number| {
        stranger(size, number).given(IdentifierKind::ALL)
    });
    group.finish();
}

fn bench_listing(criterion: &mut Criterion, store: &ContactStore, size: u64) {
    let mut group = criterion.benchmark_group("list");
    group.throughput(Throughput::Elements(PAGE as u64));
    let now = store.snapshot().unwrap();
    let id = BenchmarkId::new("a page of 100 subscribers", size);
    group.bench_function(id, |bencher| {
        let mut numbers = 0..;
        bencher.iter(|| {
            let somebody = pick(size - PAGE as u64, numbers.next().unwrap());
            let after = SubscriberId::new(FIRST_APP | somebody.0);
            let page = now.subscribers(APP, Some(after), PAGE).unwrap();
            assert_eq!(page.len(), PAGE);
        });
    });
    group.finish();
}

type Raw = TableDefinition<'static, u64, &'static [u8]>;
type OpenRaw = ReadOnlyTable<u64, &'static [u8]>;
const CONTACTS: Raw = TableDefinition::new("contacts");

/// A miss on all four kinds, in a store all of whose cards were overwritten with what is no card:
/// that it still answers rightly shows that it looks at none.
fn assert_misses_read_no_card(filled: &Filled) {
    let spoilt = filled.copy();
    let database = Database::open(spoilt.path()).unwrap();
    let writing = database.begin_write().unwrap();
    let mut cards = writing.open_table(CONTACTS).unwrap();
    for person in (0..filled.size).map(Person) {
        let id = person.contact_id().value();
        assert!(cards.insert(id, &[0_u8][..]).unwrap().is_some());
    }
    drop(cards);
    writing.commit().unwrap();
    drop(database);

    let store = spoilt.open();
    let now = store.snapshot().unwrap();
    for number in 0..TRIED {
        let identifiers = stranger(filled.size, number).given(IdentifierKind::ALL);
        assert!(!find(&now, &identifiers));
    }
    for kind in IdentifierKind::ALL.iter().copied() {
        let found = now.find(&Person(0).given(&[kind]), MatchPolicy::Cascade);
        assert!(matches!(
            found,
            Err(Error::Storage(StorageError::Corrupt(_)))
        ));
    }
}

/// A copy of a store's own file, read with redb alone: so its trees are just the store's.
struct Floor {
    contacts: OpenRaw,
    // Closed last.
    _database: Database,
}

impl Floor {
    fn open(path: &Path, cache_bytes: usize) -> Self {
        let database = Database::builder()
            .set_cache_size(cache_bytes)
            .open(path)
            .unwrap();
        let reading = database.begin_read().unwrap();
        Floor {
            contacts: reading.open_table(CONTACTS).unwrap(),
            _database: database,
        }
    }

    fn get(&self, person: Person) {
        touch(&self.contacts, person.contact_id().value());
    }
}

/// Reads a row, and of its bytes the first and the last.
fn touch(table: &OpenRaw, key: u64) -> u8 {
    let row = ReadableTable::get(table, key).unwrap().unwrap();
    let (first, last) = (row.value().first(), row.value().last());
    black_box(*first.unwrap() ^ *last.unwrap())
}

/// Find by email to the whole card, next to the get that it needs.
fn against_the_floor(filled: &Filled, asked: Asked, cache_bytes: usize) -> String {
    let size = filled.size;
    let copied = filled.copy();
    let options = Options::default().cache_bytes(cache_bytes);
    let store = common::open(&filled.path(), options);
    let now = store.snapshot().unwrap();
    let floor = Floor::open(&copied.path(), cache_bytes);
    for person in (0..size).map(Person) {
        assert!(find(&now, &person.given(&[Email])));
        floor.get(person);
    }

    let (mut ours, mut theirs) = (0.., 0..);
    let compared = compare(
        asked.rounds(5_001),
        || {
            let ask = |number| pick(size, number).given(&[Email]);
            let block: Vec<_> = ours.by_ref().take(BLOCK as usize).map(ask).collect();
            nanoseconds(&block, |email| assert!(find(&now, email)))
        },
        || {
            let person = |number| pick(size, number);
            let block: Vec<_> = theirs.by_ref().take(BLOCK as usize).map(person).collect();
            nanoseconds(&block, |person| floor.get(*person))
        },
    );
    store.close().unwrap();
    format!(
        "{size} contacts, cache {} MiB: find by email: {:.0} ns, floor: {:.0} ns, ratio {:.2}",
        cache_bytes >> 20,
        compared.ours,
        compared.other,
        compared.ratio,
    )
}
