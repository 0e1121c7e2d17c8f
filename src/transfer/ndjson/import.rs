//! Reading a whole store from NDJSON.
//!
//! Rows are taken over in batches. The next batch is read while one is committed. What is told of a
//! batch, its rejected rows and the restart point after it, is told once it is durable.

use std::io::Read;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use crate::error::EntryError;
use crate::limits::{COMMIT_TEXT_BYTES, Limits};
use crate::operations::take_over::{Before, ExportedRow, Misfit, PartTaken, TakeOver, TakenOver};
use crate::storage::Rows as _;
use crate::store::ContactStore;
use crate::wire::exported::{self, FirstLine, Line};
use crate::writer::Pending;

use super::super::error::{RowError, TransferError};
use super::super::imported::{ImportProgress, Imported, Rejected};
use super::super::restart::{Form, RestartPoint};
use super::lines::{Lines, Position};

/// How an import goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportOptions {
    restart: Option<RestartPoint>,
    batch_rows: u64,
}

/// A commit for this many rows takes some tens of milliseconds.
const BATCH_ROWS: u64 = 4_000;

impl Default for ImportOptions {
    fn default() -> Self {
        ImportOptions {
            restart: None,
            batch_rows: BATCH_ROWS,
        }
    }
}

impl ImportOptions {
    /// Makes options for an import from the beginning.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on with an import that was interrupted: the source must be the same, read from its
    /// beginning, and the store as the interrupted import left it.
    #[must_use]
    pub fn restart(mut self, point: RestartPoint) -> Self {
        self.restart = Some(point);
        self
    }

    /// Sets the most rows in one commit. The default is 4,000, and 0 counts as 1. An import that goes
    /// on keeps the number that it began with.
    #[must_use]
    pub fn batch_rows(mut self, rows: u32) -> Self {
        self.batch_rows = u64::from(rows.max(1));
        self
    }
}

