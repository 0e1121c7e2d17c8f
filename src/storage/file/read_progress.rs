//! A disk that reports to the host how much of it was read, while a store is opened.
//!
//! This module does not know why the disk is read.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::opening::{OpeningStage, Progress};

use super::disk::Disk;

/// Bytes after which the host is told again.
const STEP: u64 = 4 << 20;

/// A disk that tells how much of it was read.
#[derive(Debug)]
pub(in crate::storage) struct ReadProgress {
    under: Arc<dyn Disk>,
    progress: Progress,
    of: u64,
    read: AtomicU64,
}

impl ReadProgress {
    pub(in crate::storage) fn new(under: Arc<dyn Disk>, progress: Progress) -> io::Result<Self> {
        let of = under.len()?;
        progress.tell(OpeningStage::Verifying, 0, of);
        Ok(ReadProgress {
            under,
            progress,
            of,
            read: AtomicU64::new(0),
        })
    }
}

impl Disk for ReadProgress {
    fn len(&self) -> io::Result<u64> {
        self.under.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.under.read(offset, out)?;
        let len = out.len() as u64;
        let before = self.read.fetch_add(len, Ordering::Relaxed);
        let now = before.saturating_add(len);
        if before / STEP != now / STEP {
            self.progress.tell(OpeningStage::Verifying, now, self.of);
        }
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.under.write(offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.under.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.under.sync_data()
    }
}
