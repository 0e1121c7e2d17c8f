//! The content of rows, and their bytes.
//!
//! [`rows`] says what a row of each table holds, [`keys`] what its key is. [`codec`] turns a row into a
//! payload and back, [`changes`] those of the change feed, [`merges`] what is kept of merged contacts,
//! [`conflicts`] the list of conflicts, [`optional`] rows of other optional tables, and [`record`] puts a version and a checksum from [`hash`]
//! around that. [`meta`] are the two rows that describe the file, and [`format_1`] what was different in
//! the first format.

pub(super) mod answers;
pub(super) mod changes;
pub(super) mod codec;
#[cfg(test)]
mod codec_tests;
pub(super) mod conflicts;
pub(super) mod format_1;
pub(super) mod fuzzed;
pub(super) mod hash;
pub(super) mod keys;
pub(super) mod merges;
pub(super) mod meta;
pub(super) mod optional;
pub(super) mod record;
pub(super) mod rows;
