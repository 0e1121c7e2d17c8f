//! Where the bytes of a store are kept, and the adapter that hands them to redb.
//!
//! This module does not know what the bytes mean.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{BackendError, StorageBackend};

use super::lock::{FileLock, Hold};

/// A disk: bytes that stay.
///
/// Part of the API only with the feature `testing`, with which the crate's own tests put a store on
/// a disk that fails or forgets.
#[cfg_attr(
    feature = "testing",
    expect(
        clippy::len_without_is_empty,
        reason = "nobody asks a disk whether it is empty"
    )
)]
#[cfg_attr(
    not(feature = "testing"),
    expect(unreachable_pub, reason = "public for tests only")
)]
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Its length in bytes.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    fn len(&self) -> io::Result<u64>;

    /// Fills `out` with the bytes from `offset`.
    ///
    /// # Errors
    ///
    /// When the system refuses, and when that many bytes are not there.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes `bytes` from `offset`.
    ///
    /// # Errors
    ///
    /// When the system refuses. Any part of the bytes may then have been written.
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts it, or fills it up with zeroes, to `len` bytes.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes everything written so far survive a power cut.
    ///
    /// # Errors
    ///
    /// When the system refuses. What was written since the last success may then be lost.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes an empty disk beside it, for a copy that is to take its place.
    ///
    /// # Errors
    ///
    /// When the system refuses, or there is no such thing for this disk.
    fn beside(&self) -> io::Result<Arc<dyn Disk>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Takes the place of the disk that it was made beside: the next opening of that one finds
    /// this. Until [`sync_place`](Disk::sync_place), a power cut may undo it.
    ///
    /// # Errors
    ///
    /// When the system refuses. Nothing has changed then.
    fn take_place(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes it survive a power cut that this disk took the place of another.
    ///
    /// # Errors
    ///
    /// When the system refuses. It is then unknown which of the two is found after a power cut.
    fn sync_place(&self) -> io::Result<()> {
        Ok(())
    }
}

/// An open file.
#[derive(Debug)]
pub(in crate::storage) struct FileDisk(FileBackend);

impl FileDisk {
    pub(in crate::storage) fn new(file: File) -> io::Result<Self> {
        FileBackend::new(file)
            .map(FileDisk)
            .map_err(|_| io::Error::other("the file cannot be used"))
    }
}

/// Bytes in memory, gone with the store.
#[derive(Debug, Default)]
pub(crate) struct MemoryDisk(InMemoryBackend);

// Both are redb's own, which take care of what differs between systems.
macro_rules! disk_of_backend {
    ($disk:ty $(, $more:item)*) => {
        impl Disk for $disk {
            fn len(&self) -> io::Result<u64> {
                self.0.len()
            }

            fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
                self.0.read(offset, out)
            }

            fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
                self.0.write(offset, bytes)
            }

            fn set_len(&self, len: u64) -> io::Result<()> {
                self.0.set_len(len)
            }

            fn sync_data(&self) -> io::Result<()> {
                self.0.sync_data()
            }

            $($more)*
        }
    };
}

disk_of_backend!(FileDisk);
disk_of_backend!(
    MemoryDisk,
    fn beside(&self) -> io::Result<Arc<dyn Disk>> {
        Ok(Arc::new(MemoryDisk::default()))
    },
    fn take_place(&self) -> io::Result<()> {
        Ok(())
    }
);

/// A disk as redb sees it, until it is released.
#[derive(Debug)]
pub(in crate::storage) struct OpenDisk {
    // Releasing it waits for a read that is under way, so that nothing of this opening touches the
    // file once another one may write to it. It also gives up this opening's share in the lock: a
    // snapshot that outlives the store must not keep the file locked.
    file: RwLock<Option<Shared>>,
}

#[derive(Debug)]
struct Shared {
    disk: Arc<dyn Disk>,
    /// `None` where nobody else can have the bytes open.
    lock: Option<Arc<FileLock>>,
}

impl OpenDisk {
    pub(in crate::storage) fn new(disk: Arc<dyn Disk>, lock: Option<Arc<FileLock>>) -> Arc<Self> {
        Arc::new(OpenDisk {
            file: RwLock::new(Some(Shared { disk, lock })),
        })
    }

    pub(in crate::storage) fn release(&self) {
        let released = {
            let mut file = self.file.write().unwrap_or_else(PoisonError::into_inner);
            file.take()
        };
        if let Some(lock) = released.and_then(|shared| shared.lock) {
            lock.unlock_ranges();
        }
    }

    fn with<T>(&self, call: impl FnOnce(&dyn Disk) -> io::Result<T>) -> io::Result<T> {
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        match &*file {
            Some(shared) => call(&*shared.disk),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// What is handed to redb.
#[derive(Debug)]
pub(in crate::storage) struct Backend(pub(in crate::storage) Arc<OpenDisk>);

impl Backend {
    /// Asks the lock of the file. Where there is none, nobody else is there to be kept out.
    fn lock<T>(
        &self,
        nobody_else: T,
        ask: impl FnOnce(&FileLock) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let file = self.0.file.read().unwrap_or_else(PoisonError::into_inner);
        let shared = file.as_ref().ok_or(BackendError::Unsupported)?;
        let lock = shared.lock.clone();
        // Asking may take a while.
        drop(file);
        lock.map_or(Ok(nobody_else), |lock| ask(&lock))
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.with(|disk| disk.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.with(|disk| disk.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.with(|disk| disk.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.with(|disk| disk.sync_data())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.with(|disk| disk.write(offset, bytes))
    }

    fn close(&self) -> io::Result<()> {
        self.0.release();
        Ok(())
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.lock(true, |lock| lock.try_lock((start, end), Hold::Alone))
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.lock(true, |lock| lock.try_lock((start, end), Hold::Shared))
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.lock((), |lock| lock.lock((start, end), Hold::Alone))
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.lock((), |lock| lock.lock((start, end), Hold::Shared))
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.lock((), |lock| lock.unlock((start, end)))
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.lock(false, |lock| lock.is_locked_elsewhere((start, end)))
    }
}
