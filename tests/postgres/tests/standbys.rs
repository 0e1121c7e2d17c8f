//! Standbys that take over.

use std::sync::atomic::{AtomicI64, Ordering};

use super::{insert, numbers, table};
use crate::cluster::Cluster;
use crate::eventually;
use crate::standby::Standby;

#[test]
fn a_promoted_standby_has_what_the_killed_primary_acknowledged() {
    let Some(primary) = Cluster::start() else {
        return;
    };
    let database = primary.database("load");
    table(&mut database.client());
    let standby = Standby::start(&primary, "second");
    standby.wait_until_synchronous(&primary);
    let acknowledged = AtomicI64::new(0);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut client = database.client();
            for number in 1.. {
                if insert(&mut client, number).is_err() {
                    return;
                }
                acknowledged.store(number, Ordering::Relaxed);
            }
        });
        eventually("there is load", || {
            (acknowledged.load(Ordering::Relaxed) >= 50).then_some(())
        });
        primary.kill();
        load.join().unwrap();
    });
    let acknowledged = acknowledged.into_inner();
    let promoted = standby.promote();
    let mut client = promoted.place(&database.name).client();
    let found = numbers(&mut client);
    // The one that was not answered may be there.
    let last = i64::try_from(found.len()).unwrap();
    assert_eq!(found, Vec::from_iter(1..=last));
    assert!(
        last == acknowledged || last == acknowledged + 1,
        "{last} rows, {acknowledged} acknowledged"
    );
    // It waits for nobody.
    assert_eq!(insert(&mut client, 0).unwrap(), 1);
}

#[test]
fn a_primary_acknowledges_nothing_while_its_standby_is_frozen() {
    let Some(primary) = Cluster::start() else {
        return;
    };
    let database = primary.database("waits");
    table(&mut database.client());
    let standby = Standby::start(&primary, "second");
    primary.set("synchronous_commit", "remote_apply");
    standby.wait_until_synchronous(&primary);
    let mut client = database.client();
    assert_eq!(insert(&mut client, 1).unwrap(), 1);
    assert_eq!(numbers(&mut standby.place(&database.name).client()), [1]);
    standby.pause();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| insert(&mut client, 2).unwrap());
        eventually("the commit waits", || {
            let query = "SELECT 1 FROM pg_catalog.pg_stat_activity WHERE wait_event = 'SyncRep'";
            primary.client().query_opt(query, &[]).unwrap()
        });
        assert!(!waiting.is_finished());
        standby.resume();
        assert_eq!(waiting.join().unwrap(), 1);
    });
    assert_eq!(numbers(&mut standby.place(&database.name).client()), [1, 2]);
}
