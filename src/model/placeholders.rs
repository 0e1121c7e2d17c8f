//! Placeholders: values that programs write where a value is missing (R3).
//!
//! This module does not know what a request does with a placeholder. Stored values are never
//! checked: a value that was stored before it became a placeholder can still be found and removed.

use std::fmt;

use crate::model::fault::{Fault, Field, FieldError};
use crate::model::identifier::{Email, ExternalCustomerId, IdentifierKind, Identifiers, Phone};
use crate::model::text;
use crate::model::token::Token;

/// The values that a request may not give as an identifier or a token ([R3](crate::rulebook#r3)).
///
/// Programs write such values where a value is missing. As identifiers they would join strangers on
/// one card.
///
/// The default holds `null`, `undefined`, `none`, `nil`, `nan`, `n/a`, `na`, `unknown`,
/// `anonymous`, `guest`, `[object object]`, `true`, `false`, `0`, `-1`, and every text of nothing
/// but `0` and `-`, such as an all-zero UUID. It holds no phone and no email. Words are compared
/// with external customer ids and tokens, trimmed and ignoring ASCII case. Words of only digits and
/// `-` are compared with external customer ids alone, since only the app knows what a number means
/// as a token ([R9](crate::rulebook#r9)).
///
/// Add-tokens and upsert refuse a placeholder with [`Fault::Placeholder`]. Under
/// [`InvalidIdentifier::Ignore`](crate::InvalidIdentifier) an identifier that is a placeholder
/// counts as not given. Look-ups, reports and removals take any value.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let placeholders = Placeholders::default()
///     .word("test user")
///     .phone(Phone::parse("+380 00 000 00 00")?)
///     .email(Email::parse("noreply@example.com")?);
/// let store = ContactStore::open_in_memory(Options::default().placeholders(placeholders))?;
/// let nobody = ContactUpdate::new().email("NoReply@example.com");
/// let outcomes = store.upsert(Upsert::new(DedupeOn::Email).contact(nobody)).wait()?.outcome;
/// let refused = outcomes.into_iter().next().ok_or("no outcome")?;
/// assert_eq!(
///     refused.map_err(|error| error.to_string()),
///     Err("email is a placeholder for a missing value".to_owned())
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Placeholders {
    // Trimmed, in lower case, none of them blank.
    words: Vec<String>,
    zeros_and_hyphens: bool,
    phones: Vec<Phone>,
    emails: Vec<Email>,
}

impl Default for Placeholders {
    fn default() -> Self {
        const WORDS: [&str; 15] = [
            "null",
            "undefined",
            "none",
            "nil",
            "nan",
            "n/a",
            "na",
            "unknown",
            "anonymous",
            "guest",
            "[object object]",
            "true",
            "false",
            "0",
            "-1",
        ];
        WORDS
            .into_iter()
            .fold(Self::none().zeros_and_hyphens(), Self::word)
    }
}

impl Placeholders {
    /// Makes an empty list, under which every valid value is taken. Add to it to replace the
    /// default list.
    #[must_use]
    pub const fn none() -> Self {
        Placeholders {
            words: Vec::new(),
            zeros_and_hyphens: false,
            phones: Vec::new(),
            emails: Vec::new(),
        }
    }

    /// Adds a word for external customer ids and tokens, compared trimmed and ignoring ASCII case.
    /// A blank word is left out, since a blank value counts as not given anyway
    /// ([R1](crate::rulebook#r1)).
    #[must_use]
    pub fn word(mut self, word: impl AsRef<str>) -> Self {
        let word = text::trim(word.as_ref()).to_ascii_lowercase();
        if !word.is_empty() {
            self.words.push(word);
        }
        self
    }

    /// Adds every external customer id of only `0` and `-`, ignoring white space around it.
    #[must_use]
    pub const fn zeros_and_hyphens(mut self) -> Self {
        self.zeros_and_hyphens = true;
        self
    }

    /// Adds a phone.
    #[must_use]
    pub fn phone(mut self, phone: Phone) -> Self {
        self.phones.push(phone);
        self
    }

    /// Adds an email.
    #[must_use]
    pub fn email(mut self, email: Email) -> Self {
        self.emails.push(email);
        self
    }

    fn names_nobody(&self, text: &str) -> bool {
        let text = text::trim(text);
        let zeros = || text.bytes().all(|byte| matches!(byte, b'0' | b'-'));
        let mut words = self.words.iter();
        (self.zeros_and_hyphens && zeros()) || words.any(|word| word.eq_ignore_ascii_case(text))
    }

    /// # Errors
    ///
    /// [`Fault::Placeholder`] when the token is a placeholder.
    pub(crate) fn check_token(&self, token: &Token) -> Result<(), FieldError> {
        let is_number = |text: &str| {
            let mut bytes = text::trim(text).bytes();
            bytes.all(|byte| byte.is_ascii_digit() || byte == b'-')
        };
        let token = token.as_str();
        refuse_if(!is_number(token) && self.names_nobody(token), Field::Token)
    }

    pub(crate) fn check_external_id(&self, id: &ExternalCustomerId) -> Result<(), FieldError> {
        refuse_if(self.names_nobody(id.as_str()), Field::ExternalCustomerId)
    }

    pub(crate) fn check_phone(&self, phone: Phone) -> Result<(), FieldError> {
        refuse_if(self.phones.contains(&phone), Field::Phone)
    }

