//! Sequence numbers, which order the states of the store (R47).

use std::fmt;

/// The number of a state of the store. A new store is at 0; each request that changes it takes the
/// next number ([R47](crate::rulebook#r47)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber(u64);

impl SequenceNumber {
    pub(crate) const fn new(number: u64) -> Self {
        SequenceNumber(number)
    }

    /// Returns the number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The next number. 2^64 requests never happen; saturating keeps the promise of no panic.
    pub(crate) const fn next(self) -> Self {
        SequenceNumber(self.0.saturating_add(1))
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The outcome of a write, with the sequence number of its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed<T> {
    /// The number of the state that the request made. If it changed nothing, the number of the
    /// state that it was decided on. That state is durable ([R46](crate::rulebook#r46),
    /// [R47](crate::rulebook#r47)). For a repeated request, the number that the first one got.
    pub sequence: SequenceNumber,
    /// The outcome of the request. For a repeated request, that of the first one.
    pub outcome: T,
    /// Whether the request repeats an earlier one under its idempotency key, so that it did nothing
    /// ([R64](crate::rulebook#r64)).
    pub repeated: bool,
}

impl<T> Committed<T> {
    pub(crate) fn new(sequence: SequenceNumber, outcome: T) -> Self {
        Committed {
            sequence,
            outcome,
            repeated: false,
        }
    }

    /// The answer to a request that repeats the one with this number and outcome.
    pub(crate) fn repeated(first: SequenceNumber, outcome: T) -> Self {
        Committed {
            sequence: first,
            outcome,
            repeated: true,
        }
    }
}
