//! The check of every power cut is proved: it finds disks that say that everything is durable when it is
//! not.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use contact_store::{Disk, Options};

use super::disk::RecordingDisk;
use super::exhaustive::each_image;
use super::recovery::{Also, Counts};
use super::tales::connect;
use super::traffic::{Play, Step};
use crate::support::{APP, finding};

/// A disk that leaves out syncs and says nothing of it.
#[derive(Debug)]
struct LyingDisk {
    disk: Arc<RecordingDisk>,
    /// Which syncs it leaves out, counted from 0.
    leaves_out: fn(u64) -> bool,
    syncs: AtomicU64,
}

impl Disk for LyingDisk {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(offset, out)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.write(offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if (self.leaves_out)(self.syncs.fetch_add(1, Ordering::SeqCst)) {
            return Ok(());
        }
        self.disk.sync_data()
    }
}

const DOES_NOT_OPEN: &str = "called `Result::unwrap()` on an `Err` value: Open(Damaged(\"pages that do not fit together\"))";

/// What is found after all the cuts of two requests on such a disk: the names of the images, and what is
/// wrong with each.
fn findings(leaves_out: fn(u64) -> bool) -> Vec<(String, String)> {
    let options = Options::default();
    let play = Play::create(options.clone());
    let made = play.close();
    let lying = |disk| {
        Arc::new(LyingDisk {
            disk,
            leaves_out,
            syncs: AtomicU64::new(0),
        })
    };
    let model = made.models.last().unwrap().clone();
    let mut play = Play::open_through(lying, made.after, options, model);
    play.step(&Step::Ask(connect(APP, "First bot")));
    play.step(&Step::Ask(connect(APP, "Another name")));
    let mut found = Vec::new();
    each_image(play.kill(), |name, image, allowed, images| {
        let finding = finding(|| images.check(image, allowed, Also::default(), &mut Counts::new()));
        found.extend(finding.map(|finding| (name.to_owned(), finding)));
    });
    found
}

#[test]
fn a_disk_that_tells_the_truth_is_found_to_lose_nothing() {
    assert_eq!(findings(|_| false), []);
}

#[test]
fn a_disk_that_never_syncs_is_found_by_what_was_acknowledged_and_is_gone() {
    let found = findings(|_| true);
    let (name, finding) = found
        .iter()
        .rfind(|(name, _)| name.ends_with("Nothing"))
        .unwrap();
    assert_eq!(finding, "found 0, not one of 2..=2", "{name}");
}

#[test]
fn a_disk_that_leaves_out_the_first_sync_of_each_commit_is_found_by_a_header_without_its_pages() {
    let found = findings(|nth| nth % 2 == 0);
    assert!(!found.is_empty());
    for (name, finding) in found {
        assert_eq!(finding, DOES_NOT_OPEN, "{name}");
    }
}
