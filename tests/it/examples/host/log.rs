//! The log: a line for each request, with nothing in it that a client chose freely (R52); and that
//! nobody has to read it.

use std::io::{ErrorKind, PipeWriter, Read as _, Write as _, pipe};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::client::{APP, exchange};
use super::process::{Host, command};

/// A line of the log without its time, which is one in UTC.
#[track_caller]
pub fn without_time(line: &str) -> &str {
    let (time, rest) = line.split_once(' ').unwrap();
    assert_eq!((&time[10..11], time.len()), ("T", 27), "{line}");
    assert!(time.ends_with('Z'), "{line}");
    rest.trim_start()
}

/// What a line says of a request: its method, path and status.
#[track_caller]
fn said_of(line: &str) -> String {
    let said = without_time(line).strip_prefix("INFO host::request: ");
    let (said, micros) = said.unwrap().rsplit_once(" micros=").unwrap();
    assert!(micros.parse::<u64>().unwrap() < 60_000_000, "{line}");
    let said = said.strip_prefix("method=").unwrap();
    said.replace(" path=", " ").replace(" status=", " ")
}

#[test]
fn a_line_says_method_route_ids_and_status_and_nothing_else_of_the_request() {
    let host = Host::start();
    let client = host.client();
    client.connect_app();
    client.add("t1", "ann@example.com").unwrap();
    for what in [
        "GET /v1/contacts?email=ann@example.com",
        "GET /v1/contacts/1",
        // A phone that somebody took for a contact id is no id of the store.
        "GET /v1/contacts/380500000001",
        "DELETE /v1/contacts/380500000001",
        "GET /v1/contacts/ann@example.com",
        "DELETE /v1/contacts/1",
        "GET /v1/apps/ann@example.com/messages",
        // A UUID may be anybody's, until the store says that it is one of its apps.
        "GET /v1/apps/0000000000000000000000000000000B/messages",
        "POST /v1/apps/0000000000000000000000000000000B/tokens",
        "GET /v1/apps/0000000000000000000000000000000A/messages",
        "GET /v1/apps/0000000000000000000000000000000A/subscribers",
        "GET /380500000001?380500000001",
        "PUT /v1/apps",
        "GET /healthz",
    ] {
        client.ask(what, "");
    }
    let request = "SHOP-380500000001 /v1/apps HTTP/1.1\r\nHost: localhost\r\n\r\n";
    exchange(host.connect(), request);
    for path in ["/v1/apps".to_owned(), format!("/v1/apps/{APP}/messages")] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: example.com\r\n\r\n");
        exchange(host.connect(), request);
    }
    let log = host.stop().log;
    let lines: Vec<_> = log.lines().map(said_of).collect();
    assert_eq!(
        lines,
        [
            "POST /v1/apps 200",
            &format!("POST /v1/apps/{APP}/tokens 200"),
            "GET /v1/contacts 200",
            "GET /v1/contacts/1 200",
            "GET /v1/contacts/{contactId} 404",
            "DELETE /v1/contacts/{contactId} 200",
            "GET /v1/contacts/{contactId} 400",
            "DELETE /v1/contacts/1 200",
            "GET /v1/apps/{app_uuid}/messages 400",
            "GET /v1/apps/{app_uuid}/messages 404",
            "POST /v1/apps/{app_uuid}/tokens 415",
            &format!("GET /v1/apps/{APP}/messages 200"),
            &format!("GET /v1/apps/{APP}/subscribers 200"),
            "GET (unknown) 404",
            "PUT /v1/apps 405",
            "GET /healthz 200",
            "(unknown method) /v1/apps 405",
            "GET /v1/apps 421",
            "GET /v1/apps/{app_uuid}/messages 421",
        ]
    );
}

