//! Changes: what a request changed, for readers that follow the store (R60).
//!
//! A change holds ids alone. This module does not know where changes are kept or how they are read.

use std::fmt;
use std::time::Duration;

use crate::limits::{CHANGES_KEPT, LimitTooHigh, LimitZero};
use crate::model::app::AppId;
use crate::model::fault::{Fault, Field, FieldError};
use crate::model::identifier::ContactId;
use crate::model::sequence::SequenceNumber;
use crate::model::subscriber::SubscriberId;
use crate::model::time::Timestamp;

/// A position in the change feed: after a change, or after all of a request
/// ([R60](crate::rulebook#r60)).
///
/// Positions are ordered as the changes are. A reader keeps the position that it has read to, and
/// goes on after it. The text form is the number of the request, followed by a dot and the place of
/// the change in it, counted from 1: `17.3`. Without the place, `17`, it is after all changes of the
/// request.
///
/// ```
/// # use contact_store::ChangePosition;
/// let position = ChangePosition::parse("17.3")?;
/// assert!(ChangePosition::START < position);
/// assert!(position < ChangePosition::parse("17")?);
/// assert!(ChangePosition::parse("17")? < ChangePosition::parse("18.1")?);
/// assert_eq!(position.to_string(), "17.3");
/// # Ok::<(), contact_store::FieldError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangePosition {
    sequence: SequenceNumber,
    /// Counted from 1; [`END`] after all changes of the request.
    place: u32,
}

/// The place after all changes of a request.
const END: u32 = u32::MAX;

impl ChangePosition {
    /// Before the first change of a store.
    pub const START: Self = Self::after(SequenceNumber::new(0));

    /// Returns the position after all changes of the request with this number.
    #[must_use]
    pub const fn after(sequence: SequenceNumber) -> Self {
        ChangePosition {
            sequence,
            place: END,
        }
    }

    pub(crate) const fn at(sequence: SequenceNumber, place: u32) -> Self {
        ChangePosition { sequence, place }
    }

    /// Returns the number of the request.
    #[must_use]
    pub const fn sequence(self) -> SequenceNumber {
        self.sequence
    }

    pub(crate) const fn place(self) -> u32 {
        self.place
    }

    /// Reads the text form that [`Display`](fmt::Display) gives.
    ///
    /// # Errors
    ///
    /// [`Fault::NotAChangePosition`], with the field `changePosition`, when the text is anything else.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let read = || {
            let (sequence, place) = match text.split_once('.') {
                Some((sequence, place)) => (sequence, place.parse().ok()?),
                None => (text, END),
            };
            let sequence = SequenceNumber::new(sequence.parse().ok()?);
            let position = ChangePosition { sequence, place };
            // No sign, no leading zero, and one text for each position.
            (position.place > 0 && position.to_string() == text).then_some(position)
        };
        read().ok_or(FieldError::new(
            Field::ChangePosition,
            Fault::NotAChangePosition,
        ))
    }
}

impl fmt::Display for ChangePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChangePosition { sequence, place } = self;
        match *place {
            END => write!(f, "{sequence}"),
            place => write!(f, "{sequence}.{place}"),
        }
    }
}

impl fmt::Debug for ChangePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChangePosition({self})")
    }
}

/// One change of the store ([R60](crate::rulebook#r60)), from
/// [`Snapshot::changes`](crate::Snapshot::changes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Where it is in the feed.
    pub position: ChangePosition,
    /// When the request was made, by the clock of the store.
    pub at: Timestamp,
    /// What changed.
    pub what: Changed,
}

impl Change {
    pub(crate) fn new(position: ChangePosition, at: Timestamp, what: Changed) -> Self {
        Change { position, at, what }
    }
}

