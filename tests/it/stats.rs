//! What `stats()` says: counts, commits, groups, latencies, what waits. It says so at any time, and
//! the rules that it shows something of are R47 to R49.

use std::thread;
use std::time::{Duration, Instant};

use contact_store::{
    AddTokens, AppId, AppName, BatchMode, BringBack, ConnectApp, ContactStore, ContactUpdate,
    DedupeOn, Error, GivenIdentifiers, IdentifierKind, Merge, Mute, OperationStats, Ownership,
    RecordReports, RemoveStale, RemoveToken, RenameToken, Report, Split, Stats, Status,
    SubscriberId, Token, TokenEntry, Unmute, Upsert, WhenFull,
};

use crate::failing_disk::disk::{Fault, FaultKind, TestDisk};
use crate::support::watched_disk::WatchedDisk;
use crate::support::{APP, OTHER_APP, add, assert_sound, at, connect, id, options, store_with};

fn stats(store: &ContactStore) -> Stats {
    store.stats().unwrap()
}

/// The stats of one kind of operation.
#[track_caller]
fn of_operation(store: &ContactStore, operation: &str) -> OperationStats {
    let of_all = stats(store).operations;
    let mut found = of_all.into_iter().filter(|of| of.operation == operation);
    found.next().unwrap()
}

