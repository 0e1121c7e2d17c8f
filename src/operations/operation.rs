//! The operation: a write that is decided on a draft.
//!
//! This module does not know queues, commits or callers.

use crate::error::{EntryError, Error};
use crate::limits::{Limit, LimitExceeded, Limits};
use crate::model::sequence::SequenceNumber;
use crate::stats::{OperationKind, Tally};
use crate::storage::Draft;

/// A request that may change the store.
pub(crate) trait Operation: Clone + Send + 'static {
    type Outcome: Send + 'static;

    /// The kind that the stats count it as.
    const KIND: OperationKind;

    /// The room that it takes in the queue and in a commit.
    fn size(&self) -> Size;

    /// Decides it, and puts the changed rows into the draft. After an error the draft is rolled
    /// back.
    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<Self::Outcome>, Error>;

    /// The entries that were refused while the request was parsed, by their places, in order. Asked for
    /// before it is decided, if it has an idempotency key.
    fn refused_entries(&self) -> Vec<(usize, EntryError)> {
        Vec::new()
    }

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

impl<T> Step<T> {
    pub(crate) fn map<U>(self, turn: impl FnOnce(T) -> U) -> Step<U> {
        match self {
            Step::Done(outcome) => Step::Done(turn(outcome)),
            Step::Again => Step::Again,
        }
    }
}

/// The outcome of a request, and whether it comes from an earlier one.
pub(crate) struct Decided<T> {
    pub(crate) outcome: T,
    /// The number of the request that this one repeats (R64).
    pub(crate) first: Option<SequenceNumber>,
}

impl<T> Decided<T> {
    /// An outcome that was decided now.
    pub(crate) fn now(outcome: T) -> Self {
        Decided {
            outcome,
            first: None,
        }
    }

    /// The outcome of a request that was done before.
    pub(crate) fn before(first: SequenceNumber, outcome: T) -> Self {
        Decided {
            outcome,
            first: Some(first),
        }
    }
}

/// The entries among these that were refused, by their places.
pub(crate) fn refused_among<E>(entries: &[Result<E, EntryError>]) -> Vec<(usize, EntryError)> {
    let places = entries.iter().enumerate();
    places
        .filter_map(|(place, entry)| Some((place, entry.as_ref().err()?.clone())))
        .collect()
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
