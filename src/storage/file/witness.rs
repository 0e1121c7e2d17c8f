//! A disk that notices when it shows something other than was written to it.
//!
//! redb does not verify the pages that it reads while a store is open. From one that went bad it
//! answers wrongly, or panics; where it panics while another panic unwinds, it takes the process
//! with it. So a sum of every block is kept in memory, from when the block was first read, which is
//! while redb verifies it at opening, or last written. This module does not know what is in a
//! block.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use super::disk::Disk;

/// As large as a page of redb, which reads and writes whole pages.
const BLOCK: usize = 4_096;

/// The sum of a block that is not known.
const UNKNOWN: u64 = 0;

/// A disk whose reads are compared with what is known of each block. It takes 8 bytes of memory for
/// each of them.
#[derive(Debug)]
pub(in crate::storage) struct Witness {
    disk: Arc<dyn Disk>,
    sums: RwLock<Vec<u64>>,
}

impl Witness {
    pub(in crate::storage) fn new(disk: Arc<dyn Disk>) -> Self {
        Witness {
            disk,
            sums: RwLock::default(),
        }
    }

    /// Forgets all sums: what is read next is believed.
    pub(in crate::storage) fn forget(&self) {
        self.change(Vec::clear);
    }

    fn change(&self, change: impl FnOnce(&mut Vec<u64>)) {
        change(&mut self.sums.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Remembers what `bytes` from `offset` are.
    fn remember(&self, offset: u64, bytes: &[u8]) {
        self.change(|sums| {
            for (number, block) in whole_blocks(offset, bytes) {
                if sums.len() <= number {
                    sums.resize(number.saturating_add(1), UNKNOWN);
                }
                if let Some(known) = sums.get_mut(number) {
                    *known = sum(block);
                }
            }
        });
    }
}

/// The whole blocks in `bytes` from `offset`, with their numbers. Not the first of the disk: it is
/// written in parts, and read at opening only.
fn whole_blocks(offset: u64, bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let first = offset.div_ceil(BLOCK as u64);
    let skipped = first.saturating_mul(BLOCK as u64).saturating_sub(offset);
    let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
    let first = usize::try_from(first).unwrap_or(usize::MAX);
    bytes
        .get(skipped..)
        .unwrap_or_default()
        .chunks_exact(BLOCK)
        .enumerate()
        .map(move |(number, block)| (first.saturating_add(number), block))
        .filter(|(number, _)| *number > 0)
}

/// A sum in which every change of one word shows, and of several all but surely. Not the SipHash of
/// the records: this one is taken with every read from the disk.
fn sum(block: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    // Eight, since a multiplication takes longer than the processor has to wait for the next.
    let mut lanes = [1_u64, 2, 3, 4, 5, 6, 7, 8];
    for words in block.chunks_exact(64) {
        for (lane, word) in lanes.iter_mut().zip(words.chunks_exact(8)) {
            let word = word.first_chunk().copied().unwrap_or_default();
            *lane = (*lane ^ u64::from_le_bytes(word))
                .wrapping_mul(ODD)
                .rotate_left(29);
        }
    }
    let mixed = lanes.into_iter().fold(0, |sum: u64, lane| {
        (sum ^ lane).wrapping_mul(ODD).rotate_left(31)
    });
    mixed.max(1)
}

impl Disk for Witness {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    /// An error of kind `InvalidData` says that the disk shows something other than before.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(offset, out)?;
        let mut all_known = true;
        let sums = self.sums.read().unwrap_or_else(PoisonError::into_inner);
        for (number, block) in whole_blocks(offset, out) {
            match sums.get(number).copied().unwrap_or(UNKNOWN) {
                UNKNOWN => all_known = false,
                known if known == sum(block) => {}
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        drop(sums);
        if !all_known {
            self.remember(offset, out);
        }
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        // If this fails, it is unknown what is there.
        let first = offset.checked_div(BLOCK as u64).unwrap_or_default();
        let end = offset.saturating_add(bytes.len() as u64);
        let last = end.div_ceil(BLOCK as u64);
        let span = [first, last].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        self.change(|sums| {
            let end = span[1].min(sums.len());
            if let Some(sums) = sums.get_mut(span[0]..end) {
                sums.fill(UNKNOWN);
            }
        });
        self.disk.write(offset, bytes)?;
        self.remember(offset, bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let whole = len.checked_div(BLOCK as u64).unwrap_or_default();
        self.change(|sums| sums.truncate(usize::try_from(whole).unwrap_or(usize::MAX)));
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.sync_data()
    }

    fn beside(&self) -> io::Result<Arc<dyn Disk>> {
        self.disk.beside()
    }

    fn take_place(&self) -> io::Result<()> {
        self.disk.take_place()
    }

    fn sync_place(&self) -> io::Result<()> {
        self.disk.sync_place()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryDisk;

    fn bytes(blocks: usize) -> usize {
        blocks.saturating_mul(BLOCK)
    }

    fn witness(blocks: usize) -> io::Result<(Arc<MemoryDisk>, Witness)> {
        let disk = Arc::new(MemoryDisk::default());
        disk.set_len(bytes(blocks) as u64)?;
        Ok((disk.clone(), Witness::new(disk)))
    }

    fn read(disk: &impl Disk, block: usize, blocks: usize) -> Result<Vec<u8>, io::ErrorKind> {
        let mut out = vec![0; bytes(blocks)];
        disk.read(bytes(block) as u64, &mut out)
            .map_err(|error| error.kind())?;
        Ok(out)
    }

    #[test]
    fn what_changes_behind_its_back_is_not_shown() -> io::Result<()> {
        let (disk, witness) = witness(4)?;
        witness.write(BLOCK as u64, &[7; 2 * BLOCK])?;
        assert_eq!(read(&witness, 1, 2), Ok(vec![7; 2 * BLOCK]));
        // Not known before it is read.
        disk.write(3 * BLOCK as u64, &[1])?;
        assert!(read(&witness, 3, 1).is_ok());
        for changed in [1, 2, 3] {
            disk.write(bytes(changed) as u64, &[8])?;
            assert_eq!(
                read(&witness, changed, 1),
                Err(io::ErrorKind::InvalidData),
                "{changed}"
            );
        }
        assert_eq!(read(&witness, 1, 2), Err(io::ErrorKind::InvalidData));
        witness.forget();
        assert!(read(&witness, 1, 3).is_ok());
        Ok(())
    }

    #[test]
    fn what_is_written_through_it_is_shown_however_it_lies() -> io::Result<()> {
        let (_, witness) = witness(6)?;
        assert!(read(&witness, 0, 6).is_ok());
        for (at, len) in [(0, 320), (4_096, 1), (5_000, 9_000), (8_192, 4_096), (9, 1)] {
            witness.write(at, &vec![3; len])?;
            assert!(read(&witness, 0, 6).is_ok(), "{len} bytes at {at}");
            assert!(read(&witness, 2, 1).is_ok(), "{len} bytes at {at}");
        }
        // What is cut off and comes back is zeroes.
        witness.set_len(5_000)?;
        witness.set_len(3 * BLOCK as u64)?;
        assert_eq!(
            read(&witness, 2, 1).map(|block| block.iter().any(|byte| *byte != 0)),
            Ok(false)
        );
        Ok(())
    }

    #[test]
    fn every_bit_counts() {
        let zeroes = sum(&[0; BLOCK]);
        for bit in 0..BLOCK * 8 {
            let mut block = [0; BLOCK];
            if let Some(byte) = block.get_mut(bit / 8) {
                *byte = 1 << (bit % 8);
            }
            assert_ne!(sum(&block), zeroes, "bit {bit}");
        }
    }
}