/// Requests that were accepted and refused, and the outcomes of their entries.
#[track_caller]
fn assert_figures(
    store: &ContactStore,
    operation: &'static str,
    (accepted, refused): (u64, u64),
    outcomes: &[(&'static str, u64)],
) {
    let found = of_operation(store, operation);
    assert_eq!(
        (found.accepted, found.refused),
        (accepted, refused),
        "{operation}"
    );
    assert_eq!(found.outcomes, outcomes, "{operation}");
}

fn entry(number: u64) -> TokenEntry {
    TokenEntry::new(format!("token {number}")).email(format!("person{number}@example.com"))
}

fn request(number: u64) -> AddTokens {
    AddTokens::new(APP).entry(entry(number))
}

/// Two contacts, one of which took a token from the other; whatever else can become of an entry;
/// and every way in which a request is refused whole.
fn add_tokens(store: &ContactStore) {
    let taken = TokenEntry::new("token 1").email("person2@example.com");
    let nobodys = TokenEntry::new("token 9");
    let entries = [entry(1), entry(1), entry(2), taken, nobodys];
    let request = AddTokens::new(APP).entries(entries.clone());
    assert!(store.add_tokens(request.clone()).wait().is_ok());
    let whole = request.mode(BatchMode::AllOrNothing);
    let refused = store.add_tokens(whole).wait();
    assert!(matches!(refused, Err(Error::EntryRefused { index: 4, .. })));
    let nowhere = AddTokens::new(AppId::from_u128(99)).entries(entries);
    let refused = store.add_tokens(nowhere).wait();
    assert!(matches!(refused, Err(Error::UnknownApp(_))));
    let too_many = AddTokens::new(APP).entries((0..3_001).map(entry));
    let refused = store.add_tokens(too_many).wait();
    assert!(matches!(refused, Err(Error::LimitExceeded(_))));
}

fn record_reports(store: &ContactStore) {
    let reports = [
        Report::new(Status::Sent)
            .token("token 2")
            .message("message"),
        Report::new(Status::Clicked).token("token 2"),
        Report::new(Status::Failed).token("token 1"),
        Report::new(Status::Sent).subscriber(SubscriberId::new(77)),
        Report::new(Status::Sent),
    ];
    let request = RecordReports::new(APP).reports(reports);
    assert!(store.record_reports(request).wait().is_ok());
}

fn upsert(store: &ContactStore) {
    let named = |name: &str| {
        ContactUpdate::new()
            .email("new@example.com")
            .first_name(name)
    };
    let nameless = ContactUpdate::new().first_name("Ann");
    let request = Upsert::new(DedupeOn::Email).contacts([
        named("Ann"),
        named("Anna"),
        named("Anna"),
        nameless,
    ]);
    assert!(store.upsert(request).wait().is_ok());
}

#[test]
fn every_request_and_every_entry_is_counted_once_under_its_outcome() {
    let (store, clock) = store_with(|options| options.ownership = Ownership::Exclusive);
    for of in stats(&store).operations {
        let accepted = if of.operation == "connectApp" { 2 } else { 0 };
        assert_eq!((of.accepted, of.refused), (accepted, 0), "{of:?}");
        assert!(of.outcomes.iter().all(|(_, count)| *count == 0), "{of:?}");
    }
    add_tokens(&store);
    let outcomes = [
        ("created", 2),
        ("found", 2),
        ("added", 2),
        ("alreadyHeld", 1),
        ("moved", 1),
        ("refused", 1),
    ];
    assert_figures(&store, "addTokens", (1, 3), &outcomes);

    record_reports(&store);
    let outcomes = [
        ("recorded", 2),
        ("removed", 1),
        ("unknownSubscriber", 1),
        ("refused", 1),
    ];
    assert_figures(&store, "recordReports", (1, 0), &outcomes);

    upsert(&store);
    let outcomes = [
        ("created", 1),
        ("updated", 1),
        ("unchanged", 1),
        ("refused", 1),
    ];
    assert_figures(&store, "upsert", (1, 0), &outcomes);

    for _ in 0..2 {
        let token = Token::parse("token 2").unwrap();
        let removed = store.remove_token(RemoveToken::of_all(APP, token)).wait();
        assert!(removed.is_ok());
        assert!(store.erase(id(1)).wait().is_ok());
    }
    assert_figures(
        &store,
        "removeToken",
        (2, 0),
        &[("removed", 1), ("notHeld", 1)],
    );
    let rename = |old: &str, new: &str| {
        let [old, new] = [old, new].map(|token| Token::parse(token).unwrap());
        let renamed = store.rename_token(RenameToken::new(APP, old, new)).wait();
        assert!(renamed.is_ok());
    };
    for token in ["old", "new"] {
        add(&store, TokenEntry::new(token).contact_id(77));
    }
    rename("old", "newer");
    rename("newer", "new");
    rename("old", "new");
    assert_figures(
        &store,
        "renameToken",
        (3, 0),
        &[("renamed", 1), ("joined", 1), ("unknownSubscriber", 1)],
    );
    assert_figures(
        &store,
        "erase",
        (2, 0),
        &[("erased", 1), ("unknownContact", 1)],
    );

    for _ in 0..2 {
        let nobody = GivenIdentifiers::new().email("no@example.com");
        assert!(
            store
                .lift_suppression(nobody.parse().unwrap())
                .wait()
                .is_ok()
        );
    }
    let nothing = GivenIdentifiers::new().parse().unwrap();
    assert!(store.lift_suppression(nothing).wait().is_err());
    let outcomes = [("lifted", 0), ("notSuppressed", 2)];
    assert_figures(&store, "liftSuppression", (2, 1), &outcomes);
    let token = |name: &str| Token::parse(name).unwrap();
    assert!(
        store
            .bring_back(BringBack::new(APP, token("nobody")))
            .wait()
            .is_ok()
    );
    let outcomes = [("broughtBack", 0), ("notRemembered", 1)];
    assert_figures(&store, "bringBack", (1, 0), &outcomes);
    for name in ["new", "nobody"] {
        assert!(store.mute(Mute::new(APP, token(name))).wait().is_ok());
    }
    for name in ["new", "new", "nobody"] {
        assert!(store.unmute(Unmute::new(APP, token(name))).wait().is_ok());
    }
    let outcomes = [("muted", 1), ("unknownSubscriber", 1)];
    assert_figures(&store, "mute", (2, 0), &outcomes);
    let outcomes = [("unmuted", 1), ("notMuted", 1), ("unknownSubscriber", 1)];
    assert_figures(&store, "unmute", (3, 0), &outcomes);
    for n in [81, 82, 83] {
        add(
            &store,
            TokenEntry::new(format!("merging {n}")).contact_id(n),
        );
    }
    let merge = |from, into| store.merge(Merge::new(id(from), id(into))).wait();
    assert!(merge(82, 81).is_ok() && merge(83, 81).is_ok() && merge(83, 81).is_err());
    assert_figures(&store, "merge", (2, 1), &[("merged", 2)]);
    assert_eq!(stats(&store).merged, 2);
    let token = Token::parse("merging 83").unwrap();
    assert!(
        store
            .remove_token(RemoveToken::of_all(APP, token))
            .wait()
            .is_ok()
    );
    for (contact, is_merged) in [(82, true), (83, true), (83, false)] {
        assert_eq!(store.unmerge(id(contact)).wait().is_ok(), is_merged);
    }
    assert_figures(
        &store,
        "unmerge",
        (2, 1),
        &[("unmerged", 1), ("unmergedInPart", 1)],
    );
    assert_eq!(stats(&store).merged, 0);
    add(
        &store,
        TokenEntry::new("splitting").email("split@example.com"),
    );
    let found = store
        .snapshot()
        .unwrap()
        .by_email("split@example.com")
        .unwrap();
    let split = Split::new(found.unwrap().id).identifier(IdentifierKind::Email);
    assert!(store.split(split.clone()).wait().is_ok() && store.split(split).wait().is_err());
    assert_figures(&store, "split", (1, 1), &[("splitOff", 1)]);
    assert!(store.dismiss_conflict(id(1), id(2)).wait().is_ok());
    let outcomes = [("dismissed", 0), ("notListed", 1)];
    assert_figures(&store, "dismissConflict", (1, 0), &outcomes);

    clock.set(at(2_000));
    assert!(store.forget_messages(APP, at(2_000)).wait().is_ok());
    assert_figures(&store, "forgetMessages", (1, 0), &[("forgotten", 1)]);

    let stale = RemoveStale::new(APP, at(2_001));
    let live = store.snapshot().unwrap().subscribers(APP, None, 100);
    let live = live.unwrap().len() as u64;
    assert!(live > 0);
    for dry_run in [true, false, false] {
        let removed = store.remove_stale(stale.dry_run(dry_run)).wait();
        assert_eq!(removed.unwrap().outcome.dry_run, dry_run);
    }
    assert_figures(
        &store,
        "removeStale",
        (3, 0),
        &[("removed", live), ("found", live)],
    );

    assert!(store.disconnect_app(OTHER_APP).wait().is_ok());
    let again = store.disconnect_app(OTHER_APP).wait();
    assert!(matches!(again, Err(Error::UnknownApp(_))));
    assert_figures(&store, "disconnectApp", (1, 1), &[]);
    assert_figures(&store, "connectApp", (2, 0), &[]);
}

#[test]
fn the_kinds_of_operations_are_all_there_in_a_fixed_order() {
    let (store, _) = store_with(|_| {});
    let names: Vec<&str> = stats(&store)
        .operations
        .iter()
        .map(|of| of.operation)
        .collect();
    let all = [
        "addTokens",
        "recordReports",
        "upsert",
        "removeToken",
        "renameToken",
        "erase",
        "merge",
        "unmerge",
        "split",
        "connectApp",
        "disconnectApp",
        "forgetMessages",
        "removeStale",
        "mute",
        "unmute",
        "liftSuppression",
        "bringBack",
        "dismissConflict",
        "import",
    ];
    assert_eq!(names, all);
}

/// R48: a request that panics is one that was refused.
#[test]
fn a_request_that_panics_is_counted_as_refused() {
    let (store, _) = store_with(|_| {});
    let before = stats(&store);
    let panicked = store.panic_while_deciding().wait();
    assert!(matches!(panicked, Err(Error::Panicked)), "{panicked:?}");
    let refused = |stats: &Stats| stats.operations.iter().map(|of| of.refused).sum::<u64>();
    let after = stats(&store);
    assert_eq!((refused(&before), refused(&after)), (0, 1));
    assert_eq!(after.commits, before.commits);
}

/// What is held is counted on with each commit, and read anew when apps come or go: both ways lead to
/// what the listing of the apps says.
#[test]
fn contacts_subscribers_and_apps_are_those_of_the_last_durable_state() {
    let (store, _) = store_with(|_| {});
    let held = |store: &ContactStore| {
        let stats = stats(store);
        (stats.apps, stats.contacts, stats.subscribers)
    };
    assert_eq!(held(&store), (2, 0, 0));
    for number in 0..5 {
        add(&store, entry(number));
    }
    let other = AddTokens::new(OTHER_APP).entries([entry(0), entry(1), entry(7)]);
    assert!(store.add_tokens(other).wait().is_ok());
    assert_eq!(held(&store), (2, 6, 8));
    assert!(store.erase(id(1)).wait().is_ok());
    assert_eq!(held(&store), (2, 5, 6));
    assert!(store.disconnect_app(OTHER_APP).wait().is_ok());
    assert_eq!(held(&store), (1, 5, 4));
    connect(&store);
    assert_eq!(held(&store), (2, 5, 4));
    add(&store, entry(8));
    assert_eq!(held(&store), (2, 6, 5));
    assert_eq!(stats(&store).sequence, store.snapshot().unwrap().sequence());
    assert_sound(&store);
}

/// R47: what changes nothing causes no commit.
#[test]
fn r47_only_what_was_made_durable_counts_as_a_commit() {
    let (store, _) = store_with(|_| {});
    add(&store, entry(1));
    let before = stats(&store);
    assert_eq!((before.commits, before.group_sizes.sum), (3, 3));
    assert!(store.erase(id(99)).wait().is_ok());
    assert!(store.disconnect_app(AppId::from_u128(99)).wait().is_err());
    let after = stats(&store);
    assert_eq!(after.commits, before.commits);
    assert_eq!(after.group_sizes, before.group_sizes);
    assert_eq!(after.commit_latency, before.commit_latency);
}

/// One request of several commits is in the group of each.
#[test]
fn a_request_of_several_commits_is_counted_in_each_and_answered_once() {
    let (store, _) = store_with(|_| {});
    add(&store, entry(1));
    let reports = |from: u64| {
        (from..from + 3_000).map(|number| {
            let report = Report::new(Status::Sent).token("token 1");
            report.message(format!("message {number}"))
        })
    };
    for from in [0, 3_000] {
        let request = RecordReports::new(APP).reports(reports(from));
        assert!(store.record_reports(request).wait().is_ok());
    }
    let before = stats(&store);
    assert!(store.forget_messages(APP, at(5_000)).wait().is_ok());
    let after = stats(&store);
    assert_eq!(after.commits - before.commits, 2);
    assert_eq!(after.group_sizes.sum - before.group_sizes.sum, 2);
    assert_figures(&store, "forgetMessages", (1, 0), &[("forgotten", 6_000)]);
}

#[test]
fn under_load_each_request_that_changes_the_store_is_in_one_group() {
    const CALLERS: u64 = 8;
    const EACH: u64 = 50;
    let (store, _) = store_with(|_| {});
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let store = &store;
            scope.spawn(move || {
                let numbers = caller * EACH..(caller + 1) * EACH;
                let pending = numbers.map(|number| store.add_tokens(request(number)));
                for pending in pending.collect::<Vec<_>>() {
                    assert!(pending.wait().is_ok());
                }
            });
        }
    });
    let after = stats(&store);
    let connected = 2;
    assert_eq!(after.contacts, CALLERS * EACH);
    assert_eq!(after.sequence.value(), CALLERS * EACH + connected);
    assert_eq!(of_operation(&store, "addTokens").accepted, CALLERS * EACH);
    let groups = after.group_sizes;
    assert_eq!(groups.sum, CALLERS * EACH + connected);
    assert_eq!(
        (groups.count, after.commit_latency.count),
        (after.commits, after.commits)
    );
    // All that shared a commit fit into the last bucket, and none was empty.
    assert_eq!(groups.buckets.last(), Some(&(4_096, groups.count)));
    let alone = u64::from(groups.buckets[0].1 > 0);
    assert!(groups.max >= 1 && alone >= 1, "{groups:?}");
    let taken = after.commit_latency;
    assert!(taken.buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
    assert!(taken.max <= taken.sum);
    assert!(taken.sum > Duration::ZERO);
    assert_eq!((after.waiting_requests, after.waiting_for_place), (0, 0));
}

