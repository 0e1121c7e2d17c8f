//! Importing contacts from CSV, in batches through `upsert`.
//!
//! The next batch is read while those before it are written. What a batch did is told once it is
//! durable, in the order of rows.

use std::collections::VecDeque;
use std::io::Read;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use crate::error::{EntryError, Error};
use crate::limits::{COMMIT_TEXT_BYTES, CSV_ROW_BYTES, Limit, LimitExceeded, Limits};
use crate::model::sequence::SequenceNumber;
use crate::operations::outcomes::Outcomes;
use crate::operations::upsert::{CardChange, ContactUpdate, ContactUpserted, Upsert};
use crate::rules::DedupeOn;
use crate::store::ContactStore;
use crate::writer::Pending;

use super::super::error::{RowError, TransferError};
use super::super::imported::{ImportProgress, Imported, Rejected};
use super::super::restart::{Fingerprint, Form, RestartPoint};
use super::columns::{Columns, Item};
use super::error::{CsvError, HeaderError};
use super::options::CsvOptions;
use super::records::{Records, Unreadable};
use super::source::Source;

/// Batches that are written while the next is read.
const IN_FLIGHT: usize = 2;
/// The requests of those batches, at most.
const REQUESTS_IN_FLIGHT: u64 = 4;
/// Bytes of rows in one batch, at which it is complete.
const BATCH_BYTES: usize = COMMIT_TEXT_BYTES;

/// What an import of CSV did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CsvImported {
    /// What was done, including before an interruption.
    pub imported: Imported,
    /// The number of columns.
    pub columns: usize,
    /// The places of the columns that were for no field, counted from 1.
    pub ignored_columns: Vec<usize>,
}

