//! The check of calls that fail is proved: it finds a disk that says nothing of it.

use super::disk::Call;
use super::every_call::one_call_fails_silently;
use crate::support::finding;

#[test]
fn a_disk_that_says_nothing_of_a_write_or_a_sync_that_failed_is_found() {
    let mut all = Vec::new();
    for of in [Call::Write, Call::Sync] {
        for at in 1..=3 {
            all.push(finding(|| one_call_fails_silently(2, of, at)));
        }
    }
    panic!("{all:#?}");
}
