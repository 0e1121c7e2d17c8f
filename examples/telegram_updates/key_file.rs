//! The file with the key of the deep links: read whole, and refused where others may read it too.
//!
//! This module does not know what the key signs.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};

/// The greatest length of a key file, in bytes: nobody means more.
pub const MOST_BYTES: u64 = 4_096;

/// Reads a key: all bytes of the file, a final line end included.
///
/// Where files have no Unix modes, the directory decides who may read it.
///
/// # Errors
///
/// [`KeyFileError`].
pub fn read(path: &OsStr) -> Result<Vec<u8>, KeyFileError> {
    let file = File::open(path).map_err(KeyFileError::Io)?;
    // Of the open file, not of the path: it may name another file by now.
    #[cfg(unix)]
    if is_open_to_others(&file).map_err(KeyFileError::Io)? {
        return Err(KeyFileError::OpenToOthers);
    }
    let mut key = Vec::new();
    let read = file
        .take(MOST_BYTES.saturating_add(1))
        .read_to_end(&mut key);
    if read.map_err(KeyFileError::Io)? as u64 > MOST_BYTES {
        return Err(KeyFileError::TooLong);
    }
    Ok(key)
}

#[cfg(unix)]
fn is_open_to_others(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(file.metadata()?.mode() & 0o077 != 0)
}

/// Why a key file is not taken. No text shows a part of it, or its path.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("the key file cannot be read ({})", .0.kind())]
    Io(#[source] io::Error),
    /// Its group or everybody may read or write it.
    #[error("the key file is open to others: make it 0600, and a new key if it was for long")]
    OpenToOthers,
    /// Something else than a key.
    #[error("the key file has more than {MOST_BYTES} bytes")]
    TooLong,
}
