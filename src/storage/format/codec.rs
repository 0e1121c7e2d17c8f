//! The payload of each row: what encodes it, and what decodes it.
//!
//! The order and the types of the fields here are the file format. This module does not know what rows
//! mean to each other.

use bincode::{BorrowDecode, Encode};

use crate::model::app::{AccessKey, AppId, AppName, AppNumber};
use crate::model::change::ChangePosition;
use crate::model::fields::ContactFields;
use crate::model::holders::Holders;
use crate::model::identifier::{
    ContactId, Email, ExternalCustomerId, IdentifierKind, Identifiers, KindSet, Phone,
};
use crate::model::report::Status;
use crate::model::report::StatusCounts;
use crate::model::sequence::SequenceNumber;
use crate::model::subscriber::{MuteEnd, SubscriberId};
use crate::model::time::Timestamp;
use crate::model::token::Token;

use super::super::guard::Failure;
use super::super::tables::Table;
use super::super::unique::{IndexState, layout::Layout};
use super::keys::MessageKey;
use super::meta::{FORMAT_3, FeedState, OLDEST_FORMAT, State};
use super::record::{MALFORMED, Payload, Row, decode, take};
use super::rows::{
    AppPhase, AppRow, AppTallyRow, BorrowedSubscriber, CardRow, FormerIdRow, HeldTokenRow,
    MessageRow, SubscriberRow, TakenRow,
};

pub(super) fn subscriber(app: AppNumber, number: u64) -> Result<SubscriberId, Failure> {
    let id = SubscriberId::of(app, number);
    if (id.app(), id.number()) == (app, number) {
        Ok(id)
    } else {
        Err(MALFORMED)
    }
}

fn bit(kind: IdentifierKind) -> u8 {
    match kind {
        IdentifierKind::ContactId => 1,
        IdentifierKind::ExternalCustomerId => 2,
        IdentifierKind::Phone => 4,
        IdentifierKind::Email => 8,
    }
}

/// The kinds of a set, a bit for each.
pub(super) fn bits(kinds: KindSet) -> u8 {
    kinds.iter().fold(0, |bits, kind| bits | bit(kind))
}

/// The set with these [`bits`].
pub(super) fn kinds(of: u8) -> Result<KindSet, Failure> {
    let kinds = IdentifierKind::ALL.iter().copied();
    let kinds: KindSet = kinds.filter(|kind| of & bit(*kind) != 0).collect();
    if bits(kinds) == of {
        Ok(kinds)
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
    /// How many [`FieldRecord`]s follow.
    fields: u64,
    /// How many [`HeldTokenRecord`]s follow these.
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
    pub(super) fn of(fields: &'a ContactFields) -> impl Iterator<Item = Self> {
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

    fn format(&self) -> u32 {
        match self.last_change {
            None => OLDEST_FORMAT,
            Some(_) => FORMAT_3,
        }
    }

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
            fields: self.fields.count() as u64,
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
        })?;
        // The only card with a number after its tokens is one of a store with a change feed.
        self.last_change
            .map_or(Ok(()), |last| to.push(last.value()))
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
        let last_change = match payload.is_empty() {
            true => None,
            false => match decode(payload)? {
                0_u64 => return Err(MALFORMED),
                last => Some(SequenceNumber::new(last)),
            },
        };
        Ok(CardRow {
            created_at: Timestamp::from_millis(card.created_at),
            created_through: (card.created_through > 0).then_some(AppNumber(card.created_through)),
            identifiers: identifiers(card.external_id, card.phone, card.email)?,
            fields,
            tokens,
            last_change,
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

    fn format(&self) -> u32 {
        match self.muted {
            Some(_) => FORMAT_3,
            None => OLDEST_FORMAT,
        }
    }

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
        })?;
        // Only a muted subscriber has this: the bytes of all others are those of format 2.
        match self.muted {
            Some(end) => to.push(end.time().map(Timestamp::as_millis)),
            None => Ok(()),
        }
    }

    fn decode(id: &SubscriberId, payload: &[u8]) -> Result<Self, Failure> {
        let mut holders = Holders::NONE;
        let subscriber = borrow_subscriber(payload, &mut holders)?;
        Ok(SubscriberRow {
            app: id.app(),
            token: Token::from_stored(subscriber.token.to_owned()),
            last_registered_at: subscriber.last_registered_at,
            last_status: subscriber.last_status,
            counts: subscriber.counts,
            muted: subscriber.muted,
            holders,
        })
    }
}

