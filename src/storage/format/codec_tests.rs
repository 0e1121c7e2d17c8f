//! The bytes of every row, and what is not taken for one.

use crate::model::app::{AccessKey, AppId, AppName, AppNumber};
use crate::model::change::ChangePosition;
use crate::model::conflict::{Conflict, InConflict};
use crate::model::fields::ContactFields;
use crate::model::identifier::{ContactId, Email, ExternalCustomerId, IdentifierKind, Identifiers};
use crate::model::report::{Status, StatusCounts};
use crate::model::sequence::SequenceNumber;
use crate::model::subscriber::{MuteEnd, SubscriberId};
use crate::model::time::Timestamp;
use crate::model::token::Token;

use super::super::guard::Failure;
use super::super::tables::Key;
use super::super::unique::{IndexHash, IndexState, layout::Layout};
use super::answers::{AnswerKeyRow, AnswerRow, KeyHash};
use super::conflicts::ConflictRow;
use super::keys::{INDEX_STATE_KEY, RowKey as _, STATE_KEY};
use super::merges::{
    MergeIdentifierKey, MergeIdentifierRow, MergeKey, MergeRow, MergedIdRow, MergedTokenRow, Parts,
};
use super::meta::{FeedState, State};
use super::optional::{BlockedEntryRow, BlockedRow, SuppressedRow};
use super::record::{MALFORMED, Payload, Row, decode_row, encode};
use super::rows::{
    AppPhase, AppRow, AppTallyRow, CardRow, FormerIdRow, HeldTokenRow, MessageRow, SubscriberRow,
    TakenRow,
};

