//! The rows of a store written into a file of their own, without the free pages of the one that they
//! come from.
//!
//! Rows go over in the order of their keys, a bounded part at a time, in bounded commits, of which none is
//! synced but the last: before that, nothing finds the file. Where the store goes on changing, what was
//! copied before it changed is copied again. This module does not know what the copy is for.

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use redb::{Database, WriteTransaction};

use crate::error::{CopyError, Error, OpenError, StorageError};

use super::batch::Batch;
use super::committed::Committed;
use super::draft::ChangedKeys;
use super::file::create;
use super::file::disk::Disk as _;
use super::file::gather::Gather;
use super::file::unsynced::Unsynced;
use super::format::keys::{FORMAT_KEY, RowKey as _};
use super::format::meta::decode_format;
use super::format::record;
use super::guard::{Failure, drop_guarded, guarded};
use super::open::{Claimed, NewFile, build};
use super::read::Rows as _;
use super::tables::{Key, Table, Write, write};

/// Bytes of rows that are read before they are written.
const PART_BYTES: usize = 1 << 20;

/// Parts that wait to be written.
const PARTS_AHEAD: usize = 2;

/// Memory for pages of the copy while it is written. They are written once, in order.
const CACHE_BYTES: usize = 16 << 20;

/// Bytes of rows that are written before they are committed. Their pages fit into the half of the cache
/// that redb keeps for what is written, so that it does not read them again to sum them.
const COMMIT_BYTES: usize = 4 << 20;

/// How much was copied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copied {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// Why a store was not copied.
#[derive(Debug)]
pub(crate) enum NotCopied {
    /// It could not be read.
    Reading(Failure),
    /// It is not there to be copied any more.
    Gone(Error),
    /// The copy could not be written, or was not wanted any more.
    Writing(CopyError),
}

