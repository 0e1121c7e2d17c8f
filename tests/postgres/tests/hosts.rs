//! Several host processes at once, and what becomes of the others when one is frozen or killed.

use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use contact_store::{AddTokens, ContactStore, Error, TokenEntry};

use super::stores::{
    APP, add, assert_sound, connect_app, email, has, indeterminate, open, open_within,
    parsed_token, token,
};
use crate::cluster::{Cluster, shared};
use crate::process::{self, Process};
use crate::proxy::{Direction, Proxy};

/// Contacts that all hosts write to.
const CONTACTS: u64 = 10;

fn now() -> u128 {
    // All processes of a machine have it in common.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos()
}

/// One request of a host, as the host tells of it.
#[derive(Debug)]
struct Told {
    began: u128,
    ended: u128,
    number: u64,
    /// `None` when nothing of it was written.
    sequence: Option<u64>,
    contact: u64,
}

/// A host that writes until it is told to end. Its task: the URL, its patience in milliseconds, and its first number.
/// It tells of each request when it is acknowledged or settled.
#[test]
fn child_host() {
    let Some(task) = process::task() else { return };
    let mut parts = task.split(' ');
    let url = parts.next().unwrap();
    let patience = Duration::from_millis(parts.next().unwrap().parse().unwrap());
    let first: u64 = parts.next().unwrap().parse().unwrap();
    let store = open_within(url, patience);
    process::say("ready");
    process::hear();
    let ends = std::thread::spawn(process::hear);
    for number in first.. {
        if ends.is_finished() {
            return;
        }
        let began = now();
        // Half are of contacts that all hosts share, the others new ones.
        let of = if number.is_multiple_of(2) {
            number
        } else {
            number % CONTACTS
        };
        let entry = TokenEntry::new(token(number)).email(email(of));
        let asked = store.add_tokens(AddTokens::new(APP).entry(entry)).wait();
        let (sequence, contact) = match asked {
            Ok(added) => {
                let place = added.outcome.entries.first().unwrap().as_ref().unwrap();
                (Some(added.sequence.value()), place.contact.value())
            }
            Err(error) => {
                let sequence = indeterminate(&error).filter(|sequence| {
                    loop {
                        if let Ok(found) = store.reopen() {
                            break found >= *sequence;
                        }
                    }
                });
                (sequence.map(|sequence| sequence.value()), 0)
            }
        };
        let sequence = sequence.map_or_else(|| "-".to_owned(), |sequence| sequence.to_string());
        process::say(&format!("{began} {} {number} {sequence} {contact}", now()));
    }
}

struct Host(Process);

impl Host {
    fn start(url: &str, patience: Duration, first: u64) -> Self {
        let task = format!("{url} {} {first}", patience.as_millis());
        let host = Process::start(process::command("tests::hosts::child_host", &task));
        assert_eq!(host.next_line(), "ready");
        Host(host)
    }

    fn go(&mut self) {
        self.0.say("go");
    }

    fn next(&self) -> Told {
        told(&self.0.next_line())
    }

    /// Ends the host, and gives what it told that was not heard.
    fn end(mut self) -> Vec<Told> {
        self.0.say("end");
        let (said, status) = self.0.end();
        assert!(status.success(), "{status}");
        said.iter().map(|line| told(line)).collect()
    }
}

fn told(line: &str) -> Told {
    let mut parts = line.split(' ');
    let mut next = || parts.next().unwrap();
    Told {
        began: next().parse().unwrap(),
        ended: next().parse().unwrap(),
        number: next().parse().unwrap(),
        sequence: next().parse().ok(),
        contact: next().parse().unwrap(),
    }
}

