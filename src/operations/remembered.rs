//! The outcome of a request in bytes, kept for requests that repeat it (R64).
//!
//! Numbers are in the form of [`varint`]. An entry that was refused while it was parsed has a mark alone:
//! the repeated request has the same entry, whose error is taken from there. This module does not know
//! where the bytes are kept.

use std::collections::BTreeSet;

use crate::error::EntryError;
use crate::limits::{Limit, LimitExceeded};
use crate::model::app::AppId;
use crate::model::fields::FieldNames;
use crate::model::identifier::{ContactId, IdentifierKind, KindSet};
use crate::model::subscriber::{MuteEnd, SubscriberId};
use crate::model::time::Timestamp;
use crate::operations::add_tokens::{OptionsInForce, TokenAdded, TokenPlace, TokensAdded};
use crate::operations::bring_back::TokenBroughtBack;
use crate::operations::dismiss_conflict::ConflictDismissed;
use crate::operations::erase::Erased;
use crate::operations::forget_messages::MessagesForgotten;
use crate::operations::lift_suppression::SuppressionLifted;
use crate::operations::merge::Merged;
use crate::operations::mute::{TokenMuted, TokenUnmuted};
use crate::operations::outcomes::Outcomes;
use crate::operations::record_reports::ReportOutcome;
use crate::operations::remove_stale::StaleRemoved;
use crate::operations::remove_token::TokenRemoved;
use crate::operations::rename_token::TokenRenamed;
use crate::operations::split::SplitOff;
use crate::operations::unmerge::{NotGivenBack, Unmerged};
use crate::operations::upsert::{CardChange, ContactUpserted};
use crate::rules::{InvalidIdentifier, MatchPolicy, Ownership, UnknownContactId};
use crate::varint;

/// An outcome, or a part of one, that can be kept. What is written stays readable in later versions.
pub(crate) trait Remembered: Sized {
    fn put(&self, to: &mut Memo<'_>);

    /// Reads what [`put`](Remembered::put) wrote.
    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten>;
}

/// Why an outcome cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgotten {
    /// The bytes are not of such an outcome.
    Malformed,
    /// Other entries were refused while they were parsed.
    OtherRefused,
}

/// The bytes of an outcome, being written.
pub(crate) struct Memo<'r> {
    bytes: Vec<u8>,
    /// The places of the entries that were refused while they were parsed.
    refused: &'r [(usize, EntryError)],
}

impl<'r> Memo<'r> {
    pub(crate) fn new(refused: &'r [(usize, EntryError)]) -> Self {
        Memo {
            bytes: Vec::new(),
            refused,
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn was_refused(&self, place: usize) -> bool {
        at_place(self.refused, place).is_some()
    }
}

/// The bytes of an outcome, being read.
pub(crate) struct Memory<'b> {
    bytes: &'b [u8],
    refused: &'b [(usize, EntryError)],
}

impl<'b> Memory<'b> {
    pub(crate) fn new(bytes: &'b [u8], refused: &'b [(usize, EntryError)]) -> Self {
        Memory { bytes, refused }
    }

    /// Reads the whole of an outcome.
    pub(crate) fn take_all<T: Remembered>(mut self) -> Result<T, Forgotten> {
        let all = T::take(&mut self)?;
        if self.bytes.is_empty() {
            Ok(all)
        } else {
            Err(Forgotten::Malformed)
        }
    }

    fn byte(&mut self) -> Result<u8, Forgotten> {
        let (byte, rest) = self.bytes.split_first().ok_or(Forgotten::Malformed)?;
        self.bytes = rest;
        Ok(*byte)
    }

    /// The error of an entry that was refused while it was parsed.
    fn refused(&self, place: usize) -> Option<&'b EntryError> {
        at_place(self.refused, place)
    }
}

/// The error at a place. They are in the order of their places.
fn at_place(refused: &[(usize, EntryError)], place: usize) -> Option<&EntryError> {
    let found = refused.binary_search_by_key(&place, |(refused, _)| *refused);
    refused.get(found.ok()?).map(|(_, error)| error)
}

