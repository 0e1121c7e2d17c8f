//! Delivery statuses, and the messages that they are about.
//!
//! This module does not know subscribers; recording reports is in `record_reports`.

use std::fmt;

use crate::limits::MESSAGE_ID_BYTES;
use crate::model::fault::{Field, FieldError};
use crate::model::names::named;
use crate::model::text;
use crate::model::time::Timestamp;

/// The delivery status of a message ([R30](crate::rulebook#r30)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Status {
    /// SENT.
    Sent,
    /// FAILED. With reason Forbidden it removes the token ([R31](crate::rulebook#r31)).
    Failed,
    /// CLICKED.
    Clicked,
}

named!(Status, Status, "SENT, FAILED or CLICKED", {
    Sent => "SENT",
    Failed => "FAILED",
    Clicked => "CLICKED",
});

/// The number of reports of each status ([R30](crate::rulebook#r30)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatusCounts {
    /// The number of reports with status SENT.
    pub sent: u64,
    /// The number of reports with status FAILED, for any reason.
    pub failed: u64,
    /// The number of reports with status CLICKED.
    pub clicked: u64,
}

impl StatusCounts {
    /// Adds the counts of `other`.
    pub(crate) fn add(&mut self, other: StatusCounts) {
        self.sent = self.sent.saturating_add(other.sent);
        self.failed = self.failed.saturating_add(other.failed);
        self.clicked = self.clicked.saturating_add(other.clicked);
    }

    pub(crate) fn count(&mut self, status: Status) {
        let counter = match status {
            Status::Sent => &mut self.sent,
            Status::Failed => &mut self.failed,
            Status::Clicked => &mut self.clicked,
        };
        *counter = counter.saturating_add(1);
    }
}

/// The phrases, besides Forbidden, by which the reason of a FAILED report says that its token is
/// dead for good ([R32](crate::rulebook#r32)).
///
/// The default holds the phrases of Telegram: `bot was blocked by the user`, `user is deactivated`,
/// `bot was kicked`, `USER_IS_BLOCKED` and `INPUT_USER_DEACTIVATED`. A host for another channel
/// sets its own. A phrase matches anywhere in the reason, ignoring ASCII case, where it touches no
/// letter, digit or `_`.
///
/// ```
/// # use contact_store::{GonePhrases, Options};
/// let phrases = GonePhrases::default().phrase("NotRegistered").phrase("410");
/// let options = Options::default().gone_phrases(phrases);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GonePhrases(
    // Trimmed, none of them blank.
    Vec<String>,
);

impl Default for GonePhrases {
    fn default() -> Self {
        const TELEGRAM: [&str; 5] = [
            "bot was blocked by the user",
            "user is deactivated",
            "bot was kicked",
            "USER_IS_BLOCKED",
            "INPUT_USER_DEACTIVATED",
        ];
        TELEGRAM.into_iter().fold(Self::none(), Self::phrase)
    }
}

impl GonePhrases {
    /// Makes an empty list, under which only Forbidden removes a token. Add to it to replace the
    /// default list.
    #[must_use]
    pub const fn none() -> Self {
        GonePhrases(Vec::new())
    }

    /// Adds a phrase, trimmed. A blank phrase is left out, since every reason would contain it.
    #[must_use]
    pub fn phrase(mut self, phrase: impl AsRef<str>) -> Self {
        let phrase = text::trim(phrase.as_ref());
        if !phrase.is_empty() {
            self.0.push(phrase.to_owned());
        }
        self
    }

    /// Returns the phrases, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// The host's id of a message: opaque, 1 to 256 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(String);

impl MessageId {
    /// Reads a message id.
    ///
    /// # Errors
    ///
    /// A [`FieldError`] when the text is empty or only white space, longer than 256 bytes, or holds
    /// a character that is refused ([R6](crate::rulebook#r6)).
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

    /// Returns the text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// Not derived: a host may put anything into its ids, and `Debug` output ends up in logs (R52).
impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId(<{} bytes>)", self.0.len())
    }
}

/// The tally of one message of one app ([R30](crate::rulebook#r30)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageTally {
    /// The message.
    pub id: MessageId,
    /// The number of reports of each status that named it.
    pub counts: StatusCounts,
    /// The time of the latest of these reports, by their own times.
    pub last_at: Timestamp,
}
