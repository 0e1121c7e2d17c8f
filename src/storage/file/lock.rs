//! The locks on the file of a store, by which processes share it: one writes, others only read.
//!
//! They are those of redb's mode `SingleWriter`, on single bytes far after the end of any file. This
//! module does not know what is read or written.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend as _};

/// A range of bytes.
pub(in crate::storage) type Range = (Bound<u64>, Bound<u64>);

/// Who else may hold a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Hold {
    /// Nobody.
    Alone,
    /// Those that hold it shared too.
    Shared,
}

/// Who may have a file open at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Share {
    /// This one writes, others read.
    ToWrite,
    /// This one and others read, and nobody writes.
    ToRead,
    /// This one reads, and another writes.
    BesideAWriter,
}

const ALL: Range = (Bound::Unbounded, Bound::Unbounded);

/// Bytes of redb's protocol: its `design.md`, "Lock bytes". Its constants are not public; that these are
/// the bytes that it asks for is tested below.
const fn byte(number: u64) -> Range {
    const FIRST: u64 = 1 << 62;
    let at = FIRST.saturating_add(number);
    (Bound::Included(at), Bound::Included(at))
}

/// Held alone by the process that writes.
const WRITER: Range = byte(0);
/// The same. It says too that this process lets others read.
const ONE_WRITER: Range = byte(1);
/// Held by those that lock the whole file to read it.
const WHOLE_FILE_READER: Range = byte(3);
/// Held shared by all that know this protocol.
const PROTOCOL: Range = byte(5);

/// How long to wait for a range that another process holds for a moment, as each does with the header. One
/// that was stopped in that moment would otherwise stop all commits with it.
const MOST_WAIT: Duration = Duration::from_secs(10);

/// The locks that one opening of a file holds.
///
/// What keeps other writers out is taken before the first byte is read, and held until the last user of the
/// file is gone: there is no moment between checking a file and using it in which another process could
/// write to it.
#[derive(Debug)]
pub(in crate::storage) struct FileLock {
    backend: FileBackend,
    /// Held to the end.
    claimed: Vec<Range>,
    /// Held for one opening by redb.
    taken: Mutex<Vec<Range>>,
    /// The system locks whole files alone. So nobody else has this one open.
    is_whole: bool,
}

impl FileLock {
    /// Claims `file`; `None` when others have it open who may not. The locks belong to the open file
    /// description, which the clone of the file shares.
    pub(in crate::storage) fn claim(file: &File, share: Share) -> io::Result<Option<Self>> {
        let backend = FileBackend::new(file.try_clone()?)
            .map_err(|_| io::Error::other("the file cannot be locked"))?;
        let mut lock = FileLock {
            backend,
            claimed: Vec::new(),
            taken: Mutex::default(),
            is_whole: false,
        };
        let claimed = match share {
            Share::ToWrite => lock.claim_to_write(),
            Share::ToRead => lock.claim_range(ALL, Hold::Shared),
            Share::BesideAWriter => Ok(true),
        };
        match claimed {
            Ok(claimed) => Ok(claimed.then_some(lock)),
            Err(BackendError::Io(error)) => Err(error),
            // No locks at all on this system.
            Err(_) => {
                lock.is_whole = true;
                Ok((share != Share::BesideAWriter).then_some(lock))
            }
        }
    }

