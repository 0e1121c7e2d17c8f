//! Large requests and large answers: what they cost nobody else. No thread that serves connections
//! works on them, what they hold is counted, and a client that does not take its answer is cut off.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use contact_store::{AddTokens, ContactStore, TokenEntry};

use super::client::{APP, Answer, Client, head_of_post, read_all, read_one, status_and_code};
use super::process::HostOnThread;
use crate::support::watched_disk::WatchedDisk;
use crate::support::{APP as APP_ID, connect, options, store};

/// Contacts that hold one token, with the longest ids there are: each entry of an answer lists the
/// others.
const HOLDERS: u64 = 1_000;
const FIRST_ID: u64 = 9_007_199_254_730_000;

fn id(n: u64) -> u64 {
    FIRST_ID + n
}

/// A store with a token that many contacts hold, and a request of `entries` entries that adds it again.
fn many_holders(entries: u64) -> (ContactStore, String) {
    let (store, _) = store();
    let holder = |n| TokenEntry::new("shared").contact_id(i128::from(id(n)));
    let holders = AddTokens::new(APP_ID).entries((0..HOLDERS).map(holder));
    let held = store.add_tokens(holders).wait().unwrap().outcome.entries;
    assert!(held.iter().all(Result::is_ok), "{:?}", held[0]);
    let entry = |n| format!(r#"{{"token":"shared","contactId":{}}}"#, id(n % HOLDERS));
    let entries: Vec<_> = (0..entries).map(entry).collect();
    (store, format!(r#"{{"tokens":[{}]}}"#, entries.join(",")))
}

fn tokens() -> String {
    format!("/v1/apps/{APP}/tokens")
}

fn send(host: &HostOnThread, path: &str, body: &str) -> TcpStream {
    let mut stream = host.connect();
    let request = head_of_post(path, body.len()) + body;
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Nothing has come yet on a connection.
#[track_caller]
fn assert_unanswered(stream: &TcpStream) {
    stream.set_nonblocking(true).unwrap();
    let peeked = stream.peek(&mut [0]).map_err(|error| error.kind());
    assert_eq!(peeked, Err(ErrorKind::WouldBlock));
    stream.set_nonblocking(false).unwrap();
}

/// The one thread that may wait is occupied, and the one of the runtime serves: small requests are
/// answered, after a large one that is not, until there is a thread for it.
#[track_caller]
fn answered_elsewhere(store: ContactStore, path: &str, body: &str) -> String {
    let host = HostOnThread::start_with_threads(1, 1, store, |_| {});
    let occupied = host.occupy();
    let mut stream = send(&host, path, body);
    let client = host.client();
    for n in 0..8 {
        let added = client.add(&format!("small-{n}"), "ann@example.com");
        assert_eq!(added.unwrap().status, 200);
    }
    assert_unanswered(&stream);
    drop(occupied);
    let answer = read_one(&mut stream);
    assert_eq!(status_and_code(&answer), (200, None), "{path}");
    answer
}

// What may take long for its length: JSON, canonical form, queue.
#[test]
fn no_thread_that_serves_connections_reads_or_queues_a_large_request() {
    let rows = [
        (
            tokens(),
            r#"{"tokens": [{"token": "large", "email": "bob@example.com"}]}"#,
            "\"contactId\":2",
        ),
        (
            "/v1/contacts".to_owned(),
            r#"{"contacts": [{"email": "bob@example.com"}], "dedupeOn": "email"}"#,
            "\"contactId\":2",
        ),
        (
            format!("/v1/apps/{APP}/statuses"),
            r#"{"statuses": [{"token": "small-7", "status": "SENT"}]}"#,
            "\"outcome\":\"recorded\"",
        ),
    ];
    for (path, body, last) in rows {
        let (store, _) = store();
        let body = format!("{body}{}", " ".repeat(1 << 20));
        let answer = answered_elsewhere(store, &path, &body);
        // It was queued after the small ones, which created the first contact and added the token.
        assert!(answer.contains(last), "{path}: {answer}");
    }
}

#[test]
fn no_thread_that_serves_connections_writes_a_large_answer() {
    // The request itself is small enough to be read in one go.
    let (store, body) = many_holders(200);
    assert!(body.len() < 16 << 10);
    let answer = answered_elsewhere(store, &tokens(), &body);
    // 200 lists of 999 ids of 16 digits, with a comma between two of them.
    assert!(answer.len() > 200 * (999 * 17 - 1), "{}", answer.len());
}

/// Asks again and again until an answer has this status. Nothing tells from outside when it will.
#[track_caller]
fn until(status: u16, ask: impl Fn() -> Answer) -> Answer {
    let began = Instant::now();
    loop {
        let answer = ask();
        if answer.status == status {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{answer:?}");
        thread::yield_now();
    }
}

fn apps(client: &Client) -> Answer {
    client.get("/v1/apps")
}

/// More than the system holds of an answer that nobody reads.
const ENTRIES: u64 = 2_000;

#[test]
fn an_answer_takes_its_room_until_the_client_has_it() {
    let (store, body) = many_holders(ENTRIES);
    let length = {
        let host = HostOnThread::start(store.clone(), |_| {});
        read_all_of_one(send(&host, &tokens(), &body))
    };
    // Room for this one answer, to the byte.
    let host = HostOnThread::start(store, |settings| settings.answer_bytes = length);
    let client = host.client();
    assert_eq!(apps(&client).status, 200);
    let mut stream = send(&host, &tokens(), &body);
    // Its answer has begun to come: it is whole in memory.
    stream.read_exact(&mut [0]).unwrap();
    apps(&client).is_error(
        503,
        "busy",
        "too many bytes of requests and answers are held at once",
    );
    // It needs none.
    assert_eq!(client.get("/healthz").status, 200);
    drop(stream);
    until(200, || apps(&client));
    // Nothing is lost of the room: the same answer finds enough.
    assert_eq!(read_all_of_one(send(&host, &tokens(), &body)), length);
}

/// The length of the body of the one answer, having read it.
#[track_caller]
fn read_all_of_one(mut stream: TcpStream) -> usize {
    let answer = read_one(&mut stream);
    assert_eq!(status_and_code(&answer), (200, None));
    answer.split_once("\r\n\r\n").unwrap().1.len()
}

#[test]
fn a_client_that_does_not_take_its_answer_in_time_is_cut_off_and_its_room_is_free_again() {
    let (store, body) = many_holders(ENTRIES);
    let host = HostOnThread::start(store, |settings| {
        settings.answer_time = Duration::from_millis(250);
        // As much as there is: nothing else finds room.
        settings.answer_bytes = 1 << 20;
    });
    let client = host.client();
    let mut stream = send(&host, &tokens(), &body);
    stream.read_exact(&mut [0]).unwrap();
    until(200, || apps(&client));
    // It ends before its time.
    let rest = read_all(stream);
    let (head, begun) = rest.split_once("\r\n\r\n").unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    assert!(begun.len() < length.unwrap().parse().unwrap(), "{head}");
}

#[test]
fn a_request_whose_answer_finds_no_room_writes_nothing() {
    let disk = WatchedDisk::new();
    let (options, _) = options();
    let store = disk.open(&options);
    connect(&store);
    let host = HostOnThread::start(store.clone(), |settings| {
        settings.answer_bytes = 1_000;
        settings.answer_time = Duration::from_millis(50);
    });
    let held = disk.held();
    thread::scope(|scope| {
        let first = scope.spawn(|| host.client().add("t1", "ann@example.com").unwrap());
        // It has the room for its answer, all there is, and waits for the disk.
        disk.wait_until_held();
        let refused = host.client().add("t2", "bob@example.com").unwrap();
        refused.is_error(
            503,
            "busy",
            "too many bytes of requests and answers are held at once",
        );
        held.let_go();
        assert_eq!(first.join().unwrap().status, 200);
    });
    assert_eq!(store.stats().unwrap().contacts, 1);
    let again = host.client().add("t2", "bob@example.com").unwrap();
    assert_eq!(again.json()["results"][0]["contactId"], 2);
}
