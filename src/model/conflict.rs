//! Conflicts: two contacts that requests named as if they were one.
//!
//! This module does not know which requests leave one.

use crate::model::identifier::{ContactId, KindSet};
use crate::model::time::Timestamp;

/// Two contacts that requests named as if they were one ([R61](crate::rulebook#r61)).
///
/// It has ids, kinds and times alone, and no identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// The two contacts, the smaller id first.
    pub contacts: [InConflict; 2],
    /// How many entries and items named both.
    pub count: u64,
    /// The earliest time of a request that named both.
    pub first_at: Timestamp,
    /// The latest time of one.
    pub last_at: Timestamp,
}

/// One of the two contacts of a [`Conflict`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InConflict {
    /// The contact.
    pub contact: ContactId,
    /// The kinds of the identifiers that named it.
    pub named_by: KindSet,
}

impl Conflict {
    /// The ids of the two contacts: the `after` of the page that begins after this conflict.
    #[must_use]
    pub const fn pair(&self) -> (ContactId, ContactId) {
        let [smaller, larger] = self.contacts;
        (smaller.contact, larger.contact)
    }

    /// A conflict between two contacts that one request named.
    pub(crate) fn once(one: InConflict, other: InConflict, at: Timestamp) -> Self {
        let contacts = if one.contact < other.contact {
            [one, other]
        } else {
            [other, one]
        };
        Conflict {
            contacts,
            count: 1,
            first_at: at,
            last_at: at,
        }
    }

    /// This conflict with what another one between the same contacts adds to it.
    pub(crate) fn joined(mut self, other: &Conflict) -> Self {
        for (side, added) in self.contacts.iter_mut().zip(&other.contacts) {
            side.named_by = side.named_by.iter().chain(added.named_by.iter()).collect();
        }
        self.count = self.count.saturating_add(other.count);
        self.first_at = self.first_at.min(other.first_at);
        self.last_at = self.last_at.max(other.last_at);
        self
    }

    /// This conflict with one of its contacts in the place of another. `None` when both would be the
    /// same.
    pub(crate) fn moved(&self, from: ContactId, into: ContactId) -> Option<Self> {
        let [one, other] = self.contacts.map(|side| InConflict {
            contact: if side.contact == from {
                into
            } else {
                side.contact
            },
            ..side
        });
        let moved = Conflict::once(one, other, self.first_at);
        (one.contact != other.contact).then_some(Conflict {
            contacts: moved.contacts,
            ..*self
        })
    }
}
