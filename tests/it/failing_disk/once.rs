//! A client that repeats its requests under their idempotency keys, over a disk that fails and a power
//! that is cut: nothing is done twice, and nothing that was acknowledged is forgotten (R64).
//!
//! What it makes are delivery reports, which count again each time they are done, and merges and what
//! takes them apart, which are refused the second time.

use std::collections::BTreeMap;
use std::sync::Arc;

use contact_store::{
    ContactStore, Error, IdempotencyKey, IdentifierKind, KeepAnswers, Merge, Options, Pending,
    RecordReports, Report, SequenceNumber, Split, Status, TokenEntry,
};

use super::disk::{Call, Fault, FaultKind, TestDisk, WrittenBack};
use crate::support::{APP, add, assert_sound, connect, id, options};

const REQUESTS: u64 = 6;
/// How many of them are reports.
const REPORTS: u64 = 3;

fn keeping() -> Options {
    options().0.keep_answers(KeepAnswers::default())
}

/// A disk with a store of two contacts, each with a token.
fn prepared() -> Arc<TestDisk> {
    let disk = TestDisk::empty();
    let store = ContactStore::open_on_disk(disk.clone(), keeping()).unwrap();
    connect(&store);
    add(&store, TokenEntry::new("a").external_customer_id("c1"));
    let other = TokenEntry::new("b").external_customer_id("c2");
    add(&store, other.email("b@example.com"));
    store.close().unwrap();
    TestDisk::with(disk.durable())
}

/// What a client was told: the number of each of its requests.
#[derive(Default)]
struct Client {
    told: BTreeMap<u64, SequenceNumber>,
    repeated: u64,
}

impl Client {
    fn ask(&mut self, store: &ContactStore, n: u64) -> Result<(), Error> {
        let key = IdempotencyKey::parse(format!("client 7, request {n}")).unwrap();
        let store = store.once(&key);
        match n {
            1 => self.hear(n, store.merge(Merge::new(id(2), id(1)))),
            3 => self.hear(n, store.unmerge(id(2))),
            4 => {
                let request = Split::new(id(2)).identifier(IdentifierKind::Email);
                self.hear(n, store.split(request))
            }
            _ => {
                let report = Report::new(Status::Sent).token("a");
                self.hear(
                    n,
                    store.record_reports(RecordReports::new(APP).report(report)),
                )
            }
        }
    }

    fn hear<T>(&mut self, n: u64, answer: Pending<T>) -> Result<(), Error> {
        let answer = answer.wait()?;
        // What it was told once, it is told again.
        let told = *self.told.entry(n).or_insert(answer.sequence);
        assert_eq!(told, answer.sequence, "request {n}");
        self.repeated += u64::from(answer.repeated);
        Ok(())
    }

    /// Makes each request until it has its answer. After a failure, the store is reopened.
    fn ask_all(&mut self, store: &ContactStore) {
        for n in 0..REQUESTS {
            while let Err(error) = self.ask(store, n) {
                let is_failure = matches!(
                    error,
                    Error::Indeterminate { .. } | Error::NeedsReopen | Error::Storage(_)
                );
                assert!(is_failure, "{error:?}");
                // The failure may come again in reopening.
                while store.reopen().is_err() {}
            }
        }
    }
}

#[track_caller]
fn assert_done_once(store: &ContactStore, what: &str) {
    let now = store.snapshot().unwrap();
    let subscribers = now.subscribers(APP, None, 10).unwrap();
    assert_eq!(subscribers[0].counts.sent, REPORTS, "{what}");
    // Merged, taken out, and split.
    assert_eq!(subscribers[1].contacts, [id(2)], "{what}");
    let split_off = now.by_email("b@example.com").unwrap().unwrap();
    assert_eq!((split_off.id, now.contact_count()), (id(3), 3), "{what}");
    assert_eq!(
        store.stats().unwrap().answers.unwrap().kept,
        REQUESTS,
        "{what}"
    );
    assert_sound(store);
}

fn open(disk: &Arc<TestDisk>) -> ContactStore {
    ContactStore::open_on_disk(disk.clone(), keeping()).unwrap()
}

#[test]
fn r64_r49_whichever_call_fails_a_client_that_repeats_its_requests_is_done_once() {
    let before = prepared().durable();
    let mut repeated = 0;
    for of in [Call::Write, Call::Sync, Call::SetLen] {
        for at in 1.. {
            let disk = TestDisk::with(before.clone());
            let store = open(&disk);
            let kind = match at % 2 {
                0 => FaultKind::Once,
                _ => FaultKind::OnceInTheMiddle,
            };
            disk.fail_calls(of, Fault { at, kind });
            let mut client = Client::default();
            client.ask_all(&store);
            let failed = disk.failed_calls();
            disk.mend();
            assert_done_once(&store, &format!("{of:?} {at}"));
            repeated += client.repeated;
            if failed == 0 {
                break;
            }
        }
    }
    assert!(repeated > 0, "no commit that failed was found in");
}

#[test]
fn r64_r46_a_client_that_repeats_its_requests_after_a_power_cut_is_done_once() {
    let before = prepared().durable();
    let mut repeated = 0;
    for sync in 1..=2 * REQUESTS + 1 {
        for seed in 0..4 {
            let disk = TestDisk::with(before.clone());
            let store = open(&disk);
            let written = match seed {
                0 => WrittenBack::Everything,
                1 => WrittenBack::Nothing,
                seed => WrittenBack::Some(seed),
            };
            disk.fail_sync_after(sync, written);
            let mut client = Client::default();
            for n in 0..REQUESTS {
                if client.ask(&store, n).is_err() {
                    break;
                }
            }
            // The power is cut, and the client begins from its first request.
            let disk = TestDisk::with(disk.durable());
            drop(store);
            let store = open(&disk);
            client.ask_all(&store);
            assert_done_once(&store, &format!("sync {sync}, {seed}"));
            repeated += client.repeated;
        }
    }
    assert!(repeated > 0);
}
