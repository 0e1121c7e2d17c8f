//! The rows of the change feed: what a request changed, packed into a few bytes a change.
//!
//! A row is the time of the request and the records of a part of it. Where records were stripped, the
//! places that they had are skipped, so that those after them keep theirs. Numbers have seven bits in each
//! byte, the low ones first, and the top bit says that more follow. This module does not know when records
//! are made.

use crate::model::app::AppNumber;
use crate::model::change::{ChangePosition, TokenLoss};
use crate::model::identifier::ContactId;
use crate::model::sequence::SequenceNumber;
use crate::model::subscriber::SubscriberId;
use crate::model::time::Timestamp;
use crate::varint;

use super::super::guard::Failure;
use super::super::tables::{Key, Table};
use super::keys::RowKey;
use super::meta::FORMAT_3;
use super::record::{MALFORMED, Payload, Row};

/// Most records of a row: a request with more has several rows.
pub(in crate::storage) const RECORDS_OF_A_ROW: u32 = 256;

/// The key of a row: the request, and which of its rows it is, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChangesKey {
    pub(crate) sequence: SequenceNumber,
    pub(crate) part: u32,
}

impl ChangesKey {
    /// The row with the change after a position, if the request of the position has one.
    pub(in crate::storage) fn after(position: ChangePosition) -> Self {
        ChangesKey {
            sequence: position.sequence(),
            part: position.place() / RECORDS_OF_A_ROW,
        }
    }

    /// The position at a place of the row, counted from 0.
    pub(in crate::storage) fn position(self, place: u32) -> ChangePosition {
        let before = self.part.saturating_mul(RECORDS_OF_A_ROW);
        let place = before.saturating_add(place).saturating_add(1);
        ChangePosition::at(self.sequence, place)
    }

    /// The first and the last key that a row of a request could have.
    pub(in crate::storage) fn all_of(sequence: SequenceNumber) -> (Key, Key) {
        let at = |part| ChangesKey { sequence, part }.to_key();
        (at(0), at(u32::MAX))
    }
}

const PART_BITS: u32 = 32;

impl RowKey for ChangesKey {
    fn to_key(&self) -> Key {
        let sequence = u128::from(self.sequence.value()) << PART_BITS;
        Key::Wide(sequence | u128::from(self.part))
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        const WRONG_KEY: Failure = Failure::Corrupt("a key of no request");
        let Key::Wide(key) = key else {
            return Err(WRONG_KEY);
        };
        let part = u32::try_from(key & u128::from(u32::MAX)).map_err(|_| WRONG_KEY)?;
        let sequence = u64::try_from(key >> PART_BITS).map_err(|_| WRONG_KEY)?;
        Ok(ChangesKey {
            sequence: SequenceNumber::new(sequence),
            part,
        })
    }
}

/// What is recorded of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    Contact {
        contact: ContactId,
        /// How the record leads to the one before it of the same contact.
        back: Back,
        what: ContactChange,
    },
    App {
        app: AppNumber,
        what: AppChange,
    },
}

/// Where the record before it of the same contact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Back {
    /// There is none.
    First,
    /// In a request this number of requests before: 0 for the same request.
    Requests(u64),
}

impl Back {
    /// To the request `previous`, if any, from a record of the request `own`.
    pub(in crate::storage) fn to(previous: Option<SequenceNumber>, own: SequenceNumber) -> Self {
        match previous {
            None => Back::First,
            Some(previous) => Back::Requests(own.value().saturating_sub(previous.value())),
        }
    }

    /// The request that has the record before; `None` when there is none.
    pub(in crate::storage) fn from(
        self,
        own: SequenceNumber,
    ) -> Result<Option<SequenceNumber>, Failure> {
        let Back::Requests(back) = self else {
            return Ok(None);
        };
        let previous = own
            .value()
            .checked_sub(back)
            .filter(|previous| *previous > 0);
        previous.map(SequenceNumber::new).map(Some).ok_or(MALFORMED)
    }
}

