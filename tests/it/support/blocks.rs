//! Bytes in blocks that copies share until one of them is written to.

use std::io;
use std::sync::Arc;

/// As large as a page of redb.
pub const BLOCK: usize = 4_096;

/// Bytes as a disk has them. A copy costs a pointer a block.
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    blocks: Vec<Arc<[u8; BLOCK]>>,
    len: usize,
}

impl Blocks {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn resize(&mut self, len: usize) {
        let (blocks, within) = (len.div_ceil(BLOCK), len % BLOCK);
        self.len = len;
        self.blocks.resize(blocks, Arc::new([0; BLOCK]));
        // What is cut off must read as zeroes if the disk grows again.
        if within > 0 {
            Arc::make_mut(&mut self.blocks[blocks - 1])[within..].fill(0);
        }
    }

    /// Fills `out` with the bytes from `at`.
    pub fn read(&self, at: usize, out: &mut [u8]) -> io::Result<()> {
        self.check(at, out.len())?;
        for (block, within, from, count) in parts(at, out.len()) {
            out[from..from + count].copy_from_slice(&self.blocks[block][within..within + count]);
        }
        Ok(())
    }

    /// Writes `bytes` from `at`, all within the present length.
    pub fn write(&mut self, at: usize, bytes: &[u8]) -> io::Result<()> {
        self.check(at, bytes.len())?;
        for (block, within, from, count) in parts(at, bytes.len()) {
            Arc::make_mut(&mut self.blocks[block])[within..within + count]
                .copy_from_slice(&bytes[from..from + count]);
        }
        Ok(())
    }

    /// Makes block `number` what it is in `other`, as far as both have it.
    pub fn take_block(&mut self, number: usize, other: &Blocks) {
        if let (Some(block), Some(other)) = (self.blocks.get_mut(number), other.blocks.get(number))
        {
            block.clone_from(other);
        }
    }

    /// The bytes of block `number`; those behind the end are zeroes.
    pub fn block(&self, number: usize) -> &[u8; BLOCK] {
        &self.blocks[number]
    }

    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.blocks.iter().flat_map(|block| **block).collect();
        bytes.truncate(self.len);
        bytes
    }

    fn check(&self, at: usize, len: usize) -> io::Result<()> {
        if at + len > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

impl From<Vec<u8>> for Blocks {
    fn from(bytes: Vec<u8>) -> Self {
        let zeroes = Arc::new([0; BLOCK]);
        let blocks = bytes.chunks(BLOCK).map(|part| {
            let mut block = [0; BLOCK];
            block[..part.len()].copy_from_slice(part);
            if block == *zeroes {
                Arc::clone(&zeroes)
            } else {
                Arc::new(block)
            }
        });
        Blocks {
            blocks: blocks.collect(),
            len: bytes.len(),
        }
    }
}

/// The parts of blocks that `len` bytes from `at` are: the block, where in it, where in the bytes, and
/// how many.
fn parts(at: usize, len: usize) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let (block, within) = ((at + done) / BLOCK, (at + done) % BLOCK);
        let count = (BLOCK - within).min(len - done);
        done += count;
        Some((block, within, done - count, count))
    })
}