/// Imports contacts from CSV, one a row ([R70](crate::rulebook#r70)). See the
/// [module](crate::transfer#csv) for what is read.
///
/// Rows are written in batches through [`upsert`](ContactStore::upsert)
/// ([R41](crate::rulebook#r41)–[R43](crate::rulebook#r43)), one request each, so that every rule holds. A
/// row that is refused is given to `rejects`, and the others go on. Rows whose cells are all empty are
/// passed over. Memory is bounded: by a few batches, or by the longest row where that is more.
///
/// `progress` is told after each batch, once everything up to there is durable and its refused rows are
/// given to `rejects`. A host that keeps its [`RestartPoint`] can go on from there after a kill
/// ([`CsvOptions::restart`]). Batches that were committed after the last point that was kept, at most
/// two, are then done again: this changes nothing, except where rows of such a batch move an identifier
/// from one contact to another and back, or find the same contact by identifiers of two kinds of which
/// one is replaced. Their refused rows are given to `rejects` again, and their updated rows may count
/// as unchanged.
///
/// Both functions cancel the import by returning [`ControlFlow::Break`]. Batches that are under way are
/// waited for, and `progress` is told of them, as after an error of reading. After a `Break` of
/// `rejects` and an error of the store it is not: those batches are done again when the import goes on.
///
/// ```
/// use contact_store::transfer::{CsvOptions, import_csv};
/// use contact_store::{ContactStore, Options};
/// use std::ops::ControlFlow;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = ContactStore::open_in_memory(Options::default())?;
/// let file = "\
/// First Name;Email;Phone
/// Ann;ann@example.com;+380 50 000 00 01
/// Bob;bob@example.com;3.8E+11
/// ";
/// let mut refused = Vec::new();
/// let done = import_csv(
///     &store,
///     file.as_bytes(),
///     CsvOptions::default(),
///     |rejected| {
///         refused.push((rejected.line, rejected.reason));
///         ControlFlow::Continue(())
///     },
///     |progress| {
///         println!("keep this: {}", progress.restart);
///         ControlFlow::Continue(())
///     },
/// )?;
/// assert_eq!((done.imported.rows, done.imported.created), (2, 1));
/// assert_eq!(refused, [(3, "scientificNotation")]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`TransferError::Header`] when the header cannot be used; [`TransferError::OtherSource`] and
/// [`TransferError::StoreChanged`] when the restart point is of another source, of other options, or of
/// another store; [`TransferError::Reading`] when the source cannot be read;
/// [`TransferError::Cancelled`]; [`TransferError::Store`] for what every write fails with. What was
/// told of before is in the store.
pub fn import_csv(
    store: &ContactStore,
    source: impl Read,
    mut options: CsvOptions,
    mut rejects: impl FnMut(Rejected<'_>) -> ControlFlow<()>,
    mut progress: impl FnMut(ImportProgress) -> ControlFlow<()>,
) -> Result<CsvImported, TransferError> {
    let from = options.from.take();
    let source = Source::new(source, options.encoding);
    let mut records = Records::new(source, options.fingerprint());
    let columns = header(&mut records, &options)?;
    let dedupe_on = columns.dedupe_on(&options)?;
    let header = records.row().bytes.to_vec();

    let mut done = Done::begin(store, from.as_ref())?;
    if let Some(point) = &from {
        go_to(point, &mut records)?;
    }
    let mut import = Import {
        store: store.importing(),
        dedupe_on,
        header,
        under_way: VecDeque::new(),
        rejects: &mut rejects,
        progress: &mut progress,
        cancelled: false,
    };
    let limits = store.options().limits;
    let most_rows = limits.entries_per_request;
    let most_rows = options
        .batch_rows
        .map_or(most_rows, |rows| (rows as usize).clamp(1, most_rows));
    let mut goes_on = Ok(true);
    while matches!(goes_on, Ok(true)) && !import.cancelled {
        let mut batch = Batch::default();
        goes_on = batch.fill(&mut records, &columns, &options, most_rows, &limits);
        if goes_on.is_ok() && !batch.is_empty() {
            import.write(batch, &mut done)?;
        }
    }
    import.end(&mut done)?;
    goes_on?;
    Ok(CsvImported {
        imported: done.imported,
        columns: columns.count(),
        ignored_columns: columns.ignored,
    })
}

/// Reads the header, and with it finds the delimiter.
fn header(
    records: &mut Records<impl Read>,
    options: &CsvOptions,
) -> Result<Columns, TransferError> {
    if records.next().map_err(reading)?.is_none() {
        return Err(HeaderError::Missing.into());
    }
    let delimiters = options.delimiter.map_or(&b",;\t"[..], |_| &[]);
    let delimiters = options.delimiter.iter().chain(delimiters);
    type Tried = ((usize, usize), u8, Result<Columns, HeaderError>);
    let mut best: Option<Tried> = None;
    for delimiter in delimiters.copied() {
        let columns = columns(records, delimiter, options)?;
        let known = columns.as_ref().map_or(0, Columns::known);
        let count = match &columns {
            // What is said when no delimiter gives a known column.
            Err(HeaderError::UnclosedQuote) => usize::MAX,
            _ => records.row().count,
        };
        let worth = (known, count);
        if best.as_ref().is_none_or(|(most, ..)| worth > *most) {
            best = Some((worth, delimiter, columns));
        }
    }
    let (_, delimiter, columns) = best.ok_or(HeaderError::Missing)?;
    // The rows after it are read by the last delimiter that was tried.
    records.again(delimiter).map_err(reading)?;
    Ok(columns?)
}

/// The columns of the header by one delimiter.
fn columns(
    records: &mut Records<impl Read>,
    delimiter: u8,
    options: &CsvOptions,
) -> Result<Result<Columns, HeaderError>, TransferError> {
    Ok(match records.again(delimiter).map_err(reading)? {
        None => Columns::read(records.row(), options),
        Some(Unreadable::UnclosedQuote) => Err(HeaderError::UnclosedQuote),
        Some(Unreadable::TooLong) => Err(HeaderError::TooLong),
    })
}

/// Goes to the last row that is done with.
fn go_to(point: &RestartPoint, records: &mut Records<impl Read>) -> Result<(), TransferError> {
    if point.form != Form::Csv {
        return Err(TransferError::OtherSource);
    }
    while records.end() < point.bytes {
        if records.next().map_err(reading)?.is_none() {
            return Err(TransferError::OtherSource);
        }
    }
    match records.place() == (point.bytes, point.lines, point.fingerprint) {
        true => Ok(()),
        false => Err(TransferError::OtherSource),
    }
}

fn reading(error: std::io::Error) -> TransferError {
    TransferError::Reading(Arc::new(error))
}

/// What is done and durable.
struct Done {
    imported: Imported,
    sequence: SequenceNumber,
    /// The contacts that the store has, if nothing else writes to it.
    contacts: u64,
    /// Rows that created a contact in a batch that was committed after the restart point. Done again,
    /// such a row changes nothing.
    created_before: u64,
    /// Rows done again that changed a contact, which such a row may have created.
    updated_again: u64,
    /// The batches to come that may be done again.
    again: usize,
}

impl Done {
    fn begin(store: &ContactStore, from: Option<&RestartPoint>) -> Result<Self, TransferError> {
        let now = store.snapshot()?;
        let (sequence, contacts) = (now.sequence(), now.contact_count());
        let Some(point) = from else {
            return Ok(Done {
                imported: Imported::default(),
                sequence,
                contacts,
                created_before: 0,
                updated_again: 0,
                again: 0,
            });
        };
        let again = sequence.value().checked_sub(point.sequence.value());
        let again = again.ok_or(TransferError::StoreChanged)?;
        // Others have written to the store: what came of the last batches cannot be told.
        let known = again <= REQUESTS_IN_FLIGHT;
        let created_before = contacts.saturating_sub(point.contacts);
        Ok(Done {
            imported: point.imported.clone(),
            sequence,
            contacts: point.contacts,
            created_before: if known { created_before } else { 0 },
            updated_again: 0,
            again: IN_FLIGHT,
        })
    }

    /// Counts a row that was taken.
    fn count(&mut self, card: CardChange) {
        let made_before = self.again > 0 && self.created_before > 0;
        let card = match card {
            CardChange::Unchanged if made_before => {
                self.created_before = self.created_before.saturating_sub(1);
                CardChange::Created
            }
            card => card,
        };
        if card == CardChange::Created {
            self.contacts = self.contacts.saturating_add(1);
        }
        if card == CardChange::Updated && made_before {
            self.updated_again = self.updated_again.saturating_add(1);
        }
        let Imported {
            rows,
            created,
            updated,
            unchanged,
            ..
        } = &mut self.imported;
        let count = match card {
            CardChange::Created => created,
            CardChange::Updated => updated,
            CardChange::Unchanged => unchanged,
        };
        *count = count.saturating_add(1);
        *rows = rows.saturating_add(1);
    }
}

impl Done {
    /// Ends a batch. After the last that may be done again, rows that created what is not accounted for
    /// are among those that now changed something: a later row of theirs had changed it before.
    fn end_batch(&mut self) {
        self.again = self.again.saturating_sub(1);
        if self.again > 0 {
            return;
        }
        let created = self.created_before.min(self.updated_again);
        (self.created_before, self.updated_again) = (0, 0);
        self.contacts = self.contacts.saturating_add(created);
        let of = &mut self.imported;
        of.created = of.created.saturating_add(created);
        of.updated = of.updated.saturating_sub(created);
    }
}

/// Rows that are written together.
#[derive(Default)]
struct Batch {
    /// By request: one, or two when the text of a long row does not fit into the first.
    updates: Vec<Vec<ContactUpdate>>,
    rows: Vec<BatchRow>,
    /// The bytes of all rows, one after another.
    bytes: Vec<u8>,
    text_bytes: usize,
    more_values: u64,
    end: End,
}

struct BatchRow {
    line: u64,
    bytes: Range<usize>,
    /// Why it is not among the updates.
    refused: Option<RowError>,
}

/// Where the source is after a batch.
#[derive(Clone, Copy, Default)]
struct End {
    bytes: u64,
    lines: u64,
    fingerprint: Fingerprint,
    bytes_read: u64,
}

impl Batch {
    /// Reads rows until there are enough. Answers `false` at the end of the source.
    fn fill(
        &mut self,
        records: &mut Records<impl Read>,
        columns: &Columns,
        options: &CsvOptions,
        most_rows: usize,
        limits: &Limits,
    ) -> Result<bool, TransferError> {
        let most_text = limits.request_text_bytes;
        let enough = most_text.min(limits.waiting_text_bytes).min(BATCH_BYTES);
        loop {
            let end = End::of(records);
            let Some(unreadable) = records.next().map_err(reading)? else {
                self.end = end;
                return Ok(false);
            };
            let row = records.row();
            let item = match unreadable {
                None => columns.item(row, &mut Vec::new(), options),
                Some(Unreadable::UnclosedQuote) => Err(CsvError::UnclosedQuote.into()),
                Some(Unreadable::TooLong) => Err(RowError::TooLong {
                    most: CSV_ROW_BYTES as u64,
                }),
            };
            let taken = item.and_then(|item| match item {
                Some(item) => self.take(item, most_text).map(Some),
                None => Ok(None),
            });
            let refused = match taken {
                Ok(None) => continue,
                Ok(Some(())) => None,
                Err(error) => Some(error),
            };
            let start = self.bytes.len();
            self.bytes.extend_from_slice(row.bytes);
            self.rows.push(BatchRow {
                line: row.line,
                bytes: start..self.bytes.len(),
                refused,
            });
            let full = self.rows.len() >= most_rows
                || self.bytes.len() >= BATCH_BYTES
                || self.text_bytes >= enough / 2;
            if full {
                self.end = End::of(records);
                return Ok(true);
            }
        }
    }

    fn take(&mut self, item: Item, most_text: usize) -> Result<(), RowError> {
        let Item {
            update,
            more_values,
        } = item;
        let bytes = update.text_bytes();
        LimitExceeded::check(Limit::RequestTextBytes, bytes, most_text)
            .map_err(EntryError::from)?;
        self.text_bytes = self.text_bytes.saturating_add(bytes);
        self.more_values = self.more_values.saturating_add(more_values);
        let fits = self.text_bytes <= most_text;
        match self.updates.last_mut() {
            Some(request) if fits => request.push(update),
            _ => self.updates.push(vec![update]),
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl End {
    fn of(records: &Records<impl Read>) -> Self {
        let (bytes, lines, fingerprint) = records.place();
        End {
            bytes,
            lines,
            fingerprint,
            bytes_read: records.bytes_read(),
        }
    }
}

type Request = Pending<Outcomes<ContactUpserted>>;

struct Import<'f> {
    store: ContactStore,
    dedupe_on: DedupeOn,
    header: Vec<u8>,
    /// The oldest first, each with its requests.
    under_way: VecDeque<(Batch, Vec<Request>)>,
    rejects: &'f mut dyn FnMut(Rejected<'_>) -> ControlFlow<()>,
    progress: &'f mut dyn FnMut(ImportProgress) -> ControlFlow<()>,
    cancelled: bool,
}

impl Import<'_> {
    /// Begins to write a batch, once there is room for it.
    fn write(&mut self, mut batch: Batch, done: &mut Done) -> Result<(), TransferError> {
        while self.under_way.len() >= IN_FLIGHT && !self.cancelled {
            self.settle(done)?;
        }
        if self.cancelled {
            return Ok(());
        }
        let updates = std::mem::take(&mut batch.updates);
        let write = |updates| {
            let request = Upsert::new(self.dedupe_on).contacts(updates);
            self.store.upsert(request)
        };
        let pending = updates.into_iter().map(write).collect();
        self.under_way.push_back((batch, pending));
        Ok(())
    }

    /// Waits for everything that is under way.
    fn end(&mut self, done: &mut Done) -> Result<(), TransferError> {
        while !self.under_way.is_empty() {
            self.settle(done)?;
        }
        match self.cancelled {
            true => Err(TransferError::Cancelled),
            false => Ok(()),
        }
    }

    /// Waits for the oldest batch, and tells what it did. After an error nothing is under way any more,
    /// so that the store does not change after the import has ended.
    fn settle(&mut self, done: &mut Done) -> Result<(), TransferError> {
        let Some((batch, pending)) = self.under_way.pop_front() else {
            return Ok(());
        };
        let told = self.tell(batch, pending, done);
        if told.is_err() {
            let under_way = self.under_way.drain(..);
            for request in under_way.flat_map(|(_, requests)| requests) {
                // What it did is told when the import goes on.
                drop(request.wait());
            }
        }
        told
    }

    fn tell(
        &mut self,
        batch: Batch,
        pending: Vec<Request>,
        done: &mut Done,
    ) -> Result<(), TransferError> {
        let mut outcomes = Vec::new();
        for request in pending {
            let committed = request.wait()?;
            done.sequence = committed.sequence;
            outcomes.extend(committed.outcome);
        }
        let mut outcomes = outcomes.into_iter();
        for row in batch.rows {
            let error = match row.refused {
                Some(error) => error,
                None => match outcomes.next() {
                    Some(Ok(upserted)) => {
                        done.count(upserted.card);
                        continue;
                    }
                    Some(Err(error)) => error.into(),
                    // There is one for each update.
                    None => return Err(Error::AnswerTaken.into()),
                },
            };
            let reason = error.reason();
            done.imported.refuse(reason);
            let rejected = Rejected {
                line: row.line,
                reason,
                error: &error,
                row: batch.bytes.get(row.bytes).unwrap_or_default(),
                header: &self.header,
            };
            if (self.rejects)(rejected).is_break() {
                return Err(TransferError::Cancelled);
            }
        }
        done.end_batch();
        let Imported { more_values, .. } = &mut done.imported;
        *more_values = more_values.saturating_add(batch.more_values);
        let End {
            bytes,
            lines,
            fingerprint,
            bytes_read,
        } = batch.end;
        let so_far = ImportProgress {
            imported: done.imported.clone(),
            bytes: bytes_read,
            restart: RestartPoint {
                form: Form::Csv,
                bytes,
                lines,
                section: 0,
                batch_rows: 0,
                fingerprint,
                sequence: done.sequence,
                contacts: done.contacts,
                imported: done.imported.clone(),
            },
        };
        self.cancelled |= (self.progress)(so_far).is_break();
        Ok(())
    }
}
