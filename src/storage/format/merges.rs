//! What the file keeps of contacts that were merged into others (R58): rows, keys and payloads.
//!
//! This module does not know why contacts are merged, or how a merge is undone.

use bincode::{BorrowDecode, Encode};

use crate::model::app::AppNumber;
use crate::model::fields::ContactFields;
use crate::model::identifier::{ContactId, Email, ExternalCustomerId, Identifiers, KindSet, Phone};
use crate::model::sequence::SequenceNumber;
use crate::model::subscriber::SubscriberId;
use crate::model::time::Timestamp;

use super::super::guard::Failure;
use super::super::tables::{Key, Table};
use super::super::unique::IndexHash;
use super::codec::{FieldRecord, bits, identifiers, kinds, subscriber};
use super::keys::RowKey;
use super::record::{MALFORMED, Payload, Row, decode, ended, take};

/// The format from which on a file may have these rows.
const FORMAT_WITH_MERGES: u32 = 3;

/// Where the id of a merged contact leads. The id is the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct MergedIdRow {
    /// The contact there is, however many merges ago that was.
    pub(crate) into: ContactId,
}

/// What a contact had when it was merged into another, and what of it went over.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct MergeRow {
    pub(crate) merged_at: Timestamp,
    /// Larger than those of the merges into either contact before.
    pub(crate) order: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) created_through: Option<AppNumber>,
    /// The request with its last change, as on a card.
    pub(crate) last_change: Option<SequenceNumber>,
    /// What the other contact lacked, and got.
    pub(crate) moved: Parts,
    /// What the other contact had its own of: only this row has it.
    pub(crate) kept: Parts,
    /// The kinds of the identifiers that it had and that were erased since with another contact that
    /// had them. No text of those is here.
    pub(crate) erased: KindSet,
    /// In the order in which they were on the card.
    pub(crate) tokens: Vec<MergedTokenRow>,
    /// The tokens of the other contact in their order before. Empty if the merge left them in that
    /// order, as nearly all do.
    pub(crate) order_before: Vec<SubscriberId>,
    /// The merged ids that led to this contact then, and have not been taken out since.
    pub(crate) ids: Vec<ContactId>,
}

/// Identifiers and fields of a card.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) identifiers: Identifiers,
    pub(crate) fields: ContactFields,
}

/// A token of a merged contact, without its text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct MergedTokenRow {
    pub(crate) subscriber: SubscriberId,
    pub(crate) added_at: Timestamp,
    /// Where the merged contact stood among the holders, if the other contact held the token too.
    /// Otherwise the token went over, and the other contact stands in that place.
    pub(crate) place: Option<u64>,
}

/// The key of a merge: first by the contact that the id leads to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MergeKey {
    pub(crate) holder: ContactId,
    pub(crate) merged: ContactId,
}

impl MergeKey {
    /// The first and the last key that a merge into `holder` could have.
    pub(crate) fn span_of(holder: ContactId) -> (Key, Key) {
        let first = u128::from(holder.value()) << 64;
        (
            Key::Wide(first),
            Key::Wide(first.saturating_add(u128::from(u64::MAX))),
        )
    }
}

/// Leads from an identifier to a merged contact of which a [`MergeRow`] has it. There is one for each
/// identifier of each of those rows.
///
/// It begins with the hash of the identifier, so that those of an identifier are one range. The merged
/// id is in one [`MergeRow`] only, and [`MergedIdRow`] says where that is: nothing changes here when it
/// is kept with another contact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MergeIdentifierKey(u128);

impl MergeIdentifierKey {
    pub(in crate::storage) fn new(hash: IndexHash, merged: ContactId) -> Self {
        MergeIdentifierKey(u128::from(hash.0) << 64 | u128::from(merged.value()))
    }

