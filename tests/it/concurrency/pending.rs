//! Writes under way: waiting for them, awaiting them, dropping them, and closing while they wait.
//!
//! The writer is held up in a sync of the disk where a test needs writes to wait.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use contact_store::{
    AddTokens, AppId, AppName, BatchMode, Committed, ConnectApp, ContactId, ContactStore, Erased,
    Error, MatchPolicy, Options, Pending, Snapshot, TokenEntry, TokensAdded, WhenFull,
};

use crate::sequences::memory_disk::{Gate, MemoryDisk};
use crate::support::{APP, connect, id, subscriber};

/// A store on a disk that can be shut.
struct Shuttable {
    disk: Arc<MemoryDisk>,
    store: ContactStore,
}

/// Longer than any answer takes.
const LONG: Duration = Duration::from_secs(60);

/// How many numbers `connect` takes.
const CONNECTED: u64 = 2;

fn shuttable(set: impl FnOnce(&mut Options)) -> Shuttable {
    let mut options = Options::default();
    set(&mut options);
    let disk = Arc::new(MemoryDisk::default());
    let store = ContactStore::open_on_disk(disk.clone(), options).unwrap();
    connect(&store);
    Shuttable { disk, store }
}

/// The store as it is found after the process ended.
fn reopened(disk: &MemoryDisk) -> ContactStore {
    ContactStore::open_on_disk(Arc::new(disk.copy()), Options::default()).unwrap()
}

/// Adds a token to the card of a customer of its own.
fn add(store: &ContactStore, number: usize) -> Pending<TokensAdded> {
    store.add_tokens(AddTokens::new(APP).entry(entry(number)))
}

/// An entry with 4 bytes of text.
fn entry(number: usize) -> TokenEntry {
    TokenEntry::new(customer(number)).external_customer_id(customer(number))
}

/// Two bytes that name a customer and its token, and are no placeholder.
fn customer(number: usize) -> String {
    assert!(number < 100);
    let letter = char::from(b'a' + u8::try_from(number / 10).unwrap());
    format!("{letter}{}", number % 10)
}

/// Whether the customer is in.
fn is_in(snapshot: &Snapshot, number: usize) -> bool {
    let identifiers = contact_store::GivenIdentifiers::new()
        .external_customer_id(customer(number))
        .parse()
        .unwrap();
    let found = snapshot.find(&identifiers, MatchPolicy::Cascade).unwrap();
    found.is_some()
}

#[track_caller]
fn assert_in(store: &ContactStore, numbers: impl IntoIterator<Item = usize>) {
    let now = store.snapshot().unwrap();
    let numbers: Vec<usize> = numbers.into_iter().collect();
    let found: Vec<usize> = (0..100).filter(|number| is_in(&now, *number)).collect();
    assert_eq!(found, numbers);
}

#[track_caller]
fn number<T>(answer: Result<Committed<T>, Error>) -> u64 {
    match answer {
        Ok(committed) => committed.sequence.value(),
        Err(error) => panic!("{error:?}"),
    }
}

/// Shuts the disk with the writer held up in the commit of customer 0.
fn hold_up(on: &Shuttable) -> (Pending<TokensAdded>, Gate) {
    let gate = on.disk.shut();
    let first = add(&on.store, 0);
    gate.wait();
    (first, gate)
}

#[test]
fn a_handle_a_snapshot_and_a_pending_write_go_to_other_threads() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<ContactStore>();
    shared::<Snapshot>();
    sent::<Pending<TokensAdded>>();
    sent::<Pending<Erased>>();
    sent::<Pending<AppId>>();
}