/// Nothing becomes durable, and the stats are told: what waits, and nothing that is not durable.
#[test]
fn while_the_disk_holds_a_commit_stats_tells_what_waits() {
    let disk = WatchedDisk::new();
    let (mut options, _) = options();
    options.limits.waiting_requests = 2;
    let store = disk.open(&options);
    connect(&store);
    let before = stats(&store);

    let hold = disk.held();
    let mut pending = vec![store.add_tokens(request(0))];
    disk.wait_until_held();
    pending.extend([1, 2].map(|number| store.add_tokens(request(number))));
    let busy = store.add_tokens(request(3)).wait();
    assert!(matches!(busy, Err(Error::Busy { .. })), "{busy:?}");
    let patient = store.when_full(WhenFull::Wait);
    pending.push(patient.add_tokens(request(4)));

    let held = stats(&store);
    assert_eq!((held.waiting_requests, held.waiting_for_place), (2, 1));
    let text = "token 1person1@example.com".len();
    assert_eq!(held.waiting_text_bytes, 2 * text);
    assert_eq!((held.commits, held.contacts), (before.commits, 0));
    assert_figures(
        &store,
        "addTokens",
        (0, 1),
        &[
            "created",
            "found",
            "added",
            "alreadyHeld",
            "moved",
            "refused",
        ]
        .map(|name| (name, 0)),
    );
    hold.let_go();
    for pending in pending {
        assert!(pending.wait().is_ok());
    }
    let after = stats(&store);
    assert_eq!((after.waiting_requests, after.waiting_text_bytes), (0, 0));
    assert_eq!((after.waiting_for_place, after.contacts), (0, 4));
    assert_eq!(of_operation(&store, "addTokens").accepted, 4);
    // The first alone, then the two that waited, then the one that waited for a place.
    let groups = after.group_sizes;
    assert_eq!((groups.count, groups.sum, groups.max), (5, 6, 2));
}

