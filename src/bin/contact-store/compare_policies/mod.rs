//! The command `compare-policies`: what the two policies decide differently on a log (R14).
//!
//! The log is replayed into two stores in a temporary directory, one under each policy.
//!
//! - `log` reads lines, and does not know what is in them.
//! - `stores` puts a line to both stores, and knows nothing of differences.
//! - `decided` is what a store decided about one entry.
//! - `counterparts` knows which contact of one store is which of the other.
//! - `difference` says whether two decisions differ.
//! - `report` prints and sums up.

mod counterparts;
mod decided;
mod difference;
mod log;
mod report;
mod stores;

use std::ffi::OsStr;
#[cfg(unix)]
use std::fs;
use std::io;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use contact_store::{InvalidIdentifier, Options, Ownership, UnknownContactId};
use tempfile::TempDir;

use crate::args::Compared;
use crate::failure::Failure;
use crate::place::Server;
use crate::progress::Progress;
use crate::show::Output;
use crate::stop::Stop;

use log::Log;
use report::Report;
use stores::Stores;

/// Memory for the cached pages of each store.
const CACHE_BYTES: usize = 64 << 20;
/// Memory for the indexes of each store. Beyond it they are read from the disk.
const INDEX_BYTES: usize = 256 << 20;

/// Replays a log under both policies, and prints what they decide differently.
pub(crate) fn compare_policies(
    asked: &Compared,
    server: &Server,
    output: &mut Output,
) -> Result<(), Failure> {
    let options = options(asked)?;
    let from = asked.from.as_deref();
    let from = from.map(|from| server.file(from)).transpose()?;
    let stop = Stop::on_signals()?;
    let log = Log::open(&asked.log, options.limits.request_text_bytes)?;
    let directory = temporary_directory().map_err(Failure::Temporary)?;
    let compared = {
        let stores = Stores::open(directory.path(), from.as_deref(), options, &stop);
        stores.and_then(|stores| compare(&log, stores, &stop, output))
    };
    // What is in it is personal data. A comparison that failed has something better to say.
    let removed = directory.close().map_err(Failure::Temporary);
    let report = compared?;
    removed?;
    report.sum(output)?;
    match report.found_any() {
        true => Err(Failure::Different),
        false => Ok(()),
    }
}

/// A directory that its owner alone can look into: the stores hold what the log does (R53).
fn temporary_directory() -> io::Result<TempDir> {
    let mut directory = tempfile::Builder::new();
    directory.prefix("contact-store-");
    #[cfg(unix)]
    directory.permissions(fs::Permissions::from_mode(0o700));
    directory.tempdir()
}

fn options(asked: &Compared) -> Result<Options, Failure> {
    Ok(Options::default()
        .cache_bytes(CACHE_BYTES)
        .index_memory(INDEX_BYTES)
        .card_memory(0)
        .ownership(Ownership::parse(&asked.ownership)?)
        .invalid_identifier(InvalidIdentifier::parse(&asked.invalid_identifier)?)
        .unknown_contact_id(UnknownContactId::parse(&asked.unknown_contact_id)?))
}

fn compare(
    log: &Log,
    mut stores: Stores,
    stop: &Stop,
    output: &mut Output,
) -> Result<Report, Failure> {
    let bar = match log.bytes() {
        Some(_) => Progress::in_bytes("comparing"),
        None => Progress::uncounted("comparing"),
    };
    let mut report = Report::default();
    while let Some(lines) = log.next(stop)? {
        for line in lines {
            stop.check()?;
            let end = line.end;
            stores.put(line, &mut |decided| report.compare(decided, &bar, output))?;
            match log.bytes() {
                Some(bytes) => bar.at(end, bytes),
                None => bar.tick(),
            }
        }
    }
    stores.finish(&mut |decided| report.compare(decided, &bar, output))?;
    Ok(report)
}

/// A log, by its path or `-`.
fn is_standard_input(log: &OsStr) -> bool {
    log == "-"
}

/// How a log is named to a person.
fn name_of(log: &OsStr) -> PathBuf {
    match is_standard_input(log) {
        true => PathBuf::from("(standard input)"),
        false => PathBuf::from(log),
    }
}
