//! Idempotency keys: R64. What a failing disk and a power cut leave of them is with the failing disks.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use contact_store::limits::{ANSWER_BYTES, ANSWERS_KEPT};
use contact_store::{
    AccessKey, AddTokens, AppId, AppName, BatchMode, BringBack, CardChange, Committed, ConnectApp,
    ContactStore, ContactUpdate, DedupeOn, EntryError, Erase, Error, GivenIdentifiers,
    IdempotencyKey, IdentifierKind, InvalidIdentifier, KeepAnswers, Limit, LimitExceeded,
    LimitTooHigh, LimitZero, Merge, Mute, OpenError, Options, Ownership, Pending, Placeholders,
    RecordReports, RemoveStale, RemoveToken, RenameToken, Report, Split, Status, Token,
    TokenBroughtBack, TokenEntry, Unmute, Upsert, WhenFull,
};

use crate::support::raw::row_counts;
use crate::support::watched_disk::WatchedDisk;
use crate::support::{APP, OTHER_APP, add, assert_sound, at, connect, id, options, store_with};

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).unwrap()
}

fn keeping(options: &mut Options) {
    options.keep_answers = Some(KeepAnswers::default());
}

fn token(text: &str) -> Token {
    Token::parse(text).unwrap()
}

fn sent(token: &str) -> RecordReports {
    RecordReports::new(APP).report(Report::new(Status::Sent).token(token))
}

/// How many SENT reports the subscribers of `APP` have together.
fn counted(store: &ContactStore) -> u64 {
    let now = store.snapshot().unwrap();
    let subscribers = now.subscribers(APP, None, 1_000).unwrap();
    subscribers.iter().map(|one| one.counts.sent).sum()
}

fn kept(store: &ContactStore) -> u64 {
    store.stats().unwrap().answers.unwrap().kept
}

/// A request that is made, made again, and made once more of the store opened anew.
struct Repeats {
    disk: std::sync::Arc<WatchedDisk>,
    options: Options,
    store: Option<ContactStore>,
    keys: u32,
}

impl Repeats {
    fn new() -> Self {
        let (mut options, _) = options();
        keeping(&mut options);
        options.remember_blocked = 10;
        let disk = WatchedDisk::new();
        let store = disk.open(&options);
        connect(&store);
        Repeats {
            disk,
            options,
            store: Some(store),
            keys: 0,
        }
    }

    #[track_caller]
    fn repeat<T: Debug + PartialEq>(&mut self, request: impl Fn(&ContactStore) -> Pending<T>) -> T {
        self.keys += 1;
        let key = key(&format!("request {}", self.keys));
        let store = self.store.take().unwrap();
        let before = store.stats().unwrap();
        let first = request(&store.once(&key)).wait().unwrap();
        assert!(!first.repeated);
        // Also one that changes nothing has a number of its own, since its answer is kept.
        assert_eq!(first.sequence.value(), before.sequence.value() + 1);
        let stats = store.stats().unwrap();
        let syncs = self.disk.syncs();
        let again = request(&store.once(&key)).wait().unwrap();
        let repeated = |again: &Committed<T>| {
            assert!(again.repeated);
            assert_eq!(again.sequence, first.sequence);
            assert_eq!(again.outcome, first.outcome);
        };
        repeated(&again);
        assert_eq!(self.disk.syncs(), syncs, "nothing is written");
        let now = store.stats().unwrap();
        assert_eq!((now.sequence, now.commits), (stats.sequence, stats.commits));
        let operation = |of: &contact_store::Stats| {
            let kinds = of.operations.iter();
            let outcomes: Vec<_> = kinds.map(|kind| kind.outcomes.clone()).collect();
            let accepted: u64 = of.operations.iter().map(|kind| kind.accepted).sum();
            (outcomes, accepted)
        };
        let (outcomes, accepted) = operation(&stats);
        // It is counted as accepted, its entries are not counted again.
        assert_eq!(operation(&now), (outcomes, accepted + 1));
        assert_eq!(
            now.answers.unwrap().repeated,
            stats.answers.unwrap().repeated + 1
        );
        store.close().unwrap();
        let store = self.disk.open(&self.options);
        repeated(&request(&store.once(&key)).wait().unwrap());
        assert_eq!(store.stats().unwrap().sequence, first.sequence);
        assert_sound(&store);
        self.store = Some(store);
        first.outcome
    }
}