    pub(crate) fn check_email(&self, email: &Email) -> Result<(), FieldError> {
        refuse_if(self.emails.contains(email), Field::Email)
    }

    /// The same for the identifier of one kind, if it is given.
    pub(crate) fn check(
        &self,
        kind: IdentifierKind,
        identifiers: &Identifiers,
    ) -> Result<(), FieldError> {
        match kind {
            IdentifierKind::ContactId => Ok(()),
            IdentifierKind::ExternalCustomerId => identifiers
                .external_customer_id()
                .map_or(Ok(()), |id| self.check_external_id(id)),
            IdentifierKind::Phone => identifiers
                .phone()
                .map_or(Ok(()), |phone| self.check_phone(phone)),
            IdentifierKind::Email => identifiers
                .email()
                .map_or(Ok(()), |email| self.check_email(email)),
        }
    }
}

fn refuse_if(is_one: bool, field: Field) -> Result<(), FieldError> {
    if is_one {
        return Err(FieldError::new(field, Fault::Placeholder));
    }
    Ok(())
}

// A host may have added a phone or an email (R52).
impl fmt::Debug for Placeholders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placeholders")
            .field("words", &self.words.len())
            .field("zeros_and_hyphens", &self.zeros_and_hyphens)
            .field("phones", &self.phones.len())
            .field("emails", &self.emails.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: [&str; 15] = [
        "null",
        "undefined",
        "none",
        "nil",
        "nan",
        "n/a",
        "na",
        "unknown",
        "anonymous",
        "guest",
        "[object object]",
        "true",
        "false",
        "0",
        "-1",
    ];

    #[track_caller]
    fn check(placeholders: &Placeholders, id: &str, is_one: bool) -> Result<(), FieldError> {
        let given = Identifiers::new().with_external_customer_id(ExternalCustomerId::parse(id)?);
        let refused = |field| match is_one {
            true => Err(FieldError::new(field, Fault::Placeholder)),
            false => Ok(()),
        };
        let kind = IdentifierKind::ExternalCustomerId;
        assert_eq!(
            placeholders.check(kind, &given),
            refused(kind.into()),
            "{id}"
        );
        let token = placeholders.check_token(&Token::parse(id)?);
        // A number is a valid token.
        let is_word = !id.trim().bytes().all(|byte| b"-0123456789".contains(&byte));
        let expected = if is_word {
            refused(Field::Token)
        } else {
            Ok(())
        };
        assert_eq!(token, expected, "{id}");
        Ok(())
    }

    #[test]
    fn r3_the_default_list_is_that_of_the_rule() -> Result<(), FieldError> {
        let placeholders = Placeholders::default();
        for word in DEFAULT {
            check(&placeholders, word, true)?;
            check(&placeholders, &word.to_ascii_uppercase(), true)?;
            check(&placeholders, &format!(" {word}\u{3000}"), true)?;
            check(&placeholders, &format!("{word}x"), false)?;
            check(&placeholders, &format!("x{word}"), false)?;
        }
        for zeros in [
            "00",
            "-",
            "--",
            "0-0",
            "00000000-0000-0000-0000-000000000000",
        ] {
            check(&placeholders, zeros, true)?;
        }
        for id in [
            "1",
            "-2",
            "10",
            "0x0",
            "nul",
            "n / a",
            "NULL0",
            "0\u{661}",
            "ＮＵＬＬ",
        ] {
            check(&placeholders, id, false)?;
        }
        Ok(())
    }

    #[test]
    fn r3_the_list_is_emptied_replaced_and_extended() -> Result<(), FieldError> {
        let none = Placeholders::none();
        for word in DEFAULT.into_iter().chain(["00", "--"]) {
            check(&none, word, false)?;
        }
        let replaced = Placeholders::none().word(" Test User ").word(" ");
        check(&replaced, "test user", true)?;
        check(&replaced, "undefined", false)?;
        check(&replaced, "0", false)?;
        check(&Placeholders::none().zeros_and_hyphens(), "0-0", true)?;
        let extended = Placeholders::default().word("n.n.");
        check(&extended, "N.N.", true)?;
        check(&extended, "undefined", true)
    }

    #[test]
    fn r3_a_phone_and_an_email_are_placeholders_only_if_the_host_says_so() -> Result<(), FieldError>
    {
        let given = Identifiers::new()
            .with_phone(Phone::parse("+380 00 000 00 00")?)
            .with_email(Email::parse("NoReply@example.com")?);
        let named = Placeholders::none()
            .phone(Phone::parse("380000000000")?)
            .email(Email::parse("noreply@example.com")?);
        for kind in [IdentifierKind::Phone, IdentifierKind::Email] {
            assert_eq!(Placeholders::default().check(kind, &given), Ok(()));
            let refused = Err(FieldError::new(kind.into(), Fault::Placeholder));
            assert_eq!(named.check(kind, &given), refused);
            assert_eq!(named.check(kind, &Identifiers::new()), Ok(()));
        }
        Ok(())
    }

    #[test]
    fn r52_debug_shows_only_counts() {
        assert_eq!(
            format!("{:?}", Placeholders::default()),
            "Placeholders { words: 15, zeros_and_hyphens: true, phones: 0, emails: 0 }"
        );
    }
}
