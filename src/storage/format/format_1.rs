//! The rows of format 1, as far as they differ from those of today: only read, to upgrade a file.
//!
//! Format 1 kept an index table for each kind of identifier and one for tokens, which the upgrade
//! does not read: the indexes follow from the cards and subscribers. This module does not know what
//! a row is upgraded to.

use bincode::BorrowDecode;

use crate::model::app::{AppId, AppNumber};
use crate::model::fields::ContactFields;
use crate::model::identifier::{ContactId, Identifiers};
use crate::model::sequence::SequenceNumber;
use crate::model::time::Timestamp;
use crate::model::token::Token;

use super::super::guard::Failure;
use super::super::tables::Key;
use super::codec::{CountsRecord, FieldRecord, identifiers, status_at};
use super::meta::State;
use super::record::{MALFORMED, decode, ended, open_format_1, take};
use super::rows::{AppPhase, AppTallyRow, SubscriberRow};

/// A table of format 1. The numbers are in its checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Table1 {
    Meta = 1,
    Contacts = 2,
    ExternalIds = 3,
    Phones = 4,
    Emails = 5,
    TakenIds = 6,
    Apps = 7,
    AppTallies = 8,
    Subscribers = 9,
    Tokens = 10,
    AppSubscribers = 11,
    Messages = 12,
}

impl Table1 {
    pub(in crate::storage) const ALL: [Table1; 12] = [
        Table1::Meta,
        Table1::Contacts,
        Table1::ExternalIds,
        Table1::Phones,
        Table1::Emails,
        Table1::TakenIds,
        Table1::Apps,
        Table1::AppTallies,
        Table1::Subscribers,
        Table1::Tokens,
        Table1::AppSubscribers,
        Table1::Messages,
    ];

    /// The name in the file, and the one that it has while the file is upgraded.
    pub(in crate::storage) fn names(self) -> (&'static str, &'static str) {
        match self {
            Table1::Meta => ("meta", "1_meta"),
            Table1::Contacts => ("contacts", "1_contacts"),
            Table1::ExternalIds => ("external_ids", "1_external_ids"),
            Table1::Phones => ("phones", "1_phones"),
            Table1::Emails => ("emails", "1_emails"),
            Table1::TakenIds => ("taken_ids", "1_taken_ids"),
            Table1::Apps => ("apps", "1_apps"),
            Table1::AppTallies => ("app_tallies", "1_app_tallies"),
            Table1::Subscribers => ("subscribers", "1_subscribers"),
            Table1::Tokens => ("tokens", "1_tokens"),
            Table1::AppSubscribers => ("app_subscribers", "1_app_subscribers"),
            Table1::Messages => ("messages", "1_messages"),
        }
    }

    /// Reads the payload of a record.
    pub(in crate::storage) fn open<T>(
        self,
        key: &Key,
        record: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        open_format_1(self as u64, key, record, decode)
    }
}

/// A contact's card.
pub(in crate::storage) struct Card1 {
    pub(in crate::storage) created_at: Timestamp,
    pub(in crate::storage) created_through: Option<AppId>,
    pub(in crate::storage) identifiers: Identifiers,
    pub(in crate::storage) fields: ContactFields,
    /// The subscriber's id in format 1, when the token was added, and the token.
    pub(in crate::storage) tokens: Vec<(u64, Timestamp, Token)>,
}

#[derive(BorrowDecode)]
struct CardRecord1<'a> {
    created_at: u64,
    created_through: Option<u128>,
    external_id: Option<&'a str>,
    phone: Option<u64>,
    email: Option<&'a str>,
    fields: u64,
    tokens: u64,
}

#[derive(BorrowDecode)]
struct HeldTokenRecord1<'a> {
    subscriber: u64,
    _app: u64,
    added_at: u64,
    token: &'a str,
}

pub(in crate::storage) fn card(mut payload: &[u8]) -> Result<Card1, Failure> {
    let card: CardRecord1<'_> = take(&mut payload)?;
    let mut fields = ContactFields::default();
    for _ in 0..card.fields {
        take::<FieldRecord<'_>>(&mut payload)?.put(&mut fields);
    }
    let mut tokens = Vec::new();
    for _ in 0..card.tokens {
        let held: HeldTokenRecord1<'_> = take(&mut payload)?;
        tokens.push((
            held.subscriber,
            Timestamp::from_millis(held.added_at),
            Token::from_stored(held.token.to_owned()),
        ));
    }
    ended(payload)?;
    Ok(Card1 {
        created_at: Timestamp::from_millis(card.created_at),
        created_through: card.created_through.map(AppId::from_u128),
        identifiers: identifiers(card.external_id, card.phone, card.email)?,
        fields,
        tokens,
    })
}

#[derive(BorrowDecode)]
struct SubscriberRecord1<'a> {
    app: u64,
    token: &'a str,
    holders: Vec<u64>,
    last_registered_at: u64,
    last_status: Option<(u8, u64)>,
    counts: CountsRecord,
}

pub(in crate::storage) fn subscriber(payload: &[u8]) -> Result<SubscriberRow, Failure> {
    let row: SubscriberRecord1<'_> = decode(payload)?;
    let holders = row.holders.into_iter().map(ContactId::new);
    Ok(SubscriberRow {
        app: AppNumber(row.app),
        token: Token::from_stored(row.token.to_owned()),
        holders: holders.collect::<Result<_, _>>().map_err(|_| MALFORMED)?,
        last_registered_at: Timestamp::from_millis(row.last_registered_at),
        last_status: row.last_status.map(status_at).transpose()?,
        counts: row.counts.counts(),
        muted: None,
    })
}

#[derive(BorrowDecode)]
struct AppTallyRecord1 {
    app: u128,
    connected: bool,
    subscribers: u64,
    contacts: u64,
    removed_by_failed: u64,
    removed_by_host: u64,
}

pub(in crate::storage) fn tally(payload: &[u8]) -> Result<AppTallyRow, Failure> {
    let tally: AppTallyRecord1 = decode(payload)?;
    Ok(AppTallyRow {
        app: AppId::from_u128(tally.app),
        phase: if tally.connected {
            AppPhase::Connected
        } else {
            AppPhase::Leaving
        },
        subscriber_ids: 0,
        subscribers: tally.subscribers,
        contacts: tally.contacts,
        removed_by_failed: tally.removed_by_failed,
        removed_by_host: tally.removed_by_host,
    })
}

#[derive(BorrowDecode)]
struct StateRecord1 {
    sequence: u64,
    next_contact: u64,
    _next_subscriber: u64,
    next_app: u64,
    contacts: u64,
    erased: u64,
}

pub(in crate::storage) fn state(payload: &[u8]) -> Result<State, Failure> {
    let state: StateRecord1 = decode(payload)?;
    Ok(State {
        sequence: SequenceNumber::new(state.sequence),
        next_contact: state.next_contact,
        next_app: state.next_app,
        contacts: state.contacts,
        erased: state.erased,
        ..State::new()
    })
}
