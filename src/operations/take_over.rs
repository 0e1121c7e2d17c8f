//! Taking over rows of an export, a part at a time (R70).
//!
//! Every commit leaves a sound store. First come the apps and all taken contact ids, as if all contacts
//! had been erased. Then comes each contact with its tokens: it takes its id back, and the subscriber
//! of a token is made with the first contact that holds it. The state of a subscriber and the order of
//! its holders come after all contacts. What is kept of merged contacts comes last.
//!
//! A row that is in the store already changes nothing, so a part may be taken over again. This module
//! does not know JSON, nor where the rows come from.

use std::collections::BTreeSet;

use crate::error::{EntryError, Error};
use crate::limits::{Limit, LimitExceeded, Limits, MERGES_PER_CONTACT};
use crate::model::app::{AppId, AppNumber};
use crate::model::change::Cause;
use crate::model::fault::FieldError;
use crate::model::holders::Holders;
use crate::model::identifier::{ContactId, IdentifierKind, Identifiers};
use crate::model::placeholders::Placeholders;
use crate::model::report::{Status, StatusCounts};
use crate::model::subscriber::{MuteEnd, SubscriberId};
use crate::model::time::Timestamp;
use crate::operations::card_limits;
use crate::operations::holding;
use crate::operations::not_accepted::NotAccepted;
use crate::operations::operation::{Operation, Size, Step};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{
    AppPhase, AppRow, AppTallyRow, CardRow, Draft, FormerIdRow, HeldTokenRow, MergeRow, MessageKey,
    MessageRow, Rows as _, SubscriberRow, find_card, find_subscriber, merged_into, merges_of,
    was_contact_id_taken,
};

/// A row of an export.
#[derive(Clone)]
pub(crate) enum ExportedRow {
    Start(Start),
    App(ExportedApp),
    /// Runs of contact ids at or above the counter: the first and last id of each.
    TakenIds(Vec<(u64, u64)>),
    FormerId {
        former: SubscriberId,
        now: SubscriberId,
    },
    Contact(Box<(ContactId, CardRow)>),
    Subscriber(ExportedSubscriber),
    Message(MessageKey, MessageRow),
    /// The contact that was merged, the one that it is in, and what is kept of it.
    Merge(Box<(ContactId, ContactId, MergeRow)>),
}

/// Where the counters of a store stand.
#[derive(Clone, Copy)]
pub(crate) struct Start {
    pub(crate) next_contact: u64,
    pub(crate) next_app: u64,
}

/// An app that is or was connected.
#[derive(Clone)]
pub(crate) struct ExportedApp {
    pub(crate) id: AppId,
    pub(crate) number: AppNumber,
    /// `None` for an app that is no longer connected.
    pub(crate) connected: Option<AppRow>,
    pub(crate) subscriber_ids: u64,
    pub(crate) removed_by_failed: u64,
    pub(crate) removed_by_host: u64,
}

/// A subscriber without its token, which the cards have.
#[derive(Clone)]
pub(crate) struct ExportedSubscriber {
    pub(crate) id: SubscriberId,
    pub(crate) holders: Vec<ContactId>,
    pub(crate) last_registered_at: Timestamp,
    pub(crate) last_status: Option<(Status, Timestamp)>,
    pub(crate) counts: StatusCounts,
    pub(crate) muted: Option<MuteEnd>,
}

impl ExportedRow {
    /// Checks what the options of the store refuse (R3).
    pub(crate) fn check(&self, placeholders: &Placeholders) -> Result<(), FieldError> {
        let contact = match self {
            ExportedRow::Contact(contact) => contact,
            ExportedRow::Merge(merge) => {
                let (_, _, MergeRow { moved, kept, .. }) = &**merge;
                check_identifiers(placeholders, &moved.identifiers)?;
                return check_identifiers(placeholders, &kept.identifiers);
            }
            _ => return Ok(()),
        };
        check_identifiers(placeholders, &contact.1.identifiers)?;
        let mut tokens = contact.1.tokens.iter();
        tokens.try_for_each(|held| placeholders.check_token(&held.token))
    }
}

