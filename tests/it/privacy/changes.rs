//! The change feed, which holds ids alone (R60).

use contact_store::{ChangePosition, Changed, KeepChanges, RecordReports, Report, Status, wire};

use super::shown::{Shown, WORD};
use super::{fill, token};
use crate::support::{APP, store_with};

/// Changes that name a contact and a token, and what surrounds them.
pub fn values(shown: &mut Shown) {
    let keep = KeepChanges::default();
    shown.value(&keep);
    let (store, _) = store_with(|options| options.change_feed = Some(keep));
    fill(&store);
    let gone = Report::new(Status::Failed).token(token("first"));
    let reports = RecordReports::new(APP).report(gone);
    store.record_reports(reports).wait().unwrap();
    shown.value(&store.wait_for_changes(ChangePosition::START));
    shown.value(&store.stats().unwrap().changes.unwrap());
    let now = store.snapshot().unwrap();
    let page = now.changes(ChangePosition::START, 100).unwrap();
    shown.value(&page);
    shown.json(&wire::changes(&page));
    let mut removed = 0;
    for change in &page.changes {
        shown.value(change);
        shown.value(&change.what);
        shown.displayed(&change.position);
        if let Changed::TokenRemoved { why, .. } = change.what {
            shown.displayed(&why);
            removed += 1;
        }
    }
    assert_eq!(removed, 1);
}

/// Positions that cannot be read after, and text that is none.
pub fn errors(shown: &mut Shown) {
    let (store, _) = store_with(|_| {});
    fill(&store);
    let now = store.snapshot().unwrap();
    shown.error(&now.changes(ChangePosition::START, 1).unwrap_err());
    let ahead = ChangePosition::parse("4294967296").unwrap();
    shown.error(&now.changes(ahead, 1).unwrap_err());
    shown.field_error(&ChangePosition::parse(WORD).unwrap_err());
}
