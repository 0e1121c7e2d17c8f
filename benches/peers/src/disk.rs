//! Directories of stores: copied, measured, removed.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// An empty directory there.
pub fn empty(directory: &Path) {
    remove(directory);
    fs::create_dir_all(directory).unwrap();
}

pub fn remove(directory: &Path) {
    if directory.exists() {
        fs::remove_dir_all(directory).unwrap();
    }
}

/// A copy of the files of a closed store, all on the disk, so that what is timed afterwards does not
/// wait for them.
pub fn copy(from: &Path, to: &Path) {
    empty(to);
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
            File::open(&target).unwrap().sync_all().unwrap();
        }
    }
    File::open(to).unwrap().sync_all().unwrap();
}

/// The bytes that the disk has given to the files below.
pub fn allocated(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            if entry.file_type().unwrap().is_dir() {
                return allocated(&entry.path());
            }
            entry.metadata().unwrap().blocks() * 512
        })
        .sum()
}