fn check_identifiers(
    placeholders: &Placeholders,
    identifiers: &Identifiers,
) -> Result<(), FieldError> {
    if let Some(id) = identifiers.external_customer_id() {
        placeholders.check_external_id(id)?;
    }
    if let Some(phone) = identifiers.phone() {
        placeholders.check_phone(phone)?;
    }
    if let Some(email) = identifiers.email() {
        placeholders.check_email(email)?;
    }
    Ok(())
}

/// Why a row of an export does not fit the store that it is imported into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// The row names an app that is not connected.
    #[error("no app with number {number} is connected")]
    UnknownApp {
        /// The number of the app.
        number: u64,
    },
    /// No contact in the store holds the token of the subscriber.
    #[error("subscriber {0} is held by no contact")]
    UnknownSubscriber(SubscriberId),
    /// The store already has such a row, and with other values.
    #[error("the store has such a row with other values")]
    Differs,
    /// The subscriber has another token, or the token another subscriber.
    #[error("the token and subscriber {0} do not belong together")]
    TokenConflict(SubscriberId),
    /// The card has one subscriber twice.
    #[error("subscriber {0} is on the card twice")]
    TokenRepeated(SubscriberId),
    /// A number is beyond those that the export says were given out.
    #[error("number {number} was not given out, the last is {last}")]
    NotGivenOut {
        /// The number.
        number: u64,
        /// The last that was given out.
        last: u64,
    },
    /// The id of a merged contact is that of a contact, or was never in use.
    #[error("contact id {0} is not that of a contact that was merged")]
    NotMerged(ContactId),
    /// The store has no contact that the merged one could be in.
    #[error("contact {0} is unknown")]
    UnknownContact(ContactId),
    /// A row of this kind comes after the rows of a later kind.
    #[error("the row comes after rows of a later kind")]
    OutOfOrder,
}

/// Why a row is refused.
pub(crate) enum Refusal {
    Entry(EntryError),
    Misfit(Misfit),
}

type Refused = NotAccepted<Refusal>;

impl From<EntryError> for Refused {
    fn from(error: EntryError) -> Self {
        NotAccepted::Refused(Refusal::Entry(error))
    }
}

impl From<Misfit> for Refused {
    fn from(misfit: Misfit) -> Self {
        NotAccepted::Refused(Refusal::Misfit(misfit))
    }
}

impl From<NotAccepted<LimitExceeded>> for Refused {
    fn from(why: NotAccepted<LimitExceeded>) -> Self {
        match why {
            NotAccepted::Refused(exceeded) => EntryError::from(exceeded).into(),
            NotAccepted::Failed(failure) => failure.into(),
        }
    }
}

/// What an accepted row did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakenOver {
    Created,
    /// The store held all of it.
    Unchanged,
}

/// What the store may be before a part is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// As it is after the parts before. For the first part: empty.
    Without,
    /// All of the part may be in it already, as an earlier run left it: nothing is to change.
    With,
}

/// The outcome of taking over a part.
pub(crate) enum PartTaken {
    /// What each row did, in order.
    Rows(Vec<Result<TakenOver, Refusal>>),
    /// The store was not as it had to be. Nothing changed.
    NotAsExpected,
}

/// A part of an export to take over.
#[derive(Clone)]
pub(crate) struct TakeOver {
    pub(crate) rows: Vec<ExportedRow>,
    pub(crate) text_bytes: usize,
    pub(crate) before: Before,
    pub(crate) limits: Limits,
}

impl Operation for TakeOver {
    type Outcome = PartTaken;

    const KIND: OperationKind = OperationKind::Import;

