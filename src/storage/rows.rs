//! What a row of each table is, and how rows are read, from a snapshot or from a draft.
//!
//! This module knows neither the bytes of a row (that is `record`) nor when rows reach the file.

use crate::app::{AccessKey, AppId, AppName, AppNumber};
use crate::fields::ContactFields;
use crate::identifier::{ContactId, Identifiers};
use crate::report::{MessageId, Status};
use crate::subscriber::{StatusCounts, SubscriberId};
use crate::time::Timestamp;
use crate::token::Token;

use super::guard::Failure;
use super::hash::IndexHasher;
use super::meta::State;
use super::record;
use super::tables::{Key, Table};

/// A row of one of the tables that are not indexes.
pub(crate) trait Row: Sized {
    const TABLE: Table;
    type Key: RowKey;

    /// Appends the payload of the row's record.
    fn encode(&self, to: &mut record::Payload) -> Result<(), Failure>;

    /// Reads the payload of a record whose checksum holds.
    fn decode(payload: &[u8]) -> Result<Self, Failure>;
}

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

impl RowKey for AppNumber {
    fn to_key(&self) -> Key {
        Key::Int(self.0)
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        u64::from_key(key).map(AppNumber)
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

impl RowKey for (AppNumber, SubscriberId) {
    fn to_key(&self) -> Key {
        Key::Wide(u128::from(self.0.0) << 64 | u128::from(self.1.value()))
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        let Key::Wide(key) = key else {
            return Err(WRONG_KEY);
        };
        let number = u64::try_from(key >> 64).map_err(|_| WRONG_KEY)?;
        let subscriber = u64::try_from(key & u128::from(u64::MAX)).map_err(|_| WRONG_KEY)?;
        Ok((AppNumber(number), SubscriberId::new(subscriber)))
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

    /// The first key that a message behind this one could have.
    pub(crate) fn right_behind(app: AppNumber, message: &MessageId) -> Key {
        let mut key = app.0.to_be_bytes().to_vec();
        key.extend_from_slice(message.as_str().as_bytes());
        key.push(0);
        Key::Bytes(key.into())
    }

    /// A key behind that of every message of `app`: a message id is UTF-8 and has no byte 255.
    pub(crate) fn behind(app: AppNumber) -> Key {
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

/// A contact's card as stored. The contact's id is the key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CardRow {
    pub(crate) created_at: Timestamp,
    pub(crate) created_through: Option<AppId>,
    /// Without the contact id.
    pub(crate) identifiers: Identifiers,
    pub(crate) fields: ContactFields,
    /// In the order of addition (R20). Some may be of an app disconnected since.
    pub(crate) tokens: Vec<HeldTokenRow>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HeldTokenRow {
    pub(crate) subscriber: SubscriberId,
    pub(crate) app: AppNumber,
    pub(crate) added_at: Timestamp,
    pub(crate) token: Token,
}

/// A connected app. Its id is the key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AppRow {
    pub(crate) number: AppNumber,
    pub(crate) name: AppName,
    pub(crate) key: Option<AccessKey>,
    pub(crate) connected_at: Timestamp,
}

/// The counts of one connection of an app. Its number is the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct AppTallyRow {
    pub(crate) app: AppId,
    /// Whether it is still connected; if not, what is left of it is being removed.
    pub(crate) connected: bool,
    pub(crate) subscribers: u64,
    pub(crate) contacts: u64,
    pub(crate) removed_by_failed: u64,
    pub(crate) removed_by_host: u64,
}

/// A subscriber. Its id is the key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SubscriberRow {
    pub(crate) app: AppNumber,
    pub(crate) token: Token,
    /// The contacts that hold it, in the order in which they came to. Never empty.
    pub(crate) holders: Vec<ContactId>,
    pub(crate) last_registered_at: Timestamp,
    pub(crate) last_status: Option<(Status, Timestamp)>,
    pub(crate) counts: StatusCounts,
}

/// That a subscriber is listed under its app.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListedRow;

/// The tally of one message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageRow {
    pub(crate) last_at: Timestamp,
    pub(crate) counts: StatusCounts,
}

/// A run of taken contact ids. Its first id is the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TakenRow {
    pub(crate) last: u64,
}