#[test]
fn as_json_each_line_is_an_object_with_time_and_level() {
    let host = Host::start_with(&["--log", "json"]);
    let client = host.client();
    client.connect_app();
    client.get("/v1/contacts?email=ann@example.com");
    let log = host.stop().log;
    let lines: Vec<Value> = log
        .lines()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let members = line.as_object_mut().unwrap();
            let time = members.remove("timestamp").unwrap();
            assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
            assert!(members.remove("micros").unwrap().is_u64());
            line
        })
        .collect();
    let line = |method: &str, path: &str, status: u16| {
        json!({"level": "INFO", "target": "host::request", "method": method, "path": path,
            "status": status})
    };
    assert_eq!(
        lines,
        [
            line("POST", "/v1/apps", 200),
            line("GET", "/v1/contacts", 404)
        ]
    );
}

// R52: also what the crates beneath it may have to say.
#[test]
fn r52_the_most_talkative_filter_says_nothing_personal() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let arguments = [
        "--store",
        path.to_str().unwrap(),
        "--create",
        "--listen",
        "127.0.0.1:0",
    ];
    let mut command = command(&arguments);
    command.env("RUST_LOG", "trace");
    let host = Host::of(command, &path);
    let client = host.client();
    client.connect_app();
    client.add("shop-token", "ann@example.com").unwrap();
    client.get("/v1/contacts?email=ann@example.com");
    // What must not be in it is looked for when it ends.
    let log = host.stop().log;
    assert!(log.lines().count() >= 3, "{log}");
}

#[test]
fn the_filter_is_that_of_the_environment_or_of_its_flag() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let mut arguments = vec![
        "--store",
        path.to_str().unwrap(),
        "--create",
        "--listen",
        "127.0.0.1:0",
    ];
    for (flag, lines) in [(None, 0), (Some("host::request=info"), 1)] {
        arguments.extend(flag.map(|_| "--log-filter"));
        arguments.extend(flag);
        let mut command = command(&arguments);
        command.env("RUST_LOG", "warn");
        let host = Host::of(command, &path);
        host.client().get("/v1/apps");
        assert_eq!(host.stop().log.lines().count(), lines);
    }
}

#[test]
fn quiet_logs_no_request() {
    let host = Host::start_with(&["--quiet"]);
    let client = host.client();
    client.connect_app();
    client.get("/nowhere");
    assert_eq!(host.stop().log, "");
}

/// Writes until the pipe takes no more, and leaves it as it was: the next writer waits.
fn fill(mut pipe: &PipeWriter) {
    fcntl_setfl(pipe, OFlags::NONBLOCK).unwrap();
    for size in [1 << 12, 1] {
        let refused = loop {
            if let Err(error) = pipe.write(&vec![b'.'; size]) {
                break error;
            }
        };
        assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    }
    fcntl_setfl(pipe, OFlags::empty()).unwrap();
}

#[test]
fn a_signal_ends_the_host_also_when_nobody_reads_its_full_standard_error() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("contacts.redb");
        let (unread, full) = pipe().unwrap();
        fill(&full);
        let host = Host::saying_to(full, &path);
        let client = host.client();
        client.connect_app();
        for _ in 0..8 {
            assert_eq!(client.get("/healthz").status, 200);
        }
        host.signal(signal);
        assert_eq!(host.end().status, Some(0));
        drop(unread);
    }
}

#[test]
fn a_failure_at_the_end_does_not_wait_for_a_full_standard_error_either() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    std::fs::write(&path, "").unwrap();
    let (unread, full) = pipe().unwrap();
    fill(&full);
    let arguments = ["--store", path.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let mut host = command(&arguments);
    let mut host = host.stdout(Stdio::piped()).stderr(full).spawn().unwrap();
    let mut out = host.stdout.take().unwrap();
    let (send, ended) = mpsc::channel();
    // Its standard output is closed when it has ended.
    thread::spawn(move || send.send(out.read_to_end(&mut Vec::new())));
    let ended = ended.recv_timeout(Duration::from_secs(60));
    host.kill().unwrap();
    let status = host.wait().unwrap().code();
    assert_eq!((ended.is_ok(), status), (true, Some(1)));
    drop(unread);
}