impl Remembered for () {
    fn put(&self, _: &mut Memo<'_>) {}

    fn take(_: &mut Memory<'_>) -> Result<Self, Forgotten> {
        Ok(())
    }
}

impl Remembered for u64 {
    fn put(&self, to: &mut Memo<'_>) {
        varint::put(*self, |byte| to.byte(byte));
    }

    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
        varint::take(&mut from.bytes).ok_or(Forgotten::Malformed)
    }
}

impl Remembered for usize {
    fn put(&self, to: &mut Memo<'_>) {
        (*self as u64).put(to);
    }

    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
        usize::try_from(u64::take(from)?).map_err(|_| Forgotten::Malformed)
    }
}

impl Remembered for bool {
    fn put(&self, to: &mut Memo<'_>) {
        to.byte(u8::from(*self));
    }

    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
        match from.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Forgotten::Malformed),
        }
    }
}

impl<T: Remembered> Remembered for Option<T> {
    fn put(&self, to: &mut Memo<'_>) {
        self.is_some().put(to);
        if let Some(value) = self {
            value.put(to);
        }
    }

    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
        bool::take(from)?.then(|| T::take(from)).transpose()
    }
}

impl<T: Remembered> Remembered for Vec<T> {
    fn put(&self, to: &mut Memo<'_>) {
        self.len().put(to);
        self.iter().for_each(|part| part.put(to));
    }

    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
        let count = usize::take(from)?;
        // Each takes a byte at least: a damaged count makes no room.
        let mut parts = Vec::with_capacity(count.min(from.bytes.len()));
        for _ in 0..count {
            parts.push(T::take(from)?);
        }
        Ok(parts)
    }
}

impl<A: Remembered, B: Remembered> Remembered for (A, B) {
    fn put(&self, to: &mut Memo<'_>) {
        self.0.put(to);
        self.1.put(to);
    }

    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
        Ok((A::take(from)?, B::take(from)?))
    }
}

impl<T: Remembered + Ord> Remembered for BTreeSet<T> {
    fn put(&self, to: &mut Memo<'_>) {
        self.len().put(to);
        self.iter().for_each(|part| part.put(to));
    }

    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
        Ok(Vec::take(from)?.into_iter().collect())
    }
}

impl Remembered for String {
    fn put(&self, to: &mut Memo<'_>) {
        self.len().put(to);
        to.bytes.extend_from_slice(self.as_bytes());
    }

    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
        let len = usize::take(from)?;
        let (text, rest) = from
            .bytes
            .split_at_checked(len)
            .ok_or(Forgotten::Malformed)?;
        from.bytes = rest;
        let text = str::from_utf8(text).map_err(|_| Forgotten::Malformed)?;
        Ok(text.to_owned())
    }
}

impl<T: Remembered> Remembered for Outcomes<T> {
    fn put(&self, to: &mut Memo<'_>) {
        self.len().put(to);
        for (place, outcome) in self.iter().enumerate() {
            match outcome {
                Ok(accepted) => {
                    to.byte(ACCEPTED);
                    accepted.put(to);
                }
                Err(_) if to.was_refused(place) => to.byte(REFUSED_IN_PARSING),
                Err(error) => error.put(to),
            }
        }
    }

    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
        let count = usize::take(from)?;
        let mut outcomes = Vec::with_capacity(count.min(from.bytes.len()));
        for place in 0..count {
            let tag = from.byte()?;
            outcomes.push(match (tag, from.refused(place)) {
                (REFUSED_IN_PARSING, Some(error)) => Err(error.clone()),
                (REFUSED_IN_PARSING, None) | (_, Some(_)) => return Err(Forgotten::OtherRefused),
                (ACCEPTED, None) => Ok(T::take(from)?),
                (tag, None) => Err(take_error(tag, from)?),
            });
        }
        Ok(Outcomes::new(outcomes))
    }
}

