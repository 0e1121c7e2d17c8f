//! Backups: a snapshot written into a store file of its own (R66).
//!
//! This module does not know what a store file looks like.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use crate::error::Error;
use crate::model::sequence::SequenceNumber;
use crate::snapshot::Snapshot;
use crate::storage::{self, NotCopied};

/// A backup that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// The sequence number that it holds.
    pub sequence: SequenceNumber,
    /// How many rows it holds, those of the indexes included.
    pub rows: u64,
    /// The length of its file in bytes.
    pub bytes: u64,
}

/// How far a copy of a store's file has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyProgress {
    /// Rows copied so far.
    pub rows: u64,
    /// Rows to copy.
    pub of: u64,
}

impl Snapshot {
    /// Writes this state into a new store file at `to` ([R66](crate::rulebook#r66)). Opening that
    /// file restores it.
    ///
    /// The file holds everything of one sequence number, has no free pages, and is readable by its owner
    /// alone. It is made under a temporary name beside `to` and gets its name once it is complete and on
    /// the disk; a file that has the name is never replaced. What an earlier backup to the same path
    /// left there when it was cut off is removed.
    ///
    /// Writes of the store go on meanwhile and are not held up. The snapshot keeps old pages from being
    /// used again, so the file of a busy store grows while it is copied.
    ///
    /// `progress` is called after each megabyte or so; it cancels the backup by answering
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
    /// [`Error::Copy`] when there is a file at `to`, when `progress` cancels, or when the copy cannot be
    /// written; otherwise as for every read. Nothing is left at `to` then, and the store is as it was.
    pub fn backup(
        &self,
        to: impl AsRef<Path>,
        mut progress: impl FnMut(CopyProgress) -> ControlFlow<()>,
    ) -> Result<Backup, Error> {
        let mut panicked = None;
        let copied = storage::backup(self.tables(), to.as_ref(), &mut |rows, of| {
            // A panic must not unwind through an open file of the storage engine.
            let told = catch_unwind(AssertUnwindSafe(|| progress(CopyProgress { rows, of })));
            match told {
                Ok(goes_on) => goes_on.is_continue(),
                Err(panic) => {
                    panicked = Some(panic);
                    false
                }
            }
        });
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
        match copied {
            Ok(copied) => Ok(Backup {
                sequence: self.sequence(),
                rows: copied.rows,
                bytes: copied.bytes,
            }),
            Err(NotCopied::Writing(error)) => Err(error.into()),
            Err(NotCopied::Reading(failure)) => self.reading(Err(failure)),
        }
    }
}
