//! Clusters that are started, stopped, killed and frozen.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::{connect, insert, numbers, table};
use crate::cluster::{Cluster, alive, shared};
use crate::{eventually, process};

#[test]
fn what_was_acknowledged_is_there_after_each_end_of_the_server() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let database = cluster.database("ends");
    table(&mut database.client());
    let mut expected = Vec::new();
    for (number, signal) in [
        (1, Some(Signal::INT)),
        (2, Some(Signal::QUIT)),
        (3, Some(Signal::TERM)),
        (4, None),
    ] {
        let mut client = database.client();
        assert_eq!(insert(&mut client, number).unwrap(), 1);
        expected.push(number);
        let before = cluster.main_process();
        match signal {
            Some(signal) => {
                if signal == Signal::TERM {
                    client.close().unwrap();
                }
                cluster.stop(signal);
            }
            None => cluster.kill(),
        }
        assert!(!alive(before));
        cluster.start_again();
        assert_eq!(numbers(&mut database.client()), expected, "{signal:?}");
        assert_eq!(numbers(&mut connect(&database.url)), expected, "{signal:?}");
    }
}

#[test]
fn commits_are_durable_and_connections_are_many() {
    let Some(cluster) = shared() else { return };
    let mut client = cluster.client();
    for (name, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("max_connections", "100"),
        ("server_encoding", "UTF8"),
    ] {
        let shown = client.query_one("SELECT pg_catalog.current_setting($1)", &[&name]);
        assert_eq!(shown.unwrap().get::<_, String>(0), value, "{name}");
    }
}

#[test]
fn databases_made_with_the_same_name_are_apart() {
    let Some(cluster) = shared() else { return };
    let mut older = cluster.database("same").client();
    table(&mut older);
    assert_eq!(insert(&mut older, 1).unwrap(), 1);
    let mut newer = cluster.database("same").client();
    table(&mut newer);
    assert_eq!(
        (numbers(&mut older), numbers(&mut newer)),
        (vec![1], vec![])
    );
}

#[test]
fn a_frozen_connection_answers_after_it_is_woken() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("frozen");
    let mut client = database.client();
    table(&mut client);
    let backend = client.query_one("SELECT pg_catalog.pg_backend_pid()", &[]);
    let backend = backend.unwrap().get(0);
    cluster.pause_backend(backend);
    let (send, answers) = mpsc::channel();
    let asking = std::thread::spawn(move || {
        send.send(insert(&mut client, 1).unwrap()).unwrap();
    });
    let early = answers.recv_timeout(Duration::from_millis(100));
    assert_eq!(early, Err(mpsc::RecvTimeoutError::Timeout));
    // The others are not frozen.
    assert!(numbers(&mut database.client()).is_empty());
    cluster.resume_backend(backend);
    assert_eq!(answers.recv(), Ok(1));
    asking.join().unwrap();
}

#[test]
fn a_frozen_server_answers_after_it_is_woken() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let database = cluster.database("frozen");
    let mut client = database.client();
    table(&mut client);
    cluster.pause();
    let (send, answers) = mpsc::channel();
    let asking = std::thread::spawn(move || {
        send.send(insert(&mut client, 1).unwrap()).unwrap();
        // A new connection needs the process that starts the others.
        send.send(numbers(&mut database.client()).len() as u64)
            .unwrap();
    });
    let early = answers.recv_timeout(Duration::from_millis(100));
    assert_eq!(early, Err(mpsc::RecvTimeoutError::Timeout));
    cluster.resume();
    assert_eq!((answers.recv(), answers.recv()), (Ok(1), Ok(1)));
    asking.join().unwrap();
}

/// Starts a cluster, says where it is, and waits to be killed.
#[test]
fn child_with_a_cluster() {
    let Some(task) = process::task() else { return };
    assert_eq!(task, "start");
    let cluster = Cluster::start().unwrap();
    let server = cluster.main_process().as_raw_nonzero();
    process::say(&format!("{server} {}", cluster.directory().display()));
    process::hear();
}

#[test]
fn a_process_that_is_killed_leaves_neither_server_nor_directory() {
    if shared().is_none() {
        return;
    }
    let command = process::command("tests::clusters::child_with_a_cluster", "start");
    let child = process::Process::start(command);
    let said = child.next_line();
    let (server, directory) = said.split_once(' ').unwrap();
    let server = Pid::from_raw(server.parse().unwrap()).unwrap();
    assert!(alive(server));
    child.kill();
    eventually("the server and its directory are gone", || {
        (!alive(server) && !Path::new(directory).exists()).then_some(())
    });
}
