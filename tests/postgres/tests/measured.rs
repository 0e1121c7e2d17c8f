//! What the engine reaches, as ratios: printed, and asserted where it reaches what it must.
//!
//! It measures, so it runs alone and by request:
//! `cargo test --release -p contact-store-tests --features postgres --test postgres -- --ignored --show-output measured`.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use contact_store::{AddTokens, ContactStore};

use super::connect;
use super::stores::{APP, add, assert_sound, connect_app, email, entry, open};
use crate::cluster::Cluster;
use crate::standby::Standby;

/// How long each side of a round runs.
const RUN: Duration = Duration::from_secs(3);
const ROUNDS: usize = 3;

/// The requests of one run: how many, and how long each waited, sorted.
struct Run {
    rate: f64,
    waited: Vec<Duration>,
}

impl Run {
    fn p99(&self) -> Duration {
        self.waited[self.waited.len() * 99 / 100]
    }
}

/// Lets callers of each host add tokens to new contacts, each the next after the last. Gives the run of each host.
fn run(hosts: &[ContactStore], callers: usize, next: &AtomicU64) -> Vec<Run> {
    let (done, start) = (
        AtomicBool::new(false),
        Barrier::new(hosts.len() * callers + 1),
    );
    std::thread::scope(|scope| {
        let threads: Vec<Vec<_>> = hosts
            .iter()
            .map(|host| {
                let (done, start) = (&done, &start);
                let caller = move || {
                    let mut waited = Vec::new();
                    start.wait();
                    while !done.load(Ordering::Relaxed) {
                        let began = Instant::now();
                        add(host, next.fetch_add(1, Ordering::Relaxed)).unwrap();
                        waited.push(began.elapsed());
                    }
                    waited
                };
                (0..callers).map(|_| scope.spawn(caller)).collect()
            })
            .collect();
        start.wait();
        let began = Instant::now();
        std::thread::sleep(RUN);
        done.store(true, Ordering::Relaxed);
        let waited: Vec<Vec<Duration>> = threads
            .into_iter()
            .map(|of_host| {
                let waited = of_host
                    .into_iter()
                    .flat_map(|thread| thread.join().unwrap());
                waited.collect()
            })
            .collect();
        let took = began.elapsed().as_secs_f64();
        waited
            .into_iter()
            .map(|mut waited| {
                waited.sort();
                let rate = waited.len() as f64 / took;
                Run { rate, waited }
            })
            .collect()
    })
}

/// How many commits of one row a plain client makes in a second, one after the other.
fn raw_commits(client: &mut postgres::Client, insert: &postgres::Statement) -> f64 {
    let (began, mut count) = (Instant::now(), 0.0);
    while began.elapsed() < RUN {
        client.execute(insert, &[]).unwrap();
        count += 1.0;
    }
    count / began.elapsed().as_secs_f64()
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
#[ignore = "it measures: cargo test --release -p contact-store-tests --features postgres --test postgres -- --ignored --show-output --test-threads=1 measured"]
fn measured_groups_and_hosts_share_one_order() {
    let Some(primary) = Cluster::start() else {
        return;
    };
    let place = primary.database("measured");
    let standby = Standby::start(&primary, "second");
    standby.wait_until_synchronous(&primary);
    let hosts = [0; 3].map(|_| open(&place.url));
    let (one, next) = (&hosts[..1], AtomicU64::new(0));
    connect_app(&hosts[0]);
    run(&hosts, 8, &next);
    let mut client = connect(&place.url);
    client.batch_execute("CREATE TABLE raw (n int8)").unwrap();
    let insert = client.prepare("INSERT INTO raw VALUES (1)").unwrap();
    let mut raw = vec![];
    let (mut alone, mut group, mut three, mut p99) = (vec![], vec![], vec![], vec![]);
    let mut shares = vec![];
    for _ in 0..ROUNDS {
        raw.push(raw_commits(&mut client, &insert));
        alone.push(run(one, 1, &next)[0].rate);
        let of_one = run(one, 64, &next);
        p99.push(of_one[0].p99().as_secs_f64());
        group.push(of_one[0].rate);
        let of_three = run(&hosts, 64, &next);
        let all: f64 = of_three.iter().map(|run| run.rate).sum();
        three.push(all);
        for run in &of_three {
            shares.push(run.rate / all);
            p99.push(run.p99().as_secs_f64());
        }
    }
    let (alone, group, three) = (median(alone), median(group), median(three));
    let least = shares.iter().copied().fold(1.0, f64::min);
    let p99 = p99.into_iter().fold(0.0, f64::max);
    println!(
        "primary and synchronous standby on one machine, load {}",
        load()
    );
    let raw = median(raw);
    println!("commits of one row by a plain client: {raw:.0}/s");
    println!("one caller: {alone:.0}/s, {:.2} of that", alone / raw);
    println!(
        "64 callers of one host: {group:.0}/s, {:.2} of one caller",
        group / alone
    );
    println!(
        "3 hosts of 64 callers: {three:.0}/s, {:.2} of one host",
        three / group
    );
    println!(
        "the smallest share of a host: {least:.2}; the worst p99: {:.0} ms",
        p99 * 1e3
    );
    assert_sound(&hosts[0]);
    assert!(group >= 5.0 * alone && three >= 0.8 * group && least > 0.1);
}

#[test]
#[ignore = "it measures: cargo test --release -p contact-store-tests --features postgres --test postgres -- --ignored --show-output --test-threads=1 measured"]
fn measured_a_find_beside_the_raw_query() {
    let Some(server) = Cluster::start() else {
        return;
    };
    const CONTACTS: u64 = 30_000;
    const BLOCK: u64 = 50;
    let place = server.database("find");
    let store = open(&place.socket_url);
    connect_app(&store);
    for first in (0..CONTACTS).step_by(3_000) {
        let mut request = AddTokens::new(APP);
        for number in first..first + 3_000 {
            request = request.entry(entry(number));
        }
        store.add_tokens(request).wait().unwrap();
    }
    let mut client = connect(&place.socket_url);
    client
        .batch_execute("SET search_path = contact_store; ANALYZE")
        .unwrap();
    let raw = client
        .prepare("SELECT key, value FROM contacts WHERE email = $1")
        .unwrap();
    let (mut ratios, mut with_snapshot, mut micros) = (vec![], vec![], vec![]);
    let now = store.snapshot().unwrap();
    for first in (0..CONTACTS).step_by(usize::try_from(BLOCK).unwrap()) {
        let timed = |find: &mut dyn FnMut(&str)| {
            let mut times: Vec<Duration> = (first..first + BLOCK)
                .map(|number| {
                    let email = email(number);
                    let began = Instant::now();
                    find(&email);
                    began.elapsed()
                })
                .collect();
            times.sort();
            times[times.len() / 2].as_secs_f64()
        };
        let floor = timed(&mut |email| {
            assert_eq!(client.query(&raw, &[&email]).unwrap().len(), 1);
        });
        let found = timed(&mut |email| assert!(now.by_email(email).unwrap().is_some()));
        let fresh = timed(&mut |email| {
            let now = store.snapshot().unwrap();
            assert!(now.by_email(email).unwrap().is_some());
        });
        ratios.push(found / floor);
        with_snapshot.push(fresh / floor);
        micros.push(floor * 1e6);
    }
    let (ratio, fresh) = (median(ratios), median(with_snapshot));
    println!("over a socket of the same machine, load {}", load());
    println!("the raw query: {:.0} us", median(micros));
    println!("a find in a snapshot: {ratio:.2} of it; a snapshot and a find: {fresh:.2}");
    assert!(ratio <= 1.3);
}