/// Reads the payload of a subscriber. Its holders go to `holders`.
pub(in crate::storage) fn borrow_subscriber<'p>(
    mut payload: &'p [u8],
    holders: &mut Holders,
) -> Result<BorrowedSubscriber<'p>, Failure> {
    let (token, count): (&str, u64) = take(&mut payload)?;
    // Each takes a byte at least: a count that is damaged makes no room.
    if count > payload.len() as u64 {
        return Err(MALFORMED);
    }
    holders.restart(usize::try_from(count).unwrap_or_default());
    for _ in 0..count {
        let id: u64 = take(&mut payload)?;
        holders.push(ContactId::new(id).map_err(|_| MALFORMED)?);
    }
    let since: DeliveryRecord = take(&mut payload)?;
    let muted = match payload {
        [] => None,
        end => Some(decode::<Option<u64>>(end)?),
    };
    Ok(BorrowedSubscriber {
        token,
        last_registered_at: Timestamp::from_millis(since.last_registered_at),
        last_status: since.last_status.map(status_at).transpose()?,
        counts: since.counts.counts(),
        muted: muted.map(|end| {
            end.map_or(MuteEnd::Never, |end| {
                MuteEnd::At(Timestamp::from_millis(end))
            })
        }),
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
#[derive(Encode, BorrowDecode)]
struct StateRecord {
    sequence: u64,
    next_contact: u64,
    next_app: u64,
    contacts: u64,
    erased: u64,
}

/// What a state has from format 3 on.
#[derive(Default, PartialEq, Eq, Encode, BorrowDecode)]
struct LaterStateRecord {
    feed: Option<FeedRecord>,
    muted: u64,
    suppressed: u64,
    blocked: u64,
    blocked_first: u64,
    blocked_next: u64,
    conflicts: u64,
}

/// Where the change feed stands, in a store that has one or had.
#[derive(PartialEq, Eq, Encode, BorrowDecode)]
struct FeedRecord {
    begin: (u64, u32),
    newest: (u64, u32),
    through: u64,
    kept: u64,
}

impl FeedRecord {
    fn new(feed: FeedState) -> Self {
        let FeedState {
            begin,
            newest,
            through,
            kept,
        } = feed;
        FeedRecord {
            begin: (begin.sequence().value(), begin.place()),
            newest: (newest.sequence().value(), newest.place()),
            through: through.value(),
            kept,
        }
    }

    fn state(&self) -> FeedState {
        let position = |(sequence, place)| ChangePosition::at(SequenceNumber::new(sequence), place);
        FeedState {
            begin: position(self.begin),
            newest: position(self.newest),
            through: SequenceNumber::new(self.through),
            kept: self.kept,
        }
    }
}

impl Row for State {
    const TABLE: Table = Table::Meta;
    type Key = u64;

    fn format(&self) -> u32 {
        match self.feed {
            None => OLDEST_FORMAT,
            Some(_) => FORMAT_3,
        }
    }

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        to.push(StateRecord {
            sequence: self.sequence.value(),
            next_contact: self.next_contact,
            next_app: self.next_app,
            contacts: self.contacts,
            erased: self.erased,
        })?;
        // Only a store that uses what these say has them.
        let later = LaterStateRecord {
            feed: self.feed.map(FeedRecord::new),
            muted: self.muted,
            suppressed: self.suppressed,
            blocked: self.blocked,
            blocked_first: self.blocked_first,
            blocked_next: self.blocked_next,
            conflicts: self.conflicts,
        };
        if later == LaterStateRecord::default() {
            return Ok(());
        }
        to.push(later)
    }

    fn decode(_: &u64, mut payload: &[u8]) -> Result<Self, Failure> {
        let state: StateRecord = take(&mut payload)?;
        let later = match payload {
            [] => LaterStateRecord::default(),
            later => decode(later)?,
        };
        Ok(State {
            sequence: SequenceNumber::new(state.sequence),
            next_contact: state.next_contact,
            next_app: state.next_app,
            contacts: state.contacts,
            erased: state.erased,
            feed: later.feed.map(|feed| feed.state()),
            muted: later.muted,
            suppressed: later.suppressed,
            blocked: later.blocked,
            blocked_first: later.blocked_first,
            blocked_next: later.blocked_next,
            conflicts: later.conflicts,
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
