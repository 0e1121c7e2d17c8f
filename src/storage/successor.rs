//! A copy of an open store that takes its place.
//!
//! It is made beside the store while that goes on changing, follows the changes, and in the end needs
//! only the last of them before it can be put under the name of the store. This module does not know how
//! the store is told.

use std::io;
use std::sync::Arc;

use redb::Database;

use crate::error::{CopyError, Error};

use super::committed::Committed;
use super::copy::{Commits, Copying, NotCopied, copy_changed, in_commits};
use super::draft::ChangedKeys;
use super::file::create::{self, Unpublished};
use super::file::disk::{Disk as _, OpenDisk};
use super::file::gather::Gather;
use super::guard::drop_guarded;
use super::open::{Claimed, NewFile, build};
use super::store_file::StoreFile;

/// A store that goes on changing while it is copied.
pub(crate) trait Source {
    /// The present state.
    fn state(&self) -> Result<Arc<Committed>, Error>;

    /// The keys of rows that changed since this was called last. The state has these changes when it is
    /// asked for after this.
    fn changed(&self) -> Result<ChangedKeys, Error>;
}

impl From<Error> for NotCopied {
    fn from(error: Error) -> Self {
        NotCopied::Gone(error)
    }
}

/// A copy that is being made. Unless it takes the place of the store, it is removed.
pub(crate) struct Successor {
    /// `None` of a disk in no file.
    unpublished: Option<Unpublished>,
    claimed: Claimed,
}

/// A successor that is complete and open.
pub(super) struct Complete {
    unpublished: Option<Unpublished>,
    pub(super) claimed: Claimed,
    pub(super) database: Database,
    pub(super) open_disk: Arc<OpenDisk>,
}

impl Complete {
    /// Closes it and removes it.
    pub(super) fn discard(self) {
        drop_guarded(self.database);
        self.open_disk.release();
    }

    /// Puts it in the place of the store. [`Claimed::sync_name`] makes that survive a power cut. On an
    /// error nothing has changed, and the successor is to be discarded.
    pub(super) fn take_place(&mut self) -> io::Result<()> {
        match self.unpublished.take() {
            Some(unpublished) => unpublished.replace(),
            None => self.claimed.disk.take_place(),
        }
    }
}

impl Successor {
    /// Begins an empty one beside a store.
    pub(crate) fn beside(file: &StoreFile) -> Result<Self, NotCopied> {
        let Some(path) = file.path() else {
            return Ok(Successor {
                unpublished: None,
                claimed: Claimed::of_disk(file.disk()?.beside()?),
            });
        };
        let (unpublished, mut claimed) = NewFile::create(path)?.into_parts();
        unpublished.take_access_from_the_other()?;
        claimed.wider_mode = create::wider_mode(&unpublished.file)?;
        Ok(Successor {
            unpublished: Some(unpublished),
            claimed,
        })
    }

    /// Copies all rows, and those again that change meanwhile, until next to none do. `goes_on` is told
    /// how many rows of about how many are copied, and answers whether to go on.
    pub(crate) fn copy(
        &self,
        from: &impl Source,
        goes_on: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<(), NotCopied> {
        /// Each round takes less time than the one before, and so has fewer changes, unless changes
        /// come faster than they can be copied.
        const ROUNDS: usize = 10;
        /// These take the writer about as long as a commit of its own.
        const FEW: usize = 1_000;
        /// Parts after which the system is made to write: the sync at the end would otherwise take long
        /// and leave much to copy again.
        const PARTS_BETWEEN_SYNCS: usize = 32;
        in_commits(&self.claimed, |to| {
            let mut copying = Copying::default();
            for part in 1_usize.. {
                copying.copy_part(&*from.state()?, to)?;
                let changed = from.changed()?;
                let state = from.state()?;
                copying.copy_again(&state, changed, to)?;
                let of = state.row_count().map_err(NotCopied::Reading)?;
                if !goes_on(copying.rows, of.max(copying.rows)) {
                    return Err(CopyError::Cancelled.into());
                }
                if copying.is_done() {
                    break;
                }
                if part.is_multiple_of(PARTS_BETWEEN_SYNCS) {
                    self.claimed.disk.sync_data()?;
                }
            }
            Ok(())
        })?;
        for _ in 0..ROUNDS {
            let changed = from.changed()?;
            let are_few = changed.len() <= FEW;
            // A commit makes the file longer, if only for the pages that it does not need any more.
            if changed.len() == 0 {
                break;
            }
            let state = from.state()?;
            in_commits(&self.claimed, |to| copy_changed(&state, &changed, to))?;
            if are_few {
                break;
            }
        }
        Ok(())
    }

    /// Copies the last changes, and stays open.
    pub(super) fn complete(
        self,
        state: &Committed,
        changed: &ChangedKeys,
        cache_bytes: usize,
    ) -> Result<Complete, NotCopied> {
        let gather = Gather::new(self.claimed.disk.clone());
        let open_disk = self.claimed.open_disk(Arc::new(gather));
        let database = build(&open_disk, cache_bytes)?;
        let complete = Complete {
            unpublished: self.unpublished,
            claimed: self.claimed,
            database,
            open_disk,
        };
        let copied = match changed.len() {
            0 => Ok(()),
            _ => {
                let mut to = Commits::new(&complete.database);
                copy_changed(state, changed, &mut to).and_then(|()| to.finish())
            }
        };
        match copied {
            Ok(()) => Ok(complete),
            Err(error) => {
                complete.discard();
                Err(error)
            }
        }
    }
}
