//! 64 connections at the same time: the same new contact from all of them, and the end of the host under load.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use contact_store::{ContactStore, GivenIdentifiers};
use rustix::process::Signal;

use super::client::{APP, Client};
use super::process::{Host, open};
use crate::support::{assert_sound, find, id};

const CONNECTIONS: usize = 64;

// R8, R20, R48: all of them name the contact by what they have, and one creates it.
#[test]
fn one_new_contact_from_64_connections_is_one_card_with_all_tokens() {
    const ROUNDS: usize = 3;
    let host = Host::start();
    host.client().connect_app();
    let ready = Barrier::new(CONNECTIONS);
    let created = AtomicUsize::new(0);
    thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let client = Client::of(host.address);
            let (ready, created) = (&ready, &created);
            scope.spawn(move || {
                // The connection is open before the race begins.
                assert_eq!(client.get("/healthz").status, 200);
                for round in 0..ROUNDS {
                    ready.wait();
                    // Two connections each have the same token.
                    let body = format!(
                        r#"{{"tokens": [{{"token": "t{round}-{}", "externalCustomerId": "shop-{round}",
                            "phone": "+3805000000{round:02}", "email": "ann{round}@example.com"}}]}}"#,
                        connection / 2
                    );
                    let answer = client.post(&format!("/v1/apps/{APP}/tokens"), body);
                    assert_eq!(answer.status, 200, "{answer:?}");
                    let one = &answer.json()["results"][0];
                    assert_eq!(one["contactId"], round + 1, "{answer:?}");
                    if one["contact"] == "created" {
                        created.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(created.into_inner(), ROUNDS);
    let ended = host.stop();
    let store = open(&ended.path);
    let now = store.snapshot().unwrap();
    assert_eq!(now.contact_count(), ROUNDS as u64);
    for round in 0..ROUNDS {
        let card = now.contact(id(round as u64 + 1)).unwrap().unwrap();
        let mut tokens: Vec<_> = card
            .tokens
            .iter()
            .map(|it| it.token.as_str().to_owned())
            .collect();
        tokens.sort_unstable();
        let mut expected: Vec<_> = (0..CONNECTIONS / 2)
            .map(|n| format!("t{round}-{n}"))
            .collect();
        expected.sort_unstable();
        assert_eq!(tokens, expected);
        let by_email = GivenIdentifiers::new().email(format!("ann{round}@example.com"));
        assert_eq!(find(&store, by_email).unwrap().unwrap().card, card);
    }
    assert_sound(&store);
}

/// What 64 connections were told: the contact of each email. They add somebody new each time until
/// a thousand were told so; then `end` ends the host, and they go on until they
/// hear no more.
fn load(host: &Host, name: &str, end: impl FnOnce()) -> BTreeMap<String, u64> {
    const ENOUGH: usize = 1_000;
    let (told, heard) = mpsc::channel();
    let mut acknowledged = BTreeMap::new();
    thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let client = Client::of(host.address);
            let told = told.clone();
            scope.spawn(move || {
                for n in 0.. {
                    let email = format!("{name}-{connection}-{n}@example.com");
                    // An error is the end of the host; an answer that came is whole.
                    let Ok(answer) = client.add(&email, &email) else {
                        return;
                    };
                    assert_eq!(answer.status, 200, "{answer:?}");
                    let contact = answer.json()["results"][0]["contactId"].as_u64().unwrap();
                    told.send((email, contact)).unwrap();
                }
            });
        }
        drop(told);
        let a_minute = Duration::from_secs(60);
        while acknowledged.len() < ENOUGH {
            let (email, contact) = heard.recv_timeout(a_minute).unwrap();
            acknowledged.insert(email, contact);
        }
        end();
        acknowledged.extend(heard.iter());
    });
    acknowledged
}

/// Everybody acknowledged is in the store, each with the one token, and nothing is half there.
#[track_caller]
fn assert_in(store: &ContactStore, acknowledged: &BTreeMap<String, u64>) {
    for (email, contact) in acknowledged {
        let found = find(store, GivenIdentifiers::new().email(email)).unwrap();
        let card = found.unwrap_or_else(|| panic!("{email} is lost")).card;
        let tokens: Vec<_> = card.tokens.iter().map(|it| it.token.as_str()).collect();
        assert_eq!((card.id.value(), tokens), (*contact, vec![email.as_str()]));
    }
    assert_sound(store);
}

// R46.
#[test]
fn sigterm_under_load_loses_nothing_acknowledged() {
    let host = Host::start_with(&["--quiet"]);
    host.client().connect_app();
    let acknowledged = load(&host, "one", || host.signal(Signal::TERM));
    let ended = host.end();
    assert_eq!((ended.status, ended.log.as_str()), (Some(0), ""));
    let store = open(&ended.path);
    assert_in(&store, &acknowledged);
    println!(
        "SIGTERM: {} acknowledged, {} in the store",
        acknowledged.len(),
        store.stats().unwrap().contacts
    );
    // Who was answered nothing may be in: at most one of each connection.
    let more = store.stats().unwrap().contacts - acknowledged.len() as u64;
    assert!(more <= CONNECTIONS as u64, "{more}");
}

// R46.
#[test]
fn sigkill_under_load_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let mut acknowledged = BTreeMap::new();
    // The second host mends what the first left.
    for name in ["one", "two"] {
        let host = Host::on(&path, &["--quiet"]);
        host.client().connect_app();
        acknowledged.extend(load(&host, name, || host.signal(Signal::KILL)));
        let ended = host.end();
        assert_eq!((ended.status, ended.log.as_str()), (None, ""));
    }
    let store = open(&path);
    assert_in(&store, &acknowledged);
    println!(
        "SIGKILL: {} acknowledged, {} in the store",
        acknowledged.len(),
        store.stats().unwrap().contacts
    );
}