    fn size(&self) -> Size {
        Size {
            entries: self.rows.len(),
            text_bytes: self.text_bytes,
        }
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<PartTaken>, Error> {
        let start = draft.mark();
        let rows = std::mem::take(&mut self.rows);
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows {
            let mark = draft.mark();
            let outcome = match self.take(draft, row) {
                Ok(Some(taken)) => Ok(taken),
                Ok(None) => {
                    draft.roll_back_to(start);
                    return Ok(Step::Done(PartTaken::NotAsExpected));
                }
                Err(NotAccepted::Refused(refusal)) => Err(refusal),
                Err(NotAccepted::Failed(failure)) => return Err(failure.into()),
            };
            if outcome.is_err() {
                draft.roll_back_to(mark);
            }
            outcomes.push(outcome);
        }
        if self.before == Before::With && draft.changed_since(start) {
            draft.roll_back_to(start);
            return Ok(Step::Done(PartTaken::NotAsExpected));
        }
        Ok(Step::Done(PartTaken::Rows(outcomes)))
    }

    fn count(outcome: &PartTaken, tally: &mut Tally) {
        let PartTaken::Rows(rows) = outcome else {
            return;
        };
        for row in rows {
            tally.entry(match row {
                Ok(TakenOver::Created) => EntryOutcome::Created,
                Ok(TakenOver::Unchanged) => EntryOutcome::Unchanged,
                Err(_) => EntryOutcome::Refused,
            });
        }
    }
}

impl TakeOver {
    /// Takes over a row. `None` when the store is not as it has to be.
    fn take(&self, draft: &mut Draft<'_>, row: ExportedRow) -> Result<Option<TakenOver>, Refused> {
        let taken = match row {
            ExportedRow::Start(start) => return Ok(self.start(draft, start)),
            ExportedRow::App(app) => take_app(draft, app),
            ExportedRow::TakenIds(runs) => take_ids(draft, &runs),
            ExportedRow::FormerId { former, now } => take_former_id(draft, former, now),
            ExportedRow::Contact(contact) => {
                let (id, card) = *contact;
                self.contact(draft, id, card)
            }
            ExportedRow::Subscriber(subscriber) => take_subscriber(draft, subscriber),
            ExportedRow::Message(key, tally) => take_message(draft, &key, tally),
            ExportedRow::Merge(merge) => {
                let (merged, into, row) = *merge;
                take_merge(draft, merged, into, row)
            }
        };
        taken.map(Some)
    }

    fn start(&self, draft: &mut Draft<'_>, start: Start) -> Option<TakenOver> {
        let Start {
            next_contact,
            next_app,
        } = start;
        let state = draft.state;
        if self.before == Before::With
            && (state.next_contact, state.next_app) == (next_contact, next_app)
        {
            return Some(TakenOver::Unchanged);
        }
        let ever_used = (state.next_contact, state.next_app) != (1, 1)
            || (state.contacts, state.erased) != (0, 0);
        if ever_used {
            return None;
        }
        draft.start_contact_ids(next_contact);
        draft.state.next_app = next_app;
        Some(TakenOver::Created)
    }

    fn contact(
        &self,
        draft: &mut Draft<'_>,
        id: ContactId,
        card: CardRow,
    ) -> Result<TakenOver, Refused> {
        if let Some(present) = draft.card(id)? {
            // What the change feed has of it is no part of the card.
            let present = CardRow {
                last_change: None,
                ..present
            };
            return if present == card {
                Ok(TakenOver::Unchanged)
            } else {
                Err(EntryError::ContactExists(id).into())
            };
        }
        if let Some(through) = card.created_through
            && draft.known_tally(through)?.is_none()
        {
            return Err(Misfit::UnknownApp { number: through.0 }.into());
        }
        for kind in IdentifierKind::ALL.iter().copied() {
            if let Some(owner) = find_card(draft, kind, &card.identifiers)? {
                let contact = owner.id;
                return Err(EntryError::Conflict { kind, contact }.into());
            }
        }
        card_limits::check(draft, &self.limits, &card)?;
        let mut held = BTreeSet::new();
        for token in &card.tokens {
            if !held.insert(token.subscriber) {
                return Err(Misfit::TokenRepeated(token.subscriber).into());
            }
        }
        draft.take_back_contact_id(id)?;
        // The app of each token is connected: that is found out first.
        let subscribers = card
            .tokens
            .iter()
            .map(|token| self.subscriber_of(draft, token));
        let subscribers: Vec<_> = subscribers.collect::<Result<_, _>>()?;
        draft.write_card(id, None, Some(&card), Cause::Given)?;
        for (token, before) in card.tokens.iter().zip(subscribers) {
            hold(draft, id, token, before)?;
        }
        Ok(TakenOver::Created)
    }

