//! Several callers whose requests shared a commit that failed.

use contact_store::{AddTokens, ContactStore, Error, Pending, TokenEntry, TokensAdded};

use crate::failing_disk::disk::{Fault, FaultKind, TestDisk};
use crate::support::cases::HANG;
use crate::support::{APP, connect, options};

fn add(store: &ContactStore, name: &str) -> Pending<TokensAdded> {
    let entry = TokenEntry::new(name).external_customer_id(name);
    store.add_tokens(AddTokens::new(APP).entry(entry))
}

/// The number that a request would have which nobody knows to be in.
#[track_caller]
fn indeterminate(pending: Pending<TokensAdded>) -> u64 {
    match pending.wait() {
        Err(Error::Indeterminate { sequence, .. }) => sequence.value(),
        other => panic!("{other:?}"),
    }
}

// R49. By the time that the second of them asks, others have taken the numbers of what was lost.
#[test]
fn r49_each_of_several_callers_learns_the_outcome_of_its_request_by_reopening() {
    let disk = TestDisk::empty();
    let store = ContactStore::open_on_disk(disk.clone(), options().0).unwrap();
    connect(&store);
    let before = store.snapshot().unwrap().sequence().value();

    // Without a failure, reopening tells the present number.
    add(&store, "sound").wait().unwrap();
    assert_eq!(store.reopen().unwrap().value(), before + 1);

    disk.hold();
    let first = add(&store, "first");
    assert!(disk.somebody_waits(HANG));
    // The first write of its commit fails.
    disk.fail(Fault {
        at: disk.calls() + 1,
        kind: FaultKind::Once,
    });
    disk.release();
    assert_eq!(indeterminate(first), before + 2);
    let one = store.reopen().unwrap().value();
    assert_eq!(one, before + 1, "it is not in");
    let later = add(&store, "later").wait().unwrap();
    assert_eq!(later.sequence.value(), before + 2);
    // Another caller of the failed commit asks now.
    assert_eq!(store.reopen().unwrap().value(), one);
    store.close().unwrap();
}
