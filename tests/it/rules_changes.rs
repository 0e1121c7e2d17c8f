//! The change feed: R60. That a follower of it sees what the store has, every script tests.

use std::sync::Arc;
use std::time::Duration;

use contact_store::{
    Change, ChangePosition, Changed, ContactStore, ContactUpdate, DedupeOn, Error, KeepChanges,
    LimitTooHigh, LimitZero, OpenError, Options, TokenEntry, Upsert, WhenFull,
};

use crate::support::script::script_with;
use crate::support::watched_disk::WatchedDisk;
use crate::support::{add, assert_sound, connect, id, options, store_with};

#[track_caller]
fn fed(text: &str) {
    script_with(
        |options| options.change_feed = Some(KeepChanges::default()),
        text,
    );
}

/// Keeps this number of changes.
#[track_caller]
fn keeping(changes: u64, text: &str) {
    let keep = KeepChanges::default().changes(changes);
    script_with(|options| options.change_feed = Some(keep), text);
}

fn all(store: &ContactStore) -> Vec<Change> {
    let page = store
        .snapshot()
        .unwrap()
        .changes(ChangePosition::START, 1_000);
    page.unwrap().changes
}

fn position(text: &str) -> ChangePosition {
    ChangePosition::parse(text).unwrap()
}

fn named(n: u64) -> ContactUpdate {
    ContactUpdate::new().external_customer_id(format!("c{n}"))
}

fn upsert(store: &ContactStore, updates: impl IntoIterator<Item = ContactUpdate>) {
    let request = Upsert::new(DedupeOn::ExternalCustomerId).contacts(updates);
    let outcome = store.upsert(request).wait().unwrap().outcome;
    outcome.all().unwrap();
}

