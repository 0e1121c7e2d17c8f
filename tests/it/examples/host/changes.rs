//! The change feed over HTTP (R60): pages, waiting, and server-sent events.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{APP, Client};
use super::process::Host;

fn fed_host() -> (Host, Client) {
    let host = Host::start_with(&["--keep-changes", "1000"]);
    let client = host.client();
    client.connect_app();
    (host, client)
}

/// The changes of a page, without their times.
fn page(client: &Client, query: &str) -> Value {
    let answer = client.get(&format!("/v1/changes{query}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut page = answer.json();
    for change in page["changes"].as_array_mut().unwrap() {
        let at = change.as_object_mut().unwrap().remove("at").unwrap();
        assert!(at.as_u64().unwrap() > 1_700_000_000_000);
    }
    page
}

#[test]
fn r60_changes_are_listed_in_pages() {
    let (host, client) = fed_host();
    client.add("t1", "ann@example.com").unwrap();
    assert_eq!(
        page(&client, "?limit=2"),
        json!({
            "changes": [
                {"position": "1.1", "change": "appConnected", "appUuid": APP},
                {"position": "2.1", "change": "contactCreated", "contactId": 1},
            ],
            "position": "2.1",
            "more": true,
        })
    );
    let added = json!({
        "changes": [{
            "position": "2.2", "change": "tokenAdded", "contactId": 1, "appUuid": APP,
            "subscriberId": "1099511627777",
        }],
        "position": "2.2",
        "more": false,
    });
    assert_eq!(page(&client, "?after=2.1"), added);
    let body = r#"{"token": "t1", "contactId": 1}"#;
    client.post(&format!("/v1/apps/{APP}/tokens/remove"), body);
    assert_eq!(page(&client, "?after=2")["changes"][0]["why"], "removed");
    assert_eq!(client.ask("DELETE /v1/contacts/1", "").status, 200);
    assert_eq!(
        page(&client, "?after=1"),
        json!({
            "changes": [{"position": "4.1", "change": "contactErased", "contactId": 1}],
            "position": "4.1",
            "more": false,
        })
    );
    let ahead = client.get("/v1/changes?after=5");
    ahead.is(
        409,
        r#"{"error": {"code": "changesAhead", "sequence": 4,
            "message": "the position is after the newest request, which is 4"}}"#,
    );
    let wrong = client.get("/v1/changes?after=4.0");
    assert_eq!(
        (wrong.status, wrong.code()),
        (400, "notAChangePosition".to_owned())
    );
    for query in ["wait=61", "wait=-1", "wait=x", "limit=x"] {
        let wrong = client.get(&format!("/v1/changes?{query}"));
        assert_eq!(
            (wrong.status, wrong.code()),
            (400, "notOneOf".to_owned()),
            "{query}"
        );
    }
    host.stop();
}

#[test]
fn r60_without_a_feed_there_is_nothing_to_read() {
    let host = Host::start();
    let client = host.client();
    client.connect_app();
    let gone = client.get("/v1/changes");
    gone.is(
        410,
        r#"{"error": {"code": "changesNotKept", "oldest": "1",
            "message": "the changes after the position are not all kept, only those after 1 are"}}"#,
    );
    host.stop();
}

#[test]
fn r60_a_page_is_waited_for_until_there_is_a_change() {
    let (host, client) = fed_host();
    let waits = client.clone();
    let waiting = thread::spawn(move || page(&waits, "?after=1&wait=50"));
    // Who reads all the time has nothing to wait for.
    let began = Instant::now();
    assert_eq!(page(&client, "?after=0&wait=50")["position"], "1.1");
    assert!(began.elapsed() < Duration::from_secs(20));
    thread::sleep(Duration::from_millis(50));
    assert!(!waiting.is_finished());
    client.add("t1", "ann@example.com").unwrap();
    let page_then = waiting.join().unwrap();
    assert_eq!(page_then["changes"][0]["change"], "contactCreated");
    // And for no longer than it says.
    let began = Instant::now();
    let nothing = page(&client, "?after=2&wait=1");
    assert_eq!(
        nothing,
        json!({"changes": [], "position": "2", "more": false})
    );
    assert!(began.elapsed() >= Duration::from_secs(1));
    host.stop();
}

