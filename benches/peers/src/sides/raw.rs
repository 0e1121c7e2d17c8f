//! What the disk itself takes: one page written in place and synced, with no store around it.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Its name among the sides.
pub const RAW: &str = "pwrite + fdatasync";

const PAGE: usize = 4096;
const PAGES: u64 = 4096;

pub struct Raw {
    file: File,
    next: AtomicU64,
}

impl Raw {
    /// A file whose pages are all written already, so that no write changes its length.
    pub fn create(path: &Path) -> Self {
        let file = File::create(path).unwrap();
        for page in 0..PAGES {
            file.write_all_at(&[1; PAGE], page * PAGE as u64).unwrap();
        }
        file.sync_all().unwrap();
        Raw {
            file,
            next: AtomicU64::new(0),
        }
    }

    /// Writes a page and waits until it is durable.
    pub fn write(&self) {
        let page = self.next.fetch_add(1, Ordering::Relaxed) % PAGES;
        self.file
            .write_all_at(&[2; PAGE], page * PAGE as u64)
            .unwrap();
        self.file.sync_data().unwrap();
    }
}
