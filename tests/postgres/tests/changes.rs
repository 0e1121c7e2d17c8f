//! Waiting for changes that other hosts make.

use std::time::Duration;

use contact_store::{ChangePosition, ContactStore, Error, KeepChanges, Options};

use super::stores::{PATIENCE, add, at, connect_app};
use crate::cluster::{Cluster, shared};
use crate::standby::Standby;

/// A store of a host that keeps changes.
fn open(url: &str) -> ContactStore {
    let options = Options::default().change_feed(KeepChanges::default());
    ContactStore::connect(&at(url, PATIENCE), options).unwrap()
}

#[test]
fn r60_who_waits_is_woken_by_what_another_host_writes() {
    let Some(cluster) = shared() else { return };
    let place = cluster.database("changes");
    let (here, there) = (open(&place.url), open(&place.url));
    connect_app(&there);
    // What the other host wrote before anybody waited here counts as well.
    assert!(matches!(
        here.wait_for_changes(ChangePosition::START)
            .wait_timeout(PATIENCE),
        Some(Ok(()))
    ));
    for number in 0..5 {
        let newest = there.snapshot().unwrap().newest_change();
        let mut waits = here.wait_for_changes(newest);
        let none = waits.wait_timeout(Duration::from_millis(50));
        assert!(none.is_none(), "{none:?}");
        let added = add(&there, number).unwrap().sequence;
        assert!(matches!(waits.wait_timeout(PATIENCE), Some(Ok(()))));
        let page = here.snapshot().unwrap().changes(newest, 10).unwrap();
        assert!(!page.changes.is_empty());
        assert_eq!(here.snapshot().unwrap().sequence(), added);
    }
}

#[test]
fn r60_a_position_that_no_host_has_reached_is_refused() {
    let Some(cluster) = shared() else { return };
    let place = cluster.database("ahead");
    let (here, there) = (open(&place.url), open(&place.url));
    connect_app(&there);
    let newest = there.snapshot().unwrap().sequence();
    let ahead = ChangePosition::parse(&(newest.value() + 1).to_string()).unwrap();
    let refused = here.wait_for_changes(ahead).wait_timeout(PATIENCE);
    assert!(
        matches!(refused, Some(Err(Error::ChangesAhead { newest: found })) if found == newest),
        "{refused:?}"
    );
}

#[test]
fn r60_who_waits_hears_of_changes_also_after_the_connections_were_cut() {
    let Some(cluster) = shared() else { return };
    let place = cluster.database("cut");
    let (here, there) = (open(&place.url), open(&place.url));
    connect_app(&there);
    let newest = there.snapshot().unwrap().newest_change();
    let mut waits = here.wait_for_changes(newest);
    assert!(waits.wait_timeout(Duration::from_millis(200)).is_none());
    let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()";
    place.client().execute(ended, &[]).unwrap();
    add(&there, 1).unwrap();
    assert!(matches!(waits.wait_timeout(PATIENCE), Some(Ok(()))));
}

#[test]
fn r60_who_waits_on_a_standby_hears_what_its_primary_wrote_and_what_it_writes_itself_once_promoted()
{
    let Some(primary) = Cluster::start() else {
        return;
    };
    let place = primary.database("followed");
    let writes = open(&place.url);
    connect_app(&writes);
    let standby = Standby::start(&primary, "second");
    standby.wait_until_synchronous(&primary);
    let url = standby.place(&place.name).url;
    let options = Options::default()
        .change_feed(KeepChanges::default())
        .read_only(true);
    let reads = ContactStore::connect(&at(&url, PATIENCE), options).unwrap();
    for number in 0..2 {
        let newest = reads.snapshot().unwrap().newest_change();
        let mut waits = reads.wait_for_changes(newest);
        let none = waits.wait_timeout(Duration::from_millis(50));
        assert!(none.is_none(), "{none:?}");
        let added = add(&writes, number).unwrap().sequence;
        assert!(matches!(waits.wait_timeout(PATIENCE), Some(Ok(()))));
        assert_eq!(reads.snapshot().unwrap().sequence(), added);
    }
    drop(writes);
    primary.kill();
    let promoted = standby.promote();
    let writes = open(&promoted.place(&place.name).url);
    let newest = reads.snapshot().unwrap().newest_change();
    let mut waits = reads.wait_for_changes(newest);
    add(&writes, 9).unwrap();
    assert!(matches!(waits.wait_timeout(PATIENCE), Some(Ok(()))));
}

#[test]
fn a_store_that_is_dropped_leaves_its_server_nothing_to_complain_of() {
    let Some(cluster) = shared() else { return };
    let place = cluster.database("goodbye");
    let mut client = super::connect(&place.url);
    // Until so many connections of the stores have the answer to such a statement.
    let mut wait_for = |query: &str, wanted: i64| {
        crate::eventually("the server has answered", || {
            let answered = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
                            AND datname = current_database() AND query LIKE $1 \
                            AND ($1 = '%' OR state = 'idle')";
            let answered: i64 = client.query_one(answered, &[&query]).unwrap().get(0);
            (answered == wanted).then_some(())
        });
    };
    connect_app(&open(&place.url));
    for number in 0..20 {
        let here = open(&place.url);
        add(&here, number).unwrap();
        // Hears of others from now on.
        let newest = here.snapshot().unwrap().newest_change();
        let heard = here
            .wait_for_changes(newest)
            .wait_timeout(Duration::from_millis(20));
        assert!(heard.is_none(), "{heard:?}");
        wait_for("LISTEN%", 1);
        // Each on a connection of its own. Nobody has taken the answers when the store goes.
        let held: Vec<_> = (0..3).map(|_| here.snapshot().unwrap()).collect();
        drop(held);
        wait_for("ROLLBACK", 3);
        drop(here);
        wait_for("%", 0);
    }
    let said = cluster.log_from(0);
    let said: Vec<&str> = said
        .lines()
        .filter(|line| line.contains(&place.name))
        .collect();
    assert_eq!(said, Vec::<&str>::new());
}
