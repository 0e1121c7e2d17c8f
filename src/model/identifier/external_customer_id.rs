//! The host's own id of a person (R3): opaque text.

use std::fmt;

use crate::limits::EXTERNAL_CUSTOMER_ID_BYTES;
use crate::model::fault::{Fault, Field, FieldError};
use crate::model::text;

/// The id that the host has given to a person (`externalCustomerId`, [R3](crate::rulebook#r3)): 1
/// to 1,024 bytes of UTF-8, kept byte for byte.
///
/// It is never trimmed, and case counts: `a`, `A` and ` a` name different people. It is personal
/// data: `Debug` shows only its length, and there is no `Display` ([R52](crate::rulebook#r52)).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExternalCustomerId(
    // Invariant: what `parse` takes.
    String,
);

impl ExternalCustomerId {
    /// The greatest length, in bytes.
    pub const MAX_BYTES: usize = EXTERNAL_CUSTOMER_ID_BYTES;

    /// Takes `text` as an external customer id, unchanged.
    ///
    /// # Errors
    ///
    /// With the field `externalCustomerId`, the first of:
    ///
    /// - [`Fault::Blank`], empty or only white space ([R1](crate::rulebook#r1));
    /// - [`Fault::TooLong`], over [`ExternalCustomerId::MAX_BYTES`];
    /// - [`Fault::ForbiddenCharacter`], a control, separator or invisible format character
    ///   ([R6](crate::rulebook#r6)).
    ///
    /// A placeholder such as `undefined` is not refused here. The request that gives it is refused
    /// ([`Placeholders`](crate::Placeholders)), and one that was stored earlier can still be found.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        Self::take(text)
    }

    /// The same as `parse`. Owned text is reused.
    pub(crate) fn take(text: impl AsRef<str> + Into<String>) -> Result<Self, FieldError> {
        Self::canonical(text).map_err(|fault| FieldError::new(Field::ExternalCustomerId, fault))
    }

    fn canonical(text: impl AsRef<str> + Into<String>) -> Result<Self, Fault> {
        text::opaque(text.as_ref(), Self::MAX_BYTES)?;
        Ok(Self(text.into()))
    }

    /// An external customer id from a record, whose checksum vouches for it.
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Returns the id as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id as it was given.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

// Personal data, and `Debug` output ends up in logs.
impl fmt::Debug for ExternalCustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExternalCustomerId(<{} bytes>)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::ExternalCustomerId;
    use crate::{model::fault::Fault, model::text};

    #[track_caller]
    fn kept(text: &str) {
        assert_eq!(
            ExternalCustomerId::canonical(text),
            Ok(ExternalCustomerId(text.to_owned()))
        );
    }

    #[track_caller]
    fn refused(text: &str, fault: Fault) {
        assert_eq!(ExternalCustomerId::canonical(text), Err(fault));
    }

    #[test]
    fn r3_an_id_is_kept_byte_for_byte() {
        for text in [
            "a",
            "A",
            " a",
            "a ",
            "  a  b ",
            "0",
            "007",
            "-1",
            "a\u{A0}",
            "\u{3000}a",
            "É",
            "E\u{301}",
        ] {
            kept(text);
        }
        assert_ne!(
            ExternalCustomerId::canonical("a"),
            ExternalCustomerId::canonical("A")
        );
        assert_ne!(
            ExternalCustomerId::canonical("a"),
            ExternalCustomerId::canonical(" a")
        );
        assert_ne!(
            ExternalCustomerId::canonical("\u{C9}"),
            ExternalCustomerId::canonical("E\u{301}")
        );
    }

    #[test]
    fn r3_an_id_is_1_to_1024_bytes() {
        kept(&"a".repeat(1_024));
        kept(&"ї".repeat(512));
        refused("", Fault::Blank);
        refused(
            &"a".repeat(1_025),
            Fault::TooLong {
                bytes: 1_025,
                limit: 1_024,
            },
        );
        refused(
            &"ї".repeat(513),
            Fault::TooLong {
                bytes: 1_026,
                limit: 1_024,
            },
        );
        refused(
            &format!(" {}", "a".repeat(1_024)),
            Fault::TooLong {
                bytes: 1_025,
                limit: 1_024,
            },
        );
    }

    #[test]
    fn r1_only_white_space_is_blank() {
        refused(" \u{3000}\t", Fault::Blank);
        refused(&" ".repeat(2_000), Fault::Blank);
    }

    #[test]
    fn r6_no_forbidden_character_at_any_place() {
        for c in ('\0'..=char::MAX).filter(|c| text::is_forbidden(*c)) {
            for text in [format!("{c}ab"), format!("a{c}b"), format!("ab{c}")] {
                assert_eq!(
                    ExternalCustomerId::canonical(&text),
                    Err(Fault::ForbiddenCharacter)
                );
            }
        }
    }

    #[test]
    fn r6_every_other_character_is_kept() {
        for c in ('\0'..=char::MAX).filter(|c| !text::is_forbidden(*c)) {
            let text = format!("a{c}b");
            assert_eq!(
                ExternalCustomerId::canonical(&text).map(ExternalCustomerId::into_string),
                Ok(text)
            );
        }
    }

    #[test]
    fn r52_debug_shows_the_length_only() {
        assert_eq!(
            ExternalCustomerId::canonical("customer-1ї")
                .map(|id| format!("{id:?} {:#?}", Some(&id))),
            Ok(
                "ExternalCustomerId(<12 bytes>) Some(\n    ExternalCustomerId(<12 bytes>),\n)"
                    .to_owned()
            )
        );
    }
}