/// What an entry of a batch begins with. The errors of deciding have the numbers after these.
const ACCEPTED: u8 = 0;
const REFUSED_IN_PARSING: u8 = 1;

impl EntryError {
    fn put(&self, to: &mut Memo<'_>) {
        match self {
            // Found while parsing alone. They have static texts, which no bytes can give back.
            EntryError::Field(_)
            | EntryError::Json(_)
            | EntryError::NoIdentifier
            | EntryError::OneOfTokenAndSubscriber => to.byte(REFUSED_IN_PARSING),
            EntryError::UnknownContactId => to.byte(2),
            EntryError::ContactIdErased(contact) => {
                to.byte(3);
                contact.put(to);
            }
            EntryError::NothingToFindBy => to.byte(4),
            EntryError::ContactNotFound => to.byte(5),
            EntryError::ContactExists(contact) => {
                to.byte(6);
                contact.put(to);
            }
            EntryError::Conflict { kind, contact } => {
                to.byte(7);
                kind.put(to);
                contact.put(to);
            }
            EntryError::LimitExceeded(LimitExceeded {
                limit,
                actual,
                most,
            }) => {
                to.byte(8);
                limit.put(to);
                actual.put(to);
                most.put(to);
            }
            EntryError::ContactIdsExhausted => to.byte(9),
            EntryError::Suppressed { kind } => {
                to.byte(10);
                kind.put(to);
            }
        }
    }
}

fn take_error(tag: u8, from: &mut Memory<'_>) -> Result<EntryError, Forgotten> {
    Ok(match tag {
        2 => EntryError::UnknownContactId,
        3 => EntryError::ContactIdErased(ContactId::take(from)?),
        4 => EntryError::NothingToFindBy,
        5 => EntryError::ContactNotFound,
        6 => EntryError::ContactExists(ContactId::take(from)?),
        7 => EntryError::Conflict {
            kind: IdentifierKind::take(from)?,
            contact: ContactId::take(from)?,
        },
        8 => EntryError::LimitExceeded(LimitExceeded {
            limit: Limit::take(from)?,
            actual: u64::take(from)?,
            most: u64::take(from)?,
        }),
        9 => EntryError::ContactIdsExhausted,
        10 => EntryError::Suppressed {
            kind: IdentifierKind::take(from)?,
        },
        _ => return Err(Forgotten::Malformed),
    })
}

impl Remembered for AppId {
    fn put(&self, to: &mut Memo<'_>) {
        to.bytes.extend_from_slice(&self.as_u128().to_le_bytes());
    }

    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
        let (id, rest) = from.bytes.split_first_chunk().ok_or(Forgotten::Malformed)?;
        from.bytes = rest;
        Ok(AppId::from_u128(u128::from_le_bytes(*id)))
    }
}

impl Remembered for ContactId {
    fn put(&self, to: &mut Memo<'_>) {
        self.value().put(to);
    }

    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
        ContactId::new(u64::take(from)?).map_err(|_| Forgotten::Malformed)
    }
}

impl Remembered for SubscriberId {
    fn put(&self, to: &mut Memo<'_>) {
        self.value().put(to);
    }

    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
        u64::take(from).map(SubscriberId::new)
    }
}

impl Remembered for Timestamp {
    fn put(&self, to: &mut Memo<'_>) {
        self.as_millis().put(to);
    }

    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
        u64::take(from).map(Timestamp::from_millis)
    }
}

impl Remembered for MuteEnd {
    fn put(&self, to: &mut Memo<'_>) {
        match self {
            MuteEnd::Never => to.byte(1),
            MuteEnd::At(end) => {
                to.byte(2);
                end.put(to);
            }
        }
    }

    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
        match from.byte()? {
            1 => Ok(MuteEnd::Never),
            2 => Timestamp::take(from).map(MuteEnd::At),
            _ => Err(Forgotten::Malformed),
        }
    }
}

impl Remembered for KindSet {
    fn put(&self, to: &mut Memo<'_>) {
        let kinds: Vec<IdentifierKind> = self.iter().collect();
        kinds.put(to);
    }

    fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
        Ok(Vec::<IdentifierKind>::take(from)?.into_iter().collect())
    }
}

/// Keeps a value without fields as a number, which stays what it is.
macro_rules! numbered {
    ($($type:ident { $($variant:ident = $number:literal),+ $(,)? })+) => {$(
        impl Remembered for $type {
            fn put(&self, to: &mut Memo<'_>) {
                to.byte(match self {
                    $($type::$variant => $number,)+
                });
            }

            fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
                match from.byte()? {
                    $($number => Ok($type::$variant),)+
                    _ => Err(Forgotten::Malformed),
                }
            }
        }
    )+};
}

numbered! {
    IdentifierKind { ContactId = 1, ExternalCustomerId = 2, Phone = 3, Email = 4 }
    Limit {
        TokensPerContact = 1,
        ContactsPerToken = 2,
        EntriesPerRequest = 3,
        RequestTextBytes = 4,
        CustomFieldsPerContact = 5,
        CardTextBytes = 6,
        PageRows = 7,
        SubscribersOfApp = 8,
        AppConnections = 9,
        AnswerBytes = 10,
        SuppressedIdentifiers = 11,
        MergesPerContact = 12,
    }
    MatchPolicy { Cascade = 1, TopPriority = 2 }
    Ownership { Shared = 1, Exclusive = 2 }
    InvalidIdentifier { Refuse = 1, Ignore = 2 }
    UnknownContactId { Adopt = 1, Reject = 2 }
    CardChange { Created = 1, Updated = 2, Unchanged = 3 }
}

/// Keeps a struct as its fields, in this order: all of them, or it does not compile.
macro_rules! fields {
    ($($type:ident { $($field:ident),+ $(,)? })+) => {$(
        impl Remembered for $type {
            fn put(&self, to: &mut Memo<'_>) {
                let $type { $($field),+ } = self;
                $($field.put(to);)+
            }

            fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
                Ok($type { $($field: Remembered::take(from)?),+ })
            }
        }
    )+};
}

fields! {
    OptionsInForce { policy, ownership, invalid_identifier, unknown_contact_id }
    TokensAdded { in_force, entries }
    TokenAdded { contact, matched_by, token, subscriber, skipped, ignored, also_held_by }
    ContactUpserted { contact, matched_by, card }
    Erased { erased, suppressed }
    MessagesForgotten { messages }
    StaleRemoved { subscribers, taken_off, dry_run }
    TokenRemoved { from }
    SuppressionLifted { lifted }
    Merged { from, into, identifiers, kept_identifiers, fields, kept_fields, tokens, shared_tokens, ids }
    Unmerged { contact, from, identifiers, fields, tokens, ids, not_given_back }
    NotGivenBack { identifiers, erased, tokens }
    SplitOff { from, contact, identifiers, tokens }
    FieldNames { first_name, last_name, language_code, time_zone, custom }
}

/// Keeps an enum as the number of its variant, and its fields after that, in this order.
macro_rules! variants {
    ($($type:ident { $($variant:ident $({ $($field:ident),+ })? = $number:literal),+ $(,)? })+) => {$(
        impl Remembered for $type {
            fn put(&self, to: &mut Memo<'_>) {
                match self {
                    $($type::$variant $({ $($field),+ })? => {
                        to.byte($number);
                        $($($field.put(to);)+)?
                    })+
                }
            }

            fn take(from: &mut Memory<'_>) -> Result<Self, Forgotten> {
                Ok(match from.byte()? {
                    $($number => $type::$variant $({ $($field: Remembered::take(from)?),+ })?,)+
                    _ => return Err(Forgotten::Malformed),
                })
            }
        }
    )+};
}

