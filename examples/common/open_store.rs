//! Opening the store of a program, and saying which file could not be had and what was wanted of it.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use contact_store::{ContactStore, Create, Error, OpenError, Options};

use super::causes::WithCauses;

/// Opens the store at `path`.
///
/// # Errors
///
/// [`CannotOpen`].
pub fn open_store(path: &Path, options: Options) -> Result<ContactStore, CannotOpen> {
    let may_create = options.create != Create::Never;
    ContactStore::open(path, options).map_err(|error| CannotOpen {
        path: path.to_owned(),
        may_create,
        error,
    })
}

/// A store that cannot be opened. Its file is as it was.
#[derive(Debug)]
pub struct CannotOpen {
    path: PathBuf,
    may_create: bool,
    /// What the library says.
    pub error: Error,
}

impl CannotOpen {
    /// The directory of the file, when there is none: the library finds that out only as far as the
    /// system tells.
    fn missing_directory(&self) -> Option<&Path> {
        let is_missing = match &self.error {
            Error::Open(OpenError::NotFound) => true,
            Error::Open(OpenError::Io(error)) => error.kind() == ErrorKind::NotFound,
            _ => false,
        };
        let directory = self.path.parent().filter(|it| *it != Path::new(""))?;
        (is_missing && !directory.exists()).then_some(directory)
    }
}

impl fmt::Display for CannotOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_there = self.path.symlink_metadata().is_ok();
        let wanted = match (&self.error, self.may_create && !is_there) {
            (Error::Open(OpenError::LimitTooHigh(_) | OpenError::LimitZero(_)), _) => "opened",
            (_, true) => "created",
            (Error::Open(OpenError::Io(_)), false) => "opened for reading and writing",
            _ => "opened",
        };
        write!(f, "the store {} cannot be {wanted}: ", self.path.display())?;
        match (&self.error, self.missing_directory()) {
            (_, Some(directory)) => write!(f, "there is no directory {}", directory.display()),
            (Error::Open(OpenError::NotFound), None) => {
                f.write_str("there is no file; with --create it is made")
            }
            (Error::Open(OpenError::OldFormat { found, known }), None) => write!(
                f,
                "the file has format {found}, this version works with {known}; with --upgrade it is upgraded"
            ),
            (Error::Open(OpenError::Io(error)), None) => write!(f, "{}", error.kind()),
            (error, None) => write!(f, "{}", WithCauses(error)),
        }
    }
}