#[test]
fn writes_that_wait_together_share_one_commit() {
    // What one commit costs.
    let alone = shuttable(|_| {});
    let before = alone.disk.syncs();
    add(&alone.store, 0).wait().unwrap();
    let one_commit = alone.disk.syncs() - before;

    let on = shuttable(|_| {});
    let before = on.disk.syncs();
    let (first, gate) = hold_up(&on);
    let waiting: Vec<_> = (1..65).map(|number| add(&on.store, number)).collect();
    drop(gate);
    assert_eq!(number(first.wait()), CONNECTED + 1);
    for (at, pending) in waiting.into_iter().enumerate() {
        assert_eq!(number(pending.wait()), CONNECTED + 2 + at as u64);
    }
    assert_eq!(on.disk.syncs() - before, 2 * one_commit);
    assert_in(&on.store, 0..65);
}

#[test]
fn r47_what_changes_nothing_takes_no_number_and_causes_no_commit() {
    let on = shuttable(|_| {});
    add(&on.store, 0).wait().unwrap();
    let syncs = on.disk.syncs();
    assert_eq!(number(on.store.erase(id(7)).wait()), CONNECTED + 1);
    assert_eq!(
        number(on.store.add_tokens(AddTokens::new(APP)).wait()),
        CONNECTED + 1
    );
    assert_eq!(on.disk.syncs(), syncs);
}

#[test]
fn r46_r47_nobody_is_answered_and_nobody_reads_before_the_state_is_durable() {
    let on = shuttable(|_| {});
    let (mut first, gate) = hold_up(&on);
    // These two share the next commit; the second changes nothing.
    let mut second = add(&on.store, 1);
    let mut idle = on.store.erase(id(7));
    assert!(first.wait_timeout(Duration::ZERO).is_none());
    assert_in(&on.store, []);

    // Sync by sync, until the writer is held up in the second commit.
    let answer = loop {
        gate.step();
        if let Some(answer) = first.wait_timeout(Duration::ZERO) {
            break answer;
        }
    };
    assert_eq!(number(answer), CONNECTED + 1);
    assert_in(&on.store, [0]);
    assert!(second.wait_timeout(Duration::ZERO).is_none());
    assert!(idle.wait_timeout(Duration::ZERO).is_none());
    drop(gate);
    assert_eq!(number(second.wait()), CONNECTED + 2);
    let idle = idle.wait().unwrap();
    assert_eq!(idle.sequence.value(), CONNECTED + 2);
    assert!(!idle.outcome.erased);
}

#[test]
fn r48_a_refused_and_a_panicking_request_leave_their_neighbours_in_the_commit_alone() {
    let on = shuttable(|_| {});
    let (first, gate) = hold_up(&on);
    let one = add(&on.store, 1);
    let panicking = on.store.panic_while_deciding();
    let two = add(&on.store, 2);
    // Its first entry would be accepted.
    let refused = on.store.add_tokens(
        AddTokens::new(APP)
            .entries([entry(3), TokenEntry::without_token()])
            .mode(BatchMode::AllOrNothing),
    );
    let four = add(&on.store, 4);
    drop(gate);

    assert_eq!(number(first.wait()), CONNECTED + 1);
    // Ids of contacts and subscribers that the others took in vain are not used up.
    for (at, added) in [(2, one), (3, two), (4, four)] {
        let added = added.wait().unwrap();
        assert_eq!(added.sequence.value(), CONNECTED + at);
        let entry = added.outcome.entries[0].as_ref().unwrap();
        assert_eq!((entry.contact, entry.subscriber), (id(at), subscriber(at)));
    }
    let panicked = panicking.wait();
    assert!(matches!(panicked, Err(Error::Panicked)), "{panicked:?}");
    let refused = refused.wait();
    let is_second = matches!(refused, Err(Error::EntryRefused { index: 1, .. }));
    assert!(is_second, "{refused:?}");
    assert_in(&on.store, [0, 1, 2, 4]);
}

