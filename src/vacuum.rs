//! Vacuum: writing the file of an open store anew, without free pages (R67).
//!
//! This module does not know what a store file looks like.

use std::ops::ControlFlow;

use crate::backup::CopyProgress;
use crate::callback::Callback;
use crate::error::{CopyError, Error};
use crate::storage::Successor;
use crate::store::ContactStore;
use crate::writer::Writer;

/// A vacuum that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vacuumed {
    /// The length of the file before, in bytes.
    pub bytes_before: u64,
    /// The length of the file that is in its place now, in bytes.
    pub bytes_after: u64,
}

impl ContactStore {
    /// Writes the file of the store anew, without free pages ([R67](crate::rulebook#r67)).
    ///
    /// The new file is made beside the old one under a temporary name, while reads and writes go on. It
    /// takes over what changes meanwhile. Then writes wait, about as long as for one commit, until it has
    /// the last changes, is on the disk, and has the name of the store. At every moment there is a
    /// complete file under that name. Temporary files that an interrupted vacuum left are removed by the
    /// next one, and by the next opening of the store.
    ///
    /// The new file has no text of what was erased; keyed hashes of it may be in the indexes until these
    /// are folded. It has the owner, group and permission bits of the old one. Other names of the old
    /// file, if there are hard links to it, keep the old content.
    ///
    /// Snapshots that were taken before read on from the old file. The space of that file is free when
    /// the last of them is dropped. Until then the disk has to have room for both. What was in free
    /// space of a disk, the system may leave there until it is used again.
    ///
    /// `progress` is called about once a megabyte. It cancels the vacuum by returning
    /// [`ControlFlow::Break`].
    ///
    /// ```
    /// # use contact_store::*;
    /// # use std::ops::ControlFlow;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("contacts.redb");
    /// let store = ContactStore::open(&path, Options::default())?;
    /// let done = store.vacuum(|_| ControlFlow::Continue(()))?;
    /// println!("{} bytes, {} before", done.bytes_after, done.bytes_before);
    /// # assert_eq!(std::fs::metadata(&path)?.len(), done.bytes_after);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Copy`] when `progress` cancels, when another vacuum of the store is under way, or when the
    /// new file cannot be written; [`Error::ReadOnly`]; [`Error::FileMoved`]; [`Error::NeedsReopen`] when
    /// a commit or read fails meanwhile; [`Error::Storage`] when the store cannot be read;
    /// [`Error::Closed`]. After an error the old file is in its place, and nothing is left of the new
    /// one. There is one exception: when the system cannot make the new name durable, the new file is in
    /// place, and the store [needs reopening](Self::reopen) before it takes writes.
    pub fn vacuum(
        &self,
        mut progress: impl FnMut(CopyProgress) -> ControlFlow<()>,
    ) -> Result<Vacuumed, Error> {
        if self.is_read_only() {
            return Err(Error::ReadOnly);
        }
        let mut callback = Callback::default();
        let vacuumed = vacuum(self.writer(), &mut |rows, of| {
            callback.goes_on(|| progress(CopyProgress { rows, of }))
        });
        callback.end();
        vacuumed
    }
}

fn vacuum(
    writer: &Writer,
    goes_on: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Vacuumed, Error> {
    let before = writer.file();
    let bytes_before = before.len()?;
    if before.is_moved() {
        return Err(Error::FileMoved);
    }
    let following = writer.follow().ok_or(CopyError::AlreadyRunning)?;
    let successor = Successor::beside(&before)?;
    successor.copy(&following, goes_on)?;
    following.replace(successor)?;
    Ok(Vacuumed {
        bytes_before,
        bytes_after: writer.file().len()?,
    })
}