    /// The first and the last key that an identifier could have.
    pub(in crate::storage) fn span_of(hash: IndexHash) -> (Key, Key) {
        let first = u128::from(hash.0) << 64;
        (Key::Wide(first), Key::Wide(first | u128::from(u64::MAX)))
    }

    pub(in crate::storage) fn merged(self) -> Result<ContactId, Failure> {
        let id = u64::try_from(self.0 & u128::from(u64::MAX)).map_err(|_| WRONG_KEY)?;
        ContactId::new(id).map_err(|_| WRONG_KEY)
    }
}

impl RowKey for MergeIdentifierKey {
    fn to_key(&self) -> Key {
        Key::Wide(self.0)
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        match key {
            Key::Wide(key) => Ok(MergeIdentifierKey(*key)),
            _ => Err(WRONG_KEY),
        }
    }
}

/// The row of a [`MergeIdentifierKey`], which says everything.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct MergeIdentifierRow;

impl Row for MergeIdentifierRow {
    const TABLE: Table = Table::MergeIdentifiers;
    type Key = MergeIdentifierKey;

    fn format(&self) -> u32 {
        FORMAT_WITH_MERGES
    }

    fn encode(&self, _: &mut Payload<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn decode(_: &MergeIdentifierKey, payload: &[u8]) -> Result<Self, Failure> {
        ended(payload)?;
        Ok(MergeIdentifierRow)
    }
}

const WRONG_KEY: Failure = Failure::Corrupt("a key that is none of its table");

impl RowKey for MergeKey {
    fn to_key(&self) -> Key {
        Key::Wide(u128::from(self.holder.value()) << 64 | u128::from(self.merged.value()))
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        let Key::Wide(key) = key else {
            return Err(WRONG_KEY);
        };
        let id = |half: u128| {
            let id = u64::try_from(half).map_err(|_| WRONG_KEY)?;
            ContactId::new(id).map_err(|_| WRONG_KEY)
        };
        Ok(MergeKey {
            holder: id(key >> 64)?,
            merged: id(key & u128::from(u64::MAX))?,
        })
    }
}

impl Row for MergedIdRow {
    const TABLE: Table = Table::MergedIds;
    type Key = ContactId;

    fn format(&self) -> u32 {
        FORMAT_WITH_MERGES
    }

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        to.push(self.into.value())
    }

    fn decode(_: &ContactId, payload: &[u8]) -> Result<Self, Failure> {
        Ok(MergedIdRow {
            into: ContactId::new(decode(payload)?).map_err(|_| MALFORMED)?,
        })
    }
}

#[derive(Encode, BorrowDecode)]
struct MergeRecord {
    merged_at: u64,
    order: u64,
    created_at: u64,
    /// The number of a connection, from 1 on; 0 for none.
    created_through: u64,
    /// How many [`MergedTokenRecord`]s follow the parts.
    tokens: u64,
    /// How many [`SubscriberRecord`]s follow these.
    order_before: u64,
    /// How many ids follow these.
    ids: u64,
    /// The number of a request, from 1 on; 0 for none.
    last_change: u64,
    /// Kinds of identifiers, a bit for each.
    erased: u8,
}

#[derive(Encode, BorrowDecode)]
struct PartsRecord<'a> {
    external_id: Option<&'a str>,
    phone: Option<u64>,
    email: Option<&'a str>,
    /// How many [`FieldRecord`]s follow.
    fields: u64,
}

#[derive(Encode, BorrowDecode)]
struct SubscriberRecord {
    app: u64,
    /// The number of the subscriber within its app.
    number: u64,
}

impl SubscriberRecord {
    fn new(id: SubscriberId) -> Self {
        SubscriberRecord {
            app: id.app().0,
            number: id.number(),
        }
    }

    fn id(&self) -> Result<SubscriberId, Failure> {
        subscriber(AppNumber(self.app), self.number)
    }
}

#[derive(Encode, BorrowDecode)]
struct MergedTokenRecord {
    subscriber: SubscriberRecord,
    added_at: u64,
    place: Option<u64>,
}

