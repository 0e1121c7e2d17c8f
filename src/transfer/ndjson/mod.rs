//! A whole store as NDJSON: one JSON object a line.
//!
//! The forms of the lines are in `wire::exported`. This module knows their order.

mod export;
mod import;
mod lines;

pub use self::export::{ExportOptions, export_ndjson};
pub use self::import::{ImportOptions, import_ndjson};
