//! The lines of an export of a whole store (R70).
//!
//! Each is an object with one member, whose name says what it holds. The module `transfer` documents
//! them. This module does not know in which order they come.

mod read;
mod write;

pub(crate) use self::read::{FirstLine, Line, first_line, line};
pub(crate) use self::write::{
    app, contact, end, former_app, former_id, merge, message, start, subscriber, taken_ids,
};

/// The version of the lines that this version of the crate writes, and the newest that it reads.
pub(crate) const VERSION: u64 = 1;
