//! The id of a contact (R2): a number, given by the host or assigned by the store.
//!
//! This module does not know which ids are in use.

use std::fmt;
use std::num::NonZeroU64;

use crate::limits::GREATEST_CONTACT_ID;
use crate::model::fault::{Fault, Field, FieldError};

const OUT_OF_RANGE: FieldError = FieldError::new(Field::ContactId, Fault::ContactIdOutOfRange);

/// The id of a contact: an integer from 1 to 2^63-1 ([R2](crate::rulebook#r2)).
///
/// It says nothing about a person outside the store. So unlike other identifiers it is shown by
/// `Debug` and `Display`, and errors may name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactId(
    // Invariant: at most `MAX`.
    NonZeroU64,
);

impl ContactId {
    /// The greatest contact id: 2^63-1, the greatest "Long" of the published API.
    pub const MAX: u64 = GREATEST_CONTACT_ID;

    /// Makes the id `value`.
    ///
    /// # Errors
    ///
    /// [`Fault::ContactIdOutOfRange`], with the field `contactId`, when it is 0 or greater than
    /// [`ContactId::MAX`].
    pub const fn new(value: u64) -> Result<Self, FieldError> {
        match NonZeroU64::new(value) {
            Some(id) if value <= Self::MAX => Ok(Self(id)),
            _ => Err(OUT_OF_RANGE),
        }
    }

    /// Reads an id in decimal, as it is displayed ([R55](crate::rulebook#r55)): ASCII digits
    /// without a sign, white space or a leading 0.
    ///
    /// # Errors
    ///
    /// [`Fault::ContactIdOutOfRange`], with the field `contactId`, when the text is anything else,
    /// or the number is less than 1 or greater than [`ContactId::MAX`].
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        // `u64::from_str` alone would also take a sign and leading zeros.
        if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(OUT_OF_RANGE);
        }
        text.parse().map_or(Err(OUT_OF_RANGE), Self::new)
    }

    /// Returns the id as a number, from 1 to [`ContactId::MAX`].
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0.get()
    }
}

impl TryFrom<i128> for ContactId {
    type Error = FieldError;

    fn try_from(value: i128) -> Result<Self, FieldError> {
        u64::try_from(value).map_or(Err(OUT_OF_RANGE), Self::new)
    }
}

impl TryFrom<u64> for ContactId {
    type Error = FieldError;

    fn try_from(value: u64) -> Result<Self, FieldError> {
        Self::new(value)
    }
}

impl From<ContactId> for i128 {
    fn from(id: ContactId) -> Self {
        id.value().into()
    }
}

impl From<ContactId> for u64 {
    fn from(id: ContactId) -> Self {
        id.value()
    }
}

impl fmt::Display for ContactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{ContactId, OUT_OF_RANGE};
    use crate::model::fault::FieldError;

    const REFUSED: Result<ContactId, FieldError> = Err(OUT_OF_RANGE);

    #[test]
    fn r2_takes_1_to_2_pow_63_minus_1() {
        for value in [1, 2, 380_501_234_567, (1 << 63) - 1] {
            let id = ContactId::new(value);
            assert_eq!(ContactId::try_from(value), id);
            assert_eq!(ContactId::try_from(i128::from(value)), id);
            assert_eq!(ContactId::parse(&value.to_string()), id);
            assert_eq!(id.as_ref().map(ToString::to_string), Ok(value.to_string()));
            assert_eq!(id.clone().map(ContactId::value), Ok(value));
            assert_eq!(id.clone().map(u64::from), Ok(value));
            assert_eq!(id.map(i128::from), Ok(i128::from(value)));
        }
    }

    #[test]
    fn r2_refuses_every_other_integer() {
        for value in [0, 1 << 63, u64::MAX] {
            assert_eq!(ContactId::new(value), REFUSED);
            assert_eq!(ContactId::try_from(value), REFUSED);
        }
        for value in [
            i128::MIN,
            -1 << 63,
            -1,
            0,
            1 << 63,
            1 << 64,
            (1 << 64) + 1,
            i128::MAX,
        ] {
            assert_eq!(ContactId::try_from(value), REFUSED);
            assert_eq!(ContactId::parse(&value.to_string()), REFUSED);
        }
    }

    #[test]
    fn r55_a_decimal_string_is_digits_only() {
        let refused = [
            "",
            " ",
            "0",
            "00",
            "007",
            "+7",
            "-7",
            " 7",
            "7 ",
            "7.0",
            "7e0",
            "0x7",
            "7_000",
            "7,000",
            "٧",
            "７",
            "²",
            "9223372036854775808",
            "18446744073709551617",
            "seven",
        ];
        for text in refused {
            assert_eq!(ContactId::parse(text), REFUSED, "{text}");
        }
        assert_eq!(ContactId::parse(&"9".repeat(1 << 20)), REFUSED);
    }

    #[test]
    fn an_id_shows_as_its_number() {
        let shown = ContactId::new(7).map(|id| format!("{id:?} {id:>3}"));
        assert_eq!(shown.as_deref(), Ok("ContactId(7)   7"));
    }

    #[test]
    fn ids_are_ordered_as_numbers() {
        let [less, more] = [9, 10].map(ContactId::new);
        assert_eq!(less.and_then(|less| Ok(less < more?)), Ok(true));
    }

    #[test]
    fn an_id_that_may_be_missing_takes_no_more_memory() {
        assert_eq!(size_of::<Option<ContactId>>(), size_of::<ContactId>());
    }
}
