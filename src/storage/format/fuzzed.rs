//! What the fuzzer calls.
#![cfg(feature = "testing")]

use crate::model::app::{AppId, AppNumber};
use crate::model::identifier::ContactId;
use crate::model::sequence::SequenceNumber;
use crate::model::subscriber::SubscriberId;

use super::super::tables::{Key, Table};
use super::super::unique::{self, IndexState};
use super::answers::{AnswerKeyRow, AnswerRow, KeyHash};
use super::conflicts::{ConflictKey, ConflictRow};
use super::keys::{FORMAT_KEY, INDEX_STATE_KEY, MessageKey, RowKey as _, STATE_KEY};
use super::merges::{MergeIdentifierKey, MergeIdentifierRow, MergeKey, MergeRow, MergedIdRow};
use super::meta::{State, decode_format};
use super::record::{Payload, Row, encode_format_1};
use super::rows::{AppRow, AppTallyRow, CardRow, FormerIdRow, MessageRow, SubscriberRow, TakenRow};

/// Decodes `bytes` as the payload of each kind of row, and as a whole record: for fuzzing. What
/// decodes must be what it encodes to.
pub fn decode_records(bytes: &[u8]) {
    fn check<R: Row + PartialEq>(key: &R::Key, bytes: &[u8]) {
        let Ok(row) = R::decode(key, bytes) else {
            return;
        };
        let mut again = Vec::new();
        let same = row
            .encode(&mut Payload::of(&mut again))
            .and_then(|()| R::decode(key, &again));
        assert!(
            same.is_ok_and(|same| same == row),
            "a row of {} is not what it encodes to",
            R::TABLE.name()
        );
    }
    if let Ok(contact) = ContactId::new(1) {
        check::<CardRow>(&contact, bytes);
        check::<MergedIdRow>(&contact, bytes);
        let merge = MergeKey {
            holder: contact,
            merged: contact,
        };
        check::<MergeRow>(&merge, bytes);
        let identifier = MergeIdentifierKey::new(unique::IndexHash(1), contact);
        check::<MergeIdentifierRow>(&identifier, bytes);
    }
    if let (Ok(one), Ok(other)) = (ContactId::new(1), ContactId::new(2))
        && let Some(pair) = ConflictKey::of(one, other)
    {
        check::<ConflictRow>(&pair, bytes);
        check::<ConflictRow>(&pair.mirror(), bytes);
    }
    check::<AppRow>(&AppId::from_u128(1), bytes);
    check::<AppTallyRow>(&AppNumber(1), bytes);
    check::<SubscriberRow>(&SubscriberId::of(AppNumber(1), 1), bytes);
    check::<TakenRow>(&1, bytes);
    check::<FormerIdRow>(&SubscriberId::new(1), bytes);
    check::<State>(&STATE_KEY, bytes);
    check::<IndexState>(&INDEX_STATE_KEY, bytes);
    if let Ok(message) = MessageKey::from_key(&Key::Bytes(b"\0\0\0\0\0\0\0\x01m".as_slice().into()))
    {
        check::<MessageRow>(&message, bytes);
    }
    check::<AnswerRow>(&SequenceNumber::default(), bytes);
    check::<AnswerKeyRow>(&KeyHash(0), bytes);
    for index in unique::Index::ALL {
        drop(unique::bucket::decode(index, bytes, &mut Vec::new()));
        drop(unique::bucket::ids(index, 0, bytes));
    }
    drop(unique::change::decode(bytes, |_| {}));
    let key = Key::Int(FORMAT_KEY);
    drop(decode_format(&key, bytes));
    // The fuzzer does not find checksums by itself.
    let sealed = encode_format_1(Table::Meta as u64, &key, |payload| {
        payload.append(bytes);
        Ok(())
    });
    if let Ok(sealed) = sealed {
        drop(decode_format(&key, &sealed));
    }
}
