//! What the store promises beyond single rules: R46 to R49, R53, R54, R69, and the
//! limits.
//!
//! Failing and damaged disks are tested elsewhere.

mod files;
mod limits;
mod moved;
mod times;

use std::future::Future as _;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use contact_store::{
    AddTokens, BatchMode, ContactStore, EntryError, Error, GivenIdentifiers, MatchPolicy, Pending,
    RecordReports, Report, Status, TokenEntry, TokensAdded, WhenFull,
};

use crate::support::watched_disk::WatchedDisk;
use crate::support::{
    APP, OTHER_APP, add, assert_sound, connect, find, id, options, store, subscriber,
};

/// A store with both apps on a disk that can be held, and how often a commit makes that disk
/// durable.
fn watched(
    set: impl FnOnce(&mut contact_store::Options),
) -> (std::sync::Arc<WatchedDisk>, ContactStore) {
    let disk = WatchedDisk::new();
    let (mut options, _) = options();
    set(&mut options);
    let store = disk.open(&options);
    connect(&store);
    add(&store, TokenEntry::new("first").contact_id(1_000_000));
    (disk, store)
}

fn request(token: &str, ext: &str) -> AddTokens {
    AddTokens::new(APP).entry(TokenEntry::new(token).external_customer_id(ext))
}

fn is_pending<T>(pending: &mut Pending<T>) -> bool {
    pending.wait_timeout(Duration::ZERO).is_none()
}

