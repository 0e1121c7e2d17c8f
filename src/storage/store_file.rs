//! The file of an open store, for those who do not write to it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use crate::error::{Error, StorageError};

use super::file::disk::Disk;
use super::file::file_watch::FileWatch;
use super::open::Claimed;

/// The file of an open store as others than the writer see it. After a vacuum it is another.
#[derive(Clone)]
pub(crate) struct StoreFile {
    /// Weak: a handle of a closed store must not keep the file, and with it the lock.
    disk: Weak<dyn Disk>,
    path: Option<PathBuf>,
    watch: Option<Arc<FileWatch>>,
    wider_mode: Option<u32>,
    /// A store in a database has none.
    is_there: bool,
}

impl StoreFile {
    pub(super) fn of(claimed: &Claimed) -> Self {
        let disk: Weak<_> = Arc::downgrade(&claimed.disk);
        StoreFile {
            disk,
            path: claimed.path.clone(),
            watch: claimed.watch.clone(),
            wider_mode: claimed.wider_mode,
            is_there: true,
        }
    }

    /// Of a store that is in no file.
    #[cfg(feature = "postgres")]
    pub(super) fn none() -> Self {
        StoreFile {
            disk: Weak::<super::file::disk::MemoryDisk>::new(),
            path: None,
            watch: None,
            wider_mode: None,
            is_there: false,
        }
    }

    /// Whether the store is in a file, or on a disk in memory.
    pub(crate) fn is_there(&self) -> bool {
        self.is_there
    }

    /// Its length in bytes; 0 of a store in a database.
    pub(crate) fn len(&self) -> Result<u64, Error> {
        if !self.is_there {
            return Ok(0);
        }
        Ok(self.disk()?.len().map_err(StorageError::from)?)
    }

    pub(super) fn disk(&self) -> Result<Arc<dyn Disk>, Error> {
        self.disk.upgrade().ok_or(Error::Closed)
    }

    /// Where it is. `None` of a disk in no file.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether it is no longer at its path (R69).
    pub(crate) fn is_moved(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.is_moved())
    }

    /// Its permission bits at opening, when others than its owner had any.
    pub(crate) fn wider_mode(&self) -> Option<u32> {
        self.wider_mode
    }
}