    /// Takes what redb would take to write, in its order.
    fn claim_to_write(&mut self) -> Result<bool, BackendError> {
        match self.claim_range(PROTOCOL, Hold::Shared) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(BackendError::Unsupported) => {
                self.is_whole = true;
                return self.claim_range(ALL, Hold::Alone);
            }
            Err(error) => return Err(error),
        }
        Ok(!self.is_locked_elsewhere(WHOLE_FILE_READER)?
            && self.claim_range(ONE_WRITER, Hold::Alone)?
            && self.claim_range(WRITER, Hold::Alone)?)
    }

    fn claim_range(&mut self, range: Range, hold: Hold) -> Result<bool, BackendError> {
        let claimed = self.try_lock_native(range, hold)?;
        if claimed {
            self.claimed.push(range);
        }
        Ok(claimed)
    }

    fn try_lock_native(&self, (start, end): Range, hold: Hold) -> Result<bool, BackendError> {
        match hold {
            Hold::Alone => self.backend.try_lock_range(start, end),
            Hold::Shared => self.backend.try_lock_shared_range(start, end),
        }
    }

    /// Takes a range, if no other process holds it.
    pub(super) fn try_lock(&self, range: Range, hold: Hold) -> Result<bool, BackendError> {
        if self.is_whole || self.claimed.contains(&range) {
            return Ok(true);
        }
        let locked = self.try_lock_native(range, hold)?;
        if locked {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.push(range);
        }
        Ok(locked)
    }

    /// Takes a range once no other process holds it.
    pub(super) fn lock(&self, range: Range, hold: Hold) -> Result<(), BackendError> {
        self.lock_within(MOST_WAIT, range, hold)
    }

    fn lock_within(
        &self,
        most_wait: Duration,
        range: Range,
        hold: Hold,
    ) -> Result<(), BackendError> {
        let mut waited = Duration::ZERO;
        let mut pause = Duration::from_micros(20);
        while !self.try_lock(range, hold)? {
            if waited >= most_wait {
                let error = io::Error::new(
                    io::ErrorKind::TimedOut,
                    "another process holds a lock on the file",
                );
                return Err(BackendError::Io(error));
            }
            thread::sleep(pause);
            waited = waited.saturating_add(pause);
            pause = pause.saturating_mul(2).min(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Gives a range back, unless it is held to the end.
    pub(super) fn unlock(&self, range: Range) -> Result<(), BackendError> {
        if self.is_whole || self.claimed.contains(&range) {
            return Ok(());
        }
        self.backend.unlock_range(range.0, range.1)?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|held| *held != range);
        Ok(())
    }

    pub(super) fn is_locked_elsewhere(&self, (start, end): Range) -> Result<bool, BackendError> {
        if self.is_whole {
            return Ok(false);
        }
        self.backend.query_lock_range(start, end)
    }

    /// Gives back what an opening by redb left locked.
    pub(super) fn unlock_ranges(&self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for (start, end) in taken.drain(..) {
            // What cannot be unlocked is when the file is closed.
            drop(self.backend.unlock_range(start, end));
        }
    }
}

// Closing the file alone would not do: a process that another thread is just starting shares the open
// file description, and so the locks, until it runs its own program.
impl Drop for FileLock {
    fn drop(&mut self) {
        drop(self.backend.close());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use redb::backends::InMemoryBackend;
    use redb::{Builder, ConcurrencyMode, StorageBackend};

    use super::*;

    /// What redb asks of a lock, in order.
    #[derive(Debug, PartialEq, Eq)]
    enum Asked {
        Try(Range, Hold),
        IsLocked(Range),
    }

    #[derive(Debug)]
    struct Recorded {
        bytes: InMemoryBackend,
        asked: Arc<Mutex<Vec<Asked>>>,
    }

    impl Recorded {
        fn note(&self, asked: Asked) {
            let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(asked);
        }
    }

    impl StorageBackend for Recorded {
        fn len(&self) -> io::Result<u64> {
            self.bytes.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.bytes.read(offset, out)
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.bytes.set_len(len)
        }

        fn sync_data(&self) -> io::Result<()> {
            self.bytes.sync_data()
        }

        fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
            self.bytes.write(offset, bytes)
        }

        fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
            self.note(Asked::Try((start, end), Hold::Alone));
            Ok(true)
        }

        fn try_lock_shared_range(
            &self,
            start: Bound<u64>,
            end: Bound<u64>,
        ) -> Result<bool, BackendError> {
            self.note(Asked::Try((start, end), Hold::Shared));
            Ok(true)
        }

        fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
            Ok(())
        }

        fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
            Ok(())
        }

        fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
            Ok(())
        }

        fn query_lock_range(
            &self,
            start: Bound<u64>,
            end: Bound<u64>,
        ) -> Result<bool, BackendError> {
            self.note(Asked::IsLocked((start, end)));
            Ok(false)
        }
    }

    /// If redb asked for others, a writer would not be kept out from the first byte that is read.
    #[test]
    fn r51_what_is_claimed_to_write_is_what_redb_asks_for_first() {
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let backend = Recorded {
            bytes: InMemoryBackend::new(),
            asked: Arc::clone(&asked),
        };
        let mut builder = Builder::new();
        builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
        let database = builder.create_with_backend(backend);
        assert!(database.is_ok());
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let first: Vec<_> = asked
            .iter()
            .filter(|asked| !matches!(asked, Asked::IsLocked(range) if *range != WHOLE_FILE_READER))
            .take(4)
            .collect();
        assert_eq!(
            first,
            [
                &Asked::Try(PROTOCOL, Hold::Shared),
                &Asked::IsLocked(WHOLE_FILE_READER),
                &Asked::Try(ONE_WRITER, Hold::Alone),
                &Asked::Try(WRITER, Hold::Alone),
            ]
        );
    }

    /// A lock on the file at a path, as another process would have it.
    #[cfg(unix)]
    fn claim(path: &std::path::Path, share: Share) -> io::Result<Option<FileLock>> {
        let file = File::options().read(true).write(true).open(path)?;
        FileLock::claim(&file, share)
    }

    #[cfg(unix)]
    #[test]
    fn r51_one_writes_and_what_reads_beside_it_keeps_no_writer_out() -> io::Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        let claims = |share| claim(file.path(), share);
        let writer = claims(Share::ToWrite)?;
        assert!(writer.is_some());
        assert!(claims(Share::ToWrite)?.is_none());
        assert!(claims(Share::ToRead)?.is_none());
        let beside = claims(Share::BesideAWriter)?;
        drop(writer);
        let writer = claims(Share::ToWrite)?;
        assert!(writer.is_some());
        drop((writer, beside));
        let readers = [claims(Share::ToRead)?, claims(Share::ToRead)?];
        assert!(readers.iter().all(Option::is_some));
        assert!(claims(Share::ToWrite)?.is_none());
        drop(readers);
        assert!(claims(Share::ToWrite)?.is_some());
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn r49_a_range_that_another_holds_is_waited_for_and_not_for_ever() -> io::Result<()> {
        const HEADER: Range = (Bound::Included(0), Bound::Excluded(320));
        let file = tempfile::NamedTempFile::new()?;
        let lock = || claim(file.path(), Share::BesideAWriter)?.ok_or(io::Error::other("locked"));
        let (holder, other) = (lock()?, lock()?);
        assert!(holder.lock(HEADER, Hold::Shared).is_ok());
        let shared = other.try_lock(HEADER, Hold::Shared);
        assert!(matches!(shared, Ok(true)));
        assert!(other.unlock(HEADER).is_ok());
        let waited = other.lock_within(Duration::from_millis(30), HEADER, Hold::Alone);
        match waited {
            Err(BackendError::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::TimedOut),
            _ => return Err(io::Error::other("locked, or refused for another reason")),
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(20));
                holder.unlock_ranges();
            });
            assert!(other.lock(HEADER, Hold::Alone).is_ok());
        });
        assert!(matches!(holder.is_locked_elsewhere(HEADER), Ok(true)));
        Ok(())
    }
}
