//! A host that runs: as a process, or on a thread.

use std::io::{BufRead as _, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use contact_store::{ContactStore, Create, Limits, Options};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::client::Client;
use super::example::guard::Guard;
use super::example::server::{self, Stop};
use super::example::service::{Service, Settings};
use crate::support::{place, process};

pub const CHILD: &str = "examples::host::child_that_hosts";

/// What no line of a log may hold: parts of the values that the tests send (R52).
const PERSONAL: [&str; 6] = ["example.com", "%40", "38050", "Ann", "shop-", "sesame"];

/// No host takes this long to start or to end.
const HANG: Duration = Duration::from_secs(60);

/// A host in a process of its own.
pub struct Host {
    child: Child,
    pub address: SocketAddr,
    /// Its standard output: where it listens; closed when it has ended.
    out: Receiver<SocketAddr>,
    /// Unless its standard error goes elsewhere.
    log: Option<JoinHandle<String>>,
    pub path: PathBuf,
    /// Gone with the host.
    directory: Option<TempDir>,
}

/// What a host left.
pub struct Ended {
    /// `None` when it was killed.
    pub status: Option<i32>,
    /// What it said on standard error.
    pub log: String,
    /// Its store.
    pub path: PathBuf,
    _directory: Option<TempDir>,
}

/// The command that runs a host with these arguments.
pub fn command(arguments: &[&str]) -> Command {
    process::command(CHILD, &arguments.join("\n"))
}

impl Host {
    /// On a new store.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// On a new store, with more arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("contacts.redb");
        let mut host = match place::schema() {
            None => Self::on(&path, arguments),
            Some(schema) => {
                let store = schema.flags();
                let store: Vec<&str> = store.iter().map(String::as_str).collect();
                Self::run(command(&with_defaults(&store, arguments)), &path)
            }
        };
        host.directory = Some(directory);
        host
    }

    /// On the store at a path.
    pub fn on(path: &Path, arguments: &[&str]) -> Self {
        Self::run(command(&with_defaults(&store_at(path), arguments)), path)
    }

    /// On the store at a path, as a command that was made for it says.
    pub fn of(command: Command, path: &Path) -> Self {
        Self::run(command, path)
    }

    /// On the store at a path, with its standard error elsewhere.
    pub fn saying_to(elsewhere: impl Into<Stdio>, path: &Path) -> Self {
        Self::run_saying_to(
            elsewhere,
            command(&with_defaults(&store_at(path), &[])),
            path,
        )
    }

    /// Under limits that `sh` sets first.
    pub fn on_after(set: &str, path: &Path) -> Self {
        let task = with_defaults(&store_at(path), &[]).join("\n");
        Self::run(process::command_after(set, CHILD, &task), path)
    }

    fn run(command: Command, path: &Path) -> Self {
        Self::run_saying_to(Stdio::piped(), command, path)
    }

    fn run_saying_to(elsewhere: impl Into<Stdio>, mut command: Command, path: &Path) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(elsewhere);
        let mut child = command.spawn().unwrap();
        let (send, heard) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        // Read to its end: the child must never wait for a full pipe.
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listening on http://") {
                    send.send(address.parse().unwrap()).unwrap();
                }
            }
        });
        let log = child.stderr.take().map(|mut from| {
            thread::spawn(move || {
                let mut log = String::new();
                from.read_to_string(&mut log).unwrap();
                log
            })
        });
        let mut host = Host {
            child,
            address: SocketAddr::from(([0; 4], 0)),
            out: heard,
            log,
            path: path.to_owned(),
            directory: None,
        };
        match host.out.recv_timeout(HANG) {
            Ok(address) => host.address = address,
            Err(_) => panic!("it does not listen: {}", host.kill_and_read()),
        }
        host
    }

    pub fn client(&self) -> Client {
        Client::of(self.address)
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Tells it to end, which it must do well.
    #[track_caller]
    pub fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        let ended = self.end();
        assert_eq!(ended.status, Some(0), "{}", ended.log);
        ended
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let more = self.out.recv_timeout(HANG);
        assert_eq!(more, Err(RecvTimeoutError::Disconnected), "it does not end");
        let log = self.read_log();
        let status = self.child.wait().unwrap();
        assert_silent(&log);
        Ended {
            status: status.code(),
            log,
            path: self.path.clone(),
            _directory: self.directory.take(),
        }
    }

    fn kill_and_read(&mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.read_log()
    }

    fn read_log(&mut self) -> String {
        let log = self.log.take().map(|log| log.join().unwrap());
        log.unwrap_or_default()
    }
}

