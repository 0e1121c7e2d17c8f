//! The rows of optional tables: what is in each, its key, and its payload.
//!
//! All are of format 3. This module does not know which option or operation makes them.

use crate::model::app::AppNumber;
use crate::model::identifier::{ContactId, IdentifierKind};
use crate::model::token::Token;

use super::super::guard::Failure;
use super::super::tables::{Key, Table};
use super::keys::RowKey;
use super::meta::FORMAT_3;
use super::record::{MALFORMED, Payload, Row, decode, ended, take};

const WRONG_KEY: Failure = Failure::Corrupt("a key that is none of its table");

/// The key of a suppressed identifier: a keyed hash of its kind and its canonical form.
///
/// Nothing verifies a match, so all 128 bits of the hash are here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SuppressedKey(pub(in crate::storage) u128);

impl RowKey for SuppressedKey {
    fn to_key(&self) -> Key {
        Key::Wide(self.0)
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        match key {
            Key::Wide(key) => Ok(SuppressedKey(*key)),
            _ => Err(WRONG_KEY),
        }
    }
}

/// A suppressed identifier, of which only the kind is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SuppressedRow {
    pub(crate) kind: IdentifierKind,
}

impl Row for SuppressedRow {
    const TABLE: Table = Table::Suppressed;
    type Key = SuppressedKey;

    fn format(&self) -> u32 {
        FORMAT_3
    }

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        let kind: u8 = match self.kind {
            IdentifierKind::ExternalCustomerId => 1,
            IdentifierKind::Phone => 2,
            IdentifierKind::Email => 3,
            IdentifierKind::ContactId => return Err(MALFORMED),
        };
        to.push(kind)
    }

    fn decode(_: &SuppressedKey, payload: &[u8]) -> Result<Self, Failure> {
        let kind = match decode::<u8>(payload)? {
            1 => IdentifierKind::ExternalCustomerId,
            2 => IdentifierKind::Phone,
            3 => IdentifierKind::Email,
            _ => return Err(MALFORMED),
        };
        Ok(SuppressedRow { kind })
    }
}

/// What is remembered of a token that FAILED removed (R63). Its number is the key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct BlockedRow {
    pub(crate) app: AppNumber,
    pub(crate) token: Token,
    /// Those that held it and still exist, in the order in which they got it. Never empty.
    pub(crate) contacts: Vec<ContactId>,
}

impl Row for BlockedRow {
    const TABLE: Table = Table::Blocked;
    type Key = u64;

    fn format(&self) -> u32 {
        FORMAT_3
    }

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        to.push((self.app.0, self.token.as_str(), self.contacts.len() as u64))?;
        self.contacts
            .iter()
            .try_for_each(|contact| to.push(contact.value()))
    }

    fn decode(_: &u64, mut payload: &[u8]) -> Result<Self, Failure> {
        let (app, token, count): (u64, &str, u64) = take(&mut payload)?;
        // Each takes a byte at least: a damaged count must not decide what is allocated.
        if count > payload.len() as u64 {
            return Err(MALFORMED);
        }
        let mut contacts = Vec::new();
        for _ in 0..count {
            let id: u64 = take(&mut payload)?;
            contacts.push(ContactId::new(id).map_err(|_| MALFORMED)?);
        }
        ended(payload)?;
        Ok(BlockedRow {
            app: AppNumber(app),
            token: Token::from_stored(token.to_owned()),
            contacts,
        })
    }
}

/// The key of an entry that leads to a [`BlockedRow`]: from a contact, or from a token.
///
/// From a contact it is the contact id and the number of the record. From a token it begins with a bit
/// that no contact id has, and the number of the app, so that the tokens of an app are one range; a
/// keyed hash of the token follows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockedKey(pub(in crate::storage) u128);

/// The bits of the hash of a token. An app number has 23 bits.
const HASH_BITS: u32 = 104;
const HASH_MASK: u128 = (1 << HASH_BITS) - 1;
const OF_TOKEN: u128 = 1 << 127;

impl BlockedKey {
    pub(in crate::storage) fn of_contact(contact: ContactId, number: u64) -> Self {
        BlockedKey(u128::from(contact.value()) << 64 | u128::from(number))
    }

    pub(in crate::storage) fn of_token(app: AppNumber, hash: u128) -> Self {
        BlockedKey(OF_TOKEN | u128::from(app.0) << HASH_BITS | hash & HASH_MASK)
    }

    /// The first and the last key that a token of an app could have.
    pub(in crate::storage) fn of_app(app: AppNumber) -> (Self, Self) {
        (Self::of_token(app, 0), Self::of_token(app, HASH_MASK))
    }

    /// Whether this entry may lead to that record.
    pub(in crate::storage) fn leads_to(self, number: u64, record: &BlockedRow, hash: u128) -> bool {
        self == Self::of_token(record.app, hash)
            || record
                .contacts
                .iter()
                .any(|contact| self == Self::of_contact(*contact, number))
    }
}

impl RowKey for BlockedKey {
    fn to_key(&self) -> Key {
        Key::Wide(self.0)
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        match key {
            Key::Wide(key) => Ok(BlockedKey(*key)),
            _ => Err(WRONG_KEY),
        }
    }
}

/// The number of the record that an entry leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockedEntryRow {
    pub(crate) number: u64,
}

impl Row for BlockedEntryRow {
    const TABLE: Table = Table::BlockedIndex;
    type Key = BlockedKey;

    fn format(&self) -> u32 {
        FORMAT_3
    }

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        to.push(self.number)
    }

    fn decode(_: &BlockedKey, payload: &[u8]) -> Result<Self, Failure> {
        Ok(BlockedEntryRow {
            number: decode(payload)?,
        })
    }
}
