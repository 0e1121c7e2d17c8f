//! The demands on what is kept of merged contacts.

use std::collections::BTreeSet;

use crate::limits::MERGES_PER_CONTACT;
use crate::model::identifier::ContactId;

use super::super::format::merges::{
    MergeIdentifierKey, MergeIdentifierRow, MergeKey, MergeRow, MergedIdRow,
};
use super::super::format::rows::{AppTallyRow, CardRow};
use super::super::guard::Failure;
use super::super::merges::{identifier_keys, merged_into};
use super::super::read::Rows as _;
use super::super::suppression::first_suppressed;
use super::demands::*;
use super::{Check, absent_if_corrupt};

impl Check {
    pub(super) fn merged_id(&mut self, id: ContactId, row: MergedIdRow) -> Result<(), Failure> {
        let number = id.value();
        let is_taken = self.is_taken(id)?;
        self.demand(MERGED_ID_IS_TAKEN, number, is_taken);
        let card: Option<CardRow> = self.named(&id)?;
        self.demand(MERGED_ID_IS_OF_NO_CONTACT, number, card.is_none());
        let card: Option<CardRow> = self.named(&row.into)?;
        self.demand(MERGED_ID_LEADS_TO_A_CONTACT, number, card.is_some());
        let key = MergeKey {
            holder: row.into,
            merged: id,
        };
        let record: Option<MergeRow> = self.named(&key)?;
        self.demand(MERGED_ID_HAS_A_RECORD, number, record.is_some());
        Ok(())
    }

    pub(super) fn merge(&mut self, key: MergeKey, row: MergeRow) -> Result<(), Failure> {
        let MergeKey { holder, merged } = key;
        let number = merged.value();
        let leads_here = |check: &Self, id: ContactId| -> Result<bool, Failure> {
            let row: Option<MergedIdRow> = check.named(&id)?;
            Ok(row.is_some_and(|row| row.into == holder))
        };
        self.last_change(merged, row.last_change);
        let is_here = leads_here(self, merged)?;
        self.demand(RECORD_IS_OF_A_MERGED_ID, number, is_here);
        for id in &row.ids {
            let is_here = leads_here(self, *id)?;
            self.demand(IDS_LEAD_TO_THE_SAME, number, is_here);
        }
        let subscribers: BTreeSet<_> = row.tokens.iter().map(|token| token.subscriber).collect();
        let are_different = subscribers.len() == row.tokens.len();
        self.demand(MERGED_TOKEN_IS_IN_THE_RECORD_ONCE, number, are_different);
        if let Some(through) = row.created_through {
            let tally: Option<AppTallyRow> = self.named(&through)?;
            self.demand(
                CREATED_THROUGH_AN_APP_WITH_A_TALLY,
                through.0,
                tally.is_some(),
            );
        }
        for key in identifier_keys(self.committed.hasher(), merged, &row) {
            let entry: Option<MergeIdentifierRow> = self.named(&key)?;
            self.demand(MERGED_IDENTIFIER_IS_FOUND, number, entry.is_some());
        }
        for parts in [&row.moved, &row.kept] {
            let suppressed = first_suppressed(&self.committed, &parts.identifiers);
            let suppressed = absent_if_corrupt(suppressed)?;
            self.demand(
                NO_MERGED_IDENTIFIER_IS_SUPPRESSED,
                number,
                suppressed.is_none(),
            );
        }
        let seen = match self.seen.merges {
            Some((last, seen)) if last == holder => seen.saturating_add(1),
            _ => 1,
        };
        self.seen.merges = Some((holder, seen));
        self.demand(
            MERGES_ARE_WITHIN_THE_LIMIT,
            holder.value(),
            seen <= MERGES_PER_CONTACT,
        );
        Ok(())
    }

    pub(super) fn merge_identifier(
        &mut self,
        key: MergeIdentifierKey,
        _: MergeIdentifierRow,
    ) -> Result<(), Failure> {
        let merged = absent_if_corrupt(key.merged().map(Some))?;
        let holder = match merged {
            Some(merged) => absent_if_corrupt(merged_into(&self.committed, merged))?,
            None => None,
        };
        let mut leads_there = false;
        if let (Some(merged), Some(holder)) = (merged, holder) {
            let row: Option<MergeRow> = self.named(&MergeKey { holder, merged })?;
            let hasher = self.committed.hasher();
            leads_there =
                row.is_some_and(|row| identifier_keys(hasher, merged, &row).contains(&key));
        }
        let merged = merged.map(ContactId::value);
        self.demand(ENTRY_LEADS_TO_A_MERGED_IDENTIFIER, merged, leads_there);
        Ok(())
    }
}