#[test]
fn a_commit_takes_as_long_as_the_disk() {
    let disk = WatchedDisk::new();
    let store = disk.open(&options().0);
    connect(&store);
    let before = stats(&store).commit_latency;

    let start = Instant::now();
    let hold = disk.held();
    let pending = store.add_tokens(request(0));
    disk.wait_until_held();
    let held_since = Instant::now();
    // A host asks all the time, and is answered.
    while held_since.elapsed() < Duration::from_millis(20) {
        assert_eq!(stats(&store).commit_latency, before);
    }
    let held = held_since.elapsed();
    hold.let_go();
    assert!(pending.wait().is_ok());
    let after = stats(&store).commit_latency;
    let whole = start.elapsed();
    assert_eq!(after.count, before.count + 1);
    assert!(
        after.max >= held - Duration::from_micros(1),
        "{after:?} {held:?}"
    );
    assert!(after.max <= whole, "{after:?} {whole:?}");
    assert_eq!(after.sum - before.sum, after.max);
    // It counts in every bucket that it fits into, and in no other.
    for (one, other) in before.buckets.iter().zip(&after.buckets) {
        assert_eq!(
            other.1 - one.1,
            u64::from(after.max <= other.0),
            "{other:?}"
        );
    }
}

/// R49: as long as the store needs reopening, the stats say so, and are those of the last state
/// known to be durable; then they go on.
#[test]
fn r49_the_figures_outlive_a_failed_commit_and_reopening() {
    let disk = TestDisk::empty();
    let store = ContactStore::open_on_disk(disk.clone(), options().0).unwrap();
    connect(&store);
    add(&store, entry(0));
    let before = stats(&store);
    assert!(!before.needs_reopen);

    disk.fail_sync(1);
    let failed = store.add_tokens(request(1)).wait();
    assert!(matches!(failed, Err(Error::Indeterminate { .. })));
    let refused = store.add_tokens(request(2)).wait();
    assert!(matches!(refused, Err(Error::NeedsReopen)));
    let assert_stands = |asked: &Stats| {
        assert!(asked.needs_reopen);
        assert_eq!((asked.failed_commits, asked.commits), (1, before.commits));
        assert_eq!(asked.sequence, before.sequence);
        assert_eq!((asked.contacts, asked.subscribers, asked.apps), (1, 1, 2));
        assert_eq!(asked.commit_latency, before.commit_latency);
        let cause = asked.last_failure.as_deref();
        assert!(
            cause.is_some_and(|it| it.starts_with("input or output failed")),
            "{cause:?}"
        );
        let of = &asked.operations[0];
        assert_eq!((of.operation, of.accepted, of.refused), ("addTokens", 1, 2));
    };
    assert_stands(&stats(&store));

    // There is no state to read from any more, and the stats stand.
    disk.fail(Fault {
        at: 1,
        kind: FaultKind::FromThenOn,
    });
    assert!(matches!(store.reopen(), Err(Error::Open(_))));
    assert!(matches!(store.snapshot(), Err(Error::NeedsReopen)));
    assert_stands(&disk.aside(|| stats(&store)));

    disk.mend();
    let found = store.reopen().unwrap();
    let after = stats(&store);
    assert!(!after.needs_reopen);
    assert_eq!(after.sequence, found);
    assert_eq!(after.contacts, store.snapshot().unwrap().contact_count());
    add(&store, entry(3));
    let after = stats(&store);
    assert_eq!(
        (after.failed_commits, after.commits),
        (1, before.commits + 1)
    );
    assert_eq!(after.commit_latency.count, after.commits);
    let of = &after.operations[0];
    assert_eq!((of.accepted, of.refused), (2, 2));
    assert_sound(&store);
}