/// Imports NDJSON that [`export_ndjson`](crate::transfer::export_ndjson) wrote into an empty store
/// ([R70](crate::rulebook#r70)).
///
/// The store then holds the same cards, ids, tokens and states as the one that was exported. The
/// order of its sequence numbers is its own. Nothing else should write to the store until the import is
/// complete.
///
/// **A bad row** is refused alone, and the rest goes on: `rejects` is called with its line, the reason
/// and its bytes. A row is refused when it is not of its [form](crate::transfer#ndjson), when a rule or a limit
/// of this store refuses it, and when it names what is not there, as after other rows were refused.
///
/// **An interrupted import** goes on from a restart point. `progress` is called with one before the
/// first batch, and after each batch once its commit is durable. A host that wants to go on after a kill
/// keeps its text in a file. It need not be the last: rows that are in the store already are
/// `unchanged`. The rejected rows of a batch are told before its progress, so they may be told again.
/// The store is sound after every commit. Until the import is complete, subscribers have no state yet,
/// and the ids of contacts to come are taken.
///
/// Both functions cancel the import by returning [`ControlFlow::Break`].
///
/// Memory is bounded however large the source is: three batches of at most 4 MiB of text are in memory,
/// and a line has a bound that follows from the limits of the store.
///
/// ```
/// # use contact_store::*;
/// # use contact_store::transfer::{ExportOptions, ImportOptions, export_ndjson, import_ndjson};
/// # use std::ops::ControlFlow;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let ann = ContactUpdate::new().email("ann@example.com");
/// # store.upsert(Upsert::new(DedupeOn::Email).contact(ann)).wait()?;
/// # let mut text = Vec::new();
/// # export_ndjson(&store.snapshot()?, &mut text, ExportOptions::default(), |_| ControlFlow::Continue(()))?;
/// let restored = ContactStore::open_in_memory(Options::default())?;
/// let rejects = |row: contact_store::transfer::Rejected<'_>| {
///     eprintln!("line {}: {}", row.line, row.error);
///     ControlFlow::Continue(())
/// };
/// let mut kept = String::new();
/// let imported = import_ndjson(&restored, text.as_slice(), ImportOptions::new(), rejects, |progress| {
///     kept = progress.restart.to_string(); // to a file
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!((imported.created, imported.refused_rows()), (1, 0));
/// assert!(restored.snapshot()?.by_email("ann@example.com")?.is_some());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// - [`TransferError::NotAnExport`], [`TransferError::NewerVersion`], when the source is not what this
///   version reads, and [`TransferError::NotEmpty`]: nothing was written;
/// - [`TransferError::OtherSource`], [`TransferError::StoreChanged`], when the import cannot go on from
///   the restart point: nothing was written;
/// - [`TransferError::CutOff`], [`TransferError::LineCount`], [`TransferError::AfterEnd`], when lines
///   are missing or too many: all rows that there are were imported;
/// - [`TransferError::Reading`], [`TransferError::Cancelled`], [`TransferError::Store`]: what was told
///   of is in the store, and perhaps two batches more.
pub fn import_ndjson(
    store: &ContactStore,
    source: impl Read,
    options: ImportOptions,
    rejects: impl FnMut(Rejected<'_>) -> ControlFlow<()>,
    progress: impl FnMut(ImportProgress) -> ControlFlow<()>,
) -> Result<Imported, TransferError> {
    let limits = store.options().limits;
    let sequence = store.snapshot()?.sequence();
    let fresh = RestartPoint {
        form: Form::Ndjson,
        bytes: 0,
        lines: 0,
        section: 0,
        batch_rows: options.batch_rows,
        fingerprint: Default::default(),
        sequence,
        contacts: 0,
        imported: Imported::default(),
    };
    let is_continued = options.restart.is_some();
    let point = options.restart.unwrap_or(fresh);
    if point.form != Form::Ndjson || point.batch_rows == 0 {
        return Err(TransferError::OtherSource);
    }
    let ahead = sequence.value().checked_sub(point.sequence.value());
    let mut import = Import {
        store,
        limits,
        lines: Lines::new(source, line_bytes(&limits)),
        section: point.section,
        ahead: ahead.ok_or(TransferError::StoreChanged)?,
        is_continued,
        point,
        rejects,
        progress,
        flight: None,
    };
    let outcome = import.run();
    if let Some(flight) = import.flight.take() {
        // Nothing is under way any more when this returns. Its outcome is not told.
        drop(flight.pending.wait());
    }
    outcome.map(|()| import.point.imported)
}

/// The most bytes that a line may have: the longest that a store within these limits exports.
fn line_bytes(limits: &Limits) -> usize {
    /// Bytes of JSON for one byte of text.
    const ESCAPED: usize = 6;
    /// Of a token, of a custom field and of a holder beside their text.
    const AROUND: [usize; 3] = [128, 8, 24];
    /// All other lines, and what else is in a card's.
    const OTHER: usize = 64 << 10;
    let text = limits.card_text_bytes.saturating_mul(ESCAPED);
    let counts = [
        limits.tokens_per_contact,
        limits.custom_fields_per_contact,
        limits.contacts_per_token,
    ];
    let around = counts.into_iter().zip(AROUND);
    around.fold(text.saturating_add(OTHER), |sum, (count, bytes)| {
        sum.saturating_add(count.saturating_mul(bytes))
    })
}

struct Import<'s, R, J, P> {
    store: &'s ContactStore,
    limits: Limits,
    lines: Lines<R>,
    /// The latest kind of row so far.
    section: u64,
    /// How many commits the store is ahead of the restart point: so many batches are in it already.
    ahead: u64,
    is_continued: bool,
    /// After the last batch that was told.
    point: RestartPoint,
    rejects: J,
    progress: P,
    /// A batch that is being committed.
    flight: Option<Flight>,
}

/// Lines that are taken over in one commit.
#[derive(Default)]
struct Batch {
    /// The text of all lines.
    text: Vec<u8>,
    lines: Vec<BatchLine>,
    rows: Vec<ExportedRow>,
    /// The first of the rows is the first line of the source, which is not among the lines.
    has_start: bool,
}

struct BatchLine {
    number: u64,
    at: Range<usize>,
    /// Why it was refused while it was read. Of the others there is a row each.
    refused: Option<RowError>,
}

struct Flight {
    batch: Batch,
    pending: Pending<PartTaken>,
    before: Before,
    /// After the batch.
    position: Position,
    section: u64,
}

/// What comes after a batch.
enum Next {
    More,
    /// The last line was read.
    Complete,
    Failed(TransferError),
}

fn reading(error: std::io::Error) -> TransferError {
    TransferError::Reading(Arc::new(error))
}

