//! What each option costs when it is on, and that it costs nothing when it is off.
//!
//! The same requests go to copies of one store, 64 of them under way: one with no option, one more of
//! those, which shows how much is chance, one for each option, and one for all together. Prints a line for
//! each: the times beside those with no option, the sides in turn; and how many bytes more a write leaves in
//! the file. Then a merge of two contacts beside an upsert, which `-- merge` prints alone.
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

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use contact_store::{
    AddTokens, ContactStore, ContactUpdate, ContactUpserted, DedupeOn, Erase, GivenRecipient,
    IdempotencyKey, KeepAnswers, KeepChanges, Merge, Mute, Options, Outcomes, RecordReports,
    Report, ReportOutcome, Stats, Status, Token, TokenEntry, TokensAdded, Upsert,
};

use common::callers::{CALLERS, under_way};
use common::compare::{compare, each, median};
use common::people::Person;
use common::{APP, Asked, Filled, assert_created, load, open, request};

/// More than any of the stores gets.
const ENOUGH: usize = 1_000_000;

/// What is measured of each side.
const OPERATIONS: [&str; 6] = [
    "add",
    "add that names two",
    "FAILED",
    "upsert",
    "find",
    "resolve",
];

/// A store with an option.
struct Side {
    name: &'static str,
    options: fn(Options) -> Options,
    /// Whether each request has an idempotency key.
    keyed: bool,
    /// Whether a token is muted and an identifier suppressed.
    mutes: bool,
    suppresses: bool,
}

impl Side {
    const fn new(name: &'static str, options: fn(Options) -> Options) -> Self {
        Side {
            name,
            options,
            keyed: false,
            mutes: false,
            suppresses: false,
        }
    }
}

fn none(options: Options) -> Options {
    options
}

fn feed(options: Options) -> Options {
    options.change_feed(KeepChanges::default())
}

fn conflicts(options: Options) -> Options {
    options.conflicts(ENOUGH)
}

fn blocked(options: Options) -> Options {
    options.remember_blocked(ENOUGH)
}

fn answers(options: Options) -> Options {
    options.keep_answers(KeepAnswers::default())
}

fn all(options: Options) -> Options {
    feed(conflicts(blocked(answers(options))))
}

/// The first is what the others are compared with.
const SIDES: [Side; 10] = [
    Side::new("no option", none),
    Side::new("no option, once more", none),
    Side::new("change feed", feed),
    Side::new("conflicts", conflicts),
    Side::new("remember_blocked", blocked),
    Side::new("keep_answers, no keys", answers),
    Side {
        keyed: true,
        ..Side::new("keep_answers, keys", answers)
    },
    Side {
        mutes: true,
        ..Side::new("a muted token", none)
    },
    Side {
        suppresses: true,
        ..Side::new("a suppressed contact", none)
    },
    Side {
        keyed: true,
        mutes: true,
        suppresses: true,
        ..Side::new("all of them", all)
    },
];

fn main() {
    let [of_options, of_merges] = [&["options"], &["merge"]].map(|names| Asked::read(names));
    if [of_options, of_merges] == [Asked::Nothing; 2] {
        return;
    }
    for size in common::sizes() {
        let filled = Filled::new(size);
        if of_options != Asked::Nothing {
            println!("{}", options(&filled, of_options));
        }
        if of_merges != Asked::Nothing {
            println!("{}", merging(&filled, of_merges));
        }
    }
}

/// Copies of a large store take long.
fn rounds(filled: &Filled, asked: Asked) -> usize {
    asked.rounds(if filled.size > 100_000 { 5 } else { 15 })
}