#[test]
fn a_time_limit_ends_the_waiting_and_not_the_write() {
    let on = shuttable(|_| {});
    let (mut first, gate) = hold_up(&on);
    assert!(first.wait_timeout(Duration::from_millis(5)).is_none());
    drop(gate);
    let answer = first.wait_timeout(LONG);
    assert_eq!(number(answer.unwrap()), CONNECTED + 1);
    // The answer is given once.
    let again = first.wait_timeout(Duration::ZERO);
    assert!(matches!(again, Some(Err(Error::AnswerTaken))), "{again:?}");
    let again = first.wait();
    assert!(matches!(again, Err(Error::AnswerTaken)), "{again:?}");
}

/// Counts how often a task is woken, and unparks its thread.
struct Woken(thread::Thread, AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.unpark();
    }
}

/// A whole runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Woken(thread::current(), AtomicUsize::new(0))));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        thread::park();
    }
}

#[test]
fn writes_are_awaited_in_any_runtime() {
    let on = shuttable(|_| {});
    let (first, gate) = hold_up(&on);
    let store = on.store.clone();
    let task = thread::spawn(move || {
        block_on(async {
            let second = add(&store, 1);
            let first = number(first.await);
            let third = add(&store, 2).await;
            [first, number(second.await), number(third)]
        })
    });
    drop(gate);
    let numbers = task.join().unwrap();
    assert_eq!(numbers, [1, 2, 3].map(|number| CONNECTED + number));
}

