//! Exporting contacts as CSV.
//!
//! This module does not know how a store keeps them.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use csv_core::{Terminator, WriterBuilder};

use crate::model::contact::Card;
use crate::snapshot::Snapshot;
use crate::wire;

use super::super::error::TransferError;
use super::super::exported::{ExportProgress, Exported};
use super::cells::{marked, marked_id};
use super::options::CsvField;

/// Bytes that are written at once, after which progress is told.
const PIECE: usize = 256 << 10;

/// Exports all contacts as CSV, one a row, in the order of their ids ([R70](crate::rulebook#r70)).
///
/// The text is UTF-8 without a byte order mark. Its lines end with CR and LF. The header is always
/// `contactId,externalCustomerId,phone,email,firstName,lastName,languageCode,timeZone,customFields`;
/// `customFields` holds a JSON object of texts by name. [`import_csv`](super::import_csv) reads this
/// without a mapping: imported into an empty store, each contact has the same id, identifiers and
/// fields. **Tokens, apps and times are not in it**; they are in an export of NDJSON. It is personal
/// data.
///
/// A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@` as a formula. So an apostrophe
/// stands before the text of an identifier or field that begins so, which an import takes off again; one
/// that is empty is an apostrophe alone. Phones begin with `+`, as other programs expect, without an
/// apostrophe: `+` and digits are just a number. (A spreadsheet that saves the file may shorten it to
/// `3.8E+11`, which an import refuses.)
///
/// `progress` is told about four times a megabyte. It cancels the export by returning
/// [`ControlFlow::Break`].
///
/// ```
/// # use contact_store::*;
/// # use std::ops::ControlFlow;
/// use contact_store::transfer::export_csv;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// let ann = ContactUpdate::new().phone("380500000001").first_name("=Ann").field("city", "Kyiv");
/// store.upsert(Upsert::new(DedupeOn::Phone).contact(ann)).wait()?;
/// let mut file = Vec::new();
/// let made = export_csv(&store.snapshot()?, &mut file, |_| ControlFlow::Continue(()))?;
/// assert_eq!((made.contacts, made.bytes), (1, file.len() as u64));
/// let rows: Vec<&str> = std::str::from_utf8(&file)?.lines().collect();
/// assert_eq!(rows[1], r#"1,,+380500000001,,'=Ann,,,,"{""city"":""Kyiv""}""#);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`TransferError::Writing`] when `to` cannot be written; [`TransferError::Cancelled`];
/// [`TransferError::Store`] as for every read. What is then in `to` is not complete.
pub fn export_csv(
    now: &Snapshot,
    to: impl Write,
    mut progress: impl FnMut(ExportProgress) -> ControlFlow<()>,
) -> Result<Exported, TransferError> {
    let mut writer = Writer::new(to);
    for field in CsvField::FIXED {
        writer.cell(field.as_str());
    }
    writer.end_row();
    let (mut rows, of) = (0_u64, now.contact_count());
    for card in now.iter_contacts() {
        row(&card?, &mut writer).map_err(writing)?;
        rows = rows.saturating_add(1);
        if writer.piece.len() < PIECE {
            continue;
        }
        writer.write().map_err(writing)?;
        let bytes = writer.bytes;
        if progress(ExportProgress { rows, of, bytes }).is_break() {
            return Err(TransferError::Cancelled);
        }
    }
    writer
        .write()
        .and_then(|()| writer.to.flush())
        .map_err(writing)?;
    Ok(Exported {
        sequence: now.sequence(),
        contacts: rows,
        rows,
        bytes: writer.bytes,
    })
}

fn writing(error: io::Error) -> TransferError {
    TransferError::Writing(Arc::new(error))
}

fn row(card: &Card, writer: &mut Writer<impl Write>) -> io::Result<()> {
    let (of, fields) = (&card.identifiers, &card.fields);
    for field in CsvField::FIXED {
        let text = match field {
            CsvField::ContactId => {
                writer.cell(&card.id.to_string());
                continue;
            }
            CsvField::Phone => {
                let phone = of.phone().map(|phone| format!("+{}", phone.digits()));
                writer.cell(&phone.unwrap_or_default());
                continue;
            }
            CsvField::CustomFields if fields.custom.is_empty() => None,
            CsvField::CustomFields => {
                writer.cell(&wire::custom_fields(&fields.custom)?);
                continue;
            }
            CsvField::ExternalCustomerId => {
                let id = of.external_customer_id().map(|id| marked_id(id.as_str()));
                writer.cell(&id.unwrap_or_default());
                continue;
            }
            CsvField::Email => of.email().map(|email| email.as_str()),
            CsvField::FirstName => fields.first_name.as_deref(),
            CsvField::LastName => fields.last_name.as_deref(),
            CsvField::LanguageCode => fields.language_code.as_deref(),
            CsvField::TimeZone => fields.time_zone.as_deref(),
            CsvField::Custom(_) => None,
        };
        match text {
            Some(text) => writer.cell(&marked(text)),
            None => writer.cell(""),
        }
    }
    writer.end_row();
    Ok(())
}

/// Writes rows of cells, a piece at a time.
struct Writer<W> {
    to: W,
    cells: csv_core::Writer,
    piece: Vec<u8>,
    /// Whether the next cell is the first of its row.
    first: bool,
    bytes: u64,
}

impl<W: Write> Writer<W> {
    fn new(to: W) -> Self {
        Writer {
            to,
            cells: WriterBuilder::new().terminator(Terminator::CRLF).build(),
            piece: Vec::new(),
            first: true,
            bytes: 0,
        }
    }

    fn cell(&mut self, text: &str) {
        if !self.first {
            self.put(2, |cells, to| cells.delimiter(to).1);
        }
        self.first = false;
        // Each quote becomes two, and one stands before.
        let most = text.len().saturating_mul(2).saturating_add(2);
        self.put(most, |cells, to| cells.field(text.as_bytes(), to).2);
    }

    fn end_row(&mut self) {
        self.put(4, |cells, to| cells.terminator(to).1);
        self.first = true;
    }

    /// Adds up to `most` bytes.
    fn put(&mut self, most: usize, write: impl FnOnce(&mut csv_core::Writer, &mut [u8]) -> usize) {
        let before = self.piece.len();
        self.piece.resize(before.saturating_add(most), 0);
        let to = self.piece.get_mut(before..).unwrap_or_default();
        let written = write(&mut self.cells, to);
        self.piece.truncate(before.saturating_add(written));
    }

    fn write(&mut self) -> io::Result<()> {
        self.to.write_all(&self.piece)?;
        self.bytes = self.bytes.saturating_add(self.piece.len() as u64);
        self.piece.clear();
        Ok(())
    }
}
