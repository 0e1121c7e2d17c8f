//! Commands about a store as a whole: `stats`, `verify` and `upgrade`.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use contact_store::{DatabaseError, Error, OpenError, Snapshot, StorageError, Verified, wire};
use serde::Serialize;

use crate::failure::Failure;
use crate::open::{open, open_to_upgrade};
use crate::place::Place;
use crate::progress::Progress;
use crate::show::{Output, Table};
use crate::stop::Stop;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    engine: &'static str,
    contacts: u64,
    apps: u64,
    subscribers: u64,
    sequence: u64,
    file_bytes: u64,
    used_bytes: u64,
    free_bytes: u64,
}

/// How much a store holds, and how much of its file is in use.
pub(crate) fn stats(place: &Place, output: &mut Output) -> Result<(), Failure> {
    let store = open(place)?;
    let (stats, space) = (store.stats()?, store.space()?);
    let shown = Shown {
        engine: stats.engine,
        contacts: stats.contacts,
        apps: stats.apps,
        subscribers: stats.subscribers,
        sequence: stats.sequence.value(),
        file_bytes: space.file_bytes,
        used_bytes: space.used_bytes,
        free_bytes: space.free_bytes,
    };
    if output.json {
        return Ok(output.object(&shown)?);
    }
    let mut table = Table::without_names(output);
    table.row(["engine".to_owned(), shown.engine.to_owned()])?;
    for (name, value) in [
        ("contacts", shown.contacts),
        ("apps", shown.apps),
        ("subscribers", shown.subscribers),
        ("sequence number", shown.sequence),
        ("file bytes", shown.file_bytes),
        ("used bytes", shown.used_bytes),
        ("free bytes", shown.free_bytes),
    ] {
        table.row([name.to_owned(), value.to_string()])?;
    }
    Ok(table.end()?)
}

/// Verifies the pages of the file, which opening does, and all rows.
pub(crate) fn verify(place: &Place, output: &mut Output) -> Result<(), Failure> {
    let store = match open(place) {
        // That is what was asked.
        Err(
            failure @ Failure::Open {
                error: OpenError::Damaged(_),
                ..
            },
        ) => {
            return Err(Failure::Problems(failure.to_string()));
        }
        opened => opened?,
    };
    let found = match verify_rows(&store.snapshot()?, &Stop::default()) {
        Err(failure @ Failure::Store(Error::Storage(StorageError::Corrupt(_)))) => {
            return Err(Failure::Problems(failure.to_string()));
        }
        verified => verified?,
    };
    match output.json {
        true => output.object(&wire::verified(&found))?,
        false => show_verified(&found, output)?,
    }
    sound(place, &found)
}

/// Fails when verifying has found something.
pub(crate) fn sound(place: &Place, found: &Verified) -> Result<(), Failure> {
    match found.problem_count {
        0 => Ok(()),
        count => Err(Failure::Problems(format!(
            "the store {place} has {count} problems"
        ))),
    }
}

fn show_verified(found: &Verified, output: &mut Output) -> Result<(), Failure> {
    if found.is_sound() {
        let (sequence, rows) = (found.sequence, found.rows);
        let entries = found.index_entries;
        return Ok(output.line(&format!(
            "sound at sequence number {sequence}: {rows} rows, {entries} index entries"
        ))?);
    }
    let mut table = Table::new(output, &["TABLE", "ROW", "PROBLEM"]);
    for problem in &found.problems {
        let row = problem.row.map(|row| row.to_string());
        let row = row.unwrap_or_default();
        table.row([problem.table.to_owned(), row, problem.what.to_owned()])?;
    }
    table.end()?;
    let (shown, count) = (found.problems.len(), found.problem_count);
    Ok(output.line(&format!("{shown} of {count} problems"))?)
}

/// Verifies all rows on a thread of their own, which is left alone once this is told to stop.
pub(crate) fn verify_rows(now: &Snapshot, stop: &Stop) -> Result<Verified, Failure> {
    let progress = Progress::uncounted("verifying rows");
    let (done, verified) = sync_channel(1);
    let now = now.clone();
    let verifying = thread::Builder::new().name("verify".to_owned());
    let started = verifying.spawn(move || drop(done.send(now.verify())));
    started.map_err(Failure::Thread)?;
    loop {
        stop.check()?;
        match verified.recv_timeout(Duration::from_millis(100)) {
            Ok(verified) => return Ok(verified?),
            Err(RecvTimeoutError::Timeout) => progress.tick(),
            // It sends whatever it finds, unless it panics.
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::Storage(StorageError::Panicked).into());
            }
        }
    }
}

#[derive(Serialize)]
struct Upgraded {
    upgraded: bool,
    sequence: u64,
}

/// Upgrades a store of an older format; says so when there is nothing to do.
pub(crate) fn upgrade(place: &Place, output: &mut Output) -> Result<(), Failure> {
    // Without a look before, the file of a store that needs nothing would be written to.
    let (store, upgraded) = match open(place) {
        Err(Failure::Open {
            error:
                OpenError::OldFormat { .. } | OpenError::Database(DatabaseError::OldSchema { .. }),
            ..
        }) => (open_to_upgrade(place)?, true),
        opened => (opened?, false),
    };
    let sequence = store.snapshot()?.sequence();
    store.close()?;
    if output.json {
        let sequence = sequence.value();
        return Ok(output.object(&Upgraded { upgraded, sequence })?);
    }
    let what = match upgraded {
        true => "upgraded",
        false => "nothing to do: the store has the newest format",
    };
    Ok(output.line(what)?)
}
