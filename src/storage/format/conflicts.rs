//! The list of conflicts (R61): its rows, their keys and payloads.
//!
//! All are of format 3. This module does not know why two contacts are in conflict.

use crate::model::conflict::{Conflict, InConflict};
use crate::model::identifier::ContactId;
use crate::model::time::Timestamp;

use super::super::guard::Failure;
use super::super::tables::{Key, Table};
use super::codec::{bits, kinds};
use super::keys::RowKey;
use super::meta::FORMAT_3;
use super::record::{Payload, Row, ended, take};

/// The key of a pair of contacts, the smaller id first, or of its mirror, the larger id first.
///
/// Mirrors begin with a bit that no contact id has, so that the pairs are one range, and the mirrors
/// of a contact another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConflictKey {
    smaller: ContactId,
    larger: ContactId,
    is_mirror: bool,
}

const MIRROR: u128 = 1 << 127;
const WRONG_KEY: Failure = Failure::Corrupt("a key that is none of its table");

impl ConflictKey {
    /// The key of two contacts. `None` when they are the same.
    pub(in crate::storage) fn of(one: ContactId, other: ContactId) -> Option<Self> {
        (one != other).then(|| ConflictKey {
            smaller: one.min(other),
            larger: one.max(other),
            is_mirror: false,
        })
    }

    /// The smaller id and the larger.
    pub(in crate::storage) fn contacts(self) -> (ContactId, ContactId) {
        (self.smaller, self.larger)
    }

    /// The mirror of a pair, and the pair of a mirror.
    pub(in crate::storage) fn mirror(self) -> Self {
        ConflictKey {
            is_mirror: !self.is_mirror,
            ..self
        }
    }

    /// The first and the last key of a pair in which `contact` is the smaller.
    pub(in crate::storage) fn pairs_of(contact: ContactId) -> (Key, Key) {
        Self::span(u128::from(contact.value()) << 64)
    }

    /// The first and the last key of the mirror of a pair in which `contact` is the larger.
    pub(in crate::storage) fn mirrors_of(contact: ContactId) -> (Key, Key) {
        Self::span(MIRROR | u128::from(contact.value()) << 64)
    }

    fn span(first: u128) -> (Key, Key) {
        let last = first | u128::from(u64::MAX);
        (Key::Wide(first), Key::Wide(last))
    }

    /// The first key that the pair after this one could have, and the last of all pairs.
    pub(in crate::storage) fn pairs_after(pair: Option<(ContactId, ContactId)>) -> (Key, Key) {
        let first = pair.map_or(0, |(first, second)| wide(first, second).saturating_add(1));
        (Key::Wide(first), Key::Wide(MIRROR - 1))
    }
}

fn wide(first: ContactId, second: ContactId) -> u128 {
    u128::from(first.value()) << 64 | u128::from(second.value())
}

impl RowKey for ConflictKey {
    fn to_key(&self) -> Key {
        Key::Wide(if self.is_mirror {
            MIRROR | wide(self.larger, self.smaller)
        } else {
            wide(self.smaller, self.larger)
        })
    }

    fn from_key(key: &Key) -> Result<Self, Failure> {
        let Key::Wide(key) = key else {
            return Err(WRONG_KEY);
        };
        let id = |half: u128| {
            let id = u64::try_from(half).map_err(|_| WRONG_KEY)?;
            ContactId::new(id).map_err(|_| WRONG_KEY)
        };
        let is_mirror = key & MIRROR != 0;
        let first = id((key & !MIRROR) >> 64)?;
        let second = id(key & u128::from(u64::MAX))?;
        if is_mirror == (first < second) || first == second {
            return Err(WRONG_KEY);
        }
        Ok(ConflictKey {
            smaller: first.min(second),
            larger: first.max(second),
            is_mirror,
        })
    }
}

/// A pair of contacts that requests named as one, or its mirror.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConflictRow {
    Pair(Conflict),
    /// It only leads to the pair.
    Mirror,
}

impl Row for ConflictRow {
    const TABLE: Table = Table::Conflicts;
    type Key = ConflictKey;

    fn format(&self) -> u32 {
        FORMAT_3
    }

    fn encode(&self, to: &mut Payload<'_>) -> Result<(), Failure> {
        let ConflictRow::Pair(conflict) = self else {
            return Ok(());
        };
        let [smaller, larger] = conflict.contacts.map(|side| bits(side.named_by));
        to.push((
            conflict.first_at.as_millis(),
            conflict.last_at.as_millis(),
            conflict.count,
        ))?;
        to.push((smaller, larger))
    }

    fn decode(key: &ConflictKey, mut payload: &[u8]) -> Result<Self, Failure> {
        if key.is_mirror {
            ended(payload)?;
            return Ok(ConflictRow::Mirror);
        }
        let (first_at, last_at, count): (u64, u64, u64) = take(&mut payload)?;
        let (smaller, larger): (u8, u8) = take(&mut payload)?;
        ended(payload)?;
        let side = |contact, named_by| -> Result<InConflict, Failure> {
            Ok(InConflict {
                contact,
                named_by: kinds(named_by)?,
            })
        };
        Ok(ConflictRow::Pair(Conflict {
            contacts: [side(key.smaller, smaller)?, side(key.larger, larger)?],
            count,
            first_at: Timestamp::from_millis(first_at),
            last_at: Timestamp::from_millis(last_at),
        }))
    }
}