fn fields() -> ContactFields {
    ContactFields {
        first_name: Some("Ann".to_owned()),
        time_zone: Some(String::new()),
        custom: [("city", "Kyiv"), ("plan", "free")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..ContactFields::default()
    }
}

fn card() -> CardRow {
    CardRow {
        created_at: Timestamp::from_millis(1_700_000_000_000),
        created_through: Some(AppNumber(3)),
        identifiers: Identifiers::new()
            .with_external_customer_id(ExternalCustomerId::from_stored("shop-1".to_owned()))
            .with_email(Email::from_stored("ann@example.com".to_owned())),
        fields: fields(),
        tokens: vec![HeldTokenRow {
            subscriber: SubscriberId::of(AppNumber(1), 7),
            added_at: Timestamp::from_millis(1_700_000_000_300),
            token: Token::from_stored("100200".to_owned()),
        }],
        last_change: None,
    }
}

const SMALLER: ContactId = match ContactId::new(3) {
    Ok(id) => id,
    Err(_) => panic!(),
};
const CONTACT: ContactId = match ContactId::new(7) {
    Ok(id) => id,
    Err(_) => panic!(),
};
const MERGE: MergeKey = MergeKey {
    holder: CONTACT,
    merged: CONTACT,
};

fn merge() -> MergeRow {
    let card = card();
    let subscriber = |number| SubscriberId::of(AppNumber(1), number);
    MergeRow {
        merged_at: Timestamp::from_millis(1_700_000_000_900),
        order: 2,
        created_at: card.created_at,
        created_through: card.created_through,
        last_change: None,
        moved: Parts {
            identifiers: card.identifiers,
            fields: ContactFields::default(),
        },
        kept: Parts {
            identifiers: Identifiers::new(),
            fields: fields(),
        },
        erased: IdentifierKind::Phone.into(),
        tokens: vec![
            MergedTokenRow {
                subscriber: subscriber(7),
                added_at: Timestamp::from_millis(300),
                place: None,
            },
            MergedTokenRow {
                subscriber: subscriber(8),
                added_at: Timestamp::from_millis(400),
                place: Some(1),
            },
        ],
        order_before: vec![subscriber(8), subscriber(9)],
        ids: vec![CONTACT],
    }
}

/// What a row of each kind is in a file. These bytes are the format: they change with it alone.
#[test]
fn the_bytes_of_every_record_are_the_golden_ones() {
    const SUBSCRIBER: Key = Key::Int(1 << 40 | 7);
    fn bytes<R: Row + PartialEq>(key: Key, row: &R) -> String {
        let mut sealed = Vec::new();
        assert!(encode(&mut sealed, &key, row).is_ok());
        let read = decode_row::<R>(&key, &sealed);
        assert!(read.is_ok_and(|(_, read)| read == *row), "{:?}", R::TABLE);
        sealed.iter().map(|byte| format!("{byte:02x}")).collect()
    }
    let counts = StatusCounts {
        sent: 3,
        failed: 251,
        clicked: 1,
    };
    let subscriber = SubscriberRow {
        app: AppNumber(1),
        token: Token::from_stored("100200".to_owned()),
        holders: [1, ContactId::MAX]
            .into_iter()
            .flat_map(ContactId::new)
            .collect(),
        last_registered_at: Timestamp::from_millis(300),
        last_status: Some((Status::Clicked, Timestamp::from_millis(70_000))),
        counts,
        muted: None,
    };
    let muted = |end| SubscriberRow {
        muted: Some(end),
        ..subscriber.clone()
    };
    for (status, byte) in [(Status::Sent, "01"), (Status::Failed, "02")] {
        let last_status = Some((status, Timestamp::from_millis(0)));
        let row = SubscriberRow {
            last_status,
            ..subscriber.clone()
        };
        assert!(bytes(SUBSCRIBER, &row).contains(&format!("01{byte}0003fbfb0001")));
    }
    let app = AppRow {
        number: AppNumber(1),
        name: AppName::from_stored("Bot".to_owned()),
        key: Some(AccessKey::from_stored("key".to_owned())),
        connected_at: Timestamp::from_millis(5),
    };
    let tally = AppTallyRow {
        app: AppId::from_u128(0xa),
        phase: AppPhase::Leaving,
        subscriber_ids: 300,
        subscribers: 2,
        contacts: 1,
        removed_by_failed: 4,
        removed_by_host: 5,
    };
    let message = MessageRow {
        last_at: Timestamp::from_millis(9),
        counts,
    };
    let changed_card = CardRow {
        last_change: Some(SequenceNumber::new(300)),
        ..card()
    };
    let request = SequenceNumber::new(300);
    let answer = AnswerRow {
        key: KeyHash(0x0102),
        request: 0x0304,
        at: Timestamp::from_millis(70_000),
        outcome: vec![1, 2, 3],
    };
    let position = |sequence, place| ChangePosition::at(SequenceNumber::new(sequence), place);
    let state_with_feed = State {
        feed: Some(FeedState {
            begin: position(3, u32::MAX),
            newest: position(300, 2),
            through: SequenceNumber::new(301),
            kept: 9,
        }),
        ..State::new()
    };
    for (what, bytes, golden) in [
        (
            "card",
            bytes(Key::Int(1), &card()),
            "02fd0068e5cf8b01000003010673686f702d3100010f616e6e406578616d706c652e636f6d04010003416e6e0300040463697479044b7969760404706c616e04667265650107fb5802063130303230300dc8f227",
        ),
        (
            "card with a change",
            bytes(Key::Int(1), &changed_card),
            "02fd0068e5cf8b01000003010673686f702d3100010f616e6e406578616d706c652e636f6d04010003416e6e0300040463697479044b7969760404706c616e04667265650107fb580206313030323030fb2c0131855cb7",
        ),
        (
            "state with a feed",
            bytes(Key::Int(STATE_KEY), &state_with_feed),
            "0200010100000103fcfffffffffb2c0102fb2d0109000000000000a8e090c0",
        ),
        (
            "subscriber",
            bytes(SUBSCRIBER, &subscriber),
            "02063130303230300201fdffffffffffffff7ffb2c010103fc7011010003fbfb00019f13b4b1",
        ),
        (
            "subscriber with a mute that ends",
            bytes(
                SUBSCRIBER,
                &muted(MuteEnd::At(Timestamp::from_millis(70_000))),
            ),
            "02063130303230300201fdffffffffffffff7ffb2c010103fc7011010003fbfb000101fc70110100bff82a7b",
        ),
        (
            "subscriber with a mute without end",
            bytes(SUBSCRIBER, &muted(MuteEnd::Never)),
            "02063130303230300201fdffffffffffffff7ffb2c010103fc7011010003fbfb000100db214c2a",
        ),
        (
            "app",
            bytes(Key::Wide(0xa), &app),
            "020103426f7401036b657905d922c576",
        ),
        (
            "answer",
            bytes(Key::Int(300), &answer),
            "020201000000000000000000000000000004030000000000000000000000000000fc70110100010203f7ee4927",
        ),
        (
            "idempotency key",
            bytes(Key::Wide(0x0102), &AnswerKeyRow { request }),
            "02fb2c01a57f1691",
        ),
        (
            "tally",
            bytes(AppNumber(1).to_key(), &tally),
            "020a02fb2c0102010405e97d5729",
        ),
        (
            "message",
            bytes(
                Key::Bytes(b"\0\0\0\0\0\0\0\x01m1".as_slice().into()),
                &message,
            ),
            "020903fbfb00015d19e397",
        ),
        (
            "taken",
            bytes(Key::Int(10), &TakenRow { last: 300 }),
            "02fb2c012a26dfd3",
        ),
        (
            "state",
            bytes(Key::Int(STATE_KEY), &State::new()),
            "020001010000d45ed04e",
        ),
        (
            "suppressed identifier",
            bytes(
                Key::Wide(7),
                &SuppressedRow {
                    kind: IdentifierKind::Email,
                },
            ),
            "02033192703c",
        ),
        (
            "blocked token",
            bytes(
                Key::Int(3),
                &BlockedRow {
                    app: AppNumber(1),
                    token: Token::from_stored("100200".to_owned()),
                    contacts: [1, ContactId::MAX]
                        .into_iter()
                        .flat_map(ContactId::new)
                        .collect(),
                },
            ),
            "0201063130303230300201fdffffffffffffff7f486ae959",
        ),
        (
            "entry of a blocked token",
            bytes(Key::Wide(7), &BlockedEntryRow { number: 300 }),
            "02fb2c0104cc4bd1",
        ),
        (
            "conflict",
            bytes(
                Key::Wide(3 << 64 | 7),
                &ConflictRow::Pair(Conflict::once(
                    InConflict {
                        contact: CONTACT,
                        named_by: IdentifierKind::Email.into(),
                    },
                    InConflict {
                        contact: SMALLER,
                        named_by: [IdentifierKind::ContactId, IdentifierKind::Phone]
                            .into_iter()
                            .collect(),
                    },
                    Timestamp::from_millis(300),
                )),
            ),
            "02fb2c01fb2c01010508fad82b31",
        ),
        (
            "mirror of a conflict",
            bytes(Key::Wide(1 << 127 | 7 << 64 | 3), &ConflictRow::Mirror),
            "02d234da0b",
        ),
        (
            "state with muted subscribers",
            bytes(
                Key::Int(STATE_KEY),
                &State {
                    muted: 300,
                    ..State::new()
                },
            ),
            "02000101000000fb2c010000000000b416c87f",
        ),
        (
            "former id",
            bytes(
                Key::Int(9),
                &FormerIdRow {
                    now: SubscriberId::of(AppNumber(1), 7),
                },
            ),
            "02fd0700000000010000bc6b0e34",
        ),
        (
            "merged id",
            bytes(
                Key::Int(9),
                &MergedIdRow {
                    into: ContactId::new(300).unwrap_or(CONTACT),
                },
            ),
            "02fb2c014295ca71",
        ),
        (
            "merge",
            bytes(MERGE.to_key(), &merge()),
            "02fd846be5cf8b01000002fd0068e5cf8b010000030202010004010673686f702d3100010f616e6e406578616d706c652e636f6d00000000040003416e6e0300040463697479044b7969760404706c616e04667265650107fb2c01000108fb9001010101080109071c6812d7",
        ),
        (
            "merged identifier",
            bytes(
                MergeIdentifierKey::new(IndexHash(300), CONTACT).to_key(),
                &MergeIdentifierRow,
            ),
            "02d1efa03e",
        ),
        (
            "index state",
            bytes(
                Key::Int(INDEX_STATE_KEY),
                &IndexState {
                    entries: [1, 2, 3, 300],
                    layout: Layout {
                        generation: 2,
                        cursor: 4_096,
                        parts: [1, 2, 3, 4],
                        parts_before: [5, 6, 7, 8],
                    },
                    log_first: 9,
                    log_next: 10,
                    log_folding: 11,
                    log_folded: 12,
                    log_end: vec![13, 14],
                },
            ),
            "02010203fb2c0102fb00100102030405060708090a0b0c020d0e3b2d369e",
        ),
    ] {
        assert_eq!(bytes, golden, "{what}");
    }
}

#[test]
fn no_flipped_bit_and_no_other_length_of_a_record_goes_unnoticed() {
    let key = Key::Int(1);
    let mut sealed = Vec::new();
    assert!(encode(&mut sealed, &key, &card()).is_ok());
    let read = |bytes: &[u8]| decode_row::<CardRow>(&key, bytes);
    assert!(read(&sealed).is_ok_and(|(_, row)| row == card()));
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut damaged = sealed.clone();
            if let Some(byte) = damaged.get_mut(at) {
                *byte ^= 1 << bit;
            }
            assert!(
                matches!(read(&damaged), Err(Failure::Corrupt(_))),
                "{at} {bit}"
            );
        }
        let cut = sealed.get(..at).unwrap_or_default();
        assert!(matches!(read(cut), Err(Failure::Corrupt(_))), "{at}");
    }
    let longer = [&*sealed, &[0]].concat();
    assert!(matches!(read(&longer), Err(Failure::Corrupt(_))));
    let elsewhere = decode_row::<CardRow>(&Key::Int(2), &sealed);
    assert!(matches!(elsewhere, Err(Failure::Corrupt(_))));
}

