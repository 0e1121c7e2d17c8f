//! A disk that keeps writes back until they have to be on it, and then writes them in order.
//!
//! redb hands over the pages of a commit one by one, in no order, and each separate write
//! costs the device its own time at the next sync. Sorted and joined there are fewer of them. The header
//! does not wait when nothing else does: after a commit, redb tells the processes that only read the file
//! in the header that the commit is durable. This module does not know what a page is.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::Disk;

/// More than this is not kept back.
const MOST_BYTES: usize = 16 << 20;
/// Memory for writes of up to so many bytes is kept for the next commit. Allocated page by page in each, a
/// sweep of FAILED reports took a tenth more processor time.
const KEPT_BYTES: usize = 8 << 20;
/// Writes that touch are joined up to this length.
const JOINED_BYTES: usize = 1 << 20;

/// What is written before this is the header of the file.
const HEADER_BYTES: u64 = 4_096;

/// Writes that wait. No two of them overlap.
#[derive(Default)]
struct Writes {
    /// Where each begins on the disk, and where its bytes are.
    places: BTreeMap<u64, Range<usize>>,
    bytes: Vec<u8>,
}

/// A disk whose writes wait for the next sync.
pub(in crate::storage) struct Gather {
    under: Arc<dyn Disk>,
    waiting: Mutex<Waiting>,
    /// Held while writes are on their way: a reader of what they do not touch waits for neither. It is
    /// the memory in which they are joined.
    on_their_way: Mutex<Vec<u8>>,
}

#[derive(Default)]
struct Waiting {
    writes: Writes,
    /// Those that are being written just now.
    on_their_way: Arc<Writes>,
}

impl Writes {
    /// Whether one of them touches the `len` bytes from `offset`.
    fn overlap(&self, offset: u64, len: usize) -> bool {
        let end = offset.saturating_add(len as u64);
        let before = (Bound::Unbounded, Bound::Excluded(end));
        let last = self.places.range(before).next_back();
        last.is_some_and(|(start, bytes)| start.saturating_add(bytes.len() as u64) > offset)
    }

    /// Puts a write at a place that none of them touches.
    fn put(&mut self, offset: u64, bytes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.places.insert(offset, start..self.bytes.len());
    }

    /// Puts other bytes in the place of a write of the same length, if there is one. Gives whether there
    /// is.
    fn replace(&mut self, offset: u64, bytes: &[u8]) -> bool {
        let same = self.places.get(&offset).cloned();
        match same.and_then(|place| self.bytes.get_mut(place)) {
            Some(before) if before.len() == bytes.len() => {
                before.copy_from_slice(bytes);
                true
            }
            _ => false,
        }
    }

    /// Writes all of them, in order, joined in `run` where they touch.
    fn write_joined(&self, run: &mut Vec<u8>, under: &dyn Disk) -> io::Result<()> {
        run.clear();
        let mut run_at = 0;
        for (offset, place) in &self.places {
            let bytes = self.bytes.get(place.clone()).unwrap_or_default();
            let run_end = u64::saturating_add(run_at, run.len() as u64);
            if *offset != run_end || run.len().saturating_add(bytes.len()) > JOINED_BYTES {
                if !run.is_empty() {
                    under.write(run_at, run)?;
                }
                run.clear();
                run_at = *offset;
            }
            run.extend_from_slice(bytes);
        }
        if run.is_empty() {
            Ok(())
        } else {
            under.write(run_at, run)
        }
    }

    /// Their memory, empty, unless it is too much to be kept.
    fn emptied(mut self) -> Vec<u8> {
        if self.bytes.capacity() > KEPT_BYTES {
            return Vec::new();
        }
        self.bytes.clear();
        self.bytes
    }
}

// A panic while a lock is held leaves the writes that were there, whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gather {
    pub(in crate::storage) fn new(under: Arc<dyn Disk>) -> Self {
        Gather {
            under,
            waiting: Mutex::default(),
            on_their_way: Mutex::default(),
        }
    }

    /// Writes everything that waits. After an error nothing waits any more: it is unknown what is on
    /// the disk.
    fn flush(&self) -> io::Result<()> {
        let mut run = lock(&self.on_their_way);
        let writes = {
            let mut waiting = lock(&self.waiting);
            waiting.on_their_way = Arc::new(std::mem::take(&mut waiting.writes));
            Arc::clone(&waiting.on_their_way)
        };
        let written = writes.write_joined(&mut run, &*self.under);
        let mut waiting = lock(&self.waiting);
        waiting.on_their_way = Arc::default();
        if waiting.writes.bytes.capacity() == 0
            && let Some(writes) = Arc::into_inner(writes)
        {
            waiting.writes.bytes = writes.emptied();
        }
        written
    }
}