/// R49: a failed read is enough, and no commit has failed.
#[test]
fn r49_after_a_failed_read_the_figures_say_that_the_store_needs_reopening() {
    let disk = TestDisk::empty();
    let (mut options, _) = options();
    // So that every read goes to the disk.
    options.cache_bytes = 0;
    let store = ContactStore::open_on_disk(disk.clone(), options).unwrap();
    connect(&store);
    // More than the snapshot holds in memory itself.
    let many = AddTokens::new(APP).entries((0..1_000).map(entry));
    assert!(store.add_tokens(many).wait().is_ok());
    disk.panic_on_next_read();
    let read = store.snapshot().unwrap().contact(id(1));
    assert!(matches!(read, Err(Error::Storage(_))), "{read:?}");
    let broken = stats(&store);
    assert!(broken.needs_reopen);
    assert_eq!((broken.failed_commits, broken.contacts), (0, 1_000));
    store.reopen().unwrap();
    assert!(!stats(&store).needs_reopen);
}

/// R47: an old snapshot keeps old pages in the file, and the stats say for how long.
#[test]
fn the_age_of_the_oldest_snapshot_is_told_while_it_is_held() {
    let (store, _) = store_with(|_| {});
    add(&store, entry(1));
    let old = store.snapshot().unwrap();
    // It shows the last durable state: nothing old is kept for it.
    assert_eq!(stats(&store).oldest_snapshot, None);
    add(&store, entry(2));
    let since = Instant::now();
    let newer = store.snapshot().unwrap();
    add(&store, entry(3));
    thread::sleep(Duration::from_millis(5));
    let age = |store: &ContactStore| stats(store).oldest_snapshot;
    assert!(age(&store).unwrap() > since.elapsed() - Duration::from_millis(1));
    let copy = old.clone();
    drop(old);
    assert!(age(&store).unwrap() >= Duration::from_millis(5));
    drop(copy);
    assert!(age(&store).unwrap() <= since.elapsed());
    drop(newer);
    assert_eq!(age(&store), None);
}