/// One of the four unique indexes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Index {
    ExternalIds,
    Phones,
    Emails,
    Tokens,
}

impl Index {
    pub(crate) const fn table(self) -> Table {
        match self {
            Index::ExternalIds => Table::ExternalIds,
            Index::Phones => Table::Phones,
            Index::Emails => Table::Emails,
            Index::Tokens => Table::Tokens,
        }
    }
}

/// A row of an index: the ids that share its key, in order. Nearly always there is one.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct IndexRow {
    // One id without an allocation: this row is read in every look-up.
    first: Option<u64>,
    more: Vec<u64>,
}

impl IndexRow {
    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> {
        self.first.iter().chain(&self.more).copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn from_ids(ids: impl IntoIterator<Item = u64>) -> Self {
        let mut ids = ids.into_iter();
        IndexRow {
            first: ids.next(),
            more: ids.collect(),
        }
    }

    pub(crate) fn with(&self, id: u64) -> Self {
        let mut ids: Vec<u64> = self.ids().filter(|other| *other != id).collect();
        ids.push(id);
        ids.sort_unstable();
        IndexRow::from_ids(ids)
    }

    pub(crate) fn without(&self, id: u64) -> Self {
        IndexRow::from_ids(self.ids().filter(|other| *other != id))
    }
}

/// What is handed the rows of a walk, until it answers `false`.
pub(crate) type Each<'a> = dyn FnMut(Key, &[u8]) -> Result<bool, Failure> + 'a;

/// Where rows can be read: the committed tables, or a draft laid over them.
pub(crate) trait Rows {
    /// Hands the bytes of a row to `read`.
    fn read<T>(
        &self,
        table: Table,
        key: &Key,
        read: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure>;

    /// Hands the rows with keys from `first` to `last`, both included, to `each`, upwards or
    /// downwards, until it answers `false`.
    fn walk(
        &self,
        table: Table,
        span: (&Key, &Key),
        upwards: bool,
        each: &mut Each<'_>,
    ) -> Result<(), Failure>;

    fn hasher(&self) -> IndexHasher;

    fn state(&self) -> State;

    /// The row under `key`.
    fn row<R: Row>(&self, key: &R::Key) -> Result<Option<R>, Failure> {
        let key = key.to_key();
        self.read(R::TABLE, &key, |bytes| {
            record::open(R::TABLE, &key, bytes, R::decode)
        })
    }

    /// The row under `key`, which another row says is there.
    fn expect_row<R: Row>(&self, key: &R::Key) -> Result<R, Failure> {
        self.row(key)?
            .ok_or(Failure::Corrupt("a row that another row names is missing"))
    }

    /// The ids under `key` in an index.
    fn index_row(&self, index: Index, key: u64) -> Result<IndexRow, Failure> {
        let key = Key::Int(key);
        let table = index.table();
        let row = self.read(table, &key, |bytes| {
            record::open(table, &key, bytes, record::decode_index)
        })?;
        Ok(row.unwrap_or_default())
    }

    /// At most `most` rows with keys from `first` to `last`, upwards.
    fn rows<R: Row>(
        &self,
        first: &Key,
        last: &Key,
        most: usize,
    ) -> Result<Vec<(R::Key, R)>, Failure> {
        let mut found = Vec::new();
        if most == 0 || first > last {
            return Ok(found);
        }
        self.walk(R::TABLE, (first, last), true, &mut |key, bytes| {
            let row = record::open(R::TABLE, &key, bytes, R::decode)?;
            found.push((R::Key::from_key(&key)?, row));
            Ok(found.len() < most)
        })?;
        Ok(found)
    }

    /// The row with the largest key from `first` to `last`.
    fn last_row<R: Row>(&self, first: &Key, last: &Key) -> Result<Option<(R::Key, R)>, Failure> {
        let mut found = None;
        self.walk(R::TABLE, (first, last), false, &mut |key, bytes| {
            let row = record::open(R::TABLE, &key, bytes, R::decode)?;
            found = Some((R::Key::from_key(&key)?, row));
            Ok(false)
        })?;
        Ok(found)
    }
}
