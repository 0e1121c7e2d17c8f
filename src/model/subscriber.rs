//! The subscriber: one live (app, token) pair and its delivery state.
//!
//! This module does not know how a subscriber is created or removed.

use std::fmt;

use crate::model::app::{AppId, AppNumber};
use crate::model::fault::{Fault, Field, FieldError};
use crate::model::holders::Holders;
use crate::model::identifier::ContactId;
use crate::model::report::{Status, StatusCounts};
use crate::model::time::Timestamp;
use crate::model::token::Token;

/// The id of a subscriber. It is never reused, even when its token is added again
/// ([R35](crate::rulebook#r35)).
///
/// Ids ascend within one connection of an app. The upper 24 bits are the number of the connection,
/// the lower bits number the subscriber. A host treats the id as opaque.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriberId(u64);

/// The bits that number a subscriber within its app.
const NUMBER_BITS: u32 = 40;

impl SubscriberId {
    /// The number of ids that one connection of an app can assign.
    pub(crate) const MOST_OF_AN_APP: u64 = (1 << NUMBER_BITS) - 1;

    /// The id of the subscriber with this number, from 1 on, within an app.
    pub(crate) const fn of(app: AppNumber, number: u64) -> Self {
        SubscriberId(app.0 << NUMBER_BITS | number)
    }

    /// The app of the subscriber. For an id assigned in format 1 it is 0.
    pub(crate) const fn app(self) -> AppNumber {
        AppNumber(self.0 >> NUMBER_BITS)
    }

    /// The number within the app.
    pub(crate) const fn number(self) -> u64 {
        self.0 & Self::MOST_OF_AN_APP
    }

    /// Makes the subscriber id `id`. Whether there is such a subscriber, only the store knows.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        SubscriberId(id)
    }

    /// Reads the decimal text form that [`Display`](fmt::Display) gives: digits without sign or
    /// leading zero.
    ///
    /// # Errors
    ///
    /// [`Fault::NotASubscriberId`], with the field `subscriberId`, when the text is anything else.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let id = text.parse::<u64>().ok().map(SubscriberId);
        id.filter(|id| id.to_string() == text)
            .ok_or(FieldError::new(
                Field::SubscriberId,
                Fault::NotASubscriberId,
            ))
    }

    /// Returns the number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SubscriberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for SubscriberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubscriberId({})", self.0)
    }
}

/// A borrowed subscriber, as [`Snapshot::visit_subscribers`](crate::Snapshot::visit_subscribers)
/// passes it. The fields mean the same as those of [`Subscriber`].
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriberRef<'a> {
    /// Its id.
    pub id: SubscriberId,
    /// The app.
    pub app: AppId,
    /// The text of the token.
    pub token: &'a str,
    /// The contacts that hold the token, in the order in which they began to hold it.
    pub contacts: &'a [ContactId],
    /// When an accepted entry of add-tokens last named the token.
    pub last_registered_at: Timestamp,
    /// The last status, by the reports' own times, and its time ([R34](crate::rulebook#r34)).
    pub last_status: Option<(Status, Timestamp)>,
    /// The number of reports of each status.
    pub counts: StatusCounts,
    /// When the mute ends, if the subscriber was muted ([R59](crate::rulebook#r59)). A mute that has
    /// ended is shown until the next one or an unmute; [`is_muted`](Self::is_muted) compares.
    pub muted: Option<MuteEnd>,
}

impl SubscriberRef<'_> {
    /// Whether the subscriber is muted at this time ([R59](crate::rulebook#r59)).
    #[must_use]
    pub fn is_muted(&self, at: Timestamp) -> bool {
        self.muted.is_some_and(|end| end.is_after(at))
    }
}

// Not derived: a token reaches a person, and `Debug` output ends up in logs (R52).
impl fmt::Debug for SubscriberRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriberRef")
            .field("id", &self.id)
            .field("app", &self.app)
            .field("token", &format_args!("<{} bytes>", self.token.len()))
            .field("contacts", &self.contacts)
            .field("last_registered_at", &self.last_registered_at)
            .field("last_status", &self.last_status)
            .field("counts", &self.counts)
            .field("muted", &self.muted)
            .finish()
    }
}

/// One live (app, token) pair ([R27](crate::rulebook#r27), [R38](crate::rulebook#r38)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscriber {
    /// Its id.
    pub id: SubscriberId,
    /// The app.
    pub app: AppId,
    /// The token.
    pub token: Token,
    /// The contacts that hold the token, in the order in which they began to hold it.
    pub contacts: Holders,
    /// When an accepted entry of add-tokens last named the token.
    pub last_registered_at: Timestamp,
    /// The last status, by the reports' own times, and its time ([R34](crate::rulebook#r34)).
    pub last_status: Option<(Status, Timestamp)>,
    /// The number of reports of each status.
    pub counts: StatusCounts,
    /// When the mute ends, if the subscriber was muted ([R59](crate::rulebook#r59)). A mute that has
    /// ended is shown until the next one or an unmute; [`is_muted`](Self::is_muted) compares.
    pub muted: Option<MuteEnd>,
}

impl Subscriber {
    /// Whether the subscriber is muted at this time ([R59](crate::rulebook#r59)).
    #[must_use]
    pub fn is_muted(&self, at: Timestamp) -> bool {
        self.muted.is_some_and(|end| end.is_after(at))
    }
}

/// When a mute ends ([R59](crate::rulebook#r59)). Ends are ordered by time, and `Never` is the
/// latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MuteEnd {
    /// At a time. From then on the subscriber is not muted.
    At(Timestamp),
    /// Only when the subscriber is unmuted.
    Never,
}

impl MuteEnd {
    /// Whether the end is still to come at this time.
    #[must_use]
    pub fn is_after(self, at: Timestamp) -> bool {
        match self {
            MuteEnd::At(end) => at < end,
            MuteEnd::Never => true,
        }
    }

    /// Returns the time of the end, if there is one.
    #[must_use]
    pub fn time(self) -> Option<Timestamp> {
        match self {
            MuteEnd::At(end) => Some(end),
            MuteEnd::Never => None,
        }
    }
}
