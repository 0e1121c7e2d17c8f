//! `import`: contacts from CSV, or a whole store from NDJSON.

use std::cell::RefCell;
use std::fs;
use std::io::{self, Read, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use contact_store::transfer::{
    CsvField, CsvOptions, EmptyCell, ImportOptions, ImportProgress, Imported, Rejected,
    RestartPoint, TransferError, import_csv, import_ndjson,
};
use contact_store::{ContactStore, Create, DedupeOn, OpenError, Options};
use serde::Serialize;

use crate::args::Import;
use crate::failure::Failure;
use crate::form::{Form, is_standard};
use crate::new_file::beside;
use crate::open::{open_to_write, open_unless_stopped};
use crate::place::Place;
use crate::progress::Progress;
use crate::rejects::Rejects;
use crate::restart::{Interrupted, Kept};
use crate::show::Output;
use crate::source::Source;
use crate::stop::Stop;

/// Imports a file into a store, or says what that would do.
pub(crate) fn import(asked: &Import, place: &Place, output: &mut Output) -> Result<(), Failure> {
    if asked.dry_run && place.path().is_none() {
        return Err(Failure::usage(
            "--dry-run goes with a store in a file: a database is not copied",
        ));
    }
    let form = Form::of(&asked.file, asked.format.as_deref())?;
    let options = csv_options(asked, form)?;
    let stop = Stop::on_signals()?;
    // What cannot be read is said before a store is made.
    let source = Source::open(&asked.file, &stop)?;
    let kept = Kept::of(place, &asked.file)?;
    let interrupted = kept.as_ref().map_or(Ok(None), Kept::read)?;
    let (target, done) = if asked.dry_run {
        let target = Target::copy(asked, &stop)?;
        let store = target.store.clone();
        let run = Run::new(asked, form, options, &store, None, &stop);
        let done = run.go_on(source, interrupted, output);
        (target, done)
    } else {
        let target = Target::itself(asked, place, &stop)?;
        let store = target.store.clone();
        let run = Run::new(asked, form, options, &store, kept.as_ref(), &stop);
        let done = run.go_on(source, interrupted, output);
        (target, done)
    };
    target.end(done.is_ok())?;
    let (imported, ignored) = match done {
        Err(Failure::Stopped) if !asked.dry_run => return Err(Failure::ImportStopped),
        done => done?,
    };
    if let (false, Some(kept)) = (asked.dry_run, &kept) {
        kept.remove()?;
    }
    show(&imported, &ignored, asked.dry_run, output)?;
    match imported.refused_rows() {
        0 => Ok(()),
        refused => Err(Failure::Problems(format!(
            "{refused} of {} rows are refused",
            imported.rows
        ))),
    }
}

fn csv_options(asked: &Import, form: Form) -> Result<CsvOptions, Failure> {
    let flags = [
        ("--map", !asked.map.is_empty()),
        ("--unique", asked.unique.is_some()),
        ("--empty", asked.empty.is_some()),
        ("--prefix", asked.prefix.is_some()),
        ("--encoding", asked.encoding.is_some()),
        ("--delimiter", asked.delimiter.is_some()),
    ];
    if form == Form::Ndjson
        && let Some((flag, _)) = flags.iter().find(|(_, given)| *given)
    {
        return Err(Failure::usage(format!("{flag} goes with CSV only")));
    }
    let wrong =
        |flag: &str, what: &dyn std::fmt::Display| Failure::usage(format!("{flag}: {what}"));
    let mut options = CsvOptions::default();
    for mapping in &asked.map {
        let (header, field) = mapping
            .rsplit_once('=')
            .ok_or_else(|| Failure::usage("--map is HEADER=FIELD"))?;
        let field = CsvField::parse(field).map_err(|error| wrong("--map", &error))?;
        options = options.map(header, field);
    }
    if let Some(unique) = &asked.unique {
        let unique = DedupeOn::parse(unique).map_err(|error| wrong("--unique", error.fault()))?;
        options = options.dedupe_on(unique);
    }
    if let Some(empty) = &asked.empty {
        let empty = EmptyCell::parse(empty).map_err(|error| wrong("--empty", &error))?;
        options = options.empty_cells(empty);
    }
    if let Some(prefix) = &asked.prefix {
        let set = options.calling_code(prefix);
        options = set.map_err(|error| wrong("--prefix", &error))?;
    }
    if let Some(encoding) = &asked.encoding {
        let set = options.encoding(encoding);
        options = set.map_err(|error| wrong("--encoding", &error))?;
    }
    if let Some(delimiter) = &asked.delimiter {
        let mut characters = delimiter.chars();
        let delimiter = match (delimiter.as_str(), characters.next(), characters.next()) {
            ("tab" | "\\t", ..) => '\t',
            (_, Some(one), None) => one,
            // Refused for what it is.
            _ => '"',
        };
        let set = options.delimiter(delimiter);
        options = set.map_err(|error| wrong("--delimiter", &error))?;
    }
    Ok(options)
}

/// The store that is written to: itself, or for a dry run a copy beside it.
struct Target {
    store: ContactStore,
    copy: Option<Copy>,
    /// The store that this import made.
    made: Option<PathBuf>,
}

/// Is gone when the dry run is over.
struct Copy(PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        // It may be that it was never made.
        drop(fs::remove_file(&self.0));
    }
}

