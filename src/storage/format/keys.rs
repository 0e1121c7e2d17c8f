//! The typed keys of the tables.
//!
//! This module does not know what is in the rows under them.

use crate::model::app::{AppId, AppNumber};
use crate::model::identifier::ContactId;
use crate::model::report::MessageId;
use crate::model::subscriber::SubscriberId;

use super::super::guard::Failure;
use super::super::tables::Key;

/// The typed key of a table.
pub(crate) trait RowKey: Sized {
    fn to_key(&self) -> Key;
    fn from_key(key: &Key) -> Result<Self, Failure>;
}

const WRONG_KEY: Failure = Failure::Corrupt("a key that is none of its table");

impl RowKey for u64 {
    fn to_key(&self) -> Key {
        Key::Int(*self)
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        match key {
            Key::Int(key) => Ok(*key),
            _ => Err(WRONG_KEY),
        }
    }
}

impl RowKey for ContactId {
    fn to_key(&self) -> Key {
        Key::Int(self.value())
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        ContactId::new(u64::from_key(key)?).map_err(|_| WRONG_KEY)
    }
}

impl RowKey for SubscriberId {
    fn to_key(&self) -> Key {
        Key::Int(self.value())
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        u64::from_key(key).map(SubscriberId::new)
    }
}

/// The key of [`FormatRow`](super::meta::FormatRow) in the `meta` table.
pub(in crate::storage) const FORMAT_KEY: u64 = 0;
/// The key of [`State`](super::meta::State) in the `meta` table.
pub(in crate::storage) const STATE_KEY: u64 = 1;
/// The key of [`IndexState`](super::super::unique::IndexState) in the `meta` table.
pub(in crate::storage) const INDEX_STATE_KEY: u64 = 2;
/// The counts of apps are in the table `meta`, from this key on.
pub(in crate::storage) const FIRST_TALLY: u64 = 1 << 32;

impl RowKey for AppNumber {
    fn to_key(&self) -> Key {
        Key::Int(FIRST_TALLY.saturating_add(self.0))
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        let number = u64::from_key(key)?.checked_sub(FIRST_TALLY);
        number.map(AppNumber).ok_or(WRONG_KEY)
    }
}

impl RowKey for AppId {
    fn to_key(&self) -> Key {
        Key::Wide(self.as_u128())
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        match key {
            Key::Wide(key) => Ok(AppId::from_u128(*key)),
            _ => Err(WRONG_KEY),
        }
    }
}

/// The key of a message's tally: first by app, then by the bytes of the message id.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct MessageKey {
    pub(crate) app: AppNumber,
    pub(crate) message: MessageId,
}

impl MessageKey {
    /// The first key that any message of `app` could have.
    pub(crate) fn first_of(app: AppNumber) -> Key {
        Key::Bytes(app.0.to_be_bytes().as_slice().into())
    }

    /// The first key that a message after this one could have.
    pub(crate) fn right_after(app: AppNumber, message: &MessageId) -> Key {
        let mut key = app.0.to_be_bytes().to_vec();
        key.extend_from_slice(message.as_str().as_bytes());
        key.push(0);
        Key::Bytes(key.into())
    }

    /// A key after that of every message of `app`: a message id is UTF-8 and has no byte 255.
    pub(crate) fn after_all_of(app: AppNumber) -> Key {
        let mut key = app.0.to_be_bytes().to_vec();
        key.push(u8::MAX);
        Key::Bytes(key.into())
    }
}

impl RowKey for MessageKey {
    fn to_key(&self) -> Key {
        let mut key = self.app.0.to_be_bytes().to_vec();
        key.extend_from_slice(self.message.as_str().as_bytes());
        Key::Bytes(key.into())
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        let Key::Bytes(key) = key else {
            return Err(WRONG_KEY);
        };
        let (app, message) = key.split_first_chunk().ok_or(WRONG_KEY)?;
        let message = str::from_utf8(message).map_err(|_| WRONG_KEY)?;
        Ok(MessageKey {
            app: AppNumber(u64::from_be_bytes(*app)),
            message: MessageId::from_stored(message.to_owned()),
        })
    }
}
