//! A cluster of PostgreSQL in a directory of its own: one server, which a test starts, stops, freezes and
//! kills. It knows nothing of standbys.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::TcpListener;
use std::ops::Deref;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postgres::{Client, NoTls};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::programs::Programs;
use super::waiting::eventually;

/// What all the servers have in common. A commit is durable as a host's is: `fsync` is on.
const SETTINGS: &str = "
fsync = on
synchronous_commit = on
max_connections = 100
shared_buffers = 16MB
listen_addresses = '127.0.0.1'
wal_level = replica
max_wal_senders = 5
# In the directory of the cluster, so that a killed server leaves nothing anywhere else.
dynamic_shared_memory_type = mmap
# After a crash, one sync of the file system and not one of each file: seconds less.
recovery_init_sync_method = syncfs
log_line_prefix = '%m [%p] %d '
timezone = 'UTC'
";

/// Ends the server and removes the directory once its standard input is closed, however the process that
/// holds the other end of it ends. It is told the process id of each server that is started, and an
/// empty line when there is none.
const WATCHDOG: &str = r#"
server=
while read -r line; do server=$line; done
if [ -n "$server" ]; then
    kill -QUIT "$server"
    kill -CONT "$server"
    waited=0
    while kill -0 "$server" && [ "$waited" -lt 100 ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
    kill -KILL "$server"
fi
# A server that was killed leaves a segment of shared memory. Its file says which.
if [ -f "$0/data/postmaster.pid" ]; then
    set -- $(sed -n 7p "$0/data/postmaster.pid")
    if [ -n "${2-}" ]; then ipcrm -m "$2"; fi
fi
rm -rf -- "$0"
"#;

/// The place of a database.
#[derive(Clone, Debug)]
pub struct Database {
    pub name: String,
    /// Over TCP.
    pub url: String,
    /// Over the socket in the file system.
    pub socket_url: String,
}

impl Database {
    /// Connects over the socket.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(&self.socket_url, NoTls).unwrap()
    }
}

/// One server and its directory. Dropping it ends the server, and the directory is removed soon after; so
/// does the end of this process, of whatever kind.
pub struct Cluster {
    programs: Programs,
    directory: PathBuf,
    port: u16,
    server: Mutex<Option<Child>>,
    watchdog: Child,
}

impl Cluster {
    /// Starts a new cluster. `None`, after a word about it, where PostgreSQL is not installed.
    #[track_caller]
    pub fn start() -> Option<Self> {
        let programs = Programs::find()?;
        let mut cluster = Self::around(programs, |programs, directory| {
            let arguments = [
                "--pgdata=data",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-instructions",
                // The directory does not outlive this process.
                "--no-sync",
            ];
            programs.run("initdb", directory, arguments);
            let settings = directory.join("data/postgresql.conf");
            let mut settings = File::options().append(true).open(settings).unwrap();
            settings.write_all(SETTINGS.as_bytes()).unwrap();
        });
        cluster.launch_at_free_port();
        Some(cluster)
    }

    /// A cluster whose `data` is made by `fill`. Its server is not started.
    pub fn around(programs: Programs, fill: impl FnOnce(&Programs, &Path)) -> Self {
        let directory = tempfile::Builder::new().prefix("contact-store-").tempdir();
        let directory = directory.unwrap().keep();
        // In a group of its own: what ends that of this process does not end what cleans up after it.
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        let cluster = Cluster {
            programs,
            directory,
            port: 0,
            server: Mutex::new(None),
            watchdog: watchdog.unwrap(),
        };
        cluster.programs.give(&cluster.directory);
        fill(&cluster.programs, &cluster.directory);
        cluster
    }

    /// Starts the server at a port that nobody has.
    #[track_caller]
    pub fn launch_at_free_port(&mut self) {
        for _ in 0..5 {
            let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            self.port = free.local_addr().unwrap().port();
            drop(free);
            let Err(status) = self.launch() else { return };
            let said = self.log_from(0);
            // Somebody may have taken the port since.
            assert!(said.contains("could not bind"), "{status}: {said}");
        }
        panic!("five ports were taken at once");
    }

