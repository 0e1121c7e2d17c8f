//! Files that the tool makes: readable by their owner alone, and never in place of another.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A file that has its name only once it is complete, and that is gone otherwise.
#[derive(Debug)]
pub(crate) struct NewFile {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl NewFile {
    /// Begins a file that shall be at `path`, where none is.
    pub(crate) fn at(path: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::file(path, error);
        if fs::symlink_metadata(path).is_ok() {
            return Err(failed(ErrorKind::AlreadyExists.into()));
        }
        let temporary = beside(path, &format!(".{}.tmp", std::process::id())).map_err(failed)?;
        let file = create(&temporary).map_err(failed)?;
        Ok(NewFile {
            path: path.to_owned(),
            temporary,
            file,
        })
    }

    /// Gives the file its name, once it is on the disk.
    pub(crate) fn publish(self) -> Result<(), Failure> {
        publish(&self.file, &self.temporary, &self.path)
    }
}

impl Write for &NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&self.file).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&self.file).flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Already gone once it has its name.
        drop(fs::remove_file(&self.temporary));
    }
}

/// Gives a complete file its name, once it is on the disk, and takes its temporary name away.
pub(crate) fn publish(file: &File, temporary: &Path, path: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::file(path, error);
    file.sync_all().map_err(failed)?;
    // Unlike a rename, this never replaces a file that was made meanwhile.
    fs::hard_link(temporary, path).map_err(failed)?;
    fs::remove_file(temporary).map_err(failed)?;
    sync_directory_of(path).map_err(failed)
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
    let name = path.file_name();
    let name = name.ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(ending);
    Ok(path.with_file_name(hidden))
}

/// Makes sure that names of the directory that a file is in are on the disk.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    #[cfg(not(unix))]
    drop(path);
    Ok(())
}