#[test]
fn r64_a_repeated_request_does_nothing_and_has_the_first_outcome_whatever_it_asks() {
    let mut all = Repeats::new();
    let made = AppName::parse("Made").unwrap();
    let connect = ConnectApp::new(made).key(AccessKey::parse("secret").unwrap());
    // Without an id: each such request connects another app, but not when it is repeated.
    let app = all.repeat(|store| store.connect_app(connect.clone()));
    let entries = [
        TokenEntry::new("a")
            .external_customer_id("c1")
            .phone("1234567"),
        TokenEntry::new("a").external_customer_id("c2"),
        TokenEntry::new("b").email("b@example.com").phone("12"),
        TokenEntry::new("b")
            .external_customer_id("c2")
            .contact_id(7),
        TokenEntry::without_token().phone("1234567"),
        TokenEntry::new("c"),
    ];
    let request = AddTokens::new(APP).entries(entries);
    let added = all.repeat(|store| store.add_tokens(request.clone()));
    assert_eq!(
        added.entries.iter().filter(|entry| entry.is_ok()).count(),
        3
    );
    let request = AddTokens::new(APP)
        .ownership(Ownership::Exclusive)
        .invalid_identifier(InvalidIdentifier::Ignore)
        .entry(TokenEntry::new("a").external_customer_id("c3").email("no"));
    let moved = all.repeat(|store| store.add_tokens(request.clone()));
    assert_eq!(moved.in_force.ownership, Ownership::Exclusive);
    assert!(moved.entries[0].as_ref().unwrap().ignored.iter().count() == 1);
    let reports = sent("a").reports([
        Report::new(Status::Clicked).token("none"),
        Report::new(Status::Failed).token("b").reason("Forbidden"),
        Report::new(Status::Sent),
    ]);
    let outcome = all.repeat(|store| store.record_reports(reports.clone()));
    assert_eq!(
        outcome.first_refused(),
        Some((3, &EntryError::OneOfTokenAndSubscriber))
    );
    let upsert = Upsert::new(DedupeOn::Phone).contacts([
        ContactUpdate::new().phone("7654321").first_name("Ann"),
        ContactUpdate::new()
            .phone("1234567")
            .external_customer_id("c2"),
        ContactUpdate::new(),
        ContactUpdate::new().phone("12"),
    ]);
    let outcome = all.repeat(|store| store.upsert(upsert.clone()));
    assert_eq!(outcome[0].as_ref().unwrap().card, CardChange::Created);
    assert!(matches!(outcome[1], Err(EntryError::Conflict { .. })));
    all.repeat(|store| store.rename_token(RenameToken::new(APP, token("a"), token("z"))));
    all.repeat(|store| store.rename_token(RenameToken::new(APP, token("a"), token("z"))));
    let removed = all.repeat(|store| store.remove_token(RemoveToken::of_all(APP, token("z"))));
    assert_eq!(removed.from.len(), 1);
    let back = all.repeat(|store| store.bring_back(BringBack::new(APP, token("b"))));
    assert!(matches!(back, TokenBroughtBack::BroughtBack { .. }));
    all.repeat(|store| store.bring_back(BringBack::new(APP, token("b"))));
    for hour in [None, Some(Duration::from_secs(3_600))] {
        let mute = Mute::new(APP, token("b"));
        let mute = || hour.map_or(mute.clone(), |hour| mute.clone().duration(hour));
        all.repeat(|store| store.mute(mute()));
    }
    all.repeat(|store| store.unmute(Unmute::new(APP, token("b"))));
    all.repeat(|store| store.unmute(Unmute::new(APP, token("none"))));
    let erased = all.repeat(|store| store.erase(Erase::new(id(1)).suppress()));
    assert!(erased.erased && !erased.suppressed.is_empty());
    let phone = GivenIdentifiers::new().phone("1234567").parse().unwrap();
    let again = AddTokens::new(APP).entry(TokenEntry::new("a").phone("1234567"));
    let refused = all.repeat(|store| store.add_tokens(again.clone())).entries;
    let kind = IdentifierKind::Phone;
    assert_eq!(refused[0], Err(EntryError::Suppressed { kind }));
    let lifted = all.repeat(|store| store.lift_suppression(phone.clone()));
    assert!(lifted.lifted.contains(kind));
    assert!(!all.repeat(|store| store.erase(id(1))).erased);
    let dismissed = all.repeat(|store| store.dismiss_conflict(id(1), id(2)));
    assert_eq!(dismissed, contact_store::ConflictDismissed::NotListed);
    all.repeat(|store| store.forget_messages(APP, at(5_000)));
    let stale = RemoveStale::new(APP, at(5_000));
    all.repeat(|store| store.remove_stale(stale.dry_run(true)));
    all.repeat(|store| store.remove_stale(stale));
    // What is left of a disconnected app goes in commits of no request.
    let store = all.store.take().unwrap();
    let once = store.once(&key("the last"));
    let first = once.disconnect_app(app).wait().unwrap();
    let again = once.disconnect_app(app).wait().unwrap();
    assert_eq!((again.sequence, again.repeated), (first.sequence, true));
    let apps = store.snapshot().unwrap().apps().unwrap();
    assert_eq!(apps.len(), 2);
}