impl Target {
    fn itself(asked: &Import, place: &Place, stop: &Stop) -> Result<Self, Failure> {
        if place.path().is_none() {
            let create = match asked.create {
                true => Create::IfMissing,
                false => Create::Never,
            };
            // Tables that were made stay: others may use them already.
            return Ok(Target {
                store: open_to_write(place, create, Some(stop))?,
                copy: None,
                made: None,
            });
        }
        let is_missing = fs::symlink_metadata(&asked.store).is_err();
        let create = match (asked.create, is_missing) {
            (true, true) => Create::Always,
            _ => Create::Never,
        };
        Ok(Target {
            store: open_to_write(place, create, Some(stop))?,
            copy: None,
            made: (create == Create::Always).then(|| asked.store.clone()),
        })
    }

    fn copy(asked: &Import, stop: &Stop) -> Result<Self, Failure> {
        let to = beside(&asked.store, ".dry-run");
        let to = to.map_err(|error| Failure::file(&asked.store, error))?;
        Copy::remove_left(&to)?;
        let create = match open_unless_stopped(&asked.store.as_path().into(), stop) {
            Err(Failure::Open {
                error: OpenError::NotFound,
                ..
            }) if asked.create => Create::Always,
            opened => {
                let store = opened?;
                crate::copies::copy(&store, &to, stop)?;
                store.close()?;
                Create::Never
            }
        };
        let copy = Copy(to);
        Ok(Target {
            // A signal must not end the process before the copy is removed.
            store: open_to_write(&copy.0.as_path().into(), create, None)?,
            copy: Some(copy),
            made: None,
        })
    }

    /// Closes the store, and removes it when it was made for an import that failed before its first row.
    fn end(self, went_well: bool) -> Result<(), Failure> {
        let is_empty = self
            .store
            .stats()
            .is_ok_and(|stats| stats.sequence.value() == 0);
        let closed = self.store.close();
        if self.copy.is_some() {
            // What comes of the copy's file is nobody's concern.
            return Ok(());
        }
        closed?;
        match self.made {
            Some(path) if is_empty && !went_well => {
                fs::remove_file(&path).map_err(|error| Failure::file(&path, error))
            }
            _ => Ok(()),
        }
    }
}

