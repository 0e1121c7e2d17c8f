//! The identifiers that a request gives, before they are parsed.
//!
//! This module does not know what happens to an invalid identifier: the operation decides (R13).

use std::fmt;

use crate::{
    model::fault::FieldError,
    model::identifier::{
        ContactId, Email, ExternalCustomerId, IdentifierKind, Identifiers, KindSet, Phone,
    },
    model::text,
};

/// The identifiers that a request gives, not yet checked or canonical.
///
/// Text that is empty or only white space counts as not given ([R1](crate::rulebook#r1)). `Debug`
/// shows only which kinds are given ([R52](crate::rulebook#r52)).
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let given = GivenIdentifiers::new().phone("+38 (050) 000-00-01").email(" ");
/// let identifiers = given.parse()?;
/// assert_eq!(identifiers.phone().map(Phone::digits), Some("380500000001".to_owned()));
/// assert_eq!(identifiers.email(), None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct GivenIdentifiers {
    contact_id: Option<i128>,
    external_customer_id: Option<String>,
    phone: Option<String>,
    email: Option<String>,
}

impl GivenIdentifiers {
    /// Makes a set with nothing given.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the contact id, to any integer. [`parse`](Self::parse) refuses one out of range.
    #[must_use]
    pub fn contact_id(mut self, id: impl Into<i128>) -> Self {
        self.contact_id = Some(id.into());
        self
    }

    /// Sets the external customer id.
    #[must_use]
    pub fn external_customer_id(mut self, id: impl Into<String>) -> Self {
        self.external_customer_id = Some(id.into());
        self
    }

    /// Sets the phone, in any form that [`Phone::parse`] reads.
    #[must_use]
    pub fn phone(mut self, phone: impl Into<String>) -> Self {
        self.phone = Some(phone.into());
        self
    }

    /// Sets the email, in any form that [`Email::parse`] reads.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// Returns the kinds that are given, valid or not ([R1](crate::rulebook#r1)).
    #[must_use]
    pub fn kinds(&self) -> KindSet {
        let given = |kind: &IdentifierKind| match kind {
            IdentifierKind::ContactId => self.contact_id.is_some(),
            IdentifierKind::ExternalCustomerId => not_blank(&self.external_customer_id).is_some(),
            IdentifierKind::Phone => not_blank(&self.phone).is_some(),
            IdentifierKind::Email => not_blank(&self.email).is_some(),
        };
        IdentifierKind::ALL.iter().copied().filter(given).collect()
    }

    /// Returns the given identifiers in canonical form. There may be none.
    ///
    /// # Errors
    ///
    /// The error of the first invalid identifier in order of priority: see [`ContactId::parse`],
    /// [`ExternalCustomerId::parse`], [`Phone::parse`] and [`Email::parse`].
    pub fn parse(&self) -> Result<Identifiers, FieldError> {
        let external_customer_id = self.external_customer_id.as_deref();
        Ok(Identifiers {
            contact_id: self.contact_id.map(ContactId::try_from).transpose()?,
            external_customer_id: parsed(external_customer_id, ExternalCustomerId::take)?,
            phone: parsed(self.phone.as_deref(), Phone::parse)?,
            email: parsed(self.email.as_deref(), Email::take)?,
        })
    }

    /// Parses the identifier of one kind into `identifiers`, or clears that kind if none is given.
    /// If it is invalid, `identifiers` stays unchanged.
    pub(crate) fn take_kind(
        &mut self,
        kind: IdentifierKind,
        identifiers: &mut Identifiers,
    ) -> Result<(), FieldError> {
        match kind {
            IdentifierKind::ContactId => {
                identifiers.contact_id = self.contact_id.map(ContactId::try_from).transpose()?;
            }
            IdentifierKind::ExternalCustomerId => {
                let text = self.external_customer_id.take();
                identifiers.external_customer_id = parsed(text, ExternalCustomerId::take)?;
            }
            IdentifierKind::Phone => {
                identifiers.phone = parsed(self.phone.as_deref(), Phone::parse)?;
            }
            IdentifierKind::Email => {
                identifiers.email = parsed(self.email.take(), Email::take)?;
            }
        }
        Ok(())
    }

