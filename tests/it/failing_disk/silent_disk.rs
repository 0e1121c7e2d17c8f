//! The check of calls that fail is proved: it finds a disk that says nothing of it.

use super::disk::Call;
use super::every_call::one_call_fails_silently;
use crate::support::finding;

/// What is found when one of the first calls of a kind fails in silence: each in turn. The next write to
/// the same place makes up for one that failed.
#[track_caller]
fn found_damaged(of: Call) {
    let mut found = 0;
    for at in 1..=8 {
        if let Some(finding) = finding(|| one_call_fails_silently(2, of, at)) {
            let damaged = "Err` value: Open(Damaged(\"pages that do not fit together\"))";
            assert!(finding.ends_with(damaged), "{of:?} {at}: {finding}");
            found += 1;
        }
    }
    assert!(found > 0);
}

#[test]
fn a_disk_that_says_nothing_of_a_write_that_failed_is_found() {
    found_damaged(Call::Write);
}

#[test]
fn a_disk_that_says_nothing_of_a_sync_that_failed_is_found() {
    found_damaged(Call::Sync);
}