fn store_at(path: &Path) -> [&str; 2] {
    ["--store", path.to_str().unwrap()]
}

fn with_defaults<'a>(store: &[&'a str], arguments: &[&'a str]) -> Vec<&'a str> {
    let mut all = [store, &["--create"]].concat();
    if !arguments.contains(&"--listen") {
        all.extend(["--listen", "127.0.0.1:0"]);
    }
    all.extend(arguments);
    all
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended, and been waited for.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Nothing personal, no secret and no panic is in a log.
#[track_caller]
fn assert_silent(log: &str) {
    let said = without_times(log);
    for word in PERSONAL.iter().chain(&["panicked"]) {
        assert!(!said.contains(word), "{word} is in the log: {log}");
    }
}

/// The log without times of day and how long requests took, whose digits may be any.
fn without_times(log: &str) -> String {
    let is_time = |piece: &str| {
        let piece = piece.trim_end_matches('"');
        piece.starts_with("micros=") || piece.contains("T") && piece.ends_with('Z')
    };
    let pieces = log.split_inclusive([' ', ',', '\n']);
    pieces
        .filter(|piece| !is_time(piece.trim_end_matches([' ', ',', '\n'])))
        .collect()
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Opens a store that a host left.
#[track_caller]
pub fn open(path: &Path) -> ContactStore {
    let mut options = Options::default();
    options.create = Create::Never;
    ContactStore::open(path, options).unwrap()
}

/// A host on a thread, for a store and settings of the test's own. Ends when it is dropped.
pub struct HostOnThread {
    pub address: SocketAddr,
    runtime: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The end is asked for by the test, once.
struct ByTest(Option<oneshot::Receiver<()>>);

impl Stop for ByTest {
    async fn asked(&mut self) {
        if let Some(ended) = &mut self.0 {
            // A test that panicked asks for the end, too.
            let _ = ended.await;
            self.0 = None;
        } else {
            std::future::pending().await
        }
    }
}

impl HostOnThread {
    pub fn start(store: ContactStore, set: impl FnOnce(&mut Settings)) -> Self {
        Self::start_with_threads(2, 64, store, set)
    }

    /// With this many threads for its connections, and for what may wait.
    pub fn start_with_threads(
        workers: usize,
        blocking: usize,
        store: ContactStore,
        set: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut settings = Settings::new(Guard::loopback_names(), Limits::default());
        set(&mut settings);
        let service = Service::new(store, settings);
        let (end, ended) = oneshot::channel();
        let (send, address) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .max_blocking_threads(blocking)
            .enable_all()
            .build()
            .unwrap();
        let handle = runtime.handle().clone();
        let thread = thread::spawn(move || {
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                send.send(listener.local_addr().unwrap()).unwrap();
                server::serve(listener, service, &mut ByTest(Some(ended))).await;
            });
        });
        HostOnThread {
            address: address.recv_timeout(HANG).unwrap(),
            runtime: handle,
            end: Some(end),
            thread: Some(thread),
        }
    }

    pub fn client(&self) -> Client {
        Client::of(self.address)
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// Occupies one of its threads for what may wait, until what this gives is dropped.
    pub fn occupy(&self) -> Occupied {
        let (free, freed) = mpsc::channel();
        let (send, occupied) = mpsc::channel();
        self.runtime.spawn_blocking(move || {
            send.send(()).unwrap();
            // Nothing is sent: the other end is dropped.
            let _ = freed.recv();
        });
        occupied.recv_timeout(HANG).unwrap();
        Occupied(free)
    }
}

/// See [`HostOnThread::occupy`].
#[must_use]
pub struct Occupied(#[expect(dead_code, reason = "its end counts")] mpsc::Sender<()>);

impl Drop for HostOnThread {
    fn drop(&mut self) {
        // It may have ended by itself, having panicked.
        let _ = self.end.take().unwrap().send(());
        let ended = self.thread.take().unwrap().join();
        // A test that fails has something better to say.
        assert!(ended.is_ok() || thread::panicking());
    }
}