/// More readers wait than the host has threads, and others are served; they all see the change.
#[test]
fn r60_many_who_wait_hold_up_nobody() {
    const READERS: usize = 100;
    let (host, client) = fed_host();
    thread::scope(|scope| {
        let readers = [(); READERS].map(|()| {
            let client = Client::of(host.address);
            scope.spawn(move || page(&client, "?after=1&wait=50"))
        });
        let began = Instant::now();
        for n in 0..20 {
            assert_eq!(client.get("/v1/contacts/list").status, 200, "{n}");
        }
        assert!(began.elapsed() < Duration::from_secs(20));
        client.add("t1", "ann@example.com").unwrap();
        for reader in readers {
            assert_eq!(reader.join().unwrap()["changes"][0]["contactId"], 1);
        }
    });
    host.stop();
}

#[test]
fn r60_the_end_of_the_host_ends_all_waits() {
    let (host, client) = fed_host();
    let waiting = thread::spawn(move || page(&client, "?after=1&wait=60"));
    let mut events = Events::of(&host, "/v1/changes?after=1", "");
    events.comment();
    thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    host.stop();
    assert!(began.elapsed() < Duration::from_secs(25));
    assert_eq!(waiting.join().unwrap()["changes"], json!([]));
    assert_eq!(events.line(), None);
}

/// A reader of server-sent events.
struct Events {
    lines: BufReader<TcpStream>,
}

impl Events {
    fn of(host: &Host, path: &str, header: &str) -> Self {
        let mut stream = host.connect();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html, text/event-stream;q=0.9\r\n{header}\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        Events {
            lines: BufReader::new(stream),
        }
    }

    /// The next line that is not of the framing; `None` at the end.
    fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let line = line.trim_end();
            let is_size = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !line.is_empty() && !is_size {
                return Some(line.to_owned());
            }
        }
    }

    /// Reads on to the first comment, which says that it is connected.
    fn comment(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line().filter(|line| line != ":")).collect()
    }

    /// The next event: its id and its data.
    fn event(&mut self) -> (String, Value) {
        let mut line = self.line().unwrap();
        while line == ":" {
            line = self.line().unwrap();
        }
        let id = line.strip_prefix("id: ").unwrap().to_owned();
        let data = self.line().unwrap();
        let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        (id, data)
    }
}

#[test]
fn r60_events_come_as_things_change_and_go_on_after_the_last_one() {
    let (host, client) = fed_host();
    let mut events = Events::of(&host, "/v1/changes", "");
    let head = events.comment();
    assert_eq!(head[0], "HTTP/1.1 200 OK");
    assert!(
        head.contains(&"content-type: text/event-stream".to_owned()),
        "{head:?}"
    );
    let (id, first) = events.event();
    assert_eq!(
        (id.as_str(), &first["change"]),
        ("1.1", &json!("appConnected"))
    );
    client.add("t1", "ann@example.com").unwrap();
    let (id, created) = events.event();
    assert_eq!(
        (id.as_str(), &created["change"]),
        ("2.1", &json!("contactCreated"))
    );
    assert_eq!(created["position"], "2.1");
    drop(events);

    // It connects again, with the same URL.
    let mut events = Events::of(
        &host,
        "/v1/changes?after=0&limit=1",
        "Last-Event-ID: 2.1\r\n",
    );
    events.comment();
    let (id, added) = events.event();
    assert_eq!(
        (id.as_str(), &added["change"]),
        ("2.2", &json!("tokenAdded"))
    );
    client.add("t2", "ben@example.com").unwrap();
    assert_eq!(events.event().0, "3.1");
    assert_eq!(events.event().0, "3.2");
    drop(events);

    for (header, status) in [
        ("Last-Event-ID: x\r\n", "400"),
        ("Last-Event-ID: 99\r\n", "409"),
    ] {
        let mut refused = Events::of(&host, "/v1/changes", header);
        let line = refused.line().unwrap();
        assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{line}");
    }
    host.stop();
}
