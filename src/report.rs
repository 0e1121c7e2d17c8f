//! Delivery statuses and the messages they are about.
//!
//! This module does not know subscribers; recording reports is in `record_reports`.

use std::fmt;

use crate::fault::{Field, FieldError};
use crate::limits::MESSAGE_ID_BYTES;
use crate::names::named;
use crate::subscriber::StatusCounts;
use crate::text;
use crate::time::Timestamp;

/// What became of a message (R30).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Status {
    /// SENT.
    Sent,
    /// FAILED. With reason Forbidden it removes the token (R31).
    Failed,
    /// CLICKED.
    Clicked,
}

named!(Status, Status, "SENT, FAILED or CLICKED", {
    Sent => "SENT",
    Failed => "FAILED",
    Clicked => "CLICKED",
});

/// The host's id of a message: opaque, 1 to 256 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(String);

impl MessageId {
    /// Reads a message id.
    ///
    /// # Errors
    ///
    /// When the text is empty or only white space, longer than 256 bytes, or holds a character
    /// that R6 refuses.
    pub fn parse(text: impl Into<String>) -> Result<Self, FieldError> {
        let text = text.into();
        match text::opaque(&text, MESSAGE_ID_BYTES) {
            Ok(()) => Ok(MessageId(text)),
            Err(fault) => Err(FieldError::new(Field::MessageId, fault)),
        }
    }

    pub(crate) fn from_stored(text: String) -> Self {
        MessageId(text)
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// A host may put anything into its ids, and `Debug` output ends up in logs (R52).
impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId(<{} bytes>)", self.0.len())
    }
}

/// The tally of one message of one app (R30).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageTally {
    /// The message.
    pub id: MessageId,
    /// How many reports of each status named it.
    pub counts: StatusCounts,
    /// The time of the latest of them, by the reports' own times.
    pub last_at: Timestamp,
}