    /// Starts the server and waits until it accepts connections.
    fn launch(&self) -> Result<(), ExitStatus> {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.directory.join("log"));
        let log = log.unwrap();
        let sockets = self.directory.display();
        let mut command = self.programs.command("postgres", &self.directory);
        command
            .args(["-D", "data"])
            .arg(format!("--port={}", self.port))
            .arg(format!("--unix-socket-directories={sockets}"))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            // What interrupts the tests at a terminal is not for the server: the watchdog ends it.
            .process_group(0);
        let mut server = self.server.lock().unwrap();
        assert!(server.is_none(), "the server runs");
        let child = server.insert(command.spawn().unwrap());
        self.tell_watchdog(&child.id().to_string());
        let url = self.place("postgres").socket_url;
        let ended = eventually("the server accepts connections", || {
            if let Some(status) = child.try_wait().unwrap() {
                return Some(Err(status));
            }
            Client::connect(&url, NoTls).ok().map(|_| Ok(()))
        });
        if ended.is_err() {
            *server = None;
            self.tell_watchdog("");
        }
        ended
    }

    fn tell_watchdog(&self, line: &str) {
        let mut input = self.watchdog.stdin.as_ref().unwrap();
        input.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Starts the server again, at the same port, after it was stopped or killed.
    #[track_caller]
    pub fn start_again(&self) {
        if let Err(status) = self.launch() {
            panic!("{status}: {}", self.log_from(0));
        }
    }

    /// Sends the server a signal that ends it, and waits for its end. `TERM` waits for the clients to
    /// leave, `INT` sends them away, `QUIT` ends as a crash does.
    #[track_caller]
    pub fn stop(&self, signal: Signal) {
        let mut server = self.server.lock().unwrap();
        let child = server.as_mut().expect("the server runs");
        send(child_id(child), signal);
        eventually("the server ends", || child.try_wait().unwrap());
        *server = None;
        self.tell_watchdog("");
    }

    /// Kills the server's processes, all of them, so that none has the time to say or write a thing.
    #[track_caller]
    pub fn kill(&self) {
        let mut server = self.server.lock().unwrap();
        let child = server.as_mut().expect("the server runs");
        // A stopped one starts no process meanwhile.
        let main = child_id(child);
        send(main, Signal::STOP);
        let others = children(main);
        for &other in &others {
            send(other, Signal::KILL);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        *server = None;
        self.tell_watchdog("");
        eventually("the server's processes are gone", || {
            others.iter().all(|&other| !alive(other)).then_some(())
        });
    }

    /// Freezes the server's processes, all of them. Connections stay open, and nothing answers.
    pub fn pause(&self) {
        let main = self.main_process();
        send(main, Signal::STOP);
        for other in children(main) {
            send(other, Signal::STOP);
        }
    }

    /// Wakes what [`pause`](Self::pause) froze.
    pub fn resume(&self) {
        let main = self.main_process();
        for other in children(main) {
            send(other, Signal::CONT);
        }
        send(main, Signal::CONT);
    }

    /// Freezes the process of one connection, whose `pg_backend_pid()` this is.
    pub fn pause_backend(&self, backend: i32) {
        send(self.backend(backend), Signal::STOP);
    }

    /// Wakes the process of one connection.
    pub fn resume_backend(&self, backend: i32) {
        send(self.backend(backend), Signal::CONT);
    }

    fn backend(&self, backend: i32) -> Pid {
        let backend = Pid::from_raw(backend).unwrap();
        assert!(children(self.main_process()).contains(&backend));
        backend
    }

    /// The process id of the server.
    pub fn main_process(&self) -> Pid {
        let server = self.server.lock().unwrap();
        child_id(server.as_ref().expect("the server runs"))
    }

    /// A new database, whose name begins with this. It stays until the cluster goes: dropping one takes a
    /// second, making one some milliseconds.
    #[track_caller]
    pub fn database(&self, name: &str) -> Database {
        static MADE: AtomicU64 = AtomicU64::new(0);
        assert!(name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()));
        let name = format!("{name}_{}", MADE.fetch_add(1, Ordering::Relaxed));
        assert!(name.len() < 64, "PostgreSQL cuts off longer names");
        let create = format!("CREATE DATABASE \"{name}\"");
        self.client().batch_execute(&create).unwrap();
        self.place(&name)
    }

    /// Where the database of a name is.
    pub fn place(&self, name: &str) -> Database {
        let sockets = self.directory.to_str().unwrap();
        let sockets = utf8_percent_encode(sockets, NON_ALPHANUMERIC);
        let port = self.port;
        Database {
            name: name.to_owned(),
            url: format!("postgres://postgres@127.0.0.1:{port}/{name}"),
            socket_url: format!("postgres://postgres@{sockets}:{port}/{name}"),
        }
    }

    /// The database that every cluster has, for what concerns all of it. A test takes one of its own.
    pub fn client(&self) -> Client {
        self.place("postgres").client()
    }

    /// Sets what `postgresql.conf` sets, and waits until new connections have it. `value` is as `SHOW`
    /// shows it.
    #[track_caller]
    pub fn set(&self, name: &str, value: &str) {
        let quoted = value.replace('\'', "''");
        let set = format!("ALTER SYSTEM SET {name} = '{quoted}'");
        let mut client = self.client();
        client.batch_execute(&set).unwrap();
        client
            .batch_execute("SELECT pg_catalog.pg_reload_conf()")
            .unwrap();
        eventually("the setting is taken", || {
            let query = "SELECT pg_catalog.current_setting($1)";
            let row = self.client().query_one(query, &[&name]).unwrap();
            (row.get::<_, String>(0) == value).then_some(())
        });
    }

    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    fn log_length(&self) -> u64 {
        let log = fs::metadata(self.directory.join("log"));
        log.map_or(0, |log| log.len())
    }

    /// What the server has written since its log had this length.
    pub fn log_from(&self, length: u64) -> String {
        let mut said = Vec::new();
        if let Ok(mut log) = File::open(self.directory.join("log")) {
            log.seek(SeekFrom::Start(length)).unwrap();
            log.read_to_end(&mut said).unwrap();
        }
        String::from_utf8_lossy(&said).into_owned()
    }

    fn show_log_of_a_failure(&self, from: u64) {
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log_from(from));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.show_log_of_a_failure(0);
        // It ends the server. The directory goes later: removing it takes seconds on a busy disk.
        drop(self.watchdog.stdin.take());
        let server = self.server.get_mut();
        if let Some(server) = server.unwrap_or_else(|poisoned| poisoned.into_inner()) {
            drop(server.wait());
        }
    }
}

