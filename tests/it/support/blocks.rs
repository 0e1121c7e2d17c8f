//! The bytes of a disk. Copies share their blocks until one of them is written to, so that a disk
//! can be kept as it was at many moments.

use std::hash::{DefaultHasher, Hasher as _};
use std::io;
use std::sync::{Arc, LazyLock, OnceLock};

/// As large as a page of redb.
pub const BLOCK: usize = 4_096;

#[derive(Clone)]
struct Block {
    bytes: [u8; BLOCK],
    /// Taken when it is first asked for.
    sum: OnceLock<u64>,
}

impl Block {
    fn sum(&self) -> u64 {
        *self.sum.get_or_init(|| {
            let mut hasher = DefaultHasher::new();
            hasher.write(&self.bytes);
            hasher.finish()
        })
    }
}

static ZEROES: LazyLock<Arc<Block>> = LazyLock::new(|| {
    Arc::new(Block {
        bytes: [0; BLOCK],
        sum: OnceLock::new(),
    })
});

#[derive(Clone, Default)]
pub struct Blocks {
    blocks: Vec<Arc<Block>>,
    len: usize,
}

impl Blocks {
    pub fn len(&self) -> usize {
        self.len
    }

    /// A sum of all bytes, in which every change shows.
    pub fn sum(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write_usize(self.len);
        for block in &self.blocks {
            hasher.write_u64(block.sum());
        }
        hasher.finish()
    }

    /// Fills `out` with the bytes from `at`, which must be there.
    pub fn read(&self, at: usize, out: &mut [u8]) -> io::Result<()> {
        if at + out.len() > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (block, within, from, count) in parts(at, out.len()) {
            let bytes = &self.blocks[block].bytes[within..within + count];
            out[from..from + count].copy_from_slice(bytes);
        }
        Ok(())
    }

    /// Writes `bytes` from `at`, all of which must be there.
    pub fn write(&mut self, at: usize, bytes: &[u8]) -> io::Result<()> {
        if at + bytes.len() > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.write_within(at, bytes);
        Ok(())
    }

    /// Writes bytes from `at`; what lies beyond the end is not written.
    pub fn write_within(&mut self, at: usize, written: &[u8]) {
        let there = self.len.saturating_sub(at).min(written.len());
        for (block, within, from, count) in parts(at, there) {
            let (block, bytes) = (&mut self.blocks[block], &written[from..from + count]);
            // Written again as it is, it stays shared.
            if block.bytes[within..within + count] != *bytes {
                let block = Arc::make_mut(block);
                block.bytes[within..within + count].copy_from_slice(bytes);
                block.sum = OnceLock::new();
            }
        }
    }

    /// Cuts it, or fills it up with zeroes.
    pub fn set_len(&mut self, len: usize) {
        let shorter = len < self.len;
        self.len = len;
        let (blocks, within) = (len.div_ceil(BLOCK), len % BLOCK);
        self.blocks.resize_with(blocks, || ZEROES.clone());
        // What is cut off must read as zeroes if it grows again.
        if within > 0 && shorter {
            let last = Arc::make_mut(&mut self.blocks[blocks - 1]);
            last.bytes[within..].fill(0);
            last.sum = OnceLock::new();
        }
    }

    /// Makes block `number` what it is in `other`, as far as both have it.
    pub fn take_block(&mut self, number: usize, other: &Blocks) {
        if let (Some(block), Some(other)) = (self.blocks.get_mut(number), other.blocks.get(number))
        {
            block.clone_from(other);
        }
    }

    /// The bytes of block `number`; those beyond the end are zeroes.
    pub fn block(&self, number: usize) -> &[u8; BLOCK] {
        &self.blocks[number].bytes
    }

    /// All of them, in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = Vec::with_capacity(self.blocks.len() * BLOCK);
        self.blocks
            .iter()
            .for_each(|block| bytes.extend(block.bytes));
        bytes.truncate(self.len);
        bytes
    }
}

impl From<Vec<u8>> for Blocks {
    fn from(bytes: Vec<u8>) -> Self {
        let mut blocks = Blocks::default();
        blocks.set_len(bytes.len());
        blocks.write_within(0, &bytes);
        blocks
    }
}

/// The parts of blocks that `len` bytes from `at` are: the block, the place in it, the place in the
/// bytes, and how many.
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
