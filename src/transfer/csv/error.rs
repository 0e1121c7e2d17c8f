//! What is wrong with a row of CSV, with its header, and with an option.
//!
//! No text of a source is passed on (R52).

use crate::limits::{CSV_COLUMNS, CSV_ROW_BYTES, FIELD_NAME_BYTES};
use crate::model::fault::{Field, FieldError};

/// What is wrong with a row of CSV, before any rule of the store is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsvError {
    /// The row is not text in the encoding of the source.
    #[error("the row is not text in the encoding of the source")]
    NotText,
    /// A quoted cell does not end. Reading goes on with the next line.
    #[error("a quoted cell does not end")]
    UnclosedQuote,
    /// The row has more or fewer cells than the header.
    #[error("the row has {found} cells, the header {expected}")]
    CellCount {
        /// The cells of the row.
        found: usize,
        /// The cells of the header.
        expected: usize,
    },
    /// A number was shortened by a spreadsheet, as `3.8E+11`. Its last digits are lost.
    #[error("{field} is in scientific notation: a spreadsheet has shortened it")]
    ScientificNotation {
        /// The field that the cell is for.
        field: Field,
    },
    /// An apostrophe stands before a number: the mark by which a spreadsheet keeps a number as text.
    #[error("{field} begins with an apostrophe")]
    LeadingApostrophe {
        /// The field that the cell is for.
        field: Field,
    },
    /// A phone begins with none of `+`, `0` and the calling code of
    /// [`CsvOptions::calling_code`](super::CsvOptions::calling_code). A spreadsheet may have cut off its
    /// zero.
    #[error("{field} begins with none of +, 0 and the calling code, a zero may be cut off")]
    MissingZero {
        /// The field that the cell is for.
        field: Field,
    },
}

impl CsvError {
    /// The reason as a stable code.
    pub(in super::super) fn reason(&self) -> &'static str {
        match self {
            CsvError::NotText => "notText",
            CsvError::UnclosedQuote => "unclosedQuote",
            CsvError::CellCount { .. } => "cellCount",
            CsvError::ScientificNotation { .. } => "scientificNotation",
            CsvError::LeadingApostrophe { .. } => "leadingApostrophe",
            CsvError::MissingZero { .. } => "missingZero",
        }
    }
}

/// Why the header of a CSV source cannot be used. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The source is empty.
    #[error("the source is empty: a header is required")]
    Missing,
    /// The header is not text in the encoding of the source.
    #[error("the header is not text in the encoding of the source")]
    NotText,
    /// A quoted cell of the header does not end.
    #[error("a quoted cell of the header does not end")]
    UnclosedQuote,
    /// The header has too many bytes.
    #[error("the header has over {CSV_ROW_BYTES} bytes")]
    TooLong,
    /// The header has too many columns.
    #[error("the header has over {CSV_COLUMNS} columns")]
    TooManyColumns,
    /// A mapping names a header that no column has.
    #[error("no column has the header of mapping {mapping}")]
    NotMapped {
        /// The place of the mapping, counted from 1.
        mapping: usize,
    },
    /// No column is known to hold an identifier that contacts are found by.
    #[error("no column of the header is known to hold an identifier that contacts are found by")]
    NothingToFindBy,
}

/// Why an option of a CSV import is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsvOptionError {
    /// Not a field that a column can be for.
    #[error(
        "the field must be contactId, externalCustomerId, phone, email, firstName, lastName, \
         languageCode, timeZone, customFields, or fields. and a name"
    )]
    Field,
    /// The name of a custom field is invalid.
    #[error("{0}, its longest name has {FIELD_NAME_BYTES} bytes")]
    CustomFieldName(#[source] FieldError),
    /// Not a name of an encoding.
    #[error("the encoding is not known")]
    Encoding,
    /// Not a delimiter.
    #[error(
        "the delimiter must be one ASCII character, other than a quote, a letter, a digit or the end of a line"
    )]
    Delimiter,
    /// Not a calling code.
    #[error("the calling code must be 1 to 3 digits, the first not 0")]
    CallingCode,
    /// Not what becomes of an empty cell.
    #[error("an empty cell must keep or erase")]
    EmptyCell,
}
