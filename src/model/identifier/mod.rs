//! Identifiers: values that name at most one contact, in canonical form.
//!
//! Text becomes one of these types once, at the edge. After that, equality is equality of bytes.
//! The canonical form never changes without a migration, and parsing a canonical form gives it back
//! (R7). This module does not know contacts, tokens, stores or JSON.

mod contact_id;
mod email;
mod external_customer_id;
mod given;
mod phone;
mod set;

use std::fmt;

pub use contact_id::ContactId;
pub use email::Email;
pub use external_customer_id::ExternalCustomerId;
pub use given::GivenIdentifiers;
pub use phone::Phone;
#[cfg(feature = "transfer")]
pub(crate) use phone::{in_ascii, is_dropped};
pub use set::Identifiers;

use crate::model::fault::{Fault, Field, FieldError};

/// The version of the canonical forms, written into every file (R7). A change to a canonical form
/// changes this number, and needs a migration of older files.
///
/// Version 2 takes phones that version 1 refused, and refuses some phones, emails and placeholders
/// that version 1 took. Text that both take has the same form in both. So values stored under
/// version 1 stay in place: they are found by contact id and by whatever still parses, and are
/// removed and erased like any other.
pub(crate) const CANONICAL_VERSION: u32 = 2;

/// A kind of identifier. Kinds are ordered by priority, highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum IdentifierKind {
    /// The contact's own id ([R2](crate::rulebook#r2)).
    ContactId,
    /// The host's id of the person ([R3](crate::rulebook#r3)).
    ExternalCustomerId,
    /// A phone number ([R4](crate::rulebook#r4)).
    Phone,
    /// An email address ([R5](crate::rulebook#r5)).
    Email,
}

impl IdentifierKind {
    /// Every kind, in order of priority.
    pub const ALL: &'static [Self] = &[
        Self::ContactId,
        Self::ExternalCustomerId,
        Self::Phone,
        Self::Email,
    ];

    /// Returns the name of the kind in the published JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.field().as_str()
    }

    /// Reads the published name.
    ///
    /// # Errors
    ///
    /// [`Fault::NotOneOf`], with the field `kind`, when it is not one of the four.
    pub fn parse(name: &str) -> Result<Self, FieldError> {
        const NO_KIND: Fault = Fault::NotOneOf {
            expected: "contactId, externalCustomerId, phone or email",
        };
        let mut named = Self::ALL
            .iter()
            .copied()
            .filter(|kind| kind.as_str() == name);
        named
            .next()
            .ok_or(FieldError::new(Field::IdentifierKind, NO_KIND))
    }

    const fn field(self) -> Field {
        match self {
            Self::ContactId => Field::ContactId,
            Self::ExternalCustomerId => Field::ExternalCustomerId,
            Self::Phone => Field::Phone,
            Self::Email => Field::Email,
        }
    }
}

impl fmt::Display for IdentifierKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<IdentifierKind> for Field {
    fn from(kind: IdentifierKind) -> Self {
        kind.field()
    }
}

/// A set of kinds of identifiers, such as the kinds that an outcome reports as skipped or ignored.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct KindSet(
    // One bit for each kind, by its place in the order of priority.
    u8,
);

impl KindSet {
    /// No kind.
    pub const EMPTY: Self = Self(0);

    const fn bit(kind: IdentifierKind) -> u8 {
        match kind {
            IdentifierKind::ContactId => 1,
            IdentifierKind::ExternalCustomerId => 2,
            IdentifierKind::Phone => 4,
            IdentifierKind::Email => 8,
        }
    }

    /// Adds `kind`.
    pub const fn insert(&mut self, kind: IdentifierKind) {
        self.0 |= Self::bit(kind);
    }

    /// Whether `kind` is in the set.
    #[must_use]
    pub const fn contains(self, kind: IdentifierKind) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the kinds in the set, in order of priority.
    pub fn iter(self) -> impl Iterator<Item = IdentifierKind> {
        IdentifierKind::ALL
            .iter()
            .copied()
            .filter(move |kind| self.contains(*kind))
    }
}

impl From<IdentifierKind> for KindSet {
    fn from(kind: IdentifierKind) -> Self {
        Self(Self::bit(kind))
    }
}

impl FromIterator<IdentifierKind> for KindSet {
    fn from_iter<I: IntoIterator<Item = IdentifierKind>>(kinds: I) -> Self {
        let mut set = Self::EMPTY;
        kinds.into_iter().for_each(|kind| set.insert(kind));
        set
    }
}

impl fmt::Debug for KindSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{IdentifierKind, KindSet};
    use crate::model::fault::Field;

    #[test]
    fn kinds_are_ordered_by_priority_and_have_their_published_names() {
        let named = [
            (IdentifierKind::ContactId, "contactId", Field::ContactId),
            (
                IdentifierKind::ExternalCustomerId,
                "externalCustomerId",
                Field::ExternalCustomerId,
            ),
            (IdentifierKind::Phone, "phone", Field::Phone),
            (IdentifierKind::Email, "email", Field::Email),
        ];
        assert!(IdentifierKind::ALL.is_sorted_by(|a, b| a < b));
        assert_eq!(named.map(|(kind, ..)| kind), IdentifierKind::ALL);
        for (kind, name, field) in named {
            assert_eq!(kind.as_str(), name);
            assert_eq!(kind.to_string(), name);
            assert_eq!(Field::from(kind), field);
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in_by_priority() {
        for bits in 0..16_u8 {
            let kinds: Vec<IdentifierKind> = IdentifierKind::ALL
                .iter()
                .copied()
                .enumerate()
                .filter(|(place, _)| bits >> place & 1 == 1)
                .map(|(_, kind)| kind)
                .collect();
            let set: KindSet = kinds.iter().rev().copied().collect();
            assert_eq!(set.iter().collect::<Vec<_>>(), kinds);
            assert_eq!(set.is_empty(), kinds.is_empty());
            for kind in IdentifierKind::ALL.iter().copied() {
                assert_eq!(set.contains(kind), kinds.contains(&kind));
            }
            assert_eq!(format!("{set:?}"), format!("{kinds:?}"));
        }
    }

    #[test]
    fn a_kind_inserted_twice_is_in_the_set_once() {
        let mut set = KindSet::default();
        assert_eq!(set, KindSet::EMPTY);
        set.insert(IdentifierKind::Email);
        set.insert(IdentifierKind::Email);
        assert_eq!(set, KindSet::from(IdentifierKind::Email));
    }
}
