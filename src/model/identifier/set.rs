//! A set of identifiers of one contact: canonical, at most one of each kind.
//!
//! This module does not know which contact that is.

use std::fmt;

use crate::model::identifier::{
    ContactId, Email, ExternalCustomerId, IdentifierKind, KindSet, Phone,
};

/// Identifiers in canonical form, at most one of each kind.
///
/// `Debug` shows only whether there is a contact id, which may be a phone in the wrong place, and
/// the lengths of the others ([R52](crate::rulebook#r52)).
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Identifiers {
    pub(super) contact_id: Option<ContactId>,
    pub(super) external_customer_id: Option<ExternalCustomerId>,
    pub(super) phone: Option<Phone>,
    pub(super) email: Option<Email>,
}

impl Identifiers {
    /// Makes an empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the contact id, replacing any before.
    #[must_use]
    pub fn with_contact_id(mut self, id: ContactId) -> Self {
        self.contact_id = Some(id);
        self
    }

    /// Sets the external customer id, replacing any before.
    #[must_use]
    pub fn with_external_customer_id(mut self, id: ExternalCustomerId) -> Self {
        self.external_customer_id = Some(id);
        self
    }

    /// Sets the phone, replacing any before.
    #[must_use]
    pub fn with_phone(mut self, phone: Phone) -> Self {
        self.phone = Some(phone);
        self
    }

    /// Sets the email, replacing any before.
    #[must_use]
    pub fn with_email(mut self, email: Email) -> Self {
        self.email = Some(email);
        self
    }

    /// Removes the identifiers of the kinds in `kinds`.
    #[must_use]
    pub(crate) fn without(mut self, kinds: KindSet) -> Self {
        for kind in kinds.iter() {
            match kind {
                IdentifierKind::ContactId => self.contact_id = None,
                IdentifierKind::ExternalCustomerId => self.external_customer_id = None,
                IdentifierKind::Phone => self.phone = None,
                IdentifierKind::Email => self.email = None,
            }
        }
        self
    }

    /// Sets the identifier of this kind to the one in `other`, if there is one.
    pub(crate) fn copy(&mut self, kind: IdentifierKind, other: &Identifiers) {
        match kind {
            IdentifierKind::ContactId => self.contact_id = other.contact_id.or(self.contact_id),
            IdentifierKind::ExternalCustomerId => {
                if let Some(id) = &other.external_customer_id {
                    self.external_customer_id = Some(id.clone());
                }
            }
            IdentifierKind::Phone => self.phone = other.phone.or(self.phone),
            IdentifierKind::Email => {
                if let Some(email) = &other.email {
                    self.email = Some(email.clone());
                }
            }
        }
    }

    /// Removes the identifier of this kind.
    pub(crate) fn remove(&mut self, kind: IdentifierKind) {
        *self = std::mem::take(self).without(kind.into());
    }

    /// Returns the contact id, if there is one.
    #[must_use]
    pub const fn contact_id(&self) -> Option<ContactId> {
        self.contact_id
    }

    /// Returns the external customer id, if there is one.
    #[must_use]
    pub const fn external_customer_id(&self) -> Option<&ExternalCustomerId> {
        self.external_customer_id.as_ref()
    }

    /// Returns the phone, if there is one.
    #[must_use]
    pub const fn phone(&self) -> Option<Phone> {
        self.phone
    }

    /// Returns the email, if there is one.
    #[must_use]
    pub const fn email(&self) -> Option<&Email> {
        self.email.as_ref()
    }

    pub(crate) const fn contact_id_mut(&mut self) -> &mut Option<ContactId> {
        &mut self.contact_id
    }

    pub(crate) const fn external_customer_id_mut(&mut self) -> &mut Option<ExternalCustomerId> {
        &mut self.external_customer_id
    }

    pub(crate) const fn phone_mut(&mut self) -> &mut Option<Phone> {
        &mut self.phone
    }

    pub(crate) const fn email_mut(&mut self) -> &mut Option<Email> {
        &mut self.email
    }

    /// Returns the kinds that are in the set.
    #[must_use]
    pub fn kinds(&self) -> KindSet {
        let held = |kind: &IdentifierKind| match kind {
            IdentifierKind::ContactId => self.contact_id.is_some(),
            IdentifierKind::ExternalCustomerId => self.external_customer_id.is_some(),
            IdentifierKind::Phone => self.phone.is_some(),
            IdentifierKind::Email => self.email.is_some(),
        };
        IdentifierKind::ALL.iter().copied().filter(held).collect()
    }

