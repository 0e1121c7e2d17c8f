//! Merging two contacts into one (R58).
//!
//! This module does not know how a merge is undone, only what that needs to be kept.

use crate::error::{Error, MergeError};
use crate::limits::{Limit, LimitExceeded, Limits, MERGES_PER_CONTACT};
use crate::model::change::Cause;
use crate::model::fields::FieldNames;
use crate::model::identifier::{ContactId, KindSet};
use crate::model::subscriber::SubscriberId;
use crate::model::time::Timestamp;
use crate::operations::card_limits;
use crate::operations::described::{Described, Description};
use crate::operations::merging;
use crate::operations::operation::{Operation, Size, Step};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{
    CardRow, Draft, Failure, FoundCard, HeldTokenRow, MergeRow, MergedTokenRow, Parts, Rows as _,
    SubscriberRow, merges_of,
};

/// A request to merge a contact into another, because both are one person
/// ([R58](crate::rulebook#r58)).
///
/// An id that leads to another contact since an earlier merge stands for that contact.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let ann = ContactUpdate::new().phone("380500000001").first_name("Ann");
/// # store.upsert(Upsert::new(DedupeOn::Phone).contact(ann)).wait()?;
/// # let anna = ContactUpdate::new().email("ann@example.com").first_name("Anna");
/// # store.upsert(Upsert::new(DedupeOn::Email).contact(anna)).wait()?;
/// # let (phone, email) = (ContactId::new(1)?, ContactId::new(2)?);
/// let request = Merge::new(email, phone);
/// // Shown first, and nothing is written.
/// let shown = store.snapshot()?.preview_merge(request)?;
/// let merged = store.merge(request).wait()?.outcome;
/// assert_eq!(merged, shown);
/// assert_eq!(merged.identifiers, KindSet::from(IdentifierKind::Email));
/// // The old id leads to the contact that is left, which keeps its own first name.
/// let ann = store.snapshot()?.contact(email)?.ok_or("nobody")?;
/// assert_eq!(ann.id, phone);
/// assert_eq!(ann.fields.first_name.as_deref(), Some("Ann"));
/// // It was a mistake.
/// store.unmerge(email).wait()?;
/// let anna = store.snapshot()?.by_email("ann@example.com")?.ok_or("nobody")?;
/// assert_eq!((anna.id, anna.fields.first_name.as_deref()), (email, Some("Anna")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge {
    from: ContactId,
    into: ContactId,
}

impl Merge {
    /// Makes a request to merge `from` into `into`. `from` is gone then, and `into` stays.
    #[must_use]
    pub fn new(from: ContactId, into: ContactId) -> Self {
        Merge { from, into }
    }

    pub(crate) fn prepare(self, limits: Limits, clock: Timestamp) -> PreparedMerge {
        PreparedMerge {
            request: self,
            limits,
            merged_at: clock,
        }
    }
}

impl Described for Merge {
    fn describe(&self, to: &mut Description) {
        let Merge { from, into } = self;
        to.parts(&[from, into]);
    }
}

/// The outcome of a merge, or what it would be ([R58](crate::rulebook#r58)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged {
    /// The contact that is gone. Its id leads to the other now.
    pub from: ContactId,
    /// The contact that has everything now.
    pub into: ContactId,
    /// The kinds of identifiers that went over.
    pub identifiers: KindSet,
    /// The kinds of identifiers that did not, because `into` had its own. Their values are free for
    /// other contacts.
    pub kept_identifiers: KindSet,
    /// The fields that went over.
    pub fields: FieldNames,
    /// The fields that did not, because `into` had its own.
    pub kept_fields: FieldNames,
    /// The subscribers of the tokens that went over, in the order in which they were on the card.
    pub tokens: Vec<SubscriberId>,
    /// The subscribers of the tokens that both held. `into` holds each once.
    pub shared_tokens: Vec<SubscriberId>,
    /// The ids of contacts merged earlier that led to `from`, and lead to `into` now.
    pub ids: Vec<ContactId>,
}

/// A contact that was merged into another ([R58](crate::rulebook#r58)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MergedContact {
    /// The id that it had, which leads to the other now.
    pub id: ContactId,
    /// When it was merged.
    pub merged_at: Timestamp,
    /// The kinds of identifiers that it had.
    pub identifiers: KindSet,
}

impl MergedContact {
    pub(crate) fn new(id: ContactId, row: &MergeRow) -> Self {
        let parts = [&row.moved, &row.kept].into_iter();
        MergedContact {
            id,
            merged_at: row.merged_at,
            identifiers: parts
                .flat_map(|parts| parts.identifiers.kinds().iter())
                .collect(),
        }
    }
}

/// A request to merge, with the limits in force.
#[derive(Clone)]
pub(crate) struct PreparedMerge {
    request: Merge,
    limits: Limits,
    merged_at: Timestamp,
}

impl Operation for PreparedMerge {
    type Outcome = Merged;

    const KIND: OperationKind = OperationKind::Merge;

