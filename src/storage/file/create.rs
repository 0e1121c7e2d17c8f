//! Opening a file safely, and creating one so that it is there whole or not at all.
//!
//! redb's own creation is not safe against a power cut, so a new store is made under a temporary
//! name beside the final one, and published by a link that never replaces. This module does not
//! know what is in the file.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::OpenError;

use super::lock::{FileLock, Share};

/// How a temporary name ends, after the final name and a random number.
const SUFFIX: &str = "creating";

/// Opens an existing file for reading and writing.
pub(in crate::storage) fn open_existing(path: &Path) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    open_file(path, options)
}

/// Opens an existing file for reading alone.
pub(in crate::storage) fn open_to_read(path: &Path) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true);
    open_file(path, options)
}

fn open_file(path: &Path, mut options: OpenOptions) -> Result<File, OpenError> {
    no_follow(&mut options);
    let file = options
        .open(path)
        .map_err(|error| open_error(path, error))?;
    if !file.metadata()?.is_file() {
        return Err(OpenError::NotAFile);
    }
    Ok(file)
}

fn open_error(path: &Path, error: io::Error) -> OpenError {
    // What the system says of a link or a directory differs between systems, so look.
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_symlink() => OpenError::SymbolicLink,
        Ok(found) if !found.is_file() => OpenError::NotAFile,
        _ if error.kind() == io::ErrorKind::NotFound => OpenError::NotFound,
        _ => error.into(),
    }
}

/// Whether anything, also a symbolic link that leads nowhere, has this name.
pub(in crate::storage) fn exists(path: &Path) -> Result<bool, OpenError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A file that has a temporary name until it is published.
pub(in crate::storage) struct Unpublished {
    pub(in crate::storage) file: File,
    temporary: PathBuf,
    path: PathBuf,
}

impl Unpublished {
    /// Creates an empty file beside `path`, readable by its owner alone.
    pub(in crate::storage) fn create(path: &Path) -> Result<Self, OpenError> {
        let name = path.file_name().ok_or(OpenError::NotAFile)?;
        let random = getrandom::u64().map_err(|_| OpenError::Random)?;
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{random:016x}.{SUFFIX}"));
        let temporary = path.with_file_name(temporary);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        no_follow(&mut options);
        owner_only(&mut options);
        let file = options.open(&temporary)?;
        Ok(Unpublished {
            file,
            temporary,
            path: path.to_owned(),
        })
    }

    /// Gives the file its final name, unless another file has it by now: then `AlreadyExists`.
    /// Once it returns, the name survives a power cut.
    pub(in crate::storage) fn publish(self) -> Result<(), OpenError> {
        // With a rename, the second of two creators would replace the store of the first.
        let linked =
            fs::hard_link(&self.temporary, &self.path).or_else(|error| match error.kind() {
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound => Err(error),
                _ => rename_without_replacing(&self.temporary, &self.path).map_err(|_| error),
            });
        match linked {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(OpenError::AlreadyExists);
            }
            Err(error) => return Err(error.into()),
        }
        self.remove_temporary();
        sync_directory_of(&self.path)?;
        Ok(())
    }

    /// Gives the file its final name, and takes that from the file that has it. That survives a power cut
    /// once [`sync_directory_of`] returns.
    pub(in crate::storage) fn replace(self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.path)
    }

    /// Gives the file the owner, the group and the permission bits of the one at its final name, so that
    /// a user who could open that one can open this one in its place.
    pub(in crate::storage) fn take_access_from_the_other(&self) -> io::Result<()> {
        let other = fs::symlink_metadata(&self.path)?;
        take_owner(&self.file, &other)?;
        self.file.set_permissions(other.permissions())
    }

    /// Whether the file still has its temporary name. Once it is locked, no other creator removes that.
    pub(in crate::storage) fn is_there(&self) -> Result<bool, OpenError> {
        exists(&self.temporary)
    }

    fn remove_temporary(&self) {
        // A left-over is found and removed by the next creation.
        drop(fs::remove_file(&self.temporary));
    }
}

impl Drop for Unpublished {
    fn drop(&mut self) {
        self.remove_temporary();
    }
}

/// Removes what creations of `path` that were cut off left behind: files with a temporary name that
/// nobody has locked.
pub(in crate::storage) fn remove_left_overs(path: &Path) {
    let (Some(name), Ok(entries)) = (path.file_name(), fs::read_dir(directory_of(path))) else {
        return;
    };
    for entry in entries.flatten() {
        if !is_temporary_name(&entry.file_name(), name) {
            continue;
        }
        let Ok(file) = open_existing(&entry.path()) else {
            continue;
        };
        // One that is being made right now is locked by its maker. The lock is held while the file is
        // removed: its maker may be about to take it.
        if let Ok(Some(_lock)) = FileLock::claim(&file, Share::ToWrite) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// Whether a creation of a file of this name could have made one that is named `found`.
fn is_temporary_name(found: &OsStr, name: &OsStr) -> bool {
    let random = found
        .as_encoded_bytes()
        .strip_prefix(b".")
        .and_then(|rest| rest.strip_prefix(name.as_encoded_bytes()))
        .and_then(|rest| rest.strip_prefix(b"."))
        .and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()))
        .and_then(|rest| rest.strip_suffix(b"."));
    random.is_some_and(|random| {
        random.len() == 16
            && random
                .iter()
                .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn no_follow(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    // Not blocking: opening a pipe must not wait for its other end.
    let flags =
        rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    options.custom_flags(flags.bits().cast_signed());
}

#[cfg(not(unix))]
fn no_follow(_: &mut OpenOptions) {}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn owner_only(_: &mut OpenOptions) {}

/// The permission bits of the file when others than its owner have any (R53).
#[cfg(unix)]
pub(in crate::storage) fn wider_mode(file: &File) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

#[cfg(not(unix))]
pub(in crate::storage) fn wider_mode(_: &File) -> io::Result<Option<u32>> {
    Ok(None)
}

/// Only what differs is set: to set one's own is refused on some file systems.
#[cfg(unix)]
fn take_owner(file: &File, other: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let own = file.metadata()?;
    let owner = (own.uid() != other.uid()).then(|| other.uid());
    let group = (own.gid() != other.gid()).then(|| other.gid());
    match (owner, group) {
        (None, None) => Ok(()),
        (owner, group) => fchown(file, owner, group),
    }
}

#[cfg(not(unix))]
fn take_owner(_: &File, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// Makes the names in the directory of `path` survive a power cut.
#[cfg(unix)]
pub(in crate::storage) fn sync_directory_of(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

#[cfg(not(unix))]
pub(in crate::storage) fn sync_directory_of(_: &Path) -> io::Result<()> {
    Ok(())
}

/// For file systems without hard links.
#[cfg(target_os = "linux")]
fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

#[cfg(not(target_os = "linux"))]
fn rename_without_replacing(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