/// What is acknowledged is there, and its numbers are one order.
#[track_caller]
fn assert_one_order(store: &ContactStore, told: &[Told]) {
    let now = store.snapshot().unwrap();
    let newest = now.sequence().value();
    let mut done: Vec<_> = told.iter().filter(|told| told.sequence.is_some()).collect();
    for told in told {
        let subscriber = now
            .subscriber_by_token(APP, &parsed_token(told.number))
            .unwrap();
        assert_eq!(subscriber.is_some(), told.sequence.is_some(), "{told:?}");
    }
    done.sort_by_key(|told| told.sequence);
    for pair in done.windows(2) {
        assert!(pair[0].sequence < pair[1].sequence, "{pair:?}");
    }
    // Who is acknowledged before another is made has the smaller number.
    let mut latest_begin = 0;
    for told in &done {
        assert!(told.ended >= latest_begin, "{told:?}");
        latest_begin = latest_begin.max(told.began);
        assert!(told.sequence <= Some(newest), "{told:?}");
    }
    // New contacts have ids of their own.
    let new = done
        .iter()
        .filter(|told| told.number.is_multiple_of(2) && told.contact > 0);
    let ids: Vec<u64> = new.map(|told| told.contact).collect();
    let distinct: HashSet<u64> = ids.iter().copied().collect();
    assert_eq!(distinct.len(), ids.len());
    assert_sound(store);
}

#[test]
fn r47_three_hosts_write_in_one_order_and_none_starves() {
    let Some(cluster) = shared() else { return };
    let url = cluster.database("three").url;
    let store = open(&url);
    connect_app(&store);
    let hosts = (1..=3).map(|host| Host::start(&url, super::stores::PATIENCE, host * 1_000_000));
    let mut hosts: Vec<Host> = hosts.collect();
    hosts.iter_mut().for_each(Host::go);
    std::thread::sleep(Duration::from_millis(1_500));
    let told: Vec<Vec<Told>> = hosts.into_iter().map(Host::end).collect();
    let counts: Vec<usize> = told.iter().map(Vec::len).collect();
    let told: Vec<Told> = told.into_iter().flatten().collect();
    assert!(told.iter().all(|told| told.sequence.is_some()));
    assert_one_order(&store, &told);
    // A third each, were the machine idle.
    let least = counts.iter().min().unwrap() * 3 * 3;
    assert!(least >= told.len(), "{counts:?}");
    let slowest = told.iter().map(|told| told.ended - told.began).max();
    assert!(slowest.unwrap() < 2_000_000_000, "{slowest:?} ns");
}

/// A store of an own database, another host of it, and a proxy that the other is behind.
fn with_host(cluster: &Cluster, name: &str, patience: Duration) -> (ContactStore, Host) {
    let url = cluster.database(name).url;
    let store = open_within(&url, patience);
    connect_app(&store);
    let host = Host::start(&url, patience, 1_000_000);
    (store, host)
}

#[test]
fn r49_a_host_that_is_frozen_holds_up_the_others_for_a_bounded_time_and_settles_when_it_wakes() {
    let Some(cluster) = shared() else { return };
    let patience = Duration::from_secs(2);
    let (store, mut host) = with_host(&cluster, "frozen_host", patience);
    host.go();
    let mut told = Vec::new();
    for round in 1..=4_u64 {
        told.push(host.next());
        // Anywhere in a request.
        std::thread::sleep(Duration::from_millis(round * 3));
        host.0.signal("STOP");
        let began = Instant::now();
        add(&store, round).unwrap();
        let took = began.elapsed();
        assert!(took < patience, "{took:?}");
        host.0.signal("CONT");
        let before = told.len();
        while told.len() < before + 3 {
            told.push(host.next());
        }
    }
    told.extend(host.end());
    assert_one_order(&store, &told);
}

#[test]
fn r46_a_host_that_is_killed_does_not_hold_up_the_others() {
    let Some(cluster) = shared() else { return };
    let (store, mut host) = with_host(&cluster, "killed_host", super::stores::PATIENCE);
    host.go();
    let mut told = vec![host.next(), host.next(), host.next()];
    let killed = host.0.kill();
    let began = Instant::now();
    add(&store, 1).unwrap();
    // The server notices that the connection has ended.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    told.extend(killed.iter().map(|line| self::told(line)));
    assert_one_order(&store, &told);
}

