//! The newer of redb's two commit slots.
//!
//! Byte 9 of the file names the slot that counts. No checksum covers that byte: one flipped bit in
//! it, and a file that was not closed cleanly opens at the commit before, an acknowledged one gone.
//! So the newer slot is tried first, whatever the byte says. If that commit is whole, it is the one
//! to use: it was either acknowledged, or under way when the process ended, and then it may be in
//! (R49). If it is not whole, the byte is right.
//!
//! Knows the layout of redb's header (file format 3: its `design.md`) and nothing of its pages.

use std::io;

use super::disk::Disk;

/// What every redb file begins with.
pub(super) const MAGIC: [u8; 9] = *b"redb\x1A\x0A\xA9\x0D\x0A";
/// The bytes of the header: 64 of the file's, 128 of each slot.
pub(super) const HEADER_BYTES: usize = 320;
const FLAGS_AT: usize = 9;
const PRIMARY: u8 = 1;
const SLOTS_AT: [usize; 2] = [64, 192];
const TRANSACTION_ID_AT: usize = 104;

/// What byte 9 would have to be for the newer slot to count; `None` when it counts already.
pub(super) fn flags_for_newer_slot(header: &[u8; HEADER_BYTES]) -> Option<u8> {
    let flags = header.get(FLAGS_AT).copied()?;
    let transaction_id = |slot_at: usize| {
        let at = slot_at.checked_add(TRANSACTION_ID_AT)?;
        header
            .get(at..)?
            .first_chunk::<8>()
            .map(|bytes| u64::from_le_bytes(*bytes))
    };
    let ids = [transaction_id(SLOTS_AT[0])?, transaction_id(SLOTS_AT[1])?];
    let (primary, secondary) = if flags & PRIMARY == 0 {
        (ids[0], ids[1])
    } else {
        (ids[1], ids[0])
    };
    (secondary > primary).then_some(flags ^ PRIMARY)
}

/// Makes the newer slot count.
pub(super) fn set_flags(disk: &dyn Disk, flags: u8) -> io::Result<()> {
    disk.write(FLAGS_AT as u64, &[flags])
}

/// Writes every byte behind the header page again and syncs, so that what was read of the newer
/// commit is on the disk before that commit counts. After a failed sync the system may show pages
/// that never reached the disk and that it does not mean to write any more.
pub(super) fn rewrite_pages(disk: &dyn Disk) -> io::Result<()> {
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