#[test]
fn r64_r58_merges_and_what_takes_them_apart_are_repeated_too() {
    let mut all = Repeats::new();
    let pair = AddTokens::new(APP).entries([
        TokenEntry::new("a").phone("1234567").email("a@example.com"),
        TokenEntry::new("b").phone("7654321"),
    ]);
    all.repeat(|store| store.add_tokens(pair.clone()));
    let merge = |store: &ContactStore| store.merge(Merge::new(id(1), id(2)));
    let merged = all.repeat(merge);
    assert_eq!(merged.identifiers, IdentifierKind::Email.into());
    let unmerged = all.repeat(|store| store.unmerge(id(1)));
    assert!(unmerged.not_given_back.is_empty());
    // Under another key it is another request.
    all.repeat(merge);
    let other = AddTokens::new(APP).entry(TokenEntry::new("c").phone("1234567"));
    all.repeat(|store| store.add_tokens(other.clone()));
    let unmerged = all.repeat(|store| store.unmerge(id(1)));
    let taken = vec![(IdentifierKind::Phone, id(3))];
    assert_eq!(unmerged.not_given_back.identifiers, taken);
    let split = Split::new(id(1)).identifier(IdentifierKind::Email);
    let split = all.repeat(|store| store.split(split.clone()));
    assert_eq!(split.contact, id(4));
}

#[test]
fn r64_another_request_under_the_key_is_refused_and_does_nothing() {
    let (store, _) = store_with(keeping);
    add(&store, TokenEntry::new("a").external_customer_id("c1"));
    let once = store.once(&key("k"));
    once.record_reports(sent("a")).wait().unwrap();
    let before = store.stats().unwrap();
    let others: [Result<(), Error>; 5] = [
        once.record_reports(sent("b")).wait().map(drop),
        once.record_reports(sent("a").at(at(900))).wait().map(drop),
        once.record_reports(sent("a").mode(BatchMode::AllOrNothing))
            .wait()
            .map(drop),
        once.erase(id(1)).wait().map(drop),
        once.disconnect_app(APP).wait().map(drop),
    ];
    for other in others {
        assert!(
            matches!(other, Err(Error::IdempotencyKeyReused)),
            "{other:?}"
        );
    }
    let now = store.stats().unwrap();
    assert_eq!((now.sequence, counted(&store)), (before.sequence, 1));
    // Neither what it waits for nor another handle makes it another request.
    let waiting = store.when_full(WhenFull::Wait).once(&key("k"));
    assert!(waiting.record_reports(sent("a")).wait().unwrap().repeated);
    // Another key, and none.
    let other = store.once(&key("K"));
    assert!(!other.record_reports(sent("a")).wait().unwrap().repeated);
    assert!(!store.record_reports(sent("a")).wait().unwrap().repeated);
    assert_eq!(counted(&store), 3);
}

#[test]
fn r64_a_request_with_a_key_is_refused_while_no_answers_are_kept() {
    let (store, _) = store_with(|_| {});
    let before = store.stats().unwrap().sequence;
    let once = store.once(&key("k"));
    let upsert =
        Upsert::new(DedupeOn::Email).contact(ContactUpdate::new().email("ann@example.com"));
    for refused in [
        once.upsert(upsert).wait().map(drop),
        once.erase(id(1)).wait().map(drop),
    ] {
        assert!(matches!(refused, Err(Error::AnswersNotKept)), "{refused:?}");
    }
    let stats = store.stats().unwrap();
    assert_eq!((stats.sequence, stats.answers), (before, None));
}

