//! Times and the clock that a store reads (R54).
//!
//! Nothing here knows what a time is used for. Only the store's public face reads the clock, once
//! for each request.

use std::time::{SystemTime, UNIX_EPOCH};

/// A time in milliseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The time `millis` milliseconds after 1970-01-01 00:00 UTC.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Timestamp(millis)
    }

    /// Milliseconds since 1970-01-01 00:00 UTC.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

/// Tells a store the time. Given when it is opened; the default is [`SystemClock`].
///
/// A clock may jump or stand still: the rules only compare times, they never count on an order.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// The system's time; a system whose clock stands before 1970 counts as 1970.
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The two times of one request: the clock's when it was made, and its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestTime {
    clock: Timestamp,
    at: Timestamp,
}

impl RequestTime {
    /// A request made at `clock` that says it is of time `at` (R54).
    pub(crate) fn new(clock: Timestamp, at: Option<Timestamp>) -> Self {
        RequestTime {
            clock,
            at: at.map_or(clock, |at| at.min(clock)),
        }
    }

    /// The time of the request.
    pub(crate) fn at(self) -> Timestamp {
        self.at
    }

    /// `time`, but no later than the clock when the request was made (R54).
    pub(crate) fn not_after_clock(self, time: Timestamp) -> Timestamp {
        time.min(self.clock)
    }

    /// The time of a part of the request that may name its own.
    pub(crate) fn of_part(self, at: Option<Timestamp>) -> Timestamp {
        at.map_or(self.at, |at| self.not_after_clock(at))
    }
}