#[test]
fn r60_each_request_records_what_it_changed_under_its_number() {
    fed("
        changes => 1.1 connected A | 2.1 connected B
        add A at=500 : t ext=c1 | u ext=c1 phone=1234567 => 1 created added #1 | 1 by ext added #2
        changes after=2 => 3.1 created 1 | 3.2 added 1 #1 | 3.3 added 1 #2
        // At the time of the store's clock, in the order of the entries.
        clock 2000
        upsert phone : phone=1234567 first=Ann | ext=c1 first=Ben => 2 created | 1 by ext updated
        changes after=3 => 4.1@2000 created 2 | 4.2@2000 updated 1
        erase 2 => true
        changes after=4 => 5.1@2000 erased 2
    ");
}

#[test]
fn r60_what_changes_on_no_card_has_no_record() {
    fed("
        add A : t ext=c1          => 1 created added #1
        // Held already, reported about, refused, unchanged; each takes a number or none.
        clock 2000
        add A : t ext=c1          => 1 by ext held #1
        report A : t SENT msg=m1  => recorded
        report A : t FAILED reason=spam => recorded
        forget A before=5000      => 1
        upsert externalCustomerId : ext=c1 => 1 by ext unchanged
        upsert email only=update : email=a@example.com => refused ContactNotFound
        erase 9                   => false
        rename A t t              => #1 of 1
        changes after=2           => 3.1 created 1 | 3.2 added 1 #1
        // The next one says how far the numbers are.
        erase 1                   => true
        changes after=2           => 8.1@2000 erased 1
    ");
}

#[test]
fn r60_a_refused_entry_leaves_no_record() {
    fed("
        upsert phone : phone=1234567 | phone=123 | phone=1234567 first=Ann email=no
            | phone=1234567 first=Ben
            => 1 created | refused phone DigitCount { digits: 3 } | refused email NoAtSign
            | 1 by phone updated
        upsert phone mode=all : phone=7654321 | phone=123
            => error EntryRefused 1: phone DigitCount { digits: 3 }
        changes after=2 => 3.1 created 1 | 3.2 updated 1
    ");
}

#[test]
fn r60_a_removed_token_says_why() {
    fed("
        add A at=100 : a ext=c1 | b ext=c1 | b ext=c2 | c ext=c2 => 1 created added #1
            | 1 by ext added #2 | 2 created added #2 also=1 | 2 by ext added #3
        report A : a FAILED        => removed from 1
        changes after=3            => 4.1 removed 1 #1 failed
        remove A b of=2            => from 2
        remove A b                 => from 1
        changes after=4            => 5.1 removed 2 #2 removed | 6.1 removed 1 #2 removed
        remove_stale A before=1000 => 1 off 1
        changes after=6            => 7.1 removed 2 #3 stale
    ");
}

#[test]
fn r60_r22_a_move_is_one_record_for_each_that_lost_the_token_and_one_for_the_one_that_got_it() {
    fed("
        add A : t ext=c1 | t ext=c2 | x ext=c3 => 1 created added #1 | 2 created added #1 also=1
            | 3 created added #2
        clock 2000
        add A ownership=exclusive : t ext=c3 => 3 by ext moved from 1,2 #1
        changes after=3 => 4.1@2000 removed 1 #1 moved | 4.2@2000 removed 2 #1 moved
            | 4.3@2000 moved 3 #1
        // To a contact that held it already: its place is new.
        add A : t ext=c1 => 1 by ext added #1 also=3
        add A : y ext=c3 => 3 by ext added #3
        clock 3000
        add A ownership=exclusive : t ext=c3 => 3 by ext moved from 1 #1
        changes after=6 => 7.1@3000 removed 1 #1 moved | 7.2@3000 moved 3 #1
        // In its old place, if nothing came after it.
        add A : t ext=c1 => 1 by ext added #1 also=3
        clock 4000
        add A ownership=exclusive : t ext=c3 => 3 by ext moved from 1 #1
        changes after=8 => 9.1@4000 removed 1 #1 moved | 9.2@4000 moved 3 #1
        // To a contact that is created for it.
        add A ownership=exclusive : t ext=c4 => 4 created moved from 3 #1
        changes after=9 => 10.1@4000 removed 3 #1 moved | 10.2@4000 created 4 | 10.3@4000 moved 4 #1
    ");
}

#[test]
fn r60_r57_a_renamed_token_is_one_record_for_each_contact_that_holds_it() {
    fed("
        add A : a ext=c1 | b ext=c1 | a ext=c2 | b ext=c3 => 1 created added #1 | 1 by ext added #2
            | 2 created added #1 also=1 | 3 created added #2 also=1
        rename A a c    => #1 of 1,2
        changes after=3 => 4.1 renamed 1 #1 | 4.2 renamed 2 #1
        // Two become one: who held the other has it no more.
        rename A c b    => #1 and #2 of 1,2,3
        changes after=4 => 5.1 renamed 1 #1 | 5.2 removed 1 #2 joined | 5.3 renamed 2 #1
            | 5.4 removed 3 #2 joined | 5.5 renamed 3 #1
    ");
}

#[test]
fn r60_r11_the_disconnection_of_an_app_says_it_for_all_of_its_tokens() {
    fed("
        add A : t ext=c1 => 1 created added #1
        add B : t ext=c1 => 1 by ext added #2.1
        disconnect A     => done
        connect B name=\"Shop bot\" key=secret => B
        connect B name=\"Shop bot\" => B
        connect A        => A
        add A : t ext=c1 => 1 by ext added #3.1
        changes after=2 => 3.1 created 1 | 3.2 added 1 #1 | 4.1 added 1 B:#2.1 | 5.1 disconnected A
            | 6.1 updated B | 7.1 connected A | 8.1 added 1 #3.1
    ");
}

#[test]
fn r60_r44_of_an_erased_contact_only_its_id_and_that_it_was_erased_are_left() {
    fed("
        add A : t ext=c1 | t ext=c2 | u ext=c1 => 1 created added #1 | 2 created added #1 also=1
            | 1 by ext added #2
        upsert externalCustomerId : ext=c2 first=Ann | ext=c1 first=Ben | ext=c3
            => 2 by ext updated | 1 by ext updated | 3 created
        report A : t FAILED => removed from 1,2
        erase 1 => true
        changes after=2 => 3.3 created 2 | 3.4 added 2 #1 | 4.1 updated 2 | 4.3 created 3
            | 5.2 removed 2 #1 failed | 6.1 erased 1
        // A reader in the middle of what is gone goes on after it.
        changes after=3.1 limit=1 => 3.3 created 2 and more
        changes after=3.4 limit=2 => 4.1 updated 2 | 4.3 created 3 and more
        changes after=4.2 limit=1 => 4.3 created 3 and more
        erase 2 => true
        changes after=2 => 4.3 created 3 | 6.1 erased 1 | 7.1 erased 2
        // Past what is gone before the next one.
        changes after=2 limit=1 => 4.3 created 3 to 5.2 and more
        changes after=4.3 limit=1 => 6.1 erased 1 and more
        erase 3 => true
        changes after=2 => 6.1 erased 1 | 7.1 erased 2 | 8.1 erased 3
    ");
}

#[test]
fn r60_pages_go_on_after_any_position() {
    fed("
        add A : t ext=c1 | u ext=c2 => 1 created added #1 | 2 created added #2
        changes after=0 limit=3   => 1.1 connected A | 2.1 connected B | 3.1 created 1 and more
        changes after=3.1 limit=2 => 3.2 added 1 #1 | 3.3 created 2 and more
        changes after=3.3 limit=2 => 3.4 added 2 #2
        changes after=3.4         =>
        changes after=3           =>
        changes after=3 limit=1   =>
        changes after=4           => error ChangesAhead 3
        changes after=3 limit=0   => error PageRows 0 of 1000
        changes limit=1001        => error PageRows 1001 of 1000
        erase 1                   => true
        changes after=3           => 4.1 erased 1
        changes after=3.4         => 4.1 erased 1
    ");
}

#[test]
fn r60_the_newest_are_kept_up_to_a_number_and_a_position_before_them_is_an_error() {
    keeping(
        3,
        "
        changes => 1.1 connected A | 2.1 connected B
        add A : t ext=c1 => 1 created added #1
        // A row is dropped when so many are left without it.
        changes => error ChangesNotKept 1.1
        changes after=1.1 => 2.1 connected B | 3.1 created 1 | 3.2 added 1 #1
        add A : u ext=c1 => 1 by ext added #2
        changes after=1.1 => error ChangesNotKept 2.1
        changes after=2.1 => 3.1 created 1 | 3.2 added 1 #1 | 4.1 added 1 #2
        add A : v ext=c1 => 1 by ext added #3
        changes after=2.1 => 3.1 created 1 | 3.2 added 1 #1 | 4.1 added 1 #2 | 5.1 added 1 #3
        add A : w ext=c1 => 1 by ext added #4
        changes after=3.1 => error ChangesNotKept 3.2
        changes after=3.2 => 4.1 added 1 #2 | 5.1 added 1 #3 | 6.1 added 1 #4
        // Nothing is missing after the last of what was dropped.
        changes after=3   => 4.1 added 1 #2 | 5.1 added 1 #3 | 6.1 added 1 #4
        // What was dropped cannot be stripped, and need not be.
        erase 1           => true
        changes after=3   => 7.1 erased 1
    ",
    );
    keeping(
        1,
        "
        changes after=2   =>
        changes after=1.1 => 2.1 connected B
        add A : t ext=c1 | u ext=c1 => 1 created added #1 | 1 by ext added #2
        changes after=2.1 => 3.1 created 1 | 3.2 added 1 #1 | 3.3 added 1 #2
        changes after=1.1 => error ChangesNotKept 2.1
    ",
    );
}

#[test]
fn r60_changes_are_kept_up_to_an_age() {
    let keep = KeepChanges::default().age(Duration::from_millis(500));
    script_with(
        |options| options.change_feed = Some(keep),
        "
        add A : t ext=c1 => 1 created added #1
        clock 1500
        add A : u ext=c1 => 1 by ext added #2
        changes after=2 => 3.1 created 1 | 3.2 added 1 #1 | 4.1@1500 added 1 #2
        clock 1501
        // By the next commit that changes anything.
        upsert externalCustomerId : ext=c1 => 1 by ext unchanged
        changes after=2 limit=1 => 3.1 created 1 and more
        report A : t SENT at=1000 => recorded
        changes after=3.1 => error ChangesNotKept 3.2
        changes after=3.2 => 4.1@1500 added 1 #2
        clock 9000
        report A : t SENT at=1000 => recorded
        changes after=3.2 => error ChangesNotKept 4.1
        // A reader that read all has missed nothing.
        changes after=4.1 =>
        changes after=6   =>
        // A clock that goes back keeps them longer.
        clock 100
        add A : v ext=c1  => 1 by ext added #3
        changes after=4.1 => 7.1@100 added 1 #3
        clock 650
        add A : w ext=c1  => 1 by ext added #4
        changes after=4.1 => error ChangesNotKept 7.1
        changes after=7.1 => 8.1@650 added 1 #4
    ",
    );
}

#[test]
fn r60_while_the_feed_is_off_nothing_is_kept_and_nothing_is_missed_without_an_error() {
    let (store, _) = store_with(|_| {});
    let read = |after: &str| store.snapshot().unwrap().changes(position(after), 10);
    let missed = |after: &str, oldest: &str| {
        let read = read(after);
        let Err(Error::ChangesNotKept { oldest: found }) = read else {
            panic!("{read:?}");
        };
        assert_eq!(found, position(oldest));
    };
    missed("0", "2");
    let page = read("2").unwrap();
    assert_eq!((page.changes.len(), page.more), (0, false));
    upsert(&store, [named(1)]);
    missed("2", "3");
    read("3").unwrap();
    let ahead = read("4");
    let Err(Error::ChangesAhead { newest }) = ahead else {
        panic!("{ahead:?}");
    };
    assert_eq!(newest.value(), 3);
    assert_eq!(store.stats().unwrap().changes, None);
}

/// A disk, and the options of a store on it with and without a feed.
fn on_and_off() -> (Arc<WatchedDisk>, Options, Options) {
    let (off, _) = options();
    let mut on = off.clone();
    on.change_feed = Some(KeepChanges::default());
    (WatchedDisk::new(), on, off)
}

#[test]
fn r60_a_feed_that_was_off_begins_anew_unless_nothing_changed_meanwhile() {
    let (disk, on, off) = on_and_off();
    let store = disk.open(&on);
    connect(&store);
    upsert(&store, [named(1), named(2)]);
    let kept = all(&store);
    assert_eq!(kept.len(), 4);
    store.close().unwrap();

    // Nothing was written: nothing is missing.
    let store = disk.open(&off);
    assert_eq!(all(&store), kept);
    store.close().unwrap();
    let store = disk.open(&on);
    upsert(&store, [named(3)]);
    assert_eq!(all(&store).len(), 5);
    assert_sound(&store);
    store.close().unwrap();

    let store = disk.open(&off);
    upsert(&store, [named(1).first_name("Ann")]);
    assert_sound(&store);
    let gap = |store: &ContactStore, oldest: &str| {
        let read = store.snapshot().unwrap().changes(position("4.1"), 10);
        let Err(Error::ChangesNotKept { oldest: found }) = read else {
            panic!("{read:?}");
        };
        assert_eq!(found, position(oldest));
    };
    gap(&store, "5");
    store.close().unwrap();

    // What was kept before goes with the first commit, and the feed begins where it was turned on.
    let store = disk.open(&on);
    gap(&store, "5");
    assert_eq!(store.stats().unwrap().changes.unwrap().kept, 0);
    upsert(&store, [named(1).first_name("Ben"), named(4)]);
    gap(&store, "5");
    let page = store
        .snapshot()
        .unwrap()
        .changes(position("5"), 10)
        .unwrap();
    let what: Vec<Changed> = page.changes.iter().map(|change| change.what).collect();
    let (updated, created) = (id(1), id(4));
    assert_eq!(
        what,
        [
            Changed::ContactUpdated { contact: updated },
            Changed::ContactCreated { contact: created }
        ]
    );
    assert_eq!(store.stats().unwrap().changes.unwrap().kept, 2);
    assert_sound(&store);
    // The chain of contact 1 leads back to before the gap.
    store.erase(id(1)).wait().unwrap();
    assert_sound(&store);
    store.close().unwrap();
}

#[test]
fn r60_r44_erasing_strips_also_while_the_feed_is_off() {
    let (disk, on, off) = on_and_off();
    let store = disk.open(&on);
    connect(&store);
    upsert(&store, [named(1), named(2)]);
    add(&store, TokenEntry::new("t").external_customer_id("c1"));
    store.close().unwrap();
    let store = disk.open(&off);
    store.erase(id(1)).wait().unwrap();
    // What is left of a contact that there is not, is found.
    assert_sound(&store);
    store.close().unwrap();
}

#[test]
fn r60_a_request_of_many_changes_is_read_from_any_place() {
    let (store, _) = store_with(|options| options.change_feed = Some(KeepChanges::default()));
    upsert(&store, (0..1_000).map(named));
    let read = |after| store.snapshot().unwrap().changes(after, 1_000).unwrap();
    let whole = read(position("2")).changes;
    assert_eq!(whole.len(), 1_000);
    let now = store.snapshot().unwrap();
    for from in (0..=999).step_by(37).chain([255, 256, 257, 511, 512]) {
        let after = whole[from].position;
        let page = now.changes(after, 100).unwrap();
        assert_eq!(
            page.changes,
            whole[from + 1..(from + 101).min(1_000)],
            "{after}"
        );
        assert_eq!(page.more, from < 899, "{after}");
    }
    // One in the middle of its rows is stripped, and all others are where they were.
    store.erase(id(700)).wait().unwrap();
    let left = whole
        .iter()
        .filter(|change| change.what.contact() != Some(id(700)));
    let left: Vec<Change> = left.copied().collect();
    assert_eq!(read(position("2")).changes[..999], left);
    assert_sound(&store);
}

#[test]
fn r60_a_page_ends_after_so_many_rows_without_a_change() {
    let (store, _) = store_with(|options| options.change_feed = Some(KeepChanges::default()));
    const ERASED: u64 = 10_100;
    let store = store.when_full(WhenFull::Wait);
    let pending = (0..=ERASED).map(|n| {
        let request = Upsert::new(DedupeOn::ExternalCustomerId);
        store.upsert(request.contact(named(n)))
    });
    let pending: Vec<_> = pending.collect();
    let created = pending
        .into_iter()
        .map(|pending| pending.wait().unwrap().sequence);
    let last = created.last().unwrap();
    let pending: Vec<_> = (1..=ERASED).map(|n| store.erase(id(n))).collect();
    pending
        .into_iter()
        .for_each(|pending| assert!(pending.wait().unwrap().outcome.erased));

    let now = store.snapshot().unwrap();
    let page = now.changes(position("2"), 1).unwrap();
    assert_eq!((page.changes.len(), page.more), (0, true));
    assert_eq!(page.position, position("10002.1"));
    let page = now.changes(page.position, 1).unwrap();
    let contact = id(ERASED + 1);
    assert_eq!(page.changes[0].what, Changed::ContactCreated { contact });
    assert_eq!(page.changes[0].position.sequence(), last);
    assert!(page.more);
}

#[test]
fn r60_a_feed_keeps_one_change_at_least_and_no_more_than_it_may() {
    let open = |changes| {
        let keep = KeepChanges::default().changes(changes);
        ContactStore::open_in_memory(Options::default().change_feed(keep)).map(drop)
    };
    let zero = open(0);
    let name = "change_feed.changes";
    assert!(
        matches!(zero, Err(Error::Open(OpenError::LimitZero(LimitZero { name: found, .. }))) if found == name)
    );
    let high = open(1_000_000_001);
    assert!(
        matches!(high, Err(Error::Open(OpenError::LimitTooHigh(LimitTooHigh { name: found, set: 1_000_000_001, most: 1_000_000_000, .. }))) if found == name)
    );
    open(1_000_000_000).unwrap();
    open(1).unwrap();
}

#[test]
fn r60_r59_a_mute_and_its_end_are_a_change_of_each_contact_that_holds_the_token() {
    fed("
        add A : t ext=c1 | t ext=c2 | u ext=c1 => 1 created added #1 | 2 created added #1 also=1
            | 1 by ext added #2
        mute A t until=2000 => #1 until 2000
        changes after=3     => 4.1 muted 1 #1 | 4.2 muted 2 #1
        mute A t            => #1 without end
        mute A t            => #1 without end
        unmute A t          => #1
        unmute A t          => #1 was not
        changes after=4     => 5.1 muted 1 #1 | 5.2 muted 2 #1 | 6.1 unmuted 1 #1 | 6.2 unmuted 2 #1
        // Of an erased contact nothing else is left.
        erase 1             => true
        changes after=3     => 4.2 muted 2 #1 | 5.2 muted 2 #1 | 6.2 unmuted 2 #1 | 7.1 erased 1
    ");
}

#[test]
fn r60_r63_what_comes_back_is_added_to_each_contact() {
    script_with(
        |options| {
            options.change_feed = Some(KeepChanges::default());
            options.remember_blocked = 5;
        },
        "
        add A : t ext=c1 | t ext=c2 => 1 created added #1 | 2 created added #1 also=1
        report A : t FAILED => removed from 1,2
        back A t            => #2 of 1,2
        changes after=4     => 5.1 added 1 #2 | 5.2 added 2 #2
    ",
    );
}

#[test]
fn r58_r60_merges_and_what_takes_them_apart_are_recorded_as_such() {
    fed("
        upsert email : email=ann@example.com => 1 created
        add A : t phone=380500000002 => 2 created added #1
        merge 2 1 => 2 into 1 gets=phone tokens=#1
        changes after=4 => 5.1 merged 2 into 1 | 5.2 updated 1 | 5.3 added 1 #1
        unmerge 2 => 2 from 1 gets=phone tokens=#1
        changes after=5 => 6.1 updated 1 | 6.2 removed 1 #1 unmerged | 6.3 unmerged 2 from 1 | 6.4 added 2 #1
        split 2 phone #1 => 3 from 2 gets=phone tokens=#1
        changes after=6 => 7.1 updated 2 | 7.2 removed 2 #1 split | 7.3 split 3 from 2 | 7.4 added 3 #1
        // Nothing changed on the card of the contact that stays.
        merge 2 1 => 2 into 1
        changes after=7 => 8.1 merged 2 into 1
        // With the contact goes what was recorded of those merged into it.
        erase 2 => true
        changes after=2 => 7.3 split 3 from 2 | 7.4 added 3 #1 | 9.1 erased 1
    ");
}
