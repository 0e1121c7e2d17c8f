//! The proxy counts, cuts, holds, delays and refuses.

use std::time::{Duration, Instant};

use postgres::{Client, NoTls};

use super::{connect, insert, numbers, table};
use crate::cluster::{Cluster, Database, shared};
use crate::proxy::{Counts, Cut, Direction, Proxy};

/// A database with the table, a proxy in front of it, and its place through the proxy.
fn with_proxy(cluster: &Cluster, name: &str) -> (Database, Proxy, String) {
    let database = cluster.database(name);
    table(&mut database.client());
    let proxy = Proxy::start(cluster.port());
    let url = proxy.url(&database.url);
    (database, proxy, url)
}

#[test]
fn messages_and_round_trips_are_counted() {
    let Some(cluster) = shared() else { return };
    let (_, proxy, url) = with_proxy(&cluster, "counted");
    let mut client = connect(&url);
    let counts = proxy.counts();
    assert_eq!((counts.connections, counts.to_server), (1, 1));
    assert_eq!((counts.asked, counts.round_trips), (0, 0));
    proxy.forget();
    client.batch_execute("SELECT 1; SELECT 2").unwrap();
    let one = Counts {
        connections: 0,
        // Query.
        to_server: 1,
        // RowDescription, DataRow and CommandComplete of each, ReadyForQuery.
        to_client: 7,
        asked: 1,
        round_trips: 1,
    };
    assert_eq!(proxy.counts(), one);
    let statement = client.prepare("SELECT $1::int8").unwrap();
    proxy.forget();
    client.query_one(&statement, &[&1_i64]).unwrap();
    client.query_one(&statement, &[&2_i64]).unwrap();
    let two = Counts {
        connections: 0,
        // Bind, Execute and Sync of each.
        to_server: 6,
        // BindComplete, DataRow, CommandComplete and ReadyForQuery of each.
        to_client: 8,
        asked: 2,
        round_trips: 2,
    };
    assert_eq!(proxy.counts(), two);
}

#[test]
fn what_is_sent_without_waiting_is_one_round_trip() {
    let Some(cluster) = shared() else { return };
    let (_, proxy, url) = with_proxy(&cluster, "at_once");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let statement = client.prepare("SELECT $1::int8").await.unwrap();
        proxy.forget();
        let ask = |number: i64| {
            let (client, statement) = (&client, &statement);
            async move { client.query_one(statement, &[&number]).await.unwrap() }
        };
        tokio::join!(ask(1), ask(2), ask(3));
        let counts = proxy.counts();
        assert_eq!((counts.asked, counts.round_trips), (3, 1));
        drop(client);
        connection.await.unwrap().unwrap();
    });
}

/// Whether an insert with a cut was answered, and whether it was done.
#[track_caller]
fn insert_with(database: &Database, proxy: &Proxy, cut: Cut) -> (bool, bool) {
    let url = proxy.url(&database.url);
    let mut direct = database.client();
    direct.batch_execute("TRUNCATE t").unwrap();
    let (mut client, mut other) = (connect(&url), connect(&url));
    let statement = client.prepare("INSERT INTO t VALUES ($1)").unwrap();
    proxy.forget();
    proxy.cut_at(cut);
    let before = proxy.cuts();
    let answered = client.execute(&statement, &[&1_i64]).is_ok();
    let cuts = proxy.cuts() - before;
    if answered {
        assert_eq!(cuts, 0, "{cut:?}");
    } else {
        assert_eq!(cuts, 1, "{cut:?}");
        // Every connection is cut, and those after it are not.
        let error = other.batch_execute("SELECT 1").unwrap_err();
        assert!(error.as_db_error().is_none(), "{error}");
        connect(&url).batch_execute("SELECT 1").unwrap();
    }
    (answered, numbers(&mut direct) == [1])
}

