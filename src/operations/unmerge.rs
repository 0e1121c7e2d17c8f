//! Taking a merged contact out of the one that it was merged into (R58).
//!
//! A contact may have come through others: merged into one that was itself merged later. What those
//! had only from it goes from their records too, so that the order in which contacts are taken out
//! makes no difference, and nothing of it is left where it is not.

use std::collections::BTreeMap;

use crate::error::{Error, MergeError};
use crate::limits::{Limit, LimitExceeded, Limits};
use crate::model::change::Cause;
use crate::model::fields::{ContactFields, FieldName, FieldNames};
use crate::model::identifier::{ContactId, IdentifierKind, Identifiers, KindSet};
use crate::model::subscriber::SubscriberId;
use crate::model::time::Timestamp;
use crate::operations::merging;
use crate::operations::operation::{Operation, Size, Step};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{
    CardRow, Draft, Failure, HeldTokenRow, MergeRow, MergedTokenRow, Rows as _, SubscriberRow,
    find_card, merged_into, merges_of,
};

/// The outcome of taking a merged contact out again, or what it would be
/// ([R58](crate::rulebook#r58)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unmerged {
    /// The contact that is there again, under its old id.
    pub contact: ContactId,
    /// The contact that it was in.
    pub from: ContactId,
    /// The kinds of identifiers that it has again.
    pub identifiers: KindSet,
    /// The fields that it has again, with the values that they had.
    pub fields: FieldNames,
    /// The subscribers of the tokens that it holds again, in the order in which they are on the card.
    pub tokens: Vec<SubscriberId>,
    /// The ids of contacts merged earlier that lead to it again.
    pub ids: Vec<ContactId>,
    /// What it could not get back.
    pub not_given_back: NotGivenBack,
}

/// What a contact that is taken out again could not get back ([R58](crate::rulebook#r58)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotGivenBack {
    /// The kinds of identifiers that another contact has by now, and that contact. It may be the one
    /// that it was in, which got the identifier by its own later order.
    pub identifiers: Vec<(IdentifierKind, ContactId)>,
    /// The kinds of identifiers that another contact got since and was erased with
    /// ([R44](crate::rulebook#r44)).
    pub erased: KindSet,
    /// The subscribers of the tokens that were removed since.
    pub tokens: Vec<SubscriberId>,
}

impl NotGivenBack {
    /// Whether it got everything back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == NotGivenBack::default()
    }
}

/// A request to take a contact out of the one that it was merged into, with the limits in force.
#[derive(Clone)]
pub(crate) struct Unmerge {
    pub(crate) contact: ContactId,
    pub(crate) limits: Limits,
}

impl Operation for Unmerge {
    type Outcome = Unmerged;

    const KIND: OperationKind = OperationKind::Unmerge;

