//! What a row of each table holds.
//!
//! This module knows neither the bytes of a row (that is `codec`) nor when rows reach the file.

use crate::model::app::{AccessKey, AppId, AppName, AppNumber};
use crate::model::fields::ContactFields;
use crate::model::holders::Holders;
use crate::model::identifier::Identifiers;
use crate::model::report::{Status, StatusCounts};
use crate::model::sequence::SequenceNumber;
use crate::model::subscriber::{MuteEnd, SubscriberId};
use crate::model::time::Timestamp;
use crate::model::token::Token;

/// A contact's card as stored. The contact's id is the key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CardRow {
    pub(crate) created_at: Timestamp,
    pub(crate) created_through: Option<AppNumber>,
    /// Without the contact id.
    pub(crate) identifiers: Identifiers,
    pub(crate) fields: ContactFields,
    /// In the order of addition (R20). Some may be of an app disconnected since.
    pub(crate) tokens: Vec<HeldTokenRow>,
    /// The request of the newest record of the contact in the change feed, if any was made. The record
    /// may have been dropped since.
    pub(crate) last_change: Option<SequenceNumber>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HeldTokenRow {
    pub(crate) subscriber: SubscriberId,
    pub(crate) added_at: Timestamp,
    pub(crate) token: Token,
}

impl HeldTokenRow {
    pub(crate) fn app(&self) -> AppNumber {
        self.subscriber.app()
    }
}

/// A connected app. Its id is the key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AppRow {
    pub(crate) number: AppNumber,
    pub(crate) name: AppName,
    pub(crate) key: Option<AccessKey>,
    pub(crate) connected_at: Timestamp,
}

/// The phase of a connection of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppPhase {
    Connected,
    /// Disconnected: its tokens and messages are being removed.
    Leaving,
    /// Only its id is left, which cards may name as the app that they were created through.
    Gone,
}

/// The counts of one connection of an app. Its number is the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct AppTallyRow {
    pub(crate) app: AppId,
    pub(crate) phase: AppPhase,
    /// How many subscriber ids it has given out.
    pub(crate) subscriber_ids: u64,
    pub(crate) subscribers: u64,
    pub(crate) contacts: u64,
    pub(crate) removed_by_failed: u64,
    pub(crate) removed_by_host: u64,
}

/// A subscriber. Its id is the key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SubscriberRow {
    /// As its id says.
    pub(crate) app: AppNumber,
    pub(crate) token: Token,
    /// The contacts that hold it, in the order in which they got it. Never empty.
    pub(crate) holders: Holders,
    pub(crate) last_registered_at: Timestamp,
    pub(crate) last_status: Option<(Status, Timestamp)>,
    pub(crate) counts: StatusCounts,
    pub(crate) muted: Option<MuteEnd>,
}

/// A subscriber in the bytes of its row, without its holders.
pub(crate) struct BorrowedSubscriber<'p> {
    pub(crate) token: &'p str,
    pub(crate) last_registered_at: Timestamp,
    pub(crate) last_status: Option<(Status, Timestamp)>,
    pub(crate) counts: StatusCounts,
    pub(crate) muted: Option<MuteEnd>,
}

/// The tally of one message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageRow {
    pub(crate) last_at: Timestamp,
    pub(crate) counts: StatusCounts,
}

/// A run of taken contact ids. Its first id is the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TakenRow {
    pub(crate) last: u64,
}

/// The present id of a subscriber that had another one in format 1. The former id is the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct FormerIdRow {
    pub(crate) now: SubscriberId,
}