/// What changed. Each names one contact, or one app.
///
/// A contact that is created with tokens is created first, and then each token is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Changed {
    /// The contact was created.
    ContactCreated {
        /// The contact.
        contact: ContactId,
    },
    /// Identifiers or fields of the contact changed.
    ContactUpdated {
        /// The contact.
        contact: ContactId,
    },
    /// The contact was erased. Its earlier changes are no longer in the feed.
    ContactErased {
        /// The contact.
        contact: ContactId,
    },
    /// The contact was merged into another and is gone ([R58](crate::rulebook#r58)). The other has
    /// changes of its own.
    ContactMerged {
        /// The contact.
        contact: ContactId,
        /// The contact that it is in.
        into: ContactId,
    },
    /// The contact was taken out of the one that it was merged into, and is there again
    /// ([R58](crate::rulebook#r58)). The other has changes of its own.
    ContactUnmerged {
        /// The contact.
        contact: ContactId,
        /// The contact that it was in.
        from: ContactId,
    },
    /// The contact was created by splitting another ([R58](crate::rulebook#r58)). The other has changes
    /// of its own.
    ContactSplitOff {
        /// The contact.
        contact: ContactId,
        /// The contact that was split.
        from: ContactId,
    },
    /// A token came to the card of the contact.
    TokenAdded {
        /// The contact.
        contact: ContactId,
        /// The app of the token.
        app: AppId,
        /// The subscriber.
        subscriber: SubscriberId,
    },
    /// A token was taken from other contacts and came to the end of the card
    /// ([R22](crate::rulebook#r22)). Each of the others has a change of its own,
    /// [`TokenRemoved`](Changed::TokenRemoved).
    TokenMoved {
        /// The contact that has it now.
        contact: ContactId,
        /// The app of the token.
        app: AppId,
        /// The subscriber.
        subscriber: SubscriberId,
    },
    /// A token on the card of the contact has another name ([R57](crate::rulebook#r57)). Each contact
    /// that holds it has such a change.
    TokenRenamed {
        /// The contact.
        contact: ContactId,
        /// The app of the token.
        app: AppId,
        /// The subscriber.
        subscriber: SubscriberId,
    },
    /// A subscriber was muted, or has another mute ([R59](crate::rulebook#r59)). Each contact that
    /// holds it has such a change. That a mute has ended by its time is no change.
    TokenMuted {
        /// The contact.
        contact: ContactId,
        /// The app of the token.
        app: AppId,
        /// The subscriber.
        subscriber: SubscriberId,
    },
    /// A subscriber was unmuted ([R59](crate::rulebook#r59)). Each contact that holds it has such a
    /// change.
    TokenUnmuted {
        /// The contact.
        contact: ContactId,
        /// The app of the token.
        app: AppId,
        /// The subscriber.
        subscriber: SubscriberId,
    },
    /// A token left the card of the contact.
    TokenRemoved {
        /// The contact.
        contact: ContactId,
        /// The app of the token.
        app: AppId,
        /// The subscriber.
        subscriber: SubscriberId,
        /// Why.
        why: TokenLoss,
    },
    /// The app was connected.
    AppConnected {
        /// The app.
        app: AppId,
    },
    /// The name or the access key of the app changed.
    AppUpdated {
        /// The app.
        app: AppId,
    },
    /// The app was disconnected: its tokens are on no card any more. They have no changes of their own.
    AppDisconnected {
        /// The app.
        app: AppId,
    },
}

impl Changed {
    /// Returns the contact that changed; `None` when it was an app.
    #[must_use]
    pub const fn contact(self) -> Option<ContactId> {
        match self {
            Changed::ContactCreated { contact }
            | Changed::ContactUpdated { contact }
            | Changed::ContactErased { contact }
            | Changed::ContactMerged { contact, .. }
            | Changed::ContactUnmerged { contact, .. }
            | Changed::ContactSplitOff { contact, .. }
            | Changed::TokenAdded { contact, .. }
            | Changed::TokenMoved { contact, .. }
            | Changed::TokenRenamed { contact, .. }
            | Changed::TokenMuted { contact, .. }
            | Changed::TokenUnmuted { contact, .. }
            | Changed::TokenRemoved { contact, .. } => Some(contact),
            Changed::AppConnected { .. }
            | Changed::AppUpdated { .. }
            | Changed::AppDisconnected { .. } => None,
        }
    }
}

/// Why a token left a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenLoss {
    /// A FAILED report removed it ([R31](crate::rulebook#r31)).
    Failed,
    /// The host removed it ([R45](crate::rulebook#r45)).
    Removed,
    /// It was stale ([R62](crate::rulebook#r62)).
    Stale,
    /// It moved to another contact ([R22](crate::rulebook#r22)).
    Moved,
    /// A token was renamed to it, and the subscribers became one ([R57](crate::rulebook#r57)).
    Joined,
    /// It went back to a contact that was taken out of this one ([R58](crate::rulebook#r58)).
    Unmerged,
    /// It went to a contact that was split off ([R58](crate::rulebook#r58)).
    Split,
}

impl TokenLoss {
    /// Returns its name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            TokenLoss::Failed => "failed",
            TokenLoss::Removed => "removed",
            TokenLoss::Stale => "stale",
            TokenLoss::Moved => "moved",
            TokenLoss::Joined => "joined",
            TokenLoss::Unmerged => "unmerged",
            TokenLoss::Split => "split",
        }
    }
}

impl fmt::Display for TokenLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a card changes, for what is recorded of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The request gives what is on the card.
    Given,
    /// A token was taken from other contacts (R22).
    Moved,
    /// A token was renamed (R57).
    Renamed,
    /// A token is taken off.
    Removed(TokenLoss),
    /// The contact is merged into this one and goes (R58).
    Merged(ContactId),
    /// The contact is taken out of this one and comes back (R58).
    Unmerged(ContactId),
    /// The contact is split off this one (R58).
    SplitOff(ContactId),
    /// The app was disconnected. Nothing is recorded: the disconnection says it for all of its tokens.
    AppGone,
}

