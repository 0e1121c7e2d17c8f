//! The bytes of a row: a version, a payload in bincode, a checksum.
//!
//! The only module that names bincode. The crate is at its last release, 2.0.1, whose encoding is
//! specified and frozen; the golden bytes in the tests hold it to that. This module does not know
//! what rows mean to each other.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use bincode::{BorrowDecode, Encode};

use crate::app::{AccessKey, AppId, AppName, AppNumber};
use crate::fields::ContactFields;
use crate::identifier::{ContactId, Email, ExternalCustomerId, Identifiers, Phone};
use crate::report::Status;
use crate::seeded::{SeededFault, seeded};
use crate::sequence::SequenceNumber;
use crate::subscriber::{StatusCounts, SubscriberId};
use crate::time::Timestamp;
use crate::token::Token;

use super::guard::Failure;
use super::hash::checksum;
use super::meta::{APPLICATION, FORMAT, FormatRow, State};
use super::rows::{
    AppRow, AppTallyRow, CardRow, HeldTokenRow, IndexRow, ListedRow, MessageKey, MessageRow, Row,
    SubscriberRow, TakenRow,
};
use super::tables::{Key, Table};

/// The first byte of every record.
const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 4;

/// No record is longer. Without a limit a damaged length would have the decoder allocate whatever
/// it says.
pub(crate) const RECORD_BYTES: usize = 16 << 20;

const CONFIG: Configuration<LittleEndian, Varint, Limit<RECORD_BYTES>> =
    bincode::config::standard().with_limit::<RECORD_BYTES>();

const DAMAGED: Failure = Failure::Corrupt("a record whose checksum does not hold");
const MALFORMED: Failure = Failure::Corrupt("a record that does not decode");

/// The bytes of a record that is being written.
pub(crate) struct Payload(Vec<u8>);

impl Writer for Payload {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

impl Payload {
    fn push(&mut self, record: impl Encode) -> Result<(), Failure> {
        bincode::encode_into_writer(record, &mut *self, CONFIG).map_err(|_| MALFORMED)
    }
}

/// Makes the bytes of a row.
fn seal(
    table: Table,
    key: &Key,
    encode: impl FnOnce(&mut Payload) -> Result<(), Failure>,
) -> Result<Box<[u8]>, Failure> {
    let mut record = Payload(Vec::with_capacity(128));
    record.0.push(VERSION);
    encode(&mut record)?;
    let sum = checksum(table, key, record.0.get(1..).unwrap_or_default());
    record.0.extend_from_slice(&sum.to_le_bytes());
    if record.0.len() > RECORD_BYTES {
        return Err(Failure::Corrupt("a record longer than any may be"));
    }
    Ok(record.0.into_boxed_slice())
}

/// Makes the bytes of a row.
pub(super) fn encode<R: Row>(key: &Key, row: &R) -> Result<Box<[u8]>, Failure> {
    seal(R::TABLE, key, |record| row.encode(record))
}

/// Makes the bytes of an index row.
pub(super) fn encode_index(table: Table, key: &Key, row: &IndexRow) -> Result<Box<[u8]>, Failure> {
    seal(table, key, |record| {
        row.ids().try_for_each(|id| record.push(id))
    })
}

/// Reads the bytes of a row: `decode` gets the payload once version and checksum hold.
pub(super) fn open<T>(
    table: Table,
    key: &Key,
    record: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (version, rest) = record.split_first().ok_or(DAMAGED)?;
    let (payload, sum) = rest.split_last_chunk::<CHECKSUM_BYTES>().ok_or(DAMAGED)?;
    let holds = checksum(table, key, payload) == u32::from_le_bytes(*sum);
    if !holds && !seeded(SeededFault::SkipChecksum) {
        return Err(DAMAGED);
    }
    if *version != VERSION {
        return Err(Failure::Corrupt("a record of an unknown version"));
    }
    decode(payload)
}

/// Decodes what a payload begins with, and takes it off.
fn take<'a, T: BorrowDecode<'a, ()>>(payload: &mut &'a [u8]) -> Result<T, Failure> {
    let (record, read) =
        bincode::borrow_decode_from_slice(payload, CONFIG).map_err(|_| MALFORMED)?;
    *payload = payload.get(read..).ok_or(MALFORMED)?;
    Ok(record)
}

fn ended(payload: &[u8]) -> Result<(), Failure> {
    if payload.is_empty() {
        Ok(())
    } else {
        Err(MALFORMED)
    }
}

/// Decodes a whole payload.
fn decode<'a, T: BorrowDecode<'a, ()>>(mut payload: &'a [u8]) -> Result<T, Failure> {
    let record = take(&mut payload)?;
    ended(payload)?;
    Ok(record)
}

pub(super) fn decode_index(mut payload: &[u8]) -> Result<IndexRow, Failure> {
    let mut ids = Vec::new();
    let mut first = None;
    while !payload.is_empty() {
        let id = take(&mut payload)?;
        // The usual row has one id and costs no allocation.
        if first.is_none() {
            first = Some(id);
        } else {
            ids.push(id);
        }
    }
    Ok(IndexRow::from_ids(first.into_iter().chain(ids)))
}

fn contact(id: u64) -> Result<ContactId, Failure> {
    ContactId::new(id).map_err(|_| MALFORMED)
}

#[derive(Encode, BorrowDecode)]
struct CardRecord<'a> {
    created_at: u64,
    created_through: Option<u128>,
    external_id: Option<&'a str>,
    phone: Option<u64>,
    email: Option<&'a str>,
    /// So many [`FieldRecord`]s follow.
    fields: u64,
    /// So many [`HeldTokenRecord`]s follow these.
    tokens: u64,
}