    /// Whether both have the same identifier of this kind.
    pub(crate) fn share(&self, kind: IdentifierKind, other: &Identifiers) -> bool {
        fn same<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
            one.is_some() && one == other
        }
        match kind {
            IdentifierKind::ContactId => same(self.contact_id.as_ref(), other.contact_id.as_ref()),
            IdentifierKind::ExternalCustomerId => same(
                self.external_customer_id.as_ref(),
                other.external_customer_id.as_ref(),
            ),
            IdentifierKind::Phone => same(self.phone.as_ref(), other.phone.as_ref()),
            IdentifierKind::Email => same(self.email.as_ref(), other.email.as_ref()),
        }
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contact_id.is_none()
            && self.external_customer_id.is_none()
            && self.phone.is_none()
            && self.email.is_none()
    }

    /// The bytes of text that count against the limits. A phone counts its digits, a contact id
    /// nothing.
    pub(crate) fn text_len(&self) -> usize {
        let external = self
            .external_customer_id()
            .map_or(0, |id| id.as_str().len());
        let phone = self.phone.map_or(0, Phone::digit_count);
        let email = self.email().map_or(0, |email| email.as_str().len());
        external.saturating_add(phone).saturating_add(email)
    }
}

impl fmt::Debug for Identifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identifiers")
            .field("contact_id", &self.contact_id.map(|_| Masked))
            .field("external_customer_id", &self.external_customer_id)
            .field("phone", &self.phone)
            .field("email", &self.email)
            .finish()
    }
}

struct Masked;

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<a number>")
    }
}

#[cfg(test)]
mod tests {
    use super::Identifiers;
    use crate::{
        model::fault::FieldError,
        model::identifier::{ContactId, Email, ExternalCustomerId, IdentifierKind, KindSet, Phone},
    };

    fn all() -> Result<Identifiers, FieldError> {
        Ok(Identifiers::new()
            .with_contact_id(ContactId::new(7)?)
            .with_external_customer_id(ExternalCustomerId::parse("crm-1")?)
            .with_phone(Phone::parse("+380501234567")?)
            .with_email(Email::parse("ann@example.com")?))
    }

    #[test]
    fn a_set_gives_back_what_was_put_in() -> Result<(), FieldError> {
        let all = all()?;
        assert_eq!(all.contact_id(), Some(ContactId::new(7)?));
        assert_eq!(
            all.external_customer_id().map(ExternalCustomerId::as_str),
            Some("crm-1")
        );
        assert_eq!(all.phone().map(Phone::as_u64), Some(380_501_234_567));
        assert_eq!(all.email().map(Email::as_str), Some("ann@example.com"));
        assert_eq!(
            all.kinds(),
            KindSet::from_iter(IdentifierKind::ALL.iter().copied())
        );
        assert!(!all.is_empty());
        assert!(Identifiers::new().is_empty());
        assert_eq!(Identifiers::new().kinds(), KindSet::EMPTY);
        Ok(())
    }

    #[test]
    fn a_second_identifier_of_a_kind_replaces_the_first() -> Result<(), FieldError> {
        let twice = all()?
            .with_phone(Phone::parse("1234567")?)
            .with_contact_id(ContactId::new(8)?);
        assert_eq!(twice.phone().map(Phone::as_u64), Some(1_234_567));
        assert_eq!(twice.contact_id().map(ContactId::value), Some(8));
        Ok(())
    }

    #[test]
    fn a_set_with_any_identifier_is_not_empty() -> Result<(), FieldError> {
        assert!(Identifiers::new().is_empty());
        for kind in IdentifierKind::ALL.iter().copied() {
            let others = IdentifierKind::ALL.iter().copied();
            let others = others.filter(|other| *other != kind).collect();
            let alone = all()?.without(others);
            assert!(!alone.is_empty(), "{kind}");
            assert!(alone.without(kind.into()).is_empty());
        }
        Ok(())
    }

    #[test]
    fn without_takes_away_those_kinds_and_no_other() -> Result<(), FieldError> {
        let all = all()?;
        for kind in IdentifierKind::ALL.iter().copied() {
            let left = IdentifierKind::ALL
                .iter()
                .copied()
                .filter(|other| *other != kind);
            assert_eq!(all.clone().without(kind.into()).kinds(), left.collect());
        }
        assert_eq!(all.clone().without(KindSet::EMPTY), all);
        assert_eq!(all.clone().without(all.kinds()), Identifiers::new());
        Ok(())
    }

    #[test]
    fn text_is_counted_in_bytes_and_a_phone_by_its_digits() -> Result<(), FieldError> {
        let all = all()?;
        assert_eq!(all.text_len(), 5 + 12 + 15);
        assert_eq!(
            Identifiers::new()
                .with_contact_id(ContactId::new(7)?)
                .text_len(),
            0
        );
        Ok(())
    }

    #[test]
    fn r52_debug_shows_no_personal_data() -> Result<(), FieldError> {
        assert_eq!(
            format!("{:?}", all()?),
            "Identifiers { contact_id: Some(<a number>), \
             external_customer_id: Some(ExternalCustomerId(<5 bytes>)), \
             phone: Some(Phone(<12 digits>)), email: Some(Email(<15 bytes>)) }"
        );
        Ok(())
    }
}
