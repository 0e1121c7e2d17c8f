//! Removing stale subscribers: R62.

use std::sync::Arc;

use contact_store::{
    AddTokens, AppName, ConnectApp, ContactStore, Error, Pending, RecordReports, RemoveStale,
    Report, StaleRemoved, Status, TokenEntry,
};

use crate::support::script::script;
use crate::support::watched_disk::WatchedDisk;
use crate::support::{APP, OTHER_APP, assert_sound, at, connect, options, store_with};

#[test]
fn r62_what_was_neither_registered_nor_reported_about_since_is_removed() {
    script(
        "
        add A at=100 : t1 ext=c1 | t2 ext=c1 | t3 ext=c2 | t4 ext=c3 => 1 created added #1
             | 1 by ext added #2 | 2 created added #3 | 3 created added #4
        add B at=100 : t1 ext=c1         => 1 by ext added #2.1
        // Registered again, and reported about, whatever the status.
        add A at=300 : t2 ext=c1         => 1 by ext held #2
        report A : t3 SENT at=300        => recorded
        report A : t4 FAILED reason=spam at=299 => recorded
        remove_stale A before=100        => 0 off 0
        remove_stale A before=300        => 2 off 2
        subscribers A => #2 A:t2 of 1 registered 300 sent 0 failed 0 clicked 0 last -
                       | #3 A:t3 of 2 registered 100 sent 1 failed 0 clicked 0 last SENT@300
        // The contacts stay, and what is of another app.
        card 1 => 1 ext=c1 created 100 via A [A:t2#2@100 B:t1#2.1@100]
        card 3 => 3 ext=c3 created 100 via A []
        remove_stale A before=300        => 0 off 0
        remove_stale A before=301        => 2 off 2
        remove_stale A before=301        => 0 off 0
        remove_stale C before=301        => error UnknownApp C
    ",
    );
}

#[test]
fn r62_a_late_report_makes_no_subscriber_older() {
    script(
        "
        add A at=100 : t ext=c1    => 1 created added #1
        report A : t SENT at=500   => recorded
        report A : t CLICKED at=50 => recorded
        remove_stale A before=500  => 0 off 0
        remove_stale A before=501  => 1 off 1
    ",
    );
}

#[test]
fn r62_r45_a_stale_subscriber_leaves_all_cards_and_counts_as_the_hosts_order() {
    script(
        "
        add A at=100 : t ext=c1 | t ext=c2 | u ext=c1 => 1 created added #1
             | 2 created added #1 also=1 | 1 by ext added #2
        remove_stale A before=200 => 2 off 3
        card 1 => 1 ext=c1 created 100 via A []
        card 2 => 2 ext=c2 created 100 via A []
        subscriber A t => none
        subscriber #1  => none
        apps => A \"First bot\" since 1000 subscribers 0 contacts 0 failed 0 host 2
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
        // R35 applies.
        add A at=300 : t ext=c1 => 1 by ext added #3
    ",
    );
}

#[test]
fn r62_a_dry_run_says_what_the_removal_then_does_and_changes_nothing() {
    script(
        "
        add A at=100 : t ext=c1 | t ext=c2 | u ext=c1 => 1 created added #1
             | 2 created added #1 also=1 | 1 by ext added #2
        report A : u SENT at=250      => recorded
        remove_stale A before=200 dry => 1 off 2 dry
        remove_stale A before=200 dry => 1 off 2 dry
        card 1 => 1 ext=c1 created 100 via A [A:t#1@100 A:u#2@100]
        apps => A \"First bot\" since 1000 subscribers 2 contacts 2 failed 0 host 0
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
        remove_stale A before=200     => 1 off 2
        remove_stale C before=200 dry => error UnknownApp C
    ",
    );
}

#[test]
fn r62_r47_removing_goes_in_steps_and_each_that_removes_any_takes_a_number() {
    // In steps of 4,096: the first and the third find something old, the second nothing.
    const SUBSCRIBERS: u64 = 9_000;
    let is_old = |n: u64| !(100..8_500).contains(&n);
    let (store, clock) = store_with(|options| options.limits.entries_per_request = usize::MAX);
    clock.set(at(2_000));
    let entry = |n: u64| TokenEntry::new(format!("t{n}")).external_customer_id(format!("c{n}"));
    for (old, time) in [(true, 1_000), (false, 2_000)] {
        // Their ids are in the order of the numbers: all are added, and some again.
        let entries = (0..SUBSCRIBERS).filter(|n| old || !is_old(*n)).map(entry);
        let request = AddTokens::new(APP).entries(entries).at(at(time));
        store.add_tokens(request).wait().unwrap();
    }
    let before = store.snapshot().unwrap().sequence();
    let request = RemoveStale::new(APP, at(2_000));
    let counted = store.remove_stale(request.dry_run(true)).wait().unwrap();
    assert_eq!(counted.sequence, before);
    let removed = store.remove_stale(request).wait().unwrap();
    assert_eq!(removed.sequence.value(), before.value() + 2);
    for (outcome, dry_run) in [(counted.outcome, true), (removed.outcome, false)] {
        assert_eq!((outcome.subscribers, outcome.taken_off), (600, 600));
        assert_eq!(outcome.dry_run, dry_run);
    }
    let now = store.snapshot().unwrap();
    assert_eq!(now.sequence(), removed.sequence);
    let left = now.iter_subscribers(APP).map(|it| it.unwrap());
    let left: Vec<String> = left.map(|it| it.token.as_str().to_owned()).collect();
    let expected: Vec<String> = (100..8_500).map(|n| format!("t{n}")).collect();
    assert!(left == expected, "{} are left", left.len());
    assert_sound(&store);
}

/// Removing needs several steps there, and the first of them is held on its way to the disk.
fn with_first_step_held() -> (Arc<WatchedDisk>, ContactStore, Pending<StaleRemoved>) {
    let disk = WatchedDisk::new();
    let (options, clock) = options();
    let store = disk.open(&options);
    connect(&store);
    let entry = |n: u64| TokenEntry::new(format!("t{n}")).external_customer_id(format!("c{n}"));
    for from in [1, 2_001] {
        let request = AddTokens::new(APP).entries((from..from + 2_000).map(entry));
        store.add_tokens(request).wait().unwrap();
    }
    clock.set(at(5_000));
    disk.hold();
    let removed = store.remove_stale(RemoveStale::new(APP, at(5_000)));
    disk.wait_until_held();
    (disk, store, removed)
}

#[test]
fn r62_what_is_registered_or_reported_about_before_its_step_stays() {
    let (disk, store, removed) = with_first_step_held();
    let again = TokenEntry::new("t3990").external_customer_id("c3990");
    let again = store.add_tokens(AddTokens::new(APP).entry(again));
    let sent = Report::new(Status::Sent).token("t3991");
    let sent = store.record_reports(RecordReports::new(APP).report(sent));
    disk.let_go();
    again.wait().unwrap();
    sent.wait().unwrap();
    let removed = removed.wait().unwrap().outcome;
    assert_eq!((removed.subscribers, removed.taken_off), (3_998, 3_998));
    assert!(!removed.dry_run);
    let left = store.snapshot().unwrap().subscribers(APP, None, 10);
    let left = left.unwrap().into_iter();
    let left: Vec<String> = left.map(|it| it.token.as_str().to_owned()).collect();
    assert_eq!(left, ["t3990", "t3991"]);
    assert_sound(&store);
}

#[test]
fn r62_an_app_that_is_disconnected_between_two_steps_ends_the_removal() {
    let (disk, store, removed) = with_first_step_held();
    let disconnected = store.disconnect_app(APP);
    disk.let_go();
    disconnected.wait().unwrap();
    match removed.wait() {
        Err(Error::UnknownApp(app)) => assert_eq!(app, APP),
        other => panic!("{other:?}"),
    }
    assert_sound(&store);
}

#[test]
fn r62_an_app_that_is_connected_again_between_two_steps_loses_nothing_of_its_new_connection() {
    let (disk, store, removed) = with_first_step_held();
    let disconnected = store.disconnect_app(APP);
    let name = AppName::parse("Again").unwrap();
    let connected = store.connect_app(ConnectApp::new(name).id(APP));
    let old = TokenEntry::new("old").external_customer_id("c1");
    let added = store.add_tokens(AddTokens::new(APP).entry(old).at(at(1)));
    disk.let_go();
    disconnected.wait().unwrap();
    connected.wait().unwrap();
    added.wait().unwrap();
    match removed.wait() {
        Err(Error::UnknownApp(app)) => assert_eq!(app, APP),
        other => panic!("{other:?}"),
    }
    let now = store.snapshot().unwrap();
    let left = now.subscribers(APP, None, 10).unwrap();
    let tokens: Vec<&str> = left.iter().map(|it| it.token.as_str()).collect();
    assert_eq!(tokens, ["old"]);
    assert_eq!(now.subscribers(OTHER_APP, None, 10).unwrap(), []);
    assert_sound(&store);
}