/// What changed of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContactChange {
    Created,
    Updated,
    Erased,
    Merged(ContactId),
    Unmerged(ContactId),
    SplitOff(ContactId),
    TokenAdded(SubscriberId),
    TokenMoved(SubscriberId),
    TokenRenamed(SubscriberId),
    TokenMuted(SubscriberId),
    TokenUnmuted(SubscriberId),
    TokenRemoved(SubscriberId, TokenLoss),
}

impl ContactChange {
    /// The subscriber that it names.
    pub(in crate::storage) fn subscriber(self) -> Option<SubscriberId> {
        match self {
            ContactChange::Created
            | ContactChange::Updated
            | ContactChange::Erased
            | ContactChange::Merged(_)
            | ContactChange::Unmerged(_)
            | ContactChange::SplitOff(_) => None,
            ContactChange::TokenAdded(id)
            | ContactChange::TokenMoved(id)
            | ContactChange::TokenRenamed(id)
            | ContactChange::TokenMuted(id)
            | ContactChange::TokenUnmuted(id)
            | ContactChange::TokenRemoved(id, _) => Some(id),
        }
    }
}

/// What changed of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppChange {
    Connected,
    Updated,
    Disconnected,
}

/// The first byte of a record. The numbers are part of the file format.
mod tag {
    /// Places whose records were stripped; their number follows.
    pub(super) const STRIPPED: u8 = 0;
    pub(super) const CREATED: u8 = 1;
    pub(super) const UPDATED: u8 = 2;
    pub(super) const ERASED: u8 = 3;
    pub(super) const MERGED: u8 = 4;
    pub(super) const UNMERGED: u8 = 5;
    pub(super) const SPLIT_OFF: u8 = 6;
    pub(super) const TOKEN_ADDED: u8 = 16;
    pub(super) const TOKEN_MOVED: u8 = 17;
    pub(super) const TOKEN_RENAMED: u8 = 18;
    pub(super) const TOKEN_MUTED: u8 = 19;
    pub(super) const TOKEN_UNMUTED: u8 = 20;
    pub(super) const TOKEN_FAILED: u8 = 32;
    pub(super) const TOKEN_TAKEN_OFF: u8 = 33;
    pub(super) const TOKEN_STALE: u8 = 34;
    pub(super) const TOKEN_MOVED_AWAY: u8 = 35;
    pub(super) const TOKEN_JOINED: u8 = 36;
    pub(super) const TOKEN_UNMERGED: u8 = 37;
    pub(super) const TOKEN_SPLIT_OFF: u8 = 38;
    pub(super) const APP_CONNECTED: u8 = 64;
    pub(super) const APP_UPDATED: u8 = 65;
    pub(super) const APP_DISCONNECTED: u8 = 66;
}

impl Recorded {
    pub(in crate::storage) fn is_of(&self, wanted: ContactId) -> bool {
        matches!(self, Recorded::Contact { contact, .. } if *contact == wanted)
    }

