//! Contacts as CSV: one a row, a header or a mapping naming the columns (R70).

mod cells;
mod columns;
mod error;
mod export;
mod import;
mod options;
mod records;
mod source;

pub use error::{CsvError, CsvOptionError, HeaderError};
pub use export::export_csv;
pub use import::{CsvImported, import_csv};
pub use options::{CsvField, CsvOptions, EmptyCell};
