//! A disk that fails at every call, and a sync that fails and forgets (R46, R47, R49).
//!
//! The script is played on a disk in memory. Whatever happens to the disk, the store then shows
//! exactly what a replay of its first requests shows, as many as the number it is at, and none that
//! was acknowledged is missing.

pub mod disk;
mod every_call;
mod failed_sync;
mod once;
pub mod play;
pub mod script;
mod silent_disk;
mod vacuum;

use std::sync::Arc;
use std::time::Duration;

use contact_store::{
    AddTokens, AppId, Backoff, ContactStore, Error, OpenError, RecordReports, Reopening, Report,
    Status, StorageError, TokenEntry,
};

use crate::support::cases::{HANG, watched};
use crate::support::{APP, add, assert_sound, at, id};
use disk::{Fault, FaultKind, TestDisk};
use script::{Answer, open_on, script_options};

/// A store on a disk, with `APP` and contacts enough for trees of two levels: redb keeps the root
/// of a tree in memory. One contact has `token`.
fn small_store(token: &str) -> (Arc<TestDisk>, ContactStore) {
    let disk = TestDisk::empty();
    // Without a cache, whatever is read is read from the disk.
    let mut options = script_options(false);
    options.cache_bytes = 0;
    options.card_memory = Some(0);
    let store = ContactStore::open_on_disk(disk.clone(), options).unwrap();
    crate::support::connect(&store);
    add(&store, TokenEntry::new(token).email("a@example.com"));
    let entry = |n| {
        TokenEntry::new(format!("{n}")).external_customer_id(format!("{n}-{}", "x".repeat(500)))
    };
    let request = AddTokens::new(APP).entries((0..50).map(entry));
    store.add_tokens(request).wait().unwrap();
    (disk, store)
}

fn one_more(n: u32) -> AddTokens {
    let entry = TokenEntry::new(format!("more-{n}")).email(format!("more{n}@example.com"));
    AddTokens::new(APP).entry(entry)
}

/// redb refuses everything once a read failed; so does the store, until it is reopened (R49).
#[test]
fn a_store_that_could_not_read_is_restored_by_reopening() {
    let (disk, store) = small_store("100");
    let before = store.snapshot().unwrap();
    disk.fail(Fault {
        at: disk.calls() + 1,
        kind: FaultKind::Once,
    });
    assert!(matches!(
        before.contact(id(1)),
        Err(Error::Storage(StorageError::Io(_)))
    ));
    assert!(matches!(
        store.add_tokens(one_more(1)).wait(),
        Err(Error::NeedsReopen)
    ));
    assert_eq!(store.reopen().unwrap(), before.sequence());
    assert!(matches!(before.contact(id(1)), Err(Error::SnapshotExpired)));
    store.add_tokens(one_more(1)).wait().unwrap();
    assert_sound(&store);
    store.close().unwrap();
}

/// R49: a store that is kept open takes writes again, and says what happened to it.
#[test]
fn a_store_that_is_kept_open_is_reopened_until_it_is_closed() {
    let (disk, store) = small_store("100");
    let (told, heard) = std::sync::mpsc::channel();
    let short = Duration::from_millis(5);
    let keeping = store.keep_open(Backoff::new(short, short), move |event| {
        let shown = match event {
            Reopening::Waiting { .. } => "waiting".to_owned(),
            Reopening::Reopened { found } => format!("reopened at {found}"),
            other => format!("{other:?}"),
        };
        drop(told.send(shown));
    });
    let keeping = keeping.unwrap();
    let now = store.snapshot().unwrap();
    let found = now.sequence();
    disk.fail(Fault {
        at: disk.calls() + 1,
        kind: FaultKind::Once,
    });
    assert!(matches!(
        now.contact(id(1)),
        Err(Error::Storage(StorageError::Io(_)))
    ));
    let next = || heard.recv_timeout(HANG).unwrap();
    assert_eq!(next(), "waiting");
    assert_eq!(next(), format!("reopened at {found}"));
    store.add_tokens(one_more(1)).wait().unwrap();
    assert_sound(&store);
    // Closed, it ends by itself; dropped, it is a handle less.
    store.close().unwrap();
    drop(keeping);
    assert!(heard.try_recv().is_err());
}