impl Copy {
    /// Removes what a dry run that was killed has left, unless one is under way.
    fn remove_left(path: &Path) -> Result<(), Failure> {
        if fs::symlink_metadata(path).is_err() {
            return Ok(());
        }
        let options = Options::default().create(Create::Never);
        match ContactStore::open(path, options.check(contact_store::Check::IfUnclean)) {
            Err(contact_store::Error::Open(OpenError::AlreadyOpen)) => {
                return Err(Failure::Open {
                    place: path.into(),
                    error: OpenError::AlreadyOpen,
                });
            }
            Ok(store) => store.close()?,
            Err(_) => {}
        }
        fs::remove_file(path).map_err(|error| Failure::file(path, error))
    }
}

/// One import, from a restart point or from the beginning.
struct Run<'a> {
    asked: &'a Import,
    form: Form,
    options: CsvOptions,
    store: &'a ContactStore,
    /// Where restart points are kept, if anywhere.
    kept: Option<&'a Kept>,
    stop: &'a Stop,
}

type Done = (Imported, Vec<usize>);

impl<'a> Run<'a> {
    fn new(
        asked: &'a Import,
        form: Form,
        options: CsvOptions,
        store: &'a ContactStore,
        kept: Option<&'a Kept>,
        stop: &'a Stop,
    ) -> Self {
        Run {
            asked,
            form,
            options,
            store,
            kept,
            stop,
        }
    }

    /// Goes on with an interrupted import, if this is the same one.
    fn go_on(
        &self,
        source: Source,
        interrupted: Option<Interrupted>,
        output: &mut Output,
    ) -> Result<Done, Failure> {
        let Some(Interrupted { point, rejects }) = interrupted else {
            return self.run(source, None, 0, output);
        };
        let rejects = if self.asked.dry_run { 0 } else { rejects };
        let other = match self.run(source, Some(point), rejects, output) {
            Err(Failure::Transfer {
                error: error @ (TransferError::OtherSource | TransferError::StoreChanged),
                ..
            }) => error,
            done => return done,
        };
        // Nothing of the source is imported yet.
        if is_standard(&self.asked.file) {
            return Err(Failure::Transfer {
                path: self.asked.file.clone(),
                error: other,
            });
        }
        let said = writeln!(
            io::stderr(),
            "contact-store: an interrupted import is not gone on with: {other}"
        );
        // When that is not possible, there is nobody to tell.
        drop(said);
        let source = Source::open(&self.asked.file, self.stop)?;
        self.run(source, None, 0, output)
    }

    fn run(
        &self,
        source: Source,
        point: Option<RestartPoint>,
        rejects: u64,
        output: &mut Output,
    ) -> Result<Done, Failure> {
        let dry_run = self.asked.dry_run;
        let telling = RefCell::new(Telling {
            rejects: Rejects::to(self.asked.rejects.as_deref(), rejects, dry_run)?,
            output,
            progress: match source.bytes {
                Some(_) => Progress::in_bytes("importing"),
                None => Progress::uncounted("importing"),
            },
            of: source.bytes,
            failed: None,
        });
        let rejected = |rejected: Rejected<'_>| telling.borrow_mut().refused(&rejected);
        let progress = |progress: ImportProgress| {
            telling.borrow_mut().at(&progress, self.kept)?;
            self.stop.goes_on()
        };
        let done = self.transfer(source.reader, point, rejected, progress);
        let telling = telling.into_inner();
        telling.progress.end();
        if let Some(failed) = telling.failed {
            return Err(failed);
        }
        let done = done.map_err(|error| match self.stop.check() {
            Err(stopped) => stopped,
            Ok(()) => Failure::transfer(&self.asked.file, error),
        })?;
        telling.rejects.publish()?;
        Ok(done)
    }