fn decoded(payload: &[u8]) -> Result<CardRow, Failure> {
    CardRow::decode(&ContactId::new(1).map_err(|_| MALFORMED)?, payload)
}

#[test]
fn a_payload_that_goes_on_after_its_row_is_refused() {
    let mut payload = Vec::new();
    assert!(card().encode(&mut Payload::of(&mut payload)).is_ok());
    assert!(decoded(&payload).is_ok_and(|row| row == card()));
    payload.push(0);
    assert!(matches!(decoded(&payload), Err(Failure::Corrupt(_))));
}

/// Without its limit the decoder would allocate what a damaged length says, and abort.
#[test]
fn a_length_larger_than_any_record_is_refused_before_anything_is_allocated() {
    // Times, ids and options of a card, then a count of tokens of 2^62.
    let payload = [0, 0, 0, 0, 0, 0, 253, 0, 0, 0, 0, 0, 0, 0, 64];
    assert!(matches!(decoded(&payload), Err(Failure::Corrupt(_))));
}

#[test]
fn a_count_larger_than_the_rest_of_a_merge_is_refused() {
    let mut payload = Vec::new();
    assert!(merge().encode(&mut Payload::of(&mut payload)).is_ok());
    let decoded = |payload: &[u8]| MergeRow::decode(&MERGE, payload);
    assert!(decoded(&payload).is_ok_and(|row| row == merge()));
    payload.push(0);
    assert!(matches!(decoded(&payload), Err(Failure::Corrupt(_))));
    // Times and ids, then a count of tokens of 2^62.
    let payload = [
        0, 0, 0, 0, 253, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    assert!(matches!(decoded(&payload), Err(Failure::Corrupt(_))));
}
