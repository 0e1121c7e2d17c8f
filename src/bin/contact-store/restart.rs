//! The restart point of an import, in a file beside the store or the file that is imported.
//!
//! It is written anew after each batch: under another name first, so that there is always a whole one.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use contact_store::transfer::RestartPoint;

use crate::failure::Failure;
use crate::form::is_standard;
use crate::new_file::{beside, create, sync_directory_of};
use crate::place::Place;

/// Where the restart point of imports into one store is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    path: PathBuf,
    new: PathBuf,
}

/// What is kept of an interrupted import.
pub(crate) struct Interrupted {
    pub(crate) point: RestartPoint,
    /// The length of its rejects file.
    pub(crate) rejects: u64,
}

impl Kept {
    /// Beside the store; of one in a database beside the file that is imported. `None` of standard input into a
    /// database.
    pub(crate) fn of(place: &Place, file: &Path) -> Result<Option<Self>, Failure> {
        let to = match place.path() {
            Some(store) => store,
            None if is_standard(file) => return Ok(None),
            None => file,
        };
        let failed = |error| Failure::file(to, error);
        Ok(Some(Kept {
            path: beside(to, ".import").map_err(failed)?,
            new: beside(to, ".import.new").map_err(failed)?,
        }))
    }

    /// Reads it, if there is one.
    pub(crate) fn read(&self) -> Result<Option<Interrupted>, Failure> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| Failure::file(&self.path, error))?,
        };
        let mut lines = text.lines();
        let point = lines.next().and_then(|line| line.parse().ok());
        let rejects = lines.next().and_then(|line| line.parse().ok());
        match (point, rejects) {
            (Some(point), Some(rejects)) => Ok(Some(Interrupted { point, rejects })),
            _ => Err(Failure::file(&self.path, ErrorKind::InvalidData.into())),
        }
    }

    /// Writes it in place of the one before.
    pub(crate) fn write(&self, now: &Interrupted) -> io::Result<()> {
        // What a kill left of an earlier one.
        match fs::remove_file(&self.new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = create(&self.new)?;
        write!(file, "{}\n{}\n", now.point, now.rejects)?;
        file.sync_all()?;
        fs::rename(&self.new, &self.path)?;
        sync_directory_of(&self.path)
    }

    /// What keeping it failed with.
    pub(crate) fn failed(&self, error: io::Error) -> Failure {
        Failure::file(&self.path, error)
    }

    /// Removes it, when an import is complete.
    pub(crate) fn remove(&self) -> Result<(), Failure> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::file(&self.path, error))
            }
            _ => Ok(()),
        }
    }
}