    fn transfer(
        &self,
        source: impl Read,
        point: Option<RestartPoint>,
        rejected: impl FnMut(Rejected<'_>) -> ControlFlow<()>,
        progress: impl FnMut(ImportProgress) -> ControlFlow<()>,
    ) -> Result<Done, TransferError> {
        match self.form {
            Form::Csv => {
                let mut options = self.options.clone();
                if let Some(point) = point {
                    options = options.restart(point);
                }
                let done = import_csv(self.store, source, options, rejected, progress)?;
                Ok((done.imported, done.ignored_columns))
            }
            Form::Ndjson => {
                let mut options = ImportOptions::new();
                if let Some(point) = point {
                    options = options.restart(point);
                }
                let source = io::BufReader::new(source);
                let done = import_ndjson(self.store, source, options, rejected, progress)?;
                Ok((done, Vec::new()))
            }
        }
    }
}

/// What is told while rows are imported.
struct Telling<'o> {
    rejects: Rejects,
    output: &'o mut Output,
    progress: Progress,
    of: Option<u64>,
    /// Why the import was cancelled, other than by a signal.
    failed: Option<Failure>,
}

#[derive(Serialize)]
struct Refused<'r> {
    line: u64,
    reason: &'r str,
    error: String,
}

impl Telling<'_> {
    fn refused(&mut self, rejected: &Rejected<'_>) -> ControlFlow<()> {
        let (line, reason) = (rejected.line, rejected.reason);
        let error = rejected.error.to_string();
        let said = match self.output.json {
            true => self.output.object(&Refused {
                line,
                reason,
                error,
            }),
            false => self.output.line(&format!("line {line}: {reason}: {error}")),
        };
        let kept = self.rejects.add(rejected);
        self.goes_on(said.map_err(Failure::Output).and(kept))
    }

    fn at(&mut self, progress: &ImportProgress, kept: Option<&Kept>) -> ControlFlow<()> {
        match self.of {
            Some(of) => self.progress.at(progress.bytes, of),
            None => self.progress.tick(),
        }
        let Some(kept) = kept else {
            return ControlFlow::Continue(());
        };
        let written = self.rejects.sync().and_then(|rejects| {
            kept.write(&Interrupted {
                point: progress.restart.clone(),
                rejects,
            })
        });
        self.goes_on(written.map_err(|error| kept.failed(error)))
    }

    fn goes_on(&mut self, done: Result<(), Failure>) -> ControlFlow<()> {
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                self.failed = Some(failure);
                ControlFlow::Break(())
            }
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'d> {
    rows: u64,
    created: u64,
    updated: u64,
    unchanged: u64,
    refused: u64,
    reasons: &'d std::collections::BTreeMap<&'static str, u64>,
    more_values: u64,
    ignored_columns: &'d [usize],
    dry_run: bool,
}

fn show(
    done: &Imported,
    ignored: &[usize],
    dry_run: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let refused = done.refused_rows();
    if output.json {
        return Ok(output.object(&Shown {
            rows: done.rows,
            created: done.created,
            updated: done.updated,
            unchanged: done.unchanged,
            refused,
            reasons: &done.refused,
            more_values: done.more_values,
            ignored_columns: ignored,
            dry_run,
        })?);
    }
    if !ignored.is_empty() {
        let places: Vec<String> = ignored.iter().map(usize::to_string).collect();
        output.line(&format!("columns for no field: {}", places.join(", ")))?;
    }
    if done.more_values > 0 {
        let more = done.more_values;
        output.line(&format!("values after the first of their field: {more}"))?;
    }
    if dry_run {
        output.line("a dry run, nothing is written; an import would do this:")?;
    }
    let mut reasons: Vec<(&str, u64)> = done.refused.iter().map(|(of, n)| (*of, *n)).collect();
    reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
    let reasons: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    let reasons = match reasons.is_empty() {
        true => String::new(),
        false => format!(" ({})", reasons.join(", ")),
    };
    let Imported {
        rows,
        created,
        updated,
        unchanged,
        ..
    } = done;
    Ok(output.line(&format!(
        "{rows} rows: {created} created, {updated} updated, {unchanged} unchanged, \
         {refused} refused{reasons}"
    ))?)
}