impl From<NotCopied> for Error {
    fn from(not_copied: NotCopied) -> Self {
        match not_copied {
            NotCopied::Reading(failure) => failure.into(),
            NotCopied::Gone(error) => error,
            NotCopied::Writing(error) => error.into(),
        }
    }
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

pub(super) fn writing(failure: Failure) -> NotCopied {
    NotCopied::Writing(CopyError::Storage(failure.into()))
}

/// Copies a state into a new file at `path`, which is there once this returns, whole and durable, or
/// not at all. `goes_on` is told how many rows of how many are copied, and answers whether to go on.
pub(crate) fn backup(
    from: &Committed,
    path: &Path,
    goes_on: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Copied, NotCopied> {
    if !from.is_in_file() {
        return Err(CopyError::NoFile.into());
    }
    if create::exists(path)? {
        return Err(CopyError::AlreadyExists.into());
    }
    let file = NewFile::create(path)?;
    let rows = in_commits(file.claimed(), |to| copy_all(from, to, goes_on))?;
    let bytes = file.claimed().disk.len()?;
    file.publish()?;
    Ok(Copied { rows, bytes })
}

/// Opens a file that is being made, lets `work` write to it, and closes it, durably. After an error
/// anything may be in it.
pub(super) fn in_commits<T>(
    claimed: &Claimed,
    work: impl FnOnce(&mut Commits<'_>) -> Result<T, NotCopied>,
) -> Result<T, NotCopied> {
    let disk = Arc::clone(&claimed.disk);
    let gather = Gather::new(Arc::new(Unsynced(disk.clone())));
    let open_disk = claimed.open_disk(Arc::new(gather));
    let database = build(&open_disk, CACHE_BYTES)?;
    let mut commits = Commits::new(&database);
    let done = work(&mut commits).and_then(|done| commits.finish().map(|()| done));
    drop(commits);
    let closed = guarded(|| Ok(database.close()?));
    open_disk.release();
    let done = done?;
    closed.map_err(writing)?;
    disk.sync_data()?;
    Ok(done)
}

/// Writes to a file that is being made, in commits. What is not committed when this is dropped is rolled
/// back.
pub(super) struct Commits<'d> {
    to: &'d Database,
    transaction: Option<WriteTransaction>,
    /// What was written since the last commit.
    bytes: usize,
}

impl<'d> Commits<'d> {
    pub(super) fn new(to: &'d Database) -> Self {
        Commits {
            to,
            transaction: None,
            bytes: 0,
        }
    }

    /// Has `work` write so many bytes of rows.
    fn write(
        &mut self,
        bytes: usize,
        work: impl FnOnce(&WriteTransaction) -> Result<(), Failure>,
    ) -> Result<(), NotCopied> {
        let written = guarded(|| {
            let transaction = match self.transaction.take() {
                Some(begun) => begun,
                None => {
                    let mut transaction = self.to.begin_write()?;
                    transaction.set_two_phase_commit(true);
                    transaction
                }
            };
            work(self.transaction.insert(transaction))
        });
        written.map_err(writing)?;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= COMMIT_BYTES {
            self.finish()?;
        }
        Ok(())
    }

    /// Commits what was written since the last commit.
    pub(super) fn finish(&mut self) -> Result<(), NotCopied> {
        self.bytes = 0;
        match self.transaction.take() {
            Some(transaction) => guarded(|| Ok(transaction.commit()?)).map_err(writing),
            None => Ok(()),
        }
    }
}

impl Drop for Commits<'_> {
    fn drop(&mut self) {
        drop_guarded(self.transaction.take());
    }
}

/// The next rows of one table, in the order of their keys.
struct Part {
    table: Table,
    rows: Batch,
}

impl Part {
    fn write(&mut self, to: &mut Commits<'_>) -> Result<(), NotCopied> {
        // An empty table is written too, where every file has it.
        if self.rows.rows() > 0 || !self.table.is_optional() {
            let bytes = self.rows.bytes();
            to.write(bytes, |transaction| {
                self.rows.write(transaction, self.table)
            })?;
        }
        Ok(())
    }
}

/// How far the rows of a store are read.
struct Reading {
    /// The table that is being read; `None` when all are.
    table: Option<Table>,
    /// The last row of it that is read.
    last: Option<Key>,
}

impl Default for Reading {
    fn default() -> Self {
        Reading {
            table: Table::ALL.first().copied(),
            last: None,
        }
    }
}

impl Reading {
    /// Reads the next part of the rows as this state has them; `None` after the last.
    fn read_part(&mut self, from: &Committed) -> Result<Option<Part>, Failure> {
        let Some(table) = self.table else {
            return Ok(None);
        };
        let mut rows = Batch::for_records(PART_BYTES);
        let is_last = read_on(from, table, self.last.as_ref(), &mut rows)?;
        if is_last {
            let next = table.position().saturating_add(1);
            self.table = Table::ALL.get(next).copied();
            self.last = None;
        } else {
            self.last = rows.last().cloned();
        }
        Ok(Some(Part { table, rows }))
    }
}

/// Copies all rows of a state, which are read on a thread of their own while those before them are
/// written.
fn copy_all(
    from: &Committed,
    to: &mut Commits<'_>,
    goes_on: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<u64, NotCopied> {
    let of = from.row_count().map_err(NotCopied::Reading)?;
    let at_work = Mutex::default();
    thread::scope(|scope| {
        let (sender, parts) = mpsc::sync_channel(PARTS_AHEAD);
        let pace = Pace::of(from, &at_work);
        let reader = thread::Builder::new().name("contact-store-backup".to_owned());
        let reader =
            reader.spawn_scoped(scope, move || guarded(|| read_all(from, &sender, pace)))?;
        let mut pace = Pace::of(from, &at_work);
        let mut rows = 0_u64;
        for mut part in parts {
            let turn = pace.turn();
            part.write(to)?;
            drop(turn);
            rows = rows.saturating_add(part.rows.rows() as u64);
            if !goes_on(rows, of) {
                return Err(CopyError::Cancelled.into());
            }
        }
        let read = reader.join().unwrap_or(Err(Failure::Panicked));
        read.map_err(NotCopied::Reading)?;
        Ok(rows)
    })
}

/// Reads all rows of a state, until nobody takes them any more.
fn read_all(from: &Committed, to: &SyncSender<Part>, mut pace: Pace<'_>) -> Result<(), Failure> {
    let mut reading = Reading::default();
    loop {
        let turn = pace.turn();
        let part = reading.read_part(from)?;
        drop(turn);
        let Some(part) = part else {
            return Ok(());
        };
        if to.send(part).is_err() {
            return Ok(());
        }
    }
}

/// Lets one of the two threads of a backup work at a time while commits are made: those need a processor
/// too.
struct Pace<'a> {
    from: &'a Committed,
    at_work: &'a Mutex<()>,
    /// The commits that were made when it was last asked.
    commits: u64,
}

impl<'a> Pace<'a> {
    fn of(from: &'a Committed, at_work: &'a Mutex<()>) -> Self {
        Pace {
            from,
            at_work,
            commits: from.commits(),
        }
    }

