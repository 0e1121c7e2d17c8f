//! A store that is busy, or fails: what the host answers meanwhile, and that it mends by itself
//! (R48, R49).

use std::thread;
use std::time::{Duration, Instant};

use contact_store::{AddTokens, ContactStore, Options, TokenEntry};

use super::client::{APP, Answer, Client};
use super::metrics::stats;
use super::process::HostOnThread;
use crate::failing_disk::disk::{Fault, FaultKind, TestDisk};
use crate::support::watched_disk::WatchedDisk;
use crate::support::{APP as APP_ID, assert_sound, connect, options};

const NEEDS_REOPEN: &str =
    "reading or writing failed earlier: the store refuses writes until it is reopened";

/// Asks again and again until an answer is as wished. Nothing tells from outside when it will be.
#[track_caller]
fn until(mut ask: impl FnMut() -> Answer, wished: impl Fn(&Answer) -> bool) -> Answer {
    let began = Instant::now();
    loop {
        let answer = ask();
        if wished(&answer) {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{answer:?}");
        thread::yield_now();
    }
}

#[test]
fn a_full_queue_is_503_and_reads_and_health_go_on() {
    let disk = WatchedDisk::new();
    let (mut options, _) = options();
    options.limits.waiting_requests = 1;
    let store = disk.open(&options);
    connect(&store);
    let ann = TokenEntry::new("t0").email("ann@example.com");
    store
        .add_tokens(AddTokens::new(APP_ID).entry(ann))
        .wait()
        .unwrap();
    let host = HostOnThread::start(store, |_| {});
    let client = host.client();

    let held = disk.held();
    thread::scope(|scope| {
        let add = |token: &'static str| {
            let client = Client::of(host.address);
            scope.spawn(move || client.add(token, "ann@example.com").unwrap())
        };
        let committed = add("t1");
        disk.wait_until_held();
        let queued = add("t2");
        let waiting = || stats(&client)["contact_store_waiting_requests"] as u64;
        let began = Instant::now();
        while waiting() < 1 {
            assert!(began.elapsed() < Duration::from_secs(60));
        }
        let refused = client.add("t3", "ann@example.com").unwrap();
        assert_eq!((refused.status, refused.code().as_str()), (503, "busy"));
        assert_eq!(refused.headers["retry-after"], "1");
        // No thread of the runtime waits for the disk, and what is read is what is durable.
        assert_eq!(client.get("/healthz").status, 200);
        let card = client.get("/v1/contacts?email=ann@example.com").json();
        assert_eq!(card["contact"]["tokens"].as_array().unwrap().len(), 1);
        held.let_go();
        for added in [committed, queued] {
            assert_eq!(added.join().unwrap().status, 200);
        }
    });
    assert_eq!(client.add("t3", "ann@example.com").unwrap().status, 200);
    let card = client.get("/v1/contacts?email=ann@example.com").json();
    assert_eq!(card["contact"]["tokens"].as_array().unwrap().len(), 4);
}

#[test]
fn after_a_failed_commit_writes_and_health_are_503_until_the_store_is_reopened() {
    let disk = TestDisk::empty();
    let store = ContactStore::open_on_disk(disk.clone(), Options::default()).unwrap();
    connect(&store);
    let host = HostOnThread::start(store.clone(), |_| {});
    let client = host.client();
    assert_eq!(client.add("t1", "ann@example.com").unwrap().status, 200);

    disk.fail(Fault {
        at: 0,
        kind: FaultKind::FromThenOn,
    });
    let failed = client.add("t2", "ann@example.com").unwrap();
    let sequence = failed.json()["error"]["sequence"].as_u64().unwrap();
    let cause = "input or output failed (uncategorized error)";
    let message = format!(
        "the commit failed: whether request number {sequence} is in the store is known only after reopening: {cause}"
    );
    let error = serde_json::json!(
        {"error": {"code": "indeterminate", "message": message, "sequence": sequence}}
    );
    failed.is(503, &error.to_string());
    assert_eq!(failed.headers["retry-after"], "1");
    client.get("/healthz").is_error(503, "io", cause);
    client
        .add("t3", "ann@example.com")
        .unwrap()
        .is_error(503, "needsReopen", NEEDS_REOPEN);
    // A read answers from what is durable, or says that it cannot.
    let read = client.get("/v1/contacts?email=ann@example.com");
    assert!([200, 503].contains(&read.status), "{read:?}");
    // It was tried, and does not help yet.
    let tries = disk.failed_calls();
    let began = Instant::now();
    while disk.failed_calls() == tries {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "nobody reopens it"
        );
        thread::yield_now();
    }
    for path in ["/healthz", "/metrics"] {
        client.get(path).is_error(503, "io", cause);
    }

    disk.mend();
    until(|| client.get("/healthz"), |answer| answer.status == 200)
        .is(200, r#"{"status": "ok", "engine": "file"}"#);
    let added = client.add("t2", "ann@example.com").unwrap();
    assert_eq!(added.status, 200);
    assert_eq!(stats(&client)["contact_store_needs_reopen"], 0.0);
    let apps = client.get("/v1/apps").json();
    assert_eq!(apps["apps"][0]["appUuid"], APP);
    assert_eq!(apps["apps"][0]["subscribers"], 2);
    assert_sound(&store);
}