#[test]
fn a_task_is_woken_once_it_can_be_answered_and_not_before() {
    let on = shuttable(|_| {});
    let (mut first, gate) = hold_up(&on);
    let woken = Arc::new(Woken(thread::current(), AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    assert!(Pin::new(&mut first).poll(&mut context).is_pending());
    assert_eq!(woken.1.load(Ordering::SeqCst), 0);
    drop(gate);
    while woken.1.load(Ordering::SeqCst) == 0 {
        thread::park();
    }
    match Pin::new(&mut first).poll(&mut context) {
        Poll::Ready(answer) => assert_eq!(number(answer), CONNECTED + 1),
        Poll::Pending => panic!("woken without an answer"),
    }
}

#[test]
fn dropping_a_queued_write_does_not_cancel_it() {
    let on = shuttable(|_| {});
    let (first, gate) = hold_up(&on);
    drop(first);
    drop(add(&on.store, 1));
    let last = add(&on.store, 2);
    drop(gate);
    assert_eq!(number(last.wait()), CONNECTED + 3);
    assert_in(&on.store, [0, 1, 2]);
}

/// Refused immediately, and not when the writer comes to it.
#[track_caller]
fn assert_busy<T: std::fmt::Debug>(mut pending: Pending<T>, requests: usize, text_bytes: usize) {
    match pending.wait_timeout(Duration::ZERO) {
        Some(Err(Error::Busy {
            waiting_requests,
            waiting_text_bytes,
        })) => assert_eq!(
            (waiting_requests, waiting_text_bytes),
            (requests, text_bytes)
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_queue_refuses_with_how_much_waits_and_takes_writes_again_later() {
    let on = shuttable(|options| options.limits.waiting_requests = 3);
    // What the writer works on does not wait.
    let (first, gate) = hold_up(&on);
    let waiting: Vec<_> = (1..4).map(|number| add(&on.store, number)).collect();
    assert_busy(add(&on.store, 4), 3, 12);
    // Also to another handle.
    assert_busy(add(&on.store.clone(), 5), 3, 12);
    drop(gate);
    first.wait().unwrap();
    for pending in waiting {
        pending.wait().unwrap();
    }
    assert_eq!(number(add(&on.store, 6).wait()), CONNECTED + 5);
    assert_in(&on.store, [0, 1, 2, 3, 6]);
}

#[test]
fn a_queue_can_be_full_by_text_too() {
    let on = shuttable(|options| options.limits.waiting_text_bytes = 10);
    let (first, gate) = hold_up(&on);
    let waiting = [add(&on.store, 1), add(&on.store, 2)];
    assert_busy(add(&on.store, 3), 2, 8);
    // What has no text fits still.
    let idle = on.store.erase(id(7));
    drop(gate);
    for pending in [first].into_iter().chain(waiting) {
        pending.wait().unwrap();
    }
    idle.wait().unwrap();
    assert_in(&on.store, [0, 1, 2]);
}

#[test]
fn nobody_overtakes_a_write_that_waits_for_its_place_even_where_a_smaller_one_would_fit() {
    let on = shuttable(|options| options.limits.waiting_text_bytes = 10);
    let patient = on.store.when_full(WhenFull::Wait);
    let (first, gate) = hold_up(&on);
    let queued = [add(&on.store, 1), add(&on.store, 2)];
    let large = add(&patient, 3);
    // It has no text.
    let small = patient.erase(id(4));
    assert_busy(on.store.erase(id(4)), 2, 8);
    drop(gate);
    for pending in [first].into_iter().chain(queued) {
        pending.wait().unwrap();
    }
    assert_eq!(number(large.wait()), CONNECTED + 4);
    // Contact 4 is the one that the large request created.
    let small = small.wait().unwrap();
    assert_eq!(small.sequence.value(), CONNECTED + 5);
    assert!(small.outcome.erased);
    assert_in(&on.store, [0, 1, 2]);
}

#[test]
fn a_handle_that_waits_is_let_in_in_order_and_nobody_overtakes_it() {
    let on = shuttable(|options| options.limits.waiting_requests = 1);
    let patient = on.store.when_full(WhenFull::Wait);
    let (first, gate) = hold_up(&on);
    let waiting: Vec<_> = (1..20).map(|number| add(&patient, number)).collect();
    assert_busy(add(&on.store, 20), 1, 4);
    drop(gate);
    assert_eq!(number(first.wait()), CONNECTED + 1);
    for (at, pending) in waiting.into_iter().enumerate() {
        assert_eq!(number(pending.wait()), CONNECTED + 2 + at as u64);
    }
    assert_in(&on.store, 0..20);
}

#[test]
fn dropping_a_write_that_waits_for_its_place_withdraws_it() {
    let on = shuttable(|options| options.limits.waiting_requests = 1);
    let patient = on.store.when_full(WhenFull::Wait);
    let (first, gate) = hold_up(&on);
    let queued = add(&patient, 1);
    let withdrawn = add(&patient, 2);
    let mut last = add(&patient, 3);
    // Ending to wait on a thread withdraws nothing; dropping does.
    assert!(last.wait_timeout(Duration::ZERO).is_none());
    drop(withdrawn);
    drop(queued);
    drop(gate);
    assert_eq!(number(last.wait()), CONNECTED + 3);
    first.wait().unwrap();
    assert_in(&on.store, [0, 1, 3]);
}

#[track_caller]
fn assert_closed<T: std::fmt::Debug>(answer: Result<T, Error>) {
    assert!(matches!(answer, Err(Error::Closed)), "{answer:?}");
}

#[track_caller]
fn assert_all_closed(store: &ContactStore, snapshot: &Snapshot) {
    assert_closed(add(store, 9).wait());
    assert_closed(add(&store.when_full(WhenFull::Wait), 9).wait());
    assert_closed(store.erase(id(1)).wait_timeout(Duration::ZERO).unwrap());
    assert_closed(block_on(store.erase(id(1))));
    assert_closed(store.snapshot());
    assert_closed(store.stats());
    assert_closed(store.reopen());
    assert_closed(snapshot.contact(ContactId::new(1).unwrap()));
    assert_closed(snapshot.apps());
    assert_closed(snapshot.verify());
    // Closing a closed store does nothing.
    assert!(store.close().is_ok());
}

#[test]
fn r49_closing_answers_everyone_and_then_every_clone_and_snapshot_is_closed() {
    let on = shuttable(|options| options.limits.waiting_requests = 2);
    let (first, gate) = hold_up(&on);
    let queued = [add(&on.store, 1), add(&on.store, 2)];
    let mut lobby = add(&on.store.when_full(WhenFull::Wait), 3);
    let snapshot = on.store.snapshot().unwrap();
    let (clone, closing) = (on.store.clone(), on.store.clone());
    let closing = thread::spawn(move || closing.close());
    // It has no place in the queue, and none becomes free: only closing answers it.
    let a_while = Duration::from_secs(10);
    assert_closed(lobby.wait_timeout(a_while).expect("it waits for ever"));
    assert_closed(add(&clone, 4).wait());
    drop(gate);
    for pending in [first].into_iter().chain(queued) {
        pending.wait().unwrap();
    }
    closing.join().unwrap().unwrap();
    for store in [&on.store, &clone] {
        assert_all_closed(store, &snapshot);
    }
    assert_in(&reopened(&on.disk), [0, 1, 2]);
}

#[test]
fn r49_two_clones_close_at_once_and_both_return_when_all_is_written() {
    let on = shuttable(|_| {});
    let (first, gate) = hold_up(&on);
    let last = add(&on.store, 1);
    let snapshot = on.store.snapshot().unwrap();
    let closing = [on.store.clone(), on.store.clone()].map(|store| {
        let (disk, snapshot) = (Arc::clone(&on.disk), snapshot.clone());
        thread::spawn(move || {
            store.close().unwrap();
            assert_all_closed(&store, &snapshot);
            assert_in(&reopened(&disk), [0, 1]);
        })
    });
    drop(gate);
    for closed in closing {
        closed.join().unwrap();
    }
    assert_eq!(number(first.wait()), CONNECTED + 1);
    assert_eq!(number(last.wait()), CONNECTED + 2);
    assert_all_closed(&on.store, &snapshot);
}

#[test]
fn dropping_the_last_handle_commits_what_is_queued() {
    let on = shuttable(|_| {});
    let (first, gate) = hold_up(&on);
    let Shuttable { disk, store } = on;
    let kept = add(&store, 1);
    drop(add(&store, 2));
    let snapshot = store.snapshot().unwrap();
    let clone = store.clone();
    drop(store);
    drop(add(&clone, 3));
    // It returns when all is written, so another thread has to open the disk.
    let dropping = thread::spawn(move || drop(clone));
    drop(gate);
    dropping.join().unwrap();
    assert_in(&reopened(&disk), [0, 1, 2, 3]);
    // A pending write and a snapshot outlive the store.
    assert_eq!(number(first.wait()), CONNECTED + 1);
    assert_eq!(number(kept.wait()), CONNECTED + 2);
    assert_closed(snapshot.apps());
}

#[test]
fn r51_a_file_that_was_closed_or_dropped_is_opened_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    for round in 0..10 {
        let store = ContactStore::open(&path, Options::default()).unwrap();
        if round == 0 {
            connect(&store);
        }
        assert_in(&store, 0..round);
        let snapshot = store.snapshot().unwrap();
        drop(add(&store, round));
        if round % 2 == 0 {
            store.close().unwrap();
            // Handles and snapshots of a closed store keep no lock.
            assert_in(
                &ContactStore::open(&path, Options::default()).unwrap(),
                0..=round,
            );
            assert_all_closed(&store, &snapshot);
        } else {
            drop(store);
            assert_closed(snapshot.apps());
        }
    }
}

// R49
#[test]
fn r49_an_idle_writer_is_woken_by_every_write() {
    let store = ContactStore::open_in_memory(Options::default()).unwrap();
    let limit = Duration::from_secs(5);
    for n in 0..20 {
        // The writer has things to do after it answered, and a write that comes meanwhile needs no
        // waking. Of twenty pauses one at least is long enough on a busy machine too.
        std::thread::sleep(Duration::from_millis(20));
        let request = ConnectApp::new(AppName::parse("Bot").unwrap()).id(AppId::from_u128(n));
        let answer = store.connect_app(request).wait_timeout(limit);
        let sequence = answer.expect("it waits for ever").unwrap().sequence;
        assert_eq!(u128::from(sequence.value()), n + 1);
    }
}