#[test]
fn connections_are_cut_at_the_message_that_was_named() {
    let Some(cluster) = shared() else { return };
    let (database, proxy, _) = with_proxy(&cluster, "cut");
    let cut = |direction, message, passed_on| {
        let cut = Cut {
            direction,
            message,
            passed_on,
        };
        insert_with(&database, &proxy, cut)
    };
    use Direction::{ToClient, ToServer};
    // Bind, Execute, Sync: without the last, the server rolls back.
    for message in 1..=3 {
        assert_eq!(cut(ToServer, message, false), (false, false), "{message}");
    }
    assert_eq!(cut(ToServer, 2, true), (false, false));
    // BindComplete, CommandComplete, ReadyForQuery: all after the commit.
    for message in 1..=3 {
        assert_eq!(cut(ToClient, message, false), (false, true), "{message}");
    }
    assert_eq!(cut(ToClient, 2, true), (false, true));
    assert_eq!(cut(ToServer, 4, false), (true, true));
}

#[test]
fn the_answer_to_the_message_after_which_it_cuts_is_lost() {
    let Some(cluster) = shared() else { return };
    let (database, proxy, url) = with_proxy(&cluster, "answer");
    let mut client = connect(&url);
    let statement = client.prepare("INSERT INTO t VALUES ($1)").unwrap();
    proxy.forget();
    proxy.cut_at(Cut {
        direction: Direction::ToServer,
        message: 3,
        passed_on: true,
    });
    let error = client.execute(&statement, &[&1_i64]).unwrap_err();
    assert!(error.as_db_error().is_none(), "{error}");
    crate::eventually("the server has committed", || {
        (numbers(&mut database.client()) == [1]).then_some(())
    });
}

#[test]
fn held_messages_arrive_later() {
    let Some(cluster) = shared() else { return };
    let (database, proxy, url) = with_proxy(&cluster, "held");
    let mut client = connect(&url);
    for direction in [Direction::ToServer, Direction::ToClient] {
        client.batch_execute("DELETE FROM t").unwrap();
        proxy.forget();
        proxy.hold_from(direction, 1);
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| client.batch_execute("INSERT INTO t VALUES (1)"));
            proxy.wait_until_held(direction);
            // The server has answered, or has not been asked.
            let known = numbers(&mut database.client());
            assert_eq!(known.len(), usize::from(direction == Direction::ToClient));
            assert!(!asking.is_finished());
            proxy.go_on();
            asking.join().unwrap().unwrap();
        });
        assert_eq!(numbers(&mut database.client()), [1]);
    }
}

#[test]
fn a_held_connection_can_be_cut() {
    let Some(cluster) = shared() else { return };
    let (database, proxy, url) = with_proxy(&cluster, "held_and_cut");
    let mut client = connect(&url);
    proxy.forget();
    proxy.hold_from(Direction::ToServer, 1);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| insert(&mut client, 1));
        proxy.wait_until_held(Direction::ToServer);
        proxy.cut();
        let error = asking.join().unwrap().unwrap_err();
        assert!(error.as_db_error().is_none(), "{error}");
    });
    assert!(numbers(&mut database.client()).is_empty());
}

#[test]
fn messages_are_delayed_by_the_burst() {
    let Some(cluster) = shared() else { return };
    let (_, proxy, url) = with_proxy(&cluster, "delayed");
    let mut client = connect(&url);
    let statement = client.prepare("SELECT $1::int8").unwrap();
    proxy.delay(Direction::ToServer, Duration::from_millis(50));
    let start = Instant::now();
    client.query_one(&statement, &[&1_i64]).unwrap();
    // Three messages, delayed once. Before them came the start, and three that prepared.
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(50), "{took:?}");
    assert_eq!(proxy.counts().to_server, 1 + 3 + 3);
}

#[test]
fn new_connections_are_refused_until_it_goes_on() {
    let Some(cluster) = shared() else { return };
    let (_, proxy, url) = with_proxy(&cluster, "refused");
    let mut open = connect(&url);
    proxy.refuse();
    let error = Client::connect(&url, NoTls).err().unwrap();
    let cause = std::error::Error::source(&error).unwrap();
    let cause = cause.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(cause.kind(), std::io::ErrorKind::ConnectionRefused);
    open.batch_execute("SELECT 1").unwrap();
    proxy.go_on();
    connect(&url).batch_execute("SELECT 1").unwrap();
}