#[test]
fn reopening_is_tried_again_also_while_nobody_asks_anything() {
    let disk = TestDisk::empty();
    let store = ContactStore::open_on_disk(disk.clone(), Options::default()).unwrap();
    connect(&store);
    let host = HostOnThread::start(store.clone(), |_| {});
    disk.fail(Fault {
        at: 0,
        kind: FaultKind::FromThenOn,
    });
    let failed = host.client().add("t1", "ann@example.com").unwrap();
    assert_eq!(failed.code(), "indeterminate");
    let calls = disk.failed_calls();
    let began = Instant::now();
    let wait_for = |done: &dyn Fn() -> bool| {
        while !done() {
            assert!(began.elapsed() < Duration::from_secs(60));
            thread::yield_now();
        }
    };
    // The first try has met the failing disk, after the question for its length; the next one meets
    // one that works.
    wait_for(&|| disk.failed_calls() > calls + 1);
    disk.mend();
    wait_for(&|| !store.stats().unwrap().needs_reopen);
    assert_eq!(
        host.client().add("t1", "ann@example.com").unwrap().status,
        200
    );
}

/// A real process at its limit for files: it says so, mends once the limit is raised, and loses
/// nothing acknowledged.
#[cfg(target_os = "linux")]
#[test]
fn a_host_at_its_limit_for_files_says_so_and_goes_on_when_it_is_raised() {
    use rustix::process::{Resource, Rlimit, prlimit};

    use super::process::{Host, open};
    use crate::support::find;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    drop(ContactStore::open(&path, Options::default()).unwrap());
    // 2 or 4 MiB: blocks are of 512 or of 1,024 bytes. Only the limit that may be raised again.
    let host = Host::on_after("trap '' XFSZ; ulimit -S -f 4096", &path);
    let client = host.client();
    client.connect_app();
    let email = |batch: usize, entry: usize| format!("{batch}-{entry}@example.com");
    let batch = |batch: usize| {
        let entry = |n| {
            format!(
                r#"{{"token": "t{batch}-{n}", "email": "{}"}}"#,
                email(batch, n)
            )
        };
        let entries: Vec<_> = (0..200).map(entry).collect();
        let body = format!(r#"{{"tokens": [{}]}}"#, entries.join(","));
        client.post(&format!("/v1/apps/{APP}/tokens"), body)
    };
    let mut acknowledged = 0;
    let failed = loop {
        let answer = batch(acknowledged);
        if answer.status != 200 {
            break answer;
        }
        acknowledged += 1;
    };
    assert_eq!(
        (failed.status, failed.code().as_str()),
        (503, "indeterminate")
    );
    assert_eq!(failed.headers["retry-after"], "1");
    // It is reopened soon, and fails again: each time it takes longer.
    until(
        || {
            let answer = batch(acknowledged);
            assert_eq!(answer.status, 503, "{answer:?}");
            client.get("/healthz")
        },
        |health| health.status == 503,
    )
    .is_error(503, "needsReopen", NEEDS_REOPEN);
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    prlimit(Some(host.pid()), Resource::Fsize, unlimited).unwrap();
    until(|| client.get("/healthz"), |answer| answer.status == 200);
    until(|| batch(acknowledged), |answer| answer.status == 200);
    acknowledged += 1;
    let log = host.stop().log;
    for said in [
        "host: the store takes no writes after a failure",
        "host: the store is reopened, at number ",
    ] {
        assert!(log.contains(said), "{log}");
    }
    let store = open(&path);
    for n in 0..acknowledged {
        for entry in 0..200 {
            let given = contact_store::GivenIdentifiers::new().email(email(n, entry));
            assert!(find(&store, given).unwrap().is_some(), "{n} {entry}");
        }
    }
    assert_sound(&store);
    println!("{acknowledged} batches of 200 acknowledged");
}
