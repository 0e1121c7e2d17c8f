//! The bytes of a row: a version, a payload in bincode, a checksum.
//!
//! The only module that names bincode. The crate is at its last release, 2.0.1, whose encoding is
//! specified and frozen; the golden bytes in the tests hold it to that. This module does not know
//! what rows mean to each other.

use std::ops::Range;

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use bincode::{BorrowDecode, Encode};

use crate::model::app::{AccessKey, AppId, AppName, AppNumber};
use crate::model::fields::ContactFields;
use crate::model::identifier::{ContactId, Email, ExternalCustomerId, Identifiers, Phone};
use crate::model::report::Status;
use crate::model::report::StatusCounts;
use crate::model::sequence::SequenceNumber;
use crate::model::subscriber::SubscriberId;
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::seeded::{SeededFault, seeded};

use super::super::guard::Failure;
use super::super::tables::{Key, Table};
#[cfg(feature = "testing")]
use super::super::unique;
use super::super::unique::{IndexState, layout::Layout};
use super::hash::{checksum, checksum_of_format_1};
use super::meta::{APPLICATION, FORMAT, FormatRow, State};
use super::rows::{
    AppPhase, AppRow, AppTallyRow, BorrowedSubscriber, CardRow, FormerIdRow, HeldTokenRow,
    MessageKey, MessageRow, Row, RowKey as _, SubscriberRow, TakenRow,
};

/// The first byte of every record.
const VERSION: u8 = 2;
/// The same in format 1, and, in every format, of the row that says which one it is.
const VERSION_1: u8 = 1;
const CHECKSUM_BYTES: usize = 4;

/// No record is longer. Without a limit a damaged length would have the decoder allocate whatever
/// it says.
pub(crate) const RECORD_BYTES: usize = 16 << 20;

const CONFIG: Configuration<LittleEndian, Varint, Limit<RECORD_BYTES>> =
    bincode::config::standard().with_limit::<RECORD_BYTES>();

const DAMAGED: Failure = Failure::Corrupt("a record whose checksum does not hold");
pub(in crate::storage) const MALFORMED: Failure = Failure::Corrupt("a record that does not decode");

/// The bytes of records, the last of which is being written.
pub(crate) struct Payload<'b>(&'b mut Vec<u8>);

impl Writer for Payload<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

impl Payload<'_> {
    fn push(&mut self, record: impl Encode) -> Result<(), Failure> {
        bincode::encode_into_writer(record, &mut *self, CONFIG).map_err(|_| MALFORMED)
    }
}

/// Appends the bytes of a row to `to`: the version, what `encode` makes, and the checksum that `sum`
/// gives of it. Says where they are.
fn seal(
    to: &mut Vec<u8>,
    version: u8,
    encode: impl FnOnce(&mut Payload<'_>) -> Result<(), Failure>,
    sum: impl FnOnce(&[u8]) -> u32,
) -> Result<Range<usize>, Failure> {
    let start = to.len();
    to.push(version);
    encode(&mut Payload(to))?;
    let payload = to.get(start.saturating_add(1)..).unwrap_or_default();
    let sum = sum(payload);
    to.extend_from_slice(&sum.to_le_bytes());
    if to.len().saturating_sub(start) > RECORD_BYTES {
        return Err(Failure::Corrupt("a record longer than any may be"));
    }
    Ok(start..to.len())
}

/// Appends the bytes of a row to `to`, and says where they are.
pub(in crate::storage) fn encode<R: Row>(
    to: &mut Vec<u8>,
    key: &Key,
    row: &R,
) -> Result<Range<usize>, Failure> {
    let sum = |payload: &[u8]| checksum(R::TABLE, key, payload);
    seal(to, VERSION, |record| row.encode(record), sum)
}

/// The same of a row whose payload is `bytes`.
pub(in crate::storage) fn encode_bytes(
    to: &mut Vec<u8>,
    table: Table,
    key: &Key,
    bytes: &[u8],
) -> Result<Range<usize>, Failure> {
    let as_it_is = |record: &mut Payload<'_>| {
        record.0.extend_from_slice(bytes);
        Ok(())
    };
    let sum = |payload: &[u8]| checksum(table, key, payload);
    seal(to, VERSION, as_it_is, sum)
}