    /// The contact id, and the texts of the other kinds in order of priority, as they were given.
    pub(crate) fn parts(&self) -> (Option<i128>, [Option<&str>; 3]) {
        let GivenIdentifiers {
            contact_id,
            external_customer_id,
            phone,
            email,
        } = self;
        let texts = [external_customer_id, phone, email];
        (*contact_id, texts.map(Option::as_deref))
    }

    /// The bytes of text held, including blank text, which a waiting request takes up.
    pub(crate) fn text_len(&self) -> usize {
        [&self.external_customer_id, &self.phone, &self.email]
            .into_iter()
            .flatten()
            .fold(0, |sum, text| sum.saturating_add(text.len()))
    }
}

fn not_blank(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text::is_blank(text))
}

/// Parses an identifier, if it is given (R1).
fn parsed<S: AsRef<str>, T>(
    text: Option<S>,
    parse: impl FnOnce(S) -> Result<T, FieldError>,
) -> Result<Option<T>, FieldError> {
    let given = text.filter(|text| !text::is_blank(text.as_ref()));
    given.map(parse).transpose()
}

/// Checked identifiers stay the same: parsing a canonical form gives it back
/// ([R7](crate::rulebook#r7)).
impl From<Identifiers> for GivenIdentifiers {
    fn from(identifiers: Identifiers) -> Self {
        GivenIdentifiers {
            contact_id: identifiers.contact_id.map(Into::into),
            external_customer_id: identifiers
                .external_customer_id
                .map(ExternalCustomerId::into_string),
            phone: identifiers.phone.map(Phone::digits),
            email: identifiers.email.map(Email::into_string),
        }
    }
}

