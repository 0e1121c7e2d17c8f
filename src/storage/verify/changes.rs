//! The demands on the change feed: its records are counted and lead to each other, each card leads to the
//! last of its contact, and of a contact that was erased there is nothing but that.

use std::collections::BTreeMap;

use crate::model::change::ChangePosition;
use crate::model::identifier::ContactId;
use crate::model::sequence::SequenceNumber;

use super::super::format::changes::{
    Back, ChangesKey, ChangesRow, ContactChange, RECORDS_OF_A_ROW, Recorded,
};
use super::super::guard::Failure;
use super::super::read::Rows as _;
use super::Check;
use super::demands::*;

/// The rows of the feed that were seen.
#[derive(Default)]
pub(super) struct SeenChanges {
    /// The oldest request with a row.
    oldest: Option<SequenceNumber>,
    before: Option<(ChangesKey, usize)>,
    newest: Option<ChangePosition>,
    kept: u64,
    /// The last request with a record of each contact. Those of contacts that were erased are not here.
    last: BTreeMap<ContactId, SequenceNumber>,
}

impl Check {
    pub(super) fn changes(&mut self) -> Result<(), Failure> {
        self.each_row(Check::changes_row)?;
        let Some(feed) = self.committed.state().feed else {
            return Ok(());
        };
        let seen = &self.changes;
        let (kept, newest) = (seen.kept, seen.newest);
        self.demand(CHANGES_ARE_COUNTED, None, kept == feed.kept);
        // While the feed is off, the newest change may be stripped.
        let is_whole = feed.through == self.committed.state().sequence;
        let is_noted = newest.is_none_or(|newest| newest <= feed.newest)
            && (newest == Some(feed.newest) || kept == 0 || !is_whole);
        self.demand(NEWEST_CHANGE_IS_NOTED, None, is_noted);
        Ok(())
    }

    fn changes_row(&mut self, key: ChangesKey, row: ChangesRow) -> Result<(), Failure> {
        let number = key.sequence.value();
        let was_made = key.sequence <= self.committed.state().sequence;
        self.demand(CHANGES_ARE_OF_A_REQUEST_MADE, number, was_made);
        let follows = match self.changes.before {
            Some((before, places)) if before.sequence == key.sequence => {
                before.part.checked_add(1) == Some(key.part) && places == RECORDS_OF_A_ROW as usize
            }
            // The first row of all may be what is left of a request.
            before => before.is_none() || key.part == 0,
        };
        self.demand(PARTS_OF_A_REQUEST_FOLLOW_EACH_OTHER, number, follows);
        self.changes.before = Some((key, row.records.len()));
        self.changes.oldest.get_or_insert(key.sequence);
        let begin = self.committed.state().feed.map(|feed| feed.begin);
        if begin.is_none_or(|begin| key.position(0) > begin) {
            self.changes.kept = self.changes.kept.saturating_add(row.len());
            let newest = row.last().map(|last| key.position(last));
            self.changes.newest = newest.or(self.changes.newest);
        }
        for record in row.records.into_iter().flatten() {
            self.record(key, record);
        }
        Ok(())
    }

    fn record(&mut self, key: ChangesKey, record: Recorded) {
        let number = key.sequence.value();
        let (app, of_contact) = match record {
            Recorded::App { app, .. } => (Some(app), None),
            Recorded::Contact {
                contact,
                back,
                what,
            } => (
                what.subscriber().map(|id| id.app()),
                Some((contact, back, what)),
            ),
        };
        let directory = self.committed.directory();
        let is_known = app.is_none_or(|app| directory.known_app(app).is_some());
        self.demand(CHANGE_IS_OF_A_KNOWN_APP, number, is_known);
        let Some((contact, back, what)) = of_contact else {
            return;
        };
        let before = self.changes.last.get(&contact).copied();
        if what == ContactChange::Erased {
            let is_only_one = before.is_none() && back == Back::First;
            self.demand(NOTHING_IS_LEFT_BEFORE_AN_ERASURE, number, is_only_one);
            return;
        }
        let previous = back.from(key.sequence);
        let is_dropped = |previous| self.changes.oldest.is_some_and(|oldest| previous <= oldest);
        let leads = match (previous, before) {
            (Ok(previous), Some(_)) => previous == before,
            (Ok(None), None) => true,
            (Ok(Some(previous)), None) => is_dropped(previous),
            (Err(_), _) => false,
        };
        self.demand(CHANGE_LEADS_TO_THE_ONE_BEFORE, number, leads);
        self.changes.last.insert(contact, key.sequence);
    }

    /// A card leads to the last change of its contact, unless that was dropped; and so does what is kept of
    /// a merged one.
    pub(super) fn last_change(&mut self, id: ContactId, named: Option<SequenceNumber>) {
        let last = self.changes.last.remove(&id);
        let oldest = self.changes.oldest;
        let leads = match (last, named) {
            (Some(last), named) => named == Some(last),
            (None, None) => true,
            (None, Some(named)) => oldest.is_none_or(|oldest| named <= oldest),
        };
        self.demand(CARD_LEADS_TO_ITS_LAST_CHANGE, id.value(), leads);
    }

    /// Called after all cards and merges: what is left is of contacts without either.
    pub(super) fn changes_without_card(&mut self) {
        for sequence in std::mem::take(&mut self.changes.last).into_values() {
            self.demand(CHANGES_ARE_OF_A_CONTACT, sequence.value(), false);
        }
    }
}