/// Reads the bytes of a row: `decode` gets the payload once version and checksum hold.
pub(in crate::storage) fn open<T>(
    table: Table,
    key: &Key,
    record: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let payload = payload(record, VERSION, |payload| checksum(table, key, payload))?;
    decode(payload)
}

/// The same of a record of format 1, where tables had other numbers.
pub(in crate::storage) fn open_format_1<T>(
    table: u64,
    key: &Key,
    record: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let sum = |payload: &[u8]| checksum_of_format_1(table, key, payload);
    decode(payload(record, VERSION_1, sum)?)
}

/// The payload of a record, once checksum and version hold.
fn payload(
    record: &[u8],
    known_version: u8,
    checksum: impl FnOnce(&[u8]) -> u32,
) -> Result<&[u8], Failure> {
    let (version, rest) = record.split_first().ok_or(DAMAGED)?;
    let (payload, sum) = rest.split_last_chunk::<CHECKSUM_BYTES>().ok_or(DAMAGED)?;
    let holds = checksum(payload) == u32::from_le_bytes(*sum);
    if !holds && !seeded(SeededFault::SkipChecksum) {
        return Err(DAMAGED);
    }
    if *version != known_version {
        return Err(Failure::Corrupt("a record of an unknown version"));
    }
    Ok(payload)
}

/// Reads key and bytes of a row.
pub(in crate::storage) fn decode_row<R: Row>(
    key: &Key,
    record: &[u8],
) -> Result<(R::Key, R), Failure> {
    let typed = R::Key::from_key(key)?;
    let row = open(R::TABLE, key, record, |payload| R::decode(&typed, payload))?;
    Ok((typed, row))
}

/// Decodes what a payload begins with, and takes it off.
pub(in crate::storage) fn take<'a, T: BorrowDecode<'a, ()>>(
    payload: &mut &'a [u8],
) -> Result<T, Failure> {
    let (record, read) =
        bincode::borrow_decode_from_slice(payload, CONFIG).map_err(|_| MALFORMED)?;
    *payload = payload.get(read..).ok_or(MALFORMED)?;
    Ok(record)
}

pub(in crate::storage) fn ended(payload: &[u8]) -> Result<(), Failure> {
    if payload.is_empty() {
        Ok(())
    } else {
        Err(MALFORMED)
    }
}

/// Decodes a whole payload.
pub(in crate::storage) fn decode<'a, T: BorrowDecode<'a, ()>>(
    mut payload: &'a [u8],
) -> Result<T, Failure> {
    let record = take(&mut payload)?;
    ended(payload)?;
    Ok(record)
}

fn subscriber(app: AppNumber, number: u64) -> Result<SubscriberId, Failure> {
    let id = SubscriberId::of(app, number);
    if (id.app(), id.number()) == (app, number) {
        Ok(id)
    } else {
        Err(MALFORMED)
    }
}

#[derive(Encode, BorrowDecode)]
struct CardRecord<'a> {
    created_at: u64,
    /// The number of a connection, from 1 on; 0 for none.
    created_through: u64,
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
pub(in crate::storage) enum FieldRecord<'a> {
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

    pub(in crate::storage) fn put(self, fields: &mut ContactFields) {
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
    app: u64,
    /// The number of the subscriber within its app.
    subscriber: u64,
    /// From the creation of the contact on, in milliseconds: mostly none.
    added_after: i64,
    token: &'a str,
}

impl Row for CardRow {
    const TABLE: Table = Table::Contacts;
    type Key = ContactId;

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        to.push(CardRecord {
            created_at: self.created_at.as_millis(),
            created_through: self.created_through.map_or(0, |app| app.0),
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
                app: held.app().0,
                subscriber: held.subscriber.number(),
                added_after: held
                    .added_at
                    .as_millis()
                    .wrapping_sub(self.created_at.as_millis())
                    .cast_signed(),
                token: held.token.as_str(),
            })
        })
    }

    fn decode(_: &ContactId, mut payload: &[u8]) -> Result<Self, Failure> {
        let card: CardRecord<'_> = take(&mut payload)?;
        let mut fields = ContactFields::default();
        for _ in 0..card.fields {
            take::<FieldRecord<'_>>(&mut payload)?.put(&mut fields);
        }
        // Each takes four bytes or more: a damaged count must not decide what is allocated.
        let count = usize::try_from(card.tokens).map_err(|_| MALFORMED)?;
        let mut tokens = Vec::with_capacity(count.min(payload.len() / 4));
        for _ in 0..count {
            let held: HeldTokenRecord<'_> = take(&mut payload)?;
            let added_at = card
                .created_at
                .wrapping_add(held.added_after.cast_unsigned());
            tokens.push(HeldTokenRow {
                subscriber: subscriber(AppNumber(held.app), held.subscriber)?,
                added_at: Timestamp::from_millis(added_at),
                token: Token::from_stored(held.token.to_owned()),
            });
        }
        ended(payload)?;
        Ok(CardRow {
            created_at: Timestamp::from_millis(card.created_at),
            created_through: (card.created_through > 0).then_some(AppNumber(card.created_through)),
            identifiers: identifiers(card.external_id, card.phone, card.email)?,
            fields,
            tokens,
        })
    }
}

