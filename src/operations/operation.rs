//! The operation: a write that is decided on a draft.
//!
//! This module does not know queues, commits or callers.

use crate::error::Error;
use crate::limits::{Limit, LimitExceeded, Limits};
use crate::stats::{OperationKind, Tally};
use crate::storage::Draft;

/// A request that may change the store.
pub(crate) trait Operation: Send + 'static {
    type Outcome: Send + 'static;

    /// The kind that the stats count it as.
    const KIND: OperationKind;

    /// The room that it takes in the queue and in a commit.
    fn size(&self) -> Size;

    /// Decides it, and puts the changed rows into the draft. After an error the draft is rolled
    /// back.
    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<Self::Outcome>, Error>;

    /// Counts the outcome of each of its entries.
    fn count(outcome: &Self::Outcome, tally: &mut Tally);
}

/// How far deciding has come.
pub(crate) enum Step<T> {
    /// To the end.
    Done(T),
    /// As far as one commit should go. The draft is committed, and deciding continues in the next
    /// commit.
    Again,
}

/// The size of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) entries: usize,
    pub(crate) text_bytes: usize,
}

impl Size {
    pub(crate) fn one(text_bytes: usize) -> Self {
        Size {
            entries: 1,
            text_bytes,
        }
    }

    /// The size of a request whose entries have these numbers of bytes of text, if it is within the
    /// limits.
    pub(crate) fn of_batch(
        entries: impl ExactSizeIterator<Item = usize>,
        limits: &Limits,
    ) -> Result<Self, LimitExceeded> {
        let size = Size {
            entries: entries.len(),
            text_bytes: entries.fold(0, usize::saturating_add),
        };
        let Size {
            entries,
            text_bytes,
        } = size;
        LimitExceeded::check(
            Limit::EntriesPerRequest,
            entries,
            limits.entries_per_request,
        )?;
        LimitExceeded::check(
            Limit::RequestTextBytes,
            text_bytes,
            limits.request_text_bytes,
        )?;
        Ok(size)
    }

    pub(crate) fn plus(self, other: Size) -> Self {
        Size {
            entries: self.entries.saturating_add(other.entries),
            text_bytes: self.text_bytes.saturating_add(other.text_bytes),
        }
    }
}