    /// The subscriber that a token on a card belongs to, if another contact holds it already.
    fn subscriber_of(
        &self,
        draft: &Draft<'_>,
        held: &HeldTokenRow,
    ) -> Result<Option<SubscriberRow>, Refused> {
        let id = held.subscriber;
        let number = id.app().0;
        let tally = draft.known_tally(id.app())?;
        let tally = tally.filter(|tally| tally.phase == AppPhase::Connected);
        let tally = tally.ok_or(Misfit::UnknownApp { number })?;
        given_out(id.number(), tally.subscriber_ids)?;
        let present: Option<SubscriberRow> = draft.row(&id)?;
        match &present {
            Some(row) if row.token == held.token => {
                let holders = row.holders.len().saturating_add(1);
                let most = self.limits.contacts_per_token;
                LimitExceeded::check(Limit::ContactsPerToken, holders, most)
                    .map_err(EntryError::from)?;
            }
            None if find_subscriber(draft, id.app(), &held.token)?.is_none() => {}
            _ => return Err(Misfit::TokenConflict(id).into()),
        }
        Ok(present)
    }
}

/// Refuses a number that is not among those from 1 to `last`.
fn given_out(number: u64, last: u64) -> Result<(), Misfit> {
    if (1..=last).contains(&number) {
        Ok(())
    } else {
        Err(Misfit::NotGivenOut { number, last })
    }
}

/// Adds a contact to the holders of a token that is on its card.
fn hold(
    draft: &mut Draft<'_>,
    contact: ContactId,
    held: &HeldTokenRow,
    before: Option<SubscriberRow>,
) -> Result<(), Refused> {
    let after = match before.clone() {
        Some(mut row) => {
            row.holders.push(contact);
            row
        }
        None => {
            let holder = Holders::one(contact);
            holding::new_subscriber(held.app(), held.token.clone(), holder, UNSET)
        }
    };
    Ok(draft.write_subscriber(held.subscriber, before.as_ref(), Some(&after))?)
}

/// When a subscriber was registered of which only cards came so far.
const UNSET: Timestamp = Timestamp::from_millis(0);

fn take_subscriber(
    draft: &mut Draft<'_>,
    subscriber: ExportedSubscriber,
) -> Result<TakenOver, Refused> {
    let ExportedSubscriber {
        id,
        holders: listed,
        last_registered_at,
        last_status,
        counts,
        muted,
    } = subscriber;
    let before: Option<SubscriberRow> = draft.row(&id)?;
    let before = before.ok_or(Misfit::UnknownSubscriber(id))?;
    // The card of a holder may have been refused.
    let present: BTreeSet<_> = before.holders.iter().copied().collect();
    let mut ordered = Holders::with_capacity(present.len());
    let mut seen = BTreeSet::new();
    let others = before.holders.iter().copied();
    for holder in listed
        .into_iter()
        .filter(|id| present.contains(id))
        .chain(others)
    {
        if seen.insert(holder) {
            ordered.push(holder);
        }
    }
    let after = SubscriberRow {
        holders: ordered,
        last_registered_at,
        last_status,
        counts,
        muted,
        ..before.clone()
    };
    if after == before {
        return Ok(TakenOver::Unchanged);
    }
    let is_unset = (before.last_registered_at, before.last_status, before.counts)
        == (UNSET, None, StatusCounts::default())
        && before.muted.is_none();
    if !is_unset {
        return Err(Misfit::Differs.into());
    }
    draft.write_subscriber(id, Some(&before), Some(&after))?;
    Ok(TakenOver::Created)
}

fn take_app(draft: &mut Draft<'_>, app: ExportedApp) -> Result<TakenOver, Refused> {
    let ExportedApp {
        id,
        number,
        connected,
        subscriber_ids,
        removed_by_failed,
        removed_by_host,
    } = app;
    given_out(number.0, draft.state.next_app.saturating_sub(1))?;
    let tally = AppTallyRow {
        app: id,
        phase: if connected.is_some() {
            AppPhase::Connected
        } else {
            AppPhase::Gone
        },
        subscriber_ids,
        subscribers: 0,
        contacts: 0,
        removed_by_failed,
        removed_by_host,
    };
    let present: Option<AppRow> = draft.row(&id)?;
    if let Some(before) = draft.known_tally(number)? {
        let before = AppTallyRow {
            subscribers: 0,
            contacts: 0,
            ..before
        };
        return if before == tally && connected.is_none_or(|app| present == Some(app)) {
            Ok(TakenOver::Unchanged)
        } else {
            Err(Misfit::Differs.into())
        };
    }
    if let Some(row) = connected {
        if present.is_some() {
            return Err(Misfit::Differs.into());
        }
        draft.write_app(id, None, Some(&row))?;
    }
    draft.put_tally(number, tally);
    Ok(TakenOver::Created)
}

fn take_ids(draft: &mut Draft<'_>, runs: &[(u64, u64)]) -> Result<TakenOver, Refused> {
    let mut taken = TakenOver::Unchanged;
    for (first, last) in runs.iter().copied() {
        if first < draft.state.next_contact {
            return Err(Misfit::Differs.into());
        }
        match draft.take_contact_ids(first, last)? {
            Some(true) => taken = TakenOver::Created,
            Some(false) => {}
            None => return Err(Misfit::Differs.into()),
        }
    }
    Ok(taken)
}

fn take_former_id(
    draft: &mut Draft<'_>,
    former: SubscriberId,
    now: SubscriberId,
) -> Result<TakenOver, Refused> {
    let number = now.app().0;
    let tally = draft.known_tally(now.app())?;
    let tally = tally.ok_or(Misfit::UnknownApp { number })?;
    given_out(now.number(), tally.subscriber_ids)?;
    match draft.row::<FormerIdRow>(&former)? {
        None => {
            draft.write_former_id(former, &FormerIdRow { now })?;
            Ok(TakenOver::Created)
        }
        Some(row) if row == (FormerIdRow { now }) => Ok(TakenOver::Unchanged),
        Some(_) => Err(Misfit::Differs.into()),
    }
}

fn take_merge(
    draft: &mut Draft<'_>,
    merged: ContactId,
    into: ContactId,
    mut row: MergeRow,
) -> Result<TakenOver, Refused> {
    if draft.card(merged)?.is_some() || !was_contact_id_taken(draft, merged)? {
        return Err(Misfit::NotMerged(merged).into());
    }
    if draft.card(into)?.is_none() {
        return Err(Misfit::UnknownContact(into).into());
    }
    if let Some(through) = row.created_through
        && draft.known_tally(through)?.is_none()
    {
        return Err(Misfit::UnknownApp { number: through.0 }.into());
    }
    let mut seen = BTreeSet::new();
    for token in &row.tokens {
        if !seen.insert(token.subscriber) {
            return Err(Misfit::TokenRepeated(token.subscriber).into());
        }
    }
    let others = merges_of(draft, into)?;
    // Those of rows that were refused lead nowhere.
    row.ids
        .retain(|id| others.iter().any(|(other, _)| other == id));
    if let Some((_, present)) = others.iter().find(|(other, _)| *other == merged) {
        return if *present == row {
            Ok(TakenOver::Unchanged)
        } else {
            Err(Misfit::Differs.into())
        };
    }
    if merged_into(draft, merged)?.is_some() {
        return Err(Misfit::Differs.into());
    }
    let merges = others.len().saturating_add(1);
    LimitExceeded::check(Limit::MergesPerContact, merges, MERGES_PER_CONTACT)
        .map_err(EntryError::from)?;
    draft.write_merge(merged, None, Some((into, &row)))?;
    Ok(TakenOver::Created)
}

fn take_message(
    draft: &mut Draft<'_>,
    key: &MessageKey,
    tally: MessageRow,
) -> Result<TakenOver, Refused> {
    let number = key.app.0;
    let app = draft.known_tally(key.app)?;
    if app.is_none_or(|app| app.phase != AppPhase::Connected) {
        return Err(Misfit::UnknownApp { number }.into());
    }
    match draft.row::<MessageRow>(key)? {
        None => {
            draft.write_message(key, Some(&tally))?;
            Ok(TakenOver::Created)
        }
        Some(row) if row == tally => Ok(TakenOver::Unchanged),
        Some(_) => Err(Misfit::Differs.into()),
    }
}