    fn encode(&self, to: &mut Payload<'_>) {
        match *self {
            Recorded::App { app, what } => {
                let tag = match what {
                    AppChange::Connected => tag::APP_CONNECTED,
                    AppChange::Updated => tag::APP_UPDATED,
                    AppChange::Disconnected => tag::APP_DISCONNECTED,
                };
                to.append(&[tag]);
                put_number(to, app.0);
            }
            Recorded::Contact {
                contact,
                back,
                what,
            } => {
                let (tag, subscriber) = match what {
                    ContactChange::Created => (tag::CREATED, None),
                    ContactChange::Updated => (tag::UPDATED, None),
                    ContactChange::Erased => (tag::ERASED, None),
                    ContactChange::Merged(_) => (tag::MERGED, None),
                    ContactChange::Unmerged(_) => (tag::UNMERGED, None),
                    ContactChange::SplitOff(_) => (tag::SPLIT_OFF, None),
                    ContactChange::TokenAdded(id) => (tag::TOKEN_ADDED, Some(id)),
                    ContactChange::TokenMoved(id) => (tag::TOKEN_MOVED, Some(id)),
                    ContactChange::TokenRenamed(id) => (tag::TOKEN_RENAMED, Some(id)),
                    ContactChange::TokenMuted(id) => (tag::TOKEN_MUTED, Some(id)),
                    ContactChange::TokenUnmuted(id) => (tag::TOKEN_UNMUTED, Some(id)),
                    ContactChange::TokenRemoved(id, why) => {
                        let tag = match why {
                            TokenLoss::Failed => tag::TOKEN_FAILED,
                            TokenLoss::Removed => tag::TOKEN_TAKEN_OFF,
                            TokenLoss::Stale => tag::TOKEN_STALE,
                            TokenLoss::Moved => tag::TOKEN_MOVED_AWAY,
                            TokenLoss::Joined => tag::TOKEN_JOINED,
                            TokenLoss::Unmerged => tag::TOKEN_UNMERGED,
                            TokenLoss::Split => tag::TOKEN_SPLIT_OFF,
                        };
                        (tag, Some(id))
                    }
                };
                to.append(&[tag]);
                put_number(to, contact.value());
                put_number(
                    to,
                    match back {
                        Back::First => 0,
                        Back::Requests(back) => back.saturating_add(1),
                    },
                );
                if let ContactChange::Merged(other)
                | ContactChange::Unmerged(other)
                | ContactChange::SplitOff(other) = what
                {
                    put_number(to, other.value());
                }
                if let Some(id) = subscriber {
                    put_number(to, id.app().0);
                    put_number(to, id.number());
                }
            }
        }
    }

    fn take(tag: u8, from: &mut &[u8]) -> Result<Self, Failure> {
        let app = match tag {
            tag::APP_CONNECTED => Some(AppChange::Connected),
            tag::APP_UPDATED => Some(AppChange::Updated),
            tag::APP_DISCONNECTED => Some(AppChange::Disconnected),
            _ => None,
        };
        if let Some(what) = app {
            let app = AppNumber(take_number(from)?);
            return Ok(Recorded::App { app, what });
        }
        let contact = take_contact(from)?;
        let back = match take_number(from)?.checked_sub(1) {
            None => Back::First,
            Some(back) => Back::Requests(back),
        };
        let removed = |why| move |id| ContactChange::TokenRemoved(id, why);
        let what = match tag {
            tag::CREATED => ContactChange::Created,
            tag::UPDATED => ContactChange::Updated,
            tag::ERASED => ContactChange::Erased,
            tag::MERGED => ContactChange::Merged(take_contact(from)?),
            tag::UNMERGED => ContactChange::Unmerged(take_contact(from)?),
            tag::SPLIT_OFF => ContactChange::SplitOff(take_contact(from)?),
            tag::TOKEN_ADDED => ContactChange::TokenAdded(take_subscriber(from)?),
            tag::TOKEN_MOVED => ContactChange::TokenMoved(take_subscriber(from)?),
            tag::TOKEN_RENAMED => ContactChange::TokenRenamed(take_subscriber(from)?),
            tag::TOKEN_MUTED => ContactChange::TokenMuted(take_subscriber(from)?),
            tag::TOKEN_UNMUTED => ContactChange::TokenUnmuted(take_subscriber(from)?),
            tag::TOKEN_FAILED => removed(TokenLoss::Failed)(take_subscriber(from)?),
            tag::TOKEN_TAKEN_OFF => removed(TokenLoss::Removed)(take_subscriber(from)?),
            tag::TOKEN_STALE => removed(TokenLoss::Stale)(take_subscriber(from)?),
            tag::TOKEN_MOVED_AWAY => removed(TokenLoss::Moved)(take_subscriber(from)?),
            tag::TOKEN_JOINED => removed(TokenLoss::Joined)(take_subscriber(from)?),
            tag::TOKEN_UNMERGED => removed(TokenLoss::Unmerged)(take_subscriber(from)?),
            tag::TOKEN_SPLIT_OFF => removed(TokenLoss::Split)(take_subscriber(from)?),
            _ => return Err(MALFORMED),
        };
        Ok(Recorded::Contact {
            contact,
            back,
            what,
        })
    }
}