// The pages that wait have cards in them.
impl fmt::Debug for Gather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").finish_non_exhaustive()
    }
}

impl Disk for Gather {
    fn len(&self) -> io::Result<u64> {
        self.flush()?;
        self.under.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let waiting = lock(&self.waiting);
        let waits = waiting.writes.overlap(offset, out.len());
        let is_on_its_way = waiting.on_their_way.overlap(offset, out.len());
        drop(waiting);
        if waits {
            self.flush()?;
        } else if is_on_its_way {
            drop(lock(&self.on_their_way));
        }
        self.under.read(offset, out)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut waiting = lock(&self.waiting);
        if offset < HEADER_BYTES && waiting.writes.places.is_empty() {
            drop(waiting);
            // After writes that are on their way.
            let _turn = lock(&self.on_their_way);
            return self.under.write(offset, bytes);
        }
        if waiting.writes.replace(offset, bytes) {
            return Ok(());
        }
        if waiting.writes.overlap(offset, bytes.len()) || waiting.writes.bytes.len() > MOST_BYTES {
            drop(waiting);
            self.flush()?;
            waiting = lock(&self.waiting);
        }
        waiting.writes.put(offset, bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.flush()?;
        self.under.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.flush()?;
        self.under.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryDisk;

    /// A disk that counts the writes that reach it.
    #[derive(Debug, Default)]
    struct Counted(MemoryDisk, Mutex<Vec<(u64, usize)>>);

    impl Disk for Counted {
        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.0.read(offset, out)
        }

        fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
            let mut writes = self.1.lock().unwrap_or_else(PoisonError::into_inner);
            writes.push((offset, bytes.len()));
            self.0.write(offset, bytes)
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.0.set_len(len)
        }

        fn sync_data(&self) -> io::Result<()> {
            self.0.sync_data()
        }
    }

    #[test]
    fn writes_reach_the_disk_at_the_sync_in_order_and_joined() -> io::Result<()> {
        let under = Arc::new(Counted::default());
        let gather = Gather::new(under.clone());
        gather.set_len(6_000)?;
        for (offset, byte) in [(5_040, 4), (5_000, 1), (5_020, 2), (5_030, 3), (5_000, 9)] {
            gather.write(offset, &[byte; 10])?;
        }
        assert_eq!(*under.1.lock().unwrap_or_else(PoisonError::into_inner), []);
        gather.sync_data()?;
        let writes = under
            .1
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        assert_eq!(writes, [(5_000, 10), (5_020, 30)]);
        Ok(())
    }

    #[test]
    fn the_header_does_not_wait_when_nothing_else_does() -> io::Result<()> {
        let under = Arc::new(Counted::default());
        let gather = Gather::new(under.clone());
        gather.set_len(10_000)?;
        let written = || under.1.lock().unwrap_or_else(PoisonError::into_inner).len();
        gather.write(0, &[1; 320])?;
        assert_eq!(written(), 1);
        gather.write(4_096, &[2; 10])?;
        gather.write(0, &[3; 320])?;
        assert_eq!(written(), 1);
        gather.sync_data()?;
        assert_eq!(written(), 3);
        Ok(())
    }

    #[test]
    fn it_reads_like_the_disk_that_it_is_over() -> io::Result<()> {
        let plain = MemoryDisk::default();
        let gather = Gather::new(Arc::new(MemoryDisk::default()));
        plain.set_len(5_000)?;
        gather.set_len(5_000)?;
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for step in 0..3_000_u64 {
            let (offset, len) = (random(4_000), 1 + random(1_000));
            let len = usize::try_from(len).unwrap_or(1);
            if random(3) == 0 {
                let mut seen = [vec![0; len], vec![0; len]];
                let [first, second] = &mut seen;
                plain.read(offset, first)?;
                gather.read(offset, second)?;
                assert!(seen[0] == seen[1], "step {step}");
            } else {
                let bytes = vec![u8::try_from(step % 251).unwrap_or_default(); len];
                plain.write(offset, &bytes)?;
                gather.write(offset, &bytes)?;
            }
            if random(50) == 0 {
                gather.sync_data()?;
            }
        }
        assert_eq!(gather.len()?, plain.len()?);
        Ok(())
    }
}