fn encode_parts(parts: &Parts, to: &mut Payload<'_>) -> Result<(), Failure> {
    let Parts {
        identifiers,
        fields,
    } = parts;
    to.push(PartsRecord {
        external_id: identifiers
            .external_customer_id()
            .map(ExternalCustomerId::as_str),
        phone: identifiers.phone().map(Phone::as_u64),
        email: identifiers.email().map(Email::as_str),
        fields: fields.count() as u64,
    })?;
    FieldRecord::of(fields).try_for_each(|field| to.push(field))
}

fn take_parts(payload: &mut &[u8]) -> Result<Parts, Failure> {
    let parts: PartsRecord<'_> = take(payload)?;
    let identifiers = identifiers(parts.external_id, parts.phone, parts.email)?;
    let mut fields = ContactFields::default();
    for _ in 0..parts.fields {
        take::<FieldRecord<'_>>(payload)?.put(&mut fields);
    }
    Ok(Parts {
        identifiers,
        fields,
    })
}

/// Takes as many items as a count says. A damaged count must not decide what is allocated.
fn take_list<T>(
    payload: &mut &[u8],
    count: u64,
    item: impl Fn(&mut &[u8]) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    // Each takes a byte at least.
    if count > payload.len() as u64 {
        return Err(MALFORMED);
    }
    (0..count).map(|_| item(payload)).collect()
}

impl Row for MergeRow {
    const TABLE: Table = Table::Merges;
    type Key = MergeKey;

    fn format(&self) -> u32 {
        FORMAT_WITH_MERGES
    }

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        to.push(MergeRecord {
            merged_at: self.merged_at.as_millis(),
            order: self.order,
            created_at: self.created_at.as_millis(),
            created_through: self.created_through.map_or(0, |app| app.0),
            tokens: self.tokens.len() as u64,
            order_before: self.order_before.len() as u64,
            ids: self.ids.len() as u64,
            last_change: self.last_change.map_or(0, SequenceNumber::value),
            erased: bits(self.erased),
        })?;
        encode_parts(&self.moved, to)?;
        encode_parts(&self.kept, to)?;
        for token in &self.tokens {
            to.push(MergedTokenRecord {
                subscriber: SubscriberRecord::new(token.subscriber),
                added_at: token.added_at.as_millis(),
                place: token.place,
            })?;
        }
        for id in &self.order_before {
            to.push(SubscriberRecord::new(*id))?;
        }
        self.ids.iter().try_for_each(|id| to.push(id.value()))
    }

    fn decode(_: &MergeKey, mut payload: &[u8]) -> Result<Self, Failure> {
        let payload = &mut payload;
        let merge: MergeRecord = take(payload)?;
        let (moved, kept) = (take_parts(payload)?, take_parts(payload)?);
        let tokens = take_list(payload, merge.tokens, |payload| {
            let token: MergedTokenRecord = take(payload)?;
            Ok(MergedTokenRow {
                subscriber: token.subscriber.id()?,
                added_at: Timestamp::from_millis(token.added_at),
                place: token.place,
            })
        })?;
        let order_before = take_list(payload, merge.order_before, |payload| {
            take::<SubscriberRecord>(payload)?.id()
        })?;
        let ids = take_list(payload, merge.ids, |payload| {
            ContactId::new(take(payload)?).map_err(|_| MALFORMED)
        })?;
        ended(payload)?;
        Ok(MergeRow {
            merged_at: Timestamp::from_millis(merge.merged_at),
            order: merge.order,
            created_at: Timestamp::from_millis(merge.created_at),
            created_through: (merge.created_through > 0)
                .then_some(AppNumber(merge.created_through)),
            last_change: (merge.last_change > 0).then_some(SequenceNumber::new(merge.last_change)),
            moved,
            kept,
            erased: kinds(merge.erased)?,
            tokens,
            order_before,
            ids,
        })
    }
}