#[test]
fn r49_a_host_that_falls_silent_before_its_commit_is_not_waited_for() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("silent");
    let store = open(&database.url);
    connect_app(&store);
    let proxy = Proxy::start(cluster.port());
    let patience = Duration::from_secs(2);
    let silent = open_within(&proxy.url(&database.url), patience);
    add(&silent, 1).unwrap();
    proxy.forget();
    add(&silent, 2).unwrap();
    let messages = proxy.counts().to_server;
    proxy.forget();
    // All but the last three of them: those of COMMIT.
    proxy.hold_from(Direction::ToServer, messages - 2);
    let pending = silent.add_tokens(AddTokens::new(APP).entry(super::stores::entry(3)));
    proxy.wait_until_held(Direction::ToServer);
    let began = Instant::now();
    let taken = add(&store, 4).unwrap().sequence;
    let took = began.elapsed();
    assert!(took < patience, "{took:?}");
    let error = pending.wait().unwrap_err();
    let sequence = indeterminate(&error).unwrap();
    assert_eq!(sequence, taken);
    // The server has ended the connection: what was held arrives nowhere.
    proxy.go_on();
    assert!(silent.reopen().unwrap() < sequence);
    assert!(!has(&store, 3));
    add(&silent, 3).unwrap();
    assert_sound(&silent);
}

#[test]
fn r49_a_server_that_does_not_answer_is_waited_for_no_longer_than_the_patience() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("no_answer");
    let proxy = Proxy::start(cluster.port());
    connect_app(&open(&database.url));
    let patience = Duration::from_secs(1);
    let store = open_within(&proxy.url(&database.url), patience);
    let before = add(&store, 1).unwrap().sequence;
    let held = store.snapshot().unwrap();
    proxy.forget();
    proxy.hold_from(Direction::ToClient, 1);
    let began = Instant::now();
    assert_eq!(indeterminate(&add(&store, 2).unwrap_err()), None);
    let took = began.elapsed();
    assert!(took < patience * 2, "{took:?}");
    let lost = held.contacts(None, 1).unwrap_err();
    assert_eq!(indeterminate(&lost), None);
    // Nothing was written, and there is nothing to settle.
    proxy.go_on();
    assert!(!has(&store, 2));
    let after = add(&store, 2).unwrap().sequence;
    assert_eq!(after.value(), before.value() + 1);
}

#[test]
fn r11_an_app_that_another_host_disconnects_is_unknown_at_once() {
    let Some(cluster) = shared() else { return };
    let url = cluster.database("disconnects").url;
    let (store, other) = (open(&url), open(&url));
    for number in 1..=2 {
        connect_app(&other);
        add(&store, number).unwrap();
        other.disconnect_app(APP).wait().unwrap();
        let error = add(&store, number + 2).unwrap_err();
        assert!(matches!(error, Error::UnknownApp(APP)), "{error:?}");
        assert!(store.snapshot().unwrap().app(APP).unwrap().is_none());
    }
    assert_sound(&store);
}

#[test]
fn r49_an_answer_that_comes_late_is_settled_by_reopening() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("late");
    let store = open(&database.url);
    connect_app(&store);
    let proxy = Proxy::start(cluster.port());
    let late = open_within(&proxy.url(&database.url), Duration::from_secs(1));
    add(&late, 1).unwrap();
    proxy.forget();
    add(&late, 2).unwrap();
    let messages = proxy.counts().to_client;
    proxy.forget();
    proxy.hold_from(Direction::ToClient, messages);
    let error = add(&late, 3).unwrap_err();
    let sequence = indeterminate(&error).unwrap();
    assert!(matches!(add(&late, 9).unwrap_err(), Error::NeedsReopen));
    // Others took numbers since, which say nothing about this host's.
    add(&store, 4).unwrap();
    proxy.go_on();
    assert_eq!(late.reopen().unwrap(), sequence);
    assert!(has(&late, 3));
    add(&late, 5).unwrap();
    assert_sound(&late);
}
