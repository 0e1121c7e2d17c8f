//! Whether the file of an open store is still the file at its path (R69).
//!
//! An open file stays usable after its name is gone: what is written to it then is lost with the last
//! handle, or is in another place than the operator thinks. This module knows names and numbers of
//! files, and nothing of what is in them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long what was seen is good for: a busy store must not ask the system at each commit.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// Watches the path of an open file.
pub(crate) struct FileWatch {
    path: PathBuf,
    file: FileId,
    seen: Mutex<Seen>,
}

struct Seen {
    at: Instant,
    moved: bool,
}

impl FileWatch {
    /// Watches for `file`, just opened or made at `path`, which is absolute. `None` where files have no
    /// numbers.
    pub(in crate::storage) fn new(path: &Path, file: &File) -> Option<Arc<Self>> {
        Some(Arc::new(FileWatch {
            path: path.to_owned(),
            file: FileId::of(file)?,
            seen: Mutex::new(Seen {
                at: Instant::now(),
                moved: false,
            }),
        }))
    }

    /// Whether the file was moved, replaced or removed, as seen less than a second ago. One that is
    /// not there is looked for each time, so that its return is seen immediately.
    pub(crate) fn is_moved(&self) -> bool {
        // A panic while the lock is held cannot leave a half-made change.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.moved || seen.at.elapsed() >= GOOD_FOR {
            seen.moved = self.is_moved_now();
            seen.at = Instant::now();
        }
        seen.moved
    }

    /// The same, as it is at this moment.
    pub(in crate::storage) fn is_moved_now(&self) -> bool {
        !self.file.is_at(&self.path)
    }
}

/// What tells a file from all others.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileId {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
}

#[cfg(unix)]
impl FileId {
    fn of(file: &File) -> Option<Self> {
        file.metadata().ok().map(|found| Self::from(&found))
    }

    /// Whether it has this name. A link that leads to it is not its name: a store behind a link is not
    /// opened either. Where the system does not say, nothing is known to be wrong.
    fn is_at(self, path: &Path) -> bool {
        use std::io::ErrorKind::{NotADirectory, NotFound};
        match std::fs::symlink_metadata(path) {
            Ok(found) => Self::from(&found) == self,
            Err(error) => !matches!(error.kind(), NotFound | NotADirectory),
        }
    }
}

#[cfg(unix)]
impl From<&std::fs::Metadata> for FileId {
    fn from(found: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        FileId {
            device: found.dev(),
            inode: found.ino(),
        }
    }
}

#[cfg(not(unix))]
impl FileId {
    fn of(_: &File) -> Option<Self> {
        None
    }

    fn is_at(self, _: &Path) -> bool {
        true
    }
}
