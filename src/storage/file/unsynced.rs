//! A disk that is not synced while a file is being made on it.
//!
//! Such a file has no name yet that anything would find it under, so its commits need not last: one sync
//! at the end is enough. This module does not know when that is.

use std::io;
use std::sync::Arc;

use super::disk::Disk;

/// A disk whose syncs do nothing.
#[derive(Debug)]
pub(in crate::storage) struct Unsynced(pub(in crate::storage) Arc<dyn Disk>);

impl Disk for Unsynced {
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
        Ok(())
    }
}
