//! Writing, each answer durable: one caller, 64 callers, a batch of 3,000, FAILED.
//!
//! Prints at its end how many times the rate of one caller 64 of them reach, since callers share
//! commits. `CONTACT_STORE_BENCH_LARGE=1` adds a store of a million contacts.
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

use contact_store::{ContactStore, RecordReports, Report, ReportOutcome, Status};
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};

use common::callers::{CALLERS, many_callers, one_caller, under_way};
use common::compare::{compare, each};
use common::people::Person;
use common::{APP, Asked, BATCH, Filled, assert_created, request};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let asked = Asked::read(&["callers"]);
    let mut said = Vec::new();
    for size in common::sizes() {
        let filled = Filled::new(size);
        assert_sound_after_each(&filled);
        bench_adds(&mut criterion, &filled);
        bench_batch(&mut criterion, &filled);
        bench_failed(&mut criterion, &filled);
        if asked != Asked::Nothing {
            said.push(callers_together(&filled, asked));
        }
    }
    criterion.final_summary();
    for line in said {
        println!("{line}");
    }
}

/// One thread adds 64 times so many people, and has 64 of them under way.
fn many_under_way(store: &ContactStore, first: u64, count: u64) -> Duration {
    under_way(
        CALLERS * count,
        |number| store.add_tokens(request([Person(first + number)])),
        |outcome| assert_created(&outcome),
    )
}

/// Adds so many batches of 3,000.
fn batches(store: &ContactStore, first: u64, count: u64) -> Duration {
    let mut all = Duration::ZERO;
    for batch in 0..count {
        let first = first + batch * BATCH;
        let request = request((first..first + BATCH).map(Person));
        let start = Instant::now();
        let added = store.add_tokens(request).wait().unwrap();
        all += start.elapsed();
        assert_created(&added.outcome);
    }
    all
}

/// The tokens of so many people from `first` on are reported FAILED, one by one.
fn failures(store: &ContactStore, first: u64, count: u64) -> Duration {
    let start = Instant::now();
    for number in first..first + count {
        let report = Report::new(Status::Failed)
            .token(Person(number).token())
            .reason("Forbidden: bot was blocked by the user");
        let reports = RecordReports::new(APP).report(report);
        let outcome = store.record_reports(reports).wait().unwrap().outcome;
        assert!(matches!(*outcome, [Ok(ReportOutcome::Removed { .. })]));
    }
    start.elapsed()
}

/// What is timed below leaves a sound store with everybody in it.
fn assert_sound_after_each(filled: &Filled) {
    let size = filled.size;
    let copied = filled.copy();
    let store = copied.open();
    one_caller(&store, size, 1);
    many_callers(&store, size + 1, 1);
    many_under_way(&store, size + 1 + CALLERS, 1);
    batches(&store, size + 1 + 2 * CALLERS, 1);
    failures(&store, 0, 1);
    let now = store.snapshot().unwrap();
    let added = 1 + 2 * CALLERS + BATCH;
    assert_eq!(now.contact_count(), size + added);
    assert_eq!(now.apps().unwrap()[0].subscribers, size + added - 1);
    for number in size..size + added {
        Person(number).assert_in(&now);
    }
    assert_eq!(now.verify().unwrap().problems, []);
}

type Write = fn(&ContactStore, u64, u64) -> Duration;

/// How long it takes on a fresh copy, which grows by no more than this. The copy is not timed.
fn on_a_copy(filled: &Filled, write: Write, count: u64) -> Duration {
    let copied = filled.copy();
    let store = copied.open();
    write(&store, filled.size, count)
}

fn bench_adds(criterion: &mut Criterion, filled: &Filled) {
    let mut group = criterion.benchmark_group("add");
    group.sampling_mode(SamplingMode::Flat);
    let writes: [(&str, u64, Write); 3] = [
        ("one caller", 1, one_caller),
        ("64 callers", CALLERS, many_callers),
        ("64 under way", CALLERS, many_under_way),
    ];
    for (name, adds, write) in writes {
        group.throughput(Throughput::Elements(adds));
        group.bench_function(BenchmarkId::new(name, filled.size), |bencher| {
            bencher.iter_custom(|times| on_a_copy(filled, write, times));
        });
    }
    group.finish();
}

fn bench_batch(criterion: &mut Criterion, filled: &Filled) {
    let mut group = criterion.benchmark_group("add");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function(
        BenchmarkId::new("a batch of 3000", filled.size),
        |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| on_a_copy(filled, batches, 1)).sum());
        },
    );
    group.finish();
}

fn bench_failed(criterion: &mut Criterion, filled: &Filled) {
    let mut group = criterion.benchmark_group("report");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("FAILED", filled.size), |bencher| {
        bencher.iter_custom(|times| {
            let copied = filled.copy();
            let store = copied.open();
            assert!(times < filled.size);
            failures(&store, 0, times)
        });
    });
    group.finish();
}

/// How many times as fast 64 callers are as one.
fn callers_together(filled: &Filled, asked: Asked) -> String {
    const ALONE: u64 = 64;
    const EACH: u64 = 8;
    let compared = compare(
        asked.rounds(15),
        || each(on_a_copy(filled, one_caller, ALONE), ALONE as usize),
        || {
            let all = on_a_copy(filled, many_callers, EACH);
            each(all, (CALLERS * EACH) as usize)
        },
    );
    let rate = |nanoseconds: f64| 1e9 / nanoseconds;
    format!(
        "{} contacts: add by 64 callers: {:.0}/s, by one: {:.0}/s, ratio {:.1}",
        filled.size,
        rate(compared.other),
        rate(compared.ours),
        compared.ratio,
    )
}
