//! Where the bytes of a store are kept, and the adapter that hands them to redb.
//!
//! This module does not know what the bytes mean.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{BackendError, StorageBackend};

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

type Range = (Bound<u64>, Bound<u64>);

/// Who may have a file open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Share {
    /// This opening alone.
    Alone,
    /// This one, and others that only read it.
    ToRead,
}

/// The lock on the file, taken once and held until the last user of the file is gone.
///
/// redb locks and unlocks at each of its openings. This keeps what it took, so that there is no
/// moment between checking a file and using it in which another process could take it.
#[derive(Debug)]
pub(in crate::storage) struct FileLock {
    backend: FileBackend,
    held: Mutex<Vec<Range>>,
}

impl FileLock {
    /// A lock on `file`, not yet taken. The clone shares its open file description, to which the
    /// locks belong.
    pub(in crate::storage) fn new(file: &File) -> io::Result<Self> {
        let backend = FileBackend::new(file.try_clone()?)
            .map_err(|_| io::Error::other("the file cannot be locked"))?;
        Ok(FileLock {
            backend,
            held: Mutex::default(),
        })
    }

    fn take(
        &self,
        range: Range,
        take: impl FnOnce(&FileBackend) -> Result<bool, BackendError>,
    ) -> Result<bool, BackendError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.contains(&range) {
            return Ok(true);
        }
        let taken = take(&self.backend)?;
        if taken {
            held.push(range);
        }
        Ok(taken)
    }

    /// Takes the lock on the whole file, as an opening would.
    pub(in crate::storage) fn try_take_all(&self, share: Share) -> io::Result<bool> {
        let all = (Bound::Unbounded, Bound::Unbounded);
        let taken = self.take(all, |backend| match share {
            Share::Alone => backend.try_lock_range(all.0, all.1),
            Share::ToRead => backend.try_lock_shared_range(all.0, all.1),
        });
        match taken {
            Ok(taken) => Ok(taken),
            Err(BackendError::Io(error)) => Err(error),
            Err(_) => Ok(true),
        }
    }
}

// Closing the file alone would not do: a process that another thread is just starting shares the open
// file description, and so the locks, until it runs its own program.
impl Drop for FileLock {
    fn drop(&mut self) {
        let held = self.held.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (start, end) in held.drain(..) {
            drop(self.backend.unlock_range(start, end));
        }
    }
}

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
    lock: Option<Arc<FileLock>>,
}

impl OpenDisk {
    pub(in crate::storage) fn new(disk: Arc<dyn Disk>, lock: Option<Arc<FileLock>>) -> Arc<Self> {
        Arc::new(OpenDisk {
            file: RwLock::new(Some(Shared { disk, lock })),
        })
    }

    pub(in crate::storage) fn release(&self) {
        *self.file.write().unwrap_or_else(PoisonError::into_inner) = None;
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
    fn lock(&self) -> Result<Arc<FileLock>, BackendError> {
        let file = self.0.file.read().unwrap_or_else(PoisonError::into_inner);
        let lock = file.as_ref().and_then(|shared| shared.lock.clone());
        lock.ok_or(BackendError::Unsupported)
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
        self.lock()?
            .take((start, end), |backend| backend.try_lock_range(start, end))
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.lock()?.take((start, end), |backend| {
            backend.try_lock_shared_range(start, end)
        })
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.lock()?.backend.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.lock()?.backend.lock_shared_range(start, end)
    }

    /// Keeps the lock: it goes with the last user of the file.
    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        self.lock().map(|_| ())
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.lock()?.backend.query_lock_range(start, end)
    }
}
