//! What a row of each table is, and how rows are read, from a snapshot or from a draft.
//!
//! This module knows neither the bytes of a row (that is `record`) nor when rows reach the file.

use crate::model::app::{AccessKey, AppId, AppName, AppNumber};
use crate::model::fields::ContactFields;
use crate::model::identifier::{ContactId, Identifiers};
use crate::model::report::StatusCounts;
use crate::model::report::{MessageId, Status};
use crate::model::subscriber::SubscriberId;
use crate::model::time::Timestamp;
use crate::model::token::Token;

use super::super::guard::Failure;
use super::super::tables::{Key, Table};
use super::super::unique::{Index, IndexHash};
use super::hash::IndexHasher;
use super::meta::State;
use super::codec as record;

/// A row of one of the tables that are not indexes.
pub(crate) trait Row: Sized {
    const TABLE: Table;
    type Key: RowKey;

    /// Appends the payload of the row's record.
    fn encode(&self, to: &mut record::Payload) -> Result<(), Failure>;

    /// Reads the payload of a record whose checksum holds. What the key says is not repeated there.
    fn decode(key: &Self::Key, payload: &[u8]) -> Result<Self, Failure>;
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

/// The counts of apps are in the table `meta`, from this key on.
const FIRST_TALLY: u64 = 1 << 32;

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

/// A contact's card as stored. The contact's id is the key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CardRow {
    pub(crate) created_at: Timestamp,
    pub(crate) created_through: Option<AppNumber>,
    /// Without the contact id.
    pub(crate) identifiers: Identifiers,
    pub(crate) fields: ContactFields,
    /// In the order of addition (R20). Some may be of an app disconnected since.
    pub(crate) tokens: Vec<HeldTokenRow>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HeldTokenRow {
    pub(crate) subscriber: SubscriberId,
    pub(crate) added_at: Timestamp,
    pub(crate) token: Token,
}

impl HeldTokenRow {
    pub(crate) fn app(&self) -> AppNumber {
        self.subscriber.app()
    }
}

/// A connected app. Its id is the key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AppRow {
    pub(crate) number: AppNumber,
    pub(crate) name: AppName,
    pub(crate) key: Option<AccessKey>,
    pub(crate) connected_at: Timestamp,
}

/// How far the life of a connection of an app has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppPhase {
    Connected,
    /// Disconnected: what is left of it is being removed.
    Leaving,
    /// Nothing is left but its id, which cards may name as what they were created through.
    Gone,
}

/// The counts of one connection of an app. Its number is the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct AppTallyRow {
    pub(crate) app: AppId,
    pub(crate) phase: AppPhase,
    /// How many subscriber ids it has given out.
    pub(crate) subscriber_ids: u64,
    pub(crate) subscribers: u64,
    pub(crate) contacts: u64,
    pub(crate) removed_by_failed: u64,
    pub(crate) removed_by_host: u64,
}

/// A subscriber. Its id is the key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SubscriberRow {
    /// As its id says.
    pub(crate) app: AppNumber,
    pub(crate) token: Token,
    /// The contacts that hold it, in the order in which they came to. Never empty.
    pub(crate) holders: Vec<ContactId>,
    pub(crate) last_registered_at: Timestamp,
    pub(crate) last_status: Option<(Status, Timestamp)>,
    pub(crate) counts: StatusCounts,
}

/// A subscriber in the bytes of its row, without its holders.
pub(crate) struct BorrowedSubscriber<'p> {
    pub(crate) token: &'p str,
    pub(crate) last_registered_at: Timestamp,
    pub(crate) last_status: Option<(Status, Timestamp)>,
    pub(crate) counts: StatusCounts,
}

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

/// Where a subscriber is that had another id in format 1. That id is the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct FormerIdRow {
    pub(crate) now: SubscriberId,
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

    /// Hands to `each` the ids of the rows that may have the value with this hash in an index, until
    /// it answers `false`. A row of such an id may be missing or have another value.
    fn candidates(
        &self,
        index: Index,
        hash: IndexHash,
        each: &mut dyn FnMut(u64) -> Result<bool, Failure>,
    ) -> Result<(), Failure>;

    /// The row under `key`.
    fn row<R: Row>(&self, key: &R::Key) -> Result<Option<R>, Failure> {
        let table_key = key.to_key();
        self.read(R::TABLE, &table_key, |bytes| {
            record::open(R::TABLE, &table_key, bytes, |payload| {
                R::decode(key, payload)
            })
        })
    }

    /// The row under `key`, which another row says is there.
    fn expect_row<R: Row>(&self, key: &R::Key) -> Result<R, Failure> {
        self.row(key)?
            .ok_or(Failure::Corrupt("a row that another row names is missing"))
    }

    /// The card of a contact, which may be kept in memory.
    fn card(&self, id: ContactId) -> Result<Option<CardRow>, Failure> {
        self.row(&id)
    }

    /// The counts of a connection of an app.
    fn tally(&self, app: AppNumber) -> Result<AppTallyRow, Failure> {
        self.expect_row(&app)
    }

    /// At most `most` rows with keys from `first` to `last`, upwards.
    fn rows<R: Row>(
        &self,
        first: &Key,
        last: &Key,
        most: usize,
    ) -> Result<Vec<(R::Key, R)>, Failure> {
        self.rows_as(first, last, most, |key, row| (key, row))
    }

    /// The same, each row turned into something else as it is read.
    fn rows_as<R: Row, T>(
        &self,
        first: &Key,
        last: &Key,
        most: usize,
        mut turn: impl FnMut(R::Key, R) -> T,
    ) -> Result<Vec<T>, Failure> {
        /// As many as a page of a listing has: room for them is not made piece by piece.
        const EXPECTED: usize = 1_000;
        if most == 0 || first > last {
            return Ok(Vec::new());
        }
        let mut found = Vec::with_capacity(most.min(EXPECTED));
        self.walk(R::TABLE, (first, last), true, &mut |key, bytes| {
            let (key, row) = record::decode_row::<R>(&key, bytes)?;
            found.push(turn(key, row));
            Ok(found.len() < most)
        })?;
        Ok(found)
    }

    /// The row with the largest key from `first` to `last`.
    fn last_row<R: Row>(&self, first: &Key, last: &Key) -> Result<Option<(R::Key, R)>, Failure> {
        let mut found = None;
        self.walk(R::TABLE, (first, last), false, &mut |key, bytes| {
            found = Some(record::decode_row::<R>(&key, bytes)?);
            Ok(false)
        })?;
        Ok(found)
    }
}
