//! Damage to the answers that are kept for repeated requests (R64): a damaged one is an error where it is
//! read, never an outcome that was not the first, and `verify` finds what rows say against each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use contact_store::{
    ContactStore, Error, IdempotencyKey, KeepAnswers, Options, RecordReports, Report, Status,
    StorageError, TokenEntry,
};

use super::scratch;
use crate::support::raw::{self, Key};
use crate::support::{APP, add, connect, options};

const REQUESTS: u64 = 3;

struct File {
    directory: tempfile::TempDir,
    sound: PathBuf,
}

fn keeping() -> Options {
    options().0.keep_answers(KeepAnswers::default())
}

/// Makes a request, or makes it again.
fn ask(store: &ContactStore, n: u64) -> Result<bool, Error> {
    let key = IdempotencyKey::parse(format!("key {n}")).unwrap();
    let report = Report::new(Status::Sent).token("a");
    let request = RecordReports::new(APP).reports((0..=n).map(|_| report.clone()));
    let answer = store.once(&key).record_reports(request).wait()?;
    assert_eq!(answer.outcome.len() as u64, n + 1, "not its outcome");
    Ok(answer.repeated)
}

fn problems(store: &ContactStore) -> BTreeSet<(&'static str, &'static str)> {
    let verified = store.snapshot().unwrap().verify().unwrap();
    let problems = verified.problems.iter();
    problems
        .map(|problem| (problem.table, problem.what))
        .collect()
}

impl File {
    fn new() -> Self {
        let directory = scratch();
        let sound = directory.path().join("sound.redb");
        let store = ContactStore::open(&sound, keeping()).unwrap();
        connect(&store);
        add(&store, TokenEntry::new("a").external_customer_id("c1"));
        for n in 0..REQUESTS {
            assert!(!ask(&store, n).unwrap());
        }
        assert_eq!(problems(&store), [].into());
        store.close().unwrap();
        File { directory, sound }
    }

    fn rows(&self, table: &str) -> Vec<(Key, Vec<u8>)> {
        raw::rows(&self.sound, table)
    }

    /// A copy with a row changed.
    fn with(&self, table: &str, key: &Key, bytes: Option<&[u8]>) -> ContactStore {
        let path = self.directory.path().join("changed.redb");
        fs::copy(&self.sound, &path).unwrap();
        raw::write(&path, table, key, bytes);
        ContactStore::open(&path, keeping()).unwrap()
    }
}

#[test]
fn r64_a_damaged_answer_is_an_error_where_it_is_read_and_found_by_verify() {
    let file = File::new();
    for table in ["answers", "answer_keys"] {
        let rows = file.rows(table);
        assert_eq!(rows.len() as u64, REQUESTS, "{table}");
        for (key, bytes) in &rows {
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << (at % 8);
                let store = file.with(table, key, Some(&damaged));
                let found = problems(&store);
                assert!(found.iter().any(|(of, _)| *of == table), "{table} {at}");
                let answers: Vec<_> = (0..REQUESTS).map(|n| ask(&store, n)).collect();
                let is_corrupt = |answer: &Result<bool, Error>| {
                    matches!(answer, Err(Error::Storage(StorageError::Corrupt(_))))
                };
                assert!(answers.iter().any(is_corrupt), "{table} {at}: {answers:?}");
                drop(store.close());
                // One flip a row is enough of the longer ones.
                if at > 8 {
                    break;
                }
            }
        }
    }
}

#[test]
fn r64_an_outcome_that_is_none_of_its_request_is_corrupt() {
    let file = File::new();
    let (key, record) = file.rows("answers").swap_remove(0);
    let Key::Int(number) = key else {
        panic!("the key of an answer is a number");
    };
    let payload = raw::payload(&record);
    for outcome in [&[][..], &[1, 0, 9], &[1, 0, 1, 7], &[2, 0, 1]] {
        // Both hashes, and a time of three bytes.
        let changed = [&payload[..35], outcome].concat();
        let sealed = raw::sealed("answers", number, &changed);
        let store = file.with("answers", &key, Some(&sealed));
        let answer = ask(&store, 0);
        let is_corrupt = matches!(
            answer,
            Err(Error::Storage(StorageError::Corrupt(
                "an outcome that does not decode"
            )))
        );
        assert!(is_corrupt, "{answer:?}");
        drop(store.close());
    }
}

#[test]
fn r64_verify_finds_an_answer_without_a_key_and_a_key_without_an_answer() {
    let file = File::new();
    let without = |table: &str| {
        let (key, _) = file.rows(table).swap_remove(0);
        problems(&file.with(table, &key, None))
    };
    let astray = (
        "answer_keys",
        "the idempotency key does not lead to its answer",
    );
    let no_key = (
        "answers",
        "no idempotency key leads to the answer, or to a later one",
    );
    assert_eq!(without("answers"), [astray].into());
    assert_eq!(without("answer_keys"), [no_key].into());
    // Under a number that no request has had.
    let (_, record) = file.rows("answers").swap_remove(0);
    let sealed = raw::sealed("answers", 99, raw::payload(&record));
    let found = problems(&file.with("answers", &Key::Int(99), Some(&sealed)));
    let unmade = ("answers", "the request was not made yet");
    assert_eq!(found, [unmade, no_key].into());
}