// Not derived: personal data, and `Debug` output ends up in logs.
impl fmt::Debug for GivenIdentifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GivenIdentifiers")
            .field(&self.kinds())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::GivenIdentifiers;
    use crate::{
        model::fault::{Fault, Field, FieldError},
        model::identifier::{
            ContactId, Email, ExternalCustomerId, IdentifierKind, Identifiers, KindSet, Phone,
        },
    };

    /// Parses `given` as the option `Ignore` of R13 does.
    fn parse_leniently(given: &GivenIdentifiers) -> (Identifiers, Vec<FieldError>) {
        let mut valid = Identifiers::new();
        let mut given = given.clone();
        let each = |kind| given.take_kind(kind, &mut valid).err();
        let faults = IdentifierKind::ALL
            .iter()
            .copied()
            .filter_map(each)
            .collect();
        (valid, faults)
    }

    #[test]
    fn r7_checked_identifiers_stay_the_same() -> Result<(), FieldError> {
        let checked = Identifiers::new()
            .with_contact_id(ContactId::new(7)?)
            .with_external_customer_id(ExternalCustomerId::parse(" Crm-1")?)
            .with_phone(Phone::parse("380501234567")?)
            .with_email(Email::parse("Ann@example.com")?);
        for kinds in [
            KindSet::EMPTY,
            KindSet::from(IdentifierKind::Email),
            checked.kinds(),
        ] {
            let some = checked.clone().without(kinds);
            assert_eq!(GivenIdentifiers::from(some.clone()).parse(), Ok(some));
        }
        Ok(())
    }

    #[test]
    fn all_four_are_parsed_to_their_canonical_form() -> Result<(), FieldError> {
        let given = GivenIdentifiers::new()
            .contact_id(7_u64)
            .external_customer_id(" Crm-1")
            .phone("+38 (050) 123-45-67")
            .email(" Ann@Example.com. ");
        let expected = Identifiers::new()
            .with_contact_id(ContactId::new(7)?)
            .with_external_customer_id(ExternalCustomerId::parse(" Crm-1")?)
            .with_phone(Phone::parse("380501234567")?)
            .with_email(Email::parse("ann@example.com")?);
        assert_eq!(given.parse(), Ok(expected.clone()));
        assert_eq!(parse_leniently(&given), (expected, Vec::new()));
        assert_eq!(
            given.kinds(),
            KindSet::from_iter(IdentifierKind::ALL.iter().copied())
        );
        Ok(())
    }

    #[test]
    fn r1_blank_counts_as_not_given() {
        for blank in ["", " ", "\t\r\n", "\u{A0}\u{2028}\u{3000}"] {
            let given = GivenIdentifiers::new()
                .external_customer_id(blank)
                .phone(blank)
                .email(blank);
            assert_eq!(given.parse(), Ok(Identifiers::new()));
            assert_eq!(parse_leniently(&given), (Identifiers::new(), Vec::new()));
            assert_eq!(given.kinds(), KindSet::EMPTY);
        }
        assert_eq!(GivenIdentifiers::new().parse(), Ok(Identifiers::new()));
    }

    #[test]
    fn r1_invisible_characters_are_not_blank() {
        for (given, field, fault) in [
            (
                GivenIdentifiers::new().external_customer_id("\u{200B}"),
                Field::ExternalCustomerId,
                Fault::ForbiddenCharacter,
            ),
            (
                GivenIdentifiers::new().phone("\u{200E}"),
                Field::Phone,
                Fault::DigitCount { digits: 0 },
            ),
            (
                GivenIdentifiers::new().email("\u{FEFF}"),
                Field::Email,
                Fault::NoAtSign,
            ),
            (
                GivenIdentifiers::new().contact_id(0),
                Field::ContactId,
                Fault::ContactIdOutOfRange,
            ),
        ] {
            assert_eq!(given.parse(), Err(FieldError::new(field, fault)));
        }
    }

    #[test]
    fn r13_faults_come_in_order_of_priority() {
        let errors = [
            FieldError::new(Field::ContactId, Fault::ContactIdOutOfRange),
            FieldError::new(Field::ExternalCustomerId, Fault::ForbiddenCharacter),
            FieldError::new(Field::Phone, Fault::LeadingZero),
            FieldError::new(Field::Email, Fault::NoAtSign),
        ];
        // Every choice of which of the four are invalid; the others are valid or not given.
        for bits in 0..16_u8 {
            for rest_given in [false, true] {
                let mut given = GivenIdentifiers::new();
                let bad = |place: u8| bits >> place & 1 == 1;
                if bad(0) || rest_given {
                    given = given.contact_id(if bad(0) { -7 } else { 7 });
                }
                if bad(1) || rest_given {
                    given = given.external_customer_id(if bad(1) { "a\0" } else { "a" });
                }
                if bad(2) || rest_given {
                    given = given.phone(if bad(2) { "0501234567" } else { "380501234567" });
                }
                if bad(3) || rest_given {
                    given = given.email(if bad(3) { "ann" } else { "ann@x.com" });
                }
                let expected: Vec<FieldError> = (0..4)
                    .zip(&errors)
                    .filter(|(place, _)| bad(*place))
                    .map(|(_, error)| error.clone())
                    .collect();
                let (valid, faults) = parse_leniently(&given);
                assert_eq!(faults, expected);
                let left = (0..4)
                    .zip(IdentifierKind::ALL.iter().copied())
                    .filter(|(place, _)| rest_given && !bad(*place));
                assert_eq!(valid.kinds(), left.map(|(_, kind)| kind).collect());
                assert_eq!(
                    given.parse(),
                    expected.first().cloned().map_or(Ok(valid), Err)
                );
            }
        }
    }

    #[test]
    fn text_is_counted_in_bytes_as_it_came() {
        assert_eq!(GivenIdentifiers::new().contact_id(7).text_len(), 0);
        let given = GivenIdentifiers::new()
            .external_customer_id("ї")
            .phone(" +1 ")
            .email("  ");
        assert_eq!(given.text_len(), 2 + 4 + 2);
    }

    #[test]
    fn r52_debug_shows_only_which_kinds_are_given() {
        let given = GivenIdentifiers::new()
            .contact_id(7)
            .phone("secret")
            .email(" ");
        assert_eq!(format!("{given:?}"), "GivenIdentifiers([ContactId, Phone])");
    }
}
