//! Backups of a running host: where they go, what they hold, and what is left when one fails (R66).

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use contact_store::{AddTokens, ContactStore, TokenEntry};
use tempfile::TempDir;

use super::client::{Answer, Client};
use super::command_line::ends;
use super::door::{KEY, key_file};
use super::metrics::stats;
use super::process::{CHILD, Host, HostOnThread, Occupied, open};
use crate::support::cases::tell;
use crate::support::process::command_on_mount;
use crate::support::{APP as APP_ID, Done, assert_sound, connect, names_in, options};

const BACKUP: &str = "/v1/admin/backup";

struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        Directory(tempfile::tempdir().unwrap())
    }

    fn flag(&self) -> [&str; 2] {
        ["--backup-directory", self.path().to_str().unwrap()]
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The file that an answer names.
    #[track_caller]
    fn file(&self, answer: &Answer) -> PathBuf {
        assert_eq!(answer.status, 200, "{}", answer.body);
        let name = answer.json()["name"].as_str().unwrap().to_owned();
        assert!(names_in(self.path()).contains(&name), "{name}");
        self.path().join(name)
    }
}

fn many_people(store: &ContactStore, count: usize) {
    for first in (0..count).step_by(1_000) {
        let entries = (first..first + 1_000)
            .map(|n| TokenEntry::new(format!("t{n}")).email(format!("{n}@example.com")));
        let added = store.add_tokens(AddTokens::new(APP_ID).entries(entries));
        added.wait().unwrap().outcome.entries.all().unwrap();
    }
}

fn named_as_the_host_does(name: &str, sequence: u64) -> bool {
    let rest = name.strip_prefix("contacts-");
    let time = rest.and_then(|rest| rest.strip_suffix(&format!("-{sequence}.redb")));
    time.is_some_and(|time| {
        let form: String = time
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        form == "00000000T000000.000Z"
    })
}

#[test]
fn r66_a_backup_under_writes_holds_what_was_acknowledged_before_it_and_is_sound() {
    let directory = Directory::new();
    let host = Host::start_with(&directory.flag());
    host.client().connect_app();
    let (done, acknowledged) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (done, acknowledged) = (&done, &acknowledged);
    let files: Vec<(PathBuf, usize)> = thread::scope(|scope| {
        // Also when the test fails: its threads are waited for.
        let ends = Done(done);
        let client = host.client();
        let writer = scope.spawn(move || {
            for n in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let email = format!("{n}@example.com");
                assert_eq!(client.add(&format!("t{n}"), &email).unwrap().status, 200);
                acknowledged.store(n + 1, Ordering::Relaxed);
            }
        });
        let client = host.client();
        let made = (0..5).map(|round| {
            // So that each holds more than the one before.
            let began = Instant::now();
            while acknowledged.load(Ordering::Relaxed) < 20 * round {
                assert!(began.elapsed() < Duration::from_secs(60));
                thread::yield_now();
            }
            let before = acknowledged.load(Ordering::Relaxed);
            let answer = client.post(BACKUP, "{}");
            (answer, before)
        });
        let made: Vec<_> = made.collect();
        drop(ends);
        writer.join().unwrap();
        made.iter()
            .map(|(answer, before)| {
                let json = answer.json();
                let file = directory.file(answer);
                let sequence = json["sequence"].as_u64().unwrap();
                let name = json["name"].as_str().unwrap();
                assert!(named_as_the_host_does(name, sequence), "{name}");
                let bytes = fs::metadata(&file).unwrap().len();
                assert_eq!(json["bytes"].as_u64(), Some(bytes));
                assert!(json["rows"].as_u64().unwrap() > 0);
                assert!(json["seconds"].as_f64().unwrap() >= 0.0);
                (file, *before)
            })
            .collect()
    });
    let figures = stats(&host.client());
    let made = figures["contact_store_host_backups_total{outcome=\"made\"}"];
    let failed = figures["contact_store_host_backups_total{outcome=\"failed\"}"];
    assert_eq!((made, failed), (5.0, 0.0));
    assert!(figures["contact_store_host_last_backup_seconds"] > 1.7e9);
    let last = fs::metadata(&files[4].0).unwrap().len();
    assert_eq!(figures["contact_store_host_last_backup_bytes"], last as f64);

    let names: BTreeSet<String> = names_in(directory.path()).into_iter().collect();
    assert_eq!(names.len(), 5, "{names:?}");
    let log = host.stop().log;
    for (file, before) in files {
        let restored = open(&file);
        assert_sound(&restored);
        let held = restored.snapshot().unwrap().apps().unwrap()[0].subscribers;
        assert!(held >= before as u64, "{held} of {before}");
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(log.contains(&format!("backup {name} is made: ")), "{log}");
    }
}