/// The identifiers of a card, as they are stored.
pub(in crate::storage) fn identifiers(
    external_id: Option<&str>,
    phone: Option<u64>,
    email: Option<&str>,
) -> Result<Identifiers, Failure> {
    let mut identifiers = Identifiers::default();
    if let Some(id) = external_id {
        identifiers =
            identifiers.with_external_customer_id(ExternalCustomerId::from_stored(id.to_owned()));
    }
    if let Some(phone) = phone {
        identifiers = identifiers.with_phone(Phone::from_u64(phone).ok_or(MALFORMED)?);
    }
    if let Some(email) = email {
        identifiers = identifiers.with_email(Email::from_stored(email.to_owned()));
    }
    Ok(identifiers)
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

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        to.push(AppRecord {
            number: self.number.0,
            name: self.name.as_str(),
            key: self.key.as_ref().map(AccessKey::reveal),
            connected_at: self.connected_at.as_millis(),
        })
    }

    fn decode(_: &AppId, payload: &[u8]) -> Result<Self, Failure> {
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
    phase: u8,
    subscriber_ids: u64,
    subscribers: u64,
    contacts: u64,
    removed_by_failed: u64,
    removed_by_host: u64,
}

impl Row for AppTallyRow {
    const TABLE: Table = Table::Meta;
    type Key = AppNumber;

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        to.push(AppTallyRecord {
            app: self.app.as_u128(),
            phase: match self.phase {
                AppPhase::Connected => 1,
                AppPhase::Leaving => 2,
                AppPhase::Gone => 3,
            },
            subscriber_ids: self.subscriber_ids,
            subscribers: self.subscribers,
            contacts: self.contacts,
            removed_by_failed: self.removed_by_failed,
            removed_by_host: self.removed_by_host,
        })
    }

    fn decode(_: &AppNumber, payload: &[u8]) -> Result<Self, Failure> {
        let tally: AppTallyRecord = decode(payload)?;
        Ok(AppTallyRow {
            app: AppId::from_u128(tally.app),
            phase: match tally.phase {
                1 => AppPhase::Connected,
                2 => AppPhase::Leaving,
                3 => AppPhase::Gone,
                _ => return Err(MALFORMED),
            },
            subscriber_ids: tally.subscriber_ids,
            subscribers: tally.subscribers,
            contacts: tally.contacts,
            removed_by_failed: tally.removed_by_failed,
            removed_by_host: tally.removed_by_host,
        })
    }
}

#[derive(Encode, BorrowDecode)]
pub(in crate::storage) struct CountsRecord {
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