/// The number and the one contact of an answer.
#[track_caller]
fn number_and_contact(pending: Pending<TokensAdded>) -> (u64, u64) {
    let answer = pending.wait().unwrap();
    match &answer.outcome.entries[..] {
        [Ok(added)] => (answer.sequence.value(), added.contact.value()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn r46_what_a_reader_sees_is_durable() {
    let (disk, store) = watched(|_| {});
    let before = store.snapshot().unwrap().sequence();
    let hold = disk.held();
    let mut added = store.add_tokens(request("t", "c"));
    disk.wait_until_held();
    // Written, but not durable: neither answered nor seen.
    assert!(is_pending(&mut added));
    let now = store.snapshot().unwrap();
    assert_eq!((now.sequence(), now.contact_count()), (before, 1));
    let given = GivenIdentifiers::new().external_customer_id("c");
    assert_eq!(find(&store, given.clone()).unwrap(), None);
    hold.let_go();
    let added = added.wait().unwrap();
    // Who was answered sees what it wrote.
    assert_eq!(store.snapshot().unwrap().sequence(), added.sequence);
    assert!(find(&store, given).unwrap().is_some());
}

#[test]
fn r46_a_change_is_there_after_opening_again() {
    let (disk, store) = watched(|_| {});
    let answer = store.add_tokens(request("t", "c")).wait().unwrap();
    store.close().unwrap();
    let store = disk.open(&options().0);
    let now = store.snapshot().unwrap();
    assert_eq!(now.sequence(), answer.sequence);
    assert_eq!(now.contact_count(), 2);
}

#[test]
fn r47_a_request_that_changes_nothing_takes_no_number_and_no_commit() {
    let (disk, store) = watched(|_| {});
    let changed = store.add_tokens(request("t", "c")).wait().unwrap();
    let syncs = disk.syncs();
    let unchanged = [
        store.add_tokens(request("t", "c")).wait().unwrap().sequence,
        store
            .add_tokens(AddTokens::new(APP))
            .wait()
            .unwrap()
            .sequence,
        store.erase(id(77)).wait().unwrap().sequence,
        {
            let nobody = Report::new(Status::Sent).token("nobody").message("m");
            let request = RecordReports::new(APP).report(nobody);
            store.record_reports(request).wait().unwrap().sequence
        },
        {
            let again = contact_store::AppName::parse("First bot").unwrap();
            let request = contact_store::ConnectApp::new(again).id(APP);
            store.connect_app(request).wait().unwrap().sequence
        },
        {
            let token = contact_store::Token::parse("nobody").unwrap();
            let request = contact_store::RemoveToken::of_all(APP, token);
            store.remove_token(request).wait().unwrap().sequence
        },
        {
            let before = contact_store::Timestamp::from_millis(u64::MAX);
            store.forget_messages(APP, before).wait().unwrap().sequence
        },
        {
            let before = contact_store::Timestamp::from_millis(0);
            let request = contact_store::RemoveStale::new(APP, before);
            store.remove_stale(request).wait().unwrap().sequence
        },
        {
            let before = contact_store::Timestamp::from_millis(u64::MAX);
            let request = contact_store::RemoveStale::new(APP, before).dry_run(true);
            store.remove_stale(request).wait().unwrap().sequence
        },
        {
            let token = contact_store::Token::parse("nobody").unwrap();
            let request = contact_store::Mute::new(APP, token);
            store.mute(request).wait().unwrap().sequence
        },
        {
            let token = contact_store::Token::parse("t").unwrap();
            let request = contact_store::Unmute::new(APP, token);
            store.unmute(request).wait().unwrap().sequence
        },
        {
            let token = contact_store::Token::parse("nobody").unwrap();
            let request = contact_store::BringBack::new(APP, token);
            store.bring_back(request).wait().unwrap().sequence
        },
        {
            let nobody = contact_store::GivenIdentifiers::new().email("no@example.com");
            let nobody = nobody.parse().unwrap();
            store.lift_suppression(nobody).wait().unwrap().sequence
        },
        store
            .dismiss_conflict(id(1), id(2))
            .wait()
            .unwrap()
            .sequence,
    ];
    assert_eq!(unchanged, [changed.sequence; 14]);
    assert_eq!(store.snapshot().unwrap().sequence(), changed.sequence);
    assert_eq!(disk.syncs(), syncs);
    // The next change has the next number.
    let next = store.add_tokens(request("u", "c")).wait().unwrap();
    assert_eq!(next.sequence.value(), changed.sequence.value() + 1);
}

#[test]
fn r47_what_changed_nothing_is_answered_once_what_it_saw_is_durable() {
    let (disk, store) = watched(|_| {});
    let hold = disk.held();
    let first = store.add_tokens(request("t", "c"));
    disk.wait_until_held();
    let second = store.add_tokens(request("u", "d"));
    // Changes nothing, and says so on the strength of what the second wrote.
    let mut same = store.add_tokens(request("u", "d"));
    let before = store.snapshot().unwrap().sequence();
    disk.let_through_until(|| store.snapshot().unwrap().sequence() > before);
    let (number, _) = number_and_contact(first);
    assert_eq!(store.snapshot().unwrap().sequence().value(), number);
    assert!(is_pending(&mut same));
    hold.let_go();
    assert_eq!(number_and_contact(second), (number + 1, 2));
    assert_eq!(number_and_contact(same), (number + 1, 2));
}

#[test]
fn r47_all_reads_of_a_snapshot_are_of_its_number() {
    let (store, _) = store();
    add(&store, TokenEntry::new("t").external_customer_id("c1"));
    let then = store.snapshot().unwrap();
    let sequence = then.sequence();
    let card = then.contact(id(1)).unwrap();
    let apps = then.apps().unwrap();
    let subscribers = then.subscribers(APP, None, 10).unwrap();
    // Everything changes under it.
    add(&store, TokenEntry::new("u").external_customer_id("c1"));
    store.erase(id(1)).wait().unwrap();
    add(&store, TokenEntry::new("t").external_customer_id("c2"));
    store.disconnect_app(APP).wait().unwrap();
    assert_eq!(then.sequence(), sequence);
    assert_eq!(then.contact(id(1)).unwrap(), card);
    assert_eq!(then.apps().unwrap(), apps);
    assert_eq!(then.subscribers(APP, None, 10).unwrap(), subscribers);
    assert_eq!(then.contact_count(), 1);
    let c2 = GivenIdentifiers::new().external_customer_id("c2");
    let found = then.find(&c2.parse().unwrap(), MatchPolicy::Cascade);
    assert_eq!(found.unwrap(), None);
    assert_eq!(then.verify().unwrap().problems, []);
    assert_eq!(then.verify().unwrap().sequence, sequence);
}

#[test]
fn r48_requests_of_one_commit_stay_independent() {
    let (disk, store) = watched(|_| {});
    let start = store.snapshot().unwrap().sequence().value();
    let hold = disk.held();
    let blocker = store.add_tokens(request("t0", "c0"));
    disk.wait_until_held();
    let before = store.stats().unwrap().commits;
    let good = store.add_tokens(request("t1", "c1"));
    let all_or_nothing = store.add_tokens(
        request("t2", "c2")
            .entry(TokenEntry::new("t3"))
            .mode(BatchMode::AllOrNothing),
    );
    let panicking = store.panic_while_deciding();
    let unknown_app = store.disconnect_app(contact_store::AppId::from_u128(0xc));
    let partly = store.add_tokens(request("t4", "c1").entry(TokenEntry::new("t5")));
    let last = store.add_tokens(request("t6", "c6"));
    hold.let_go();

    assert_eq!(number_and_contact(blocker), (start + 1, 1));
    assert_eq!(number_and_contact(good), (start + 2, 2));
    match all_or_nothing.wait() {
        Err(Error::EntryRefused {
            index: 1,
            error: EntryError::NoIdentifier,
        }) => {}
        other => panic!("{other:?}"),
    }
    assert!(matches!(panicking.wait(), Err(Error::Panicked)));
    assert!(matches!(unknown_app.wait(), Err(Error::UnknownApp(_))));
    let partly = partly.wait().unwrap();
    assert_eq!(partly.sequence.value(), start + 3);
    match &partly.outcome.entries[..] {
        // It sees what the good one of its own group wrote.
        [Ok(added), Err(EntryError::NoIdentifier)] => {
            assert_eq!((added.contact, added.subscriber), (id(2), subscriber(4)));
        }
        other => panic!("{other:?}"),
    }
    // What was refused or panicked took no id of any kind.
    assert_eq!(number_and_contact(last), (start + 4, 3));
    let c2 = GivenIdentifiers::new().external_customer_id("c2");
    assert_eq!(find(&store, c2).unwrap(), None);
    let commits = store.stats().unwrap().commits - before;
    assert_eq!(commits, 2, "the blocker's, and one of all the others");
    assert_sound(&store);
}

#[test]
fn r49_closing_answers_everyone_and_then_everything_is_closed() {
    let (disk, store) = watched(|options| options.limits.waiting_requests = 1);
    let clone = store.clone();
    let waiting = store.when_full(WhenFull::Wait);
    let snapshot = store.snapshot().unwrap();
    let hold = disk.held();
    let held = store.add_tokens(request("t1", "c1"));
    disk.wait_until_held();
    let queued = store.add_tokens(request("t2", "c2"));
    let in_the_lobby = waiting.add_tokens(request("t3", "c3"));
    let (done, closed) = mpsc::channel();
    let closing = std::thread::spawn({
        let store = store.clone();
        move || done.send(store.close()).unwrap()
    });
    // The lobby is answered without waiting for the disk.
    assert!(matches!(in_the_lobby.wait(), Err(Error::Closed)));
    assert!(closed.try_recv().is_err(), "closing waits for the disk");
    hold.let_go();
    held.wait().unwrap();
    queued.wait().unwrap();
    closed.recv().unwrap().unwrap();
    closing.join().unwrap();

    for handle in [&store, &clone, &waiting] {
        assert!(matches!(
            handle.add_tokens(request("t", "c")).wait(),
            Err(Error::Closed)
        ));
        assert!(matches!(handle.snapshot(), Err(Error::Closed)));
        assert!(matches!(handle.stats(), Err(Error::Closed)));
        assert!(matches!(handle.reopen(), Err(Error::Closed)));
        assert!(matches!(handle.close(), Ok(())));
    }
    let given = GivenIdentifiers::new().contact_id(1).parse().unwrap();
    let token = contact_store::Token::parse("first").unwrap();
    let first = subscriber(1);
    let reads: [Result<(), Error>; 10] = [
        snapshot.find(&given, MatchPolicy::Cascade).map(drop),
        snapshot.contact(id(1)).map(drop),
        snapshot.subscriber(first).map(drop),
        snapshot.subscriber_by_token(APP, &token).map(drop),
        snapshot.explain(&given).map(drop),
        snapshot.apps().map(drop),
        snapshot.access_key(APP).map(drop),
        snapshot.subscribers(APP, None, 1).map(drop),
        snapshot.messages(APP, None, 1).map(drop),
        snapshot.verify().map(drop),
    ];
    for read in reads {
        assert!(matches!(read, Err(Error::Closed)), "{read:?}");
    }
    // What was acknowledged is there.
    let store = disk.open(&options().0);
    assert_eq!(store.snapshot().unwrap().contact_count(), 3);
}

#[test]
fn r49_dropping_the_last_handle_closes_the_store() {
    let (disk, store) = watched(|_| {});
    let snapshot = store.snapshot().unwrap();
    drop(store.clone());
    assert!(snapshot.contact(id(1)).is_ok());
    drop(store);
    assert!(matches!(snapshot.contact(id(1)), Err(Error::Closed)));
    assert_eq!(
        disk.open(&options().0).snapshot().unwrap().contact_count(),
        1
    );
}

#[test]
fn r49_reopening_a_store_that_has_not_failed_does_nothing() {
    let (_, store) = watched(|_| {});
    let snapshot = store.snapshot().unwrap();
    assert_eq!(store.reopen().unwrap(), snapshot.sequence());
    assert!(snapshot.contact(id(1_000_000)).unwrap().is_some());
}

#[test]
fn a_pending_write_can_be_awaited_and_gives_its_answer_once() {
    let (disk, store) = watched(|_| {});
    let hold = disk.held();
    let mut pending = store.add_tokens(request("t", "c"));
    let mut context = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut pending).poll(&mut context).is_pending());
    hold.let_go();
    let answer = loop {
        if let Some(answer) = pending.wait_timeout(Duration::from_secs(60)) {
            break answer;
        }
    };
    assert_eq!(answer.unwrap().outcome.entries.len(), 1);
    assert!(matches!(
        Pin::new(&mut pending).poll(&mut context),
        Poll::Ready(Err(Error::AnswerTaken))
    ));
    assert!(matches!(
        pending.wait_timeout(Duration::ZERO),
        Some(Err(Error::AnswerTaken))
    ));
    assert!(matches!(pending.wait(), Err(Error::AnswerTaken)));
}

#[test]
fn dropping_a_pending_write_does_not_cancel_it() {
    let (disk, store) = watched(|_| {});
    let hold = disk.held();
    drop(store.add_tokens(request("t", "c")));
    disk.wait_until_held();
    drop(store.add_tokens(request("u", "d")));
    hold.let_go();
    let (_, contact) = number_and_contact(store.add_tokens(request("v", "e")));
    assert_eq!(contact, 3);
    // The other app was no part of any of it.
    let apps = store.snapshot().unwrap().apps().unwrap();
    let counts: Vec<_> = apps.iter().map(|app| (app.id, app.subscribers)).collect();
    assert_eq!(counts, [(APP, 4), (OTHER_APP, 0)]);
}
