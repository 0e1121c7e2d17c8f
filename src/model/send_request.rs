//! The published request to send a message: its recipient, its content and its sender (R40).
//!
//! The host checks the sender and sends the message. This module does not know JSON.

use std::fmt;

use crate::model::fault::{Fault, Field, FieldError};
use crate::model::recipient::{Recipient, Resolve};
use crate::model::text;

/// A request to send a message ([R40](crate::rulebook#r40)).
///
/// `Debug` shows only the lengths of what is sent ([R52](crate::rulebook#r52)).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendRequest {
    /// The recipient. [`Snapshot::resolve`](crate::Snapshot::resolve) gives its addresses.
    pub recipient: Recipient,
    text: String,
    /// The buttons under the message, in order.
    pub buttons: Vec<Button>,
    /// Whether the message also goes to subscribers that are muted, as one about a purchase does
    /// ([R59](crate::rulebook#r59)).
    pub include_muted: bool,
    /// The credentials of the sender. The host decides whether they are required, and checks them.
    pub auth: Option<Auth>,
}

impl SendRequest {
    /// Makes a request without buttons and `auth`, which leaves out who is muted.
    ///
    /// # Errors
    ///
    /// A [`FieldError`] when the text is empty or only white space.
    pub fn new(recipient: Recipient, text: impl Into<String>) -> Result<Self, FieldError> {
        Ok(SendRequest {
            recipient,
            text: not_blank(Field::Text, text.into())?,
            buttons: Vec::new(),
            include_muted: false,
            auth: None,
        })
    }

    /// Returns the text of the message.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<&SendRequest> for Resolve {
    fn from(request: &SendRequest) -> Self {
        Resolve::new(request.recipient).include_muted(request.include_muted)
    }
}

impl fmt::Debug for SendRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendRequest")
            .field("recipient", &self.recipient)
            .field("text_bytes", &self.text.len())
            .field("buttons", &self.buttons)
            .field("include_muted", &self.include_muted)
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
    /// Makes a button with a text and a URL. The URL is taken as it is.
    ///
    /// # Errors
    ///
    /// A [`FieldError`] when either is empty or only white space.
    pub fn new(text: impl Into<String>, url: impl Into<String>) -> Result<Self, FieldError> {
        Ok(Button {
            text: not_blank(Field::ButtonText, text.into())?,
            url: not_blank(Field::ButtonUrl, url.into())?,
        })
    }

    /// Returns the text of the button.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the URL of the button.
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

/// The credentials of a sender: a user and a password, both secret ([R12](crate::rulebook#r12),
/// [R40](crate::rulebook#r40)).
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    user: String,
    password: String,
}

impl Auth {
    /// Takes the user and the password as they are.
    ///
    /// # Errors
    ///
    /// A [`FieldError`] when either is empty or only white space.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Result<Self, FieldError> {
        Ok(Auth {
            user: not_blank(Field::AuthUser, user.into())?,
            password: not_blank(Field::AuthPassword, password.into())?,
        })
    }

    /// Returns the user, which is part of the secret.
    #[must_use]
    pub fn reveal_user(&self) -> &str {
        &self.user
    }

    /// Returns the password itself.
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
