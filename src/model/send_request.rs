//! The published request to send a message: to whom, what, and on whose behalf (R40).
//!
//! Sending it is the host's work, and so is checking who asks. This module does not know JSON.

use std::fmt;

use crate::model::fault::{Fault, Field, FieldError};
use crate::model::recipient::Recipient;
use crate::model::text;

/// A request to send a message (R40).
///
/// Of what is sent `Debug` shows lengths (R52).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendRequest {
    /// To whom. [`Snapshot::resolve`](crate::Snapshot::resolve) says where that is.
    pub recipient: Recipient,
    text: String,
    /// The buttons under it, in order.
    pub buttons: Vec<Button>,
    /// On whose behalf. Whether to demand it, and what it must be, is for the host to say.
    pub auth: Option<Auth>,
}

impl SendRequest {
    /// A message without buttons.
    ///
    /// # Errors
    ///
    /// When the text is empty or only white space.
    pub fn new(recipient: Recipient, text: impl Into<String>) -> Result<Self, FieldError> {
        Ok(SendRequest {
            recipient,
            text: not_blank(Field::Text, text.into())?,
            buttons: Vec::new(),
            auth: None,
        })
    }

    /// The text of the message.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for SendRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendRequest")
            .field("recipient", &self.recipient)
            .field("text_bytes", &self.text.len())
            .field("buttons", &self.buttons)
            .field("auth", &self.auth)
            .finish()
    }
}

/// A button under a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Button {
    text: String,
    url: String,
}

impl Button {
    /// A button with this text that leads to this URL, which is taken as it stands.
    ///
    /// # Errors
    ///
    /// When either is empty or only white space.
    pub fn new(text: impl Into<String>, url: impl Into<String>) -> Result<Self, FieldError> {
        Ok(Button {
            text: not_blank(Field::ButtonText, text.into())?,
            url: not_blank(Field::ButtonUrl, url.into())?,
        })
    }

    /// What it says.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it leads.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl fmt::Debug for Button {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Button")
            .field("text_bytes", &self.text.len())
            .field("url_bytes", &self.url.len())
            .finish()
    }
}

/// On whose behalf a message is sent: a name and a password, both secret (R12, R40).
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    user: String,
    password: String,
}

impl Auth {
    /// The two, as they stand.
    ///
    /// # Errors
    ///
    /// When either is empty or only white space.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Result<Self, FieldError> {
        Ok(Auth {
            user: not_blank(Field::AuthUser, user.into())?,
            password: not_blank(Field::AuthPassword, password.into())?,
        })
    }

    /// The name. A part of the secret.
    #[must_use]
    pub fn reveal_user(&self) -> &str {
        &self.user
    }

    /// The password itself.
    #[must_use]
    pub fn reveal_password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auth(<secret>)")
    }
}

fn not_blank(field: Field, text: String) -> Result<String, FieldError> {
    if text::is_blank(&text) {
        return Err(FieldError::new(field, Fault::Blank));
    }
    Ok(text)
}
