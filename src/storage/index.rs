//! Writing a contact or a subscriber together with everything that is derived from it.
//!
//! Index rows, counts and what the change feed records are the difference between the row before and
//! after, and are made nowhere else. This module does not know why a row changes, other than by the cause
//! that it passes to the feed.

use std::collections::BTreeSet;

use crate::model::app::{AppId, AppNumber};
use crate::model::change::Cause;
use crate::model::identifier::{ContactId, IdentifierKind, Identifiers};
use crate::model::sequence::SequenceNumber;
use crate::model::subscriber::SubscriberId;

use super::draft::Draft;
use super::format::hash::IndexHasher;
use super::format::keys::MessageKey;
#[cfg(feature = "transfer")]
use super::format::rows::FormerIdRow;
use super::format::rows::{AppRow, AppTallyRow, CardRow, HeldTokenRow, MessageRow, SubscriberRow};
use super::guard::Failure;
use super::read::Rows;
use super::unique::{Index, IndexHash};

/// The failure where counting would go below zero, which no code path does.
const MISCOUNTED: Failure = Failure::Corrupt("a count that does not fit the rows it counts");

fn adjusted(count: u64, up: u64, down: u64) -> Result<u64, Failure> {
    count
        .checked_add(up)
        .and_then(|count| count.checked_sub(down))
        .ok_or(MISCOUNTED)
}

/// The card as it leads to its last change; `None` when none was recorded.
fn leading_to(last_change: Option<SequenceNumber>, card: &CardRow) -> Option<CardRow> {
    last_change.map(|_| CardRow {
        last_change,
        ..card.clone()
    })
}

