//! Writing a contact or a subscriber together with everything that is derived from it.
//!
//! Index rows and counts are the difference between the row before and after, and are written
//! nowhere else. This module does not know why a row changes.

use std::collections::BTreeSet;

use crate::app::{AppId, AppNumber};
use crate::identifier::{ContactId, Email, ExternalCustomerId, Phone};
use crate::seeded::{SeededFault, seeded};
use crate::subscriber::SubscriberId;

use super::draft::Draft;
use super::guard::Failure;
use super::rows::{
    AppRow, AppTallyRow, CardRow, Index, ListedRow, MessageKey, MessageRow, Rows, SubscriberRow,
};

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
        self.put(&id, after)?;
        let hasher = self.hasher();
        let keys = |card: Option<&CardRow>| {
            let identifiers = card.map(|card| &card.identifiers);
            [
                (
                    Index::ExternalIds,
                    identifiers
                        .and_then(|of| of.external_customer_id())
                        .map(|external| hasher.external_id(ExternalCustomerId::as_str(external))),
                ),
                (
                    Index::Phones,
                    identifiers.and_then(|of| of.phone()).map(Phone::as_u64),
                ),
                (
                    Index::Emails,
                    identifiers
                        .and_then(|of| of.email())
                        .map(|email| hasher.email(Email::as_str(email))),
                ),
            ]
        };
        for ((index, old), (_, new)) in keys(before).into_iter().zip(keys(after)) {
            self.move_index_entry(index, old, new, id.value())?;
        }

        let apps = |card: Option<&CardRow>| -> BTreeSet<AppNumber> {
            card.map(|card| card.tokens.iter().map(|held| held.app).collect())
                .unwrap_or_default()
        };
        let (old, new) = (apps(before), apps(after));
        for app in old.symmetric_difference(&new) {
            let (up, down) = if new.contains(app) { (1, 0) } else { (0, 1) };
            self.change_tally(*app, |tally| {
                tally.contacts = moved(tally.contacts, up, down)?;
                Ok(())
            })?;
        }

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

    /// Writes, creates or removes a subscriber with its index row, its place in the listing and
    /// its app's count. The app of a subscriber never changes.
    pub(crate) fn write_subscriber(
        &mut self,
        id: SubscriberId,
        before: Option<&SubscriberRow>,
        after: Option<&SubscriberRow>,
    ) -> Result<(), Failure> {
        if before == after {
            return Ok(());
        }
        self.put(&id, after)?;
        let hasher = self.hasher();
        let key = |row: &SubscriberRow| hasher.token(row.app.0, row.token.as_str());
        self.move_index_entry(Index::Tokens, before.map(key), after.map(key), id.value())?;
        let (row, appears) = match (before, after) {
            (None, Some(row)) => (row, true),
            (Some(row), None) => (row, false),
            _ => return Ok(()),
        };
        self.put(&(row.app, id), appears.then_some(&ListedRow))?;
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
        let mut tally: AppTallyRow = self.expect_row(&app)?;
        change(&mut tally)?;
        self.put(&app, Some(&tally))
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

    /// Creates or removes the counts of an app.
    pub(crate) fn write_tally(
        &mut self,
        app: AppNumber,
        tally: Option<&AppTallyRow>,
    ) -> Result<(), Failure> {
        self.put(&app, tally)
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
        old: Option<u64>,
        new: Option<u64>,
        id: u64,
    ) -> Result<(), Failure> {
        if old == new {
            return Ok(());
        }
        if let Some(key) = old
            && (new.is_none() || !seeded(SeededFault::ForgetIndexDelete))
        {
            let row = self.index_row(index, key)?.without(id);
            self.put_index(index, key, &row)?;
        }
        if let Some(key) = new {
            let row = self.index_row(index, key)?.with(id);
            self.put_index(index, key, &row)?;
        }
        Ok(())
    }
}
