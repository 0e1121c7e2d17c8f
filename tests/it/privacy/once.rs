//! Idempotency keys, which are secrets, and the answers kept under them (R64).

use contact_store::{IdempotencyKey, KeepAnswers, RecordReports};

use super::shown::{Shown, WORD};
use super::{fill, report, token};
use crate::support::{APP, id, store_with};

fn key() -> IdempotencyKey {
    IdempotencyKey::parse(token("idempotency key")).unwrap()
}

/// A key, a handle with one, and an answer that is repeated.
pub fn values(shown: &mut Shown) {
    let keep = KeepAnswers::default();
    shown.value(&keep);
    shown.value(&key());
    let (store, _) = store_with(|options| options.keep_answers = Some(keep));
    fill(&store);
    let once = store.once(&key());
    shown.value(&once);
    let reports = RecordReports::new(APP).report(report());
    let first = once.record_reports(reports.clone()).wait().unwrap();
    let again = once.record_reports(reports).wait().unwrap();
    assert_eq!((again.repeated, &again.outcome), (true, &first.outcome));
    shown.value(&again);
    shown.value(&store.stats().unwrap().answers.unwrap());
}

/// A key that is reused, one that is invalid, and one for which no answer is kept.
pub fn errors(shown: &mut Shown) {
    let keep = KeepAnswers::default();
    let (store, _) = store_with(|options| options.keep_answers = Some(keep));
    fill(&store);
    let once = store.once(&key());
    once.erase(id(1)).wait().unwrap();
    shown.error(&once.erase(id(2)).wait().unwrap_err());
    let (store, _) = store_with(|_| {});
    shown.error(&store.once(&key()).erase(id(1)).wait().unwrap_err());
    for invalid in [WORD.repeat(20), format!("{WORD}\n")] {
        shown.field_error(&IdempotencyKey::parse(invalid).unwrap_err());
    }
}