    fn size(&self) -> Size {
        Size::one(0)
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<Merged>, Error> {
        let from = merging::contact(draft, self.request.from)?;
        let into = merging::contact(draft, self.request.into)?;
        if from.id == into.id {
            return Err(MergeError::IntoItself(into.id).into());
        }
        let earlier = merges_of(draft, from.id)?;
        let others = merges_of(draft, into.id)?;
        let merges = earlier.len().saturating_add(others.len()).saturating_add(1);
        LimitExceeded::check(Limit::MergesPerContact, merges, MERGES_PER_CONTACT)?;
        let last = earlier
            .iter()
            .chain(&others)
            .map(|(_, row)| row.order)
            .max();
        let mut after = into.card.clone();
        let (moved, kept) = unite(&from.card, &mut after);
        let tokens = unite_tokens(draft, &from, into.id, &mut after)?;
        let grew = moved != Parts::default() || after.tokens.len() > into.card.tokens.len();
        if grew {
            card_limits::check(draft, &self.limits, &after)?;
        }
        let row = MergeRow {
            merged_at: self.merged_at,
            order: last.map_or(1, |last| last.saturating_add(1)),
            created_at: from.card.created_at,
            created_through: from.card.created_through,
            last_change: draft.last_change_now(from.card.last_change),
            moved,
            kept,
            erased: KindSet::EMPTY,
            tokens,
            order_before: unsorted(draft, &into.card.tokens)?,
            ids: earlier.iter().map(|(merged, _)| *merged).collect(),
        };
        // The contact that goes gives its identifiers free first.
        let cause = Cause::Merged(into.id);
        draft.write_card(from.id, Some(&from.card), None, cause)?;
        draft.write_card(into.id, Some(&into.card), Some(&after), cause)?;
        for (merged, row) in &earlier {
            draft.write_merge(*merged, Some((from.id, row)), Some((into.id, row)))?;
        }
        draft.write_merge(from.id, None, Some((into.id, &row)))?;
        draft.move_conflicts(from.id, into.id)?;
        Ok(Step::Done(outcome(from.id, into.id, row)))
    }

    fn count(_: &Merged, tally: &mut Tally) {
        tally.entry(EntryOutcome::Merged);
    }
}

fn outcome(from: ContactId, into: ContactId, row: MergeRow) -> Merged {
    let (shared, moved): (Vec<_>, Vec<_>) =
        row.tokens.iter().partition(|token| token.place.is_some());
    let ids = |tokens: Vec<&MergedTokenRow>| tokens.iter().map(|token| token.subscriber).collect();
    Merged {
        from,
        into,
        identifiers: row.moved.identifiers.kinds(),
        kept_identifiers: row.kept.identifiers.kinds(),
        fields: FieldNames::of(&row.moved.fields),
        kept_fields: FieldNames::of(&row.kept.fields),
        tokens: ids(moved),
        shared_tokens: ids(shared),
        ids: row.ids,
    }
}

/// Gives to a card the identifiers and fields of another that it lacks. Says which those are, and
/// which of them it had its own of.
fn unite(from: &CardRow, into: &mut CardRow) -> (Parts, Parts) {
    let (mut moved, mut kept) = (Parts::default(), Parts::default());
    let own = into.identifiers.kinds();
    for kind in from.identifiers.kinds().iter() {
        if own.contains(kind) {
            kept.identifiers.copy(kind, &from.identifiers);
        } else {
            moved.identifiers.copy(kind, &from.identifiers);
            into.identifiers.copy(kind, &from.identifiers);
        }
    }
    for (name, value) in from.fields.named() {
        if into.fields.value(name).is_some() {
            kept.fields.put(name, Some(value));
        } else {
            moved.fields.put(name, Some(value));
            into.fields.put(name, Some(value));
        }
    }
    (moved, kept)
}

/// Gives to a card the tokens of another contact, all in the order of their times. Says what each
/// was, without those of disconnected apps.
fn unite_tokens(
    draft: &mut Draft<'_>,
    from: &FoundCard,
    into: ContactId,
    card: &mut CardRow,
) -> Result<Vec<MergedTokenRow>, Failure> {
    let mut tokens = Vec::with_capacity(from.card.tokens.len());
    for held in &from.card.tokens {
        let before: SubscriberRow = draft.expect_row(&held.subscriber)?;
        let mut after = before.clone();
        let place = if before.holders.contains(&into) {
            let place = before.holders.iter().position(|holder| *holder == from.id);
            after.holders.retain(|holder| *holder != from.id);
            Some(place.unwrap_or_default() as u64)
        } else {
            let holders = after.holders.iter_mut();
            holders
                .filter(|holder| **holder == from.id)
                .for_each(|holder| *holder = into);
            card.tokens.push(held.clone());
            None
        };
        draft.write_subscriber(held.subscriber, Some(&before), Some(&after))?;
        if merging::is_connected(draft, held.app())? {
            tokens.push(MergedTokenRow {
                subscriber: held.subscriber,
                added_at: held.added_at,
                place,
            });
        }
    }
    // Stable: of equal times, the contact that stays has its own first.
    card.tokens.sort_by_key(|held| held.added_at);
    Ok(tokens)
}

/// The tokens of a card in their order, unless that is the order of their times, in which a merge
/// leaves them.
fn unsorted(draft: &Draft<'_>, tokens: &[HeldTokenRow]) -> Result<Vec<SubscriberId>, Failure> {
    if tokens.is_sorted_by_key(|held| held.added_at) {
        return Ok(Vec::new());
    }
    let mut counting = Vec::with_capacity(tokens.len());
    for held in tokens {
        if merging::is_connected(draft, held.app())? {
            counting.push(held);
        }
    }
    if counting.is_sorted_by_key(|held| held.added_at) {
        return Ok(Vec::new());
    }
    Ok(counting.iter().map(|held| held.subscriber).collect())
}