#[test]
fn what_was_set_and_what_is_there_is_told_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let (mut options, _) = options();
    options.cache_bytes = 5 << 20;
    let store = ContactStore::open(&path, options.clone()).unwrap();
    let opened = stats(&store);
    assert_eq!(opened.file_bytes, path.metadata().unwrap().len());
    assert_eq!(opened.cache_bytes, 5 << 20);
    assert_eq!((opened.commits, opened.failed_commits), (0, 0));
    assert_eq!(
        (opened.commit_latency.count, opened.group_sizes.count),
        (0, 0)
    );
    assert!(
        opened
            .commit_latency
            .buckets
            .iter()
            .all(|bucket| bucket.1 == 0)
    );
    assert_eq!(opened.version, env!("CARGO_PKG_VERSION"));
    assert_eq!((opened.oldest_snapshot, opened.last_failure), (None, None));
    let name = AppName::parse("Bot").unwrap();
    store
        .connect_app(ConnectApp::new(name).id(APP))
        .wait()
        .unwrap();
    add(&store, entry(0));
    store.close().unwrap();
    assert!(matches!(store.stats(), Err(Error::Closed)));

    // What is held is in the file; what was counted is not.
    let store = ContactStore::open(&path, options).unwrap();
    let again = stats(&store);
    assert_eq!((again.apps, again.contacts, again.subscribers), (1, 1, 1));
    assert_eq!((again.sequence.value(), again.commits), (2, 0));
    assert_eq!(of_operation(&store, "addTokens").accepted, 0);
}

