//! PostgreSQL's programs, and the user that runs them. They know nothing of the clusters.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Debian has them, one directory for each version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The oldest version that knows all the settings of the clusters.
const OLDEST: u32 = 14;

#[derive(Clone)]
pub struct Programs {
    directory: PathBuf,
    /// The user and the group that run the programs, where this process may not: PostgreSQL refuses root.
    user: Option<(u32, u32)>,
}

impl Programs {
    /// Those of the newest version that Debian has installed, or else those in `PATH`. `None`, after a
    /// word about it, where there are none.
    pub fn find() -> Option<Self> {
        let mut directories: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN)
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let version = entry.file_name().to_str()?.parse().ok()?;
                Some((version, entry.path().join("bin")))
            })
            .filter(|(version, _)| *version >= OLDEST)
            .collect();
        directories.sort();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let newest_first = directories.into_iter().rev().map(|(_, path)| path);
        let needed = ["initdb", "postgres", "pg_basebackup"];
        let found = newest_first
            .chain(std::env::split_paths(&path))
            .find(|directory| needed.iter().all(|name| directory.join(name).exists()));
        let Some(directory) = found else {
            eprintln!("skipped: PostgreSQL is not installed");
            return None;
        };
        let mut user = None;
        if rustix::process::geteuid().is_root() {
            user = user_named("postgres").or_else(|| user_named("nobody"));
            if user.is_none() {
                eprintln!("skipped: root may not run PostgreSQL, and there is no user `postgres`");
                return None;
            }
        }
        Some(Programs { directory, user })
    }

    /// A command that runs one of the programs in `directory`, without the caller's settings for it.
    pub fn command(&self, program: &str, directory: &Path) -> Command {
        let mut command = Command::new(self.directory.join(program));
        command.current_dir(directory).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C").env("TZ", "UTC");
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    /// Runs one of the programs, which must succeed.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(
        &self,
        program: &str,
        directory: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) {
        let output = self.command(program, directory).args(arguments).output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {said}");
    }

    /// Gives a directory to the user that runs the programs.
    pub fn give(&self, directory: &Path) {
        if let Some((user, group)) = self.user {
            chown(directory, Some(user), Some(group)).unwrap();
        }
    }
}

/// The numbers of a user and of its group.
fn user_named(name: &str) -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let user = fields.nth(1)?.parse().ok()?;
        Some((user, fields.next()?.parse().ok()?))
    })
}