fn options(filled: &Filled, asked: Asked) -> String {
    let count = match asked {
        Asked::Measure => 20 * CALLERS,
        _ => CALLERS,
    };
    // Each ends sound before any is timed, and the indexes of each are as compact as can be.
    let bytes = SIDES.each_ref().map(|side| {
        let mut bytes = 0.0;
        measure(filled, side, count, |store| {
            assert_eq!(store.snapshot().unwrap().verify().unwrap().problems, []);
            store.vacuum(|_| ControlFlow::Continue(())).unwrap();
            bytes = store.space().unwrap().used_bytes as f64;
        });
        bytes
    });
    let before = load();
    let mut measured: [Vec<[f64; OPERATIONS.len()]>; SIDES.len()] = Default::default();
    for round in 0..rounds(filled, asked) {
        for turn in 0..SIDES.len() {
            let side = (round + turn) % SIDES.len();
            measured[side].push(measure(filled, &SIDES[side], count, |_| {}));
        }
    }
    let mut said = format!(
        "{} contacts: nanoseconds with no option, and how many times as long it takes with one; load \
         {before} before, {} after\n{:22}",
        filled.size,
        load(),
        ""
    );
    said.extend(OPERATIONS.iter().map(|name| format!(" {name:>18}")));
    said += "  bytes more a write";
    let base = &measured[0];
    for ((side, rounds), used) in SIDES.iter().zip(&measured).zip(bytes) {
        said += &format!("\n{:22}", side.name);
        for operation in 0..OPERATIONS.len() {
            let times = || rounds.iter().map(|round| round[operation]);
            said += &if side.name == SIDES[0].name {
                format!(" {:>18.0}", median(times()))
            } else {
                let pairs = times().zip(base);
                let ratios = pairs.map(|(time, base)| time / base[operation]);
                format!(" {:>18.3}", median(ratios))
            };
        }
        said += &format!(" {:>19.0}", (used - bytes[0]) / (4 * count) as f64);
    }
    said
}

/// Does so many of each operation on a fresh copy, and then `after`. Gives the nanoseconds of each.
fn measure(
    filled: &Filled,
    side: &Side,
    count: u64,
    after: impl FnOnce(&ContactStore),
) -> [f64; OPERATIONS.len()] {
    let copied = filled.copy();
    let store = open(&copied.path(), (side.options)(Options::default()));
    // They are in no request that is measured.
    let [muted, suppressed] = [Person(filled.size - 1), Person(filled.size - 2)];
    assert!(4 * count < suppressed.0);
    if side.mutes {
        let token = Token::parse(muted.token()).unwrap();
        store.mute(Mute::new(APP, token)).wait().unwrap();
    }
    if side.suppresses {
        let erase = Erase::new(suppressed.contact_id()).suppress();
        assert!(store.erase(erase).wait().unwrap().outcome.erased);
    }
    let keyed = |operation: usize, number: u64| {
        if !side.keyed {
            return store.clone();
        }
        let key = format!("{}-{number:020}", OPERATIONS[operation]);
        store.once(&IdempotencyKey::parse(key).unwrap())
    };

    let new = |number| Person(filled.size + number);
    let failed = Person;
    let changed = |number| Person(count + number);
    let pair = |number| [0, 1].map(|one| Person(2 * count + 2 * number + one));

    let adds = under_way(
        count,
        |number| keyed(0, number).add_tokens(request([new(number)])),
        |outcome| assert_created(&outcome),
    );
    let naming_two = under_way(
        count,
        |number| {
            let [phone, email] = pair(number);
            let entry = TokenEntry::new(format!("9{number:012}"))
                .phone(phone.phone())
                .email(email.email());
            keyed(1, number).add_tokens(AddTokens::new(APP).entry(entry))
        },
        |outcome: TokensAdded| assert!(matches!(*outcome.entries, [Ok(_)])),
    );
    let failures = under_way(
        count,
        |number| {
            let report = Report::new(Status::Failed)
                .token(failed(number).token())
                .reason("Forbidden: bot was blocked by the user");
            keyed(2, number).record_reports(RecordReports::new(APP).report(report))
        },
        |outcome: Outcomes<ReportOutcome>| {
            assert!(matches!(*outcome, [Ok(ReportOutcome::Removed { .. })]));
        },
    );
    let upserts = under_way(
        count,
        |number| keyed(3, number).upsert(upsert(changed(number), number)),
        assert_upserted,
    );
    let finds = reads(count, |number| {
        let now = store.snapshot().unwrap();
        let person = changed(number);
        let card = now.by_email(&person.email()).unwrap().unwrap();
        assert_eq!(card.id, person.contact_id());
    });
    let resolved = reads(count, |number| {
        let phone = changed(number).phone();
        let recipient = GivenRecipient::new().app(APP).number(phone).parse();
        let resolved = store.snapshot().unwrap().resolve(recipient.unwrap());
        assert_eq!(resolved.unwrap().addresses.len(), 1);
    });

    assert_keeps(&store.stats().unwrap(), side, count);
    after(&store);
    let [writes, reads] = [count, count * READS].map(|count| count as usize);
    [
        each(adds, writes),
        each(naming_two, writes),
        each(failures, writes),
        each(upserts, writes),
        each(finds, reads),
        each(resolved, reads),
    ]
}

