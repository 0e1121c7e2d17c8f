//! The machine: what it is, what else it does, and what a process takes of its memory.

use std::fs;
use std::path::Path;
use std::thread;

use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory_bytes: u64,
    pub kernel: String,
    /// The file system that the stores stand on.
    pub file_system: String,
}

impl Machine {
    pub fn of(directory: &Path) -> Self {
        Machine {
            cpu: value_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: kibibytes("/proc/meminfo", "MemTotal").unwrap_or(0) << 10,
            kernel: read("/proc/sys/kernel/osrelease"),
            file_system: file_system(directory).unwrap_or_else(|| "unknown".to_owned()),
        }
    }
}

/// The load of the machine, over one, five and fifteen minutes.
pub fn load() -> String {
    let text = read("/proc/loadavg");
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn read(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|_| "unknown".to_owned());
    text.trim().to_owned()
}

fn value_of(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kibibytes(path: &str, name: &str) -> Option<u64> {
    let value = value_of(path, name)?;
    value.strip_suffix(" kB")?.trim().parse().ok()
}

/// The type of the mount that holds the directory.
fn file_system(directory: &Path) -> Option<String> {
    let directory = directory.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let holding = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (point, kind) = (words.next()?, words.next()?);
        directory.starts_with(point).then_some((point.len(), kind))
    });
    Some(holding.max_by_key(|(len, _)| *len)?.1.to_owned())
}

/// What this process has in memory.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Resident {
    /// The most at any time, with the pages of mapped files that were in it.
    pub peak: u64,
    /// Now, without pages of files.
    pub anonymous: u64,
}

impl Resident {
    pub fn now() -> Self {
        let bytes = |name| kibibytes("/proc/self/status", name).unwrap_or(0) << 10;
        Resident {
            peak: bytes("VmHWM"),
            anonymous: bytes("RssAnon"),
        }
    }
}
