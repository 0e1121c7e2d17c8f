//! The HTTP host of the examples: requests of one entry over one connection, and over 64 at once.
//!
//! Each answer is durable before it is given, so one connection waits for the disk each time, and 64
//! share its syncs. The host is a process of its own, on a fresh copy of a store of 10,000 contacts
//! for each side of each round. When it has ended, everybody is looked for in the file.
//!
//! The load comes from one thread of this process: HTTP/1.1 over connections that stay open, each
//! writing a request that was made before the clock runs, reading its answer, and writing the next.
//! It is light since it shares the processors with the host: no HTTP library, of an answer only the
//! status, the length and the end of its body are looked at.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a bench that fails may panic, and prints what it measured"
)]

mod common;
#[path = "../examples/host.rs"]
#[allow(dead_code, reason = "its `main` is not run here")]
mod host;

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use common::compare::{compare, each};
use common::people::Person;
use common::{APP, Asked, Copied, Filled};

const STORE: u64 = 10_000;
const CONNECTIONS: u64 = 64;
/// Makes this binary the host.
const SERVE: &str = "--serve-the-store-at";

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == SERVE) {
        let serve = ["--listen".into(), "127.0.0.1:0".into(), "--store".into()];
        let status = host::exit_status(serve.into_iter().chain(arguments));
        std::process::exit(status.into());
    }
    let asked = Asked::read(&["host"]);
    if asked == Asked::Nothing {
        return;
    }
    let (alone, together) = match asked {
        Asked::Try => (2, 1),
        _ => (300, 100),
    };
    let filled = Filled::new(STORE);
    let latencies = [RefCell::default(), RefCell::default()];
    let side = |connections: u64, requests: u64, latencies: &RefCell<Vec<Duration>>| {
        let load = Load::new(connections, requests);
        let (took, of_each) = load.on_a_copy(&filled);
        latencies.borrow_mut().extend(of_each);
        each(took, (connections * requests).try_into().unwrap())
    };
    let compared = compare(
        asked.rounds(9),
        || side(1, alone, &latencies[0]),
        || side(CONNECTIONS, together, &latencies[1]),
    );
    let rate = |nanoseconds: f64| 1e9 / nanoseconds;
    println!(
        "{STORE} contacts: host, one entry a request: {CONNECTIONS} connections {:.0}/s, one {:.0}/s, \
         ratio {:.1}",
        rate(compared.other),
        rate(compared.ours),
        compared.ratio,
    );
    for (connections, latencies) in [1, CONNECTIONS].into_iter().zip(latencies) {
        let mut latencies: Vec<Duration> = latencies.into_inner();
        latencies.sort_unstable();
        let at =
            |percent: usize| latencies[(latencies.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        println!(
            "    {connections} connections: p50 {:.2} ms, p99 {:.2} ms, of {} requests",
            at(50),
            at(99),
            latencies.len()
        );
    }
}

/// A host in a process of its own.
struct Host {
    process: Child,
    address: SocketAddr,
}

impl Host {
    fn start(copied: &Copied) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg(SERVE)
            .arg(copied.path())
            .stdout(Stdio::piped())
            // What it logs is written, and goes nowhere.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = process.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let address = line
            .trim_end()
            .strip_prefix("listening on http://")
            .unwrap();
        Host {
            address: address.parse().unwrap(),
            process,
        }
    }

    #[cfg(unix)]
    fn stop(mut self) {
        use rustix::process::{Pid, Signal, kill_process};

        let process = Pid::from_child(&self.process);
        kill_process(process, Signal::TERM).unwrap();
        assert!(self.process.wait().unwrap().success());
    }

    /// Every answer was durable: a host that is killed leaves them, too.
    #[cfg(not(unix))]
    fn stop(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// What each connection asks, one request after the other: a token and three identifiers of
/// somebody new.
struct Load {
    connections: Vec<Vec<Vec<u8>>>,
    people: std::ops::Range<u64>,
}

impl Load {
    fn new(connections: u64, requests: u64) -> Self {
        let people = STORE..STORE + connections * (requests + 1);
        let mut made = people.clone().map(Person).map(request);
        let connections = (0..connections)
            .map(|_| {
                made.by_ref()
                    .take((requests + 1).try_into().unwrap())
                    .collect()
            })
            .collect();
        Load {
            connections,
            people,
        }
    }

    /// How long all of it took, and each request. The first request of each connection is not
    /// timed.
    fn on_a_copy(&self, filled: &Filled) -> (Duration, Vec<Duration>) {
        let copied = filled.copy();
        let host = Host::start(&copied);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        let timed = runtime.block_on(self.put_on(host.address));
        drop(runtime);
        host.stop();
        let store = copied.open();
        let now = store.snapshot().unwrap();
        assert_eq!(now.contact_count(), self.people.end);
        self.people.clone().for_each(|n| Person(n).assert_in(&now));
        timed
    }

    async fn put_on(&self, host: SocketAddr) -> (Duration, Vec<Duration>) {
        let mut open = Vec::new();
        for requests in &self.connections {
            let mut connection = Connection::open(host).await;
            connection.ask(&requests[0]).await;
            open.push(connection);
        }
        let start = Instant::now();
        let asking = open.into_iter().zip(self.connections.clone());
        let asking: Vec<_> = asking
            .map(|(connection, requests)| tokio::spawn(connection.ask_all(requests)))
            .collect();
        let mut latencies = Vec::new();
        for asked in asking {
            latencies.extend(asked.await.unwrap());
        }
        (start.elapsed(), latencies)
    }
}

fn request(person: Person) -> Vec<u8> {
    let body = format!(
        r#"{{"tokens": [{{"token": "{}", "externalCustomerId": "{}", "phone": "{}", "email": "{}"}}]}}"#,
        person.token(),
        person.external_id(),
        person.phone(),
        person.email(),
    );
    format!(
        "POST /v1/apps/{APP}/tokens HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len(),
    )
    .into_bytes()
}

/// A connection that stays open.
struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(host: SocketAddr) -> Self {
        let stream = TcpStream::connect(host).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Connection {
            stream,
            answer: Vec::with_capacity(1 << 10),
        }
    }

    /// Asks one after the other, but for the first; gives how long each took.
    async fn ask_all(mut self, requests: Vec<Vec<u8>>) -> Vec<Duration> {
        let mut latencies = Vec::with_capacity(requests.len());
        for request in &requests[1..] {
            let asked = Instant::now();
            self.ask(request).await;
            latencies.push(asked.elapsed());
        }
        latencies
    }

    /// Asks, and waits for the whole answer, which says that a contact was created.
    async fn ask(&mut self, request: &[u8]) {
        self.stream.write_all(request).await.unwrap();
        self.answer.clear();
        while !is_whole(&self.answer) {
            assert!(self.stream.read_buf(&mut self.answer).await.unwrap() > 0);
        }
        assert!(self.answer.starts_with(b"HTTP/1.1 200 "));
        assert!(find(&self.answer, br#""contact":"created""#).is_some());
    }
}

/// Whether the head of an answer and as much behind it as it says are there.
fn is_whole(answer: &[u8]) -> bool {
    const LENGTH: &[u8] = b"content-length: ";
    let Some(end) = find(answer, b"\r\n\r\n") else {
        return false;
    };
    let length = find(answer, LENGTH).unwrap() + LENGTH.len();
    let digits = answer[length..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    answer.len() >= end + 4 + length
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
