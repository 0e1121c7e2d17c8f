//! What many tests need: stores with a clock that stands where it is put, and short ways to ask.

pub mod blocks;
pub mod cases;
pub mod everything;
pub mod follower;
pub mod place;
pub mod process;
pub mod random;
pub mod raw;
pub mod script;
pub mod watched_disk;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use contact_store::{
    AddTokens, AppId, AppName, ConnectApp, ContactId, ContactStore, Error, Found, GivenIdentifiers,
    ManualClock, MatchPolicy, Options, RecordReports, Report, ReportOutcome, SubscriberId,
    Timestamp, TokenAdded, TokenEntry,
};

pub const APP: AppId = AppId::from_u128(0xa);
pub const OTHER_APP: AppId = AppId::from_u128(0xb);

pub fn id(id: u64) -> ContactId {
    ContactId::new(id).unwrap()
}

/// What a check says when it fails: for tests of the checks themselves.
pub fn finding<T>(check: impl FnOnce() -> T) -> Option<String> {
    let said = catch_unwind(AssertUnwindSafe(check)).err()?;
    Some(match said.downcast::<String>() {
        Ok(text) => *text,
        Err(said) => (*said.downcast::<&str>().unwrap()).to_owned(),
    })
}

/// The subscriber with this number, from 1 on, of the app that was connected first.
pub fn subscriber(number: u64) -> SubscriberId {
    SubscriberId::new(1 << 40 | number)
}

pub fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A clock that a test moves.
pub fn clock_at(millis: u64) -> Arc<ManualClock> {
    Arc::new(ManualClock::at(at(millis)))
}

/// The names in a directory, in order.
pub fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Options with a clock at 1,000.
pub fn options() -> (Options, Arc<ManualClock>) {
    let clock = clock_at(1_000);
    let mut options = Options::default();
    options.clock = clock.clone();
    (options, clock)
}

/// Folds the indexes at every chance, in slices that end in the middle of everything, into buckets of
/// next to nothing.
pub fn fold_early(options: &mut Options) {
    options.testing.folding = (4, 300, 512, 2);
}

/// Folds all of the indexes with every commit.
pub fn fold_always(options: &mut Options) {
    options.testing.folding = (0, usize::MAX, usize::MAX, 1);
}

/// Says when it is dropped that a test is done, also with one that fails: its threads are waited for.
pub struct Done<'d>(pub &'d AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A store in memory, or wherever the tests are played ([`place`]), with `APP` and `OTHER_APP` connected and its
/// clock at 1,000.
pub fn store() -> (ContactStore, Arc<ManualClock>) {
    store_with(|_| {})
}

/// The same, with some options set.
pub fn store_with(set: impl FnOnce(&mut Options)) -> (ContactStore, Arc<ManualClock>) {
    let (mut options, clock) = options();
    set(&mut options);
    let store = place::open_new(options).unwrap();
    connect(&store);
    (store, clock)
}

/// Connects `APP` and `OTHER_APP`.
pub fn connect(store: &ContactStore) {
    for (app, name) in [(APP, "First bot"), (OTHER_APP, "Second bot")] {
        let request = ConnectApp::new(AppName::parse(name).unwrap()).id(app);
        assert_eq!(store.connect_app(request).wait().unwrap().outcome, app);
    }
}

/// Adds one token of `APP`, which must be accepted.
#[track_caller]
pub fn add(store: &ContactStore, entry: TokenEntry) -> TokenAdded {
    let request = AddTokens::new(APP).entry(entry);
    let added = store.add_tokens(request).wait().unwrap().outcome;
    added.entries.into_iter().next().unwrap().unwrap()
}

/// Records one report of `APP`, which must be accepted.
#[track_caller]
pub fn report(store: &ContactStore, report: Report) -> ReportOutcome {
    let request = RecordReports::new(APP).report(report);
    let outcome = store.record_reports(request).wait().unwrap().outcome;
    outcome.into_iter().next().unwrap().unwrap()
}

/// Finds by given identifiers, under `Cascade`.
#[track_caller]
pub fn find(store: &ContactStore, given: GivenIdentifiers) -> Result<Option<Found>, Error> {
    let now = store.snapshot().unwrap();
    now.find(&given.parse().unwrap(), MatchPolicy::Cascade)
}

/// Nothing in the store contradicts anything else in it, nor what the stats say that it holds.
#[track_caller]
pub fn assert_sound(store: &ContactStore) {
    let now = store.snapshot().unwrap();
    assert_eq!(now.verify().unwrap().problems, []);
    let apps = now.apps().unwrap();
    let stats = store.stats().unwrap();
    // Others may write meanwhile.
    if stats.sequence == now.sequence() {
        let subscribers = apps.iter().map(|app| app.subscribers).sum::<u64>();
        assert_eq!(stats.subscribers, subscribers);
        assert_eq!(
            (stats.contacts, stats.apps),
            (now.contact_count(), apps.len() as u64)
        );
    }
}
