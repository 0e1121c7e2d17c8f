//! What is remembered of tokens that FAILED removed: which contacts held each (R63).
//!
//! A record has a number, and the numbers ascend: the record with the smallest is the oldest. Entries
//! beside the records lead from a token and from each contact to them. This module does not know why a
//! token was removed or why it comes back.

use crate::model::app::AppNumber;
use crate::model::identifier::ContactId;
use crate::model::token::Token;

use super::draft::Draft;
use super::format::keys::RowKey as _;
use super::format::optional::{BlockedEntryRow, BlockedKey, BlockedRow};
use super::guard::Failure;
use super::read::Rows;

/// The record of a token of an app, and its number.
///
/// A store without records reads nothing here.
pub(crate) fn find_blocked(
    rows: &impl Rows,
    app: AppNumber,
    token: &Token,
) -> Result<Option<(u64, BlockedRow)>, Failure> {
    if rows.state().blocked == 0 {
        return Ok(None);
    }
    let key = token_key(rows, app, token);
    let Some(entry) = rows.row::<BlockedEntryRow>(&key)? else {
        return Ok(None);
    };
    let record: BlockedRow = rows.expect_row(&entry.number)?;
    let is_of_token = record.app == app && record.token == *token;
    Ok(is_of_token.then_some((entry.number, record)))
}

/// The key of the entry that leads from a token to its record.
pub(super) fn token_key(rows: &impl Rows, app: AppNumber, token: &Token) -> BlockedKey {
    BlockedKey::of_token(app, rows.hasher().blocked(token.as_str()))
}

impl Draft<'_> {
    /// Remembers who held a token that is removed, and forgets the oldest records over `most`.
    pub(crate) fn remember_blocked(
        &mut self,
        app: AppNumber,
        token: &Token,
        contacts: &[ContactId],
        most: u64,
    ) -> Result<(), Failure> {
        /// After `most` was lowered, the rest goes with later records.
        const FORGOTTEN_AT_ONCE: usize = 2;
        for _ in 0..FORGOTTEN_AT_ONCE {
            if self.state.blocked >= most {
                self.forget_oldest_blocked()?;
            }
        }
        if self.state.blocked >= most {
            return Ok(());
        }
        let number = self.state.blocked_next;
        self.state.blocked_next = number.saturating_add(1);
        let record = BlockedRow {
            app,
            token: token.clone(),
            contacts: contacts.to_vec(),
        };
        self.put_or_insert(&number, true, Some(&record))?;
        let entry = BlockedEntryRow { number };
        self.put(&token_key(self, app, token), Some(&entry))?;
        for contact in contacts {
            self.put(&BlockedKey::of_contact(*contact, number), Some(&entry))?;
        }
        self.state.blocked = self.state.blocked.saturating_add(1);
        Ok(())
    }

    /// Ends the record of a token, which is there again.
    pub(super) fn end_blocked(&mut self, app: AppNumber, token: &Token) -> Result<(), Failure> {
        match find_blocked(self, app, token)? {
            Some((number, record)) => self.remove_blocked(number, &record),
            None => Ok(()),
        }
    }

    /// Takes a contact out of all records. One that names no other contact goes.
    pub(crate) fn forget_blocked_contact(&mut self, contact: ContactId) -> Result<(), Failure> {
        if self.state.blocked == 0 {
            return Ok(());
        }
        let first = BlockedKey::of_contact(contact, 0).to_key();
        let last = BlockedKey::of_contact(contact, u64::MAX).to_key();
        let entries = self.rows::<BlockedEntryRow>(&first, &last, usize::MAX)?;
        self.foresee::<BlockedRow>(entries.iter().map(|(_, entry)| &entry.number));
        for (key, BlockedEntryRow { number }) in entries {
            let mut record: BlockedRow = self.expect_row(&number)?;
            if record.contacts == [contact] {
                self.remove_blocked(number, &record)?;
                continue;
            }
            record.contacts.retain(|other| *other != contact);
            self.put(&number, Some(&record))?;
            self.put::<BlockedEntryRow>(&key, None)?;
        }
        Ok(())
    }

    /// Removes at most `most` records of an app. Returns how many there were.
    pub(crate) fn remove_blocked_of(
        &mut self,
        app: AppNumber,
        most: usize,
    ) -> Result<usize, Failure> {
        if self.state.blocked == 0 {
            return Ok(0);
        }
        let (first, last) = BlockedKey::of_app(app);
        let entries = self.rows::<BlockedEntryRow>(&first.to_key(), &last.to_key(), most)?;
        self.foresee::<BlockedRow>(entries.iter().map(|(_, entry)| &entry.number));
        for (_, BlockedEntryRow { number }) in &entries {
            let record: BlockedRow = self.expect_row(number)?;
            self.remove_blocked(*number, &record)?;
        }
        Ok(entries.len())
    }

    fn forget_oldest_blocked(&mut self) -> Result<(), Failure> {
        let (first, last) = (self.state.blocked_first.to_key(), u64::MAX.to_key());
        let oldest = self.rows::<BlockedRow>(&first, &last, 1)?.pop();
        if let Some((number, record)) = oldest {
            self.remove_blocked(number, &record)?;
            self.state.blocked_first = number.saturating_add(1);
        }
        Ok(())
    }

    fn remove_blocked(&mut self, number: u64, record: &BlockedRow) -> Result<(), Failure> {
        self.put::<BlockedRow>(&number, None)?;
        let key = token_key(self, record.app, &record.token);
        self.put::<BlockedEntryRow>(&key, None)?;
        for contact in &record.contacts {
            self.put::<BlockedEntryRow>(&BlockedKey::of_contact(*contact, number), None)?;
        }
        self.state.blocked = self.state.blocked.saturating_sub(1);
        Ok(())
    }
}