/// A field of a contact. The order of the variants is part of the file format.
#[derive(Encode, BorrowDecode)]
enum FieldRecord<'a> {
    FirstName(&'a str),
    LastName(&'a str),
    LanguageCode(&'a str),
    TimeZone(&'a str),
    Custom(&'a str, &'a str),
}

impl<'a> FieldRecord<'a> {
    fn of(fields: &'a ContactFields) -> impl Iterator<Item = Self> {
        let ContactFields {
            first_name,
            last_name,
            language_code,
            time_zone,
            custom,
        } = fields;
        let named = [
            first_name.as_deref().map(FieldRecord::FirstName),
            last_name.as_deref().map(FieldRecord::LastName),
            language_code.as_deref().map(FieldRecord::LanguageCode),
            time_zone.as_deref().map(FieldRecord::TimeZone),
        ];
        let custom = custom
            .iter()
            .map(|(name, value)| FieldRecord::Custom(name, value));
        named.into_iter().flatten().chain(custom)
    }

    fn put(self, fields: &mut ContactFields) {
        match self {
            FieldRecord::FirstName(value) => fields.first_name = Some(value.to_owned()),
            FieldRecord::LastName(value) => fields.last_name = Some(value.to_owned()),
            FieldRecord::LanguageCode(value) => fields.language_code = Some(value.to_owned()),
            FieldRecord::TimeZone(value) => fields.time_zone = Some(value.to_owned()),
            FieldRecord::Custom(name, value) => {
                fields.custom.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

#[derive(Encode, BorrowDecode)]
struct HeldTokenRecord<'a> {
    subscriber: u64,
    app: u64,
    added_at: u64,
    token: &'a str,
}

impl Row for CardRow {
    const TABLE: Table = Table::Contacts;
    type Key = ContactId;

    fn encode(&self, to: &mut Payload) -> Result<(), Failure> {
        to.push(CardRecord {
            created_at: self.created_at.as_millis(),
            created_through: self.created_through.map(AppId::as_u128),
            external_id: self
                .identifiers
                .external_customer_id()
                .map(ExternalCustomerId::as_str),
            phone: self.identifiers.phone().map(Phone::as_u64),
            email: self.identifiers.email().map(Email::as_str),
            fields: FieldRecord::of(&self.fields).count() as u64,
            tokens: self.tokens.len() as u64,
        })?;
        FieldRecord::of(&self.fields).try_for_each(|field| to.push(field))?;
        self.tokens.iter().try_for_each(|held| {
            to.push(HeldTokenRecord {
                subscriber: held.subscriber.value(),
                app: held.app.0,
                added_at: held.added_at.as_millis(),
                token: held.token.as_str(),
            })
        })
    }

    fn decode(mut payload: &[u8]) -> Result<Self, Failure> {
        let card: CardRecord<'_> = take(&mut payload)?;
        let mut identifiers = Identifiers::default();
        if let Some(id) = card.external_id {
            identifiers = identifiers
                .with_external_customer_id(ExternalCustomerId::from_stored(id.to_owned()));
        }
        if let Some(phone) = card.phone {
            identifiers = identifiers.with_phone(Phone::from_u64(phone).ok_or(MALFORMED)?);
        }
        if let Some(email) = card.email {
            identifiers = identifiers.with_email(Email::from_stored(email.to_owned()));
        }
        let mut fields = ContactFields::default();
        for _ in 0..card.fields {
            take::<FieldRecord<'_>>(&mut payload)?.put(&mut fields);
        }
        // Each takes four bytes or more: a damaged count must not decide what is allocated.
        let count = usize::try_from(card.tokens).map_err(|_| MALFORMED)?;
        let mut tokens = Vec::with_capacity(count.min(payload.len() / 4));
        for _ in 0..count {
            let held: HeldTokenRecord<'_> = take(&mut payload)?;
            tokens.push(HeldTokenRow {
                subscriber: SubscriberId::new(held.subscriber),
                app: AppNumber(held.app),
                added_at: Timestamp::from_millis(held.added_at),
                token: Token::from_stored(held.token.to_owned()),
            });
        }
        ended(payload)?;
        Ok(CardRow {
            created_at: Timestamp::from_millis(card.created_at),
            created_through: card.created_through.map(AppId::from_u128),
            identifiers,
            fields,
            tokens,
        })
    }
}

#[derive(Encode, BorrowDecode)]
struct AppRecord<'a> {
    number: u64,
    name: &'a str,
    key: Option<&'a str>,
    connected_at: u64,
}

impl Row for AppRow {
    const TABLE: Table = Table::Apps;
    type Key = AppId;

    fn encode(&self, to: &mut Payload) -> Result<(), Failure> {
        to.push(AppRecord {
            number: self.number.0,
            name: self.name.as_str(),
            key: self.key.as_ref().map(AccessKey::reveal),
            connected_at: self.connected_at.as_millis(),
        })
    }

    fn decode(payload: &[u8]) -> Result<Self, Failure> {
        let app: AppRecord<'_> = decode(payload)?;
        Ok(AppRow {
            number: AppNumber(app.number),
            name: AppName::from_stored(app.name.to_owned()),
            key: app.key.map(|key| AccessKey::from_stored(key.to_owned())),
            connected_at: Timestamp::from_millis(app.connected_at),
        })
    }
}

#[derive(Encode, BorrowDecode)]
struct AppTallyRecord {
    app: u128,
    connected: bool,
    subscribers: u64,
    contacts: u64,
    removed_by_failed: u64,
    removed_by_host: u64,
}

impl Row for AppTallyRow {
    const TABLE: Table = Table::AppTallies;
    type Key = AppNumber;

    fn encode(&self, to: &mut Payload) -> Result<(), Failure> {
        to.push(AppTallyRecord {
            app: self.app.as_u128(),
            connected: self.connected,
            subscribers: self.subscribers,
            contacts: self.contacts,
            removed_by_failed: self.removed_by_failed,
            removed_by_host: self.removed_by_host,
        })
    }

    fn decode(payload: &[u8]) -> Result<Self, Failure> {
        let tally: AppTallyRecord = decode(payload)?;
        Ok(AppTallyRow {
            app: AppId::from_u128(tally.app),
            connected: tally.connected,
            subscribers: tally.subscribers,
            contacts: tally.contacts,
            removed_by_failed: tally.removed_by_failed,
            removed_by_host: tally.removed_by_host,
        })
    }
}

#[derive(Encode, BorrowDecode)]
struct CountsRecord {
    sent: u64,
    failed: u64,
    clicked: u64,
}

impl CountsRecord {
    fn new(counts: StatusCounts) -> Self {
        let StatusCounts {
            sent,
            failed,
            clicked,
        } = counts;
        CountsRecord {
            sent,
            failed,
            clicked,
        }
    }

    fn counts(&self) -> StatusCounts {
        StatusCounts {
            sent: self.sent,
            failed: self.failed,
            clicked: self.clicked,
        }
    }
}

fn status_to_byte(status: Status) -> u8 {
    match status {
        Status::Sent => 1,
        Status::Failed => 2,
        Status::Clicked => 3,
    }
}

fn status_from_byte(byte: u8) -> Result<Status, Failure> {
    match byte {
        1 => Ok(Status::Sent),
        2 => Ok(Status::Failed),
        3 => Ok(Status::Clicked),
        _ => Err(MALFORMED),
    }
}

#[derive(Encode, BorrowDecode)]
struct SubscriberRecord<'a> {
    app: u64,
    token: &'a str,
    holders: Vec<u64>,
    last_registered_at: u64,
    last_status: Option<(u8, u64)>,
    counts: CountsRecord,
}

impl Row for SubscriberRow {
    const TABLE: Table = Table::Subscribers;
    type Key = SubscriberId;

    fn encode(&self, to: &mut Payload) -> Result<(), Failure> {
        to.push(SubscriberRecord {
            app: self.app.0,
            token: self.token.as_str(),
            holders: self.holders.iter().map(|holder| holder.value()).collect(),
            last_registered_at: self.last_registered_at.as_millis(),
            last_status: self
                .last_status
                .map(|(status, at)| (status_to_byte(status), at.as_millis())),
            counts: CountsRecord::new(self.counts),
        })
    }

    fn decode(payload: &[u8]) -> Result<Self, Failure> {
        let subscriber: SubscriberRecord<'_> = decode(payload)?;
        let last_status = match subscriber.last_status {
            Some((status, at)) => Some((status_from_byte(status)?, Timestamp::from_millis(at))),
            None => None,
        };
        Ok(SubscriberRow {
            app: AppNumber(subscriber.app),
            token: Token::from_stored(subscriber.token.to_owned()),
            holders: subscriber
                .holders
                .into_iter()
                .map(contact)
                .collect::<Result<_, _>>()?,
            last_registered_at: Timestamp::from_millis(subscriber.last_registered_at),
            last_status,
            counts: subscriber.counts.counts(),
        })
    }
}

impl Row for ListedRow {
    const TABLE: Table = Table::AppSubscribers;
    type Key = (AppNumber, SubscriberId);

    fn encode(&self, _: &mut Payload) -> Result<(), Failure> {
        Ok(())
    }

    fn decode(payload: &[u8]) -> Result<Self, Failure> {
        if payload.is_empty() {
            Ok(ListedRow)
        } else {
            Err(MALFORMED)
        }
    }
}

#[derive(Encode, BorrowDecode)]
struct MessageRecord {
    last_at: u64,
    counts: CountsRecord,
}

impl Row for MessageRow {
    const TABLE: Table = Table::Messages;
    type Key = MessageKey;

    fn encode(&self, to: &mut Payload) -> Result<(), Failure> {
        to.push(MessageRecord {
            last_at: self.last_at.as_millis(),
            counts: CountsRecord::new(self.counts),
        })
    }

    fn decode(payload: &[u8]) -> Result<Self, Failure> {
        let message: MessageRecord = decode(payload)?;
        Ok(MessageRow {
            last_at: Timestamp::from_millis(message.last_at),
            counts: message.counts.counts(),
        })
    }
}

impl Row for TakenRow {
    const TABLE: Table = Table::TakenIds;
    type Key = u64;

    fn encode(&self, to: &mut Payload) -> Result<(), Failure> {
        to.push(self.last)
    }

    fn decode(payload: &[u8]) -> Result<Self, Failure> {
        Ok(TakenRow {
            last: decode(payload)?,
        })
    }
}

/// The key of [`FormatRow`] in the `meta` table.
pub(super) const FORMAT_KEY: u64 = 0;
/// The key of [`State`] in the `meta` table.
pub(super) const STATE_KEY: u64 = 1;

#[derive(Encode, BorrowDecode)]
struct StateRecord {
    sequence: u64,
    next_contact: u64,
    next_subscriber: u64,
    next_app: u64,
    contacts: u64,
    erased: u64,
}

impl Row for State {
    const TABLE: Table = Table::Meta;
    type Key = u64;

    fn encode(&self, to: &mut Payload) -> Result<(), Failure> {
        to.push(StateRecord {
            sequence: self.sequence.value(),
            next_contact: self.next_contact,
            next_subscriber: self.next_subscriber,
            next_app: self.next_app,
            contacts: self.contacts,
            erased: self.erased,
        })
    }

    fn decode(payload: &[u8]) -> Result<Self, Failure> {
        let state: StateRecord = decode(payload)?;
        Ok(State {
            sequence: SequenceNumber::new(state.sequence),
            next_contact: state.next_contact,
            next_subscriber: state.next_subscriber,
            next_app: state.next_app,
            contacts: state.contacts,
            erased: state.erased,
        })
    }
}

#[derive(Encode, BorrowDecode)]
struct FormatRecord<'a> {
    canonical_version: u32,
    idn: bool,
    store: u128,
    index_key: u128,
    created_by: &'a str,
    created_at: u64,
}

/// What the first row of a file says.
pub(super) enum FormatFound {
    /// A format that this version knows.
    Known(FormatRow),
    /// Another program's row.
    Foreign,
    /// A format that this version does not know.
    Newer(u32),
}

/// Makes the bytes of the format row.
///
/// Its first 24 bytes of payload (application, read format, write format) stay what they are in
/// every format to come, so that each version can tell a newer file from a damaged one.
pub(super) fn encode_format(key: &Key, row: &FormatRow) -> Result<Box<[u8]>, Failure> {
    seal(Table::Meta, key, |record| {
        record.0.extend_from_slice(&APPLICATION);
        record.0.extend_from_slice(&row.read_format.to_le_bytes());
        record.0.extend_from_slice(&row.write_format.to_le_bytes());
        record.push(FormatRecord {
            canonical_version: row.canonical_version,
            idn: row.idn,
            store: row.store,
            index_key: row.index_key,
            created_by: &row.created_by,
            created_at: row.created_at.as_millis(),
        })
    })
}

/// Reads the bytes of the format row.
pub(super) fn decode_format(key: &Key, record: &[u8]) -> Result<FormatFound, Failure> {
    open(Table::Meta, key, record, |payload| {
        let Some((application, rest)) = payload.split_first_chunk::<16>() else {
            return Ok(FormatFound::Foreign);
        };
        if *application != APPLICATION {
            return Ok(FormatFound::Foreign);
        }
        let (read_format, rest) = rest.split_first_chunk::<4>().ok_or(MALFORMED)?;
        let (write_format, rest) = rest.split_first_chunk::<4>().ok_or(MALFORMED)?;
        let read_format = u32::from_le_bytes(*read_format);
        let write_format = u32::from_le_bytes(*write_format);
        if read_format > FORMAT || write_format > FORMAT {
            return Ok(FormatFound::Newer(read_format.max(write_format)));
        }
        let format: FormatRecord<'_> = decode(rest)?;
        Ok(FormatFound::Known(FormatRow {
            read_format,
            write_format,
            canonical_version: format.canonical_version,
            idn: format.idn,
            store: format.store,
            index_key: format.index_key,
            created_by: format.created_by.to_owned(),
            created_at: Timestamp::from_millis(format.created_at),
        }))
    })
}

/// Decodes `bytes` as the payload of each kind of row, and as a whole record: for fuzzing. What
/// decodes must be what it encodes to.
#[cfg(feature = "testing")]
pub fn decode_records(bytes: &[u8]) {
    fn check<R: Row + PartialEq>(bytes: &[u8]) {
        let Ok(row) = R::decode(bytes) else { return };
        let mut again = Payload(Vec::new());
        let same = row.encode(&mut again).and_then(|()| R::decode(&again.0));
        assert!(
            same.is_ok_and(|same| same == row),
            "a row of {} is not what it encodes to",
            R::TABLE.name()
        );
    }
    check::<CardRow>(bytes);
    check::<AppRow>(bytes);
    check::<AppTallyRow>(bytes);
    check::<SubscriberRow>(bytes);
    check::<ListedRow>(bytes);
    check::<MessageRow>(bytes);
    check::<TakenRow>(bytes);
    check::<State>(bytes);
    drop(decode_index(bytes));
    let key = Key::Int(FORMAT_KEY);
    drop(decode_format(&key, bytes));
    // The fuzzer does not find checksums by itself.
    let sealed = seal(Table::Meta, &key, |record| {
        record.0.extend_from_slice(bytes);
        Ok(())
    });
    if let Ok(sealed) = sealed {
        drop(decode_format(&key, &sealed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            created_through: Some(AppId::from_u128(0xa)),
            identifiers: Identifiers::new()
                .with_external_customer_id(ExternalCustomerId::from_stored("shop-1".to_owned()))
                .with_email(Email::from_stored("ann@example.com".to_owned())),
            fields: fields(),
            tokens: vec![HeldTokenRow {
                subscriber: SubscriberId::new(7),
                app: AppNumber(1),
                added_at: Timestamp::from_millis(300),
                token: Token::from_stored("100200".to_owned()),
            }],
        }
    }

    #[test]
    fn a_record_has_at_most_16_mib() {
        let sealed = |bytes: usize| {
            seal(Table::Contacts, &Key::Int(1), |record| {
                record.0.resize(bytes - CHECKSUM_BYTES, 7);
                Ok(())
            })
        };
        let longest = sealed(RECORD_BYTES).map(|record| record.len());
        assert!(matches!(longest, Ok(16_777_216)), "{longest:?}");
        for longer in [RECORD_BYTES + 1, 2 * RECORD_BYTES] {
            let refused = sealed(longer).map(|record| record.len());
            let expected = "a record longer than any may be";
            assert!(matches!(refused, Err(Failure::Corrupt(what)) if what == expected));
        }
    }

    /// What a row of each kind is in a file. These bytes are the format: they change with it alone.
    #[test]
    fn the_bytes_of_every_record_are_the_golden_ones() {
        fn bytes<R: Row + PartialEq>(key: Key, row: &R) -> String {
            let sealed = encode(&key, row).map(Vec::from).unwrap_or_default();
            let read = open(R::TABLE, &key, &sealed, R::decode);
            assert!(read.is_ok_and(|read| read == *row), "{:?}", R::TABLE);
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
        };
        for (status, byte) in [(Status::Sent, "01"), (Status::Failed, "02")] {
            let last_status = Some((status, Timestamp::from_millis(0)));
            let row = SubscriberRow {
                last_status,
                ..subscriber.clone()
            };
            assert!(bytes(Key::Int(7), &row).contains(&format!("01{byte}0003fbfb0001")));
        }
        let app = AppRow {
            number: AppNumber(1),
            name: AppName::from_stored("Bot".to_owned()),
            key: Some(AccessKey::from_stored("key".to_owned())),
            connected_at: Timestamp::from_millis(5),
        };
        let tally = AppTallyRow {
            app: AppId::from_u128(0xa),
            connected: true,
            subscribers: 2,
            contacts: 1,
            removed_by_failed: 4,
            removed_by_host: 5,
        };
        let message = MessageRow {
            last_at: Timestamp::from_millis(9),
            counts,
        };
        for (what, bytes, golden) in [
            (
                "card",
                bytes(Key::Int(1), &card()),
                "01fd0068e5cf8b010000010a010673686f702d3100010f616e6e406578616d706c652e636f6d04010003416e6e0300040463697479044b7969760404706c616e04667265650701fb2c0106313030323030fd921c08",
            ),
            (
                "subscriber",
                bytes(Key::Int(7), &subscriber),
                "0101063130303230300201fdffffffffffffff7ffb2c010103fc7011010003fbfb0001a31c8e10",
            ),
            (
                "app",
                bytes(Key::Wide(0xa), &app),
                "010103426f7401036b657905a2570f6d",
            ),
            (
                "tally",
                bytes(Key::Int(1), &tally),
                "010a010201040541256436",
            ),
            (
                "message",
                bytes(
                    Key::Bytes(b"\0\0\0\0\0\0\0\x01m1".as_slice().into()),
                    &message,
                ),
                "010903fbfb000112aabea0",
            ),
            (
                "listed",
                bytes(Key::Wide(1 << 64 | 7), &ListedRow),
                "01920469ae",
            ),
            (
                "taken",
                bytes(Key::Int(10), &TakenRow { last: 300 }),
                "01fb2c014799d80f",
            ),
            (
                "state",
                bytes(Key::Int(STATE_KEY), &State::new()),
                "0100010101000054cfc695",
            ),
        ] {
            assert_eq!(bytes, golden, "{what}");
        }
    }

    #[test]
    fn no_flipped_bit_and_no_other_length_of_a_record_goes_unnoticed() {
        let key = Key::Int(1);
        let sealed = encode(&key, &card()).map(Vec::from).unwrap_or_default();
        let read = |bytes: &[u8]| open(Table::Contacts, &key, bytes, CardRow::decode);
        assert!(read(&sealed).is_ok_and(|row| row == card()));
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
        let elsewhere = open(Table::Contacts, &Key::Int(2), &sealed, CardRow::decode);
        assert!(matches!(elsewhere, Err(Failure::Corrupt(_))));
    }

    #[test]
    fn a_payload_that_goes_on_behind_its_row_is_refused() {
        let mut payload = Payload(Vec::new());
        assert!(card().encode(&mut payload).is_ok());
        assert!(CardRow::decode(&payload.0).is_ok_and(|row| row == card()));
        payload.0.push(0);
        assert!(matches!(
            CardRow::decode(&payload.0),
            Err(Failure::Corrupt(_))
        ));
    }

    /// Without its limit the decoder would allocate what a damaged length says, and abort.
    #[test]
    fn a_length_larger_than_any_record_is_refused_before_anything_is_allocated() {
        // Times, ids and options of a card, then a count of tokens of 2^62.
        let payload = [0, 0, 0, 0, 0, 253, 0, 0, 0, 0, 0, 0, 0, 64];
        assert!(matches!(
            CardRow::decode(&payload),
            Err(Failure::Corrupt(_))
        ));
    }

    #[test]
    fn an_index_row_gives_back_its_ids() {
        for ids in [vec![], vec![7], vec![7, 300, u64::MAX]] {
            let row = IndexRow::from_ids(ids.iter().copied());
            let sealed = encode_index(Table::Emails, &Key::Int(5), &row).unwrap_or_default();
            let read = open(Table::Emails, &Key::Int(5), &sealed, decode_index);
            assert!(read.is_ok_and(|read| read == row && read.ids().eq(ids)));
        }
    }

    fn format(read_format: u32, write_format: u32) -> FormatRow {
        FormatRow {
            read_format,
            write_format,
            ..FormatRow::new(FORMAT, [1, 2], Timestamp::default())
        }
    }

    #[test]
    fn a_newer_format_is_told_from_a_foreign_row() {
        let key = Key::Int(FORMAT_KEY);
        let found = |row: &FormatRow| {
            encode_format(&key, row).and_then(|record| decode_format(&key, &record))
        };
        assert!(matches!(found(&format(1, 1)), Ok(FormatFound::Known(row)) if row.index_key == 2));
        assert!(matches!(found(&format(2, 2)), Ok(FormatFound::Newer(2))));
        assert!(matches!(found(&format(1, 3)), Ok(FormatFound::Newer(3))));
        let foreign = seal(Table::Meta, &key, |record| record.push("another program"));
        let foreign = foreign.and_then(|record| decode_format(&key, &record));
        assert!(matches!(foreign, Ok(FormatFound::Foreign)));
    }
}