impl<R, J, P> Import<'_, R, J, P>
where
    R: Read,
    J: FnMut(Rejected<'_>) -> ControlFlow<()>,
    P: FnMut(ImportProgress) -> ControlFlow<()>,
{
    fn run(&mut self) -> Result<(), TransferError> {
        let mut batch = Batch::default();
        self.begin(&mut batch)?;
        self.tell()?;
        loop {
            let next = self.read(&mut batch);
            if !batch.rows.is_empty() || !batch.lines.is_empty() {
                self.submit(std::mem::take(&mut batch))?;
            }
            match next {
                Next::More => {}
                Next::Complete => return self.settle(),
                Next::Failed(error) => {
                    self.settle()?;
                    return Err(error);
                }
            }
        }
    }

    /// Reads the first line, and passes over what the restart point says is done.
    fn begin(&mut self, batch: &mut Batch) -> Result<(), TransferError> {
        let mut text = Vec::new();
        let first = self.lines.next(&mut text).map_err(reading)?;
        let first = first.filter(|line| !line.is_too_long);
        let first = first.ok_or(TransferError::NotAnExport)?;
        let first = text.get(first.at).unwrap_or_default();
        let first = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first);
        let start = match exported::first_line(first) {
            Some(FirstLine::Start(start)) => start,
            Some(FirstLine::Newer(found)) => {
                let known = exported::VERSION;
                return Err(TransferError::NewerVersion { found, known });
            }
            None => return Err(TransferError::NotAnExport),
        };
        if self.point.bytes == 0 {
            batch.rows.push(ExportedRow::Start(start));
            batch.has_start = true;
            return Ok(());
        }
        let state = self.store.snapshot()?.tables().state();
        if (state.next_contact, state.next_app) != (start.next_contact, start.next_app) {
            return Err(TransferError::StoreChanged);
        }
        while self.lines.position.bytes < self.point.bytes {
            text.clear();
            let line = self.lines.next(&mut text).map_err(reading)?;
            line.ok_or(TransferError::OtherSource)?;
        }
        let done = Position {
            bytes: self.point.bytes,
            lines: self.point.lines,
            fingerprint: self.point.fingerprint,
        };
        if self.lines.position != done {
            return Err(TransferError::OtherSource);
        }
        Ok(())
    }

    /// Reads the lines of a batch.
    fn read(&mut self, batch: &mut Batch) -> Next {
        loop {
            let before = self.lines.position;
            let (start, number) = (batch.text.len(), before.lines.saturating_add(1));
            let line = match self.lines.next(&mut batch.text) {
                Ok(Some(line)) => line,
                Ok(None) => {
                    let lines = before.lines;
                    return Next::Failed(TransferError::CutOff { lines });
                }
                Err(error) => {
                    batch.text.truncate(start);
                    return Next::Failed(reading(error));
                }
            };
            let text = batch.text.get(line.at.clone()).unwrap_or_default();
            let read = if line.is_too_long {
                let most = line_bytes(&self.limits) as u64;
                Err(RowError::TooLong { most })
            } else {
                self.row(text)
            };
            let refused = match read {
                Ok(Line::End(lines)) => {
                    self.lines.position = before;
                    return self.end(lines);
                }
                // Half a line is no bad row: it is where the source was cut off.
                _ if !line.is_whole => {
                    self.lines.position = before;
                    let lines = before.lines;
                    return Next::Failed(TransferError::CutOff { lines });
                }
                Ok(Line::Row(row)) => {
                    batch.rows.push(row);
                    None
                }
                Err(error) => Some(error),
            };
            batch.lines.push(BatchLine {
                number,
                at: line.at,
                refused,
            });
            let rows = batch.lines.len() as u64;
            if rows >= self.point.batch_rows || batch.text.len() >= COMMIT_TEXT_BYTES {
                return Next::More;
            }
        }
    }

    fn row(&mut self, text: &[u8]) -> Result<Line, RowError> {
        let line = exported::line(text, &self.limits)?;
        if let Line::Row(row) = &line {
            let section = section(row);
            if section < self.section {
                return Err(Misfit::OutOfOrder.into());
            }
            self.section = section;
            let placeholders = &self.store.options().placeholders;
            row.check(placeholders).map_err(EntryError::from)?;
        }
        Ok(line)
    }

    /// Checks the end of the source. `expected` is the number of lines that its last line says.
    fn end(&mut self, expected: u64) -> Next {
        let found = self.lines.position.lines;
        if found != expected {
            return Next::Failed(TransferError::LineCount { found, expected });
        }
        match self.lines.is_at_end() {
            Ok(true) => Next::Complete,
            Ok(false) => Next::Failed(TransferError::AfterEnd {
                line: found.saturating_add(2),
            }),
            Err(error) => Next::Failed(reading(error)),
        }
    }

    /// Queues a batch, and settles the one before.
    fn submit(&mut self, mut batch: Batch) -> Result<(), TransferError> {
        if self.ahead > 0 {
            // Whether the batch is in the store already depends on the one before.
            self.settle()?;
        }
        let before = if self.ahead > 0 {
            Before::With
        } else {
            Before::Without
        };
        let part = TakeOver {
            rows: std::mem::take(&mut batch.rows),
            text_bytes: batch.text.len(),
            before,
            limits: self.limits,
        };
        let flight = Flight {
            pending: self.store.take_over(part),
            batch,
            before,
            position: self.lines.position,
            section: self.section,
        };
        match self.flight.replace(flight) {
            Some(earlier) => self.settle_one(earlier),
            None => Ok(()),
        }
    }

    fn settle(&mut self) -> Result<(), TransferError> {
        match self.flight.take() {
            Some(flight) => self.settle_one(flight),
            None => Ok(()),
        }
    }

    /// Waits until a batch is durable, and tells of it.
    fn settle_one(&mut self, flight: Flight) -> Result<(), TransferError> {
        let committed = flight.pending.wait()?;
        let PartTaken::Rows(outcomes) = committed.outcome else {
            return Err(if self.is_continued {
                TransferError::StoreChanged
            } else {
                TransferError::NotEmpty
            });
        };
        match flight.before {
            Before::Without => self.point.sequence = committed.sequence,
            // It took a number then, if anything of it was accepted.
            Before::With if outcomes.iter().any(Result::is_ok) => {
                self.ahead = self.ahead.saturating_sub(1);
                self.point.sequence = self.point.sequence.next();
            }
            Before::With => {}
        }
        let position = flight.position;
        self.point.bytes = position.bytes;
        self.point.lines = position.lines;
        self.point.fingerprint = position.fingerprint;
        self.point.section = flight.section;
        let start = usize::from(flight.batch.has_start);
        let mut outcomes = outcomes.into_iter().skip(start);
        for line in flight.batch.lines {
            let refused = match line.refused {
                Some(error) => Some(error),
                None => match outcomes.next() {
                    Some(Ok(taken)) => {
                        self.count(taken);
                        None
                    }
                    Some(Err(refusal)) => Some(RowError::from(refusal)),
                    None => None,
                },
            };
            if let Some(error) = refused {
                let row = flight.batch.text.get(line.at).unwrap_or_default();
                self.reject(line.number, &error, row)?;
            }
        }
        self.tell()
    }

    fn count(&mut self, taken: TakenOver) {
        let imported = &mut self.point.imported;
        imported.rows = imported.rows.saturating_add(1);
        let count = match taken {
            TakenOver::Created => &mut imported.created,
            TakenOver::Unchanged => &mut imported.unchanged,
        };
        *count = count.saturating_add(1);
    }

    fn reject(&mut self, line: u64, error: &RowError, row: &[u8]) -> Result<(), TransferError> {
        let reason = error.reason();
        self.point.imported.refuse(reason);
        let rejected = Rejected {
            line,
            reason,
            error,
            row,
            header: &[],
        };
        go_on((self.rejects)(rejected))
    }

    fn tell(&mut self) -> Result<(), TransferError> {
        go_on((self.progress)(ImportProgress {
            imported: self.point.imported.clone(),
            bytes: self.point.bytes,
            restart: self.point.clone(),
        }))
    }
}

fn go_on(flow: ControlFlow<()>) -> Result<(), TransferError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(TransferError::Cancelled),
    }
}

/// The place of a row in the order of an export. So that a batch that is taken over again has the
/// same outcome, no row may depend on one of a later place.
fn section(row: &ExportedRow) -> u64 {
    match row {
        ExportedRow::Start(_) => 0,
        ExportedRow::App(_) => 1,
        ExportedRow::TakenIds(_) => 2,
        ExportedRow::FormerId { .. } => 3,
        ExportedRow::Contact(_) => 4,
        ExportedRow::Subscriber(_) => 5,
        ExportedRow::Message(..) => 6,
        ExportedRow::Merge(_) => 7,
    }
}
