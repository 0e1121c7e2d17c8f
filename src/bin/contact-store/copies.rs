//! Commands that copy a store into a new file: `backup`, `restore` and `vacuum`.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use contact_store::{Backup, ContactStore, CopyProgress, Create, OpenError, Vacuumed};
use serde::Serialize;

use crate::failure::Failure;
use crate::open::{open, open_to_write, open_unless_stopped};
use crate::progress::Progress;
use crate::show::Output;
use crate::stop::Stop;
use crate::store::{sound, verify_rows};

/// Writes a store into a new file.
pub(crate) fn backup(path: &Path, out: &Path, output: &mut Output) -> Result<(), Failure> {
    let stop = Stop::on_signals()?;
    let made = copy(&open_unless_stopped(&path.into(), &stop)?, out, &stop)?;
    show("backup made", &made, output)
}

/// Brings a backup to a new place, and verifies it there. What cannot be verified is removed.
pub(crate) fn restore(from: &Path, to: &Path, output: &mut Output) -> Result<(), Failure> {
    let stop = Stop::on_signals()?;
    let made = copy(&open_unless_stopped(&from.into(), &stop)?, to, &stop)?;
    // It stays open, so that no host writes to it, until it is verified or removed.
    let (_held, verified) = match open(&to.into()) {
        // A host was quicker: the file is its own now.
        Err(
            failure @ Failure::Open {
                error: OpenError::AlreadyOpen,
                ..
            },
        ) => return Err(failure),
        Err(failure) => (None, Err(failure)),
        Ok(restored) => {
            let verified = verify(to, &restored, &stop);
            (Some(restored), verified)
        }
    };
    if let Err(failure) = verified {
        return Err(match fs::remove_file(to) {
            Ok(()) => failure,
            Err(error) => Failure::NotRemoved {
                path: to.to_owned(),
                error,
            },
        });
    }
    show("restored and verified", &made, output)
}

/// Writes the file of a store anew, without free pages.
pub(crate) fn vacuum(path: &Path, output: &mut Output) -> Result<(), Failure> {
    let stop = Stop::on_signals()?;
    let store = open_to_write(&path.into(), Create::Never, Some(&stop))?;
    let done = store.vacuum(shown(&stop));
    let done = done.map_err(|error| Failure::vacuuming(path, error))?;
    store.close()?;
    let Vacuumed {
        bytes_before,
        bytes_after,
        ..
    } = done;
    match output.json {
        true => output.object(&Shrunk {
            bytes_before,
            bytes_after,
        })?,
        false => output.line(&format!(
            "vacuumed: {bytes_after} bytes, {bytes_before} before"
        ))?,
    }
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shrunk {
    bytes_before: u64,
    bytes_after: u64,
}

/// Shows the progress of a copy, until it is told to stop.
fn shown(stop: &Stop) -> impl FnMut(CopyProgress) -> ControlFlow<()> {
    let progress = Progress::in_rows("copying");
    move |copied| {
        progress.at(copied.rows, copied.of);
        stop.goes_on()
    }
}

fn verify(path: &Path, store: &ContactStore, stop: &Stop) -> Result<(), Failure> {
    sound(&path.into(), &verify_rows(&store.snapshot()?, stop)?)
}

pub(crate) fn copy(store: &ContactStore, to: &Path, stop: &Stop) -> Result<Backup, Failure> {
    let copied = store.snapshot()?.backup(to, shown(stop));
    copied.map_err(|error| Failure::copying(to, error))
}

#[derive(Serialize)]
struct Copied {
    sequence: u64,
    rows: u64,
    bytes: u64,
}

fn show(what: &str, made: &Backup, output: &mut Output) -> Result<(), Failure> {
    let (sequence, rows, bytes) = (made.sequence.value(), made.rows, made.bytes);
    match output.json {
        true => output.object(&Copied {
            sequence,
            rows,
            bytes,
        })?,
        false => output.line(&format!(
            "{what}: sequence number {sequence}, {rows} rows, {bytes} bytes"
        ))?,
    }
    Ok(())
}