#[test]
fn r64_off_or_never_used_it_costs_no_row_and_no_byte() {
    let file = |set: &dyn Fn(&mut Options)| {
        let (mut options, _) = options();
        options.testing.random = Some([1, 2]);
        set(&mut options);
        let disk = WatchedDisk::new();
        let store = disk.open(&options);
        connect(&store);
        add(&store, TokenEntry::new("a").external_customer_id("c1"));
        store.record_reports(sent("a")).wait().unwrap();
        store.close().unwrap();
        disk.bytes()
    };
    let off = file(&|_| {});
    assert!(off == file(&keeping), "the option alone changes a byte");
    let tables: BTreeSet<String> = row_counts(&off).into_keys().collect();
    assert!(!tables.contains("answers") && !tables.contains("answer_keys"));
}

#[test]
fn r64_a_request_that_was_refused_leaves_no_key() {
    let (store, _) = store_with(keeping);
    let once = store.once(&key("k"));
    let unknown = AppId::from_u128(99);
    let name = || AppName::parse("Late").unwrap();
    let report = RecordReports::new(unknown).report(Report::new(Status::Sent).token("a"));
    let refused = once.record_reports(report.clone()).wait();
    assert!(matches!(refused, Err(Error::UnknownApp(app)) if app == unknown));
    store
        .connect_app(ConnectApp::new(name()).id(unknown))
        .wait()
        .unwrap();
    assert!(!once.record_reports(report.clone()).wait().unwrap().repeated);
    assert!(once.record_reports(report).wait().unwrap().repeated);

    let once = store.once(&key("l"));
    let phone = |text: &str| ContactUpdate::new().phone(text);
    let all = |updates: [ContactUpdate; 2]| {
        let request = Upsert::new(DedupeOn::Phone).mode(BatchMode::AllOrNothing);
        once.upsert(request.contacts(updates)).wait()
    };
    let refused = all([phone("1234567"), phone("12")]);
    assert!(matches!(refused, Err(Error::EntryRefused { index: 1, .. })));
    // The key is free, also for another request.
    assert!(!all([phone("1234567"), phone("7654321")]).unwrap().repeated);
    assert_eq!(store.stats().unwrap().contacts, 2);
    assert_eq!(kept(&store), 2);
}

#[test]
fn r64_an_answer_counts_for_its_time_by_the_clock_of_the_store() {
    let hour = Duration::from_secs(3_600);
    let (store, clock) = store_with(|options| {
        options.keep_answers = Some(KeepAnswers::default().within(hour));
    });
    add(&store, TokenEntry::new("a").external_customer_id("c1"));
    let once = store.once(&key("k"));
    let report = || once.record_reports(sent("a")).wait();
    let first = report().unwrap();
    clock.set(at(1_000 + 3_600_000));
    assert_eq!(report().unwrap().sequence, first.sequence);
    // A clock that was set back takes nothing away.
    clock.set(at(1));
    assert!(report().unwrap().repeated);
    clock.set(at(1_001 + 3_600_000));
    let second = report().unwrap();
    assert!(!second.repeated && second.sequence > first.sequence);
    assert_eq!(counted(&store), 2);
    // Its own time begins then. The first answer is removed with it.
    clock.advance(hour);
    assert_eq!(report().unwrap().sequence, second.sequence);
    assert_eq!(kept(&store), 1);
    // After its time the key is free for any request.
    clock.advance(hour);
    assert!(once.erase(id(1)).wait().unwrap().outcome.erased);
    assert_sound(&store);
}

#[test]
fn r64_answers_over_the_number_or_the_time_go_from_the_oldest_on_a_few_with_each_new_one() {
    let keep = KeepAnswers::default()
        .within(Duration::from_millis(100))
        .answers(6);
    let (store, clock) = store_with(|options| options.keep_answers = Some(keep));
    let erase = |n: u64| {
        let once = store.once(&key(&format!("key {n}")));
        once.erase(id(n)).wait().unwrap().repeated
    };
    let counts: Vec<u64> = (1..=10)
        .map(|n| {
            assert!(!erase(n));
            kept(&store)
        })
        .collect();
    assert_eq!(counts, [1, 2, 3, 4, 5, 6, 6, 6, 6, 6]);
    for n in 5..=10 {
        assert!(erase(n), "{n} is kept");
    }
    assert!(!erase(4), "it was dropped, and is done again");
    assert!(erase(6) && !erase(5));
    clock.advance(Duration::from_millis(101));
    // All six are over; four go with each that comes.
    assert!(!erase(20));
    assert_eq!(kept(&store), 3);
    // One whose time is over counts as none while it is there still.
    assert!(!erase(5));
    assert_eq!(kept(&store), 2);
    assert!(erase(20) && erase(5));
    assert_sound(&store);
    assert_eq!(store.stats().unwrap().answers.unwrap().most, 6);
}