fn take_contact(from: &mut &[u8]) -> Result<ContactId, Failure> {
    ContactId::new(take_number(from)?).map_err(|_| MALFORMED)
}

/// A row of the change feed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ChangesRow {
    pub(in crate::storage) at: Timestamp,
    /// In the order of their places; `None` where one was stripped.
    pub(in crate::storage) records: Vec<Option<Recorded>>,
}

impl ChangesRow {
    /// How many records it has.
    pub(in crate::storage) fn len(&self) -> u64 {
        self.records.iter().flatten().count() as u64
    }

    /// The place of the last record.
    pub(in crate::storage) fn last(&self) -> Option<u32> {
        let last = self.records.iter().rposition(Option::is_some);
        last.and_then(|place| u32::try_from(place).ok())
    }
}

impl Row for ChangesRow {
    const TABLE: Table = Table::Changes;
    type Key = ChangesKey;

    fn format(&self) -> u32 {
        FORMAT_3
    }

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        put_number(to, self.at.as_millis());
        let mut stripped = 0_u64;
        for record in &self.records {
            let Some(record) = record else {
                stripped = stripped.saturating_add(1);
                continue;
            };
            put_stripped(to, std::mem::take(&mut stripped));
            record.encode(to);
        }
        put_stripped(to, stripped);
        Ok(())
    }

    fn decode(_: &ChangesKey, payload: &[u8]) -> Result<Self, Failure> {
        let mut records = Vec::new();
        let Visited { at, places } = visit_records(payload, |_, place, record| {
            let place = usize::try_from(place).map_err(|_| MALFORMED)?;
            records.resize(place, None);
            records.push(Some(record));
            Ok(true)
        })?;
        records.resize(usize::try_from(places).map_err(|_| MALFORMED)?, None);
        Ok(ChangesRow { at, records })
    }
}

/// What a row is, besides its records.
#[derive(Clone, Copy)]
pub(in crate::storage) struct Visited {
    pub(in crate::storage) at: Timestamp,
    /// How many places were passed.
    pub(in crate::storage) places: u32,
}

/// Hands the records of a row to `each`, with their time and places, until it answers `false`.
pub(in crate::storage) fn visit_records(
    mut payload: &[u8],
    mut each: impl FnMut(Timestamp, u32, Recorded) -> Result<bool, Failure>,
) -> Result<Visited, Failure> {
    let at = time_of(&mut payload)?;
    let mut places = 0_u32;
    while let Some((tag, rest)) = payload.split_first() {
        payload = rest;
        let count = if *tag == tag::STRIPPED {
            u32::try_from(take_number(&mut payload)?).map_err(|_| MALFORMED)?
        } else {
            let record = Recorded::take(*tag, &mut payload)?;
            if !each(at, places, record)? {
                return Ok(Visited { at, places });
            }
            1
        };
        places = places.saturating_add(count);
        if count == 0 || places > RECORDS_OF_A_ROW {
            return Err(MALFORMED);
        }
    }
    Ok(Visited { at, places })
}

fn time_of(payload: &mut &[u8]) -> Result<Timestamp, Failure> {
    take_number(payload).map(Timestamp::from_millis)
}

fn put_stripped(to: &mut Payload<'_>, places: u64) {
    if places > 0 {
        to.append(&[tag::STRIPPED]);
        put_number(to, places);
    }
}

fn take_subscriber(from: &mut &[u8]) -> Result<SubscriberId, Failure> {
    let (app, number) = (AppNumber(take_number(from)?), take_number(from)?);
    let id = SubscriberId::of(app, number);
    if (id.app(), id.number()) == (app, number) {
        Ok(id)
    } else {
        Err(MALFORMED)
    }
}

