//! Fields: what a host keeps on a card besides identifiers and tokens (R43).
//!
//! This module does not know how fields are changed or stored.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::limits::{FIELD_NAME_BYTES, FIELD_VALUE_BYTES};
use crate::model::fault::{Fault, Field, FieldError};
use crate::model::text;

/// The fields of a contact ([R43](crate::rulebook#r43)): the host's own text, which no rule
/// interprets.
///
/// `Debug` shows only lengths and the number of custom fields ([R52](crate::rulebook#r52)).
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContactFields {
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Language, such as `uk` or `en-GB`. It is not checked against any list.
    pub language_code: Option<String>,
    /// Time zone, such as `Europe/Kyiv` or `+02:00`. It is not checked against any list.
    pub time_zone: Option<String>,
    /// Custom fields of the host, by name.
    pub custom: BTreeMap<String, String>,
}

impl ContactFields {
    /// The bytes of text that count against the limits: values, and the names of custom fields.
    pub(crate) fn text_len(&self) -> usize {
        let named = [
            &self.first_name,
            &self.last_name,
            &self.language_code,
            &self.time_zone,
        ];
        let custom = self.custom.iter().flat_map(|(name, value)| [name, value]);
        named
            .into_iter()
            .flatten()
            .chain(custom)
            .map(String::len)
            .fold(0, usize::saturating_add)
    }
}

impl ContactFields {
    /// How many fields have a value.
    pub(crate) fn count(&self) -> usize {
        let named = [
            &self.first_name,
            &self.last_name,
            &self.language_code,
            &self.time_zone,
        ];
        let named = named.into_iter().flatten().count();
        named.saturating_add(self.custom.len())
    }

    /// Each field that has a value, with it.
    pub(crate) fn named(&self) -> impl Iterator<Item = (FieldName<'_>, &str)> {
        let named = [
            (FieldName::FirstName, &self.first_name),
            (FieldName::LastName, &self.last_name),
            (FieldName::LanguageCode, &self.language_code),
            (FieldName::TimeZone, &self.time_zone),
        ];
        let named = named
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let custom = self.custom.iter();
        named.chain(custom.map(|(name, value)| (FieldName::Custom(name), value.as_str())))
    }

    /// The value of a field.
    pub(crate) fn value(&self, name: FieldName<'_>) -> Option<&str> {
        match name {
            FieldName::FirstName => self.first_name.as_deref(),
            FieldName::LastName => self.last_name.as_deref(),
            FieldName::LanguageCode => self.language_code.as_deref(),
            FieldName::TimeZone => self.time_zone.as_deref(),
            FieldName::Custom(name) => self.custom.get(name).map(String::as_str),
        }
    }

    /// Sets or removes the value of a field.
    pub(crate) fn put(&mut self, name: FieldName<'_>, value: Option<&str>) {
        let value = value.map(str::to_owned);
        match (name, value) {
            (FieldName::FirstName, value) => self.first_name = value,
            (FieldName::LastName, value) => self.last_name = value,
            (FieldName::LanguageCode, value) => self.language_code = value,
            (FieldName::TimeZone, value) => self.time_zone = value,
            (FieldName::Custom(name), Some(value)) => {
                self.custom.insert(name.to_owned(), value);
            }
            (FieldName::Custom(name), None) => {
                self.custom.remove(name);
            }
        }
    }
}

/// Which field it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldName<'a> {
    FirstName,
    LastName,
    LanguageCode,
    TimeZone,
    Custom(&'a str),
}

/// The names of some fields of a contact ([R43](crate::rulebook#r43)).
///
/// `Debug` shows only the number of custom fields ([R52](crate::rulebook#r52)).
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldNames {
    /// Whether the first name is among them.
    pub first_name: bool,
    /// Whether the last name is among them.
    pub last_name: bool,
    /// Whether the language is among them.
    pub language_code: bool,
    /// Whether the time zone is among them.
    pub time_zone: bool,
    /// The names of custom fields.
    pub custom: BTreeSet<String>,
}

