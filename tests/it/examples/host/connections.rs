//! What a client may do to a connection, and what the host makes of it: bodies cut off, too large or
//! too slow, requests one after another, and the end of the host.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::client::{APP, exchange, head_of_post, read_all, read_one, status_and_code};
use super::process::{Host, HostOnThread, open};
use crate::support::{id, store};

const BODY: &str = r#"{"tokens": [{"token": "t1", "email": "ann@example.com"}]}"#;

fn tokens() -> String {
    format!("/v1/apps/{APP}/tokens")
}

/// A request to add a token, in chunks of these sizes and one of what is left.
fn chunked(sizes: &[usize]) -> String {
    let mut request =
        head_of_post(&tokens(), 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    let mut rest = BODY;
    for size in sizes
        .iter()
        .copied()
        .chain([BODY.len() - sizes.iter().sum::<usize>()])
    {
        let (chunk, behind) = rest.split_at(size);
        request.push_str(&format!("{size:x}\r\n{chunk}\r\n"));
        rest = behind;
    }
    request + "0\r\n\r\n"
}

fn code(status: u16, code: &str) -> (u16, Option<String>) {
    (status, Some(code.to_owned()))
}

#[test]
fn a_body_that_is_cut_off_writes_nothing() {
    let host = Host::start();
    let client = host.client();
    client.connect_app();
    let whole = head_of_post(&tokens(), BODY.len()) + BODY;
    let in_chunks = chunked(&[10, 20]);
    // Also where what came by then is JSON itself.
    let more = head_of_post(&tokens(), BODY.len() + 1) + BODY;
    let cut = [
        &whole[..whole.len() - 1],
        &whole[..whole.len() - BODY.len()],
        &in_chunks[..in_chunks.len() - 5],
        &in_chunks[..in_chunks.len() - 40],
        &more,
    ];
    for request in cut {
        // Half closed: it wants its answer.
        let answer = exchange(host.connect(), request);
        assert_eq!(
            status_and_code(&answer),
            code(400, "brokenBody"),
            "{request}"
        );
        // Gone.
        let mut stream = host.connect();
        stream.write_all(request.as_bytes()).unwrap();
        drop(stream);
    }
    for request in [
        in_chunks.replace("\r\na\r\n", "\r\nzz\r\n"),
        in_chunks.replace("\r\n\r\na\r\n", "\r\n\r\nffffffffffffffffffff\r\n"),
    ] {
        let answer = exchange(host.connect(), &request);
        assert_eq!(
            status_and_code(&answer),
            code(400, "brokenBody"),
            "{request}"
        );
    }
    assert_eq!(client.get("/v1/contacts?email=ann@example.com").status, 404);
    // Whole ones are taken in any chunks, and from a client that closed its side after them.
    for request in [whole, in_chunks, chunked(&[1; 30])] {
        let answer = exchange(host.connect(), request);
        assert_eq!(status_and_code(&answer), (200, None));
    }
    let ended = host.stop();
    let store = open(&ended.path);
    let now = store.snapshot().unwrap();
    assert_eq!(now.contact_count(), 1);
    assert_eq!(now.contact(id(1)).unwrap().unwrap().tokens.len(), 1);
}

/// The default of `Limits::request_text_bytes`.
const MOST: usize = 8 << 20;

#[test]
fn a_body_over_the_limit_is_413_by_its_length_and_by_its_chunks() {
    let host = Host::start();
    let client = host.client();
    client.connect_app();
    let error = |actual: usize| {
        serde_json::json!({"error": {"code": "limitExceeded", "limit": "requestTextBytes",
            "message": format!("{actual} bytes of text in the request, the most is {MOST}"),
            "actual": actual, "most": MOST}})
    };
    // A client that sends all of it before it reads still gets the answer.
    let body = vec![b' '; MOST + 1];
    client
        .post(&tokens(), body.clone())
        .is(413, &error(MOST + 1).to_string());
    // By its length alone, before a byte of it is sent.
    for length in [MOST + 1, 1 << 40] {
        let mut stream = host.connect();
        let head = head_of_post(&tokens(), length)
            .replace("Content-Type", "Expect: 100-continue\r\nContent-Type");
        stream.write_all(head.as_bytes()).unwrap();
        let answer = read_one(&mut stream);
        assert_eq!(status_and_code(&answer), code(413, "limitExceeded"));
        assert_eq!(body_of(&answer), error(length));
    }
    // By what came, where no length was said.
    let mut stream = host.connect();
    let head =
        head_of_post(&tokens(), 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    stream.write_all(head.as_bytes()).unwrap();
    stream
        .write_all(format!("{:x}\r\n", body.len()).as_bytes())
        .unwrap();
    stream.write_all(&body).unwrap();
    stream.write_all(b"\r\n0\r\n\r\n").unwrap();
    assert_eq!(
        status_and_code(&read_all_of(stream)),
        code(413, "limitExceeded")
    );
    // At the limit it is read.
    let mut body = BODY.as_bytes().to_vec();
    body.resize(MOST, b' ');
    assert_eq!(client.post(&tokens(), body).status, 200);
    host.stop();
}

fn body_of(answer: &str) -> serde_json::Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn read_all_of(stream: TcpStream) -> String {
    stream.shutdown(Shutdown::Write).unwrap();
    read_all(stream)
}

#[test]
fn a_body_that_stalls_is_408_and_does_nothing() {
    let (store, _) = store();
    let host = HostOnThread::start(store.clone(), |settings| {
        settings.body_time = Duration::from_millis(250);
    });
    for sent in [0, 1, BODY.len() - 1] {
        let mut stream = host.connect();
        let request = head_of_post(&tokens(), BODY.len()) + &BODY[..sent];
        stream.write_all(request.as_bytes()).unwrap();
        // The connection is closed, too: what comes next on it would be the rest of the body.
        let answer = read_all(stream);
        assert_eq!(status_and_code(&answer), code(408, "slowBody"));
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    assert_eq!(store.stats().unwrap().contacts, 0);
    host.client().add("t1", "ann@example.com").unwrap().is(
        200,
        r#"{"results": [{"contactId": 1, "contact": "created", "token": "added", "subscriberId": "1099511627777"}]}"#,
    );
}

#[test]
fn bodies_that_are_more_together_than_there_is_room_for_are_503() {
    let (store, _) = store();
    let host = HostOnThread::start(store, |settings| settings.body_bytes = 1_000);
    let client = host.client();
    for _ in 0..3 {
        let body = format!("{BODY}{}", " ".repeat(1_000));
        client.post(&tokens(), body).is_error(
            503,
            "busy",
            "too many bytes of requests and answers are held at once",
        );
        // The room is free again.
        let body = format!("{BODY}{}", " ".repeat(1_000 - BODY.len()));
        assert_eq!(client.post(&tokens(), body).status, 200);
    }
}

#[test]
fn requests_on_one_connection_are_answered_in_their_order() {
    let host = Host::start();
    host.client().connect_app();
    let add = |token: &str| {
        let body = BODY.replace("t1", token);
        head_of_post(&tokens(), body.len()) + &body
    };
    let get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let refused = "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let head = "HEAD /v1/apps HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut stream = host.connect();
    // All together, before the first answer.
    let all = [&add("t1"), get, &add("t2"), refused, &add("t2"), get].concat();
    stream.write_all(all.as_bytes()).unwrap();
    let answers: Vec<_> = (0..6).map(|_| read_one(&mut stream)).collect();
    let statuses: Vec<_> = answers
        .iter()
        .map(|answer| status_and_code(answer).0)
        .collect();
    assert_eq!(statuses, [200, 200, 200, 404, 200, 200]);
    for (place, part) in [
        (0, r#""contact":"created""#),
        (2, r#""token":"added""#),
        (4, "alreadyHeld"),
    ] {
        assert!(answers[place].contains(part), "{}", answers[place]);
    }
    // And one after the other. HEAD has the length of a body that does not come.
    for _ in 0..3 {
        stream.write_all(add("t3").as_bytes()).unwrap();
        assert_eq!(status_and_code(&read_one(&mut stream)).0, 200);
    }
    stream.write_all([head, get].concat().as_bytes()).unwrap();
    let mut both = String::new();
    stream.shutdown(Shutdown::Write).unwrap();
    stream.read_to_string(&mut both).unwrap();
    let (head, health) = both.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("content-length: 1"),
        "{head}"
    );
    assert!(
        health.starts_with("HTTP/1.1 200 OK\r\n")
            && health.ends_with("{\"status\":\"ok\",\"engine\":\"file\"}\n"),
        "{health}"
    );
    // An old client.
    let answer = exchange(
        host.connect(),
        "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n",
    );
    assert_eq!(status_and_code(&answer), (200, None));
    host.stop();
}

/// Returns when no connection is taken any more.
fn wait_until_nobody_is_let_in(host: SocketAddr) {
    let began = Instant::now();
    while TcpStream::connect(host).is_ok() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it still listens"
        );
        std::thread::yield_now();
    }
}

/// A request whose body the host has begun to read, and waits for.
fn under_way(host: &Host) -> TcpStream {
    let mut stream = host.connect();
    let head = head_of_post(&tokens(), BODY.len())
        .replace("Content-Type", "Expect: 100-continue\r\nContent-Type");
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(read_one(&mut stream), "HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[test]
fn at_the_end_requests_under_way_are_answered_and_silent_connections_are_not_waited_for() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let host = Host::start();
        host.client().connect_app();
        let new = host.connect();
        let mut idle = host.connect();
        idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        assert_eq!(status_and_code(&read_one(&mut idle)).0, 200);
        let mut asking = under_way(&host);
        host.signal(signal);
        wait_until_nobody_is_let_in(host.address);
        for silent in [new, idle] {
            assert_eq!(read_all(silent), "");
        }
        asking.write_all(BODY.as_bytes()).unwrap();
        let answer = read_all(asking);
        assert_eq!(status_and_code(&answer), (200, None));
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        let ended = host.end();
        assert_eq!(ended.status, Some(0));
        assert_eq!(open(&ended.path).stats().unwrap().contacts, 1);
    }
}

#[test]
fn a_second_signal_ends_it_without_waiting_for_a_client() {
    let host = Host::start();
    host.client().connect_app();
    let asking = under_way(&host);
    host.signal(Signal::TERM);
    wait_until_nobody_is_let_in(host.address);
    host.signal(Signal::TERM);
    assert_eq!(host.end().status, Some(0));
    assert_eq!(read_all(asking), "");
}
