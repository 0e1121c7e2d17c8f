//! The newer of redb's two commit slots.
//!
//! Byte 9 of the file names the slot that counts. No checksum covers that byte: one flipped bit in
//! it, and a file that was not closed cleanly opens at the commit before, an acknowledged one gone.
//! So the newer slot is tried as well, whatever the byte says. If that commit is whole, it is the
//! one to use: it was either acknowledged, or under way when the process ended, and then it may be
//! in (R49). If it is not whole, the byte is right.
//!
//! The commit that byte 9 names has to be whole in any case. If it is not, its number cannot be
//! trusted either, and the other slot may seem newer only because of that.
//!
//! Knows the layout of redb's header (file format 3: its `design.md`) and nothing of its pages.

use std::io;

use super::disk::Disk;

/// What every redb file begins with.
pub(in crate::storage) const MAGIC: [u8; 9] = *b"redb\x1A\x0A\xA9\x0D\x0A";
/// The bytes of the header: 64 of the file's, 128 of each slot.
pub(in crate::storage) const HEADER_BYTES: usize = 320;
const FLAGS_AT: usize = 9;
const PRIMARY: u8 = 1;
const RECOVERY_REQUIRED: u8 = 2;
const TWO_PHASE_COMMIT: u8 = 4;
const SLOTS_AT: [usize; 2] = [64, 192];
const TRANSACTION_ID_AT: usize = 104;

/// The numbers of the commits in both slots, the first of which is the one that counts.
fn transaction_ids(header: &[u8; HEADER_BYTES]) -> [u64; 2] {
    let transaction_id = |slot_at: usize| {
        let at = slot_at.saturating_add(TRANSACTION_ID_AT);
        let bytes = header.get(at..).and_then(|bytes| bytes.first_chunk::<8>());
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    let [first, second] = SLOTS_AT.map(transaction_id);
    if flags(header) & PRIMARY == 0 {
        [first, second]
    } else {
        [second, first]
    }
}

fn flags(header: &[u8; HEADER_BYTES]) -> u8 {
    header.get(FLAGS_AT).copied().unwrap_or_default()
}

/// The number of the newest commit that the header names.
pub(in crate::storage) fn newest_transaction_id(header: &[u8; HEADER_BYTES]) -> u64 {
    let [counts, other] = transaction_ids(header);
    counts.max(other)
}

/// What byte 9 would have to be for the newer slot to count; `None` when it counts already.
pub(in crate::storage) fn flags_for_newer_slot(header: &[u8; HEADER_BYTES]) -> Option<u8> {
    let [counts, other] = transaction_ids(header);
    (other > counts).then_some(flags(header) ^ PRIMARY)
}

/// These flags, with which redb takes no page for whole before it has verified its checksum: it
/// reads pages of a two-phase commit as they are, and panics when they are not whole.
pub(in crate::storage) fn verified_first(flags: u8) -> u8 {
    flags & !TWO_PHASE_COMMIT
}

/// Whether redb closed the file without a failure.
pub(in crate::storage) fn is_marked_clean(header: &[u8; HEADER_BYTES]) -> bool {
    flags(header) & RECOVERY_REQUIRED == 0
}

/// Makes the newer slot count.
pub(in crate::storage) fn set_flags(disk: &dyn Disk, flags: u8) -> io::Result<()> {
    disk.write(FLAGS_AT as u64, &[flags])
}

/// Writes every byte after the header page again and syncs, so that what was read of the newer
/// commit is on the disk before that commit counts. After a failed sync the system may show pages
/// that never reached the disk and that it does not mean to write any more.
pub(in crate::storage) fn rewrite_pages(disk: &dyn Disk) -> io::Result<()> {
    const HEADER_PAGE: u64 = 4_096;
    const CHUNK: u64 = 1 << 20;
    let len = disk.len()?;
    let mut at = HEADER_PAGE;
    let mut bytes = Vec::new();
    while at < len {
        let count = len.saturating_sub(at).min(CHUNK);
        bytes.resize(usize::try_from(count).unwrap_or_default(), 0);
        disk.read(at, &mut bytes)?;
        disk.write(at, &bytes)?;
        at = at.saturating_add(count);
    }
    disk.sync_data()
}
