//! Backups: writing a snapshot to a store file of its own (R66).
//!
//! This module does not know what a store file looks like.

use std::ops::ControlFlow;
use std::path::Path;

use crate::callback::Callback;
use crate::error::Error;
use crate::model::sequence::SequenceNumber;
use crate::snapshot::Snapshot;
use crate::storage::{self, NotCopied};

/// A backup that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// The sequence number of the state that it holds.
    pub sequence: SequenceNumber,
    /// The number of rows in it, including those of the indexes.
    pub rows: u64,
    /// The length of the file in bytes.
    pub bytes: u64,
}

/// The progress of copying a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyProgress {
    /// The rows copied so far.
    pub rows: u64,
    /// The rows to copy in all.
    pub of: u64,
}

impl Snapshot {
    /// Writes this state to a new store file at `to` ([R66](crate::rulebook#r66)). To restore it,
    /// open that file.
    ///
    /// The file holds everything of one sequence number, and is readable by its owner alone. It holds no
    /// text of what was erased; keyed hashes of it may be in the indexes until these are folded. Its end
    /// is room to grow, which takes no space on most file systems.
    ///
    /// The file is made under a temporary name beside `to`, and gets its name once it is complete and on
    /// the disk. An existing file is never replaced. Files that an earlier, interrupted backup to the
    /// same path left are removed.
    ///
    /// Writes to the store go on meanwhile and are not held up. The snapshot keeps old pages from
    /// being reused, so the file of a busy store grows while it is copied. The store is read on a thread
    /// of its own, and the new file written on this one.
    ///
    /// `progress` is called about once a megabyte. It cancels the backup by returning
    /// [`ControlFlow::Break`].
    ///
    /// ```
    /// # use contact_store::*;
    /// # use std::ops::ControlFlow;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let to = directory.path().join("backup.redb");
    /// # let store = ContactStore::open_in_memory(Options::default())?;
    /// # let ann = ContactUpdate::new().email("ann@example.com");
    /// # store.upsert(Upsert::new(DedupeOn::Email).contact(ann)).wait()?;
    /// let now = store.snapshot()?;
    /// let made = now.backup(&to, |progress| {
    ///     println!("{} of {} rows", progress.rows, progress.of);
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(made.sequence, now.sequence());
    ///
    /// let restored = ContactStore::open(&to, Options::default().create(Create::Never))?;
    /// assert!(restored.snapshot()?.by_email("ann@example.com")?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Copy`] when there already is a file at `to`, when `progress` cancels, when the
    /// copy cannot be written, or when the store is in a database ([`CopyError::NoFile`](crate::CopyError::NoFile)), whose server
    /// makes backups itself; otherwise as for every read. After an error nothing is left at `to`,
    /// and the store is unchanged.
    pub fn backup(
        &self,
        to: impl AsRef<Path>,
        mut progress: impl FnMut(CopyProgress) -> ControlFlow<()>,
    ) -> Result<Backup, Error> {
        let mut callback = Callback::default();
        let copied = storage::backup(self.tables(), to.as_ref(), &mut |rows, of| {
            callback.goes_on(|| progress(CopyProgress { rows, of }))
        });
        callback.end();
        match copied {
            Ok(copied) => Ok(Backup {
                sequence: self.sequence(),
                rows: copied.rows,
                bytes: copied.bytes,
            }),
            Err(NotCopied::Reading(failure)) => self.reading(Err(failure)),
            Err(error) => Err(error.into()),
        }
    }
}
