//! What an export did, and how far it has come.

/// An export that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// The sequence number of the state that it holds.
    pub sequence: crate::SequenceNumber,
    /// The number of contacts in it.
    pub contacts: u64,
    /// The number of rows in it: lines of NDJSON, or rows of CSV without the header.
    pub rows: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// The progress of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportProgress {
    /// The contacts, and in NDJSON the subscribers, written so far.
    pub rows: u64,
    /// The number of those to write in all.
    pub of: u64,
    /// The bytes written so far.
    pub bytes: u64,
}