impl FieldNames {
    /// Whether no field is among them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == FieldNames::default()
    }

    /// The names of the fields that have a value.
    pub(crate) fn of(fields: &ContactFields) -> Self {
        let mut names = FieldNames::default();
        for (name, _) in fields.named() {
            names.insert(name);
        }
        names
    }

    pub(crate) fn insert(&mut self, name: FieldName<'_>) {
        match name {
            FieldName::FirstName => self.first_name = true,
            FieldName::LastName => self.last_name = true,
            FieldName::LanguageCode => self.language_code = true,
            FieldName::TimeZone => self.time_zone = true,
            FieldName::Custom(name) => {
                self.custom.insert(name.to_owned());
            }
        }
    }
}

// The host chose the names of custom fields, and some programs put values there.
impl fmt::Debug for FieldNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldNames")
            .field("first_name", &self.first_name)
            .field("last_name", &self.last_name)
            .field("language_code", &self.language_code)
            .field("time_zone", &self.time_zone)
            .field("custom_fields", &self.custom.len())
            .finish()
    }
}

// Personal data, and `Debug` output ends up in logs.
impl fmt::Debug for ContactFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |value: &Option<String>| value.as_ref().map(String::len);
        f.debug_struct("ContactFields")
            .field("first_name_bytes", &bytes(&self.first_name))
            .field("last_name_bytes", &bytes(&self.last_name))
            .field("language_code_bytes", &bytes(&self.language_code))
            .field("time_zone_bytes", &bytes(&self.time_zone))
            .field("custom_fields", &self.custom.len())
            .finish()
    }
}

/// Checks the value of a field. It may be any text within the limit, including empty text and
/// several lines.
pub(crate) fn check_value(field: Field, value: &str) -> Result<(), FieldError> {
    if value.len() <= FIELD_VALUE_BYTES {
        return Ok(());
    }
    let fault = Fault::TooLong {
        bytes: value.len(),
        limit: FIELD_VALUE_BYTES,
    };
    Err(FieldError::new(field, fault))
}

/// Checks the name of a custom field (R6).
pub(crate) fn check_name(name: &str) -> Result<(), FieldError> {
    text::opaque(name, FIELD_NAME_BYTES)
        .map_err(|fault| FieldError::new(Field::CustomFieldName, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_counted_in_bytes_with_the_names_of_custom_fields() {
        let mut fields = ContactFields::default();
        assert_eq!(fields.text_len(), 0);
        fields.first_name = Some("Їжак".to_owned());
        fields.time_zone = Some(String::new());
        fields.custom.insert("city".to_owned(), "Kyiv".to_owned());
        assert_eq!(fields.text_len(), 8 + 4 + 4);
    }

    #[test]
    fn r43_a_value_is_any_text_within_the_limit() {
        for value in ["", " ", "two\nlines", "\u{200B}", &"x".repeat(4_096)] {
            assert_eq!(check_value(Field::FirstName, value), Ok(()));
        }
        let fault = Fault::TooLong {
            bytes: 4_098,
            limit: 4_096,
        };
        assert_eq!(
            check_value(Field::CustomFieldValue, &"ї".repeat(2_049)),
            Err(FieldError::new(Field::CustomFieldValue, fault))
        );
    }

    #[test]
    fn r6_r43_the_name_of_a_custom_field_is_visible_and_at_most_128_bytes() {
        let refused = |fault| Err(FieldError::new(Field::CustomFieldName, fault));
        assert_eq!(check_name(&"x".repeat(128)), Ok(()));
        assert_eq!(check_name(""), refused(Fault::Blank));
        assert_eq!(check_name(" \t"), refused(Fault::Blank));
        assert_eq!(check_name("a\u{200B}"), refused(Fault::ForbiddenCharacter));
        let fault = Fault::TooLong {
            bytes: 129,
            limit: 128,
        };
        assert_eq!(check_name(&"x".repeat(129)), refused(fault));
    }

    #[test]
    fn r52_debug_shows_lengths_and_counts() {
        let mut fields = ContactFields {
            last_name: Some("secret".to_owned()),
            ..ContactFields::default()
        };
        fields.custom.insert("secret".to_owned(), "x".to_owned());
        assert_eq!(
            format!("{fields:?}"),
            "ContactFields { first_name_bytes: None, last_name_bytes: Some(6), \
             language_code_bytes: None, time_zone_bytes: None, custom_fields: 1 }"
        );
    }
}