fn put_number(to: &mut Payload<'_>, number: u64) {
    varint::put(number, |byte| to.append(&[byte]));
}

fn take_number(from: &mut &[u8]) -> Result<u64, Failure> {
    varint::take(from).ok_or(MALFORMED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(sequence: u64) -> ChangesKey {
        ChangesKey {
            sequence: SequenceNumber::new(sequence),
            part: 0,
        }
    }

    fn contact(id: u64, back: Back, what: ContactChange) -> Option<Recorded> {
        let contact = ContactId::new(id).ok()?;
        Some(Recorded::Contact {
            contact,
            back,
            what,
        })
    }

    #[test]
    fn a_row_of_changes_has_these_bytes() {
        let subscriber = SubscriberId::of(AppNumber(3), 300);
        let row = ChangesRow {
            at: Timestamp::from_millis(1_000),
            records: vec![
                contact(200, Back::First, ContactChange::Created),
                contact(
                    200,
                    Back::Requests(0),
                    ContactChange::TokenAdded(subscriber),
                ),
                None,
                None,
                contact(
                    1,
                    Back::Requests(127),
                    ContactChange::TokenRemoved(subscriber, TokenLoss::Failed),
                ),
                Some(Recorded::App {
                    app: AppNumber(3),
                    what: AppChange::Disconnected,
                }),
                None,
            ],
        };
        let mut bytes = Vec::new();
        assert!(row.encode(&mut Payload::of(&mut bytes)).is_ok());
        #[rustfmt::skip]
        let expected = [
            0xe8, 0x07, // the time
            1, 0xc8, 1, 0,
            16, 0xc8, 1, 1, 3, 0xac, 2,
            0, 2,
            32, 1, 0x80, 1, 3, 0xac, 2,
            66, 3,
            0, 1,
        ];
        assert_eq!(bytes, expected);
        let read = ChangesRow::decode(&key(9), &bytes);
        assert!(read.is_ok_and(|read| read == row));
        assert_eq!((row.len(), row.last()), (4, Some(5)));
    }

    #[test]
    fn what_is_no_row_of_changes_does_not_decode() {
        let rows: [&[u8]; 9] = [
            &[],
            &[0x80, 0],       // a number with a byte too many
            &[1, 4],          // no such record
            &[1, 1, 0, 0],    // contact 0
            &[1, 1, 1],       // cut off
            &[1, 0, 0],       // no place stripped
            &[1, 0, 0x81, 2], // more places than a row has
            &[1, 16, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1], // no app has such a number
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
        ];
        for bytes in rows {
            let read = ChangesRow::decode(&key(9), bytes).map(|row| row.records);
            assert!(matches!(read, Err(Failure::Corrupt(_))), "{bytes:?}");
        }
    }

    #[test]
    fn every_number_is_read_as_it_was_written() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u64::MAX >> 1, u64::MAX] {
            let mut bytes = Vec::new();
            put_number(&mut Payload::of(&mut bytes), number);
            let mut left = &bytes[..];
            assert!(take_number(&mut left).is_ok_and(|read| read == number));
            assert!(left.is_empty());
        }
    }

    #[test]
    fn a_key_says_which_part_of_which_request() {
        for key in [
            key(0),
            key(u64::MAX),
            ChangesKey {
                part: u32::MAX,
                ..key(7)
            },
        ] {
            assert!(ChangesKey::from_key(&key.to_key()).is_ok_and(|read| read == key));
        }
        let position = |part, place| ChangesKey { part, ..key(7) }.position(place);
        assert_eq!(position(0, 0).to_string(), "7.1");
        assert_eq!(position(1, 255).to_string(), "7.512");
        assert_eq!(ChangesKey::after(position(0, 254)).part, 0);
        assert_eq!(ChangesKey::after(position(0, 255)).part, 1);
        assert!(Key::Wide(1 << 96) > key(u64::MAX).to_key());
    }
}