/// R49: closing reports.
#[test]
fn closing_a_store_that_could_not_read_says_that_the_file_is_not_clean() {
    let (disk, store) = small_store("100");
    let now = store.snapshot().unwrap();
    disk.fail(Fault {
        at: disk.calls() + 1,
        kind: FaultKind::Once,
    });
    assert!(matches!(
        now.contact(id(1)),
        Err(Error::Storage(StorageError::Io(_)))
    ));
    assert!(matches!(
        store.close(),
        Err(Error::CloseIncomplete(StorageError::Stopped))
    ));
    let store = open_on(&disk, false).unwrap();
    assert_eq!(store.snapshot().unwrap().sequence(), now.sequence());
    assert_sound(&store);
}

/// R49: the same after a commit that failed, and after reopening failed too.
#[test]
fn closing_a_store_that_failed_says_so() {
    for try_to_reopen in [false, true] {
        let (disk, store) = small_store("100");
        let found = store.snapshot().unwrap().sequence().value();
        disk.fail(Fault {
            at: disk.calls() + 1,
            kind: FaultKind::FromThenOn,
        });
        assert!(matches!(
            store.add_tokens(one_more(1)).wait(),
            Err(Error::Indeterminate { sequence, cause: StorageError::Io(_) })
                if sequence.value() == found + 1
        ));
        if try_to_reopen {
            assert!(matches!(store.reopen(), Err(Error::Open(OpenError::Io(_)))));
        }
        assert!(matches!(store.close(), Err(Error::CloseIncomplete(_))));
        assert!(matches!(store.snapshot(), Err(Error::Closed)));
        disk.mend();
        let store = open_on(&disk, false).unwrap();
        assert_eq!(store.snapshot().unwrap().sequence().value(), found);
        assert_sound(&store);
    }
}

/// R49: a request that was refused has no number, so it must not be told one. Its refusal may rest
/// on what the same commit would have changed, so it is no answer either.
#[test]
fn a_request_refused_in_a_commit_that_failed_is_told_to_ask_again() {
    let (disk, store) = small_store("100");
    let number = store.snapshot().unwrap().sequence().value();
    disk.hold();
    let first = store.add_tokens(one_more(1));
    assert!(disk.somebody_waits(HANG));
    let disconnected = store.disconnect_app(APP);
    let refused = store.add_tokens(one_more(2));
    let unknown = store.disconnect_app(AppId::from_u128(0xdead));
    // Each commit syncs twice.
    disk.fail_sync(3);
    disk.release();
    assert_eq!(first.wait().unwrap().sequence.value(), number + 1);
    match disconnected.wait() {
        Err(Error::Indeterminate { sequence, .. }) => assert_eq!(sequence.value(), number + 2),
        other => panic!("{other:?}"),
    }
    assert!(matches!(refused.wait(), Err(Error::NeedsReopen)));
    assert!(matches!(unknown.wait(), Err(Error::NeedsReopen)));
    let found = store.reopen().unwrap().value();
    assert!((number + 1..=number + 2).contains(&found));
    let asked_again = store.add_tokens(one_more(2)).wait();
    if found == number + 1 {
        asked_again.unwrap();
    } else {
        assert!(matches!(asked_again, Err(Error::UnknownApp(APP))));
    }
    assert_sound(&store);
}

/// R49: no caller waits longer than the disk. A request that goes on in a second commit is
/// answered when the store fails between the two.
#[test]
fn a_request_of_several_commits_is_answered_when_the_store_fails_in_between() {
    watched("several commits", || {
        let (disk, store) = small_store("100");
        for part in 0..2 {
            let tallied = |n| {
                Report::new(Status::Sent)
                    .token("100")
                    .message(format!("{part}-{n}"))
                    .at(at(100))
            };
            let reports = RecordReports::new(APP).reports((0..2_500).map(tallied));
            store.record_reports(reports).wait().unwrap();
        }
        let now = store.snapshot().unwrap();
        disk.hold();
        let mut forgotten = store.forget_messages(APP, at(500));
        assert!(disk.somebody_waits(HANG));
        disk.panic_on_next_read();
        assert!(matches!(
            now.contact(id(1)),
            Err(Error::Storage(StorageError::Panicked))
        ));
        disk.release();
        let answer = forgotten.wait_at_most(HANG).expect("no answer");
        assert!(
            matches!(
                answer,
                Err(Error::NeedsReopen | Error::Indeterminate { .. })
            ),
            "{answer:?}"
        );
        store.reopen().unwrap();
        assert_sound(&store);
        // What is left of them goes when it is asked for again.
        store.forget_messages(APP, at(500)).wait().unwrap();
        let left = store.snapshot().unwrap().messages(APP, None, 10).unwrap();
        assert_eq!(left, []);
        store.close().unwrap();
    });
}