#[test]
fn r64_a_lowered_number_is_come_down_to_four_with_each_new_one() {
    let (mut options, _) = options();
    keeping(&mut options);
    let disk = WatchedDisk::new();
    let store = disk.open(&options);
    let erase = |store: &ContactStore, n: u64| {
        let once = store.once(&key(&format!("key {n}")));
        assert!(!once.erase(id(n)).wait().unwrap().repeated);
        kept(store)
    };
    for n in 1..=20 {
        assert_eq!(erase(&store, n), n);
    }
    store.close().unwrap();
    options.keep_answers = Some(KeepAnswers::default().answers(2));
    let store = disk.open(&options);
    assert_eq!(kept(&store), 20);
    let counts: Vec<u64> = (21..=28).map(|n| erase(&store, n)).collect();
    assert_eq!(counts, [17, 14, 11, 8, 5, 2, 2, 2]);
    assert_sound(&store);
    store.close().unwrap();
    let rows = row_counts(&disk.bytes());
    assert_eq!((rows["answers"], rows["answer_keys"]), (2, 2));
}

#[test]
fn r64_other_options_that_make_other_entries_valid_make_it_another_request() {
    let (mut options, _) = options();
    keeping(&mut options);
    let disk = WatchedDisk::new();
    let store = disk.open(&options);
    connect(&store);
    let upsert = || {
        let item = |id: &str| ContactUpdate::new().external_customer_id(id);
        Upsert::new(DedupeOn::ExternalCustomerId).contacts([item("c1"), item("null"), item("c3")])
    };
    let first = store.once(&key("k")).upsert(upsert()).wait().unwrap();
    assert!(matches!(first.outcome[1], Err(EntryError::Field(_))));
    store.close().unwrap();
    options.placeholders = Placeholders::none();
    let store = disk.open(&options);
    let again = store.once(&key("k")).upsert(upsert()).wait();
    assert!(matches!(again, Err(Error::IdempotencyKeyReused)));
    assert_eq!(store.stats().unwrap().contacts, 2);
    store.close().unwrap();
    // Other options that decide nothing in parsing are no matter: the first outcome stays.
    options.placeholders = Placeholders::default();
    options.ownership = Ownership::Exclusive;
    let store = disk.open(&options);
    let again = store.once(&key("k")).upsert(upsert()).wait().unwrap();
    assert_eq!((again.repeated, again.outcome), (true, first.outcome));
}

#[test]
fn r64_of_callers_that_race_with_one_key_exactly_one_is_done() {
    const CALLERS: usize = 8;
    let (store, _) = store_with(keeping);
    add(&store, TokenEntry::new("a").external_customer_id("c1"));
    for round in 0..50 {
        let barrier = Barrier::new(CALLERS);
        let answers: Vec<_> = thread::scope(|scope| {
            let callers: Vec<_> = (0..CALLERS)
                .map(|_| {
                    let once = store.once(&key(&format!("round {round}")));
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        once.record_reports(sent("a")).wait().unwrap()
                    })
                })
                .collect();
            let callers = callers.into_iter();
            callers.map(|caller| caller.join().unwrap()).collect()
        });
        let done: Vec<_> = answers.iter().filter(|answer| !answer.repeated).collect();
        assert_eq!(done.len(), 1);
        for answer in &answers {
            assert_eq!(answer.sequence, done[0].sequence);
            assert_eq!(answer.outcome, done[0].outcome);
        }
        assert_eq!(counted(&store), round + 1);
    }
}

