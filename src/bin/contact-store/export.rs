//! `export`: contacts as CSV, or a whole store as NDJSON.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use contact_store::Snapshot;
use contact_store::transfer::{
    ExportOptions, ExportProgress, Exported, TransferError, export_csv, export_ndjson,
};
use serde::Serialize;

use crate::failure::Failure;
use crate::form::{Form, is_standard};
use crate::new_file::NewFile;
use crate::open::open_unless_stopped;
use crate::place::Place;
use crate::progress::Progress;
use crate::show::Output;
use crate::stop::Stop;

/// Writes a store, or its contacts, to a new file or to standard output.
pub(crate) fn export(
    place: &Place,
    to: &Path,
    format: Option<&str>,
    access_keys: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let form = Form::of(to, format)?;
    if access_keys && form == Form::Csv {
        return Err(Failure::usage("--access-keys goes with NDJSON only"));
    }
    let stop = Stop::on_signals()?;
    if is_standard(to) {
        let store = open_unless_stopped(place, &stop)?;
        let printed = io::stdout().lock();
        return match write(&store.snapshot()?, form, access_keys, printed, &stop) {
            Err(TransferError::Writing(error)) => {
                Err(Failure::Output(io::Error::from(error.kind())))
            }
            made => made.map(drop).map_err(|error| Failure::transfer(to, error)),
        };
    }
    let file = NewFile::at(to)?;
    let store = open_unless_stopped(place, &stop)?;
    let made = write(&store.snapshot()?, form, access_keys, &file, &stop);
    let made = made.map_err(|error| Failure::transfer(to, error))?;
    file.publish()?;
    show(&made, output)
}

fn write(
    now: &Snapshot,
    form: Form,
    access_keys: bool,
    to: impl Write,
    stop: &Stop,
) -> Result<Exported, TransferError> {
    let progress = Progress::in_rows("exporting");
    let told = |made: ExportProgress| -> ControlFlow<()> {
        progress.at(made.rows, made.of);
        stop.goes_on()
    };
    match form {
        Form::Csv => export_csv(now, to, told),
        Form::Ndjson => {
            let options = ExportOptions::default().access_keys(access_keys);
            export_ndjson(now, to, options, told)
        }
    }
}

#[derive(Serialize)]
struct Shown {
    sequence: u64,
    contacts: u64,
    rows: u64,
    bytes: u64,
}

fn show(made: &Exported, output: &mut Output) -> Result<(), Failure> {
    let shown = Shown {
        sequence: made.sequence.value(),
        contacts: made.contacts,
        rows: made.rows,
        bytes: made.bytes,
    };
    match output.json {
        true => output.object(&shown)?,
        false => output.line(&format!(
            "exported: sequence number {}, {} contacts, {} rows, {} bytes",
            shown.sequence, shown.contacts, shown.rows, shown.bytes
        ))?,
    }
    Ok(())
}