    /// Waits for the other thread if there were commits since this was last called.
    fn turn(&mut self) -> Option<MutexGuard<'a, ()>> {
        let before = std::mem::replace(&mut self.commits, self.from.commits());
        let at_work = || self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        (self.commits != before).then(at_work)
    }
}

/// How far the rows of a store that goes on changing are copied.
#[derive(Default)]
pub(super) struct Copying {
    reading: Reading,
    pub(super) rows: u64,
}

impl Copying {
    pub(super) fn is_done(&self) -> bool {
        self.reading.table.is_none()
    }

    /// Copies the next part of the rows as this state has them.
    pub(super) fn copy_part(
        &mut self,
        from: &Committed,
        to: &mut Commits<'_>,
    ) -> Result<(), NotCopied> {
        let part = self.reading.read_part(from).map_err(NotCopied::Reading)?;
        if let Some(mut part) = part {
            part.write(to)?;
            self.rows = self.rows.saturating_add(part.rows.rows() as u64);
        }
        Ok(())
    }

    /// Copies rows again that changed, as this state has them, where they were copied already.
    pub(super) fn copy_again(
        &self,
        from: &Committed,
        mut changed: ChangedKeys,
        to: &mut Commits<'_>,
    ) -> Result<(), NotCopied> {
        if let Some(table) = self.reading.table {
            changed.forget_after(table, self.reading.last.as_ref());
        }
        copy_changed(from, &changed, to)
    }
}

/// Copies these rows as this state has them, or removes them.
pub(super) fn copy_changed(
    from: &Committed,
    changed: &ChangedKeys,
    to: &mut Commits<'_>,
) -> Result<(), NotCopied> {
    for table in Table::ALL {
        let mut keys = changed.of(table).peekable();
        while keys.peek().is_some() {
            let mut rows = Vec::new();
            let mut bytes = 0_usize;
            for key in keys.by_ref() {
                let row = from.read(table, key, |bytes| {
                    check(table, key, bytes)?;
                    Ok(bytes.to_vec())
                });
                let row = row.map_err(NotCopied::Reading)?;
                bytes = bytes.saturating_add(row.as_ref().map_or(0, Vec::len));
                rows.push((key, row));
                if bytes >= PART_BYTES {
                    break;
                }
            }
            let rows = rows.iter().map(|(key, row)| match row {
                Some(row) => (*key, Write::Put(row)),
                None => (*key, Write::Remove),
            });
            to.write(bytes, |transaction| write(transaction, table, rows))?;
        }
    }
    Ok(())
}

/// A damaged row does not go into a copy.
fn check(table: Table, key: &Key, bytes: &[u8]) -> Result<(), Failure> {
    if table == Table::Meta && *key == FORMAT_KEY.to_key() {
        decode_format(key, bytes).map(drop)
    } else {
        record::open(table, key, bytes, |_| Ok(()))
    }
}

/// Reads the rows of a table after a key, a part of them, and says whether they are the last.
fn read_on(
    from: &Committed,
    table: Table,
    after: Option<&Key>,
    rows: &mut Batch,
) -> Result<bool, Failure> {
    let (first, last) = table.span();
    let mut is_last = true;
    from.walk(
        table,
        (after.unwrap_or(&first), &last),
        true,
        &mut |key, bytes| {
            if after == Some(&key) {
                return Ok(true);
            }
            if rows.bytes() >= PART_BYTES {
                is_last = false;
                return Ok(false);
            }
            check(table, &key, bytes)?;
            rows.add_record(key, bytes);
            Ok(true)
        },
    )?;
    Ok(is_last)
}
