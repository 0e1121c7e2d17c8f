//! One state written into a file of its own, without the free pages of the file that it comes from.
//!
//! Rows go over in the order of their keys, a bounded part at a time, in one transaction. This module
//! does not know what the copy is for.

use std::io;
use std::path::Path;
use std::sync::Arc;

use redb::{Database, WriteTransaction};

use crate::error::{CopyError, OpenError, StorageError};

use super::batch::Batch;
use super::committed::Committed;
use super::file::create;
use super::file::disk::Disk as _;
use super::file::gather::Gather;
use super::format::keys::{FORMAT_KEY, RowKey as _};
use super::format::meta::decode_format;
use super::format::record;
use super::guard::{Failure, drop_guarded, guarded};
use super::open::{NewFile, build};
use super::read::Rows as _;
use super::tables::{Key, Table};

/// Bytes of rows that are read before they are written.
const PART_BYTES: usize = 1 << 20;

/// Memory for pages of the copy while it is written. They are written once, in order.
const CACHE_BYTES: usize = 16 << 20;

/// How much was copied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copied {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// Why a state was not copied.
#[derive(Debug)]
pub(crate) enum NotCopied {
    /// It could not be read.
    Reading(Failure),
    /// The copy could not be written, or was not wanted any more.
    Writing(CopyError),
}

impl From<CopyError> for NotCopied {
    fn from(error: CopyError) -> Self {
        NotCopied::Writing(error)
    }
}

// Of the new file: the one that is copied is open already.
impl From<OpenError> for NotCopied {
    fn from(error: OpenError) -> Self {
        NotCopied::Writing(match error {
            OpenError::AlreadyExists => CopyError::AlreadyExists,
            OpenError::NotAFile => CopyError::NotAFile,
            OpenError::Random => CopyError::Random,
            OpenError::Io(error) => CopyError::Storage(StorageError::Io(error)),
            _ => CopyError::Storage(StorageError::Stopped),
        })
    }
}

impl From<io::Error> for NotCopied {
    fn from(error: io::Error) -> Self {
        NotCopied::Writing(CopyError::Storage(error.into()))
    }
}

fn writing(failure: Failure) -> NotCopied {
    NotCopied::Writing(CopyError::Storage(failure.into()))
}

/// Copies a state into a new file at `path`, which is there once this returns, whole and durable, or
/// not at all. `goes_on` is told how many rows of how many are copied, and answers whether to go on.
pub(crate) fn backup(
    from: &Committed,
    path: &Path,
    goes_on: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Copied, NotCopied> {
    if create::exists(path)? {
        return Err(CopyError::AlreadyExists.into());
    }
    let file = NewFile::create(path)?;
    let disk = Arc::clone(&file.claimed().disk);
    let open_disk = file
        .claimed()
        .open_disk(Arc::new(Gather::new(disk.clone())));
    let database = build(&open_disk, CACHE_BYTES)?;
    let copied = copy(from, &database, goes_on);
    let closed = guarded(|| Ok(database.close()?));
    open_disk.release();
    let rows = copied?;
    closed.map_err(writing)?;
    disk.sync_data()?;
    let bytes = disk.len()?;
    file.publish()?;
    Ok(Copied { rows, bytes })
}

/// Writes all rows of a state into an empty database, in one commit. Gives how many there are.
fn copy(
    from: &Committed,
    to: &Database,
    goes_on: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<u64, NotCopied> {
    let of = from.row_count().map_err(NotCopied::Reading)?;
    let transaction = guarded(|| {
        let mut transaction = to.begin_write()?;
        transaction.set_two_phase_commit(true);
        Ok(transaction)
    });
    let transaction = transaction.map_err(writing)?;
    match copy_tables(from, &transaction, of, goes_on) {
        Ok(rows) => {
            guarded(|| Ok(transaction.commit()?)).map_err(writing)?;
            Ok(rows)
        }
        Err(error) => {
            drop_guarded(transaction);
            Err(error)
        }
    }
}

fn copy_tables(
    from: &Committed,
    to: &WriteTransaction,
    of: u64,
    goes_on: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<u64, NotCopied> {
    let mut rows = 0_u64;
    for table in Table::ALL {
        let mut batch = Batch::default();
        loop {
            let is_last = read_on(from, table, &mut batch).map_err(NotCopied::Reading)?;
            // An empty table is written too: it is there, as in every file.
            guarded(|| batch.write(to, table)).map_err(writing)?;
            rows = rows.saturating_add(batch.rows() as u64);
            if !goes_on(rows, of) {
                return Err(CopyError::Cancelled.into());
            }
            if is_last {
                break;
            }
        }
    }
    Ok(rows)
}

/// A damaged row does not go into a copy.
fn check(table: Table, key: &Key, bytes: &[u8]) -> Result<(), Failure> {
    if table == Table::Meta && *key == FORMAT_KEY.to_key() {
        decode_format(key, bytes).map(drop)
    } else {
        record::open(table, key, bytes, |_| Ok(()))
    }
}

/// Reads the rows after those that are in the batch, in their place, and says whether they are the last
/// of the table.
fn read_on(from: &Committed, table: Table, batch: &mut Batch) -> Result<bool, Failure> {
    let (first, last) = table.span();
    let after = batch.clear();
    let first = after.as_ref().unwrap_or(&first);
    let mut is_last = true;
    from.walk(table, (first, &last), true, &mut |key, bytes| {
        if after.as_ref() == Some(&key) {
            return Ok(true);
        }
        if batch.bytes() >= PART_BYTES {
            is_last = false;
            return Ok(false);
        }
        check(table, &key, bytes)?;
        batch.add_record(key, bytes);
        Ok(true)
    })?;
    Ok(is_last)
}