    fn size(&self) -> Size {
        Size::one(0)
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<Unmerged>, Error> {
        let contact = self.contact;
        let Some(holder) = merged_into(draft, contact)? else {
            return Err(match draft.card(contact)? {
                Some(_) => MergeError::NotMerged(contact),
                None => merging::unknown(draft, contact)?,
            }
            .into());
        };
        let before: CardRow = draft.expect_row(&holder)?;
        let mut taking = Taking::new(contact, holder, &before, merges_of(draft, holder)?)?;
        taking.take_identifiers(draft)?;
        taking.take_fields();
        for token in taking.row.tokens.clone() {
            taking.take_token(draft, &self.limits, token)?;
        }
        taking.take_order();
        Ok(Step::Done(taking.write(draft, &before)?))
    }

    fn count(outcome: &Unmerged, tally: &mut Tally) {
        tally.entry(if outcome.not_given_back.is_empty() {
            EntryOutcome::Unmerged
        } else {
            EntryOutcome::UnmergedInPart
        });
    }
}

/// The record of a merge, before and after.
struct Record {
    before: MergeRow,
    row: MergeRow,
}

/// A contact being taken out of another.
struct Taking {
    contact: ContactId,
    holder: ContactId,
    /// Its own record.
    before: MergeRow,
    /// The same, without what was given back.
    row: MergeRow,
    /// The contacts that it came through, the one that it was merged into first.
    path: Vec<ContactId>,
    /// All other contacts that were merged into the same.
    records: BTreeMap<ContactId, Record>,
    /// Its card.
    card: CardRow,
    /// The card of the contact that it is in.
    left: CardRow,
    not_given_back: NotGivenBack,
}

const NO_RECORD: Failure = Failure::Corrupt("a merged id without a record of its merge");

/// Where a token that a merged contact had is now.
enum Whereabouts {
    /// It went over, and all the way.
    WentOver,
    /// The other contact held it too. Then the merged one stood in this place among the holders.
    Shared(u64),
    /// It was removed on the way.
    Gone,
}

impl Taking {
    fn new(
        contact: ContactId,
        holder: ContactId,
        left: &CardRow,
        records: Vec<(ContactId, MergeRow)>,
    ) -> Result<Self, Failure> {
        let with = |row: MergeRow| Record {
            before: row.clone(),
            row,
        };
        let mut records: BTreeMap<ContactId, Record> = records
            .into_iter()
            .map(|(merged, row)| (merged, with(row)))
            .collect();
        let row = records.remove(&contact).ok_or(NO_RECORD)?.row;
        let mut path: Vec<(u64, ContactId)> = records
            .iter()
            .filter(|(_, record)| record.row.ids.contains(&contact))
            .map(|(merged, record)| (record.row.order, *merged))
            .collect();
        path.sort_unstable();
        Ok(Taking {
            contact,
            holder,
            path: path.into_iter().map(|(_, merged)| merged).collect(),
            records,
            card: CardRow {
                created_at: row.created_at,
                created_through: row.created_through,
                identifiers: Identifiers::new(),
                fields: ContactFields::default(),
                tokens: Vec::with_capacity(row.tokens.len()),
                last_change: row.last_change,
            },
            left: left.clone(),
            before: row.clone(),
            row,
            not_given_back: NotGivenBack::default(),
        })
    }

    /// The record of a contact on the path, to be changed.
    fn on_path(&mut self, step: usize) -> Option<&mut Record> {
        self.records.get_mut(self.path.get(step)?)
    }

    /// Gives back the identifiers that no other contact has by now.
    fn take_identifiers(&mut self, draft: &Draft<'_>) -> Result<(), Failure> {
        self.not_given_back.erased = self.row.erased;
        let mut had = self.row.moved.identifiers.clone();
        for kind in self.row.kept.identifiers.kinds().iter() {
            had.copy(kind, &self.row.kept.identifiers);
        }
        for kind in had.kinds().iter() {
            let mut went_over = self.row.moved.identifiers.kinds().contains(kind);
            let mut step = 0;
            while went_over && let Some(record) = self.on_path(step) {
                let row = &mut record.row;
                let moved = row.moved.identifiers.share(kind, &had);
                if moved || row.kept.identifiers.share(kind, &had) {
                    row.moved.identifiers.remove(kind);
                    row.kept.identifiers.remove(kind);
                }
                went_over = moved;
                step = step.saturating_add(1);
            }
            match find_card(draft, kind, &had)?.map(|owner| owner.id) {
                None => self.card.identifiers.copy(kind, &had),
                Some(owner) if owner == self.holder && went_over => {
                    self.left.identifiers.remove(kind);
                    self.card.identifiers.copy(kind, &had);
                }
                Some(owner) => self.not_given_back.identifiers.push((kind, owner)),
            }
        }
        Ok(())
    }

    /// Gives back all fields. Those that went over and are still the same go from the other card.
    fn take_fields(&mut self) {
        let moved = self.row.moved.fields.clone();
        for (name, value) in moved.named() {
            self.card.fields.put(name, Some(value));
            if self.went_over(name, value) && self.left.fields.value(name) == Some(value) {
                self.left.fields.put(name, None);
            }
        }
        for (name, value) in self.row.kept.fields.named() {
            self.card.fields.put(name, Some(value));
        }
    }

