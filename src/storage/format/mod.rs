//! What is in a row, and what its bytes are.
//!
//! [`rows`] says what a row of each table holds and where rows can be read; [`codec`] turns one into bytes,
//! with a version and a checksum from [`hash`]. [`meta`] are the two rows that describe the file, and
//! [`format_1`] what was different in the first format.

pub(super) mod codec;
pub(super) mod format_1;
pub(super) mod hash;
pub(super) mod meta;
pub(super) mod rows;

pub(super) use self::codec as record;
