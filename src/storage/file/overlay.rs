//! A disk over another whose writes stay in memory.
//!
//! redb writes to a file while opening it, even to one that it then refuses. Checking through an
//! overlay leaves a refused file as it was.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::Disk;

const BLOCK: usize = 4_096;

/// A disk whose writes stay in memory.
#[derive(Debug)]
pub(in crate::storage) struct Overlay {
    under: Arc<dyn Disk>,
    changed: Mutex<Changed>,
}

#[derive(Debug)]
struct Changed {
    len: u64,
    /// How far `under` still shows: what was cut off and lengthened again is zeroes.
    under_len: u64,
    blocks: BTreeMap<u64, Box<[u8; BLOCK]>>,
}

fn early_end() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

impl Overlay {
    pub(in crate::storage) fn new(under: Arc<dyn Disk>) -> io::Result<Self> {
        let len = under.len()?;
        Ok(Overlay {
            under,
            changed: Mutex::new(Changed {
                len,
                under_len: len,
                blocks: BTreeMap::new(),
            }),
        })
    }

    fn changed(&self) -> MutexGuard<'_, Changed> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills `block` with what `under` has from the start of that block.
    fn read_under(&self, number: u64, under_len: u64, block: &mut [u8; BLOCK]) -> io::Result<()> {
        let start = number.saturating_mul(BLOCK as u64);
        let there = usize::try_from(under_len.saturating_sub(start))
            .unwrap_or(BLOCK)
            .min(BLOCK);
        match block.get_mut(..there) {
            Some(part) if there > 0 => self.under.read(start, part),
            _ => Ok(()),
        }
    }
}

/// Calls `each` with every block that `len` bytes from `offset` touch, and where in it they are.
fn blocks(
    offset: u64,
    len: usize,
    mut each: impl FnMut(u64, std::ops::Range<usize>, std::ops::Range<usize>) -> io::Result<()>,
) -> io::Result<()> {
    let mut done = 0_usize;
    while done < len {
        let at = offset.checked_add(done as u64).ok_or_else(early_end)?;
        let number = at.checked_div(BLOCK as u64).unwrap_or_default();
        let within = usize::try_from(at.checked_rem(BLOCK as u64).unwrap_or_default())
            .map_err(|_| early_end())?;
        let count = BLOCK.saturating_sub(within).min(len.saturating_sub(done));
        let end = done.saturating_add(count);
        each(number, within..within.saturating_add(count), done..end)?;
        done = end;
    }
    Ok(())
}

impl Disk for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.changed().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let changed = self.changed();
        let end = offset.checked_add(out.len() as u64).ok_or_else(early_end)?;
        if end > changed.len {
            return Err(early_end());
        }
        let first = offset.checked_div(BLOCK as u64).unwrap_or_default();
        let touched = first..end.div_ceil(BLOCK as u64);
        if end <= changed.under_len && changed.blocks.range(touched).next().is_none() {
            // What nobody wrote is read without making others wait.
            drop(changed);
            return self.under.read(offset, out);
        }
        blocks(offset, out.len(), |number, within, part| {
            let out = out.get_mut(part).ok_or_else(early_end)?;
            let mut fresh = [0; BLOCK];
            let block = match changed.blocks.get(&number) {
                Some(block) => &**block,
                None => {
                    self.read_under(number, changed.under_len, &mut fresh)?;
                    &fresh
                }
            };
            out.copy_from_slice(block.get(within).ok_or_else(early_end)?);
            Ok(())
        })
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut changed = self.changed();
        let end = offset
            .checked_add(bytes.len() as u64)
            .ok_or_else(early_end)?;
        changed.len = changed.len.max(end);
        let under_len = changed.under_len;
        blocks(offset, bytes.len(), |number, within, part| {
            let block = match changed.blocks.entry(number) {
                Entry::Occupied(block) => block.into_mut(),
                Entry::Vacant(place) => {
                    let mut fresh = Box::new([0; BLOCK]);
                    self.read_under(number, under_len, &mut fresh)?;
                    place.insert(fresh)
                }
            };
            block
                .get_mut(within)
                .ok_or_else(early_end)?
                .copy_from_slice(bytes.get(part).ok_or_else(early_end)?);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut changed = self.changed();
        changed.len = len;
        changed.under_len = changed.under_len.min(len);
        // What was cut off must read as zeroes if the disk grows again.
        let whole = len.div_ceil(BLOCK as u64);
        drop(changed.blocks.split_off(&whole));
        let within =
            usize::try_from(len.checked_rem(BLOCK as u64).unwrap_or_default()).unwrap_or_default();
        if within > 0
            && let Some(block) = changed.blocks.get_mut(&whole.saturating_sub(1))
            && let Some(tail) = block.get_mut(within..)
        {
            tail.fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryDisk;

    /// The same operations on an overlay and on a plain disk with the same bytes.
    #[test]
    fn an_overlay_reads_like_the_disk_it_would_have_changed_and_changes_nothing() -> io::Result<()>
    {
        let under = Arc::new(MemoryDisk::default());
        let plain = MemoryDisk::default();
        let original: Vec<u8> = (0..20_000_u32)
            .map(|i| u8::try_from(i % 251).unwrap_or_default())
            .collect();
        for disk in [&*under, &plain] {
            disk.set_len(20_000)?;
            disk.write(0, &original)?;
        }
        let overlay = Overlay::new(under.clone())?;
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for step in 0..2_000_u32 {
            let len = plain.len()?;
            if step % 10 == 9 {
                let len = 1 + random(30_000);
                overlay.set_len(len)?;
                plain.set_len(len)?;
            } else {
                let at = random(len);
                let bytes = vec![
                    u8::try_from(step % 256).unwrap_or_default();
                    usize::try_from((len - at).min(1 + random(9_000))).unwrap_or(1)
                ];
                overlay.write(at, &bytes)?;
                plain.write(at, &bytes)?;
            }
            let len = plain.len()?;
            assert_eq!(overlay.len()?, len);
            let mut seen = (
                vec![0; usize::try_from(len).unwrap_or_default()],
                Vec::new(),
            );
            seen.1.clone_from(&seen.0);
            overlay.read(0, &mut seen.0)?;
            plain.read(0, &mut seen.1)?;
            assert!(seen.0 == seen.1, "step {step}");
        }
        let mut now = vec![0; 20_000];
        under.read(0, &mut now)?;
        assert_eq!(now, original);
        Ok(())
    }

    #[test]
    fn reading_past_the_end_is_an_error_not_zeroes() -> io::Result<()> {
        let under = Arc::new(MemoryDisk::default());
        under.set_len(10)?;
        let overlay = Overlay::new(under)?;
        let read = overlay.read(5, &mut [0; 6]).map_err(|error| error.kind());
        assert_eq!(read, Err(io::ErrorKind::UnexpectedEof));
        Ok(())
    }
}