    pub(in crate::storage) fn counts(&self) -> StatusCounts {
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

pub(in crate::storage) fn status_at(
    (status, at): (u8, u64),
) -> Result<(Status, Timestamp), Failure> {
    Ok((status_from_byte(status)?, Timestamp::from_millis(at)))
}

#[derive(Encode, BorrowDecode)]
struct DeliveryRecord {
    last_registered_at: u64,
    last_status: Option<(u8, u64)>,
    counts: CountsRecord,
}

impl Row for SubscriberRow {
    const TABLE: Table = Table::Subscribers;
    type Key = SubscriberId;

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        to.push((self.token.as_str(), self.holders.len() as u64))?;
        for holder in &self.holders {
            to.push(holder.value())?;
        }
        to.push(DeliveryRecord {
            last_registered_at: self.last_registered_at.as_millis(),
            last_status: self
                .last_status
                .map(|(status, at)| (status_to_byte(status), at.as_millis())),
            counts: CountsRecord::new(self.counts),
        })
    }

    fn decode(id: &SubscriberId, payload: &[u8]) -> Result<Self, Failure> {
        let mut holders = Vec::new();
        let subscriber = borrow_subscriber(payload, &mut holders)?;
        Ok(SubscriberRow {
            app: id.app(),
            token: Token::from_stored(subscriber.token.to_owned()),
            last_registered_at: subscriber.last_registered_at,
            last_status: subscriber.last_status,
            counts: subscriber.counts,
            holders,
        })
    }
}

/// What the payload of a subscriber says besides its holders, which go to `holders`.
pub(in crate::storage) fn borrow_subscriber<'p>(
    mut payload: &'p [u8],
    holders: &mut Vec<ContactId>,
) -> Result<BorrowedSubscriber<'p>, Failure> {
    let (token, count): (&str, u64) = take(&mut payload)?;
    holders.clear();
    // Each takes a byte at least: a count that is damaged makes no room.
    if count > payload.len() as u64 {
        return Err(MALFORMED);
    }
    holders.reserve(usize::try_from(count).unwrap_or_default());
    for _ in 0..count {
        let id: u64 = take(&mut payload)?;
        holders.push(ContactId::new(id).map_err(|_| MALFORMED)?);
    }
    let since: DeliveryRecord = decode(payload)?;
    Ok(BorrowedSubscriber {
        token,
        last_registered_at: Timestamp::from_millis(since.last_registered_at),
        last_status: since.last_status.map(status_at).transpose()?,
        counts: since.counts.counts(),
    })
}

#[derive(Encode, BorrowDecode)]
struct MessageRecord {
    last_at: u64,
    counts: CountsRecord,
}

impl Row for MessageRow {
    const TABLE: Table = Table::Messages;
    type Key = MessageKey;

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        to.push(MessageRecord {
            last_at: self.last_at.as_millis(),
            counts: CountsRecord::new(self.counts),
        })
    }

    fn decode(_: &MessageKey, payload: &[u8]) -> Result<Self, Failure> {
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

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        to.push(self.last)
    }

    fn decode(_: &u64, payload: &[u8]) -> Result<Self, Failure> {
        Ok(TakenRow {
            last: decode(payload)?,
        })
    }
}

impl Row for FormerIdRow {
    const TABLE: Table = Table::FormerIds;
    type Key = SubscriberId;

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        to.push(self.now.value())
    }

    fn decode(_: &SubscriberId, payload: &[u8]) -> Result<Self, Failure> {
        Ok(FormerIdRow {
            now: SubscriberId::new(decode(payload)?),
        })
    }
}

/// The key of [`FormatRow`] in the `meta` table.
pub(in crate::storage) const FORMAT_KEY: u64 = 0;
/// The key of [`State`] in the `meta` table.
pub(in crate::storage) const STATE_KEY: u64 = 1;
/// The key of [`IndexState`] in the `meta` table.
pub(in crate::storage) const INDEX_STATE_KEY: u64 = 2;

#[derive(Encode, BorrowDecode)]
struct StateRecord {
    sequence: u64,
    next_contact: u64,
    next_app: u64,
    contacts: u64,
    erased: u64,
}

impl Row for State {
    const TABLE: Table = Table::Meta;
    type Key = u64;

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        to.push(StateRecord {
            sequence: self.sequence.value(),
            next_contact: self.next_contact,
            next_app: self.next_app,
            contacts: self.contacts,
            erased: self.erased,
        })
    }

    fn decode(_: &u64, payload: &[u8]) -> Result<Self, Failure> {
        let state: StateRecord = decode(payload)?;
        Ok(State {
            sequence: SequenceNumber::new(state.sequence),
            next_contact: state.next_contact,
            next_app: state.next_app,
            contacts: state.contacts,
            erased: state.erased,
        })
    }
}

#[derive(Encode, BorrowDecode)]
struct IndexStateRecord<'a> {
    entries: [u64; 4],
    generation: u32,
    cursor: u16,
    parts: [u16; 4],
    parts_before: [u16; 4],
    log_first: u64,
    log_next: u64,
    log_folding: u64,
    log_folded: u64,
    log_end: &'a [u8],
}

