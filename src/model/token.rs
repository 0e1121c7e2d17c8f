//! The token: what addresses a person inside one app.
//!
//! This module does not know apps, contacts, or what a token means to the service behind it.

use std::fmt;

use crate::limits::TOKEN_BYTES;
use crate::model::fault::{Fault, Field, FieldError};
use crate::model::text;

/// A token: what addresses a person inside one app, such as a Telegram chat id
/// ([R9](crate::rulebook#r9)).
///
/// It is opaque: kept byte for byte, never trimmed, and compared byte for byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(String);

impl Token {
    /// Reads a token.
    ///
    /// # Errors
    ///
    /// A [`FieldError`] when the text is empty or only white space, longer than 4,096 bytes, or
    /// holds a character that is refused ([R6](crate::rulebook#r6)).
    pub fn parse(text: impl Into<String>) -> Result<Self, FieldError> {
        let text = text.into();
        match text::opaque(&text, TOKEN_BYTES) {
            Ok(()) => Ok(Token(text)),
            Err(fault) => Err(FieldError::new(Field::Token, fault)),
        }
    }

    /// A missing token, as an error (R13).
    pub(crate) fn missing() -> FieldError {
        FieldError::new(Field::Token, Fault::Blank)
    }

    /// A token from a record, whose checksum vouches for it.
    pub(crate) fn from_stored(text: String) -> Self {
        Token(text)
    }

    /// Returns the text of the token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Token> for String {
    fn from(token: Token) -> Self {
        token.0
    }
}

// Not derived: a token reaches a person, and `Debug` output ends up in logs (R52).
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(<{} bytes>)", self.0.len())
    }
}