/// How many reads there are for each write.
const READS: u64 = 20;

fn reads(count: u64, read: impl Fn(u64)) -> Duration {
    let start = Instant::now();
    for _ in 0..READS {
        (0..count).for_each(&read);
    }
    start.elapsed()
}

fn upsert(person: Person, number: u64) -> Upsert {
    let update = ContactUpdate::new().email(person.email());
    Upsert::new(DedupeOn::Email).contact(update.field("city", format!("Kyiv {number}")))
}

fn assert_upserted(outcome: Outcomes<ContactUpserted>) {
    assert!(matches!(*outcome, [Ok(_)]));
}

/// That what an option keeps is kept, and nothing else.
fn assert_keeps(stats: &Stats, side: &Side, count: u64) {
    let (options, writes) = ((side.options)(Options::default()), 4 * count);
    let when = |on: bool, kept: u64| if on { kept } else { 0 };
    let kept = [
        stats.changes.as_ref().map_or(0, |changes| changes.kept),
        stats.conflicts,
        stats.blocked,
        stats.answers.as_ref().map_or(0, |answers| answers.kept),
        stats.muted,
        stats.suppressed,
    ];
    let others = u64::from(side.mutes) + u64::from(side.suppresses);
    // A contact that is new is one change, and its token another.
    let expected = [
        when(options.change_feed.is_some(), 5 * count + others),
        when(options.conflicts > 0, count),
        when(options.remember_blocked > 0, count),
        when(side.keyed, writes),
        u64::from(side.mutes),
        when(side.suppresses, 3),
    ];
    assert_eq!(kept, expected, "{}", side.name);
}

/// A merge of two contacts beside an upsert, one caller.
fn merging(filled: &Filled, asked: Asked) -> String {
    let count = match asked {
        Asked::Measure => 100,
        _ => 2,
    };
    let copied = filled.copy();
    let store = copied.open();
    let (mut first, mut last) = (0, filled.size);
    let before = load();
    let compared = compare(
        asked.rounds(15),
        || {
            let pairs = (first..first + 2 * count).step_by(2);
            first += 2 * count;
            let start = Instant::now();
            for from in pairs {
                let [from, into] = [from, from + 1].map(|number| Person(number).contact_id());
                let merged = store.merge(Merge::new(from, into)).wait().unwrap();
                assert_eq!(merged.outcome.tokens.len(), 1);
            }
            each(start.elapsed(), count as usize)
        },
        || {
            last -= count;
            let start = Instant::now();
            for number in last..last + count {
                let request = upsert(Person(number), number);
                assert_upserted(store.upsert(request).wait().unwrap().outcome);
            }
            each(start.elapsed(), count as usize)
        },
    );
    assert!(first < last);
    assert_eq!(store.stats().unwrap().merged, first / 2);
    format!(
        "{} contacts: a merge takes {:.0} us, an upsert {:.0} us, ratio {:.2}; load {before} before, {} \
         after",
        filled.size,
        compared.ours / 1e3,
        compared.other / 1e3,
        compared.ratio,
        load(),
    )
}