impl Row for IndexState {
    const TABLE: Table = Table::Meta;
    type Key = u64;

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        let Layout {
            generation,
            cursor,
            parts,
            parts_before,
        } = self.layout;
        to.push(IndexStateRecord {
            entries: self.entries,
            generation,
            cursor,
            parts,
            parts_before,
            log_first: self.log_first,
            log_next: self.log_next,
            log_folding: self.log_folding,
            log_folded: self.log_folded,
            log_end: &self.log_end,
        })
    }

    fn decode(_: &u64, payload: &[u8]) -> Result<Self, Failure> {
        let state: IndexStateRecord<'_> = decode(payload)?;
        Ok(IndexState {
            entries: state.entries,
            layout: Layout {
                generation: state.generation,
                cursor: state.cursor,
                parts: state.parts,
                parts_before: state.parts_before,
            },
            log_first: state.log_first,
            log_next: state.log_next,
            log_folding: state.log_folding,
            log_folded: state.log_folded,
            log_end: state.log_end.to_vec(),
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

/// What the first row of a file says. Its record is one of format 1 in every format.
pub(in crate::storage) enum FormatFound {
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
pub(in crate::storage) fn encode_format(key: &Key, row: &FormatRow) -> Result<Vec<u8>, Failure> {
    seal_format(key, |record| {
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

fn seal_format(
    key: &Key,
    encode: impl FnOnce(&mut Payload<'_>) -> Result<(), Failure>,
) -> Result<Vec<u8>, Failure> {
    let mut record = Vec::new();
    let sum = |payload: &[u8]| checksum_of_format_1(Table::Meta as u64, key, payload);
    seal(&mut record, VERSION_1, encode, sum)?;
    Ok(record)
}

/// Reads the bytes of the format row.
pub(in crate::storage) fn decode_format(key: &Key, record: &[u8]) -> Result<FormatFound, Failure> {
    open_format_1(Table::Meta as u64, key, record, |payload| {
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
    fn check<R: Row + PartialEq>(key: &R::Key, bytes: &[u8]) {
        let Ok(row) = R::decode(key, bytes) else {
            return;
        };
        let mut again = Vec::new();
        let same = row
            .encode(&mut Payload(&mut again))
            .and_then(|()| R::decode(key, &again));
        assert!(
            same.is_ok_and(|same| same == row),
            "a row of {} is not what it encodes to",
            R::TABLE.name()
        );
    }
    if let Ok(contact) = ContactId::new(1) {
        check::<CardRow>(&contact, bytes);
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
    for index in unique::Index::ALL {
        drop(unique::bucket::decode(index, bytes, &mut Vec::new()));
        drop(unique::bucket::ids(index, 0, bytes));
    }
    drop(unique::change::decode(bytes, |_| {}));
    let key = Key::Int(FORMAT_KEY);
    drop(decode_format(&key, bytes));
    // The fuzzer does not find checksums by itself.
    let sealed = seal_format(&key, |record| {
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
        }
    }

    #[test]
    fn a_record_has_at_most_16_mib() {
        let sealed = |bytes: usize| {
            let payload = vec![7; bytes - CHECKSUM_BYTES - 1];
            encode_bytes(&mut Vec::new(), Table::Contacts, &Key::Int(1), &payload)
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
        for (what, bytes, golden) in [
            (
                "card",
                bytes(Key::Int(1), &card()),
                "02fd0068e5cf8b01000003010673686f702d3100010f616e6e406578616d706c652e636f6d04010003416e6e0300040463697479044b7969760404706c616e04667265650107fb5802063130303230300dc8f227",
            ),
            (
                "subscriber",
                bytes(SUBSCRIBER, &subscriber),
                "02063130303230300201fdffffffffffffff7ffb2c010103fc7011010003fbfb00019f13b4b1",
            ),
            (
                "app",
                bytes(Key::Wide(0xa), &app),
                "020103426f7401036b657905d922c576",
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
    fn a_payload_that_goes_on_behind_its_row_is_refused() {
        let mut payload = Vec::new();
        assert!(card().encode(&mut Payload(&mut payload)).is_ok());
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
        assert!(matches!(found(&format(2, 2)), Ok(FormatFound::Known(row)) if row.index_key == 2));
        assert!(matches!(found(&format(3, 3)), Ok(FormatFound::Newer(3))));
        assert!(matches!(found(&format(2, 4)), Ok(FormatFound::Newer(4))));
        let foreign = seal_format(&key, |record| record.push("another program"));
        let foreign = foreign.and_then(|record| decode_format(&key, &record));
        assert!(matches!(foreign, Ok(FormatFound::Foreign)));
    }
}