#[test]
fn r53_r66_a_backup_is_readable_by_its_owner_alone_and_the_directory_is_the_flags() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = Directory::new();
    let host = Host::start_with(&directory.flag());
    let client = host.client();
    // Nothing of a request is in a path.
    for (what, body) in [
        ("POST /v1/admin/backup?name=x.redb", "{}"),
        ("POST /v1/admin/backup", r#"{"name": "../x.redb"}"#),
        ("POST /v1/admin/backup", "[]"),
        ("POST /v1/admin/backup", "null"),
    ] {
        let answer = client.ask(what, body);
        assert_eq!(answer.status, 400, "{what} {body}: {}", answer.body);
    }
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
    let file = directory.file(&client.post(BACKUP, "{}"));
    assert_eq!(
        fs::metadata(file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    host.stop();
}

/// A page in a browser may send a `POST` without a body, or with a form, to this machine.
#[test]
fn a_request_that_is_no_json_makes_no_backup() {
    let directory = Directory::new();
    let host = Host::start_with(&directory.flag());
    let answer = host.client().post(BACKUP, "");
    assert_eq!((answer.status, answer.code().as_str()), (415, "notJson"));
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
    host.stop();
}

#[test]
fn without_the_flag_a_backup_is_refused() {
    let host = Host::start();
    let answer = host.client().post(BACKUP, "{}");
    answer.is_error(
        404,
        "backupsOff",
        "the host was started without a directory for backups",
    );
    let directory = host.path.parent().unwrap();
    assert_eq!(names_in(directory), ["contacts.redb"]);
    let figures = stats(&host.client());
    assert_eq!(figures["contact_store_host_last_backup_seconds"], 0.0);
    assert_eq!(
        figures["contact_store_host_backups_total{outcome=\"failed\"}"],
        0.0
    );
    host.stop();
}

#[test]
fn a_backup_needs_the_key() {
    let directory = Directory::new();
    let (_key, path) = key_file(KEY, 0o600);
    let mut flags = directory.flag().to_vec();
    flags.extend(["--api-key-file", path.to_str().unwrap()]);
    let host = Host::start_with(&flags);
    let mut client = host.client();
    assert_eq!(client.post(BACKUP, "{}").status, 401);
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
    let authorization = ("Authorization", format!("Bearer {KEY}"));
    client.headers.push(authorization);
    directory.file(&client.post(BACKUP, "{}"));
    host.stop();
}

/// A host on a thread with one thread for what may wait, which is occupied: a backup that is asked for
/// has its place and does not go on. Gives the host, and what holds the backup up.
fn held_up(directory: &Directory) -> (HostOnThread, Occupied) {
    let (store, _) = crate::support::store();
    many_people(&store, 2_000);
    let host = HostOnThread::start_with_threads(2, 1, store, |settings| {
        settings.backup_directory = Some(directory.path().to_owned());
    });
    let occupied = host.occupy();
    (host, occupied)
}

/// Asks for two backups at once. The second is refused before the first goes on; gives the answer to
/// that one after `meanwhile`.
fn first_of_two(address: SocketAddr, meanwhile: impl FnOnce()) -> Answer {
    let (send, answers) = mpsc::channel();
    for _ in 0..2 {
        let send = send.clone();
        thread::spawn(move || drop(send.send(Client::of(address).post(BACKUP, "{}"))));
    }
    let second: Answer = answers.recv().unwrap();
    second.is_error(409, "backupUnderWay", "another backup is under way");
    meanwhile();
    answers.recv().unwrap()
}

#[test]
fn a_second_backup_at_the_same_time_is_409_and_the_first_goes_on() {
    let directory = Directory::new();
    let (host, occupied) = held_up(&directory);
    let first = first_of_two(host.address, || drop(occupied));
    assert_sound(&open(&directory.file(&first)));
    // The place is free again.
    let third = host.client().post(BACKUP, "{}");
    assert_sound(&open(&directory.file(&third)));
    assert_eq!(names_in(directory.path()).len(), 2);
}

#[test]
fn r66_the_end_of_the_host_cancels_a_backup_which_leaves_nothing() {
    let directory = Directory::new();
    let (host, occupied) = held_up(&directory);
    let address = host.address;
    let first = first_of_two(address, || {
        let ending = thread::spawn(move || drop(host));
        // Nobody new is let in once the end is asked for.
        let began = Instant::now();
        while TcpStream::connect(address).is_ok() {
            assert!(began.elapsed() < Duration::from_secs(60));
            thread::yield_now();
        }
        drop(occupied);
        ending.join().unwrap();
    });
    first.is_error(503, "copyCancelled", "the copy was cancelled");
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
}

#[test]
fn r66_a_directory_that_is_gone_fails_the_backup_and_nothing_else() {
    let directory = Directory::new();
    let host = Host::start_with(&directory.flag());
    let client = host.client();
    client.connect_app();
    fs::remove_dir(directory.path()).unwrap();
    let answer = client.post(BACKUP, "{}");
    answer.is_error(
        503,
        "copyFailed",
        "writing the copy failed: input or output failed (entity not found)",
    );
    assert_eq!(client.add("t1", "ann@example.com").unwrap().status, 200);
    assert_eq!(client.get("/healthz").status, 200);
    let figures = stats(&client);
    let failed = "contact_store_host_backups_total{outcome=\"failed\"}";
    assert_eq!(figures[failed], 1.0);
    fs::create_dir(directory.path()).unwrap();
    directory.file(&client.post(BACKUP, "{}"));
    let log = host.stop().log;
    assert!(
        log.contains("the backup is not made: writing the copy failed"),
        "{log}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn r66_a_backup_that_finds_no_room_leaves_nothing_and_the_host_goes_on() {
    let (directory, of_store) = (Directory::new(), Directory::new());
    let path = of_store.path().join("contacts.redb");
    let store = ContactStore::open(&path, options().0).unwrap();
    connect(&store);
    many_people(&store, 20_000);
    store.close().unwrap();
    let mount = format!(
        "mount -t tmpfs -o size=1m contact-store '{}'",
        directory.path().display()
    );
    let mut task = vec!["--store", path.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let flag = directory.flag();
    task.extend(flag);
    let Some(child) = command_on_mount(&mount, CHILD, &task.join("\n")) else {
        tell("host: skipped, this user may not mount a file system");
        return;
    };
    let host = Host::of(child, &path);
    let client = host.client();
    let answer = client.post(BACKUP, "{}");
    answer.is_error(
        503,
        "copyFailed",
        "writing the copy failed: input or output failed (no storage space)",
    );
    // The directory as the host sees it.
    let seen = format!(
        "/proc/{}/root{}",
        host.pid().as_raw_nonzero(),
        directory.path().display()
    );
    assert_eq!(names_in(Path::new(&seen)), Vec::<String>::new());
    assert_eq!(client.add("new", "ann@example.com").unwrap().status, 200);
    let log = host.stop().log;
    assert!(log.contains("No space left on device"), "{log}");
    assert_sound(&open(&path));
}

#[test]
fn a_directory_for_backups_that_is_none_is_said_at_the_start() {
    let directory = Directory::new();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let missing = directory.path().join("missing");
    for (path, kind) in [(file, "not a directory"), (missing, "entity not found")] {
        let path = path.to_str().unwrap();
        let store = directory.path().join("contacts.redb");
        let store = store.to_str().unwrap();
        let said = ends(&[
            "--store",
            store,
            "--create",
            "--listen",
            "127.0.0.1:0",
            "--backup-directory",
            path,
        ]);
        let expected = format!("the backup directory {path} cannot be used ({kind})");
        assert_eq!(said, (1, format!("host: {expected}")));
    }
    assert_eq!(names_in(directory.path()), ["file"]);
}