variants! {
    TokenPlace { Added = 1, AlreadyHeld = 2, Moved { from } = 3 }
    ReportOutcome { Recorded = 1, Removed { from } = 2, UnknownSubscriber = 3 }
    TokenRenamed {
        Renamed { subscriber, contacts } = 1,
        Joined { subscriber, joined, contacts } = 2,
        UnknownSubscriber = 3,
    }
    TokenMuted { Muted { subscriber, until } = 1, UnknownSubscriber = 2 }
    TokenUnmuted { Unmuted { subscriber, was_muted } = 1, UnknownSubscriber = 2 }
    TokenBroughtBack { BroughtBack { subscriber, contacts } = 1, NotRemembered = 2 }
    ConflictDismissed { Dismissed = 1, NotListed = 2 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fault::{Fault, Field, FieldError};

    #[track_caller]
    fn stays<T: Remembered + PartialEq + std::fmt::Debug>(value: &T) {
        let mut memo = Memo::new(&[]);
        value.put(&mut memo);
        let bytes = memo.into_bytes();
        assert_eq!(Memory::new(&bytes, &[]).take_all::<T>().as_ref(), Ok(value));
        for end in 0..bytes.len() {
            let short = bytes.get(..end).unwrap_or_default();
            let taken = Memory::new(short, &[]).take_all::<T>();
            assert_eq!(taken, Err(Forgotten::Malformed), "{end} bytes of {value:?}");
        }
    }

    fn contacts(ids: &[u64]) -> Vec<ContactId> {
        ids.iter().copied().flat_map(ContactId::new).collect()
    }

    #[test]
    fn r64_every_outcome_stays_what_it_is() -> Result<(), FieldError> {
        let contact = ContactId::new(1)?;
        let other = ContactId::new(ContactId::MAX)?;
        let subscriber = SubscriberId::new(1 << 40);
        let kind = IdentifierKind::Email;
        for number in [0, 1, 0x7f, 0x80, 1 << 32, u64::MAX] {
            stays(&number);
        }
        stays(&AppId::from_u128(u128::MAX - 7));
        stays(&Erased {
            erased: true,
            suppressed: kind.into(),
        });
        stays(&SuppressionLifted {
            lifted: kind.into(),
        });
        stays(&TokenBroughtBack::NotRemembered);
        stays(&ConflictDismissed::Dismissed);
        stays(&ConflictDismissed::NotListed);
        stays(&TokenBroughtBack::BroughtBack {
            subscriber,
            contacts: vec![contact, other],
        });
        let until = MuteEnd::At(Timestamp::from_millis(7));
        stays(&TokenMuted::Muted { subscriber, until });
        stays(&MessagesForgotten { messages: 300 });
        stays(&StaleRemoved {
            subscribers: 3,
            taken_off: 4,
            dry_run: true,
        });
        stays(&TokenRemoved {
            from: contacts(&[3, 1, 1 << 40]),
        });
        let names = FieldNames {
            last_name: true,
            custom: BTreeSet::from(["city".to_owned(), "plan".to_owned()]),
            ..FieldNames::default()
        };
        stays(&Merged {
            from: contact,
            into: other,
            identifiers: kind.into(),
            kept_identifiers: KindSet::EMPTY,
            fields: names.clone(),
            kept_fields: FieldNames::default(),
            tokens: vec![subscriber],
            shared_tokens: Vec::new(),
            ids: contacts(&[3, 4]),
        });
        stays(&Unmerged {
            contact,
            from: other,
            identifiers: KindSet::EMPTY,
            fields: names,
            tokens: vec![subscriber],
            ids: contacts(&[3]),
            not_given_back: NotGivenBack {
                identifiers: vec![(kind, other)],
                erased: IdentifierKind::Phone.into(),
                tokens: vec![subscriber],
            },
        });
        stays(&SplitOff {
            from: contact,
            contact: other,
            identifiers: kind.into(),
            tokens: vec![subscriber],
        });
        stays(&TokenRenamed::UnknownSubscriber);
        stays(&TokenRenamed::Joined {
            subscriber,
            joined: SubscriberId::new(7),
            contacts: vec![contact],
        });
        stays(&Outcomes::new(vec![
            Ok(ReportOutcome::Recorded),
            Ok(ReportOutcome::UnknownSubscriber),
            Ok(ReportOutcome::Removed { from: vec![other] }),
        ]));
        let added = |token| TokenAdded {
            contact,
            matched_by: Some(IdentifierKind::Phone),
            token,
            subscriber,
            skipped: KindSet::EMPTY,
            ignored: IdentifierKind::ALL.iter().copied().collect(),
            also_held_by: vec![other],
        };
        stays(&TokensAdded {
            in_force: OptionsInForce {
                policy: MatchPolicy::TopPriority,
                ownership: Ownership::Exclusive,
                ..OptionsInForce::default()
            },
            entries: Outcomes::new(vec![
                Ok(added(TokenPlace::Added)),
                Ok(added(TokenPlace::AlreadyHeld)),
                Ok(added(TokenPlace::Moved { from: vec![other] })),
            ]),
        });
        let upserted = ContactUpserted {
            contact,
            matched_by: None,
            card: CardChange::Created,
        };
        stays(&Outcomes::new(vec![
            Ok(upserted),
            Err(EntryError::UnknownContactId),
            Err(EntryError::ContactIdErased(other)),
            Err(EntryError::NothingToFindBy),
            Err(EntryError::ContactNotFound),
            Err(EntryError::ContactExists(contact)),
            Err(EntryError::Conflict { kind, contact }),
            Err(EntryError::LimitExceeded(LimitExceeded {
                limit: Limit::CardTextBytes,
                actual: 300_000,
                most: 1 << 18,
            })),
            Err(EntryError::ContactIdsExhausted),
            Err(EntryError::Suppressed { kind }),
        ]));
        Ok(())
    }

    #[test]
    fn r64_the_bytes_of_an_outcome_stay_those_of_every_version() -> Result<(), FieldError> {
        let mut memo = Memo::new(&[]);
        let from = contacts(&[300]);
        Outcomes::new(vec![
            Ok(TokenPlace::Moved { from }),
            Err(EntryError::Conflict {
                kind: IdentifierKind::Email,
                contact: ContactId::new(2)?,
            }),
            Err(EntryError::ContactIdsExhausted),
        ])
        .put(&mut memo);
        let golden = [3, 0, 3, 1, 0xac, 2, 7, 4, 2, 9];
        assert_eq!(memo.into_bytes(), golden);
        Ok(())
    }

    #[test]
    fn r64_the_error_of_parsing_is_that_of_the_repeated_request() {
        let error = || EntryError::from(FieldError::new(Field::Phone, Fault::NotADigit));
        let refused = [(1, error())];
        let outcomes = Outcomes::new(vec![Ok(7_u64), Err(error()), Ok(8)]);
        let mut memo = Memo::new(&refused);
        outcomes.put(&mut memo);
        let bytes = memo.into_bytes();
        assert_eq!(bytes, [3, 0, 7, 1, 0, 8]);
        let taken = |refused| Memory::new(&bytes, refused).take_all::<Outcomes<u64>>();
        assert_eq!(taken(&refused), Ok(outcomes));
        // Other options: the entry is valid now, or another one is not.
        for others in [&[][..], &[(0, error())], &[(1, error()), (2, error())]] {
            assert_eq!(taken(others), Err(Forgotten::OtherRefused));
        }
    }

    #[test]
    fn a_damaged_outcome_is_malformed_and_makes_no_room() {
        let taken = |bytes: &[u8]| Memory::new(bytes, &[]).take_all::<Vec<u64>>();
        assert_eq!(taken(&[0, 0]), Err(Forgotten::Malformed));
        let endless = [0xff; 11];
        assert_eq!(taken(&endless), Err(Forgotten::Malformed));
        let many = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1];
        assert_eq!(taken(&many), Err(Forgotten::Malformed));
        assert_eq!(
            Memory::new(&[2], &[]).take_all::<bool>(),
            Err(Forgotten::Malformed)
        );
        assert_eq!(
            Memory::new(&[9], &[]).take_all::<Ownership>(),
            Err(Forgotten::Malformed)
        );
    }
}