#[test]
fn cached_cards_take_a_quarter_of_the_memory_for_pages_unless_they_are_given_their_own() {
    /// Slots come to be so many at a time, of 320 bytes each.
    const CHUNK: usize = 256 * 320;
    let rows = [
        (8 * CHUNK, None, 2 * CHUNK),
        (4 * CHUNK, None, CHUNK),
        (4 * CHUNK - 4, None, 0),
        (4 * CHUNK, Some(2 * CHUNK), 2 * CHUNK),
        (8 * CHUNK, Some(0), 0),
    ];
    for (cache_bytes, card_memory, expected) in rows {
        let (set, _) = options();
        let mut set = set.cache_bytes(cache_bytes);
        if let Some(bytes) = card_memory {
            set = set.card_memory(bytes);
        }
        let store = ContactStore::open_in_memory(set).unwrap();
        connect(&store);
        let entries = (0..300).map(entry);
        let request = AddTokens::new(APP).entries(entries);
        store.add_tokens(request).wait().unwrap();
        let now = store.snapshot().unwrap();
        // Of two chunks, if there are as many.
        for contact in [1, 300] {
            assert!(now.contact(id(contact)).unwrap().is_some());
        }
        let told = stats(&store).card_bytes;
        assert_eq!(told, expected, "{cache_bytes}, {card_memory:?}");
    }
}

/// What is erased leaves room in the file, which later contacts take.
#[test]
fn the_space_in_the_file_is_told_as_used_and_free() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let store = ContactStore::open(&path, options().0).unwrap();
    let name = AppName::parse("Bot").unwrap();
    let connect = ConnectApp::new(name).id(APP);
    store.connect_app(connect).wait().unwrap();
    let empty = store.space().unwrap();
    let request = AddTokens::new(APP).entries((0..3_000).map(entry));
    store.add_tokens(request).wait().unwrap();
    let full = store.space().unwrap();
    // A contact with its token and the entries of its indexes takes some hundred bytes.
    let grown = full.used_bytes - empty.used_bytes;
    assert!((3_000 * 50..3_000 * 500).contains(&grown), "{grown}");
    let patient = store.when_full(WhenFull::Wait);
    let erasing: Vec<_> = (1..=3_000).map(|n| patient.erase(id(n))).collect();
    for erased in erasing {
        assert!(erased.wait().unwrap().outcome.erased);
    }
    let emptied = store.space().unwrap();
    assert!(emptied.used_bytes < full.used_bytes / 2, "{emptied:?}");
    for space in [empty, full, emptied] {
        assert_eq!(space.file_bytes, space.used_bytes + space.free_bytes);
    }
    assert_eq!(emptied.file_bytes, path.metadata().unwrap().len());
    store.close().unwrap();
    assert!(matches!(store.space(), Err(Error::Closed)));
}
