//! A file that holds a secret: read whole, and refused where others may read it, too.
//!
//! The rule is PostgreSQL's: 0600 or less if the user owns the file, 0640 or less if root does, so that a
//! secret that is mounted for a group can be used. This module does not know what the secret is for.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Reads a secret of at most `most` bytes.
///
/// # Errors
///
/// [`KeyFileError`].
pub fn read_key_file(path: &Path, most: usize) -> Result<Vec<u8>, KeyFileError> {
    let wrong = |fault| KeyFileError {
        path: path.to_owned(),
        fault,
    };
    let read = || -> Result<Vec<u8>, KeyFileFault> {
        let file = File::open(path)?;
        // Of the open file, not of the path: it may name another file by now.
        check_access(&file)?;
        let mut key = Vec::new();
        let more_than_most = most.saturating_add(1);
        file.take(more_than_most as u64).read_to_end(&mut key)?;
        if key.len() > most {
            return Err(KeyFileFault::TooLong { most });
        }
        Ok(key)
    };
    read().map_err(wrong)
}

#[cfg(unix)]
fn check_access(file: &File) -> Result<(), KeyFileFault> {
    use std::os::unix::fs::MetadataExt as _;

    let about = file.metadata()?;
    let user = rustix::process::geteuid().as_raw();
    check_mode(about.uid(), about.mode() & 0o777, user)
}

/// The rule: for the owner and the mode of a file, and the user who reads it.
#[cfg(unix)]
pub fn check_mode(owner: u32, mode: u32, user: u32) -> Result<(), KeyFileFault> {
    const ROOT: u32 = 0;
    let to_others = match owner {
        ROOT => 0o037,
        owner if owner == user => 0o077,
        _ => return Err(KeyFileFault::OwnedByAnother),
    };
    match mode & to_others {
        0 => Ok(()),
        _ => Err(KeyFileFault::OpenToOthers { mode }),
    }
}

// Without modes the directory decides who may read it.
#[cfg(not(unix))]
fn check_access(_: &File) -> Result<(), KeyFileFault> {
    Ok(())
}

/// A key file that is not taken. No text shows a part of what is in it.
#[derive(Debug, thiserror::Error)]
#[error("the key file {} {fault}", .path.display())]
pub struct KeyFileError {
    path: PathBuf,
    /// What is wrong with it.
    pub fault: KeyFileFault,
}

/// What is wrong with a key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileFault {
    /// It cannot be read.
    #[error("cannot be opened for reading ({})", .0.kind())]
    Io(#[from] io::Error),
    /// Others may read or write it.
    #[error(
        "has mode {mode:04o}: it must be 0600 or less if its user owns it, 0640 or less if root does"
    )]
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no modes"))]
    OpenToOthers {
        /// Its permission bits.
        mode: u32,
    },
    /// Neither the user of this process nor root owns it.
    #[error("is owned by another user: it must be the user of this process, or root")]
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no owners"))]
    OwnedByAnother,
    /// Other than a key.
    #[error("has more than {most} bytes")]
    TooLong {
        /// The greatest length.
        most: usize,
    },
}
