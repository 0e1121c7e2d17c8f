//! Dismissing a conflict: the two contacts are different persons, or nobody has to look (R61).
//!
//! This module does not know what leaves a conflict.

use crate::error::Error;
use crate::model::identifier::ContactId;
use crate::operations::described::{Described, Description};
use crate::operations::operation::{Operation, Size, Step};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{Draft, merged_into};

/// The outcome of a request to dismiss a conflict ([R61](crate::rulebook#r61)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConflictDismissed {
    /// The conflict of the two contacts is not listed any more.
    Dismissed,
    /// The two contacts have no conflict on the list, do not exist or are one. Nothing was written.
    NotListed,
}

/// A request to dismiss the conflict of two contacts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DismissConflict(pub(crate) ContactId, pub(crate) ContactId);

impl Described for DismissConflict {
    fn describe(&self, to: &mut Description) {
        let DismissConflict(one, other) = self;
        to.parts(&[one, other]);
    }
}

impl Operation for DismissConflict {
    type Outcome = ConflictDismissed;

    const KIND: OperationKind = OperationKind::DismissConflict;

    fn size(&self) -> Size {
        Size::one(0)
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<ConflictDismissed>, Error> {
        let DismissConflict(one, other) = *self;
        let one = merged_into(draft, one)?.unwrap_or(one);
        let other = merged_into(draft, other)?.unwrap_or(other);
        Ok(Step::Done(if draft.end_conflict(one, other)? {
            ConflictDismissed::Dismissed
        } else {
            ConflictDismissed::NotListed
        }))
    }

    fn count(outcome: &ConflictDismissed, tally: &mut Tally) {
        tally.entry(match outcome {
            ConflictDismissed::Dismissed => EntryOutcome::Dismissed,
            ConflictDismissed::NotListed => EntryOutcome::NotListed,
        });
    }
}