#[test]
fn r64_a_request_in_steps_is_waited_for_by_the_one_that_repeats_it() {
    let (mut options, _) = options();
    keeping(&mut options);
    let disk = WatchedDisk::new();
    let store = disk.open(&options);
    connect(&store);
    // More tallies than one step looks at.
    for part in 0..3 {
        let reports = (0..2_000).map(|n| {
            let message = format!("message {part} {n}");
            Report::new(Status::Sent).token("a").message(message)
        });
        let add = AddTokens::new(APP).entry(TokenEntry::new("a").external_customer_id("c1"));
        store.add_tokens(add).wait().unwrap();
        store
            .record_reports(RecordReports::new(APP).reports(reports))
            .wait()
            .unwrap();
    }
    let held = disk.held();
    let once = store.once(&key("k"));
    let first = store.erase(id(1));
    disk.wait_until_held();
    // Both are in the queue while the commit of the other one is held.
    let forget = once.forget_messages(APP, at(5_000));
    let again = once.forget_messages(APP, at(5_000));
    let other = once.erase(id(1));
    held.let_go();
    first.wait().unwrap();
    let [forget, again] = [forget, again].map(|pending| pending.wait().unwrap());
    assert_eq!((forget.outcome.messages, forget.repeated), (6_000, false));
    assert_eq!((again.outcome, again.repeated), (forget.outcome, true));
    assert_eq!(again.sequence, forget.sequence);
    assert!(matches!(other.wait(), Err(Error::IdempotencyKeyReused)));
    assert_sound(&store);
}

#[test]
fn r64_an_outcome_too_long_to_be_kept_refuses_the_request_and_nothing_is_done() {
    // A token that many contacts hold, reported gone many times over: each names all of them.
    let (store, _) = store_with(keeping);
    let holders = 1_000_u64;
    let first = (1 << 62) + 1;
    let hold = (0..holders).map(|n| TokenEntry::new("a").contact_id(first + n));
    store
        .add_tokens(AddTokens::new(APP).entries(hold))
        .wait()
        .unwrap();
    let entry = |n: u64| TokenEntry::new("a").contact_id(first + n % holders);
    let again = AddTokens::new(APP).entries((0..1_000).map(entry));
    let before = store.stats().unwrap().sequence;
    let refused = store.once(&key("k")).add_tokens(again.clone()).wait();
    let Err(Error::LimitExceeded(LimitExceeded {
        limit,
        actual,
        most,
        ..
    })) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!((limit, most), (Limit::AnswerBytes, ANSWER_BYTES as u64));
    assert!(actual > most);
    assert_eq!(store.stats().unwrap().sequence, before);
    store.add_tokens(again).wait().unwrap();
}

#[test]
fn r64_the_bounds_are_checked_when_the_store_is_opened() {
    let open = |keep| ContactStore::open_in_memory(Options::default().keep_answers(keep)).map(drop);
    let none = KeepAnswers::default().answers(0);
    let never = KeepAnswers::default().within(Duration::from_micros(999));
    for (keep, bound) in [
        (none, "keep_answers.answers"),
        (never, "keep_answers.within"),
    ] {
        let refused = open(keep);
        let Err(Error::Open(OpenError::LimitZero(LimitZero { name, .. }))) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(name, bound);
    }
    let refused = open(KeepAnswers::default().answers(ANSWERS_KEPT as u64 + 1));
    let Err(Error::Open(OpenError::LimitTooHigh(LimitTooHigh { set, most, .. }))) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((set, most), (ANSWERS_KEPT + 1, ANSWERS_KEPT));
    open(KeepAnswers::default().answers(ANSWERS_KEPT as u64)).unwrap();
}

#[test]
fn r64_r52_neither_the_key_nor_any_text_of_the_request_is_in_the_file() {
    let (mut options, _) = options();
    keeping(&mut options);
    let disk = WatchedDisk::new();
    let store = disk.open(&options);
    connect(&store);
    let once = store.once(&key("SECRET-idempotency-key"));
    assert!(!format!("{once:?}").contains("SECRET"));
    // Each entry is refused: nothing of it has a place on any card.
    let request = AddTokens::new(APP).entries([
        TokenEntry::new("private-token"),
        TokenEntry::new("t")
            .email("private@email")
            .phone("+99private"),
        TokenEntry::new("t").contact_id(123_456_789_012_345_i64),
    ]);
    let request = request.unknown_contact_id(contact_store::UnknownContactId::Reject);
    let done = once.add_tokens(request).wait().unwrap();
    assert!(done.outcome.entries.iter().all(Result::is_err));
    once.add_tokens(AddTokens::new(OTHER_APP))
        .wait()
        .unwrap_err();
    store.close().unwrap();
    let bytes = disk.bytes();
    assert_eq!(row_counts(&bytes)["answers"], 1);
    let id = 123_456_789_012_345_u64.to_le_bytes();
    for text in [&b"SECRET"[..], b"private", b"99private", &id[..6]] {
        let found = bytes.windows(text.len()).any(|window| window == text);
        assert!(!found, "{:?}", String::from_utf8_lossy(text));
    }
}
