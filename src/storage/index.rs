//! Writing a contact or a subscriber together with everything that is derived from it.
//!
//! Index rows and counts are the difference between the row before and after, and are written
//! nowhere else. This module does not know why a row changes.

use std::collections::BTreeSet;

use crate::error::EntryError;
use crate::limits::{Limit, LimitExceeded};
use crate::model::app::{AppId, AppNumber};
use crate::model::identifier::{ContactId, Email, ExternalCustomerId, Identifiers, Phone};
use crate::model::subscriber::SubscriberId;
use crate::seeded::{SeededFault, seeded};

use super::draft::Draft;
use super::format::hash::IndexHasher;
use super::format::rows::{
    AppRow, AppTallyRow, CardRow, HeldTokenRow, MessageKey, MessageRow, Rows, SubscriberRow,
};
use super::guard::Failure;
use super::unique::{Index, IndexHash};

/// What is said where counting would go below zero, which no code path does.
const MISCOUNTED: Failure = Failure::Corrupt("a count that does not fit the rows it counts");

fn moved(count: u64, up: u64, down: u64) -> Result<u64, Failure> {
    count
        .checked_add(up)
        .and_then(|count| count.checked_sub(down))
        .ok_or(MISCOUNTED)
}

impl Draft<'_> {
    /// Writes, creates or erases a card with its index rows and counts. The contact's id must have
    /// been taken before, by [`assign_contact_id`](Draft::assign_contact_id) or
    /// [`adopt_contact_id`](Draft::adopt_contact_id).
    pub(crate) fn write_card(
        &mut self,
        id: ContactId,
        before: Option<&CardRow>,
        after: Option<&CardRow>,
    ) -> Result<(), Failure> {
        if before == after {
            return Ok(());
        }
        self.put_or_insert(&id, before.is_none(), after)?;
        self.move_identifiers(
            id,
            before.map(|card| &card.identifiers),
            after.map(|card| &card.identifiers),
        );
        self.count_holding(tokens_of(before), tokens_of(after))?;
        match (before, after) {
            (None, Some(_)) => self.state.contacts = moved(self.state.contacts, 1, 0)?,
            (Some(_), None) => {
                let down = u64::from(!seeded(SeededFault::CounterNotUpdated));
                self.state.contacts = moved(self.state.contacts, 0, down)?;
                self.state.erased = moved(self.state.erased, 1, 0)?;
                if seeded(SeededFault::ReuseOfAnId) {
                    self.state.next_contact = id.value();
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes a card of which only the tokens change, with the counts.
    pub(crate) fn write_card_tokens(
        &mut self,
        id: ContactId,
        before: &[HeldTokenRow],
        after: &CardRow,
    ) -> Result<(), Failure> {
        if before == after.tokens {
            return Ok(());
        }
        self.put(&id, Some(after))?;
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
        let hashes = |identifiers: Option<&Identifiers>| {
            identifiers.map_or([None; 3], |all| identifier_hashes(hasher, all))
        };
        let moves = hashes(before).into_iter().zip(hashes(after));
        for (index, (old, new)) in IDENTIFIERS.into_iter().zip(moves) {
            self.move_index_entry(index, old, new, id.value());
        }
    }

    /// Counts a contact for the apps of which it holds a token now, and no longer for those of which
    /// it held one.
    fn count_holding(
        &mut self,
        before: &[HeldTokenRow],
        after: &[HeldTokenRow],
    ) -> Result<(), Failure> {
        self.count_contact(after, before, |contacts| moved(contacts, 1, 0))?;
        self.count_contact(before, after, |contacts| moved(contacts, 0, 1))
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

    /// Takes the next subscriber id of an app. 2^40 of them do not happen to an app that is connected
    /// anew from time to time.
    pub(crate) fn take_subscriber_id(
        &mut self,
        app: AppNumber,
    ) -> Result<Result<SubscriberId, EntryError>, Failure> {
        let mut tally = self.tally(app)?;
        tally.subscriber_ids = tally.subscriber_ids.saturating_add(1);
        let most = SubscriberId::MOST_OF_AN_APP;
        if let Err(exceeded) =
            LimitExceeded::check_count(Limit::SubscribersOfApp, tally.subscriber_ids, most)
        {
            return Ok(Err(exceeded.into()));
        }
        self.put_tally(app, tally);
        Ok(Ok(SubscriberId::of(app, tally.subscriber_ids)))
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
        let hasher = self.hasher();
        let hash = |row: &SubscriberRow| hasher.token(row.app.0, row.token.as_str());
        self.move_index_entry(Index::Tokens, before.map(hash), after.map(hash), id.value());
        let (row, appears) = match (before, after) {
            (None, Some(row)) => (row, true),
            (Some(row), None) => (row, false),
            _ => return Ok(()),
        };
        self.change_tally(row.app, |tally| {
            tally.subscribers = moved(tally.subscribers, u64::from(appears), u64::from(!appears))?;
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
            Ok(())
        } else {
            self.put(&id, after)
        }
    }

    /// Writes, creates or removes the tally of a message.
    pub(crate) fn write_message(
        &mut self,
        key: &MessageKey,
        tally: Option<&MessageRow>,
    ) -> Result<(), Failure> {
        self.put(key, tally)
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
        if let Some(hash) = old
            && (new.is_none() || !seeded(SeededFault::ForgetIndexDelete))
        {
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

/// The indexes of a card, in the order of [`identifier_hashes`].
pub(super) const IDENTIFIERS: [Index; 3] = [Index::ExternalIds, Index::Phones, Index::Emails];

/// Where the identifiers of a card stand in the [`IDENTIFIERS`] indexes.
pub(super) fn identifier_hashes(
    hasher: IndexHasher,
    identifiers: &Identifiers,
) -> [Option<IndexHash>; 3] {
    let external = identifiers
        .external_customer_id()
        .map(ExternalCustomerId::as_str);
    let phone = identifiers.phone().map(Phone::as_u64);
    let email = identifiers.email().map(Email::as_str);
    [
        external.map(|id| hasher.external_id(id)),
        phone.map(|phone| hasher.phone(phone)),
        email.map(|email| hasher.email(email)),
    ]
}
