//! Servers that restart, and what was open meanwhile.

use rustix::process::Signal;

use contact_store::{ContactStore, Error, Options};

use super::stores::{PATIENCE, add, assert_sound, at, connect_app, has, indeterminate, open};
use crate::cluster::{Cluster, Database, shared};
use crate::proxy::{Cut, Direction, Proxy};

#[test]
fn r46_a_server_that_restarts_between_requests_fails_none_of_them() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let database = cluster.database("restarts");
    let store = open(&database.url);
    connect_app(&store);
    add(&store, 1).unwrap();
    for (number, signal) in [(2, Signal::INT), (3, Signal::QUIT)] {
        // All of them idle afterwards, and lost.
        drop([(); 3].map(|()| store.snapshot().unwrap()));
        cluster.stop(signal);
        cluster.start_again();
        let snapshots = [(); 3].map(|()| store.snapshot().unwrap());
        assert!(
            snapshots
                .iter()
                .all(|now| now.contact_count() == number - 1)
        );
        drop(snapshots);
        add(&store, number).unwrap();
        assert!((1..=number).all(|number| has(&store, number)));
    }
    // What a commit waits for is what was checked, also when the server is set to something else.
    let note = "CREATE TABLE public.seen (setting text); \
                CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS \
                'BEGIN INSERT INTO public.seen VALUES (current_setting(''synchronous_commit'')); \
                 RETURN NULL; END'; \
                CREATE TRIGGER note AFTER UPDATE ON contact_store.state \
                FOR EACH ROW EXECUTE FUNCTION public.note()";
    database.client().batch_execute(note).unwrap();
    cluster.set("synchronous_commit", "off");
    add(&store, 10).unwrap();
    let seen = database
        .client()
        .query_one("SELECT setting FROM public.seen", &[]);
    assert_eq!(seen.unwrap().get::<_, String>(0), "on");
    cluster.set("synchronous_commit", "on");
    // A snapshot that is held is lost with its connection, and the store is not.
    let held = store.snapshot().unwrap();
    cluster.stop(Signal::INT);
    cluster.start_again();
    for _ in 0..2 {
        let lost = held.contacts(None, 10).unwrap_err();
        assert_eq!(indeterminate(&lost), None);
    }
    drop(held);
    add(&store, 4).unwrap();
    assert_sound(&store);
}

/// A store whose last request is indeterminate. With the message to the server it was not done, and with its answer
/// it was.
fn failed(database: &Database, proxy: &Proxy, direction: Direction) -> ContactStore {
    let options = at(&proxy.url(&database.url), PATIENCE).connections(1);
    let store = ContactStore::connect(&options, Options::default()).unwrap();
    connect_app(&store);
    add(&store, 1).unwrap();
    proxy.forget();
    add(&store, 2).unwrap();
    let counts = proxy.counts();
    let message = match direction {
        // The first of the three that ask for the commit: the server commits before it has the last.
        Direction::ToServer => counts.to_server - 2,
        Direction::ToClient => counts.to_client,
    };
    proxy.forget();
    proxy.cut_at(Cut {
        direction,
        message,
        passed_on: false,
    });
    // What is known of hosts that wrote nothing for months is removed when another one opens the store.
    let forget = "DELETE FROM contact_store.hosts";
    database.client().batch_execute(forget).unwrap();
    let error = add(&store, 3).unwrap_err();
    assert!(indeterminate(&error).is_some());
    store
}

#[test]
fn r49_a_snapshot_held_over_reopening_expires_and_gives_its_connection_back() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("expires");
    let proxy = Proxy::start(cluster.port());
    let store = failed(&database, &proxy, Direction::ToServer);
    // Reading goes on meanwhile.
    let held = store.snapshot().unwrap();
    assert_eq!(held.contacts(None, 10).unwrap().len(), 2);
    store.reopen().unwrap();
    let expired = held.contacts(None, 10).unwrap_err();
    assert!(matches!(expired, Error::SnapshotExpired), "{expired:?}");
    // Also what is not there.
    let expired = held.by_email("nobody@example.com").unwrap_err();
    assert!(matches!(expired, Error::SnapshotExpired), "{expired:?}");
    drop(held);
    // It is the one connection that there is.
    assert!(has(&store, 2) && !has(&store, 3));
    let held = store.snapshot().unwrap();
    store.close().unwrap();
    let closed = held.by_email("nobody@example.com").unwrap_err();
    assert!(matches!(closed, Error::Closed), "{closed:?}");
    drop((held, store));
    crate::eventually("no connection is left", || {
        let query = "SELECT FROM pg_stat_activity WHERE application_name = 'contact-store' \
                     AND datname = $1";
        let rows = cluster.client().query(query, &[&database.name]);
        rows.unwrap().is_empty().then_some(())
    });
}

#[test]
fn r49_a_host_of_which_nothing_was_known_any_more_settles_its_request() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("forgotten");
    let proxy = Proxy::start(cluster.port());
    let store = failed(&database, &proxy, Direction::ToClient);
    let found = store.reopen().unwrap();
    assert_eq!(found, store.snapshot().unwrap().sequence());
    assert!(has(&store, 3));
}

#[test]
fn r49_a_store_may_be_dropped_in_a_task() {
    let Some(cluster) = shared() else { return };
    let url = cluster.database("task").url;
    let store = open(&url);
    connect_app(&store);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let held = store.snapshot().unwrap();
        let entry =
            contact_store::AddTokens::new(super::stores::APP).entry(super::stores::entry(1));
        store.add_tokens(entry).await.unwrap();
        tokio::spawn(async move { drop((store, held)) })
            .await
            .unwrap();
    });
    assert!(has(&open(&url), 1));
}