/// One page of the change feed ([R60](crate::rulebook#r60)), from
/// [`Snapshot::changes`](crate::Snapshot::changes).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangePage {
    /// The changes, in order. There may be fewer than the limit, or none, with more to come.
    pub changes: Vec<Change>,
    /// The `after` of the next page.
    pub position: ChangePosition,
    /// Whether the snapshot has changes after this page.
    pub more: bool,
}

impl ChangePage {
    pub(crate) fn new(changes: Vec<Change>, position: ChangePosition, more: bool) -> Self {
        ChangePage {
            changes,
            position,
            more,
        }
    }
}

/// How many changes the feed keeps, and for how long ([R60](crate::rulebook#r60)). The default is
/// 1,000,000 changes of any age.
///
/// Each commit drops the oldest changes that are over either bound, a limited number of them. A change
/// takes 10 to 20 bytes of the file.
///
/// ```
/// # use contact_store::{ContactStore, KeepChanges, Options};
/// # use std::time::Duration;
/// let week = Duration::from_secs(7 * 24 * 60 * 60);
/// let keep = KeepChanges::default().changes(10_000_000).age(week);
/// let store = ContactStore::open_in_memory(Options::default().change_feed(keep))?;
/// # Ok::<(), contact_store::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepChanges {
    changes: u64,
    age: Option<Duration>,
}

impl Default for KeepChanges {
    fn default() -> Self {
        KeepChanges {
            changes: 1_000_000,
            age: None,
        }
    }
}

impl KeepChanges {
    /// Sets the number of changes to keep, 1 to 1,000,000,000
    /// ([`CHANGES_KEPT`](crate::limits::CHANGES_KEPT)).
    ///
    /// The newest ones up to this number are never dropped for their number. Changes are dropped in
    /// groups of at most 256, so there may be some more.
    #[must_use]
    pub const fn changes(mut self, changes: u64) -> Self {
        self.changes = changes;
        self
    }

    /// Sets the age, by the clock of the store, up to which a change is kept. Fractions of a
    /// millisecond are dropped.
    #[must_use]
    pub const fn age(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    pub(crate) const fn most(self) -> u64 {
        self.changes
    }

    /// Changes made before this time are too old at `now`.
    pub(crate) fn oldest_at(self, now: Timestamp) -> Option<Timestamp> {
        let age = u64::try_from(self.age?.as_millis()).unwrap_or(u64::MAX);
        Some(Timestamp::from_millis(now.as_millis().saturating_sub(age)))
    }

    pub(crate) fn refuse_zero(self) -> Result<(), LimitZero> {
        let name = "change_feed.changes";
        (self.changes > 0).then_some(()).ok_or(LimitZero { name })
    }

    pub(crate) fn validate(self) -> Result<(), LimitTooHigh> {
        let set = usize::try_from(self.changes).unwrap_or(usize::MAX);
        LimitTooHigh::check("change_feed.changes", set, CHANGES_KEPT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r60_a_position_has_one_text_form() {
        let position = |text| ChangePosition::parse(text);
        let at = |sequence, place| ChangePosition::at(SequenceNumber::new(sequence), place);
        assert_eq!(position("0"), Ok(ChangePosition::START));
        assert_eq!(
            position("17"),
            Ok(ChangePosition::after(SequenceNumber::new(17)))
        );
        assert_eq!(position("17.1"), Ok(at(17, 1)));
        assert_eq!(
            position("18446744073709551615.4294967294"),
            Ok(at(u64::MAX, END - 1))
        );
        for position in [at(0, 1), at(3, 200), at(3, END), at(u64::MAX, END)] {
            assert_eq!(ChangePosition::parse(&position.to_string()), Ok(position));
        }
        for text in [
            "",
            ".",
            "1.",
            ".1",
            "+1",
            "-1",
            "01",
            "1.0",
            "1.01",
            "1.+1",
            "1.1.1",
            " 1",
            "1 ",
            "1,1",
            "18446744073709551616",
            "1.4294967295",
            "1.4294967296",
            "end",
        ] {
            let refused = FieldError::new(Field::ChangePosition, Fault::NotAChangePosition);
            assert_eq!(position(text), Err(refused), "{text}");
        }
    }

    #[test]
    fn r60_positions_are_in_the_order_of_the_changes() {
        let at = |sequence, place| ChangePosition::at(SequenceNumber::new(sequence), place);
        let ordered = [
            ChangePosition::START,
            at(1, 1),
            at(1, 2),
            at(1, END),
            at(2, 1),
        ];
        assert!(ordered.is_sorted_by(|a, b| a < b));
    }
}