/// The cluster that the tests of this process share. Each takes databases of its own, and does nothing
/// to the server that others would notice.
pub struct Shared {
    cluster: &'static Cluster,
    log: u64,
}

/// `None`, after a word about it, where PostgreSQL is not installed.
#[track_caller]
pub fn shared() -> Option<Shared> {
    // Never dropped: the end of the process ends the server.
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(Cluster::start).as_ref()?;
    let log = cluster.log_length();
    Some(Shared { cluster, log })
}

impl Deref for Shared {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        self.cluster
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.cluster.show_log_of_a_failure(self.log);
    }
}

fn child_id(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// A process that has ended since is no failure.
fn send(process: Pid, signal: Signal) {
    match kill_process(process, signal) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => panic!("signal {signal:?}: {error}"),
    }
}

/// The state of a process, as a letter, and its parent.
fn state(process: &str) -> Option<(String, i32)> {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before them may hold anything.
    let (_, after) = status.rsplit_once(") ")?;
    let mut fields = after.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

/// Whether the process runs, or could. Who ended and was not waited for does not.
pub fn alive(process: Pid) -> bool {
    let state = state(&process.as_raw_nonzero().to_string());
    state.is_some_and(|(letter, _)| letter != "Z" && letter != "X")
}

/// The processes that this one has started and that have not ended.
fn children(parent: Pid) -> Vec<Pid> {
    let parent = parent.as_raw_nonzero().get();
    let processes = fs::read_dir("/proc").unwrap();
    let children = processes.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        let name = name.to_str()?;
        let id = name.parse().ok()?;
        let (_, of) = state(name)?;
        (of == parent).then(|| Pid::from_raw(id))?
    });
    children.collect()
}