impl Draft<'_> {
    /// Writes, creates or erases a card with its index rows, counts and changes. The contact's id must have
    /// been taken before, by [`assign_contact_id`](Draft::assign_contact_id) or
    /// [`adopt_contact_id`](Draft::adopt_contact_id).
    pub(crate) fn write_card(
        &mut self,
        id: ContactId,
        before: Option<&CardRow>,
        after: Option<&CardRow>,
        cause: Cause,
    ) -> Result<(), Failure> {
        if before == after {
            return Ok(());
        }
        let last_change = self.record_card(id, before, after, cause)?;
        let recorded = after.and_then(|after| leading_to(last_change, after));
        self.put_or_insert(&id, before.is_none(), recorded.as_ref().or(after))?;
        self.move_identifiers(
            id,
            before.map(|card| &card.identifiers),
            after.map(|card| &card.identifiers),
        );
        self.count_holding(tokens_of(before), tokens_of(after))?;
        match (before, after) {
            (None, Some(_)) => self.state.contacts = adjusted(self.state.contacts, 1, 0)?,
            (Some(_), None) => {
                self.state.contacts = adjusted(self.state.contacts, 0, 1)?;
                self.state.erased = adjusted(self.state.erased, 1, 0)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes a card of which only the tokens change, with the counts and changes.
    pub(crate) fn write_card_tokens(
        &mut self,
        id: ContactId,
        before: &[HeldTokenRow],
        after: &CardRow,
        cause: Cause,
    ) -> Result<(), Failure> {
        if before == after.tokens {
            return Ok(());
        }
        let recorded = leading_to(self.record_card_tokens(id, before, after, cause), after);
        self.put(&id, Some(recorded.as_ref().unwrap_or(after)))?;
        self.count_holding(before, &after.tokens)
    }

    /// Moves the index entries of a contact whose identifiers change.
    fn move_identifiers(
        &mut self,
        id: ContactId,
        before: Option<&Identifiers>,
        after: Option<&Identifiers>,
    ) {
        if before == after {
            return;
        }
        let hasher = self.hasher();
        for index in IDENTIFIERS {
            let hash = |identifiers: Option<&Identifiers>| {
                identifiers.and_then(|all| identifier_hash(hasher, index, all))
            };
            self.move_index_entry(index, hash(before), hash(after), id.value());
        }
    }

    /// Counts a contact for the apps of which it holds a token now, and no longer for those of which
    /// it held one.
    fn count_holding(
        &mut self,
        before: &[HeldTokenRow],
        after: &[HeldTokenRow],
    ) -> Result<(), Failure> {
        self.count_contact(after, before, |contacts| adjusted(contacts, 1, 0))?;
        self.count_contact(before, after, |contacts| adjusted(contacts, 0, 1))
    }

    /// Changes the count of contacts of each app that has a token among `these`, and none among
    /// `those`.
    fn count_contact(
        &mut self,
        these: &[HeldTokenRow],
        those: &[HeldTokenRow],
        change: impl Fn(u64) -> Result<u64, Failure>,
    ) -> Result<(), Failure> {
        let mut seen = BTreeSet::new();
        let mut last = None;
        for app in these.iter().map(HeldTokenRow::app) {
            // Nearly all cards have tokens of one app.
            if last == Some(app) || last.is_some() && seen.contains(&app) {
                continue;
            }
            seen.extend(last.replace(app));
            if !those.iter().any(|held| held.app() == app) {
                self.change_tally(app, |tally| {
                    tally.contacts = change(tally.contacts)?;
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// Takes the next subscriber id of an app; `None` when it has given out all
    /// [`MOST_OF_AN_APP`](SubscriberId::MOST_OF_AN_APP).
    pub(crate) fn take_subscriber_id(
        &mut self,
        app: AppNumber,
    ) -> Result<Option<SubscriberId>, Failure> {
        let mut tally = self.tally(app)?;
        if tally.subscriber_ids >= SubscriberId::MOST_OF_AN_APP {
            return Ok(None);
        }
        tally.subscriber_ids = tally.subscriber_ids.saturating_add(1);
        self.put_tally(app, tally);
        Ok(Some(SubscriberId::of(app, tally.subscriber_ids)))
    }

    /// Writes, creates or removes a subscriber with its index entry and its app's count. The app
    /// of a subscriber never changes.
    pub(crate) fn write_subscriber(
        &mut self,
        id: SubscriberId,
        before: Option<&SubscriberRow>,
        after: Option<&SubscriberRow>,
    ) -> Result<(), Failure> {
        if before == after {
            return Ok(());
        }
        self.put_or_insert(&id, before.is_none(), after)?;
        if let (Some(before), Some(after)) = (before, after)
            && before.muted != after.muted
        {
            self.record_mute(id, after)?;
        }
        let hasher = self.hasher();
        let hash = |row: &SubscriberRow| hasher.token(row.app.0, row.token.as_str());
        self.move_index_entry(Index::Tokens, before.map(hash), after.map(hash), id.value());
        let mutes =
            |row: Option<&SubscriberRow>| u64::from(row.is_some_and(|row| row.muted.is_some()));
        self.state.muted = adjusted(self.state.muted, mutes(after), mutes(before))?;
        // A token that is there is not remembered as one that FAILED removed (R63).
        if let Some(after) = after
            && before.is_none_or(|before| before.token != after.token)
        {
            self.end_blocked(after.app, &after.token)?;
        }
        let (row, appears) = match (before, after) {
            (None, Some(row)) => (row, true),
            (Some(row), None) => (row, false),
            _ => return Ok(()),
        };
        self.change_tally(row.app, |tally| {
            tally.subscribers =
                adjusted(tally.subscribers, u64::from(appears), u64::from(!appears))?;
            Ok(())
        })
    }

    /// Changes the counts of an app.
    pub(crate) fn change_tally(
        &mut self,
        app: AppNumber,
        change: impl FnOnce(&mut AppTallyRow) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut tally = self.tally(app)?;
        change(&mut tally)?;
        self.put_tally(app, tally);
        Ok(())
    }

    /// Writes, creates or removes an app.
    pub(crate) fn write_app(
        &mut self,
        id: AppId,
        before: Option<&AppRow>,
        after: Option<&AppRow>,
    ) -> Result<(), Failure> {
        if before == after {
            return Ok(());
        }
        self.record_app(before, after);
        self.put(&id, after)
    }

    /// Writes, creates or removes the tally of a message.
    pub(crate) fn write_message(
        &mut self,
        key: &MessageKey,
        tally: Option<&MessageRow>,
    ) -> Result<(), Failure> {
        self.put(key, tally)
    }

    /// Notes the id that a subscriber had in a file of format 1.
    #[cfg(feature = "transfer")]
    pub(crate) fn write_former_id(
        &mut self,
        former: SubscriberId,
        row: &FormerIdRow,
    ) -> Result<(), Failure> {
        self.put(&former, Some(row))
    }

    fn move_index_entry(
        &mut self,
        index: Index,
        old: Option<IndexHash>,
        new: Option<IndexHash>,
        id: u64,
    ) {
        if old == new {
            return;
        }
        if let Some(hash) = old {
            self.remove_from_index(index, hash, id);
        }
        if let Some(hash) = new {
            self.add_to_index(index, hash, id);
        }
    }
}

fn tokens_of(card: Option<&CardRow>) -> &[HeldTokenRow] {
    card.map_or(&[], |card| &card.tokens)
}

/// The indexes that lead from the identifiers of a card.
pub(super) const IDENTIFIERS: [Index; 3] = [Index::ExternalIds, Index::Phones, Index::Emails];

/// The index that leads from identifiers of this kind; `None` for the contact id, which is itself the
/// key of the card.
pub(super) fn index_of(kind: IdentifierKind) -> Option<Index> {
    match kind {
        IdentifierKind::ContactId => None,
        IdentifierKind::ExternalCustomerId => Some(Index::ExternalIds),
        IdentifierKind::Phone => Some(Index::Phones),
        IdentifierKind::Email => Some(Index::Emails),
    }
}

/// Where the identifier that an index leads from stands in it; `None` when there is no such identifier.
pub(super) fn identifier_hash(
    hasher: IndexHasher,
    index: Index,
    identifiers: &Identifiers,
) -> Option<IndexHash> {
    match index {
        Index::ExternalIds => identifiers
            .external_customer_id()
            .map(|id| hasher.external_id(id.as_str())),
        Index::Phones => identifiers
            .phone()
            .map(|phone| hasher.phone(phone.as_u64())),
        Index::Emails => identifiers
            .email()
            .map(|email| hasher.email(email.as_str())),
        Index::Tokens => None,
    }
}