    /// Whether a field that went over went all the way. It goes from the records of the path.
    fn went_over(&mut self, name: FieldName<'_>, value: &str) -> bool {
        let mut step = 0;
        while let Some(record) = self.on_path(step) {
            let row = &mut record.row;
            let moved = row.moved.fields.value(name) == Some(value);
            if moved || row.kept.fields.value(name) == Some(value) {
                row.moved.fields.put(name, None);
                row.kept.fields.put(name, None);
            }
            if !moved {
                return false;
            }
            step = step.saturating_add(1);
        }
        true
    }

    /// Gives back a token that the other contact still holds.
    fn take_token(
        &mut self,
        draft: &mut Draft<'_>,
        limits: &Limits,
        token: MergedTokenRow,
    ) -> Result<(), Error> {
        let id = token.subscriber;
        let whereabouts = self.follow(token);
        let held = self.left.tokens.iter().find(|held| held.subscriber == id);
        let held = held.filter(|held| match whereabouts {
            Whereabouts::Gone => false,
            Whereabouts::Shared(_) => true,
            // Added to the card again since, it is what was added.
            Whereabouts::WentOver => held.added_at == token.added_at,
        });
        let Some(text) = held.map(|held| held.token.clone()) else {
            self.not_given_back.tokens.push(id);
            return Ok(());
        };
        if !merging::is_connected(draft, id.app())? {
            self.not_given_back.tokens.push(id);
            return Ok(());
        }
        self.card.tokens.push(HeldTokenRow {
            subscriber: id,
            added_at: token.added_at,
            token: text,
        });
        let mut returns = None;
        if let Whereabouts::Shared(place) = whereabouts {
            returns = Some((self.contact, place));
        } else if let Some((added_at, place)) = self.take_over(None, id) {
            // Another that is merged into the contact had the token too: it stays for that one.
            let held = self.left.tokens.iter_mut();
            for held in held.filter(|held| held.subscriber == id) {
                held.added_at = added_at;
            }
            returns = Some((self.holder, place));
        } else {
            self.left.tokens.retain(|held| held.subscriber != id);
        }
        let before: SubscriberRow = draft.expect_row(&id)?;
        let mut after = before.clone();
        if let Whereabouts::WentOver = whereabouts {
            let holders = after.holders.iter_mut();
            let in_place = holders.filter(|contact| **contact == self.holder);
            in_place.for_each(|contact| *contact = self.contact);
        }
        if let Some((contact, place)) = returns {
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            let place = place.min(after.holders.len());
            after.holders.insert(place, contact);
            let most = limits.contacts_per_token;
            LimitExceeded::check(Limit::ContactsPerToken, after.holders.len(), most)?;
        }
        Ok(draft.write_subscriber(id, Some(&before), Some(&after))?)
    }

    /// Follows a token on the way to the contact that holds it now, and takes it out of the records on
    /// the way that had it only from the contact.
    fn follow(&mut self, token: MergedTokenRow) -> Whereabouts {
        let id = token.subscriber;
        let mut place = token.place;
        for step in 0..self.path.len() {
            let parent = self.path.get(step).copied();
            let entry = |record: &Record| {
                let mut tokens = record.row.tokens.iter();
                tokens.find(|entry| entry.subscriber == id).copied()
            };
            let Some(entry) = self.on_path(step).and_then(|record| entry(record)) else {
                return Whereabouts::Gone;
            };
            if place.is_some() {
                continue;
            }
            if entry.added_at != token.added_at {
                return Whereabouts::Gone;
            }
            place = entry.place;
            let stays = self.take_over(parent, id).map(|(added_at, _)| added_at);
            if let Some(record) = self.on_path(step) {
                match stays {
                    Some(added_at) => {
                        let mut tokens = record.row.tokens.iter_mut();
                        if let Some(entry) = tokens.find(|entry| entry.subscriber == id) {
                            entry.added_at = added_at;
                        }
                    }
                    None => record.row.tokens.retain(|entry| entry.subscriber != id),
                }
            }
        }
        place.map_or(Whereabouts::WentOver, Whereabouts::Shared)
    }

