//! Files that the tool makes: readable by their owner alone, and never in place of another.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempPath};

use crate::failure::Failure;

const SUFFIX: &str = ".tmp";

/// A file that has its name only once it is complete, and that is gone otherwise.
#[derive(Debug)]
pub(crate) struct NewFile {
    path: PathBuf,
    temporary: NamedTempFile,
}

impl NewFile {
    /// Begins a file that shall be at `path`, where none is. Removes what commands that were killed left of
    /// theirs.
    pub(crate) fn at(path: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::file(path, error);
        if fs::symlink_metadata(path).is_ok() {
            return Err(failed(ErrorKind::AlreadyExists.into()));
        }
        let prefix = hidden(path, ".").map_err(failed)?;
        remove_left_overs(path, &prefix);
        let mut builder = Builder::new();
        builder.prefix(&prefix).suffix(SUFFIX);
        let temporary = builder.tempfile_in(directory_of(path)).map_err(failed)?;
        // Until it is complete or the process ends, others leave it alone. Where files have no locks, they
        // cannot lock it either.
        drop(temporary.as_file().try_lock());
        Ok(NewFile {
            path: path.to_owned(),
            temporary,
        })
    }

    /// Gives the file its name, once it is on the disk.
    pub(crate) fn publish(self) -> Result<(), Failure> {
        let (file, temporary) = self.temporary.into_parts();
        publish(&file, temporary, &self.path)
    }
}

impl Write for &NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.as_file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.as_file().flush()
    }
}

/// Gives a complete file its name, once it is on the disk, and takes its temporary name away.
pub(crate) fn publish(file: &File, temporary: TempPath, path: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::file(path, error);
    file.sync_all().map_err(failed)?;
    // Never replaces a file that was made meanwhile.
    let published = temporary.persist_noclobber(path);
    published.map_err(|error| failed(error.error))?;
    sync_directory_of(path).map_err(failed)
}

/// Removes files with a temporary name of one that was to be at `path`, unless their maker is at work.
fn remove_left_overs(path: &Path, prefix: &OsStr) {
    let Ok(entries) = fs::read_dir(directory_of(path)) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        let is_temporary = name.starts_with(prefix.as_encoded_bytes())
            && name.ends_with(SUFFIX.as_bytes())
            && entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_temporary {
            continue;
        }
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            // What cannot be removed now, the next command removes.
            drop(fs::remove_file(entry.path()));
        }
    }
}

fn directory_of(path: &Path) -> &Path {
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
}

/// Makes a file that its owner alone may read.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// The path of a hidden file beside another, named after it.
pub(crate) fn beside(path: &Path, ending: &str) -> io::Result<PathBuf> {
    Ok(path.with_file_name(hidden(path, ending)?))
}

fn hidden(path: &Path, ending: &str) -> io::Result<OsString> {
    let name = path.file_name();
    let name = name.ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(ending);
    Ok(hidden)
}

/// Makes sure that names of the directory that a file is in are on the disk.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        File::open(directory_of(path))?.sync_all()?;
    }
    #[cfg(not(unix))]
    drop(path);
    Ok(())
}
