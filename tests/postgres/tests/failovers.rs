//! A primary that is lost under load, and a standby that takes over.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contact_store::{ContactStore, Error, SequenceNumber, StorageError};

use super::stores::{add, assert_sound, connect_app, has, indeterminate, open, open_within};
use crate::cluster::Cluster;
use crate::eventually;
use crate::standby::Standby;

/// A URL that names both servers, and is of the one that takes writes.
fn url_of(servers: [&Cluster; 2], database: &str) -> String {
    let [first, second] = servers.map(Cluster::port);
    format!(
        "postgres://postgres@127.0.0.1:{first},127.0.0.1:{second}/{database}\
         ?target_session_attrs=read-write"
    )
}

/// Reopens until that works, and gives what was found.
#[track_caller]
fn reopen(store: &ContactStore) -> SequenceNumber {
    eventually("the store is open again", || store.reopen().ok())
}

/// Adds one after the other until told to end. Gives which are in, and which are not.
fn load(
    store: &ContactStore,
    first: u64,
    done: &AtomicBool,
    acknowledged: &Mutex<u64>,
) -> Vec<(u64, bool)> {
    let mut outcomes = Vec::new();
    for number in first.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let is_in = match add(store, number) {
            Ok(_) => {
                *acknowledged.lock().unwrap() += 1;
                true
            }
            Err(Error::NeedsReopen) => {
                reopen(store);
                false
            }
            // The standby has not taken over yet.
            Err(Error::Storage(StorageError::Database(_))) => false,
            Err(error) => {
                let sequence = indeterminate(&error).unwrap();
                reopen(store) >= sequence
            }
        };
        outcomes.push((number, is_in));
    }
    outcomes
}

/// Loses the primary by `lose` under the load of two hosts, promotes the standby, and checks that nothing acknowledged
/// is lost. `after` it, the primary may be ended.
fn fails_over(patience: Duration, lose: impl FnOnce(&Cluster), after: impl FnOnce(&Cluster)) {
    let Some(primary) = Cluster::start() else {
        return;
    };
    let database = primary.database("failover");
    connect_app(&open(&database.url));
    let standby = Standby::start(&primary, "second");
    standby.wait_until_synchronous(&primary);
    let url = url_of([&primary, &standby], &database.name);
    let hosts = [open_within(&url, patience), open_within(&url, patience)];
    let (done, acknowledged) = (AtomicBool::new(false), Mutex::new(0));
    let (promoted, outcomes) = std::thread::scope(|scope| {
        let loads = hosts
            .iter()
            .zip([1_000, 2_000, 3_000, 4_000])
            .map(|(host, first)| {
                let (done, acknowledged) = (&done, &acknowledged);
                scope.spawn(move || load(host, first, done, acknowledged))
            });
        let loads: Vec<_> = loads.collect();
        let more = |count: u64| {
            let before = *acknowledged.lock().unwrap();
            eventually("more is acknowledged", || {
                (*acknowledged.lock().unwrap() >= before + count).then_some(())
            });
        };
        more(30);
        lose(&primary);
        let promoted = standby.promote();
        more(30);
        done.store(true, Ordering::Relaxed);
        let outcomes = loads.into_iter().flat_map(|load| load.join().unwrap());
        (promoted, outcomes.collect::<Vec<_>>())
    });
    let store = open(&promoted.place(&database.name).url);
    for (number, is_in) in outcomes {
        assert_eq!(has(&store, number), is_in, "{number}");
    }
    assert_sound(&store);
    drop(hosts);
    after(&primary);
}

#[test]
fn r46_nothing_acknowledged_is_lost_when_the_primary_is_killed_and_the_standby_takes_over() {
    fails_over(Duration::from_secs(20), Cluster::kill, |_| {});
}

#[test]
fn r46_nothing_acknowledged_is_lost_when_the_primary_freezes_and_the_standby_takes_over() {
    // Its connections stay open, and it accepts more: nothing but time tells that it is lost.
    fails_over(
        Duration::from_millis(1_500),
        Cluster::pause,
        Cluster::resume,
    );
}
