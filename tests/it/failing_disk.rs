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
    Snapshot, Status, StorageError, TokenEntry,
};

use crate::support::cases::{HANG, watched};
use crate::support::{APP, add, assert_sound, at, id};
use disk::{Call, Fault, FaultKind, TestDisk};
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

/// People enough that their entries come into the indexes in memory while the commit is under way.
const MANY: u32 = 600;

fn email_of_many(n: u32) -> String {
    format!("many{n}@example.com")
}

/// A store with one contact, and a request that adds many more.
fn many_more() -> (Arc<TestDisk>, ContactStore, AddTokens) {
    let disk = TestDisk::empty();
    let store = ContactStore::open_on_disk(disk.clone(), script_options(false)).unwrap();
    crate::support::connect(&store);
    add(&store, TokenEntry::new("100").email("a@example.com"));
    let entry = |n| {
        TokenEntry::new(format!("many-{n}"))
            .external_customer_id(format!("many-{n}"))
            .email(email_of_many(n))
    };
    let request = AddTokens::new(APP).entries((0..MANY).map(entry));
    (disk, store, request)
}

/// How many of them a snapshot finds, which must find the one contact.
#[track_caller]
fn found_of_many(now: &Snapshot) -> usize {
    assert!(now.by_email("a@example.com").unwrap().is_some());
    let found = (0..MANY).filter(|n| now.by_email(&email_of_many(*n)).unwrap().is_some());
    found.count()
}

/// R47: memory may have the entries of a commit earlier, or without it.
#[test]
fn nobody_finds_what_a_large_commit_adds_before_it_is_durable() {
    let (disk, store, request) = many_more();
    disk.hold_at_sync(1);
    let pending = store.add_tokens(request);
    assert!(disk.somebody_waits(HANG));
    let before = store.snapshot().unwrap();
    assert_eq!(found_of_many(&before), 0);
    disk.release();
    let added = pending.wait().unwrap();
    assert!(added.outcome.entries.iter().all(Result::is_ok));
    assert_eq!(found_of_many(&before), 0);
    assert_eq!(found_of_many(&store.snapshot().unwrap()), MANY as usize);
    assert_sound(&store);
    store.close().unwrap();
}

/// R47, R49: the same where the commit fails, whether it is found in the file afterwards or not.
#[test]
fn nobody_finds_what_a_large_commit_that_failed_was_to_add_until_the_store_is_reopened() {
    let mut found_in = Vec::new();
    for at in 1.. {
        let (disk, store, request) = many_more();
        let before = store.snapshot().unwrap();
        assert_eq!(found_of_many(&before), 0);
        let kind = FaultKind::Once;
        disk.fail_calls(Call::Sync, Fault { at, kind });
        match store.add_tokens(request).wait() {
            // It has no further sync.
            Ok(_) => break,
            Err(Error::Indeterminate { .. }) => {}
            Err(other) => panic!("sync {at}: {other:?}"),
        }
        assert_eq!(found_of_many(&before), 0, "sync {at}");
        let found = store.reopen().unwrap();
        let expected = if found > before.sequence() { MANY } else { 0 };
        let now = store.snapshot().unwrap();
        assert_eq!(found_of_many(&now), expected as usize, "sync {at}");
        found_in.push(expected > 0);
        assert_sound(&store);
        store.close().unwrap();
    }
    assert!(
        found_in.contains(&true) && found_in.contains(&false),
        "{found_in:?}"
    );
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
