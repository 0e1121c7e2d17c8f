//! Vacuum: writing the file of an open store anew, without free pages (R67).
//!
//! This module does not know what a store file looks like.

use std::ops::ControlFlow;

use crate::backup::CopyProgress;
use crate::callback::Callback;
use crate::error::{CopyError, Error};
use crate::storage::Successor;
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

/// Vacuums the store of this writer.
pub(crate) fn vacuum(
    writer: &Writer,
    mut progress: impl FnMut(CopyProgress) -> ControlFlow<()>,
) -> Result<Vacuumed, Error> {
    let mut callback = Callback::default();
    let vacuumed = copy_and_replace(writer, &mut |rows, of| {
        callback.goes_on(|| progress(CopyProgress { rows, of }))
    });
    callback.end();
    vacuumed
}

fn copy_and_replace(
    writer: &Writer,
    goes_on: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Vacuumed, Error> {
    let before = writer.file();
    if !before.is_there() {
        return Err(CopyError::NoFile.into());
    }
    let bytes_before = before.len()?;
    if before.is_moved() {
        return Err(Error::FileMoved);
    }
    // What was erased is not to be in the indexes either, also not its keyed hashes.
    writer.fold_indexes()?;
    let following = writer.follow().ok_or(CopyError::AlreadyRunning)?;
    let successor = Successor::beside(&before)?;
    successor.copy(&following, goes_on)?;
    Ok(Vacuumed {
        bytes_before,
        bytes_after: following.replace(successor)?,
    })
}