    /// Lets the first other contact that was merged into `parent` and had a token be the one from which
    /// it went over. Says when that one got it, and its place among the holders. `None` when no other
    /// had it. Without `parent` it is the contact that all are in.
    fn take_over(
        &mut self,
        parent: Option<ContactId>,
        id: SubscriberId,
    ) -> Option<(Timestamp, u64)> {
        let children: Vec<ContactId> = self
            .records
            .keys()
            .copied()
            .filter(|child| self.parent(*child) == parent && !self.row.ids.contains(child))
            .collect();
        let mut first: Option<&mut Record> = None;
        for (child, record) in &mut self.records {
            let had = record.row.tokens.iter().any(|entry| entry.subscriber == id);
            if had
                && children.contains(child)
                && first
                    .as_ref()
                    .is_none_or(|first| record.row.order < first.row.order)
            {
                first = Some(record);
            }
        }
        let record = first?;
        let mut tokens = record.row.tokens.iter_mut();
        let entry = tokens.find(|entry| entry.subscriber == id)?;
        Some((entry.added_at, entry.place.take().unwrap_or(u64::MAX)))
    }

    /// The contact that another was merged into, if that one was itself merged later.
    fn parent(&self, child: ContactId) -> Option<ContactId> {
        self.records
            .iter()
            .filter(|(_, record)| record.row.ids.contains(&child))
            .min_by_key(|(_, record)| record.row.order)
            .map(|(merged, _)| *merged)
    }

    /// Brings back the order of tokens that the merge changed.
    fn take_order(&mut self) {
        let order = std::mem::take(&mut self.row.order_before);
        if order.is_empty() {
            return;
        }
        let parent = self.path.first().copied();
        let later = self
            .records
            .iter()
            .filter(|(child, record)| {
                record.row.order > self.row.order && self.parent(**child) == parent
            })
            .min_by_key(|(_, record)| record.row.order)
            .map(|(child, _)| *child);
        // After a later merge, it is the order that the undoing of that one brings back.
        if let Some(record) = later.and_then(|later| self.records.get_mut(&later)) {
            let mut order = order;
            for id in &record.row.order_before {
                if !order.contains(id) {
                    order.push(*id);
                }
            }
            record.row.order_before = order;
            return;
        }
        // What came since comes after.
        let place = |id: SubscriberId| {
            let place = order.iter().position(|other| *other == id);
            place.unwrap_or(usize::MAX)
        };
        match self.on_path(0) {
            Some(record) => {
                record
                    .row
                    .tokens
                    .sort_by_key(|entry| place(entry.subscriber));
            }
            None => self.left.tokens.sort_by_key(|held| place(held.subscriber)),
        }
    }

    /// Writes both cards, and what is kept of the others.
    fn write(mut self, draft: &mut Draft<'_>, before: &CardRow) -> Result<Unmerged, Failure> {
        let (contact, holder) = (self.contact, self.holder);
        let ids = std::mem::take(&mut self.row.ids);
        for step in 0..self.path.len() {
            if let Some(record) = self.on_path(step) {
                let is_here = |id: &ContactId| *id != contact && !ids.contains(id);
                record.row.ids.retain(is_here);
            }
        }
        draft.write_merge(contact, Some((holder, &self.before)), None)?;
        for (merged, Record { before, row }) in &self.records {
            let now = match ids.contains(merged) {
                true => contact,
                false => holder,
            };
            draft.write_merge(*merged, Some((holder, before)), Some((now, row)))?;
        }
        // The other contact gives the identifiers free first.
        let cause = Cause::Unmerged(holder);
        draft.write_card(holder, Some(before), Some(&self.left), cause)?;
        draft.take_back_contact_id(contact)?;
        draft.write_card(contact, None, Some(&self.card), cause)?;
        Ok(Unmerged {
            contact,
            from: holder,
            identifiers: self.card.identifiers.kinds(),
            fields: FieldNames::of(&self.card.fields),
            tokens: self
                .card
                .tokens
                .iter()
                .map(|held| held.subscriber)
                .collect(),
            ids,
            not_given_back: self.not_given_back,
        })
    }
}
