//! The file of the rows that an import refused, which can be mended and imported.
//!
//! Until the import is complete it is hidden beside its place: an import that was interrupted finds it
//! there, and knows that it is its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use contact_store::transfer::Rejected;
use tempfile::TempPath;

use crate::failure::Failure;
use crate::new_file::{beside, create, publish};

/// Opens what an interrupted import left. A link in its place would have rows written to another file.
fn open_left(part: &Path) -> io::Result<File> {
    if !fs::symlink_metadata(part)?.is_file() {
        return Err(ErrorKind::InvalidInput.into());
    }
    OpenOptions::new().append(true).open(part)
}

/// Where refused rows go. The file is made with the first of them.
#[derive(Debug)]
pub(crate) struct Rejects {
    /// The place of the file, and where it is until the import is complete.
    paths: Option<(PathBuf, PathBuf)>,
    file: Option<File>,
    bytes: u64,
}

impl Rejects {
    /// Rows go to a file at `path`, where none is. Of an interrupted import, there are `bytes` bytes.
    pub(crate) fn to(path: Option<&Path>, bytes: u64, dry_run: bool) -> Result<Self, Failure> {
        let mut rejects = Rejects {
            paths: None,
            file: None,
            bytes: 0,
        };
        let Some(path) = path else {
            return Ok(rejects);
        };
        let failed = |error| Failure::file(path, error);
        if fs::symlink_metadata(path).is_ok() {
            return Err(failed(ErrorKind::AlreadyExists.into()));
        }
        let ending = if dry_run { ".dry-run" } else { ".part" };
        let part = beside(path, ending).map_err(failed)?;
        rejects.bytes = bytes;
        match open_left(&part) {
            Ok(file) if bytes > 0 && file.metadata().map_err(failed)?.len() >= bytes => {
                // Without the rows of batches that are done again.
                file.set_len(bytes).map_err(failed)?;
                rejects.file = Some(file);
            }
            // Of an import that did not get to a restart point.
            Ok(_) => fs::remove_file(&part).map_err(failed)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        if rejects.file.is_none() {
            rejects.bytes = 0;
        }
        rejects.paths = Some((path.to_owned(), part));
        Ok(rejects)
    }

    /// Adds a row, after the header of its source if it is the first.
    pub(crate) fn add(&mut self, rejected: &Rejected<'_>) -> Result<(), Failure> {
        let Some((path, part)) = &self.paths else {
            return Ok(());
        };
        let failed = |error| Failure::file(path, error);
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(create(part).map_err(failed)?),
        };
        let mut text = Vec::new();
        let first = usize::from(self.bytes > 0 || rejected.header.is_empty());
        for line in [rejected.header, rejected.row].into_iter().skip(first) {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        file.write_all(&text).map_err(failed)?;
        self.bytes = self.bytes.saturating_add(text.len() as u64);
        Ok(())
    }

    /// Makes sure that all rows are on the disk. Answers how long the file is then.
    pub(crate) fn sync(&self) -> io::Result<u64> {
        if let Some(file) = &self.file {
            file.sync_data()?;
        }
        Ok(self.bytes)
    }

    /// Gives the file its name, if there were any rows.
    pub(crate) fn publish(self) -> Result<(), Failure> {
        let (Some((path, part)), Some(file)) = (self.paths, self.file) else {
            return Ok(());
        };
        let part = TempPath::try_from_path(part).map_err(|error| Failure::file(&path, error))?;
        publish(&file, part, &path)
    }
}
