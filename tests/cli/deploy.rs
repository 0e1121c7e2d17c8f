//! The restore drill of the runbook, run as it stands there: a backup of a running host is restored,
//! served and verified (R66).
#![cfg(unix)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Folder, snapshot};

/// The host of the examples, which this test binary is when it is asked to be.
#[path = "../../examples/host.rs"]
#[expect(dead_code, reason = "its `main` is not run here")]
mod host;

const RUNBOOK: &str = include_str!("../../examples/deploy/runbook.md");
const BACKUP: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/examples/deploy/contact-store-backup.sh"
);

/// The arguments of the host, a line each, for [`child_that_hosts`].
const TASK: &str = "CONTACT_STORE_TEST_TASK";
const KEY: &str = "open-sesame-0123456789";

#[test]
fn child_that_hosts() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let arguments = task.lines().map(Into::into);
    std::process::exit(host::exit_status(arguments).into());
}

/// The commands of the one block with this mark.
fn block(mark: &str) -> String {
    let start = format!("```sh {mark}\n");
    let mut blocks = RUNBOOK.split(&start).skip(1);
    let block = blocks.next().unwrap_or_else(|| panic!("no {mark}"));
    assert_eq!(blocks.next(), None);
    block.split("```").next().unwrap().to_owned()
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
}

/// A host, killed when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended, and been waited for.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn r66_the_restore_drill_of_the_runbook_passes() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("deploy: the restore drill is skipped, there is no curl");
        return;
    }
    let folder = Folder::with_people();
    // What is installed, as the runbook says.
    let bin = folder.path("bin");
    fs::create_dir(&bin).unwrap();
    symlink(
        env!("CARGO_BIN_EXE_contact-store"),
        bin.join("contact-store"),
    )
    .unwrap();
    symlink(BACKUP, bin.join("contact-store-backup")).unwrap();
    let own = std::env::current_exe().unwrap();
    let own = own.display();
    let host = format!(
        "#!/bin/sh\n{TASK}=$(printf '%s\\n' \"$@\") exec '{own}' \
         deploy::child_that_hosts --exact --nocapture --test-threads=1\n"
    );
    executable(&bin.join("contact-store-host"), &host);
    let key = folder.path("api-key");
    fs::write(&key, format!("{KEY}\n")).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let backups = folder.path("backups");
    fs::create_dir(&backups).unwrap();
    let temporary = folder.path("temporary");
    fs::create_dir(&temporary).unwrap();

    let mut started = Command::new(bin.join("contact-store-host"));
    started.arg("--store").arg(&folder.store);
    started.args(["--listen", "127.0.0.1:0", "--quiet", "--api-key-file"]);
    started.arg(&key).arg("--backup-directory").arg(&backups);
    let mut running = Running(started.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let url = loop {
        let line = lines.next().expect("the host listens").unwrap();
        if let Some((_, address)) = line.split_once("listening on ") {
            break address.to_owned();
        }
    };

    let mut path = bin.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut drill = Command::new("sh");
    drill
        .arg("-c")
        .arg(block("restore-drill"))
        .env("PATH", path);
    drill.env("CREDENTIALS_DIRECTORY", folder.directory.path());
    drill.env("CONTACT_STORE_URL", url).env("BACKUPS", &backups);
    drill.env("TMPDIR", &temporary);
    let drilled = drill.stdin(Stdio::null()).output().unwrap();
    let out = String::from_utf8(drilled.stdout).unwrap();
    let said = String::from_utf8(drilled.stderr).unwrap();
    assert_eq!(drilled.status.code(), Some(0), "{out}{said}");
    assert!(out.ends_with("\nrestore drill passed\n"), "{out}");
    // It has served the backup, and looked at what is in it.
    for part in [
        r#"{"status":"ok","engine":"file"}"#,
        r#""name":"Shop bot""#,
        "sound at sequence",
    ] {
        assert!(out.contains(part), "no {part} in {out}");
    }
    let contacts = out.lines().find_map(|line| line.strip_prefix("contacts"));
    assert_eq!(contacts.map(str::trim), Some("2"), "{out}");
    assert!(!(out + &said).contains("sesame"));

    // Of the drill only the backup stays.
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    let mut made = fs::read_dir(&backups).unwrap();
    let backup = made.next().unwrap().unwrap().path();
    assert!(made.next().is_none());
    kill_process(Pid::from_child(&running.0), Signal::TERM).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    assert_eq!(
        snapshot(&backup).sequence(),
        snapshot(&folder.store).sequence()
    );
}
